//! The documents' vectors follow a real store.

use std::sync::Arc;
use std::time::Duration;

use chassis::Metrics;

use super::*;
use crate::embed::Vector;
use crate::store::{
    Collection, CollectionMade, CollectionName, DocumentKey, EmbedderKind, Metadata, NewCollection,
    NewDocument, Origin, SqliteOptions, SqliteStore, StoreMetrics, StoreThreads,
};
use crate::testing::Directory;
use crate::vector::{Builders, BuildersOptions, VectorMetrics};

/// Longer than a handful of documents takes.
const WITHIN: Duration = Duration::from_secs(30);

fn open_store(directory: &Directory) -> (Store, StoreThreads) {
    let options = SqliteOptions { data_dir: directory.path().join("store"), size_bytes_max: None };
    let (store, threads) = SqliteStore::open(&options, StoreMetrics::new(&Metrics::new())).unwrap();
    (Arc::new(store), threads)
}

fn follow(store: &Store, directory: &Directory) -> DocumentVectors {
    let builders = Builders::start(BuildersOptions::default()).unwrap();
    DocumentVectors::start(
        store,
        &directory.path().join("vectors"),
        &builders,
        VectorMetrics::new(&Metrics::new()).documents,
    )
    .unwrap()
}

fn origin() -> Origin {
    Origin { actor: "ada".into(), traceparent: None }
}

async fn made(store: &Store, name: &str) -> Collection {
    let name = CollectionName::new(name).unwrap();
    let collection =
        NewCollection { name, embedder: EmbedderKind::Caller, model: "mine".into(), dimension: 2 };
    let written = store.create_collection(collection, origin()).await.unwrap();
    let CollectionMade::New(collection) = written.outcome else { panic!("{written:?}") };
    collection
}

/// Documents named after their vector's direction.
async fn put(store: &Store, collection: &Collection, vectors: &[(&str, Option<[f32; 2]>)]) {
    let document = |(name, vector): &(&str, Option<[f32; 2]>)| NewDocument {
        key: DocumentKey::new(name).unwrap(),
        content: "text".into(),
        metadata: Metadata::default(),
        vector: vector.map(|vector| Vector::new(vector.to_vec()).unwrap()),
    };
    let documents = vectors.iter().map(document).collect();
    store.put_documents(collection.id, documents, origin()).await.unwrap().outcome.unwrap();
}

async fn exact(vectors: &DocumentVectors, store: &Store) {
    let newest = store.snapshot().revision;
    let mut exact = vectors.exact();
    let at = exact.wait_for(|exact| exact.as_ref().is_some_and(|exact| exact.revision == newest));
    tokio::time::timeout(WITHIN, at).await.expect("it does not catch up").unwrap();
}

fn found(vectors: &DocumentVectors, collection: &Collection, query: [f32; 2]) -> Vec<u64> {
    let found = vectors.index(collection.id).expect("it has no index").search(&query, 10, None).unwrap();
    found.into_iter().map(|(key, _)| key).collect()
}

async fn finish(vectors: DocumentVectors) {
    tokio::task::spawn_blocking(move || vectors.finish()).await.unwrap();
}

const EAST: [f32; 2] = [1.0, 0.0];
const NORTH: [f32; 2] = [0.0, 1.0];

#[tokio::test(flavor = "multi_thread")]
async fn each_collection_has_its_own_documents_through_changes_and_restarts() {
    let directory = Directory::new();
    let (store, _threads) = open_store(&directory);
    let vectors = follow(&store, &directory);
    let (maps, books) = (made(&store, "maps").await, made(&store, "books").await);
    put(&store, &maps, &[("east", Some(EAST)), ("north", Some([0.0, 7.0]))]).await;
    put(&store, &books, &[("third", Some(NORTH)), ("without", None)]).await;
    exact(&vectors, &store).await;
    assert_eq!(found(&vectors, &maps, EAST), [1, 2]);
    assert_eq!(found(&vectors, &maps, NORTH), [2, 1]);
    assert_eq!(found(&vectors, &books, EAST), [3]);

    store.delete_documents(maps.id, vec![DocumentKey::new("east").unwrap()], origin()).await.unwrap();
    put(&store, &books, &[("third", None), ("without", Some(EAST))]).await;
    exact(&vectors, &store).await;
    assert_eq!(found(&vectors, &maps, EAST), [2]);
    assert_eq!(found(&vectors, &books, EAST), [4]);
    finish(vectors).await;

    // What changed while nobody followed.
    store.delete_collection(maps.made_as.name.clone(), origin()).await.unwrap();
    put(&store, &books, &[("fifth", Some(NORTH))]).await;
    let vectors = follow(&store, &directory);
    exact(&vectors, &store).await;
    assert!(vectors.index(maps.id).is_none());
    assert_eq!(found(&vectors, &books, EAST), [4, 5]);
    finish(vectors).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_whose_index_is_damaged_is_filled_alone() {
    let directory = Directory::new();
    let (store, _threads) = open_store(&directory);
    let (maps, books) = (made(&store, "maps").await, made(&store, "books").await);
    put(&store, &maps, &[("east", Some(EAST))]).await;
    put(&store, &books, &[("north", Some(NORTH))]).await;
    let vectors = follow(&store, &directory);
    exact(&vectors, &store).await;
    let kept = vectors.index(books.id).unwrap().position();
    finish(vectors).await;

    let path = |collection: &Collection, file: &str| {
        directory.path().join(format!("vectors/{}/{file}", collection.id.0))
    };
    std::fs::write(path(&maps, "manifest.json"), "{}").unwrap();
    for _ in 0..2 {
        let vectors = follow(&store, &directory);
        exact(&vectors, &store).await;
        assert_eq!(found(&vectors, &maps, EAST), [1]);
        assert_eq!(found(&vectors, &books, EAST), [2]);
        assert_eq!(vectors.index(books.id).unwrap().position(), kept);
        finish(vectors).await;
        // The next time without any position: all is taken again.
        std::fs::write(directory.path().join("vectors/followed.json"), "{}").unwrap();
    }
}
