//! Follows the store: finds everything at the start, then what changes.
//!
//! It asks for what is different since its revision and says it to the findings. Rows say what is true now, so taking one
//! twice does no harm, and after a failure it simply asks again. What is long is done before the lock is taken.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chassis::Shutdown;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::findings::Findings;
use super::folding::{Entry, Folder};
use super::index::QualityState;
use super::metrics::QualityMetrics;
use crate::grammar::parse;
use crate::store::{DeltaAnswer, FactId, FactRow, ReadError, Revision, Store};
use crate::vector::Position;

/// Facts read at once, about: some 20 ms of reading and parsing, and some 5 ms in which nobody is answered.
const PAGE_FACTS: usize = 5_000;

/// Shortest time between two looks at the store: what is written within it is followed at once, which costs a look and
/// not one for each write.
const LOOK_INTERVAL_MIN: Duration = Duration::from_millis(5);

/// Pause after a read that failed.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Of the thread: behind requests, as the vectors' is.
const NICENESS: i32 = 5;

/// What is found, and which state of the store it is; none while it is between two.
#[derive(Debug, Default)]
pub struct Held {
    /// What is found.
    pub findings: Findings,
    /// The state, to the fact.
    pub position: Option<Position>,
}

/// Findings that one writes and many read. The lock protects both fields; it is held for milliseconds.
pub type Shared = Arc<RwLock<Held>>;

/// The thread's state.
pub struct Follower {
    store: Store,
    shared: Shared,
    folder: Folder,
    state: watch::Sender<QualityState>,
    metrics: QualityMetrics,
    shutdown: Shutdown,
    after: Revision,
}

impl Follower {
    /// Begins with nothing.
    pub fn new(
        store: Store,
        shared: Shared,
        folder: Folder,
        state: watch::Sender<QualityState>,
        metrics: QualityMetrics,
        shutdown: Shutdown,
    ) -> Self {
        Self { store, shared, folder, state, metrics, shutdown, after: Revision(0) }
    }

    /// Follows until the stop or the store's end.
    pub fn run(mut self, runtime: &Handle) {
        if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
            tracing::warn!(%error, "the quality of facts is followed at the usual priority");
        }
        let mut snapshots = self.store.watch();
        snapshots.mark_changed();
        let stop = self.shutdown.clone();
        loop {
            let changed = runtime.block_on(async {
                tokio::select! {
                    () = stop.requested() => false,
                    changed = snapshots.changed() => changed.is_ok(),
                }
            });
            if !changed {
                return;
            }
            let pause = match self.catch_up(runtime) {
                Ok(()) => LOOK_INTERVAL_MIN,
                Err(ReadError::Closed) => return,
                Err(error) => {
                    tracing::warn!(%error, "the quality of facts is not followed; another try");
                    snapshots.mark_changed();
                    RETRY_PAUSE
                }
            };
            runtime.block_on(async {
                // Over at the stop.
                let _ = tokio::time::timeout(pause, stop.requested()).await;
            });
        }
    }

    /// Takes all that is different by now.
    fn catch_up(&mut self, runtime: &Handle) -> Result<(), ReadError> {
        while !self.shutdown.is_requested() {
            let seen = runtime.block_on(self.store.fact_delta(self.after, PAGE_FACTS))?;
            let DeltaAnswer::Delta(delta) = seen.value else {
                tracing::info!(after = self.after.0, "the store is an older one; its quality is found anew");
                self.after = Revision(0);
                self.change(None, |findings| *findings = Findings::default());
                continue;
            };
            let changed: Vec<_> = delta.changed.iter().map(|row| (row.id, self.entry(row))).collect();
            let newest = Position { epoch: seen.epoch, revision: seen.revision };
            let is_last = delta.upto == newest.revision;
            self.change(is_last.then_some(newest), |findings| {
                // A number is never given again, so what is removed is not changed as well.
                for id in &delta.removed {
                    findings.set(*id, None);
                }
                for (id, entry) in &changed {
                    findings.set(*id, entry.as_ref());
                }
            });
            self.after = delta.upto;
            if is_last {
                break;
            }
        }
        Ok(())
    }

    /// Changes what is found, which then is that of `position`, and lets others know.
    fn change(&self, position: Option<Position>, change: impl FnOnce(&mut Findings)) {
        let mut held = self.shared.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut held.findings);
        if position.is_some() {
            held.findings.settle();
        }
        held.position.clone_from(&position);
        let figures = held.findings.figures();
        drop(held);
        if let Some(Position { revision, .. }) = &position {
            self.metrics.see(*revision, &figures);
        }
        self.state.send_replace(QualityState { position, figures });
    }

    /// What the row says. What the store holds parses, or it is damaged: then the fact is left out.
    fn entry(&self, row: &FactRow) -> Option<Entry> {
        let id: FactId = row.id;
        let parsed = parse(&row.statement);
        let parsed = parsed
            .inspect_err(|error| tracing::error!(fact = id.0, %error, "a statement in the store is no fact"));
        parsed.ok().map(|fact| self.folder.entry(&fact))
    }
}
