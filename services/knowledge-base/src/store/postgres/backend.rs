//! What every store promises, kept by queries of this folder: each on the connections that it belongs to.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{mpsc, watch};

use super::super::backend::{
    Added, BATCH_FACTS_MAX, Backend, CollectionMade, DeltaAnswer, DocumentRow, DocumentsPut, Export, FactRow,
    Filter, Hit, Leadership, Seen, SentBatch, Updated, Written,
};
use super::super::documents::{
    Collection, CollectionId, CollectionName, DocumentId, DocumentKey, MetadataFilter, NewCollection,
    NewDocument, StoredDocument,
};
use super::super::error::{ReadError, WriteError};
use super::super::model::{
    Change, Confidence, Digest, FactId, NewFact, Origin, Revision, Snapshot, StoredFact, UnixMillis,
};
use super::super::text::TextQuery;
use super::facts::Addition;
use super::job::Job;
use super::pool::Reading;
use super::{PostgresStore, delta, document_queries, documents, fact_queries, facts, leader, log};

/// Facts that an export reads and hands on at a time.
const EXPORT_CHUNK: usize = 256;

/// Chunks of an export that wait to be sent: what one takes of memory, some 100 KiB.
const EXPORT_CHUNKS_AHEAD: usize = 2;

/// An export whose client takes nothing for that long is ended: its transaction keeps dead rows from being freed.
const EXPORT_STALL_MAX: Duration = Duration::from_secs(30);

/// As is one that takes longer than that in all: half a million facts take seconds, and a slow line some minutes.
const EXPORT_TIME_MAX: Duration = Duration::from_secs(600);

#[async_trait]
impl Backend for PostgresStore {
    fn watch(&self) -> watch::Receiver<Snapshot> {
        self.state.watch()
    }

    async fn failed(&self) {
        tokio::select! {
            () = self.writes.closed() => {}
            () = self.index.failed() => {}
        }
    }

    async fn lead(&self) -> Leadership {
        leader::lead(&self.connector).await
    }

    async fn add(&self, fact: NewFact, origin: Origin) -> Result<Written<Added>, WriteError> {
        self.write_addition(Addition::new(vec![fact], origin, true), |done| done.first).await
    }

    async fn send_batch(&self, facts: Vec<NewFact>, origin: Origin) -> Result<SentBatch, WriteError> {
        debug_assert!(facts.len() <= BATCH_FACTS_MAX);
        let addition = Addition::new(facts, origin, false);
        self.write_batch(|turn| Job::adding(Some(turn), addition, |done| done.batch)).await.map(SentBatch)
    }

    async fn update(
        &self,
        id: FactId,
        fact: NewFact,
        origin: Origin,
    ) -> Result<Written<Updated>, WriteError> {
        self.write(move |transaction| {
            Box::pin(async move { facts::update(transaction, id, &fact, &origin).await })
        })
        .await
    }

    async fn delete(&self, id: FactId, origin: Origin) -> Result<Written<Option<StoredFact>>, WriteError> {
        self.write(move |transaction| Box::pin(async move { facts::delete(transaction, id, &origin).await }))
            .await
    }

    async fn create_collection(
        &self,
        collection: NewCollection,
        origin: Origin,
    ) -> Result<Written<CollectionMade>, WriteError> {
        self.write(move |transaction| {
            Box::pin(async move { documents::create_collection(transaction, &collection, &origin).await })
        })
        .await
    }

    async fn delete_collection(
        &self,
        name: CollectionName,
        origin: Origin,
    ) -> Result<Written<Option<Collection>>, WriteError> {
        let written = self
            .write(move |transaction| {
                Box::pin(async move { documents::delete_collection(transaction, &name, &origin).await })
            })
            .await?;
        self.sweeper.wake();
        Ok(written)
    }

    async fn put_documents(
        &self,
        collection: CollectionId,
        documents: Vec<NewDocument>,
        origin: Origin,
    ) -> Result<Written<Option<DocumentsPut>>, WriteError> {
        let job = |turn| {
            Job::new(Some(turn), move |transaction| {
                Box::pin(async move { documents::put(transaction, collection, &documents, &origin).await })
            })
        };
        self.write_batch(job).await?.await.unwrap_or(Err(WriteError::Closed))
    }

