//! What a store promises, whichever database is behind it. `conformance.rs` holds every backend to it.
//!
//! Writes are answered after their commit and have a revision each; a failed one leaves no trace. Reads see one
//! revision. Nothing here waits for NATS, for an index, or for a slow client.

use std::convert::Infallible;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::DropGuard;

use super::documents::{
    Collection, CollectionId, CollectionName, DocumentId, DocumentKey, MetadataFilter, NewCollection,
    NewDocument, StoredDocument,
};
use super::error::{ReadError, WriteError};
use super::model::{
    Change, Confidence, Digest, Epoch, FactId, NewFact, Origin, Revision, Snapshot, StoredFact, UnixMillis,
};
use super::text::TextQuery;
use crate::embed::Vector;

/// Facts or documents in a batch, and so in one change of a bulk request.
pub const BATCH_FACTS_MAX: usize = 1000;

/// Documents in a batch: their texts and vectors are larger.
pub const BATCH_DOCUMENTS_MAX: usize = 256;

/// Documents that one request deletes: the event names each.
pub const BATCH_DELETE_MAX: usize = 100;

/// Where a write spent its time.
#[derive(Debug, Clone, Copy, Default)]
pub struct WriteTimings {
    /// From the request's hand to the writer's.
    pub queue: Duration,
    /// Statements of all jobs that share the commit.
    pub apply: Duration,
    /// The commit, with its flush to disk.
    pub commit: Duration,
}

/// The answer to a write: what became of it and the state after its commit.
#[derive(Debug, Clone)]
pub struct Written<T> {
    /// What became of it.
    pub outcome: T,
    /// The revision after this very job, not after others that shared its commit.
    pub revision: Revision,
    /// The epoch of that revision.
    pub epoch: Epoch,
    /// Where the time went.
    pub timings: WriteTimings,
}

/// A read's result and the state it was true in.
#[derive(Debug, Clone)]
pub struct Seen<T> {
    /// What was asked.
    pub value: T,
    /// The revision that the read saw.
    pub revision: Revision,
    /// Its epoch.
    pub epoch: Epoch,
    /// Waiting and reading.
    pub elapsed: Duration,
}

/// What became of one fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It is new.
    New {
        /// Its number.
        id: FactId,
        /// When.
        created_at: UnixMillis,
    },
    /// The store has it already.
    Duplicate {
        /// The number it has.
        id: FactId,
    },
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BatchAdded {
    /// Facts that are new.
    pub added: u64,
    /// Facts that the store, or the batch itself, had already.
    pub duplicates: u64,
}

/// What became of a change to a fact.
#[derive(Debug, Clone, PartialEq)]
pub enum Updated {
    /// It is so now; where it was so before there is no change, and its revision says so.
    Done(StoredFact),
    /// There is no such fact.
    Missing,
    /// Another fact says the same already.
    Duplicate {
        /// The number it has.
        id: FactId,
    },
}

/// What became of a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CollectionMade {
    /// It is new.
    New(Collection),
    /// One of that name is there, made as this one says.
    Exists(Collection),
    /// There are as many as there may be.
    TooMany,
}

/// What became of documents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DocumentsPut {
    /// New ones.
    pub added: u64,
    /// Those that replaced another.
    pub replaced: u64,
    /// Those that were there just so.
    pub unchanged: u64,
}

/// A batch that the writer has; it is added even when nobody waits for the answer.
pub struct SentBatch(pub(super) oneshot::Receiver<Result<Written<BatchAdded>, WriteError>>);

impl SentBatch {
    /// What became of it, after its commit.
    ///
    /// # Errors
    /// [`WriteError`], never [`WriteError::Overloaded`].
    pub async fn written(self) -> Result<Written<BatchAdded>, WriteError> {
        self.0.await.unwrap_or(Err(WriteError::Closed))
    }
}

/// Which facts a list holds; all that is given must hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// The name of the fact's term.
    pub predicate: Option<String>,
    /// A word or string among the arguments.
    pub entity: Option<String>,
    /// The change that added it or changed it last.
    pub revision: Option<Revision>,
}

/// Something that a search by words found.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit<T> {
    /// Okapi BM25; greater is better.
    pub score: f64,
    /// What was found.
    pub found: T,
    /// The part of its text that fits best.
    pub snippet: String,
}

/// All facts of one moment, in the order of their numbers, as they are read.
pub struct Export {
    /// The moment.
    pub revision: Revision,
    /// Its epoch.
    pub epoch: Epoch,
    /// Some hundred at a time, and an empty chunk at the end.
    pub(super) chunks: mpsc::Receiver<Result<Vec<StoredFact>, ReadError>>,
}

