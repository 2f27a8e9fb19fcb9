//! Single facts: add one, get one, list, count.

use std::time::Instant;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chassis::extract::Json;
use chassis::time::rfc3339;
use chassis::{ApiError, CanRead, CanWrite, extract, observe};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::body::{self, FactBody};
use super::{ApiState, At, limit_within, origin, read_error, record, write_error};
use crate::store::{Added, FactId, Filter, Revision, StoredFact};

/// Facts in a page where nobody said.
const LIST_LIMIT_DEFAULT: usize = 100;
/// Most facts in a page.
pub const LIST_LIMIT_MAX: usize = 1000;

/// SQLite counts to 2^63 - 1, and no fact and no change ever gets that number.
const NUMBER_MAX: u64 = i64::MAX.unsigned_abs();

/// A fact in an answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct FactView {
    id: u64,
    statement: String,
    context: String,
    confidence: f64,
    created_at: String,
    /// The change that added it; the answer's own `revision` is the state it was read in.
    added_in: u64,
}

impl From<StoredFact> for FactView {
    fn from(fact: StoredFact) -> Self {
        Self {
            id: fact.id.0,
            statement: fact.statement,
            context: fact.context,
            confidence: fact.confidence,
            created_at: rfc3339(fact.created_at.to_system()),
            added_in: fact.revision.0,
        }
    }
}

/// The answer to a fact that is new.
#[derive(Debug, Serialize, ToSchema)]
pub struct AddedFact {
    id: u64,
    /// As the store has it: printed anew from what was parsed.
    statement: String,
    #[serde(flatten)]
    at: At,
    created_at: String,
}

/// Facts, and the way to more of them.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page {
    facts: Vec<FactView>,
    #[serde(flatten)]
    at: At,
    /// Where there is more: `cursor` of the next request.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// A fact, and the state it was read in.
#[derive(Debug, Serialize, ToSchema)]
pub struct OneFact {
    #[serde(flatten)]
    fact: FactView,
    #[serde(flatten)]
    at: At,
}

/// How many facts there are.
#[derive(Debug, Serialize, ToSchema)]
pub struct Count {
    count: u64,
    #[serde(flatten)]
    at: At,
}

/// `POST /api/facts`: 201, or 409 `duplicate` with the number that the fact has.
pub async fn add(
    State(state): State<ApiState>,
    CanWrite(identity): CanWrite,
    Json(body): Json<FactBody>,
) -> Result<Response, ApiError> {
    let started = Instant::now();
    let fact = body::from_body(&body)?;
    let statement = fact.statement().to_owned();
    observe::record_stage("parse", started.elapsed());
    let written = state.store.add(fact, origin(identity)).await.map_err(|error| write_error(&error))?;
    record(written.timings);
    let at = At::new(written.revision, &written.epoch);
    match written.outcome {
        Added::New { id, created_at } => {
            let created_at = rfc3339(created_at.to_system());
            Ok((StatusCode::CREATED, Json(AddedFact { id: id.0, statement, at, created_at })).into_response())
        }
        Added::Duplicate { id } => {
            Err(ApiError::new(StatusCode::CONFLICT, "duplicate", "the store has this fact already")
                .with_details(json!({"id": id.0, "revision": at.revision, "epoch": at.epoch})))
        }
    }
}

/// What `GET /api/facts` takes.
#[derive(Debug, Deserialize, IntoParams)]
pub struct ListQuery {
    /// 1 to 1,000; 100 where nobody says.
    limit: Option<usize>,
    /// `next_cursor` of an earlier answer.
    cursor: Option<String>,
    /// Only facts of this predicate.
    predicate: Option<String>,
    /// Only facts with this entity among their arguments.
    entity: Option<String>,
    /// Only what this change added.
    revision: Option<u64>,
}

