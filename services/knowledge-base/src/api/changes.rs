//! `GET /api/kb/changes`: the log of changes for consumers that pull: what the stream `KB` carries, from any revision
//! that is still kept.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use chassis::extract::Json;
use chassis::time::rfc3339;
use chassis::{ApiError, CanRead, extract, observe};
use proto_schemas::event;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::caught_up::other_epoch;
use super::{ApiState, At, limit_within, read_error, stopping};
use crate::store::{Change, Revision};

/// Changes on a page where nobody said.
const LIMIT_DEFAULT: usize = 100;
/// Most changes on a page.
pub const CHANGES_LIMIT_MAX: usize = 1000;
/// Bytes of bodies after which a page ends.
const PAGE_BYTES: usize = 1 << 20;
/// Longest wait for a change that is not there yet, milliseconds: below what proxies take for a dead connection.
const WAIT_MS_MAX: u64 = 25_000;

/// What the endpoint takes in its query.
#[derive(Debug, Deserialize, IntoParams)]
pub struct ChangesQuery {
    /// The first revision wanted; 1 where nobody says.
    from_revision: Option<u64>,
    /// The epoch that revision is of; with another one the answer is 409.
    epoch: Option<String>,
    /// 1 to 1,000; 100 where nobody says.
    limit: Option<usize>,
    /// How long to wait where there is no such change yet, 0 to 25,000; 0 where nobody says.
    wait_ms: Option<u64>,
}

/// One change.
#[derive(Debug, Serialize, ToSchema)]
struct ChangeView {
    revision: u64,
    /// Where the stream carries it.
    topic: &'static str,
    #[serde(rename = "type")]
    event_type: String,
    time: String,
    /// W3C trace context of the request that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
    /// As the stream carries it.
    #[schema(value_type = Object)]
    data: Box<RawValue>,
}

/// Changes in order, without holes.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangesPage {
    changes: Vec<ChangeView>,
    /// `from_revision` of the next request.
    next_revision: u64,
    #[serde(flatten)]
    at: At,
}

/// The endpoint.
///
/// 410 `revision_trimmed` with the oldest revision that is kept; 409 `other_epoch`; 400 `invalid_limit`,
/// `invalid_wait`, `revision_beyond_end` for one that lies more than one behind the last.
pub async fn changes(
    State(state): State<ApiState>,
    _: CanRead,
    extract::Query(query): extract::Query<ChangesQuery>,
) -> Result<Json<ChangesPage>, ApiError> {
    let limit = limit_within(query.limit, LIMIT_DEFAULT, CHANGES_LIMIT_MAX)?;
    let wait_ms = query.wait_ms.unwrap_or(0);
    if wait_ms > WAIT_MS_MAX {
        let text = format!("wait_ms must be from 0 to {WAIT_MS_MAX}");
        return Err(ApiError::bad_request("invalid_wait", text));
    }
    let from = Revision(query.from_revision.unwrap_or(1).max(1));
    let mut snapshot = state.store.watch();
    let now = snapshot.borrow_and_update().clone();
    if query.epoch.is_some_and(|epoch| epoch != now.epoch.as_str()) {
        return Err(other_epoch(&now.epoch));
    }
    if from > now.revision.next() {
        let text = format!("the last revision is {}; ask from {} at most", now.revision, now.revision.next());
        return Err(ApiError::bad_request("revision_beyond_end", text)
            .with_details(json!({"revision": now.revision.0, "epoch": now.epoch.as_str()})));
    }
    if from > now.revision && wait_ms > 0 {
        let there = snapshot.wait_for(|snapshot| snapshot.revision >= from || snapshot.epoch != now.epoch);
        let there = tokio::time::timeout(Duration::from_millis(wait_ms), there);
        let waiting = async {
            tokio::select! {
                // Nothing new within the time is an answer too.
                _ = there => {}
                () = state.shutdown.requested() => {}
            }
        };
        observe::stage("wait", waiting).await;
    }
    let turn = state.log_reads.acquire().await.map_err(|_| stopping())?;
    let seen = state.store.log(from, limit, PAGE_BYTES).await.map_err(|error| read_error(&error))?;
    drop(turn);
    observe::record_stage("read", seen.elapsed);
    if seen.epoch != now.epoch {
        return Err(other_epoch(&seen.epoch));
    }
    match seen.value.first() {
        Some(first) if first.revision != from => return Err(trimmed(first.revision)),
        None if from <= seen.revision => return Err(trimmed(seen.revision.next())),
        _ => {}
    }
    let next = seen.value.last().map_or(from, |last| last.revision.next());
    let changes = seen.value.into_iter().map(view).collect::<Result<_, _>>()?;
    Ok(Json(ChangesPage { changes, next_revision: next.0, at: At::new(seen.revision, &seen.epoch) }))
}

fn trimmed(oldest: Revision) -> ApiError {
    let text =
        format!("changes before revision {oldest} are not kept any more; read a snapshot and follow from it");
    ApiError::new(StatusCode::GONE, "revision_trimmed", text).with_details(json!({"oldest": oldest.0}))
}

fn view(change: Change) -> Result<ChangeView, ApiError> {
    let data = String::from_utf8(change.body).ok().and_then(|body| RawValue::from_string(body).ok());
    let data = data.ok_or_else(|| {
        tracing::error!(revision = change.revision.0, "a change in the log is no JSON");
        ApiError::internal()
    })?;
    Ok(ChangeView {
        revision: change.revision.0,
        topic: event::event_type(&change.event_type).map_or(event::KB_FACTS, |event| event.subject),
        event_type: change.event_type,
        time: rfc3339(change.created_at.to_system()),
        trace: change.traceparent,
        data,
    })
}
