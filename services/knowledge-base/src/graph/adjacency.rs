//! The graph itself: which facts lead from which entity to which, and counters of everything, kept as facts come and
//! go. Pure.
//!
//! The edges of a node are ordered by the numbers of their facts, so that a place among them is a fact's number: pages
//! stay whole while edges come and go, after a restart, and on another instance.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::Peekable;

use super::facts::{Other, Record};
use super::names::Names;
use crate::by_fact::ByFact;
use crate::grammar::Fact;
use crate::store::FactId;

/// Number of an entity while it is in the graph; a later entity may get it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(super) u32);

/// Number of a predicate while some fact has it; a later predicate may get it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PredicateId(pub(super) u32);

/// Which way edges are followed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Direction {
    /// From the first argument to the second.
    #[default]
    Outbound,
    /// From the second to the first.
    Inbound,
    /// Both.
    Any,
}

impl Direction {
    /// All, by name.
    pub const NAMES: [(&'static str, Self); 3] =
        [("outbound", Self::Outbound), ("inbound", Self::Inbound), ("any", Self::Any)];

    /// The direction of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, direction)| *direction)
    }

    /// The way back.
    pub fn reversed(self) -> Self {
        match self {
            Self::Outbound => Self::Inbound,
            Self::Inbound => Self::Outbound,
            Self::Any => Self::Any,
        }
    }
}

/// A binary fact between two entities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// The fact.
    pub fact: FactId,
    /// Its predicate.
    pub predicate: PredicateId,
    /// Its first argument.
    pub from: NodeId,
    /// Its second.
    pub to: NodeId,
}

impl Edge {
    /// The end that is not `node`; `node` itself for an edge from it to itself.
    pub fn other_end(&self, node: NodeId) -> NodeId {
        if self.from == node { self.to } else { self.from }
    }
}

/// Kept counters of the whole graph.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Figures {
    /// Facts of any kind.
    pub facts: usize,
    /// Those with a leading `-`.
    pub negated: usize,
    /// Those that are edges.
    pub edges: usize,
    /// Different words and short strings among the arguments.
    pub entities: usize,
    /// Entities with at least one edge.
    pub nodes: usize,
    /// Different predicates.
    pub predicates: usize,
    /// Shannon entropy of the facts' predicates, bits; 0 without facts.
    pub entropy_bits: f64,
}

impl Figures {
    /// Edges for each node; 0 without nodes.
    pub fn connectivity(&self) -> f64 {
        if self.nodes == 0 { 0.0 } else { as_f64(self.edges) / as_f64(self.nodes) }
    }
}

/// Kept counters of one entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntityFigures {
    /// Facts that name it.
    pub facts: u32,
    /// Edges from it.
    pub outbound: u32,
    /// Edges to it.
    pub inbound: u32,
}

/// A place among the edges of a node: the fact's number in two halves, which saves the four bytes of padding that a
/// 64-bit number brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Link {
    node: u32,
    fact_high: u32,
    fact_low: u32,
}

impl Link {
    fn new(node: u32, FactId(fact): FactId) -> Self {
        #[allow(clippy::cast_possible_truncation, reason = "these are the halves of 64 bits")]
        let (fact_high, fact_low) = ((fact >> 32) as u32, fact as u32);
        Self { node, fact_high, fact_low }
    }

    fn fact(self) -> FactId {
        FactId(u64::from(self.fact_high) << 32 | u64::from(self.fact_low))
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Degree {
    outbound: u32,
    inbound: u32,
}

/// Entities, the edges between them, and counters. Grows and shrinks by [`Self::set`] alone.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    entities: Names,
    /// By the number of the entity.
    degrees: Vec<Degree>,
    predicates: Names,
    /// Facts with a leading `-`, by the number of the predicate.
    negated_of: Vec<u32>,
    /// How many predicates have so many facts: what the entropy is made of, without a look at each predicate.
    predicates_by_facts: BTreeMap<u32, usize>,
    facts: ByFact<Record>,
    outbound: BTreeSet<Link>,
    inbound: BTreeSet<Link>,
    fact_count: usize,
    negated: usize,
    nodes: usize,
}

impl Graph {
    /// The fact `id` is now this, or is gone. Saying it again changes nothing.
    ///
    /// Cost: O(entities of the fact x log edges).
    pub fn set(&mut self, id: FactId, fact: Option<&Fact>) {
        if let Some(record) = self.facts.remove(id) {
            self.take_out(id, record);
        }
        if let Some(fact) = fact {
            let record = self.put_in(id, fact);
            self.facts.insert(id, record);
        }
    }

