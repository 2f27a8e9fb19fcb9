//! One look at the kernel's counters. What cannot be read is absent.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use procfs::net::InterfaceDeviceStatus;
use procfs::prelude::{FromRead, FromReadSI};
use procfs::{CpuPressure, CpuTime, KernelStats, LoadAverage, Meminfo};

/// Ticks of all cores since boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuTicks {
    /// Not idle; time taken by the hypervisor counts as busy, because it was not ours to use.
    pub busy: u64,
    /// In all.
    pub total: u64,
}

/// Bytes since an interface came up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traffic {
    /// Received.
    pub received: u64,
    /// Sent.
    pub sent: u64,
}

/// What of something is used, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// In use; absent where the kernel tells only the whole.
    pub used: Option<u64>,
    /// In all.
    pub total: u64,
}

/// One look.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading {
    /// Ticks of all cores.
    pub cpu: Option<CpuTicks>,
    /// Cores the kernel schedules on.
    pub cpu_count: Option<u32>,
    /// Run queue average over one minute.
    pub load_1m: Option<f64>,
    /// Memory.
    pub memory: Option<Usage>,
    /// The file system of the data folder.
    pub disk: Option<Usage>,
    /// By interface, loopback left out.
    pub traffic: Option<BTreeMap<String, Traffic>>,
    /// Share of time in which some task waited for a core over 10 s, 0 to 100.
    pub cpu_pressure_percent: Option<f64>,
}

/// Where the kernel tells.
#[derive(Debug)]
pub struct HostFiles {
    proc: PathBuf,
    data_dir: PathBuf,
}

impl HostFiles {
    /// `proc` is `/proc` but in tests.
    pub fn new(proc: &Path, data_dir: &Path) -> Self {
        Self { proc: proc.to_owned(), data_dir: data_dir.to_owned() }
    }

    /// Looks once. May block as long as the data folder's file system does.
    pub fn read(&self) -> Reading {
        let stats = KernelStats::from_file(self.proc.join("stat"), procfs::current_system_info()).ok();
        Reading {
            cpu: stats.as_ref().map(|stats| ticks(&stats.total)),
            cpu_count: stats.as_ref().and_then(|stats| u32::try_from(stats.cpu_time.len()).ok()),
            load_1m: self.parse("loadavg").map(|load: LoadAverage| f64::from(load.one)),
            memory: self.parse("meminfo").map(|memory: Meminfo| Usage {
                used: memory.mem_available.map(|available| memory.mem_total.saturating_sub(available)),
                total: memory.mem_total,
            }),
            disk: disk(&self.data_dir),
            traffic: self.parse("net/dev").map(traffic),
            cpu_pressure_percent: self
                .parse("pressure/cpu")
                .map(|pressure: CpuPressure| f64::from(pressure.some.avg10)),
        }
    }

    fn parse<T: FromRead>(&self, name: &str) -> Option<T> {
        T::from_file(self.proc.join(name)).ok()
    }
}

fn ticks(cpu: &CpuTime) -> CpuTicks {
    // `guest` is part of `user`, so it is not added again.
    let busy = cpu.user
        + cpu.nice
        + cpu.system
        + cpu.irq.unwrap_or(0)
        + cpu.softirq.unwrap_or(0)
        + cpu.steal.unwrap_or(0);
    CpuTicks { busy, total: busy + cpu.idle + cpu.iowait.unwrap_or(0) }
}

fn traffic(interfaces: InterfaceDeviceStatus) -> BTreeMap<String, Traffic> {
    let one = |(name, status): (String, procfs::net::DeviceStatus)| {
        (name, Traffic { received: status.recv_bytes, sent: status.sent_bytes })
    };
    interfaces.0.into_iter().filter(|(name, _)| name != "lo").map(one).collect()
}

/// The file system of `folder`, or of the nearest folder above it that exists.
fn disk(folder: &Path) -> Option<Usage> {
    let absolute = std::path::absolute(folder).ok()?;
    let found = absolute.ancestors().find_map(|folder| rustix::fs::statvfs(folder).ok())?;
    let size = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    // A file system without blocks (such as /proc) has no size that could be told.
    (found.f_blocks > 0).then(|| Usage {
        used: Some(size(found.f_blocks.saturating_sub(found.f_bfree))),
        total: size(found.f_blocks),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_does_not_tell_is_absent() {
        let reading = HostFiles::new(Path::new("/nowhere"), Path::new("/proc/self")).read();
        assert_eq!(reading, Reading::default());
    }

    #[test]
    fn loopback_is_left_out() {
        let text = "Inter-| Receive | Transmit\n face |bytes ...\n    lo: 5 1 0 0 0 0 0 0 5 1 0 0 0 0 0 0\n  \
                    eth0: 70 2 0 0 0 0 0 0 80 3 0 0 0 0 0 0\n";
        let interfaces = InterfaceDeviceStatus::from_read(text.as_bytes()).unwrap();
        let expected = BTreeMap::from([("eth0".to_owned(), Traffic { received: 70, sent: 80 })]);
        assert_eq!(traffic(interfaces), expected);
    }

    #[test]
    fn stolen_time_is_busy_and_guests_are_counted_once() {
        let text = "cpu  10 20 30 400 50 6 7 8 5 5\ncpu0 10 20 30 400 50 6 7 8 5 5\nctxt 1\nbtime 1\nprocesses 1\n\
                    procs_running 1\nprocs_blocked 0\n";
        let stats = KernelStats::from_read(text.as_bytes(), procfs::current_system_info()).unwrap();
        assert_eq!(ticks(&stats.total), CpuTicks { busy: 81, total: 531 });
    }
}
