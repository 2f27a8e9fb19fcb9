//! Figures for decision 018: `cargo nextest run -p knowledge-base --run-ignored only --no-capture measured`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chassis::Metrics;

use super::super::conformance::{batch, fact, origin};
use super::super::{SqliteOptions, SqliteStore, Store, StoreMetrics};
use super::testing::Database;
use crate::testing::Directory;

/// How long each figure is measured.
const TIME: Duration = Duration::from_secs(4);

static NEXT: AtomicU64 = AtomicU64::new(0);

fn next() -> String {
    format!("Measured(fact{}, \"a short text of some words\")", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Posts single facts with `writers` at once, spread over the stores.
async fn singles(what: &str, stores: &[Store], writers: usize) {
    let end = Instant::now() + TIME;
    let tasks: Vec<_> = (0..writers)
        .map(|writer| {
            let store = stores[writer % stores.len()].clone();
            tokio::spawn(async move {
                let mut took = Vec::new();
                while Instant::now() < end {
                    let started = Instant::now();
                    store.add(fact(&next()), origin()).await.unwrap();
                    took.push(started.elapsed());
                }
                took
            })
        })
        .collect();
    let mut took = Vec::new();
    for task in tasks {
        took.extend(task.await.unwrap());
    }
    took.sort_unstable();
    let at = |share: usize| took[took.len() * share / 100];
    let rate = took.len() as f64 / TIME.as_secs_f64();
    println!("{what}, {writers} writers: {rate:.0} facts/s, p50 {:.1?}, p99 {:.1?}", at(50), at(99));
}

/// Imports batches of a thousand, four at once on each store.
async fn imports(what: &str, stores: &[Store]) {
    let end = Instant::now() + TIME;
    let tasks: Vec<_> = (0..4 * stores.len())
        .map(|importer| {
            let store = stores[importer % stores.len()].clone();
            tokio::spawn(async move {
                let mut added = 0;
                while Instant::now() < end {
                    added += batch(&*store, (0..1000).map(|_| fact(&next())).collect()).await.outcome.added;
                }
                added
            })
        })
        .collect();
    let mut added = 0;
    for task in tasks {
        added += task.await.unwrap();
    }
    println!("{what}, batches: {:.0} facts/s", added as f64 / TIME.as_secs_f64());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it measures: run it by name, alone"]
async fn commits_are_measured() {
    let directory = Directory::new();
    let options = SqliteOptions { data_dir: directory.path().to_owned(), size_bytes_max: None };
    let (sqlite, _threads) = SqliteStore::open(&options, StoreMetrics::new(&Metrics::new())).unwrap();
    let database = Database::new();
    let (here, there) = (Directory::new(), Directory::new());
    let (one, _) = database.replica(&here).await;
    let one: Store = one;
    let stores: [(&str, Vec<Store>); 2] =
        [("SQLite", vec![Arc::new(sqlite)]), ("PostgreSQL, 1 replica", vec![one.clone()])];
    for (what, stores) in &stores {
        for writers in [1, 8, 64] {
            singles(what, stores, writers).await;
        }
        imports(what, stores).await;
    }
    let (two, _) = database.replica(&there).await;
    let both: Vec<Store> = vec![one, two];
    for writers in [2, 8, 64] {
        singles("PostgreSQL, 2 replicas", &both, writers).await;
    }
    imports("PostgreSQL, 2 replicas", &both).await;
}
