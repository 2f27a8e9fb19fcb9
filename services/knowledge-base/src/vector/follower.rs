//! Keeps indexes at the store's revision: takes what changed, and applies it. What lies below this file, and nothing
//! else of the index, knows the store.
//!
//! What a follower has applied is on disk every now and then and at the stop; what is not is taken from the store again.

mod documents;
mod facts;

#[cfg(test)]
mod document_tests;
#[cfg(test)]
mod fact_tests;

use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chassis::Shutdown;
use chassis::shutdown::Trigger;
use prometheus::IntGauge;
use tokio::runtime::Handle;
use tokio::sync::watch;

pub use documents::DocumentVectors;
pub use facts::FactVectors;

use super::{ApplyError, OpenError, Position};
use crate::following::{self, Look};
use crate::store::{Epoch, ReadError, Revision, Store};

/// Rows asked for at once: some hundred milliseconds of embedding, and some megabytes.
const ROWS_AT_ONCE: usize = 4_000;

/// Between two times that an index is put on disk: after a crash as much is taken again.
const PERSIST_EVERY: Duration = Duration::from_secs(30);

/// Why nobody follows the store.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The directory cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The system gives no thread.
    #[error("the thread that follows the store cannot be started")]
    Thread(#[source] std::io::Error),
}

/// Why a change was not taken.
#[derive(Debug, thiserror::Error)]
enum TakeError {
    /// The store cannot be read just now.
    #[error("the store cannot be read")]
    Read(#[from] ReadError),
    /// An index cannot take it.
    #[error("an index did not take a change")]
    Apply(#[from] ApplyError),
    /// A directory cannot be used.
    #[error("an index cannot be opened")]
    Open(#[from] OpenError),
}

/// What a delta led to.
enum Taken {
    /// It was applied; the store was at this revision when it was read.
    Applied { newest: Revision },
    /// The store does not know what was deleted so long ago.
    TooOld,
}

/// What follows.
trait Following: Send + 'static {
    /// What it is called in the log.
    const WHAT: &'static str;

    /// Where it is.
    fn position(&self) -> Option<Position>;

    /// Begins anew, with nothing.
    fn clear(&mut self);

    /// Takes what changed after `after`, on the follower's thread.
    fn take(&mut self, after: Revision, runtime: &Handle) -> Result<Taken, TakeError>;

    /// Goes to disk.
    fn persist(&mut self) -> std::io::Result<()>;
}

/// A follower's thread.
#[derive(Debug)]
struct Follower {
    exact: watch::Receiver<Option<Position>>,
    stop: Trigger,
    /// Taken by who waits for its end.
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Follower {
    /// Starts it, within a Tokio runtime.
    fn start(store: &Store, following: impl Following, reached: IntGauge) -> Result<Self, FollowError> {
        let (stop, shutdown) = Shutdown::manual();
        let (sender, exact) = watch::channel(None);
        let mut task = Task {
            following,
            exact: sender,
            reached,
            shutdown: shutdown.clone(),
            persisted_at: Instant::now(),
        };
        task.forget_another_history(&store.snapshot().epoch);
        let look = move |runtime: &Handle| task.look(runtime);
        let thread = following::start("vector-follow", store, shutdown, PERSIST_EVERY, look);
        Ok(Self { exact, stop, thread: Mutex::new(Some(thread.map_err(FollowError::Thread)?)) })
    }

    /// Waits for its end, which [`Trigger::request`] and a stop of its indexes bring about.
    fn join(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("a thread that follows the store for a vector index has panicked");
        }
    }
}

struct Task<F: Following> {
    following: F,
    exact: watch::Sender<Option<Position>>,
    /// Shows the revision that was taken last.
    reached: IntGauge,
    shutdown: Shutdown,
    persisted_at: Instant,
}

/// What to do next.
enum Next {
    /// There is more to take.
    GoOn,
    /// All was taken.
    Wait,
    /// The store or an index closes.
    End,
}

impl<F: Following> Task<F> {
    /// Takes what was written, delta by delta.
    fn look(&mut self, runtime: &Handle) -> Look {
        while !self.shutdown.is_requested() {
            let taken = self.take_next(runtime);
            if self.persisted_at.elapsed() >= PERSIST_EVERY {
                self.persist();
            }
            match taken {
                Ok(Next::GoOn) => {}
                Ok(Next::Wait) => return Look::Done,
                Ok(Next::End) => return Look::Ended,
                Err(error) => {
                    let cause: &dyn std::error::Error = &error;
                    tracing::warn!(
                        error = cause,
                        "the vectors of {} do not follow the store; another try",
                        F::WHAT
                    );
                    return Look::Failed;
                }
            }
        }
        Look::Ended
    }

    fn forget_another_history(&mut self, epoch: &Epoch) {
        if self.following.position().is_some_and(|position| position.epoch != *epoch) {
            tracing::info!(
                "the store has another history than the vectors of {}, which are built again",
                F::WHAT
            );
            self.following.clear();
        }
    }

    /// Takes one delta.
    fn take_next(&mut self, runtime: &Handle) -> Result<Next, TakeError> {
        let after = self.following.position().map_or(Revision(0), |position| position.revision);
        match self.following.take(after, runtime) {
            Err(TakeError::Read(ReadError::Closed) | TakeError::Apply(ApplyError::Stopped)) => Ok(Next::End),
            Err(error) => Err(error),
            Ok(Taken::TooOld) => {
                tracing::info!(
                    after = after.0,
                    "the store no longer knows what was deleted; the vectors of {} are built again",
                    F::WHAT
                );
                // Until it has caught up it must not be searched.
                self.exact.send_replace(None);
                self.reached.set(0);
                self.following.clear();
                Ok(Next::GoOn)
            }
            Ok(Taken::Applied { newest }) => {
                let position = self.following.position();
                let revision = position.as_ref().map_or(0, |position| position.revision.0);
                self.reached.set(i64::try_from(revision).unwrap_or(i64::MAX));
                if position.as_ref().is_some_and(|position| position.revision < newest) {
                    return Ok(Next::GoOn);
                }
                self.exact.send_if_modified(|exact| {
                    let moved = *exact != position;
                    *exact = position;
                    moved
                });
                Ok(Next::Wait)
            }
        }
    }

    fn persist(&mut self) {
        self.persisted_at = Instant::now();
        if let Err(error) = self.following.persist() {
            tracing::error!(%error, "the vectors of {} cannot be put on disk; the next start takes them again", F::WHAT);
        }
    }
}

impl<F: Following> Drop for Task<F> {
    /// Nobody follows any more, at the stop or with the store: what it has is not to be taken again.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.persist();
        }
    }
}
