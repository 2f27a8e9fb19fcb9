//! Paths: the fewest edges from one entity to another. Pure.
//!
//! The search goes from both ends, one whole level at a time and always on the side that has fewer edges before it: a
//! hub between the two is met, not crossed. All paths of at most the levels done so far would have been found, so the first
//! node that both sides reach lies on a shortest one.

use hashbrown::HashMap;

use super::adjacency::{Direction, Edge, Graph, NodeId};
use super::question::{Budget, Depth, Followed, NamedEdge, Predicates, Truncated, UnknownEntity};
use crate::store::FactId;

/// A path that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// Where it begins.
    pub from: Box<str>,
    /// Where it ends.
    pub to: Box<str>,
    /// Which way it follows edges.
    pub direction: Direction,
    /// Which edges.
    pub predicates: Predicates,
    /// Its length at most.
    pub max_depth: Depth,
}

/// Entities and the edges between them, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// From the first to the last: one more than edges.
    pub nodes: Vec<Box<str>>,
    /// As they stand in facts, whichever way they are followed.
    pub edges: Vec<NamedEdge>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathAnswer {
    /// A shortest path, where there is one within the depth.
    pub path: Option<Path>,
    /// Set where the search was given up: then there may be one.
    pub truncated: Option<Truncated>,
}

impl Paths {
    /// Searches.
    ///
    /// # Errors
    /// [`UnknownEntity`] for either end.
    pub fn answer(&self, graph: &Graph) -> Result<PathAnswer, UnknownEntity> {
        let find = |name: &str| graph.find(name).ok_or_else(|| UnknownEntity(name.into()));
        let (from, to) = (find(&self.from)?, find(&self.to)?);
        let followed = self.predicates.followed(graph);
        let found = search(graph, &followed, [from, to], self.direction, self.max_depth);
        Ok(match found {
            Ok(hops) => PathAnswer { path: hops.map(|hops| named(graph, from, &hops)), truncated: None },
            Err(truncated) => PathAnswer { path: None, truncated: Some(truncated) },
        })
    }
}

/// One side of the search.
struct Side {
    direction: Direction,
    depth: u8,
    frontier: Vec<NodeId>,
    /// Edges of the frontier's nodes.
    edges_ahead: usize,
    /// Nodes and the edge that led to each; none led to the start.
    reached: HashMap<NodeId, Option<Edge>>,
}

impl Side {
    fn new(graph: &Graph, start: NodeId, direction: Direction) -> Self {
        Self {
            direction,
            depth: 0,
            frontier: vec![start],
            edges_ahead: graph.degree(start, direction),
            reached: HashMap::from([(start, None)]),
        }
    }

    /// Goes one level on; the node where it meets `other`.
    fn advance(
        &mut self,
        graph: &Graph,
        followed: &Followed,
        other: &Self,
        budget: &mut Budget,
    ) -> Result<Option<NodeId>, Truncated> {
        self.depth += 1;
        self.edges_ahead = 0;
        for node in std::mem::take(&mut self.frontier) {
            for edge in graph.edges(node, self.direction, FactId(0)) {
                budget.step()?;
                let next = edge.other_end(node);
                if !followed.has(edge.predicate) || self.reached.contains_key(&next) {
                    continue;
                }
                self.reached.insert(next, Some(edge));
                if other.reached.contains_key(&next) {
                    return Ok(Some(next));
                }
                self.frontier.push(next);
                self.edges_ahead += graph.degree(next, self.direction);
            }
        }
        Ok(None)
    }

    /// The edges between the start of this side and `node`, from there.
    fn back_from(&self, mut node: NodeId) -> Vec<Edge> {
        let mut edges = Vec::new();
        while let Some(Some(edge)) = self.reached.get(&node) {
            edges.push(*edge);
            node = edge.other_end(node);
        }
        edges
    }
}

fn search(
    graph: &Graph,
    followed: &Followed,
    [from, to]: [NodeId; 2],
    direction: Direction,
    max_depth: Depth,
) -> Result<Option<Vec<Edge>>, Truncated> {
    if from == to {
        return Ok(Some(Vec::new()));
    }
    let mut budget = Budget::new();
    let mut there = Side::new(graph, from, direction);
    let mut back = Side::new(graph, to, direction.reversed());
    while there.depth + back.depth < max_depth.get() {
        let (side, other) =
            if there.edges_ahead <= back.edges_ahead { (&mut there, &back) } else { (&mut back, &there) };
        if let Some(meeting) = side.advance(graph, followed, other, &mut budget)? {
            let mut hops = there.back_from(meeting);
            hops.reverse();
            hops.extend(back.back_from(meeting));
            return Ok(Some(hops));
        }
        // Nothing new lies that way.
        if side.frontier.is_empty() {
            break;
        }
    }
    Ok(None)
}

fn named(graph: &Graph, from: NodeId, hops: &[Edge]) -> Path {
    let mut node = from;
    let ends = hops.iter().map(|hop| {
        node = hop.other_end(node);
        graph.name(node).into()
    });
    let nodes = std::iter::once(graph.name(from).into()).chain(ends).collect();
    Path { nodes, edges: hops.iter().map(|hop| NamedEdge::new(graph, *hop)).collect() }
}
