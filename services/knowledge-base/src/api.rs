//! The HTTP API: routes, the state that handlers share, and how errors of the store are told.

mod body;
mod bulk;
mod facts;
mod framing;
mod search;
mod status;

use std::sync::Arc;

use axum::http::StatusCode;
use axum::routing::{get, post};
use chassis::{ApiError, Endpoints, Identity, Operation, Role, observe};
use serde::Serialize;
use tokio::sync::Semaphore;
use utoipa::ToSchema;

pub(crate) use search::{SEARCH_LIMIT_DEFAULT, SEARCH_LIMIT_MAX, text_query};

use crate::error::log_read_failure;
use crate::relay::RelayStatus;
use crate::store::{Epoch, Origin, ReadError, Revision, Store, WriteError, WriteTimings};

/// Bulk requests under way at once; each holds about 2 MiB. Beyond it they are refused (503).
const BULK_REQUESTS_MAX: usize = 8;

/// What a refused client is asked to wait, seconds: the queues empty within one.
const RETRY_AFTER_S: u32 = 1;

/// What handlers share. Cheap to clone.
#[derive(Clone)]
pub struct ApiState {
    store: Store,
    relay: RelayStatus,
    instance: Arc<str>,
    bulk_requests: Arc<Semaphore>,
}

impl ApiState {
    /// The API over `store`; `relay` says how far the relay has come, and `instance` names this process.
    pub fn new(store: Store, relay: RelayStatus, instance: &str) -> Self {
        let bulk_requests = Arc::new(Semaphore::new(BULK_REQUESTS_MAX));
        Self { store, relay, instance: instance.into(), bulk_requests }
    }
}

/// All endpoints of the knowledge base. What every service has (health, metrics, keys) comes from
/// `chassis::http::router`.
pub fn router(state: ApiState) -> Endpoints {
    let list = Operation::get("A page of facts, in the order of their numbers")
        .needs(Role::Read)
        .query::<facts::ListQuery>()
        .gives::<facts::Page>(200, "The page, and a cursor where there is more")
        .refuses(400, &["invalid_limit", "invalid_cursor"])
        .refuses(503, &["overloaded", "too_slow", "stopping"]);
    let add = Operation::post("Adds a fact")
        .needs(Role::Write)
        .takes::<body::FactBody>()
        .gives::<facts::AddedFact>(201, "It is in the store, on disk")
        .refuses(409, &["duplicate"])
        .refuses(422, &["unparsable", "context_too_long", "invalid_confidence"])
        .refuses(503, &["overloaded", "stopping"])
        .refuses(507, &["storage_full"]);
    let count =
        Operation::get("How many facts there are").needs(Role::Read).gives::<facts::Count>(200, "Now");
    let import =
        Operation::post("Adds many facts, one a line or element; a line that is no fact stops nothing")
            .needs(Role::Write)
            .query::<bulk::BulkQuery>()
            .takes_text(&bulk::MEDIA_TYPES, "Any number of facts, read as they arrive")
            .gives::<bulk::Report>(200, "What became of each; the counts add up to the lines")
            .refuses(400, &["malformed_json", "unreadable_body"])
            .refuses(415, &["unsupported_media_type"])
            .refuses(503, &["overloaded", "stopping"])
            .refuses(507, &["storage_full"]);
    let by_id = Operation::get("One fact")
        .needs(Role::Read)
        .path("id", "Its number")
        .gives::<facts::OneFact>(200, "The fact")
        .refuses(400, &["invalid_id"])
        .refuses(404, &["no_such_fact"])
        .refuses(503, &["overloaded", "too_slow", "stopping"]);
    let search = Operation::post("Facts by the words in them, the best first")
        .needs(Role::Read)
        .takes::<search::SearchBody>()
        .gives::<search::SearchAnswer>(200, "What was found")
        .refuses(400, &["invalid_limit"])
        .refuses(422, &["not_available", "empty_query", "query_too_long", "invalid_confidence"])
        .refuses(503, &["overloaded", "too_slow", "stopping"]);
    let status = Operation::get("What the knowledge base says about itself");
    let limits = Operation::get("What a client can make grow, and how far");
    Endpoints::new()
        .route("/api/facts", get(facts::list).post(facts::add), [list, add])
        .route("/api/facts/count", get(facts::count), [count])
        .route("/api/facts/bulk", post(bulk::import), [import])
        .route("/api/facts/{id}", get(facts::by_id), [by_id])
        .route("/api/search", post(search::search), [search])
        .route(
            "/api/status",
            get(status::status),
            [status
                .needs(Role::Read)
                .gives::<status::StatusAnswer>(200, "As last known; nothing is asked for it")],
        )
        .route(
            "/api/limits",
            get(status::limits),
            [limits.needs(Role::Read).gives::<status::Limits>(200, "The limits")],
        )
        .with_state(state)
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