/// `GET /api/facts`: a page in the order of numbers, and a cursor where there is more.
pub async fn list(
    State(state): State<ApiState>,
    _: CanRead,
    extract::Query(query): extract::Query<ListQuery>,
) -> Result<Json<Page>, ApiError> {
    let limit = limit_within(query.limit, LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX)?;
    let after = match &query.cursor {
        None => FactId(0),
        Some(text) => cursor_from(text).ok_or_else(|| {
            ApiError::bad_request("invalid_cursor", "cursor must be the next_cursor of an earlier answer")
        })?,
    };
    let revision = query.revision.map(|revision| Revision(revision.min(NUMBER_MAX)));
    let filter = Filter { predicate: query.predicate, entity: query.entity, revision };
    // One more than asked for tells whether there is more.
    let seen = state.store.list(filter, after, limit + 1).await.map_err(|error| read_error(&error))?;
    observe::record_stage("read", seen.elapsed);
    let mut facts = seen.value;
    let more = facts.len() > limit;
    facts.truncate(limit);
    let next_cursor = facts.last().filter(|_| more).map(|last| cursor_after(last.id));
    let facts = facts.into_iter().map(FactView::from).collect();
    Ok(Json(Page { facts, at: At::new(seen.revision, &seen.epoch), next_cursor }))
}

/// `GET /api/facts/{id}`: the fact, or 404 `no_such_fact`.
pub async fn by_id(
    State(state): State<ApiState>,
    _: CanRead,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<OneFact>, ApiError> {
    let id = id_in(path)?;
    let seen = state.store.fact(FactId(id.min(NUMBER_MAX))).await.map_err(|error| read_error(&error))?;
    observe::record_stage("read", seen.elapsed);
    let fact = seen.value.ok_or_else(|| {
        ApiError::not_found("no_such_fact", format!("there is no fact {id}"))
            .with_details(json!({"revision": seen.revision.0, "epoch": seen.epoch.as_str()}))
    })?;
    Ok(Json(OneFact { fact: fact.into(), at: At::new(seen.revision, &seen.epoch) }))
}

/// The number in a path; a path that is not UTF-8 has none either.
fn id_in(path: Result<Path<String>, PathRejection>) -> Result<u64, ApiError> {
    path.ok()
        .and_then(|Path(id)| id.parse().ok())
        .ok_or_else(|| ApiError::bad_request("invalid_id", "the number of a fact is a whole number"))
}

/// `GET /api/facts/count`, from the state after the last commit: no query, no waiting.
pub async fn count(State(state): State<ApiState>, _: CanRead) -> Json<Count> {
    let snapshot = state.store.snapshot();
    Json(Count { count: snapshot.fact_count, at: At::new(snapshot.revision, &snapshot.epoch) })
}

/// Opaque to clients: what it holds may change.
fn cursor_after(id: FactId) -> String {
    format!("a{:x}", id.0)
}

fn cursor_from(text: &str) -> Option<FactId> {
    let digits = text.strip_prefix('a')?;
    let well_formed = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let id = u64::from_str_radix(digits, 16).ok()?;
    (well_formed && id <= NUMBER_MAX).then_some(FactId(id))
}

#[cfg(test)]
mod tests {
    use axum::extract::FromRequestParts;
    use axum::http::Request;

    use super::*;

    #[tokio::test]
    async fn a_path_without_a_number_is_told_as_every_error_is() {
        let (mut parts, ()) = Request::new(()).into_parts();
        let rejected = Path::<String>::from_request_parts(&mut parts, &()).await;
        for path in [rejected, Ok(Path("x".to_owned())), Ok(Path("-1".to_owned()))] {
            assert_eq!(id_in(path).map_err(|error| error.code()), Err("invalid_id"));
        }
        assert_eq!(id_in(Ok(Path("7".to_owned()))).map_err(|error| error.code()), Ok(7));
    }

    #[test]
    fn a_cursor_comes_back_and_anything_else_is_refused() {
        for id in [0, 1, 560_733, i64::MAX.unsigned_abs()] {
            assert_eq!(cursor_from(&cursor_after(FactId(id))), Some(FactId(id)));
        }
        for text in ["", "a", "5", "a+5", "aG", "affffffffffffffff", "a1 "] {
            assert_eq!(cursor_from(text), None, "{text:?}");
        }
    }
}