    async fn delete_documents(
        &self,
        collection: CollectionId,
        keys: Vec<DocumentKey>,
        origin: Origin,
    ) -> Result<Written<Option<u64>>, WriteError> {
        self.write(move |transaction| {
            Box::pin(async move { documents::delete(transaction, collection, &keys, &origin).await })
        })
        .await
    }

    async fn begin_epoch(&self) -> Result<Written<()>, WriteError> {
        self.write(|transaction| Box::pin(transaction.begin_epoch())).await
    }

    async fn note_stream_created(&self) -> Result<Written<()>, WriteError> {
        self.write(|transaction| {
            transaction.position.stream_created = true;
            Box::pin(async { Ok(()) })
        })
        .await
    }

    async fn trim_changes(&self, keep_from: Revision) -> Result<Written<usize>, WriteError> {
        self.write(move |transaction| Box::pin(log::trim(transaction, keep_from))).await
    }

    async fn fact(&self, id: FactId) -> Result<Seen<Option<StoredFact>>, ReadError> {
        let mut reading = self.reads.begin().await?;
        let fact = fact_queries::fact(&mut reading, id).await?;
        Ok(reading.seen(fact).await)
    }

    async fn facts(&self, ids: Vec<FactId>) -> Result<Seen<Vec<StoredFact>>, ReadError> {
        let mut reading = self.search_reads.begin().await?;
        let facts = fact_queries::facts(&mut reading, &ids).await?;
        Ok(reading.seen(facts).await)
    }

    async fn list(
        &self,
        filter: Filter,
        after: FactId,
        limit: usize,
    ) -> Result<Seen<Vec<StoredFact>>, ReadError> {
        let pool = if filter == Filter::default() { &self.reads } else { &self.search_reads };
        let mut reading = pool.begin().await?;
        let facts = fact_queries::list(&mut reading, &filter, after, limit).await?;
        Ok(reading.seen(facts).await)
    }

    async fn known(&self, facts: Vec<NewFact>) -> Result<Seen<Vec<bool>>, ReadError> {
        let mut reading = self.search_reads.begin().await?;
        let known = fact_queries::known(&mut reading, &facts).await?;
        Ok(reading.seen(known).await)
    }

    async fn search(
        &self,
        query: TextQuery,
        min_confidence: Option<Confidence>,
        limit: usize,
    ) -> Result<Seen<Vec<Hit<StoredFact>>>, ReadError> {
        self.search_facts(query, min_confidence, limit).await
    }

    async fn export(&self) -> Result<Export, ReadError> {
        let reading = self.exports.begin().await?;
        let (epoch, revision) = (reading.epoch.clone(), reading.revision);
        let (sender, chunks) = mpsc::channel(EXPORT_CHUNKS_AHEAD);
        tokio::spawn(async move {
            let exporting = tokio::time::timeout(EXPORT_TIME_MAX, export_to(reading, &sender)).await;
            if let Err(error) = exporting.unwrap_or(Err(ReadError::TooSlow)) {
                // A client that does not take the facts may not take this either.
                let _ = sender.try_send(Err(error));
            }
        });
        Ok(Export { revision, epoch, chunks })
    }

    async fn collections(&self) -> Result<Seen<Vec<Collection>>, ReadError> {
        let mut reading = self.reads.begin().await?;
        let collections = document_queries::collections(&mut reading).await?;
        Ok(reading.seen(collections).await)
    }

    async fn document(
        &self,
        collection: CollectionId,
        key: DocumentKey,
    ) -> Result<Seen<Option<StoredDocument>>, ReadError> {
        let mut reading = self.reads.begin().await?;
        let document = document_queries::document(&mut reading, collection, &key).await?;
        Ok(reading.seen(document).await)
    }

    async fn documents(
        &self,
        collection: CollectionId,
        ids: Vec<DocumentId>,
        filter: MetadataFilter,
    ) -> Result<Seen<Vec<StoredDocument>>, ReadError> {
        let mut reading = self.search_reads.begin().await?;
        let documents = document_queries::documents(&mut reading, collection, &ids, &filter).await?;
        Ok(reading.seen(documents).await)
    }

