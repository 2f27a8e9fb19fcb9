//! What a server costs, seen from outside: CPU time and memory from `/proc` and from its memory cgroup.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;

/// Where memory cgroups lie: version 1, and version 2 as its own tree.
const MEMORY_CGROUPS: [&str; 2] = ["/sys/fs/cgroup/memory", "/sys/fs/cgroup"];
/// Page of the kernel's own socket count, bytes.
const PAGE_SIZE_BYTES: f64 = 4096.0;

/// CPU time that processes have used, seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Cpu {
    /// All threads.
    pub all_s: f64,
    /// Threads whose name begins with `worker-`: the gateway's own, without ingest and HTTP.
    pub workers_s: f64,
}

/// Memory that processes hold, bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Memory {
    /// Resident (`Pss` of `smaps_rollup`, so that shared pages count once).
    pub resident_bytes: f64,
    /// The memory cgroup's charge; `None` where none could be made.
    pub cgroup_bytes: Option<f64>,
    /// What TCP holds on this machine (`/proc/net/sockstat`): all processes together.
    pub tcp_bytes: f64,
}

impl Cpu {
    /// Of these processes so far: what their living threads ran (proc(5), `schedstat`), which is exact where `stat` counts
    /// hundredths of a second. The servers here keep their threads.
    ///
    /// # Errors
    /// When one is gone.
    pub fn of(pids: &[u32]) -> Result<Self> {
        let mut sum = Self::default();
        for pid in pids {
            let threads = fs::read_dir(format!("/proc/{pid}/task")).context("a server is gone")?;
            for thread in threads.flatten() {
                let read = |name: &str| fs::read_to_string(thread.path().join(name)).unwrap_or_default();
                let ran_ns = read("schedstat").split(' ').next().and_then(|ns| ns.parse::<f64>().ok());
                let seconds = ran_ns.unwrap_or(0.0) / 1e9;
                sum.all_s += seconds;
                if read("comm").starts_with("worker-") {
                    sum.workers_s += seconds;
                }
            }
        }
        Ok(sum)
    }

    /// What was used since `before`.
    pub fn since(self, before: Self) -> Self {
        Self { all_s: self.all_s - before.all_s, workers_s: self.workers_s - before.workers_s }
    }
}

impl Memory {
    /// Of these processes now.
    ///
    /// # Errors
    /// When one is gone.
    pub fn of(pids: &[u32], cgroup: Option<&Cgroup>) -> Result<Self> {
        let mut resident_bytes = 0.0;
        for pid in pids {
            let path = format!("/proc/{pid}/smaps_rollup");
            let text = fs::read_to_string(&path).with_context(|| format!("{path} cannot be read"))?;
            let kib = text.lines().find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix(" kB"));
            let kib: f64 = kib.and_then(|kib| kib.trim().parse().ok()).context("no Pss in smaps_rollup")?;
            resident_bytes += kib * 1024.0;
        }
        let cgroup_bytes = cgroup.and_then(Cgroup::charged_bytes);
        Ok(Self { resident_bytes, cgroup_bytes, tcp_bytes: tcp_bytes() })
    }

    /// What was added since `before`.
    pub fn since(self, before: Self) -> Self {
        let cgroup = self.cgroup_bytes.zip(before.cgroup_bytes);
        Self {
            resident_bytes: self.resident_bytes - before.resident_bytes,
            cgroup_bytes: cgroup.map(|(now, before)| now - before),
            tcp_bytes: self.tcp_bytes - before.tcp_bytes,
        }
    }
}

/// A memory cgroup for one server, removed on drop. Kernel memory of its sockets is charged to it.
#[derive(Debug)]
pub struct Cgroup {
    path: PathBuf,
}

impl Cgroup {
    /// Makes one and moves the processes into it; `None` where the system does not let us. What they hold already stays
    /// charged elsewhere, so only differences say something.
    pub fn of(pids: &[u32]) -> Option<Self> {
        let base = MEMORY_CGROUPS.iter().map(Path::new).find(|base| {
            base.join("memory.usage_in_bytes").exists() || base.join("cgroup.subtree_control").exists()
        })?;
        let cgroup = Self { path: base.join(format!("bywash-bench-{}", pids.first()?)) };
        fs::create_dir(&cgroup.path).ok()?;
        for pid in pids {
            fs::write(cgroup.path.join("cgroup.procs"), pid.to_string()).ok()?;
        }
        cgroup.charged_bytes().is_some().then_some(cgroup)
    }

    fn charged_bytes(&self) -> Option<f64> {
        let names = ["memory.current", "memory.usage_in_bytes"];
        let text = names.iter().find_map(|name| fs::read_to_string(self.path.join(name)).ok())?;
        let user: f64 = text.trim().parse().ok()?;
        // Version 1 counts TCP buffers apart.
        let tcp = fs::read_to_string(self.path.join("memory.kmem.tcp.usage_in_bytes")).unwrap_or_default();
        Some(user + tcp.trim().parse().unwrap_or(0.0))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // Fails while the server runs; whoever ends it drops this afterwards.
        let _ = fs::remove_dir(&self.path);
    }
}

/// The kernel's thread that does the network work of a core which its programs have left over: what a server sends there
/// is the server's cost, and this part of it is not charged to the server. `None` where `/proc` does not show it.
pub fn softirq_thread(core: usize) -> Option<u32> {
    let name = format!("ksoftirqd/{core}");
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let mut pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.find(|pid: &u32| {
        fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim() == name)
    })
}

/// A process and its children.
///
/// # Errors
/// When it is gone.
pub fn with_children(pid: u32) -> Result<Vec<u32>> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let children = fs::read_to_string(&path).with_context(|| format!("{path} cannot be read"))?;
    Ok(std::iter::once(pid).chain(children.split_whitespace().filter_map(|pid| pid.parse().ok())).collect())
}

fn tcp_bytes() -> f64 {
    let text = fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
    let pages =
        text.lines().find(|line| line.starts_with("TCP:")).and_then(|line| line.split(" mem ").nth(1));
    pages.and_then(|pages| pages.trim().parse::<f64>().ok()).unwrap_or(0.0) * PAGE_SIZE_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_used_time_and_memory() {
        let pid = std::process::id();
        let begin = Cpu::of(&[pid]).unwrap();
        while Cpu::of(&[pid]).unwrap().since(begin).all_s < 0.03 {}
        let memory = Memory::of(&[pid], None).unwrap();
        assert!(memory.resident_bytes > 100_000.0 && memory.cgroup_bytes.is_none(), "{memory:?}");
        assert_eq!(with_children(pid).unwrap()[0], pid);
    }
}