impl Export {
    /// The next facts; `None` after the last.
    ///
    /// # Errors
    /// [`ReadError`] where the rest will not come; [`ReadError::TooSlow`] for a reader who stalled.
    pub async fn next(&mut self) -> Result<Option<Vec<StoredFact>>, ReadError> {
        match self.chunks.recv().await {
            Some(Ok(chunk)) => Ok((!chunk.is_empty()).then_some(chunk)),
            Some(Err(error)) => Err(error),
            None => Err(ReadError::Closed),
        }
    }
}

/// A fact as an index needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactRow {
    /// Its number.
    pub id: FactId,
    /// Its canonical form.
    pub statement: String,
}

/// A document as an index needs it.
#[derive(Debug, Clone, PartialEq)]
pub struct DocumentRow {
    /// Its number.
    pub id: DocumentId,
    /// Where it is.
    pub collection: CollectionId,
    /// Its vector; `None` where it has none.
    pub vector: Option<Vector>,
}

/// What is different from a revision on: how an index follows.
///
/// Rows are as they are *now* (at [`Seen::revision`]), so taking a delta twice, or one that overlaps the last, does no
/// harm. An index is exact at `upto` only when `upto` is the revision that was read at: before that, a row that was
/// changed again is missing until its later change is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Delta<Row, Id> {
    /// Rows whose last change lies after the asked-for revision and not after `upto`; in the order of their changes.
    pub changed: Vec<Row>,
    /// Rows that were deleted there.
    pub removed: Vec<Id>,
    /// What the next delta is asked after.
    pub upto: Revision,
}

/// A delta, or why there is none.
#[derive(Debug, Clone, PartialEq)]
pub enum DeltaAnswer<Row, Id> {
    /// Here it is.
    Delta(Delta<Row, Id>),
    /// The store is not as far as that: it was put back to an older state. Empty the index and begin from revision 0.
    TooOld,
}

/// The right to be the relay, for as long as it is held and not lost. At most one process has it, but for the moments
/// in which one that is cut off does not know yet: the stream's own order stops that one.
pub struct Leadership(Option<Lock>);

struct Lock {
    lost: oneshot::Receiver<Infallible>,
    _release: DropGuard,
}

impl Leadership {
    /// That of a store that no other process can have open.
    pub(super) fn forever() -> Self {
        Self(None)
    }

    /// One that ends when the other end of `lost` is dropped, and that `release` gives back.
    pub(super) fn until(lost: oneshot::Receiver<Infallible>, release: DropGuard) -> Self {
        Self(Some(Lock { lost, _release: release }))
    }

    /// Waits until it is lost.
    pub async fn lost(&mut self) {
        match &mut self.0 {
            // Nothing is ever sent there.
            Some(lock) => drop((&mut lock.lost).await),
            None => std::future::pending().await,
        }
    }
}