    async fn list_documents(
        &self,
        collection: CollectionId,
        filter: MetadataFilter,
        after: DocumentId,
        limit: usize,
    ) -> Result<Seen<Vec<StoredDocument>>, ReadError> {
        let pool = if filter.is_empty() { &self.reads } else { &self.search_reads };
        let mut reading = pool.begin().await?;
        let documents = document_queries::list(&mut reading, collection, &filter, after, limit).await?;
        Ok(reading.seen(documents).await)
    }

    async fn search_documents(
        &self,
        collection: CollectionId,
        query: TextQuery,
        filter: MetadataFilter,
        limit: usize,
    ) -> Result<Seen<Vec<Hit<StoredDocument>>>, ReadError> {
        self.search_texts(collection, query, filter, limit).await
    }

    async fn matching_documents(
        &self,
        collection: CollectionId,
        filter: MetadataFilter,
        limit: usize,
    ) -> Result<Seen<Option<Vec<DocumentId>>>, ReadError> {
        let mut reading = self.search_reads.begin().await?;
        let matching = document_queries::matching(&mut reading, collection, &filter, limit).await?;
        Ok(reading.seen(matching).await)
    }

    async fn fact_delta(
        &self,
        after: Revision,
        rows_max: usize,
    ) -> Result<Seen<DeltaAnswer<FactRow, FactId>>, ReadError> {
        let mut reading = self.follower_reads.begin_patiently().await?;
        let delta = delta::facts(&mut reading, after, rows_max).await?;
        Ok(reading.seen(delta).await)
    }

    async fn document_delta(
        &self,
        after: Revision,
        rows_max: usize,
    ) -> Result<Seen<DeltaAnswer<DocumentRow, DocumentId>>, ReadError> {
        let mut reading = self.follower_reads.begin_patiently().await?;
        let delta = delta::documents(&mut reading, after, rows_max).await?;
        Ok(reading.seen(delta).await)
    }

    async fn log(
        &self,
        from: Revision,
        rows_max: usize,
        bytes_max: usize,
    ) -> Result<Seen<Vec<Change>>, ReadError> {
        let mut reading = self.search_reads.begin().await?;
        let changes = log::changes(&mut reading, from, rows_max, bytes_max).await?;
        Ok(reading.seen(changes).await)
    }

    async fn changes(
        &self,
        from: Revision,
        rows_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Change>, ReadError> {
        let mut reading = self.relay_reads.begin_patiently().await?;
        let changes = log::changes(&mut reading, from, rows_max, bytes_max).await?;
        Ok(reading.seen(changes).await.value)
    }

    async fn digest(&self, revision: Revision) -> Result<Option<Digest>, ReadError> {
        let mut reading = self.relay_reads.begin_patiently().await?;
        let digest = log::digest(&mut reading, revision).await?;
        Ok(reading.seen(digest).await.value)
    }

    async fn oldest_change(&self, from: Revision) -> Result<Option<(Revision, UnixMillis)>, ReadError> {
        let mut reading = self.relay_reads.begin_patiently().await?;
        let oldest = log::oldest(&mut reading, from).await?;
        Ok(reading.seen(oldest).await.value)
    }

    async fn last_change_before(
        &self,
        from: Revision,
        moment: UnixMillis,
    ) -> Result<Option<Revision>, ReadError> {
        let mut reading = self.relay_reads.begin_patiently().await?;
        let last = log::last_before(&mut reading, from, moment).await?;
        Ok(reading.seen(last).await.value)
    }
}

/// Sends all facts of one moment, and an empty chunk after them.
async fn export_to(
    mut reading: Reading,
    sender: &mpsc::Sender<Result<Vec<StoredFact>, ReadError>>,
) -> Result<(), ReadError> {
    let (mut after, mut more) = (FactId(0), true);
    while more {
        let chunk = fact_queries::list(&mut reading, &Filter::default(), after, EXPORT_CHUNK).await?;
        more = !chunk.is_empty();
        after = chunk.last().map_or(after, |fact| fact.id);
        let sending = tokio::time::timeout(EXPORT_STALL_MAX, sender.send(Ok(chunk)));
        if !matches!(sending.await, Ok(Ok(()))) {
            return Err(ReadError::TooSlow);
        }
    }
    reading.seen(()).await;
    Ok(())
}
