//! Follows the store: finds everything at the start, then what changes.
//!
//! It asks for what is different since its revision and says it to the findings. Rows say what is true now, so taking one
//! twice does no harm, and after a failure it simply asks again. What is long is done before the lock is taken.

use std::sync::{Arc, PoisonError, RwLock};

use chassis::Shutdown;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::findings::Findings;
use super::folding::{Entry, Folder};
use super::index::QualityState;
use super::metrics::QualityMetrics;
use crate::following::Look;
use crate::grammar::parse_kept;
use crate::store::{DeltaAnswer, FactId, FactRow, ReadError, Revision, Store};
use crate::vector::Position;

/// Facts read at once, about: some 20 ms of reading and parsing, and some 5 ms in which nobody is answered.
const PAGE_FACTS: usize = 5_000;

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

    /// Takes what was written.
    pub fn look(&mut self, runtime: &Handle) -> Look {
        Look::of(self.catch_up(runtime), "quality of facts")
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
        let parsed = parse_kept(&row.statement);
        let parsed = parsed
            .inspect_err(|error| tracing::error!(fact = id.0, %error, "a statement in the store is no fact"));
        parsed.ok().map(|fact| self.folder.entry(&fact))
    }
}
