//! The memory of the whole process against what it may have, as the kernel counts it: the control group's figure holds
//! socket buffers too, the resident set does not. What happens at which level is decided here and done elsewhere.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use chassis::Shutdown;

use crate::metrics::GatewayMetrics;
use crate::worker::{self, WorkerHandle};

/// How often the figure is looked at: a gateway fills its memory in seconds, not in milliseconds.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// How often the heap's free pages go back to the system while there is a level: it takes milliseconds, in which
/// threads that allocate may wait. At the last level it is done before each look, or sessions were closed for memory
/// that is free.
const GIVE_BACK_INTERVAL: Duration = Duration::from_secs(1);
/// Sessions that are closed at one look while the last level lasts, of each worker.
const SHED_PER_LOOK: usize = 8;
/// A level ends only when the use is this far below its beginning, in parts of a thousand.
const HYSTERESIS: u64 = 30;

/// What the use of memory asks for. Each level includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing.
    Normal,
    /// State is told less often.
    Conflate,
    /// New connections are refused.
    Refuse,
    /// The sessions furthest behind are closed.
    Shed,
}

impl Level {
    const ALL: [Self; 4] = [Self::Normal, Self::Conflate, Self::Refuse, Self::Shed];

    /// Where it begins, in parts of a thousand of the budget.
    fn begins_at(self) -> u64 {
        match self {
            Self::Normal => 0,
            Self::Conflate => 700,
            Self::Refuse => 850,
            Self::Shed => 950,
        }
    }

    /// The level of a use, given the one before.
    fn of(used_permille: u64, before: Self) -> Self {
        let is_on = |level: &Self| {
            let begins_at = level.begins_at();
            used_permille >= if *level <= before { begins_at.saturating_sub(HYSTERESIS) } else { begins_at }
        };
        Self::ALL.into_iter().rev().find(is_on).unwrap_or(Self::Normal)
    }
}

/// The level now. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Budget(Arc<AtomicU8>);

impl Budget {
    /// The level now.
    pub fn level(&self) -> Level {
        Level::ALL[usize::from(self.0.load(Ordering::Relaxed)).min(Level::ALL.len() - 1)]
    }

    fn set(&self, level: Level) {
        self.0.store(level as u8, Ordering::Relaxed);
    }

    /// Follows the use of memory until the stop. `limit_bytes` is the operator's, else the control group's; where there
    /// is neither, there is no budget.
    pub async fn follow(
        self,
        limit_bytes: Option<u64>,
        workers: Vec<WorkerHandle>,
        metrics: GatewayMetrics,
        shutdown: Shutdown,
    ) {
        let source = Source::new(limit_bytes, own_group());
        let Some(budget_bytes) = source.budget_bytes else {
            tracing::info!("no limit of memory is known; set --memory-budget-bytes to have one kept");
            return;
        };
        metrics.memory_budget.set(i64::try_from(budget_bytes).unwrap_or(i64::MAX));
        let mut level = Level::Normal;
        let mut given_back_at = Instant::now();
        loop {
            tokio::select! {
                () = shutdown.requested() => return,
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
            }
            let is_due = level > Level::Normal && given_back_at.elapsed() >= GIVE_BACK_INTERVAL;
            if is_due || level == Level::Shed {
                // Fails only when the runtime ends.
                let _ = tokio::task::spawn_blocking(give_back).await;
                given_back_at = Instant::now();
            }
            let Some(used_bytes) = source.used_bytes() else { continue };
            metrics.memory_used.set(i64::try_from(used_bytes).unwrap_or(i64::MAX));
            let now = Level::of(used_bytes.saturating_mul(1_000) / budget_bytes.max(1), level);
            if now != level {
                tracing::warn!(used_bytes, budget_bytes, from = ?level, to = ?now, "level of memory");
            }
            level = now;
            self.set(level);
            metrics.budget_level.set(level as i64);
            if level == Level::Shed {
                for worker in &workers {
                    worker.send(worker::Command::Shed(SHED_PER_LOOK)).await;
                }
            }
        }
    }
}

/// Gives pages that are free in the heap back to the system. The allocator alone keeps them, for its threads to use
/// again, and a gateway whose clients are long gone would refuse new ones.
#[cfg(target_env = "gnu")]
#[allow(unsafe_code, reason = "the allocator has no other door")]
fn give_back() {
    // SAFETY: it has no preconditions and takes the allocator's own locks (malloc_trim(3): "MT-Safe").
    unsafe { libc::malloc_trim(0) };
}

#[cfg(not(target_env = "gnu"))]
fn give_back() {}

/// The files of a control group that tell what it may use, and what it uses: their sum. Version 1 counts what TCP holds
/// apart, and only where that has a limit of its own; else a group does not know of it.
const GROUP_FILES: [(&str, &[&str]); 2] = [
    ("memory.max", &["memory.current"]),
    ("memory.limit_in_bytes", &["memory.usage_in_bytes", "memory.kmem.tcp.usage_in_bytes"]),
];
/// A limit beyond this is version 1's word for none.
const NO_LIMIT_BYTES: u64 = 1 << 60;