/// A store. All methods may be called at any time from any task.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// Follows the state after the last commit.
    fn watch(&self) -> watch::Receiver<Snapshot>;

    /// Waits until something that others need is gone, which is a fault while the store is held.
    async fn failed(&self);

    /// Waits until this process may be the relay.
    async fn lead(&self) -> Leadership;

    /// Adds a fact.
    async fn add(&self, fact: NewFact, origin: Origin) -> Result<Written<Added>, WriteError>;

    /// Hands at most [`BATCH_FACTS_MAX`] facts over, the new ones of which become one change with consecutive numbers.
    /// Waits for its turn when there are many, and not for its commit: batches are added in the order in which they
    /// were handed over.
    async fn send_batch(&self, facts: Vec<NewFact>, origin: Origin) -> Result<SentBatch, WriteError>;

    /// Makes the fact `id` what `fact` says.
    async fn update(&self, id: FactId, fact: NewFact, origin: Origin)
    -> Result<Written<Updated>, WriteError>;

    /// Deletes a fact; what it was, where there was one.
    async fn delete(&self, id: FactId, origin: Origin) -> Result<Written<Option<StoredFact>>, WriteError>;

    /// Makes a collection where there is none of that name.
    async fn create_collection(
        &self,
        collection: NewCollection,
        origin: Origin,
    ) -> Result<Written<CollectionMade>, WriteError>;

    /// Deletes a collection. Its documents are gone at once for everybody; their space is freed bit by bit.
    async fn delete_collection(
        &self,
        name: CollectionName,
        origin: Origin,
    ) -> Result<Written<Option<Collection>>, WriteError>;

    /// Adds or replaces at most [`BATCH_DOCUMENTS_MAX`] documents as one change; `None` where the collection is gone.
    /// The last of several with the same id stays.
    async fn put_documents(
        &self,
        collection: CollectionId,
        documents: Vec<NewDocument>,
        origin: Origin,
    ) -> Result<Written<Option<DocumentsPut>>, WriteError>;

    /// Deletes at most [`BATCH_DELETE_MAX`] documents as one change; says how many there were.
    async fn delete_documents(
        &self,
        collection: CollectionId,
        keys: Vec<DocumentKey>,
        origin: Origin,
    ) -> Result<Written<Option<u64>>, WriteError>;

    /// Begins a new epoch: the stream and the store have no common history any more.
    async fn begin_epoch(&self) -> Result<Written<()>, WriteError>;

    /// Notes that the stream `KB` exists for this store.
    async fn note_stream_created(&self) -> Result<Written<()>, WriteError>;

    /// Deletes some of the changes before `keep_from`, oldest first, never the newest; says how many went.
    async fn trim_changes(&self, keep_from: Revision) -> Result<Written<usize>, WriteError>;

    /// The fact of that number.
    async fn fact(&self, id: FactId) -> Result<Seen<Option<StoredFact>>, ReadError>;

    /// The facts of those numbers that there are, in any order.
    async fn facts(&self, ids: Vec<FactId>) -> Result<Seen<Vec<StoredFact>>, ReadError>;

    /// At most `limit` facts after the number `after`, in the order of their numbers.
    async fn list(
        &self,
        filter: Filter,
        after: FactId,
        limit: usize,
    ) -> Result<Seen<Vec<StoredFact>>, ReadError>;

    /// For each fact, whether the store has it.
    async fn known(&self, facts: Vec<NewFact>) -> Result<Seen<Vec<bool>>, ReadError>;

    /// The best facts for a query by words, best first.
    async fn search(
        &self,
        query: TextQuery,
        min_confidence: Option<Confidence>,
        limit: usize,
    ) -> Result<Seen<Vec<Hit<StoredFact>>>, ReadError>;

    /// All facts of one moment. It has a connection of its own; there are few.
    async fn export(&self) -> Result<Export, ReadError>;

    /// All collections, by name.
    async fn collections(&self) -> Result<Seen<Vec<Collection>>, ReadError>;

    /// The document of that id.
    async fn document(
        &self,
        collection: CollectionId,
        key: DocumentKey,
    ) -> Result<Seen<Option<StoredDocument>>, ReadError>;

    /// The documents of those numbers that there are and that `filter` lets through, in any order.
    async fn documents(
        &self,
        collection: CollectionId,
        ids: Vec<DocumentId>,
        filter: MetadataFilter,
    ) -> Result<Seen<Vec<StoredDocument>>, ReadError>;

    /// At most `limit` documents after the number `after`, in the order of their numbers.
    async fn list_documents(
        &self,
        collection: CollectionId,
        filter: MetadataFilter,
        after: DocumentId,
        limit: usize,
    ) -> Result<Seen<Vec<StoredDocument>>, ReadError>;

    /// The best documents of a collection for a query by words, best first.
    async fn search_documents(
        &self,
        collection: CollectionId,
        query: TextQuery,
        filter: MetadataFilter,
        limit: usize,
    ) -> Result<Seen<Vec<Hit<StoredDocument>>>, ReadError>;

    /// The numbers of all documents that `filter` lets through; `None` where there are more than `limit`.
    async fn matching_documents(
        &self,
        collection: CollectionId,
        filter: MetadataFilter,
        limit: usize,
    ) -> Result<Seen<Option<Vec<DocumentId>>>, ReadError>;

    /// Facts that are different from the revision `after` on; about `rows_max` of them.
    async fn fact_delta(
        &self,
        after: Revision,
        rows_max: usize,
    ) -> Result<Seen<DeltaAnswer<FactRow, FactId>>, ReadError>;

    /// Documents that are different from the revision `after` on; about `rows_max` of them. Those of a collection that
    /// is gone are not told one by one.
    async fn document_delta(
        &self,
        after: Revision,
        rows_max: usize,
    ) -> Result<Seen<DeltaAnswer<DocumentRow, DocumentId>>, ReadError>;

    /// Changes from `from` on, at most `rows_max`, and no more once `bytes_max` is reached; for a request.
    async fn log(
        &self,
        from: Revision,
        rows_max: usize,
        bytes_max: usize,
    ) -> Result<Seen<Vec<Change>>, ReadError>;

    /// As [`Self::log`], for the relay, which is never refused.
    async fn changes(
        &self,
        from: Revision,
        rows_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Change>, ReadError>;

    /// The digest of the change `revision`, while its row is kept.
    async fn digest(&self, revision: Revision) -> Result<Option<Digest>, ReadError>;

    /// The oldest change that is kept from `from` on, and when it was committed.
    async fn oldest_change(&self, from: Revision) -> Result<Option<(Revision, UnixMillis)>, ReadError>;

    /// The last change before `from` that was committed before `moment`, as far as some thousand of the oldest tell.
    async fn last_change_before(
        &self,
        from: Revision,
        moment: UnixMillis,
    ) -> Result<Option<Revision>, ReadError>;

    /// The state after the last commit, at once.
    fn snapshot(&self) -> Snapshot {
        self.watch().borrow().clone()
    }
}
