//! Which thread goes first where several want a core.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::{getpriority_process, setpriority_process};

/// Where both want all of a core, a thread that follows gets a tenth of what one gets that serves.
const FOLLOW_NICENESS: i32 = 10;

/// What a thread that serves asks for when its turn comes: enough for several requests, and far less than the usual 1.4 to 3 ms. As
/// long as it had no more than its share, it takes the core at once from a thread that asked for more, of another process too
/// (Linux 6.12 and later; before, nothing changes).
const SERVE_SLICE: Duration = Duration::from_micros(200);

/// The system's own.
const USUAL_SLICE: Duration = Duration::ZERO;

/// Whether a refusal was told: one stands for all threads.
static IS_REFUSAL_TOLD: AtomicBool = AtomicBool::new(false);

/// What a thread is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Requests wait for it.
    Serve,
    /// It brings indexes up to date, or does at length what nobody waits for by the millisecond.
    Follow,
    /// It builds: it takes the time that nobody else wants.
    Build,
}

impl Class {
    /// Makes the calling thread one of these, and those that it starts from then on; none ever comes forward again. A policy that
    /// the process was started with stays.
    pub fn enter(self) {
        // Refused where a sandbox does not know the call; then all are equal.
        if let Err(error) = self.schedule()
            && tracing::enabled!(tracing::Level::WARN)
            && !IS_REFUSAL_TOLD.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(%error, class = ?self, "threads keep the usual priority");
        }
    }

    fn schedule(self) -> io::Result<()> {
        let own = getpriority_process(None)?;
        match self {
            Self::Serve => set_attributes(Policy::Kept, own, SERVE_SLICE),
            Self::Follow => {
                let niceness = own.max(FOLLOW_NICENESS);
                // The older call is known to more sandboxes.
                set_attributes(Policy::Kept, niceness, USUAL_SLICE)
                    .or_else(|_| Ok(setpriority_process(None, niceness)?))
            }
            Self::Build => {
                // The idle class takes no slice and keeps the one that there is.
                set_attributes(Policy::Kept, own, USUAL_SLICE)?;
                // A thread of low priority keeps a core that it has to the end of its slice, milliseconds; one of this class
                // gives it up as soon as another becomes ready.
                set_attributes(Policy::Idle, own, USUAL_SLICE)
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Policy {
    Kept,
    Idle,
}

/// `sched_setattr(2)` for the calling thread.
#[allow(unsafe_code, reason = "no library has a slice of the usual class")]
fn set_attributes(policy: Policy, niceness: i32, slice: Duration) -> io::Result<()> {
    let (policy, flags) = match policy {
        Policy::Kept => (libc::SCHED_OTHER, libc::SCHED_FLAG_KEEP_POLICY),
        Policy::Idle => (libc::SCHED_IDLE, 0),
    };
    let attributes = libc::sched_attr {
        size: size_of::<libc::sched_attr>().try_into().unwrap_or(0),
        sched_policy: policy.unsigned_abs(),
        sched_flags: flags.unsigned_abs().into(),
        sched_nice: niceness,
        sched_priority: 0,
        sched_runtime: slice.as_nanos().try_into().unwrap_or(0),
        sched_deadline: 0,
        sched_period: 0,
    };
    // SAFETY: the kernel reads as much as `size` says, which is the whole of a structure that outlives the call.
    let refused = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) } != 0;
    if refused { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the calling thread: `sched_getattr(2)`.
    #[allow(unsafe_code, reason = "no library tells the slice")]
    fn attributes() -> libc::sched_attr {
        let size = size_of::<libc::sched_attr>();
        // SAFETY: all fields are numbers, and the kernel writes at most `size` bytes to a structure of as many.
        unsafe {
            let mut attributes: libc::sched_attr = std::mem::zeroed();
            assert_eq!(libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, size, 0), 0);
            attributes
        }
    }

    /// Those of a thread that a thread of this class starts.
    fn entered(class: Class) -> libc::sched_attr {
        let thread = std::thread::spawn(move || {
            class.enter();
            std::thread::spawn(attributes).join().unwrap()
        });
        thread.join().unwrap()
    }

    #[test]
    fn who_follows_is_behind_who_serves_and_who_builds_takes_only_what_nobody_wants() {
        let usual = attributes();
        // As in the service, where the first thread serves and all others come from it.
        let threads = std::thread::spawn(|| {
            Class::Serve.enter();
            [Class::Serve, Class::Follow, Class::Build].map(entered)
        });
        let [serve, follow, build] = threads.join().unwrap();
        assert_eq!((serve.sched_nice, serve.sched_policy), (usual.sched_nice, usual.sched_policy));
        assert_eq!((follow.sched_nice, follow.sched_policy), (usual.sched_nice.max(10), usual.sched_policy));
        assert_eq!(build.sched_policy, libc::SCHED_IDLE.unsigned_abs());
        if usual.sched_runtime == 0 {
            eprintln!("SKIPPED: this kernel knows no slices");
            return;
        }
        assert_eq!(Duration::from_nanos(serve.sched_runtime), SERVE_SLICE);
        assert_eq!([follow, build].map(|other| other.sched_runtime), [usual.sched_runtime; 2]);
    }
}
