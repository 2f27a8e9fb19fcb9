//! What all questions to the graph share: their limits, which predicates they follow, and how an answer says that it is
//! not whole.

use hashbrown::HashSet;

use super::adjacency::{Edge, Graph, PredicateId};
use crate::store::FactId;

/// Most steps from the start of a walk, and most edges of a path.
pub const DEPTH_MAX: u8 = 10;

/// Most predicates that a question can name.
pub const PREDICATES_MAX: usize = 32;

/// Most edges that a walk or a path looks at, those that it does not follow included: some 30 ms of one core.
pub(super) const STEPS_MAX: usize = 200_000;

/// Most bytes of names in an answer. Names of entities are short, but a predicate may have thousands of bytes.
pub(super) const BYTES_MAX: usize = 4 << 20;

/// Steps from a start, 1 to [`DEPTH_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Depth(u8);

impl Depth {
    /// `depth`, or `None` outside of the limits.
    pub fn new(depth: u32) -> Option<Self> {
        u8::try_from(depth).ok().filter(|depth| (1..=DEPTH_MAX).contains(depth)).map(Self)
    }

    /// Its value.
    pub fn get(self) -> u8 {
        self.0
    }
}

/// The predicates whose edges a question follows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Predicates(Vec<Box<str>>);

impl Predicates {
    /// All of them.
    pub const ALL: Self = Self(Vec::new());

    /// Those named in `list`, separated by commas; all where it is empty. `None` beyond [`PREDICATES_MAX`].
    pub fn parse(list: &str) -> Option<Self> {
        let names: Vec<Box<str>> =
            list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(Box::from).collect();
        (names.len() <= PREDICATES_MAX).then_some(Self(names))
    }

    /// Their numbers in `graph`. A predicate that no fact has is followed nowhere.
    pub(super) fn followed(&self, graph: &Graph) -> Followed {
        let numbers = || self.0.iter().filter_map(|name| graph.find_predicate(name)).collect();
        Followed((!self.0.is_empty()).then(numbers))
    }
}

/// Predicates that are followed in one graph.
pub(super) struct Followed(Option<HashSet<PredicateId>>);

impl Followed {
    pub(super) fn has(&self, predicate: PredicateId) -> bool {
        self.0.as_ref().is_none_or(|wanted| wanted.contains(&predicate))
    }
}

/// The entity is in no fact.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no fact names the entity {0:?}")]
pub struct UnknownEntity(pub Box<str>);

/// Why an answer is not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truncated {
    /// It has as many nodes as were asked for.
    Nodes,
    /// It has as many edges as were asked for.
    Edges,
    /// Its names have as many bytes as an answer may have.
    Bytes,
    /// As many edges were looked at as a question may look at.
    Steps,
}

impl Truncated {
    /// Its stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nodes => "nodes",
            Self::Edges => "edges",
            Self::Bytes => "bytes",
            Self::Steps => "steps",
        }
    }
}

/// An edge that speaks for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedEdge {
    /// The fact.
    pub fact: FactId,
    /// Its first argument.
    pub from: Box<str>,
    /// Its predicate.
    pub predicate: Box<str>,
    /// Its second argument.
    pub to: Box<str>,
}

impl NamedEdge {
    pub(super) fn new(graph: &Graph, edge: Edge) -> Self {
        Self {
            fact: edge.fact,
            from: graph.name(edge.from).into(),
            predicate: graph.predicate(edge.predicate).into(),
            to: graph.name(edge.to).into(),
        }
    }

    /// Bytes of its names.
    pub(super) fn size(&self) -> usize {
        self.from.len() + self.predicate.len() + self.to.len()
    }
}

/// What an answer may still cost.
pub(super) struct Budget {
    steps: usize,
    bytes: usize,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self { steps: STEPS_MAX, bytes: BYTES_MAX }
    }

    /// One more edge is looked at.
    pub(super) fn step(&mut self) -> Result<(), Truncated> {
        self.steps = self.steps.checked_sub(1).ok_or(Truncated::Steps)?;
        Ok(())
    }

    /// So many more bytes are in the answer.
    pub(super) fn take(&mut self, bytes: usize) -> Result<(), Truncated> {
        self.bytes = self.bytes.checked_sub(bytes).ok_or(Truncated::Bytes)?;
        Ok(())
    }
}
