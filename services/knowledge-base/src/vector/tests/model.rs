//! The index against a map that is searched by looking at everything.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::vector::half::{self, Half};

const DIMENSION: usize = 6;

#[derive(Debug, Clone)]
enum Step {
    /// Numbers of vectors for keys, and keys that go.
    Apply(Vec<(u64, u64)>, Vec<u64>),
    /// All that waits gets a graph.
    Relieve,
    /// All building ends.
    Settle,
    Persist,
    /// All is to be told again.
    Clear,
    /// An orderly end and a start.
    Reopen,
    /// An end without a word, and a start; what was not persisted is gone.
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = 0..60u64;
    let step = prop_oneof![
        6 => (prop::collection::vec((key.clone(), 0..1000u64), 0..24), prop::collection::vec(key, 0..6))
            .prop_map(|(upserts, removed)| Step::Apply(upserts, removed)),
        1 => Just(Step::Relieve),
        2 => Just(Step::Settle),
        2 => Just(Step::Persist),
        1 => Just(Step::Clear),
        1 => Just(Step::Reopen),
        1 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 1..24)
}

/// As the index rounds it.
fn rounded(vector: &[f32]) -> Vec<Half> {
    let mut half = Vec::new();
    half::append(vector, &mut half);
    half
}

type Model = BTreeMap<u64, u64>;

fn expected(model: &Model, query: &[f32]) -> Vec<(u64, f32)> {
    let query = rounded(query);
    let score = |number: u64| half::dot(&rounded(&vector(number, DIMENSION)), &query);
    let mut all: Vec<(u64, f32)> = model.iter().map(|(key, number)| (*key, score(*number))).collect();
    all.sort_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
    all
}

/// The same keys with the same scores, in an order that the scores allow.
fn assert_same(found: &[(u64, f32)], expected: &[(u64, f32)]) {
    let sorted = |of: &[(u64, f32)]| of.iter().map(|(key, score)| (*key, *score)).collect::<BTreeMap<_, _>>();
    let (by_key, wanted) = (sorted(found), sorted(expected));
    assert_eq!(found.len(), expected.len(), "found {found:?}, expected {expected:?}");
    assert_eq!(by_key.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>());
    for (key, score) in &by_key {
        assert!((score - wanted[key]).abs() < 1e-5, "{key} scores {score} instead of {}", wanted[key]);
    }
    assert!(found.is_sorted_by(|left, right| left.1 >= right.1), "{found:?}");
}

fn check(index: &VectorIndex, model: &Model, query: &[f32]) {
    let wanted = expected(model, query);
    assert_eq!(index.len(), model.len());
    assert_same(&index.search(query, model.len() + 5, None).unwrap(), &wanted);
    assert_same(&index.exact_search(query, model.len(), None).unwrap(), &wanted);

    let odd = |key: u64| key % 2 == 1;
    let odd_wanted: Vec<_> = wanted.iter().copied().filter(|(key, _)| odd(*key)).collect();
    assert_same(&index.search(query, model.len(), Some(&odd)).unwrap(), &odd_wanted);

    // Few enough for the graph: what comes is live and scored right, and as many as asked for.
    let best = index.search(query, 2, None).unwrap();
    assert_eq!(best.len(), model.len().min(2));
    for (key, score) in best {
        let (_, wanted) =
            wanted.iter().find(|(wanted, _)| *wanted == key).expect("it is no key of the model");
        assert!((score - wanted).abs() < 1e-5);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_index_answers_as_a_map_would_through_merges_restarts_and_crashes(steps in steps(), query in 0..1000u64) {
        let directory = Directory::new();
        let builders = builders();
        let options = small(DIMENSION);
        let open = || VectorIndex::open(directory.path(), &options, &builders).unwrap();
        let query = vector(query, DIMENSION);
        let mut index = open();
        let (mut model, mut kept) = (Model::new(), (Model::new(), None));
        for (revision, step) in (1..).zip(steps) {
            match step {
                Step::Apply(upserts, removed) => {
                    let vectors: Vec<_> =
                        upserts.iter().map(|(key, number)| (*key, vector(*number, DIMENSION))).collect();
                    let upserts_by_key: Vec<(u64, &[f32])> =
                        vectors.iter().map(|(key, vector)| (*key, vector.as_slice())).collect();
                    // Twice, as a follower may that was told to stop in between.
                    for _ in 0..2 {
                        index.apply(&upserts_by_key, &removed, &at(revision)).unwrap();
                    }
                    model.retain(|key, _| !removed.contains(key));
                    model.extend(upserts);
                }
                Step::Relieve => index.inner.relieve(),
                Step::Settle => assert!(index.wait_until_built(BUILT_WITHIN)),
                Step::Clear => {
                    index.clear();
                    model.clear();
                    assert_eq!(index.position(), None);
                }
                // Without a position there is nothing to persist.
                Step::Persist => if index.persist().unwrap().is_some() {
                    kept = (model.clone(), index.position());
                }
                Step::Reopen => {
                    let closed = index.close().unwrap();
                    index = open();
                    match closed {
                        Some(_) => kept = (model.clone(), closed),
                        None => model = kept.0.clone(),
                    }
                    assert_eq!(index.position(), kept.1);
                }
                Step::Crash => {
                    drop(index);
                    index = open();
                    model = kept.0.clone();
                    assert_eq!(index.position(), kept.1);
                }
            }
            check(&index, &model, &query);
        }
    }
}
