//! What a search sees: all parts at one revision. A state never changes; the next one shares with it what did not.

use std::sync::Arc;

use crate::store::{Epoch, Revision};

use super::flat::Flat;
use super::graph::Graph;
use super::half::Query;
use super::part::{Allowed, Dead, Held, Part, PartId};
use super::ranking::Ranking;

/// Which state of the store an index holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The store's.
    pub epoch: Epoch,
    /// The last whose changes are in.
    pub revision: Revision,
}

/// All parts. A key has at most one live row in all of them.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// Rises with each state.
    pub generation: u64,
    /// `None` until something was applied.
    pub position: Option<Position>,
    /// Without a graph, the oldest first.
    pub flats: Vec<Held<Flat>>,
    /// With one.
    pub graphs: Vec<Held<Graph>>,
}

impl State {
    /// Live rows.
    pub fn len(&self) -> usize {
        self.waiting() + self.graphs.iter().map(Held::live).sum::<usize>()
    }

    /// Live rows without a graph.
    pub fn waiting(&self) -> usize {
        self.flats.iter().map(Held::live).sum()
    }

    /// Whether `key` has a live row.
    pub fn has(&self, key: u64) -> bool {
        self.flats.iter().any(|held| held.has(key)) || self.graphs.iter().any(|held| held.has(key))
    }

    /// The dead rows of part `id`, if it is one of this state's.
    pub fn dead_of(&self, id: PartId) -> Option<Arc<Dead>> {
        let flats = self.flats.iter().map(|held| (held.part.id(), &held.dead));
        let mut parts = flats.chain(self.graphs.iter().map(|held| (held.part.id(), &held.dead)));
        parts.find(|(part, _)| *part == id).map(|(_, dead)| dead.clone())
    }

    /// Lets the live row of `key` die, if there is one.
    pub fn kill(&mut self, key: u64) {
        // New rows change more often than old ones.
        let _ = self.flats.iter_mut().rev().any(|held| held.kill(key))
            || self.graphs.iter_mut().any(|held| held.kill(key));
    }

    /// The best `limit`, best first.
    pub fn search(&self, query: &Query<'_>, limit: usize, allowed: Allowed<'_>) -> Vec<(u64, f32)> {
        let mut ranking = Ranking::new(limit);
        for held in &self.flats {
            held.part.rank_all(query, &held.dead, allowed, &mut ranking);
        }
        for held in &self.graphs {
            held.part.rank(query, limit, &held.dead, allowed, &mut ranking);
        }
        ranking.into_best_first()
    }

    /// The same without approximation.
    pub fn search_exactly(&self, query: &Query<'_>, limit: usize, allowed: Allowed<'_>) -> Vec<(u64, f32)> {
        let mut ranking = Ranking::new(limit);
        for held in &self.flats {
            held.part.rank_all(query, &held.dead, allowed, &mut ranking);
        }
        for held in &self.graphs {
            held.part.rank_all(query, &held.dead, allowed, &mut ranking);
        }
        ranking.into_best_first()
    }
}
