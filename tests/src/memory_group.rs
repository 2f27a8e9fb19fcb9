//! A memory cgroup with a limit, for a process that is to meet it: version 1 or 2, whichever the machine has.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Where version 1 has its memory groups.
const VERSION_1: &str = "/sys/fs/cgroup/memory";
/// Where version 2 has all groups.
const VERSION_2: &str = "/sys/fs/cgroup";

/// A group of its own, removed on drop; its members must have ended by then.
#[derive(Debug)]
pub struct MemoryGroup {
    folder: PathBuf,
}

impl MemoryGroup {
    /// Makes one that may use `limit_bytes`.
    ///
    /// # Errors
    /// Where this machine has no memory groups, or does not let this user make one.
    pub fn new(limit_bytes: u64) -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("bywash-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let is_version_1 = Path::new(VERSION_1).join("memory.usage_in_bytes").exists();
        let root = Path::new(if is_version_1 { VERSION_1 } else { VERSION_2 });
        let group = Self { folder: root.join(own_path(is_version_1)).join(name) };
        fs::create_dir(&group.folder)?;
        if is_version_1 {
            // Any limit of its own makes version 1 count what TCP holds.
            group.write("memory.kmem.tcp.limit_in_bytes", "-1")?;
            group.write("memory.limit_in_bytes", &limit_bytes.to_string())?;
        } else {
            group.write("memory.max", &limit_bytes.to_string())?;
        }
        Ok(group)
    }

    /// What is written here is a process that becomes a member.
    pub fn members_file(&self) -> PathBuf {
        self.folder.join("cgroup.procs")
    }

    /// What its members use, as the kernel counts it, without page cache that can go at once.
    ///
    /// # Panics
    /// When the group is gone.
    pub fn used_bytes(&self) -> u64 {
        let number = |name| fs::read_to_string(self.folder.join(name)).ok()?.trim().parse::<u64>().ok();
        let names = ["memory.current", "memory.usage_in_bytes", "memory.kmem.tcp.usage_in_bytes"];
        let used: u64 = names.into_iter().filter_map(number).sum();
        let stat = fs::read_to_string(self.folder.join("memory.stat")).expect("the group is there");
        let cache = stat.lines().find_map(|line| line.strip_prefix("inactive_file ")?.parse().ok());
        used.saturating_sub(cache.unwrap_or(0))
    }

    fn write(&self, name: &str, value: &str) -> io::Result<()> {
        let file = self.folder.join(name);
        let written = fs::write(&file, value);
        written.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        // Fails while it has members, who were to end before.
        let _ = fs::remove_dir(&self.folder);
    }
}

/// The group beside or below which a new one may be made, from the root: in version 1 this process's own; in version 2
/// the one above, for a group with members has no groups that are counted.
fn own_path(is_version_1: bool) -> PathBuf {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = groups.lines().find_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        let is_it = if is_version_1 {
            controllers.split(',').any(|name| name == "memory")
        } else {
            controllers.is_empty()
        };
        is_it.then(|| PathBuf::from(path.trim_start_matches('/')))
    });
    let own = own.unwrap_or_default();
    let path = if is_version_1 { own } else { own.parent().map(Path::to_owned).unwrap_or_default() };
    // In a container the path may be the host's; its own group is mounted as the root.
    let root = if is_version_1 { VERSION_1 } else { VERSION_2 };
    if Path::new(root).join(&path).exists() { path } else { PathBuf::new() }
}
