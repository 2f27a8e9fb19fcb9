//! Whether others want the core that a builder works on, and how long it rests then.
//!
//! The lowest priority is not enough. A kernel looks for threads that wait beside another core when its own becomes idle, and a
//! thread that never sleeps keeps that from happening: what becomes ready on a busy core stays there for milliseconds,
//! though the core beside it only builds. So a builder rests for many times as long as it had to wait for its core; one that
//! did not wait goes on at once. Without the kernel's figures it never rests.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Duration;

/// The calling thread's times so far, ns: on a core; ready and not on one. Then how often.
const SCHEDULE_FILE: &str = "/proc/thread-self/schedstat";

/// How often the time that it waited for a core a builder rests: beside a service that is busy it has some percents of a core,
/// and beside one that answers now and then most of it.
const REST_TIMES: u32 = 16;

/// Longest rest: one that waited for long goes on when the others are done.
const REST_MAX: Duration = Duration::from_secs(1);

/// What a thread has seen of others.
#[derive(Debug)]
pub struct Contention {
    schedule: Option<File>,
    waited: Duration,
}

impl Contention {
    /// Of the calling thread, from now on.
    pub fn of_this_thread() -> Self {
        let schedule = File::open(SCHEDULE_FILE).ok();
        let waited = schedule.as_ref().and_then(waited).unwrap_or_default();
        Self { schedule, waited }
    }

    /// How long to rest for what was done since the last call.
    pub fn rest(&mut self) -> Duration {
        let Some(now) = self.schedule.as_ref().and_then(waited) else { return Duration::ZERO };
        let before = std::mem::replace(&mut self.waited, now);
        (now.saturating_sub(before) * REST_TIMES).min(REST_MAX)
    }
}

/// How long the thread has been ready to run and was not let.
fn waited(schedule: &File) -> Option<Duration> {
    let mut text = [0; 64];
    let length = schedule.read_at(&mut text, 0).ok()?;
    parse(std::str::from_utf8(text.get(..length)?).ok()?)
}

fn parse(text: &str) -> Option<Duration> {
    text.split_ascii_whitespace().nth(1)?.parse().ok().map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Instant;

    /// Far beyond any time slice.
    const DEADLINE: Duration = Duration::from_secs(30);

    #[test]
    fn a_thread_rests_once_others_took_its_core() {
        if Contention::of_this_thread().schedule.is_none() {
            eprintln!("SKIPPED: this kernel does not count how long its threads wait");
            return;
        }
        let cores = std::thread::available_parallelism().unwrap().get();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 * cores {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        std::hint::spin_loop();
                    }
                });
            }
            let (mut contention, begun) = (Contention::of_this_thread(), Instant::now());
            let mut rest = Duration::ZERO;
            while rest.is_zero() && begun.elapsed() < DEADLINE {
                rest = contention.rest();
            }
            done.store(true, Ordering::Relaxed);
            assert!(rest > Duration::ZERO && rest <= REST_MAX, "{rest:?}");
        });
    }

    #[test]
    fn the_kernels_figures_are_nanoseconds_on_a_core_and_beside_it() {
        assert_eq!(parse("1000 20 3\n"), Some(Duration::from_nanos(20)));
        assert_eq!(parse("1000"), None);
    }
}
