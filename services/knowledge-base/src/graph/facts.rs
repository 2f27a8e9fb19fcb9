//! What each fact has put into the graph, so that it can be taken out again.

/// What a fact is to the graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// An edge: not negated, with two arguments that are both entities.
    Edge {
        /// Number of the predicate.
        predicate: u32,
        /// Number of the first argument.
        from: u32,
        /// Number of the second.
        to: u32,
    },
    /// Any other.
    Other(Box<Other>),
}

/// A fact that is no edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Other {
    /// Number of the predicate.
    pub predicate: u32,
    /// With a leading `-`.
    pub negated: bool,
    /// Numbers of the entities in it, each once.
    pub entities: Box<[u32]>,
}
