//! The HTTP API: routes, the state that handlers share, and how errors of the store are told.

mod body;
mod bulk;
mod caught_up;
mod changes;
mod collections;
mod documents;
mod embedding;
mod export;
mod facts;
mod framing;
mod graph;
pub(crate) mod graph_questions;
mod progress;
mod quality;
mod routes;
mod search;
mod statistics;
mod status;

use std::ops::Deref;
use std::sync::Arc;

use axum::http::StatusCode;
use chassis::{ApiError, Identity, Shutdown, observe};
use serde::Serialize;
use tokio::sync::Semaphore;
use utoipa::ToSchema;

pub use routes::router;
pub(crate) use search::{SEARCH_LIMIT_MAX, SearchBody, ask, question};

use crate::embed::Embedder;
use crate::error::log_read_failure;
use crate::graph::GraphIndex;
use crate::lane::Lane;
use crate::priority::Class;
use crate::quality::{NearDuplicates, QualityIndex};
use crate::relay::RelayStatus;
use crate::search::{Searcher, Vectors};
use crate::store::{Epoch, Origin, ReadError, Revision, Store, WriteError, WriteTimings};

/// Bulk requests under way at once; each holds about 2 MiB. Beyond it they are refused (503).
const BULK_REQUESTS_MAX: usize = 8;

/// Batches of bulk requests that are parsed at once; the writer takes longer over one. Each request has one at a time, and
/// only those of requests that were given up can take the place of another's.
const PARSED_AT_ONCE: usize = 2;

/// Reads of the log at once: one commit wakes all who wait for it, and they must not fill the readers' queue together.
const LOG_READS_MAX: usize = 4;

/// What a refused client is asked to wait, seconds: the queues empty within one.
const RETRY_AFTER_S: u32 = 1;

/// What handlers share. One pointer, for every request copies it several times.
#[derive(Clone)]
pub struct ApiState(Arc<Shared>);

/// What an [`ApiState`] points to.
pub struct Shared {
    pub(crate) store: Store,
    pub(crate) graph: GraphIndex,
    quality: QualityIndex,
    near: NearDuplicates,
    vectors: Vectors,
    pub(crate) searcher: Searcher,
    pub(crate) relay: RelayStatus,
    pub(crate) instance: Arc<str>,
    bulk_requests: Arc<Semaphore>,
    /// Of bulk requests, milliseconds at a time.
    parsing: Lane,
    log_reads: Arc<Semaphore>,
    embedder: Embedder,
    shutdown: Shutdown,
}

/// What an [`ApiState`] is made of.
pub struct Parts {
    /// The record.
    pub store: Store,
    /// The graph that follows it.
    pub graph: GraphIndex,
    /// What is wrong with its facts.
    pub quality: QualityIndex,
    /// The vectors that follow it.
    pub vectors: Vectors,
    /// What searches both.
    pub searcher: Searcher,
    /// What makes vectors of documents.
    pub embedder: Embedder,
    /// How far the relay has come.
    pub relay: RelayStatus,
    /// Ends requests that wait.
    pub shutdown: Shutdown,
}

impl Deref for ApiState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl ApiState {
    /// The API over these; `instance` names this process.
    pub fn new(parts: Parts, instance: &str) -> Self {
        let Parts { store, graph, quality, vectors, searcher, embedder, relay, shutdown } = parts;
        Self(Arc::new(Shared {
            near: NearDuplicates::new(store.clone(), Arc::new(vectors.clone())),
            store,
            graph,
            quality,
            vectors,
            searcher,
            relay,
            instance: instance.into(),
            bulk_requests: Arc::new(Semaphore::new(BULK_REQUESTS_MAX)),
            parsing: Lane::new("kb-parse", Class::Follow, PARSED_AT_ONCE, BULK_REQUESTS_MAX),
            log_reads: Arc::new(Semaphore::new(LOG_READS_MAX)),
            embedder,
            shutdown,
        }))
    }
}

/// The state in which an answer was true; part of every answer.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct At {
    /// Number of the last change; it grows by one with each.
    revision: u64,
    /// Changes when the store is another one; revisions of two epochs do not compare.
    epoch: String,
}

impl At {
    fn new(revision: Revision, epoch: &Epoch) -> Self {
        Self { revision: revision.0, epoch: epoch.as_str().to_owned() }
    }
}

/// Who writes, and within which trace.
fn origin(identity: Identity) -> Origin {
    let traceparent = observe::request_context().map(|context| context.to_string());
    Origin { actor: identity.id, traceparent }
}

/// Shows where a write spent its time in `Server-Timing`.
fn record(timings: WriteTimings) {
    observe::record_stage("queue", timings.queue);
    observe::record_stage("apply", timings.apply);
    observe::record_stage("commit", timings.commit);
}

fn write_error(error: &WriteError) -> ApiError {
    match error {
        WriteError::Overloaded => {
            ApiError::unavailable("overloaded", "too many writes are waiting; try again", RETRY_AFTER_S)
        }
        WriteError::StorageFull => ApiError::new(
            StatusCode::INSUFFICIENT_STORAGE,
            "storage_full",
            "the store has no space left; reading goes on",
        ),
        WriteError::Unavailable => database_away(),
        WriteError::OutcomeUnknown => ApiError::unavailable(
            "outcome_unknown",
            "the database was lost in the middle of a commit: the write may be there or not; look before you repeat it",
            RETRY_AFTER_S,
        ),
        // The writer has logged the cause.
        WriteError::Failed(_) => ApiError::internal(),
        WriteError::Closed => stopping(),
    }
}

/// The error of a read, for whoever asked for it.
pub(crate) fn read_error(error: &ReadError) -> ApiError {
    match error {
        ReadError::Overloaded => {
            ApiError::unavailable("overloaded", "too many reads are waiting; try again", RETRY_AFTER_S)
        }
        ReadError::TooSlow => {
            ApiError::unavailable("too_slow", "this read took too long; ask for less", RETRY_AFTER_S)
        }
        ReadError::Behind => {
            let text = "the index for search has not caught up yet; try again";
            ApiError::unavailable("index_behind", text, RETRY_AFTER_S)
        }
        ReadError::Unavailable => database_away(),
        ReadError::Damaged(_) | ReadError::Failed(_) => {
            log_read_failure(error);
            ApiError::internal()
        }
        ReadError::Closed => stopping(),
    }
}

fn database_away() -> ApiError {
    ApiError::unavailable("database_unavailable", "the database cannot be reached; try again", RETRY_AFTER_S)
}

fn stopping() -> ApiError {
    ApiError::unavailable("stopping", "the knowledge base is stopping", RETRY_AFTER_S)
}

/// `limit` where it is between 1 and `max`, `default` where it is not given.
fn limit_within(limit: Option<usize>, default: usize, max: usize) -> Result<usize, ApiError> {
    let limit = limit.unwrap_or(default);
    if (1..=max).contains(&limit) {
        return Ok(limit);
    }
    Err(ApiError::bad_request("invalid_limit", format!("limit must be from 1 to {max}"))
        .with_details(serde_json::json!({"limit": limit, "max": max})))
}
