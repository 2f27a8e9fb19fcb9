//! How an index follows the store: on a thread of its own, behind the threads that serve requests. It looks at the start,
//! then whenever something was written.

use std::io;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chassis::Shutdown;
use tokio::runtime::Handle;

use crate::priority::Class;
use crate::store::{ReadError, Store};

/// Shortest time between two looks at the store: what is written within it is followed at once, which costs a look and
/// not one for each write.
const LOOK_INTERVAL_MIN: Duration = Duration::from_millis(20);

/// A look that takes longer is followed by a pause of as long, at most this: under a bulk load others have the core meanwhile.
/// A read that waits for its own write waits so long and for two looks at most.
const PAUSE_MAX: Duration = Duration::from_millis(200);

/// Pause after a look that failed: the store is away, or its readers are all busy.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// What a look at the store led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// All that was written is followed.
    Done,
    /// Something failed, which has been logged; it is tried again.
    Failed,
    /// The store or the index closes.
    Ended,
}

impl Look {
    /// What a look led to that fails only where the store cannot be read; logs that.
    pub fn of(caught_up: Result<(), ReadError>, what: &str) -> Self {
        match caught_up {
            Ok(()) => Self::Done,
            Err(ReadError::Closed) => Self::Ended,
            Err(error) => {
                tracing::warn!(%error, "the {what} cannot follow the store; another try");
                Self::Failed
            }
        }
    }
}

/// Starts a thread that calls `look` until the stop, within a Tokio runtime: whenever the store has changed, and after
/// `idle_max` without a change.
///
/// # Errors
/// The system's, when it gives no more threads.
pub fn start(
    name: &'static str,
    store: &Store,
    shutdown: Shutdown,
    idle_max: Duration,
    mut look: impl FnMut(&Handle) -> Look + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let (runtime, mut snapshots) = (Handle::current(), store.watch());
    let follow = move || {
        Class::Follow.enter();
        while !shutdown.is_requested() {
            snapshots.mark_unchanged();
            let begun = Instant::now();
            let pause = match look(&runtime) {
                Look::Done => begun.elapsed().clamp(LOOK_INTERVAL_MIN, PAUSE_MAX),
                Look::Failed => {
                    snapshots.mark_changed();
                    RETRY_PAUSE
                }
                Look::Ended => return,
            };
            let waited = runtime.block_on(async {
                let wait = async {
                    tokio::time::sleep(pause).await;
                    // Late or not, it looks again; an error means that the store has ended.
                    tokio::time::timeout(idle_max, snapshots.changed()).await.unwrap_or(Ok(()))
                };
                tokio::select! {
                    waited = wait => waited.is_ok(),
                    () = shutdown.requested() => false,
                }
            });
            if !waited {
                return;
            }
        }
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(follow)
}
