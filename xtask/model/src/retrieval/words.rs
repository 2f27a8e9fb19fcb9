//! Search by words: the knowledge base's own store, filled with the definitions as facts.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use chassis::Metrics;
use knowledge_base::grammar;
use knowledge_base::store::{
    BATCH_FACTS_MAX, Backend, Confidence, Context, NewFact, Origin, SqliteOptions, SqliteStore, StoreMetrics,
    TextQuery,
};
use tokio::runtime::Runtime;

use super::corpus::{Corpus, Query};

/// A store in a directory of its own, which goes with it.
pub struct WordIndex {
    runtime: Runtime,
    store: Arc<SqliteStore>,
    places: HashMap<String, u32>,
    directory: PathBuf,
}

impl WordIndex {
    /// Fills a new store.
    pub fn build(corpus: &Corpus) -> Result<Self> {
        let directory = std::env::temp_dir().join(format!("bywash-retrieval-{}", std::process::id()));
        let options = SqliteOptions { data_dir: directory.clone(), size_bytes_max: None };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        // The store has a task of its own.
        let _inside = runtime.enter();
        let (store, _threads) = SqliteStore::open(&options, StoreMetrics::new(&Metrics::new()))?;
        let origin = Origin { actor: "local".to_owned(), traceparent: None };
        let mut places = HashMap::new();
        for (first, batch) in (0..).step_by(BATCH_FACTS_MAX).zip(corpus.definitions.chunks(BATCH_FACTS_MAX)) {
            let mut facts = Vec::with_capacity(batch.len());
            for (place, definition) in (first..).zip(batch) {
                let fact = grammar::parse(&definition.statement()).context("a gloss is a fact")?;
                let fact = NewFact::new(&fact, Context::default(), Confidence::DEFAULT);
                places.insert(fact.statement().to_owned(), place);
                facts.push(fact);
            }
            let origin = origin.clone();
            runtime.block_on(async { store.send_batch(facts, origin).await?.written().await })?;
        }
        Ok(Self { runtime, store: Arc::new(store), places, directory })
    }

    /// For each query the places of the `count` best definitions, best first.
    pub fn rank(&self, queries: &[Query], count: usize) -> Result<Vec<Vec<u32>>> {
        let rank = |query: &Query| -> Result<Vec<u32>> {
            let Some(words) = TextQuery::parse(&query.text) else { return Ok(Vec::new()) };
            let seen = self.runtime.block_on(self.store.search(words, None, count))?;
            Ok(seen.value.iter().filter_map(|hit| self.places.get(&hit.found.statement).copied()).collect())
        };
        queries.iter().map(rank).collect()
    }
}

impl Drop for WordIndex {
    fn drop(&mut self) {
        // What stays in the temporary directory does no harm.
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
