//! Single facts: add one, get one, change it, delete it, list, count.

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
use super::caught_up::{CaughtUp, other_epoch};
use super::{ApiState, At, limit_within, origin, read_error, record, write_error};
use crate::grammar::normal;
use crate::store::{Added, Epoch, FactId, Filter, Revision, StoredFact, Updated};

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
    /// Where it ever was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<String>,
    /// The change that added it or changed it last; the answer's own `revision` is the state it was read in.
    changed_in: u64,
}

impl From<StoredFact> for FactView {
    fn from(fact: StoredFact) -> Self {
        Self {
            id: fact.id.0,
            statement: fact.statement,
            context: fact.context,
            confidence: fact.confidence,
            created_at: rfc3339(fact.created_at.to_system()),
            updated_at: fact.updated_at.map(|at| rfc3339(at.to_system())),
            changed_in: fact.revision.0,
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

/// A fact that is gone.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeletedFact {
    id: u64,
    /// What it was.
    statement: String,
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
        Added::Duplicate { id } => Err(duplicate(id, &at)),
    }
}

fn duplicate(id: FactId, at: &At) -> ApiError {
    ApiError::new(StatusCode::CONFLICT, "duplicate", "the store has this fact already")
        .with_details(json!({"id": id.0, "revision": at.revision, "epoch": at.epoch}))
}

fn no_such_fact(id: FactId, at: &At) -> ApiError {
    ApiError::not_found("no_such_fact", format!("there is no fact {id}"))
        .with_details(json!({"revision": at.revision, "epoch": at.epoch}))
}

/// `PUT /api/facts/{id}`: the fact is what the body says, whole: a context or confidence that is not given is none, or
/// 1. 404 `no_such_fact`; 409 `duplicate` where another fact says the same.
pub async fn update(
    State(state): State<ApiState>,
    CanWrite(identity): CanWrite,
    path: Result<Path<String>, PathRejection>,
    Json(body): Json<FactBody>,
) -> Result<Json<OneFact>, ApiError> {
    let id = id_in(path)?;
    let started = Instant::now();
    let fact = body::from_body(&body)?;
    observe::record_stage("parse", started.elapsed());
    let written =
        state.store.update(id, fact, origin(identity)).await.map_err(|error| write_error(&error))?;
    record(written.timings);
    let at = At::new(written.revision, &written.epoch);
    match written.outcome {
        Updated::Done(fact) => Ok(Json(OneFact { fact: fact.into(), at })),
        Updated::Missing => Err(no_such_fact(id, &at)),
        Updated::Duplicate { id } => Err(duplicate(id, &at)),
    }
}

/// `DELETE /api/facts/{id}`: 404 `no_such_fact` where it is gone already.
pub async fn delete(
    State(state): State<ApiState>,
    CanWrite(identity): CanWrite,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<DeletedFact>, ApiError> {
    let id = id_in(path)?;
    let written = state.store.delete(id, origin(identity)).await.map_err(|error| write_error(&error))?;
    record(written.timings);
    let at = At::new(written.revision, &written.epoch);
    let fact = written.outcome.ok_or_else(|| no_such_fact(id, &at))?;
    Ok(Json(DeletedFact { id: id.0, statement: fact.statement, at }))
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
    /// Only what this change added or changed last.
    revision: Option<u64>,
}

/// `GET /api/facts`: a page in the order of numbers, and a cursor where there is more.
pub async fn list(
    State(state): State<ApiState>,
    _: CanRead,
    _: CaughtUp,
    extract::Query(query): extract::Query<ListQuery>,
) -> Result<Json<Page>, ApiError> {
    let limit = limit_within(query.limit, LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX)?;
    let after = match &query.cursor {
        None => FactId(0),
        Some(text) => FactId(cursor_from(text, &state.store.snapshot().epoch)?),
    };
    let revision = query.revision.map(|revision| Revision(revision.min(NUMBER_MAX)));
    let named = |name: Option<String>| name.map(|name| normal(&name).into_owned());
    let filter = Filter { predicate: named(query.predicate), entity: named(query.entity), revision };
    // One more than asked for tells whether there is more.
    let seen = state.store.list(filter, after, limit + 1).await.map_err(|error| read_error(&error))?;
    observe::record_stage("read", seen.elapsed);
    let mut facts = seen.value;
    let more = facts.len() > limit;
    facts.truncate(limit);
    let next_cursor = facts.last().filter(|_| more).map(|last| cursor_after(last.id.0, &seen.epoch));
    let facts = facts.into_iter().map(FactView::from).collect();
    Ok(Json(Page { facts, at: At::new(seen.revision, &seen.epoch), next_cursor }))
}

/// `GET /api/facts/{id}`: the fact, or 404 `no_such_fact`.
pub async fn by_id(
    State(state): State<ApiState>,
    _: CanRead,
    _: CaughtUp,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<OneFact>, ApiError> {
    let id = id_in(path)?;
    let seen = state.store.fact(id).await.map_err(|error| read_error(&error))?;
    observe::record_stage("read", seen.elapsed);
    let at = At::new(seen.revision, &seen.epoch);
    let fact = seen.value.ok_or_else(|| no_such_fact(id, &at))?;
    Ok(Json(OneFact { fact: fact.into(), at }))
}

/// The number in a path; a path that is not UTF-8 has none either.
fn id_in(path: Result<Path<String>, PathRejection>) -> Result<FactId, ApiError> {
    path.ok()
        .and_then(|Path(id)| id.parse().ok())
        .map(|id: u64| FactId(id.min(NUMBER_MAX)))
        .ok_or_else(|| ApiError::bad_request("invalid_id", "the number of a fact is a whole number"))
}

/// `GET /api/facts/count`, from the state after the last commit: no query, no waiting.
pub async fn count(State(state): State<ApiState>, _: CanRead, _: CaughtUp) -> Json<Count> {
    let snapshot = state.store.snapshot();
    Json(Count { count: snapshot.fact_count, at: At::new(snapshot.revision, &snapshot.epoch) })
}

/// Opaque to clients: what it holds may change. A cursor is of one epoch: in another store, or one that was put back,
/// the same number may stand for something else.
pub fn cursor_after(number: u64, epoch: &Epoch) -> String {
    format!("{epoch}-{number:x}")
}

/// The number of a cursor. 400 `invalid_cursor`, 409 `other_epoch`.
pub fn cursor_from(text: &str, now: &Epoch) -> Result<u64, ApiError> {
    let invalid =
        || ApiError::bad_request("invalid_cursor", "cursor must be the next_cursor of an earlier answer");
    let (epoch, digits) = text.split_once('-').ok_or_else(invalid)?;
    let is_hex = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let number = u64::from_str_radix(digits, 16).ok().filter(|number| *number <= NUMBER_MAX);
    let number = number.filter(|_| is_hex(digits) && is_hex(epoch)).ok_or_else(invalid)?;
    if epoch == now.as_str() { Ok(number) } else { Err(other_epoch(now)) }
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
        assert_eq!(id_in(Ok(Path("7".to_owned()))).map_err(|error| error.code()), Ok(FactId(7)));
    }

    #[test]
    fn a_cursor_comes_back_and_anything_else_is_refused() {
        let now = Epoch::random();
        for number in [0, 1, 560_733, i64::MAX.unsigned_abs()] {
            assert_eq!(cursor_from(&cursor_after(number, &now), &now).ok(), Some(number));
        }
        let code = |text: &str| cursor_from(text, &now).map_err(|error| error.code());
        assert_eq!(code(&cursor_after(1, &Epoch::random())), Err("other_epoch"), "of another database");
        for text in ["", "a", "5", "-", "a+5", "5-", "5-G", "x-5", "0-ffffffffffffffff", "0-1 "] {
            assert_eq!(code(text), Err("invalid_cursor"), "{text:?}");
        }
    }
}
