//! Neighbours: the edges of one entity in pages. Pure.
//!
//! A page goes on after a fact's number, so it neither repeats nor misses an edge that is there all the time, whatever
//! else comes and goes.

use super::adjacency::{Direction, Graph};
use super::question::{Budget, NamedEdge, Predicates, UnknownEntity};
use crate::store::FactId;

/// Most edges on a page.
pub const NEIGHBOURS_MAX: usize = 1_000;

/// Most edges that a page looks at: a page of a rare predicate of a hub may be short, and goes on. Some 2 ms.
const LOOKS_MAX: usize = 20_000;

/// A page that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbours {
    /// Whose edges.
    pub entity: Box<str>,
    /// Those from it, to it, or both.
    pub direction: Direction,
    /// Which edges.
    pub predicates: Predicates,
    /// The fact after which the page begins; 0 for the first.
    pub after: FactId,
    /// Edges at most; at most [`NEIGHBOURS_MAX`] are given.
    pub limit: usize,
}

/// Edges in the order of their facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeighbourPage {
    /// The edges.
    pub edges: Vec<NamedEdge>,
    /// Set where there is more: `after` of the next page.
    pub next: Option<FactId>,
}

impl Neighbours {
    /// Reads the page.
    ///
    /// # Errors
    /// [`UnknownEntity`].
    pub fn answer(&self, graph: &Graph) -> Result<NeighbourPage, UnknownEntity> {
        let node = graph.find(&self.entity).ok_or_else(|| UnknownEntity(self.entity.clone()))?;
        let followed = self.predicates.followed(graph);
        let limit = self.limit.min(NEIGHBOURS_MAX);
        let (mut edges, mut budget, mut last) = (Vec::new(), Budget::new(), self.after);
        for (looks, edge) in graph.edges(node, self.direction, self.after).enumerate() {
            if edges.len() == limit || looks == LOOKS_MAX {
                return Ok(NeighbourPage { edges, next: Some(last) });
            }
            if followed.has(edge.predicate) {
                let named = NamedEdge::new(graph, edge);
                if budget.take(named.size()).is_err() {
                    return Ok(NeighbourPage { edges, next: Some(last) });
                }
                edges.push(named);
            }
            last = edge.fact;
        }
        Ok(NeighbourPage { edges, next: None })
    }
}