    /// The same, in as little memory as it needs: what grows bit by bit is a third larger.
    pub fn packed(&self) -> Self {
        Self {
            // From a sorted sequence full nodes are made, where adding one by one leaves them half empty.
            outbound: self.outbound.iter().copied().collect(),
            inbound: self.inbound.iter().copied().collect(),
            entities: self.entities.clone(),
            degrees: self.degrees.clone(),
            predicates: self.predicates.clone(),
            negated_of: self.negated_of.clone(),
            predicates_by_facts: self.predicates_by_facts.clone(),
            facts: self.facts.clone(),
            ..*self
        }
    }

    fn put_in(&mut self, id: FactId, fact: &Fact) -> Record {
        self.fact_count += 1;
        let predicate = self.predicates.acquire(fact.predicate());
        self.predicate_changed(predicate, self.predicates.uses(predicate) - 1);
        if let Some((from, to)) = fact.edge() {
            let from = self.acquire(from);
            let to = self.acquire(to);
            if from == to {
                self.entities.release(to);
            }
            self.outbound.insert(Link::new(from, id));
            self.inbound.insert(Link::new(to, id));
            self.count_edge(from, |degree| degree.outbound += 1);
            self.count_edge(to, |degree| degree.inbound += 1);
            return Record::Edge { predicate, from, to };
        }
        if fact.negated {
            self.negated += 1;
            let predicate = predicate as usize;
            self.negated_of.resize(self.negated_of.len().max(predicate + 1), 0);
            self.negated_of[predicate] += 1;
        }
        let mut entities = Vec::new();
        fact.each_entity(&mut |entity| entities.push(self.acquire(entity)));
        entities.sort_unstable();
        // A fact counts once for an entity that it names often.
        entities.dedup_by(|again, first| {
            let same = again == first;
            if same {
                self.entities.release(*again);
            }
            same
        });
        Record::Other(Box::new(Other { predicate, negated: fact.negated, entities: entities.into() }))
    }

    fn take_out(&mut self, id: FactId, record: Record) {
        self.fact_count -= 1;
        let predicate = match record {
            Record::Edge { predicate, from, to } => {
                self.outbound.remove(&Link::new(from, id));
                self.inbound.remove(&Link::new(to, id));
                self.count_edge(from, |degree| degree.outbound -= 1);
                self.count_edge(to, |degree| degree.inbound -= 1);
                self.entities.release(from);
                if from != to {
                    self.entities.release(to);
                }
                predicate
            }
            Record::Other(other) => {
                if other.negated {
                    self.negated -= 1;
                    self.negated_of[other.predicate as usize] -= 1;
                }
                for entity in other.entities {
                    self.entities.release(entity);
                }
                other.predicate
            }
        };
        let uses = self.predicates.uses(predicate);
        self.predicates.release(predicate);
        self.predicate_changed(predicate, uses);
    }

    fn acquire(&mut self, entity: &str) -> u32 {
        let id = self.entities.acquire(entity);
        if self.degrees.len() <= id as usize {
            self.degrees.resize(id as usize + 1, Degree::default());
        }
        id
    }

    /// Changes the degree of a node, and counts the node with its first and last edge.
    fn count_edge(&mut self, node: u32, change: impl FnOnce(&mut Degree)) {
        let degree = &mut self.degrees[node as usize];
        let had_edges = degree.outbound + degree.inbound > 0;
        change(degree);
        let has_edges = degree.outbound + degree.inbound > 0;
        self.nodes = self.nodes + usize::from(has_edges) - usize::from(had_edges);
    }

    /// A predicate that had `facts_before` facts has one more or one less.
    fn predicate_changed(&mut self, predicate: u32, facts_before: u32) {
        if let Some(predicates) = self.predicates_by_facts.get_mut(&facts_before) {
            *predicates -= 1;
            if *predicates == 0 {
                self.predicates_by_facts.remove(&facts_before);
            }
        }
        let facts = self.predicates.uses(predicate);
        if facts > 0 {
            *self.predicates_by_facts.entry(facts).or_default() += 1;
        }
    }

