//! Several rankings of the same things as one: reciprocal rank fusion. Pure: ranks in, order out.
//!
//! Scores of a search by words and of one by meaning do not compare, but places do. What stands at place `r` (from 1) of a
//! ranking gets `weight / (1 + r)`, and the sum decides: what both find early comes first, then what either has far
//! ahead. After Cormack, Clarke and Buettcher, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning
//! Methods" (SIGIR 2009). Theirs is `60 + r`, for many rankings; with two, one place of which is often chance, that lets
//! late places of both beat a first one of either (`docs/retrieval.md` has the figures).

use std::collections::HashMap;
use std::hash::Hash;

/// Added to every place: the larger, the less the first places stand out. Measured: `docs/retrieval.md`.
const RANK_OFFSET: f64 = 1.0;

/// What is found by words counts this much.
pub const TEXT_WEIGHT: f64 = 1.0;
/// What is found by meaning counts this much; measured, see `docs/retrieval.md`.
pub const VECTOR_WEIGHT: f64 = 1.0;

/// How many places of each ranking are fused, at least: what stands beyond them in one may stand before in the other.
pub const FUSED_PLACES_MIN: usize = 100;

/// One order of things, best first, each at most once.
#[derive(Debug, Clone, Copy)]
pub struct Ranking<'a, Id> {
    /// The things.
    pub best_first: &'a [Id],
    /// How much a place in it counts.
    pub weight: f64,
}

/// A thing and how well it fits; it compares within one answer only.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fused<Id> {
    /// The thing.
    pub id: Id,
    /// Greater is better.
    pub score: f64,
}

/// At most `limit` things of all rankings, best first. Equal ones come in the order of their ids.
pub fn fuse<Id: Copy + Eq + Hash + Ord>(rankings: &[Ranking<'_, Id>], limit: usize) -> Vec<Fused<Id>> {
    let mut scores: HashMap<Id, f64> = HashMap::new();
    for ranking in rankings {
        let mut place = RANK_OFFSET;
        for id in ranking.best_first {
            place += 1.0;
            *scores.entry(*id).or_default() += ranking.weight / place;
        }
    }
    let mut fused: Vec<_> = scores.into_iter().map(|(id, score)| Fused { id, score }).collect();
    fused.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.id.cmp(&b.id)));
    fused.truncate(limit);
    fused
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(rankings: &[(&[u32], f64)], limit: usize) -> Vec<u32> {
        let rankings: Vec<_> =
            rankings.iter().map(|(best_first, weight)| Ranking { best_first, weight: *weight }).collect();
        fuse(&rankings, limit).into_iter().map(|fused| fused.id).collect()
    }

    #[test]
    fn what_both_find_comes_before_what_one_finds() {
        assert_eq!(order(&[(&[1, 2, 3], 1.0), (&[4, 2, 5], 1.0)], 9), [2, 1, 4, 3, 5]);
    }

    #[test]
    fn one_ranking_keeps_its_order_and_none_gives_nothing() {
        assert_eq!(order(&[(&[7, 3, 9], 1.0), (&[], 1.0)], 9), [7, 3, 9]);
        assert!(order(&[(&[], 1.0)], 9).is_empty());
        assert!(order(&[], 9).is_empty());
    }

    #[test]
    fn the_heavier_ranking_decides_and_equal_things_come_by_id() {
        assert_eq!(order(&[(&[1, 2], 1.0), (&[2, 1], 2.0)], 9), [2, 1]);
        assert_eq!(order(&[(&[2, 1], 1.0), (&[1, 2], 1.0)], 9), [1, 2]);
    }

    #[test]
    fn no_more_than_the_limit_comes_out() {
        assert_eq!(order(&[(&[1, 2, 3], 1.0)], 2), [1, 2]);
        assert!(order(&[(&[1, 2, 3], 1.0)], 0).is_empty());
    }

    #[test]
    fn the_score_is_the_sum_of_weights_over_places() {
        let rankings =
            [Ranking { best_first: &[5], weight: 1.0 }, Ranking { best_first: &[6, 5], weight: 3.0 }];
        let fused = fuse(&rankings, 1);
        assert_eq!(fused, [Fused { id: 5, score: 1.0 / 2.0 + 3.0 / 3.0 }]);
    }
}
