//! Waiting for a condition with a deadline, and an inbox that tells what it holds when the deadline passes.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// How long a test waits for what should take milliseconds: a loaded machine of two cores must not fail it.
pub const DEADLINE: Duration = Duration::from_secs(30);
/// Pause between two looks at a condition that nobody announces.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// Newest entries that a failed wait prints.
const PRINTED_MAX: usize = 40;

/// Looks until `probe` gives a value, and returns it.
///
/// # Panics
/// After [`DEADLINE`], with `what` and the newest reason why not.
pub async fn eventually<T, F>(what: &str, probe: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, String>>,
{
    eventually_within(DEADLINE, what, probe).await
}

/// As [`eventually`], for what takes its time.
///
/// # Panics
/// After `limit`, with `what` and the newest reason why not.
pub async fn eventually_within<T, F>(limit: Duration, what: &str, mut probe: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, String>>,
{
    let start = Instant::now();
    loop {
        match probe().await {
            Ok(value) => return value,
            Err(reason) if start.elapsed() > limit => {
                panic!("{what}: not within {limit:?}; last seen: {reason}")
            }
            Err(_) => tokio::time::sleep(LOOK_INTERVAL).await,
        }
    }
}

/// What arrived, in order. A writer adds, tests wait. Cheap to clone.
#[derive(Debug)]
pub struct Inbox<T> {
    // Protects the list; held for a look at it, never over an await.
    entries: Arc<Mutex<Vec<T>>>,
    changed: watch::Sender<()>,
}

impl<T> Clone for Inbox<T> {
    fn clone(&self) -> Self {
        Self { entries: Arc::clone(&self.entries), changed: self.changed.clone() }
    }
}

impl<T> Default for Inbox<T> {
    fn default() -> Self {
        Self { entries: Arc::default(), changed: watch::Sender::new(()) }
    }
}

impl<T: Clone + Debug> Inbox<T> {
    /// Adds an entry and wakes who waits.
    pub fn push(&self, entry: T) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
        self.changed.send_replace(());
    }

    /// Everything so far.
    pub fn all(&self) -> Vec<T> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many arrived so far.
    pub fn len(&self) -> usize {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether nothing arrived so far.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits until `look` finds something in all that arrived.
    ///
    /// # Panics
    /// After [`DEADLINE`], with the newest entries.
    pub async fn wait<R>(&self, what: &str, mut look: impl FnMut(&[T]) -> Option<R>) -> R {
        let mut changed = self.changed.subscribe();
        let found = async {
            loop {
                changed.borrow_and_update();
                if let Some(found) = look(&self.entries.lock().unwrap_or_else(PoisonError::into_inner)) {
                    return found;
                }
                // This inbox holds a sender, so the channel cannot close.
                let _ = changed.changed().await;
            }
        };
        match tokio::time::timeout(DEADLINE, found).await {
            Ok(found) => found,
            Err(_) => {
                let all = self.all();
                let newest = &all[all.len().saturating_sub(PRINTED_MAX)..];
                panic!("{what}: not within {DEADLINE:?}; {} arrived, the newest: {newest:#?}", all.len())
            }
        }
    }

    /// Waits for the first entry that `wanted` accepts.
    ///
    /// # Panics
    /// As [`Self::wait`].
    pub async fn first(&self, what: &str, mut wanted: impl FnMut(&T) -> bool) -> T {
        self.wait(what, |all| all.iter().find(|entry| wanted(entry)).cloned()).await
    }
}