    /// The counters of the whole graph.
    ///
    /// Cost: O(different numbers of facts a predicate has), which are less than the root of twice the facts.
    pub fn figures(&self) -> Figures {
        let total = as_f64(self.fact_count);
        let entropy = self.predicates_by_facts.iter().map(|(facts, predicates)| {
            let share = f64::from(*facts) / total;
            -as_f64(*predicates) * share * share.log2()
        });
        Figures {
            facts: self.fact_count,
            negated: self.negated,
            edges: self.outbound.len(),
            entities: self.entities.len(),
            nodes: self.nodes,
            predicates: self.predicates.len(),
            // Not -0 where all facts have one predicate.
            entropy_bits: entropy.sum::<f64>().max(0.0),
        }
    }

    /// The node of an entity.
    pub fn find(&self, entity: &str) -> Option<NodeId> {
        self.entities.find(entity).map(NodeId)
    }

    /// The counters of an entity.
    pub fn entity(&self, NodeId(node): NodeId) -> EntityFigures {
        let degree = self.degrees[node as usize];
        EntityFigures { facts: self.entities.uses(node), outbound: degree.outbound, inbound: degree.inbound }
    }

    /// How many edges of a node lead that way; an edge from it to itself counts twice where both ways are asked for.
    pub(super) fn degree(&self, NodeId(node): NodeId, direction: Direction) -> usize {
        let Degree { outbound, inbound } = self.degrees[node as usize];
        match direction {
            Direction::Outbound => outbound as usize,
            Direction::Inbound => inbound as usize,
            Direction::Any => outbound as usize + inbound as usize,
        }
    }

    /// The name of an entity.
    pub fn name(&self, NodeId(node): NodeId) -> &str {
        self.entities.text_of(node)
    }

    /// All entities.
    pub fn entities(&self) -> impl Iterator<Item = NodeId> {
        self.entities.ids().map(NodeId)
    }

    /// The number of a predicate.
    pub fn find_predicate(&self, name: &str) -> Option<PredicateId> {
        self.predicates.find(name).map(PredicateId)
    }

    /// The name of a predicate.
    pub fn predicate(&self, PredicateId(predicate): PredicateId) -> &str {
        self.predicates.text_of(predicate)
    }

    /// All predicates.
    pub fn predicates(&self) -> impl Iterator<Item = PredicateId> {
        self.predicates.ids().map(PredicateId)
    }

    /// Facts of a predicate, and those of them with a leading `-`.
    pub fn predicate_facts(&self, PredicateId(predicate): PredicateId) -> (u32, u32) {
        let negated = self.negated_of.get(predicate as usize).copied().unwrap_or_default();
        (self.predicates.uses(predicate), negated)
    }

    /// The edges of a node whose facts come after `after`, each once, in the order of their facts.
    ///
    /// Cost: O(log edges) for the first, then amortised O(1) each.
    pub fn edges(&self, node: NodeId, direction: Direction, after: FactId) -> impl Iterator<Item = Edge> {
        let outbound = (direction != Direction::Inbound).then(|| facts_after(&self.outbound, node, after));
        let inbound = (direction != Direction::Outbound).then(|| facts_after(&self.inbound, node, after));
        let facts =
            merged(outbound.into_iter().flatten().peekable(), inbound.into_iter().flatten().peekable());
        facts.filter_map(|fact| match self.facts.get(fact) {
            Some(Record::Edge { predicate, from, to }) => {
                Some(Edge { fact, predicate: PredicateId(*predicate), from: NodeId(*from), to: NodeId(*to) })
            }
            Some(Record::Other(_)) | None => {
                debug_assert!(false, "fact {fact} has a link and is no edge");
                None
            }
        })
    }
}

/// The facts of a node's links after `after`, in order.
fn facts_after(links: &BTreeSet<Link>, node: NodeId, after: FactId) -> impl Iterator<Item = FactId> {
    let first = Link::new(node.0, FactId(after.0.saturating_add(1)));
    links.range(first..=Link::new(node.0, FactId(u64::MAX))).map(|link| link.fact())
}

/// Both in one order; what is in both is there once.
fn merged(
    mut one: Peekable<impl Iterator<Item = FactId>>,
    mut two: Peekable<impl Iterator<Item = FactId>>,
) -> impl Iterator<Item = FactId> {
    std::iter::from_fn(move || match (one.peek(), two.peek()) {
        (Some(first), Some(second)) if first == second => {
            two.next();
            one.next()
        }
        (Some(first), Some(second)) if first > second => two.next(),
        (None, _) => two.next(),
        _ => one.next(),
    })
}

/// A count as a number to reckon with.
#[allow(clippy::cast_precision_loss, reason = "what fits in memory is far below 2^53")]
pub(super) fn as_f64(count: usize) -> f64 {
    count as f64
}
