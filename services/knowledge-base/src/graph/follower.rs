//! Follows the store: builds the graph at the start, then keeps it up to date.
//!
//! It asks for what is different since its revision, applies that to the copy that nobody reads, lets the copies change
//! places, and does the same to the other one. Rows say what is true now, so taking one twice does no harm, and after a
//! failure it simply asks again.

use std::time::{Duration, Instant};

use chassis::Shutdown;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::adjacency::Figures;
use super::copies::{Position, Writer};
use super::growth::Growth;
use super::index::GraphState;
use super::metrics::GraphMetrics;
use crate::grammar::{Fact, parse};
use crate::store::{FactId, Filter, ReadError, Store};

/// Facts read at once: some 20 ms of reading and of applying, each of which goes on during the other.
const PAGE_FACTS: usize = 5_000;

/// Facts that are kept for the second copy. Where more has changed, copying the first costs less than their memory.
const KEPT_FACTS_MAX: usize = 10_000;

/// Pause after a read that failed.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// What is different: facts as they are now.
type Changes = Vec<(FactId, Option<Fact>)>;

/// A part of what is different.
struct Page {
    changes: Changes,
    /// What the next part is asked after.
    upto: FactId,
    /// The state that it was read in.
    position: Position,
    is_last: bool,
}

/// The thread's state.
pub struct Follower {
    store: Store,
    writer: Writer,
    state: watch::Sender<Option<GraphState>>,
    metrics: GraphMetrics,
    shutdown: Shutdown,
    /// Both copies have everything up to it.
    after: FactId,
}

impl Follower {
    /// Begins with an empty graph.
    pub fn new(
        store: Store,
        writer: Writer,
        state: watch::Sender<Option<GraphState>>,
        metrics: GraphMetrics,
        shutdown: Shutdown,
    ) -> Self {
        Self { store, writer, state, metrics, shutdown, after: FactId(0) }
    }

    /// Follows until the stop or the store's end.
    pub fn run(mut self, runtime: &Handle) {
        let mut snapshots = self.store.watch();
        snapshots.mark_changed();
        loop {
            let stop = self.shutdown.clone();
            let changed = runtime.block_on(async {
                tokio::select! {
                    () = stop.requested() => false,
                    changed = snapshots.changed() => changed.is_ok(),
                }
            });
            if !changed {
                return;
            }
            snapshots.borrow_and_update();
            match self.catch_up(runtime) {
                Ok(()) => {}
                Err(ReadError::Closed) => return,
                Err(error) => {
                    tracing::warn!(%error, "the graph cannot follow the store; it tries again");
                    snapshots.mark_changed();
                    let stop = self.shutdown.clone();
                    runtime.block_on(async {
                        let _ = tokio::time::timeout(RETRY_PAUSE, stop.requested()).await;
                    });
                }
            }
        }
    }

    /// Brings both copies to the newest state and lets others see it.
    fn catch_up(&mut self, runtime: &Handle) -> Result<(), ReadError> {
        let mut kept = Some(Changes::new());
        let mut page = runtime.block_on(read(self.store.clone(), self.after))?;
        loop {
            // The next part is read while this one is applied.
            let next = (!page.is_last).then(|| runtime.spawn(read(self.store.clone(), page.upto)));
            apply(&mut self.writer, &page.changes);
            kept = kept.filter(|kept| kept.len() + page.changes.len() <= KEPT_FACTS_MAX);
            if let Some(kept) = &mut kept {
                kept.append(&mut page.changes);
            }
            let Some(next) = next else { break };
            // A task that panicked, or the runtime's end.
            page = runtime.block_on(next).map_err(|_| ReadError::Closed)??;
        }
        let mut standby = self.writer.standby();
        standby.position = Some(page.position.clone());
        let figures = standby.graph.figures();
        drop(standby);
        self.writer.swap();
        self.after = page.upto;
        self.publish(page.position, figures);
        match kept {
            Some(changes) => apply(&mut self.writer, &changes),
            None => self.writer.level(),
        }
        Ok(())
    }

    /// Lets others know what they can read now.
    fn publish(&self, position: Position, figures: Figures) {
        let now = Instant::now();
        self.metrics.see(position.revision, &figures);
        self.state.send_modify(|state| match state {
            Some(state) => {
                (state.position, state.figures) = (position, figures);
                state.growth.see(figures.facts, now);
            }
            None => {
                tracing::info!(edges = figures.edges, entities = figures.entities, "graph built");
                *state = Some(GraphState { position, figures, growth: Growth::from(figures.facts, now) });
            }
        });
    }
}

/// Says to the standby what is true now.
fn apply(writer: &mut Writer, changes: &Changes) {
    let mut standby = writer.standby();
    for (id, fact) in changes {
        standby.graph.set(*id, fact.as_ref());
    }
}

async fn read(store: Store, after: FactId) -> Result<Page, ReadError> {
    let seen = store.list(Filter::default(), after, PAGE_FACTS).await?;
    let is_last = seen.value.len() < PAGE_FACTS;
    let upto = seen.value.last().map_or(after, |fact| fact.id);
    let changes = seen.value.into_iter().map(|fact| (fact.id, parsed(fact.id, &fact.statement))).collect();
    let position = Position { epoch: seen.epoch, revision: seen.revision };
    Ok(Page { changes, upto, position, is_last })
}

/// The fact of a statement. What the store holds parses, or it is damaged: then the fact is left out.
fn parsed(id: FactId, statement: &str) -> Option<Fact> {
    parse(statement)
        .inspect_err(|error| tracing::error!(fact = id.0, %error, "a statement in the store is no fact"))
        .ok()
}