/// Where the figures come from.
struct Source {
    budget_bytes: Option<u64>,
    /// Of the control group, where the process has one of its own.
    group: Option<(PathBuf, &'static [&'static str])>,
}

impl Source {
    /// The operator's limit goes before that of the process's own `group`.
    fn new(limit_bytes: Option<u64>, group: Option<PathBuf>) -> Self {
        let limited = group.and_then(|folder| {
            let limit_of = |name| number(&folder.join(name)).filter(|limit| *limit < NO_LIMIT_BYTES);
            let (limit, used) = GROUP_FILES.iter().find_map(|(name, used)| Some((limit_of(name)?, *used)))?;
            Some((limit, (folder, used)))
        });
        // A group without a limit is shared with others, whose memory is none of ours.
        let (group_limit, group) = limited.unzip();
        Self { budget_bytes: limit_bytes.or(group_limit), group }
    }

    /// Bytes in use: the group's without page cache that can go at once, else the resident set and the kernel's for
    /// TCP.
    fn used_bytes(&self) -> Option<u64> {
        let Some((folder, used)) = &self.group else {
            return Some(resident_bytes()? + tcp_bytes().unwrap_or(0));
        };
        let counted: Vec<u64> = used.iter().filter_map(|name| number(&folder.join(name))).collect();
        let cache_bytes = inactive_file_bytes(&folder.join("memory.stat")).unwrap_or(0);
        (!counted.is_empty()).then(|| counted.iter().sum::<u64>().saturating_sub(cache_bytes))
    }
}

fn number(file: &Path) -> Option<u64> {
    std::fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// Folder of the control group that this process is in (version 2, or version 1's memory controller).
fn own_group() -> Option<PathBuf> {
    let text = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let unified = text.lines().find_map(|line| line.strip_prefix("0::"));
    let memory = text.lines().find_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        controllers.split(',').any(|name| name == "memory").then_some(path)
    });
    let candidates = [
        memory.map(|path| format!("/sys/fs/cgroup/memory{path}")),
        // In a container its own group is mounted as the root.
        memory.map(|_| "/sys/fs/cgroup/memory".to_owned()),
        unified.map(|path| format!("/sys/fs/cgroup{path}")),
        unified.map(|_| "/sys/fs/cgroup".to_owned()),
    ];
    let has_figures = |folder: &PathBuf| GROUP_FILES.iter().any(|(_, used)| folder.join(used[0]).exists());
    candidates.into_iter().flatten().map(PathBuf::from).find(has_figures)
}

fn inactive_file_bytes(stat: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(stat).ok()?;
    let line = text.lines().find_map(|line| {
        line.strip_prefix("total_inactive_file ").or_else(|| line.strip_prefix("inactive_file "))
    });
    line?.trim().parse().ok()
}

fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// What the kernel holds for TCP, of all processes of this machine: it has no other figure outside of groups.
fn tcp_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/net/sockstat").ok()?;
    let line = text.lines().find(|line| line.starts_with("TCP:"))?;
    let pages: u64 = line.split(' ').skip_while(|word| *word != "mem").nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_rise_at_their_beginning_and_fall_a_little_below_it() {
        assert_eq!(Level::of(699, Level::Normal), Level::Normal);
        assert_eq!(Level::of(700, Level::Normal), Level::Conflate);
        assert_eq!(Level::of(680, Level::Conflate), Level::Conflate);
        assert_eq!(Level::of(669, Level::Conflate), Level::Normal);
        assert_eq!(Level::of(990, Level::Normal), Level::Shed);
        assert_eq!(Level::of(930, Level::Shed), Level::Shed);
        assert_eq!(Level::of(910, Level::Shed), Level::Refuse);
    }

    #[test]
    fn this_process_uses_memory() {
        let used = Source::new(Some(1 << 40), None).used_bytes().unwrap();
        assert!(used > 100_000, "{used}");
    }

    #[test]
    fn a_group_of_either_version_counts_with_its_sockets_and_without_cache_that_can_go() {
        let group = std::env::temp_dir().join(format!("bywash-budget-{}", std::process::id()));
        let version_1: &[(&str, &str)] = &[
            ("memory.limit_in_bytes", "1000"),
            ("memory.usage_in_bytes", "300"),
            ("memory.kmem.tcp.usage_in_bytes", "50"),
        ];
        let version_2: &[(&str, &str)] = &[("memory.max", "1000"), ("memory.current", "350")];
        let unlimited: &[(&str, &str)] = &[("memory.max", "max"), ("memory.current", "350")];
        for (files, budget, used) in
            [(version_1, Some(1000), Some(310)), (version_2, Some(1000), Some(310)), (unlimited, None, None)]
        {
            std::fs::create_dir(&group).unwrap();
            for (name, text) in files.iter().chain(&[("memory.stat", "active_file 7\ninactive_file 40\n")]) {
                std::fs::write(group.join(name), text).unwrap();
            }
            let source = Source::new(None, Some(group.clone()));
            assert_eq!(source.budget_bytes, budget);
            // Without a limit it is not the group's figure, but the process's own.
            assert!(used.is_none() && source.group.is_none() || source.used_bytes() == used, "{files:?}");
            std::fs::remove_dir_all(&group).unwrap();
        }
    }
}
