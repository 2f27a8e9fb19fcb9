//! The best of many, in bounded memory.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// A key with its score. Greater is better: the higher score, and of two with one score the smaller key.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Ranked {
    score: f32,
    key: u64,
}

impl Eq for Ranked {}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then(other.key.cmp(&self.key))
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Collects scored keys and keeps the best `limit` of them.
#[derive(Debug)]
pub struct Ranking {
    limit: usize,
    /// The worst on top.
    kept: BinaryHeap<Reverse<Ranked>>,
}

impl Ranking {
    /// Keeps at most `limit`.
    pub fn new(limit: usize) -> Self {
        Self { limit, kept: BinaryHeap::new() }
    }

    /// Takes one more. Cost: O(log limit), and a comparison for one that is not among the best.
    pub fn push(&mut self, key: u64, score: f32) {
        let candidate = Ranked { score, key };
        if self.kept.len() < self.limit {
            self.kept.push(Reverse(candidate));
        } else if let Some(mut worst) = self.kept.peek_mut()
            && candidate > worst.0
        {
            *worst = Reverse(candidate);
        }
    }

    /// Most that it keeps.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// What it kept, best first.
    pub fn into_best_first(self) -> Vec<(u64, f32)> {
        self.kept.into_sorted_vec().into_iter().map(|Reverse(ranked)| (ranked.key, ranked.score)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_are_kept_and_ties_go_to_the_smaller_key() {
        let mut ranking = Ranking::new(3);
        for (key, score) in [(9, 0.5), (4, 0.9), (7, 0.5), (1, -1.0), (5, 0.5)] {
            ranking.push(key, score);
        }
        assert_eq!(ranking.into_best_first(), [(4, 0.9), (5, 0.5), (7, 0.5)]);
    }

    #[test]
    fn no_room_keeps_nothing() {
        let mut ranking = Ranking::new(0);
        ranking.push(1, 1.0);
        assert_eq!(ranking.into_best_first(), []);
    }
}
