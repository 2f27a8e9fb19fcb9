//! Which predicates and entities most facts have. Pure.
//!
//! Nothing is kept in this order: a list of all entities by their facts would change with every fact. One look at each
//! and a heap of the best give it when somebody asks: O(names x log of what is asked for), about a millisecond for
//! 400,000 entities.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::adjacency::{EntityFigures, Graph};

/// Most names of a ranking.
pub const TOP_MAX: usize = 1_000;

/// A predicate and its facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopPredicate {
    /// Its name.
    pub name: Box<str>,
    /// Facts of it.
    pub facts: u32,
    /// Those with a leading `-`.
    pub negated: u32,
}

/// An entity and its facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopEntity {
    /// Its name.
    pub name: Box<str>,
    /// Its counters.
    pub figures: EntityFigures,
}

impl Graph {
    /// The `limit` predicates with most facts, by name where they have as many.
    pub fn top_predicates(&self, limit: usize) -> Vec<TopPredicate> {
        let ranked =
            self.predicates().map(|id| (self.predicate_facts(id).0, Reverse(self.predicate(id)), id));
        let named = |(facts, Reverse(name), id): (u32, Reverse<&str>, _)| TopPredicate {
            name: name.into(),
            facts,
            negated: self.predicate_facts(id).1,
        };
        best(ranked, limit).into_iter().map(named).collect()
    }

    /// The `limit` entities that most facts name, by name where as many do.
    pub fn top_entities(&self, limit: usize) -> Vec<TopEntity> {
        let ranked = self.entities().map(|id| (self.entity(id).facts, Reverse(self.name(id)), id));
        let named = |(_, Reverse(name), id): (u32, Reverse<&str>, _)| TopEntity {
            name: name.into(),
            figures: self.entity(id),
        };
        best(ranked, limit).into_iter().map(named).collect()
    }
}

/// The `limit` greatest, the greatest first.
fn best<T: Ord>(all: impl Iterator<Item = T>, limit: usize) -> Vec<T> {
    let limit = limit.min(TOP_MAX);
    let mut heap = BinaryHeap::with_capacity(limit);
    for one in all {
        if heap.len() < limit {
            heap.push(Reverse(one));
        } else if heap.peek().is_some_and(|Reverse(least)| one > *least) {
            heap.pop();
            heap.push(Reverse(one));
        }
    }
    heap.into_sorted_vec().into_iter().map(|Reverse(one)| one).collect()
}
