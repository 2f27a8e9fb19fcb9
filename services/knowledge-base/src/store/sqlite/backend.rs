//! What every store promises, kept by queries of this folder: each on the threads that it belongs to.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use rusqlite::Connection;
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
    Change, Confidence, Digest, Epoch, FactId, NewFact, Origin, Revision, Snapshot, StoredFact, UnixMillis,
};
use super::super::text::TextQuery;
use super::position::{self, Position};
use super::{
    READ_TIME_MAX, SqliteStore, delta, document_queries, documents, fact_queries, facts, log, read_error,
    reader, refused,
};

/// Facts that an export hands on at a time.
const EXPORT_CHUNK: usize = 256;

/// Chunks of an export that wait to be sent: what one takes of memory, some 100 KiB.
const EXPORT_CHUNKS_AHEAD: usize = 2;

/// An export whose client takes nothing for that long is ended: its transaction keeps the log from being emptied.
const EXPORT_STALL_MAX: Duration = Duration::from_secs(30);

/// As is one that takes longer than that in all: half a million facts take seconds, and a slow line some minutes.
const EXPORT_TIME_MAX: Duration = Duration::from_secs(600);

#[async_trait]
impl Backend for SqliteStore {
    fn watch(&self) -> watch::Receiver<Snapshot> {
        self.snapshot.clone()
    }

    async fn failed(&self) {
        tokio::select! {
            () = self.writes.closed() => {}
            () = self.reads.closed() => {}
            () = self.search_reads.closed() => {}
            () = self.relay_reads.closed() => {}
            () = self.follower_reads.closed() => {}
            () = self.exports.closed() => {}
        }
    }

    async fn lead(&self) -> Leadership {
        Leadership::forever()
    }

    async fn add(&self, fact: NewFact, origin: Origin) -> Result<Written<Added>, WriteError> {
        self.write(move |connection, position| facts::add_one(connection, position, &fact, &origin)).await
    }

    async fn send_batch(&self, facts: Vec<NewFact>, origin: Origin) -> Result<SentBatch, WriteError> {
        debug_assert!(facts.len() <= BATCH_FACTS_MAX);
        let work = move |connection: &Connection, position: &mut Position| {
            facts::add_batch(connection, position, &facts, &origin)
        };
        self.write_batch(work).await.map(SentBatch)
    }

    async fn update(
        &self,
        id: FactId,
        fact: NewFact,
        origin: Origin,
    ) -> Result<Written<Updated>, WriteError> {
        self.write(move |connection, position| facts::update(connection, position, id, &fact, &origin)).await
    }

    async fn delete(&self, id: FactId, origin: Origin) -> Result<Written<Option<StoredFact>>, WriteError> {
        self.write(move |connection, position| facts::delete(connection, position, id, &origin)).await
    }

    async fn create_collection(
        &self,
        collection: NewCollection,
        origin: Origin,
    ) -> Result<Written<CollectionMade>, WriteError> {
        self.write(move |connection, position| {
            documents::create_collection(connection, position, &collection, &origin)
        })
        .await
    }

