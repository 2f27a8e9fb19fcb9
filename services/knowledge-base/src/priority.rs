//! Which thread goes first where several want a core.

use std::io;

use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id,
};

/// A tenth of what a thread that serves gets where both want all of a core.
const FOLLOW_NICENESS: i32 = 10;

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
    /// Makes the calling thread one of these, and those that it starts from then on; none ever comes forward again.
    pub fn enter(self) {
        let entered = match self {
            // As the process was started.
            Self::Serve => Ok(()),
            Self::Follow => rustix::process::setpriority_process(None, FOLLOW_NICENESS).map_err(Into::into),
            Self::Build => enter_idle_class(),
        };
        // Refused where a sandbox does not know the call; then all are equal.
        if let Err(error) = entered {
            tracing::warn!(%error, class = ?self, "a thread keeps the usual priority");
        }
    }
}

/// `SCHED_IDLE` of sched(7). A thread of low priority keeps a core that it has to the end of its slice, milliseconds; one of this
/// class gives it up as soon as another becomes ready.
fn enter_idle_class() -> io::Result<()> {
    let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    let entered = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle);
    entered.map_err(|error| io::Error::other(format!("{error:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use thread_priority::thread_schedule_policy;

    #[test]
    fn who_follows_is_behind_who_serves_and_who_builds_takes_only_what_nobody_wants() {
        let entered = |class: Class| {
            let thread = std::thread::spawn(move || {
                class.enter();
                (rustix::process::getpriority_process(None).unwrap(), thread_schedule_policy().unwrap())
            });
            thread.join().unwrap()
        };
        let [serve, follow, build] = [Class::Serve, Class::Follow, Class::Build].map(entered);
        assert!(serve.0 < follow.0, "{serve:?}, {follow:?}");
        assert_eq!(serve.1, follow.1);
        assert_eq!(build.1, ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle));
    }
}
