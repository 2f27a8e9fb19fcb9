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
use crate::store::{DeltaAnswer, FactId, ReadError, Revision, Store};

/// Facts read at once, about: some 20 ms of reading and of applying, each of which goes on during the other.
const PAGE_FACTS: usize = 5_000;

/// Facts that are kept for the second copy. Where more has changed, copying the first costs less than their memory.
const KEPT_FACTS_MAX: usize = 10_000;

/// What is different: facts as they are now.
type Changes = Vec<(FactId, Option<Fact>)>;

/// A part of what is different.
struct Page {
    changes: Changes,
    /// What the next part is asked after.
    upto: Revision,
    /// The state that it was read in; with all changes up to that, the graph is exactly that state.
    position: Position,
}

impl Page {
    fn is_last(&self) -> bool {
        self.upto == self.position.revision
    }
}

/// What the store says.
enum Answer {
    Page(Page),
    /// It does not know any more what was deleted since.
    TooOld,
}

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
        let mut answer = runtime.block_on(read(self.store.clone(), self.after))?;
        let (upto, position) = loop {
            let mut page = match answer {
                Answer::Page(page) => page,
                Answer::TooOld => {
                    tracing::info!(revision = self.after.0, "the graph is too far behind and is built anew");
                    self.writer.standby().graph = Graph::default();
                    (self.after, kept) = (Revision(0), None);
                    answer = runtime.block_on(read(self.store.clone(), self.after))?;
                    continue;
                }
            };
            // The next part is read while this one is applied.
            let next = (!page.is_last()).then(|| runtime.spawn(read(self.store.clone(), page.upto)));
            apply(&mut self.writer, &page.changes);
            kept = kept.filter(|kept| kept.len() + page.changes.len() <= KEPT_FACTS_MAX);
            if let Some(kept) = &mut kept {
                kept.append(&mut page.changes);
            }
            let Some(next) = next else { break (page.upto, page.position) };
            // A task that panicked, or the runtime's end.
            answer = runtime.block_on(next).map_err(|_| ReadError::Closed)??;
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

async fn read(store: Store, after: Revision) -> Result<Answer, ReadError> {
    let seen = store.fact_delta(after, PAGE_FACTS).await?;
    let position = Position { epoch: seen.epoch, revision: seen.revision };
    let DeltaAnswer::Delta(delta) = seen.value else { return Ok(Answer::TooOld) };
    let removed = delta.removed.into_iter().map(|id| (id, None));
    let changed = delta.changed.into_iter().map(|row| (row.id, parsed(row.id, &row.statement)));
    // A number is never given again, so what is removed is not changed as well.
    let changes = removed.chain(changed).collect();
    Ok(Answer::Page(Page { changes, upto: delta.upto, position }))
}

/// The fact of a statement. What the store holds parses, or it is damaged: then the fact is left out.
fn parsed(id: FactId, statement: &str) -> Option<Fact> {
    parse_kept(statement)
        .inspect_err(|error| tracing::error!(fact = id.0, %error, "a statement in the store is no fact"))
        .ok()
}
