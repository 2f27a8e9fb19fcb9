//! Cores, disks and the machine's own description: what decides whether two runs can be compared.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::statistics::{maximum, minimum, percentile, sorted};

/// Batches of writes that tell how even a disk is, and writes in each.
const SYNC_BATCHES: usize = 5;
const SYNCS_PER_BATCH: usize = 100;
/// Between two writes: spread over seconds, as the measured writes are, the probe sees what else the disk does.
const SYNC_INTERVAL: Duration = Duration::from_millis(10);
/// Size of such a write: a page of the store.
const SYNC_SIZE_BYTES: usize = 4096;
/// A disk whose p99 differs by more than this between batches hides what the proof looks for, milliseconds.
const SYNC_SPREAD_MAX_MS: f64 = 0.5;
/// Memory as a disk.
const MEMORY_FOLDER: &str = "/dev/shm";

/// The two cores of the proof.
#[derive(Debug, Clone, Copy)]
pub struct Cores {
    /// The API and the measuring client.
    pub api: usize,
    /// The gateway, NATS and the clients.
    pub fan_out: usize,
}

impl Cores {
    /// The first two cores that this process may use.
    ///
    /// # Errors
    /// When there is only one.
    pub fn choose() -> Result<Self> {
        let allowed = sched_getaffinity(None).context("the system does not tell which cores may be used")?;
        let cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).take(2).collect();
        let [api, fan_out] = cores[..] else {
            bail!("the proof needs two cores; this machine lends {}", cores.len())
        };
        Ok(Self { api, fan_out })
    }
}

/// Binds this thread, and every process it starts from now on, to one core.
///
/// # Errors
/// When the system refuses.
pub fn pin_to(core: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).with_context(|| format!("core {core} cannot be used"))
}

/// Any priority of the real-time class is above everything of the usual one, in which a process waits out the slices of
/// others, some milliseconds.
const REAL_TIME_PRIORITY: &str = "10";

/// Puts a process or thread ahead of all others of its core; false where this is not allowed.
pub fn prefer(id: u32) -> bool {
    schedule(id, "--fifo", REAL_TIME_PRIORITY)
}

/// Puts a process or thread behind all others: it never takes the core from one. False where this is not allowed.
pub fn defer(id: u32) -> bool {
    schedule(id, "--idle", "0")
}

fn schedule(id: u32, policy: &str, priority: &str) -> bool {
    let output = Command::new("chrt").args([policy, "--pid", priority, &id.to_string()]).output();
    output.is_ok_and(|output| output.status.success())
}

/// Lets this process and its children open as many files as the system allows.
///
/// # Errors
/// When the system refuses.
pub fn raise_file_limit() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
        .context("the limit of open files cannot be raised")
}

/// Where both sides keep their data, and why there.
#[derive(Debug)]
pub struct DataFolder {
    /// The folder.
    pub path: PathBuf,
    /// One line for the header.
    pub reason: String,
}

/// `wanted` if its disk writes evenly, else a folder in memory, for both sides of every comparison.
///
/// # Errors
/// When `wanted` cannot be written.
pub fn data_folder(wanted: &Path) -> Result<DataFolder> {
    fs::create_dir_all(wanted).with_context(|| format!("{} cannot be made", wanted.display()))?;
    let p99s = sync_p99s_ms(wanted)?;
    let (low, high) = (minimum(&p99s), maximum(&p99s));
    let measured =
        format!("p99 of a 4 KiB write with fdatasync {low:.2} to {high:.2} ms over {SYNC_BATCHES} batches");
    if high - low <= SYNC_SPREAD_MAX_MS || !Path::new(MEMORY_FOLDER).is_dir() {
        return Ok(DataFolder {
            path: wanted.to_owned(),
            reason: format!("in {} ({measured})", wanted.display()),
        });
    }
    let reason = format!(
        "in memory, {MEMORY_FOLDER}, because the disk's own noise is larger than the limit ({measured})"
    );
    Ok(DataFolder { path: PathBuf::from(MEMORY_FOLDER), reason })
}

fn sync_p99s_ms(folder: &Path) -> Result<Vec<f64>> {
    let path = folder.join("sync-probe");
    let mut file = File::create(&path).with_context(|| format!("{} cannot be written", path.display()))?;
    let block = [0_u8; SYNC_SIZE_BYTES];
    let mut p99s = Vec::new();
    for _ in 0..SYNC_BATCHES {
        let mut batch = Vec::new();
        for _ in 0..SYNCS_PER_BATCH {
            std::thread::sleep(SYNC_INTERVAL);
            let start = Instant::now();
            file.write_all(&block)
                .and_then(|()| file.sync_data())
                .context("the disk does not take a write")?;
            batch.push(start.elapsed().as_secs_f64() * 1e3);
        }
        p99s.push(percentile(&sorted(batch), 99.0));
    }
    fs::remove_file(&path).context("the probe's file cannot be removed")?;
    Ok(p99s)
}

/// What this machine is, in one line.
pub fn description() -> String {
    let cpu_info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpu_info.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split_once(": "));
    let memory_info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory_kib: f64 = memory_info
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse().ok())
        .unwrap_or(0.0);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "{}, {cores} cores, {:.0} GiB, Linux {}, load {}",
        model.map_or("unknown processor", |(_, model)| model),
        memory_kib / 1024.0 / 1024.0,
        kernel.trim(),
        load_average(),
    )
}

/// The load average over one minute, as the kernel writes it.
pub fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("unknown").to_owned()
}

/// Clock ticks a second in `/proc`: fixed at 100 on Linux whatever the kernel's own rate.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU time that all cores together have spent on anything, seconds (proc(5), `stat`).
///
/// # Errors
/// When the kernel does not tell.
pub fn busy_seconds() -> Result<f64> {
    let text = fs::read_to_string("/proc/stat").context("/proc/stat cannot be read")?;
    let all =
        text.lines().next().and_then(|line| line.strip_prefix("cpu ")).context("/proc/stat is malformed")?;
    // user nice system idle iowait irq softirq steal ...: all but the two that are waiting.
    let fields = all.split_whitespace().take(8).enumerate().filter(|(index, _)| !matches!(index, 3 | 4));
    let ticks: f64 = fields.filter_map(|(_, field)| field.parse::<f64>().ok()).sum();
    Ok(ticks / TICKS_PER_SECOND)
}

/// CPU time a process has used, seconds (proc(5), `stat`, fields 14 and 15).
///
/// # Errors
/// When there is no such process.
pub fn cpu_seconds(pid: u32) -> Result<f64> {
    ticks(&format!("/proc/{pid}/stat"), 2)
}

/// CPU time that this process and its children that have ended have used, seconds (fields 14 to 17).
///
/// # Errors
/// When the kernel does not tell.
pub fn cpu_seconds_with_children() -> Result<f64> {
    ticks("/proc/self/stat", 4)
}

/// So many fields of CPU time, from the 14th on, as seconds.
fn ticks(path: &str, fields: usize) -> Result<f64> {
    let text = fs::read_to_string(path).with_context(|| format!("{path} cannot be read"))?;
    // The name in parentheses may hold spaces.
    let (_, rest) = text.rsplit_once(')').with_context(|| format!("{path} is malformed"))?;
    let ticks: f64 =
        rest.split_whitespace().skip(11).take(fields).filter_map(|field| field.parse::<f64>().ok()).sum();
    Ok(ticks / TICKS_PER_SECOND)
}