    async fn delete_collection(
        &self,
        name: CollectionName,
        origin: Origin,
    ) -> Result<Written<Option<Collection>>, WriteError> {
        let written = self
            .write(move |connection, position| {
                documents::delete_collection(connection, position, &name, &origin)
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
        let work = move |connection: &Connection, position: &mut Position| {
            documents::put(connection, position, collection, &documents, &origin)
        };
        self.write_batch(work).await?.await.unwrap_or(Err(WriteError::Closed))
    }

    async fn delete_documents(
        &self,
        collection: CollectionId,
        keys: Vec<DocumentKey>,
        origin: Origin,
    ) -> Result<Written<Option<u64>>, WriteError> {
        self.write(move |connection, position| {
            documents::delete(connection, position, collection, &keys, &origin)
        })
        .await
    }

    async fn begin_epoch(&self) -> Result<Written<()>, WriteError> {
        self.write(|connection, position| log::begin_epoch(connection, position, Epoch::random())).await
    }

    async fn note_stream_created(&self) -> Result<Written<()>, WriteError> {
        self.write(|_, position| {
            position.stream_created = true;
            Ok(())
        })
        .await
    }

    async fn trim_changes(&self, keep_from: Revision) -> Result<Written<usize>, WriteError> {
        self.write(move |connection, position| log::trim(connection, position, keep_from)).await
    }

    async fn fact(&self, id: FactId) -> Result<Seen<Option<StoredFact>>, ReadError> {
        self.look_up(move |connection| fact_queries::fact(connection, id)).await
    }

    async fn facts(&self, ids: Vec<FactId>) -> Result<Seen<Vec<StoredFact>>, ReadError> {
        self.look(move |connection| fact_queries::facts(connection, &ids)).await
    }

    async fn list(
        &self,
        filter: Filter,
        after: FactId,
        limit: usize,
    ) -> Result<Seen<Vec<StoredFact>>, ReadError> {
        self.look(move |connection| fact_queries::list(connection, &filter, after, limit)).await
    }

    async fn known(&self, facts: Vec<NewFact>) -> Result<Seen<Vec<bool>>, ReadError> {
        self.look(move |connection| fact_queries::known(connection, &facts)).await
    }

    async fn search(
        &self,
        query: TextQuery,
        min_confidence: Option<Confidence>,
        limit: usize,
    ) -> Result<Seen<Vec<Hit<StoredFact>>>, ReadError> {
        self.look(move |connection| fact_queries::search(connection, &query, min_confidence, limit)).await
    }

    async fn export(&self) -> Result<Export, ReadError> {
        let runtime = tokio::runtime::Handle::current();
        let (sender, chunks) = mpsc::channel(EXPORT_CHUNKS_AHEAD);
        let (begun, beginning) = tokio::sync::oneshot::channel();
        let read = move |connection: &Connection| {
            // Who asked may be gone by now.
            if begun.is_closed() {
                return;
            }
            let exported = reader::in_transaction(connection, |connection| {
                // One who left just now is found out by the first chunk.
                let _ = begun.send(position::seen(connection)?);
                export_to(connection, &runtime, &sender)
            });
            let stopped = match exported {
                Ok((true, ..)) => None,
                Ok((false, ..)) => Some(ReadError::TooSlow),
                Err(error) => Some(read_error(error)),
            };
            if let Some(error) = stopped {
                // A client that does not take the facts may not take this either.
                let _ = sender.try_send(Err(error));
            }
        };
        self.exports.try_send(Box::new(read)).map_err(|error| refused(&error))?;
        let beginning = tokio::time::timeout(READ_TIME_MAX, beginning).await;
        let (epoch, revision) =
            beginning.map_err(|_| ReadError::Overloaded)?.map_err(|_| ReadError::Closed)?;
        Ok(Export { revision, epoch, chunks })
    }

    async fn collections(&self) -> Result<Seen<Vec<Collection>>, ReadError> {
        self.read(document_queries::collections).await
    }

    async fn document(
        &self,
        collection: CollectionId,
        key: DocumentKey,
    ) -> Result<Seen<Option<StoredDocument>>, ReadError> {
        self.look_up(move |connection| document_queries::document(connection, collection, &key)).await
    }

    async fn documents(
        &self,
        collection: CollectionId,
        ids: Vec<DocumentId>,
        filter: MetadataFilter,
    ) -> Result<Seen<Vec<StoredDocument>>, ReadError> {
        self.look(move |connection| document_queries::documents(connection, collection, &ids, &filter)).await
    }

    async fn list_documents(
        &self,
        collection: CollectionId,
        filter: MetadataFilter,
        after: DocumentId,
        limit: usize,
    ) -> Result<Seen<Vec<StoredDocument>>, ReadError> {
        self.look(move |connection| document_queries::list(connection, collection, &filter, after, limit))
            .await
    }

    async fn search_documents(
        &self,
        collection: CollectionId,
        query: TextQuery,
        filter: MetadataFilter,
        limit: usize,
    ) -> Result<Seen<Vec<Hit<StoredDocument>>>, ReadError> {
        self.look(move |connection| document_queries::search(connection, collection, &query, &filter, limit))
            .await
    }

    async fn matching_documents(
        &self,
        collection: CollectionId,
        filter: MetadataFilter,
        limit: usize,
    ) -> Result<Seen<Option<Vec<DocumentId>>>, ReadError> {
        self.look(move |connection| document_queries::matching(connection, collection, &filter, limit)).await
    }

    async fn fact_delta(
        &self,
        after: Revision,
        rows_max: usize,
    ) -> Result<Seen<DeltaAnswer<FactRow, FactId>>, ReadError> {
        let delta = move |connection: &Connection| delta::facts(connection, after, rows_max);
        Self::read_patiently(&self.follower_reads, delta).await
    }

    async fn document_delta(
        &self,
        after: Revision,
        rows_max: usize,
    ) -> Result<Seen<DeltaAnswer<DocumentRow, DocumentId>>, ReadError> {
        let delta = move |connection: &Connection| delta::documents(connection, after, rows_max);
        Self::read_patiently(&self.follower_reads, delta).await
    }

    async fn log(
        &self,
        from: Revision,
        rows_max: usize,
        bytes_max: usize,
    ) -> Result<Seen<Vec<Change>>, ReadError> {
        self.look(move |connection| log::changes(connection, from, rows_max, bytes_max)).await
    }

    async fn changes(
        &self,
        from: Revision,
        rows_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Change>, ReadError> {
        self.read_for_relay(move |connection| log::changes(connection, from, rows_max, bytes_max)).await
    }

    async fn digest(&self, revision: Revision) -> Result<Option<Digest>, ReadError> {
        self.read_for_relay(move |connection| log::digest(connection, revision)).await
    }

    async fn oldest_change(&self, from: Revision) -> Result<Option<(Revision, UnixMillis)>, ReadError> {
        self.read_for_relay(move |connection| log::oldest(connection, from)).await
    }

    async fn last_change_before(
        &self,
        from: Revision,
        moment: UnixMillis,
    ) -> Result<Option<Revision>, ReadError> {
        self.read_for_relay(move |connection| log::last_before(connection, from, moment)).await
    }
}

/// Sends all facts; false where the receiver stalled or is gone.
fn export_to(
    connection: &Connection,
    runtime: &tokio::runtime::Handle,
    sender: &mpsc::Sender<Result<Vec<StoredFact>, ReadError>>,
) -> rusqlite::Result<bool> {
    let deadline = Instant::now() + EXPORT_TIME_MAX;
    let send = |chunk| {
        let wait_max = EXPORT_STALL_MAX.min(deadline.saturating_duration_since(Instant::now()));
        runtime.block_on(async {
            let sending = tokio::time::timeout(wait_max, sender.send(Ok(chunk)));
            matches!(sending.await, Ok(Ok(())))
        })
    };
    let (mut chunk, mut taken) = (Vec::with_capacity(EXPORT_CHUNK), true);
    fact_queries::each(connection, |fact| {
        chunk.push(fact);
        if chunk.len() == EXPORT_CHUNK {
            taken = send(std::mem::replace(&mut chunk, Vec::with_capacity(EXPORT_CHUNK)));
        }
        taken
    })?;
    // The empty one tells the end.
    Ok(taken && (chunk.is_empty() || send(chunk)) && send(Vec::new()))
}
