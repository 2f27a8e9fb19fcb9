//! The graph: entities are its nodes, binary facts between two of them its edges. All of it is in memory, derived from
//! the store and rebuilt at every start; nothing is kept here that the store does not have.
//!
//! - `adjacency` holds the graph itself and its counters, and changes by [`Graph::set`] alone; `names` is a table of
//!   it, `facts` what it remembers of each fact.
//! - `walk`, `path` and `neighbours` are questions to it, each with hard limits; `top` ranks names.
//! - `copies` lets many read while one writes, `follower` follows the store, `growth` is how fast that grows, and `index` is what the rest of the
//!   service holds: questions with a bound on how many are under way.

mod adjacency;
mod copies;
mod facts;
mod follower;
mod growth;
mod index;
#[cfg(test)]
mod index_tests;
#[cfg(test)]
mod limit_tests;
mod metrics;
mod names;
mod neighbours;
mod path;
mod question;
#[cfg(test)]
mod tests;
mod top;
mod walk;

pub use adjacency::{Direction, Edge, EntityFigures, Figures, Graph, NodeId, PredicateId};
pub use growth::Growth;
pub use index::{GraphError, GraphIndex, GraphState};
pub use metrics::{
    METRIC_GRAPH_EDGES, METRIC_GRAPH_ENTITIES, METRIC_GRAPH_QUESTIONS, METRIC_GRAPH_REVISION,
    METRIC_GRAPH_SECONDS,
};
pub use neighbours::{NEIGHBOURS_MAX, NeighbourPage, Neighbours};
pub use path::{Path, PathAnswer, Paths};
pub use question::{DEPTH_MAX, Depth, NamedEdge, PREDICATES_MAX, Predicates, Truncated, UnknownEntity};
pub use top::{TOP_MAX, TopEntity, TopPredicate};
pub use walk::{EDGES_MAX, NODES_MAX, Walk, WalkEdge, WalkItem, WalkLimits, WalkNode, Walks};
