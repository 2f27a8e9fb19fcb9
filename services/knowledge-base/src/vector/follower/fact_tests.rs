//! The facts' vectors follow a real store.

use std::sync::Arc;
use std::time::Duration;

use chassis::Metrics;

use super::*;
use crate::embed::StaticTable;
use crate::grammar::parse;
use crate::store::{
    Confidence, Context, FactId, NewFact, Origin, SqliteOptions, SqliteStore, StoreMetrics, StoreThreads,
};
use crate::testing::Directory;
use crate::vector::{Builders, BuildersOptions, Options, VectorIndex, VectorMetrics};

/// Longer than a handful of facts takes.
const WITHIN: Duration = Duration::from_secs(30);

fn open_store(directory: &Directory) -> (Store, StoreThreads) {
    let options = SqliteOptions { data_dir: directory.path().join("store"), size_bytes_max: None };
    let (store, threads) = SqliteStore::open(&options, StoreMetrics::new(&Metrics::new())).unwrap();
    (Arc::new(store), threads)
}

fn follow(store: &Store, directory: &Directory) -> FactVectors {
    let builders = Builders::start(BuildersOptions::default()).unwrap();
    FactVectors::start(
        store,
        &directory.path().join("vectors"),
        &builders,
        VectorMetrics::new(&Metrics::new()).facts,
    )
    .unwrap()
}

fn fact(text: &str) -> NewFact {
    NewFact::new(&parse(text).unwrap(), Context::default(), Confidence::DEFAULT)
}

fn origin() -> Origin {
    Origin { actor: "ada".into(), traceparent: None }
}

async fn exact_at(vectors: &FactVectors, revision: Revision) -> Position {
    let mut exact = vectors.exact();
    let at = exact.wait_for(|exact| exact.as_ref().is_some_and(|exact| exact.revision == revision));
    tokio::time::timeout(WITHIN, at).await.expect("it does not catch up").unwrap().clone().unwrap()
}

fn nearest(vectors: &FactVectors, text: &str) -> Vec<u64> {
    let query = StaticTable::built_in().embed_text(text).unwrap();
    let found = vectors.index().search(&query, 10, None).unwrap();
    found.into_iter().map(|(key, _)| key).collect()
}

async fn finish(vectors: FactVectors) {
    tokio::task::spawn_blocking(move || vectors.finish()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_are_found_by_meaning_as_soon_as_the_index_is_exact() {
    let directory = Directory::new();
    let (store, _threads) = open_store(&directory);
    let vectors = follow(&store, &directory);
    store.add(fact("IsA(dog, animal)"), origin()).await.unwrap();
    store.add(fact("Orbits(moon, earth)"), origin()).await.unwrap();
    let revision = store.snapshot().revision;
    let position = exact_at(&vectors, revision).await;
    assert_eq!(position.epoch, store.snapshot().epoch);
    assert_eq!(nearest(&vectors, "a puppy is a kind of pet")[0], 1);
    assert_eq!(nearest(&vectors, "planets and satellites")[0], 2);

    store.update(FactId(1), fact("Orbits(satellite, planet)"), origin()).await.unwrap();
    let deleted = store.delete(FactId(2), origin()).await.unwrap();
    exact_at(&vectors, deleted.revision).await;
    assert_eq!(nearest(&vectors, "planets and satellites"), [1]);
    finish(vectors).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_applied_is_there_at_the_next_start_and_damage_is_built_again() {
    let directory = Directory::new();
    let (store, _threads) = open_store(&directory);
    let facts = (0..900).map(|number| fact(&format!("Number(animal_{number}, dog)"))).collect();
    let batch = store.send_batch(facts, origin()).await.unwrap().written().await.unwrap();
    let vectors = follow(&store, &directory);
    exact_at(&vectors, batch.revision).await;
    finish(vectors).await;

    let vectors = follow(&store, &directory);
    assert_eq!(vectors.index().position().unwrap().revision, batch.revision, "nothing was kept");
    exact_at(&vectors, batch.revision).await;
    assert_eq!(vectors.index().len(), 900);
    finish(vectors).await;

    let manifest = directory.path().join("vectors/manifest.json");
    std::fs::write(&manifest, "{}").unwrap();
    let vectors = follow(&store, &directory);
    exact_at(&vectors, batch.revision).await;
    assert_eq!(vectors.index().len(), 900);
    finish(vectors).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_of_another_history_is_built_again() {
    let directory = Directory::new();
    let (store, _threads) = open_store(&directory);
    store.add(fact("IsA(dog, animal)"), origin()).await.unwrap();
    // A history in which there is a fact that this store never had.
    let foreign = Position { epoch: Epoch::kept("elsewhere"), revision: Revision(1) };
    let table = StaticTable::built_in();
    let options = Options::new(&table.model().id, table.model().dimension);
    let builders = Builders::start(BuildersOptions::default()).unwrap();
    let index = VectorIndex::open(&directory.path().join("vectors"), &options, &builders).unwrap();
    index.apply(&[(77, &table.embed_text("a moon").unwrap())], &[], &foreign).unwrap();
    index.close().unwrap();

    let vectors = follow(&store, &directory);
    exact_at(&vectors, Revision(1)).await;
    assert_eq!((vectors.index().len(), vectors.index().contains(77)), (1, false));
    finish(vectors).await;
}
