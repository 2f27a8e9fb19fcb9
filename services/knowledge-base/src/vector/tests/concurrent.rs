//! Searches while others apply, build and merge.

use std::sync::atomic::AtomicBool;

use super::*;

const KEYS: u64 = 40;
const DIMENSION: usize = 4;
const REVISIONS: u64 = 150;

/// Every revision turns all vectors by the same angle, so that a search tells which revision each of its keys is of.
fn turned(revision: u64) -> Vec<f32> {
    #[allow(clippy::cast_precision_loss, reason = "a few hundred")]
    let angle = revision as f32 / REVISIONS as f32;
    vec![angle.cos(), angle.sin(), 0.0, 0.0]
}

#[test]
fn a_search_sees_all_of_one_revision_whatever_is_being_built() {
    let directory = Directory::new();
    let index = VectorIndex::open(directory.path(), &small(DIMENSION), &builders()).unwrap();
    let apply = |revision: u64| {
        let vector = turned(revision);
        let upserts: Vec<(u64, &[f32])> = (0..KEYS).map(|key| (key, vector.as_slice())).collect();
        index.apply(&upserts, &[], &at(revision)).unwrap();
    };
    apply(1);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let searchers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let (mut searches, mut scores) = (0, std::collections::BTreeSet::new());
                    while !done.load(Ordering::Acquire) {
                        let found = index.search(&[0.0, 1.0, 0.0, 0.0], 100, None).unwrap();
                        let mut found_keys = keys(&found);
                        found_keys.sort_unstable();
                        assert_eq!(found_keys, (0..KEYS).collect::<Vec<_>>());
                        let (first, last) = (found[0].1, found[found.len() - 1].1);
                        assert!((first - last).abs() < 1e-6, "of two revisions: {first} and {last}");
                        searches += 1;
                        scores.insert(first.to_bits());
                    }
                    (searches, scores.len())
                })
            })
            .collect();
        for revision in 2..=REVISIONS {
            apply(revision);
            if revision % 10 == 0 {
                assert!(index.wait_until_built(BUILT_WITHIN));
                index.persist().unwrap();
            }
        }
        done.store(true, Ordering::Release);
        for searcher in searchers {
            let (searches, revisions) = searcher.join().unwrap();
            assert!(searches > 0 && revisions > 1, "{searches} searches saw {revisions} revisions");
        }
    });
    assert!(index.wait_until_built(BUILT_WITHIN));
    assert_eq!(index.position(), Some(at(REVISIONS)));
}
