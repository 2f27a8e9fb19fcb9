//! Walks: everything that can be reached from an entity within some steps, breadth first. Pure.

use hashbrown::HashMap;

use super::adjacency::{Direction, Edge, Graph, NodeId, PredicateId};
use super::question::{Budget, Depth, Predicates, Truncated, UnknownEntity};
use crate::store::FactId;

/// Most nodes of a walk: far more than somebody looks at, and at most 2 MiB.
pub const NODES_MAX: usize = 10_000;

/// Most edges of a walk: five for each node, and at most 1 MiB.
pub const EDGES_MAX: usize = 50_000;

/// How much a walk may give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalkLimits {
    /// At least 1, for the start; at most [`NODES_MAX`] are given.
    pub nodes: usize,
    /// At most [`EDGES_MAX`] are given.
    pub edges: usize,
}

impl WalkLimits {
    /// As much as any walk may give.
    pub const MAX: Self = Self { nodes: NODES_MAX, edges: EDGES_MAX };
}

/// A walk that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walks {
    /// The entity where it starts.
    pub start: Box<str>,
    /// Which way it goes.
    pub direction: Direction,
    /// How far.
    pub max_depth: Depth,
    /// Along which edges.
    pub predicates: Predicates,
    /// How much it gives.
    pub limits: WalkLimits,
}

/// An entity on a walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalkNode {
    /// Its name.
    pub name: Box<str>,
    /// Steps from the start.
    pub depth: u8,
}

/// An edge on a walk; places are those in the walk's own lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalkEdge {
    /// The fact.
    pub fact: FactId,
    /// Place of its first argument.
    pub from: usize,
    /// Place of its second.
    pub to: usize,
    /// Place of its predicate.
    pub predicate: usize,
}

/// What a walk found, in the order in which it found it. Both ends of each edge are among the nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Walk {
    /// The start, and then whatever was reached.
    pub nodes: Vec<WalkNode>,
    /// Each once.
    pub edges: Vec<WalkEdge>,
    /// Their predicates.
    pub predicates: Vec<Box<str>>,
    /// Set where there is more: then this is the beginning of the whole walk.
    pub truncated: Option<Truncated>,
}

/// A part of a walk, as it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WalkItem<'a> {
    /// An entity.
    Node(&'a WalkNode),
    /// An edge, whose ends were told before.
    Edge {
        /// The fact.
        fact: FactId,
        /// Its first argument.
        from: &'a str,
        /// Its predicate.
        predicate: &'a str,
        /// Its second argument.
        to: &'a str,
    },
}

impl Walk {
    /// Nodes and edges in one order: that in which they were found, a node before the first edge that has it.
    pub fn items(&self) -> impl Iterator<Item = WalkItem<'_>> {
        let mut told = 0;
        let edges = self.edges.iter().flat_map(move |edge| {
            let nodes = &self.nodes[told..told.max(edge.from.max(edge.to) + 1)];
            told += nodes.len();
            nodes.iter().map(WalkItem::Node).chain([self.edge_item(edge)])
        });
        // A start without edges, or the node at which a limit was reached.
        let reached = self.edges.iter().map(|edge| edge.from.max(edge.to) + 1).max().unwrap_or(0);
        edges.chain(self.nodes[reached..].iter().map(WalkItem::Node))
    }

    /// Bytes that it occupies, without what the allocator adds.
    pub fn kept_bytes(&self) -> usize {
        let nodes = self.nodes.iter().map(|node| size_of::<WalkNode>() + node.name.len());
        let predicates = self.predicates.iter().map(|name| size_of::<Box<str>>() + name.len());
        nodes.sum::<usize>() + predicates.sum::<usize>() + self.edges.len() * size_of::<WalkEdge>()
    }

    fn edge_item(&self, edge: &WalkEdge) -> WalkItem<'_> {
        WalkItem::Edge {
            fact: edge.fact,
            from: &self.nodes[edge.from].name,
            predicate: &self.predicates[edge.predicate],
            to: &self.nodes[edge.to].name,
        }
    }
}

