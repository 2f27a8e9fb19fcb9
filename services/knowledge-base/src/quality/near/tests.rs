//! Near duplicates in a real store with real vectors, against looking at all pairs.

use std::collections::BTreeSet;

use chassis::Metrics;

use super::*;
use crate::search::Vectors;
use crate::testing::Directory;
use crate::store::{Confidence, Context, NewFact, Origin, SqliteOptions, SqliteStore, StoreMetrics};

/// Far beyond what anything here takes.
const DEADLINE: Duration = Duration::from_secs(60);

const STATEMENTS: [&str; 14] = [
    "LivesIn(Ada_Lovelace, London)",
    "LivesIn(Ada_Lovelcae, London)",
    "Lives_In(\"Ada Lovelace\", London)",
    "livesin(ada_lovelace, london)",
    "-LivesIn(Ada_Lovelace, London)",
    "HasColour(sky, blue)",
    "HasColor(sky, blue)",
    "Hypernym(dog_n_1, canine_n_2)",
    "Hypernym(dog_n_2, canine_n_2)",
    "Weighs(elephant, Q(4000, kilogram))",
    "Weighs(elephants, Q(4e3, kilograms))",
    "Parent(elephant, giraffe)",
    "Parent(giraffe, elephant)",
    "P(n02086723)",
];

struct Started {
    near: NearDuplicates,
    vectors: Vectors,
    _directory: Directory,
}

/// A store with the facts, and their vectors.
async fn started() -> Started {
    let directory = Directory::new();
    let options = SqliteOptions { data_dir: directory.path().to_owned(), size_bytes_max: None };
    let (store, _threads) = SqliteStore::open(&options, StoreMetrics::new(&Metrics::new())).unwrap();
    let store: Store = Arc::new(store);
    let new = |text: &&str| NewFact::new(&parse(text).unwrap(), Context::default(), Confidence::DEFAULT);
    let sent = store.send_batch(STATEMENTS.iter().map(new).collect(), Origin::default()).await.unwrap();
    let revision = sent.written().await.unwrap().revision;
    let vectors = Vectors::start(&store, &directory.path().join("vectors"), &Metrics::new()).unwrap();
    let mut exact = vectors.exact(CollectionId::FACTS).unwrap();
    let there =
        exact.wait_for(|position| position.as_ref().is_some_and(|position| position.revision >= revision));
    drop(tokio::time::timeout(DEADLINE, there).await.expect("the vectors follow").unwrap());
    let near = NearDuplicates::new(store, Arc::new(vectors.clone()));
    Started { near, vectors, _directory: directory }
}

/// All pages; the pairs, and how many pages there were.
async fn all(near: &NearDuplicates, limit: usize, threshold: f64) -> (Vec<(u64, u64)>, usize) {
    let (mut pairs, mut after, mut pages) = (Vec::new(), FactId(0), 0);
    loop {
        let page = near.page(NearQuestion { after, limit, threshold }).await.unwrap();
        pages += 1;
        pairs.extend(page.pairs.iter().map(|pair| (pair.first.id.0, pair.second.id.0)));
        assert!(page.pairs.iter().all(|pair| (threshold..=1.0).contains(&pair.similarity)), "{page:?}");
        assert!(page.upto > after && page.revision == Revision(1), "{page:?}");
        if !page.more {
            return (pairs, pages);
        }
        after = page.upto;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_any_size_tell_each_pair_once_that_looking_at_all_pairs_finds() {
    let started = started().await;
    let facts = STATEMENTS.map(|text| parse(text).unwrap());
    let mut expected = BTreeSet::new();
    for (second, other) in (1..).zip(&facts) {
        for (first, fact) in (1..second).zip(&facts) {
            if Folded::new(fact) != Folded::new(other) && likeness(fact, other, 0.8).is_some() {
                expected.insert((first, second));
            }
        }
    }
    assert!([(1, 2), (6, 7), (10, 11)].iter().all(|pair| expected.contains(pair)), "{expected:?}");
    assert!(![(1, 4), (1, 5), (8, 9), (12, 13)].iter().any(|pair| expected.contains(pair)), "{expected:?}");
    let mut pages_before = usize::MAX;
    for limit in [1, 2, 100] {
        let (pairs, pages) = all(&started.near, limit, 0.8).await;
        assert_eq!(pairs.iter().copied().collect::<BTreeSet<_>>(), expected, "{limit} a page");
        assert_eq!(pairs.len(), expected.len(), "each once: {pairs:?}");
        assert!(pages < pages_before, "{pages} pages of {limit}");
        pages_before = pages;
    }
    started.vectors.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_one_page_at_a_time_and_the_last_one_is_empty_at_the_end() {
    let started = started().await;
    let question = NearQuestion { after: FactId(0), limit: 100, threshold: 0.8 };
    let turn = started.near.pages.try_acquire().unwrap();
    assert!(matches!(started.near.page(question).await, Err(NearError::Busy)));
    drop(turn);
    let page = started.near.page(question).await.unwrap();
    assert_eq!((page.upto, page.more), (FactId(14), false));
    let end = started.near.page(NearQuestion { after: page.upto, ..question }).await.unwrap();
    assert_eq!((end.pairs, end.upto, end.more), (vec![], page.upto, false));
    started.vectors.finish();
}
