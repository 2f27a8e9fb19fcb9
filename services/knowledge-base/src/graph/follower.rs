//! Follows the store: builds the graph at the start, then keeps it up to date.
//!
//! It asks for what is different since its revision, applies that to the copy that nobody reads, lets the copies change
//! places, and does the same to the other one. Rows say what is true now, so taking one twice does no harm, and after a
//! failure it simply asks again.

use std::time::Instant;

use tokio::runtime::Handle;
use tokio::sync::watch;

use super::adjacency::{Figures, Graph};
use super::copies::{Position, Writer};
use super::growth::Growth;
use super::index::GraphState;
use super::metrics::GraphMetrics;
use crate::following::Look;
use crate::grammar::{Fact, parse_kept};
use crate::store::{Delta, DeltaAnswer, FactId, FactRow, ReadError, Revision, Seen, Store};

/// Facts read at once, about: some 20 ms of reading, and of parsing and applying, which goes on meanwhile.
const PAGE_FACTS: usize = 5_000;

/// Facts that are kept for the second copy. Where more has changed, copying the first costs less than their memory.
const KEPT_FACTS_MAX: usize = 10_000;

/// What is different: facts as they are now.
type Changes = Vec<(FactId, Option<Fact>)>;

/// The thread's state.
pub struct Follower {
    store: Store,
    writer: Writer,
    state: watch::Sender<Option<GraphState>>,
    metrics: GraphMetrics,
    /// Both copies hold this state.
    after: Revision,
}

impl Follower {
    /// Begins with an empty graph.
    pub fn new(
        store: Store,
        writer: Writer,
        state: watch::Sender<Option<GraphState>>,
        metrics: GraphMetrics,
    ) -> Self {
        Self { store, writer, state, metrics, after: Revision(0) }
    }

    /// As if it had come so far.
    #[cfg(test)]
    pub(super) fn holds(&mut self, revision: Revision, facts: &[(FactId, Fact)]) {
        for (id, fact) in facts {
            self.writer.standby().graph.set(*id, Some(fact));
        }
        self.after = revision;
    }

    /// Takes what was written.
    pub fn look(&mut self, runtime: &Handle) -> Look {
        Look::of(self.catch_up(runtime), "graph")
    }

    /// Brings both copies to the newest state and lets others see it.
    pub(super) fn catch_up(&mut self, runtime: &Handle) -> Result<(), ReadError> {
        // A copy that begins anew does so with the other one's content.
        let mut kept = (self.after > Revision(0)).then(Changes::new);
        let mut seen = runtime.block_on(read(self.store.clone(), self.after))?;
        let (upto, position) = loop {
            let DeltaAnswer::Delta(delta) = seen.value else {
                tracing::info!(revision = self.after.0, "the graph is too far behind and is built anew");
                self.writer.standby().graph = Graph::default();
                (self.after, kept) = (Revision(0), None);
                seen = runtime.block_on(read(self.store.clone(), self.after))?;
                continue;
            };
            // With all changes up to this state, the graph is exactly that.
            let position = Position { epoch: seen.epoch, revision: seen.revision };
            let upto = delta.upto;
            // The next part is read while this one is parsed and applied.
            let next = (upto < position.revision).then(|| runtime.spawn(read(self.store.clone(), upto)));
            let mut changes = parsed(delta);
            apply(&mut self.writer, &changes);
            kept = kept.filter(|kept| kept.len() + changes.len() <= KEPT_FACTS_MAX);
            if let Some(kept) = &mut kept {
                kept.append(&mut changes);
            }
            let Some(next) = next else { break (upto, position) };
            // A task that panicked, or the runtime's end.
            seen = runtime.block_on(next).map_err(|_| ReadError::Closed)??;
        };
        let mut standby = self.writer.standby();
        standby.position = Some(position.clone());
        let figures = standby.graph.figures();
        drop(standby);
        self.writer.swap();
        self.after = upto;
        self.publish(position, figures);
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

async fn read(store: Store, after: Revision) -> Result<Seen<DeltaAnswer<FactRow, FactId>>, ReadError> {
    store.fact_delta(after, PAGE_FACTS).await
}

fn parsed(delta: Delta<FactRow, FactId>) -> Changes {
    let removed = delta.removed.into_iter().map(|id| (id, None));
    let changed = delta.changed.into_iter().map(|row| (row.id, fact(&row)));
    // A number is never given again, so what is removed is not changed as well.
    removed.chain(changed).collect()
}

/// The fact of a row. What the store holds parses, or it is damaged: then the fact is left out.
fn fact(row: &FactRow) -> Option<Fact> {
    parse_kept(&row.statement)
        .inspect_err(|error| tracing::error!(fact = row.id.0, %error, "a statement in the store is no fact"))
        .ok()
}