impl Walks {
    /// Walks. Keeps what it gives, and a number for each node of that.
    ///
    /// # Errors
    /// [`UnknownEntity`] where it would start.
    pub fn answer(&self, graph: &Graph) -> Result<Walk, UnknownEntity> {
        let start = graph.find(&self.start).ok_or_else(|| UnknownEntity(self.start.clone()))?;
        let mut walker = Walker::new(graph, self.limits);
        walker.walk.truncated = walker.go(self, start).err();
        Ok(walker.walk)
    }
}

struct Walker<'a> {
    graph: &'a Graph,
    limits: WalkLimits,
    budget: Budget,
    walk: Walk,
    /// The nodes of the walk; those that are not yet looked at are its frontier.
    nodes: Vec<NodeId>,
    places: HashMap<NodeId, usize>,
    predicate_places: HashMap<PredicateId, usize>,
}

impl<'a> Walker<'a> {
    fn new(graph: &'a Graph, limits: WalkLimits) -> Self {
        let limits = WalkLimits { nodes: limits.nodes.min(NODES_MAX), edges: limits.edges.min(EDGES_MAX) };
        Self {
            graph,
            limits,
            budget: Budget::new(),
            walk: Walk::default(),
            nodes: Vec::new(),
            places: HashMap::new(),
            predicate_places: HashMap::new(),
        }
    }

    fn go(&mut self, wanted: &Walks, start: NodeId) -> Result<(), Truncated> {
        let followed = wanted.predicates.followed(self.graph);
        self.place(start, 0)?;
        let mut at = 0;
        // Nodes lie in the order of their depth, so the first that is too deep ends the walk.
        while at < self.nodes.len() && self.walk.nodes[at].depth < wanted.max_depth.get() {
            let (node, depth) = (self.nodes[at], self.walk.nodes[at].depth + 1);
            for edge in self.graph.edges(node, wanted.direction, FactId(0)) {
                self.budget.step()?;
                let other = edge.other_end(node);
                // Where edges are followed both ways, the end that was looked at first has told of it.
                let is_told = wanted.direction == Direction::Any
                    && self.places.get(&other).is_some_and(|place| *place < at);
                if !is_told && followed.has(edge.predicate) {
                    self.tell(edge, other, depth)?;
                }
            }
            at += 1;
        }
        Ok(())
    }

    fn tell(&mut self, edge: Edge, other: NodeId, depth: u8) -> Result<(), Truncated> {
        if self.walk.edges.len() == self.limits.edges {
            return Err(Truncated::Edges);
        }
        self.place(other, depth)?;
        let predicate = match self.predicate_places.get(&edge.predicate) {
            Some(place) => *place,
            None => {
                let name = self.graph.predicate(edge.predicate);
                self.budget.take(name.len())?;
                self.walk.predicates.push(name.into());
                self.predicate_places.insert(edge.predicate, self.walk.predicates.len() - 1);
                self.walk.predicates.len() - 1
            }
        };
        let place = |node: NodeId| self.places[&node];
        let edge = WalkEdge { fact: edge.fact, from: place(edge.from), to: place(edge.to), predicate };
        self.walk.edges.push(edge);
        Ok(())
    }

    /// Gives the node a place, where it has none.
    fn place(&mut self, node: NodeId, depth: u8) -> Result<(), Truncated> {
        if self.places.contains_key(&node) {
            return Ok(());
        }
        if self.nodes.len() == self.limits.nodes {
            return Err(Truncated::Nodes);
        }
        let name = self.graph.name(node);
        self.budget.take(name.len())?;
        self.places.insert(node, self.nodes.len());
        self.nodes.push(node);
        self.walk.nodes.push(WalkNode { name: name.into(), depth });
        Ok(())
    }
}
