//! The store: facts, documents and the log of their changes. [`Backend`] is what every store promises; `sqlite/` keeps
//! it in a file of this process, `postgres/` in a database that several share. Nothing here knows HTTP or NATS.

mod backend;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod document_conformance;
mod documents;
mod error;
mod events;
mod metrics;
mod model;
pub mod postgres;
pub mod sqlite;
#[cfg(test)]
mod stores;
mod sweeper;
mod text;

use std::sync::Arc;

pub use backend::{
    Added, BATCH_DELETE_MAX, BATCH_DOCUMENTS_MAX, BATCH_FACTS_MAX, Backend, BatchAdded, CollectionMade,
    Delta, DeltaAnswer, DocumentRow, DocumentsPut, Export, FactRow, Filter, Hit, Leadership, Seen, SentBatch,
    Updated, WriteTimings, Written,
};
pub use documents::{
    COLLECTION_NAME_BYTES_MAX, COLLECTIONS_MAX, Collection, CollectionId, CollectionName, DOCUMENT_BYTES_MAX,
    DOCUMENT_KEY_BYTES_MAX, DocumentId, DocumentKey, EmbedderKind, FACTS, FILTER_PAIRS_MAX,
    METADATA_BYTES_MAX, Metadata, MetadataFilter, NewCollection, NewDocument, StoredDocument,
};
pub use error::{ReadError, WriteError};
pub use metrics::{
    METRIC_COMMIT_BATCH, METRIC_COMMIT_DURATION, METRIC_FACTS, METRIC_REVISION, METRIC_WRITER_QUEUE,
    StoreMetrics,
};
pub use model::{
    CONTEXT_BYTES_MAX, Change, Confidence, Context, Digest, Epoch, FactId, NewFact, Origin, Revision,
    Snapshot, StoredFact, UnixMillis, hex,
};
pub use postgres::{PostgresOptions, PostgresStore, PostgresUrl};
pub use sqlite::{
    OpenError, READ_TIME_MAX, SchemaError, SqliteMaintenance, SqliteOptions, SqliteStore, StoreThreads,
    Verdict,
};
pub use text::{SEARCH_WORDS_MAX, TextQuery};

/// A store, shared. Cheap to clone; its threads end when the last clone is gone.
pub type Store = Arc<dyn Backend>;
