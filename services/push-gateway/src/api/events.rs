//! `GET /api/events/stream` and its alias: server-sent events.

use std::time::Instant;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use chassis::extract::Query;
use chassis::http::{Peer, Takeover};
use chassis::{ApiError, CanRead};
use proto_schemas::TopicPattern;
use proto_schemas::contract::DEFAULT_TOPICS;
use serde::Deserialize;

use super::{Api, Handover, header as text_of, switched_off};
use crate::codec::sse::Sse;
use crate::codec::{Action, Tell};
use crate::position::parse_since;

/// Topics that one stream may follow.
const TOPICS_MAX: usize = 64;

#[derive(Debug, Deserialize)]
pub struct Parameters {
    topics: Option<String>,
    since: Option<String>,
    last_event_id: Option<String>,
    #[serde(default)]
    named: String,
}

/// Parses what is asked for, then hands the connection to a worker.
pub async fn stream(
    State(api): State<Api>,
    CanRead(identity): CanRead,
    Extension(takeover): Extension<Takeover>,
    Extension(Peer(peer)): Extension<Peer>,
    headers: HeaderMap,
    Query(parameters): Query<Parameters>,
) -> Result<Response, ApiError> {
    let started = Instant::now();
    if !api.profile.sse {
        return Err(switched_off("the event stream"));
    }
    let list = parameters.topics.as_deref().filter(|list| !list.is_empty()).unwrap_or(DEFAULT_TOPICS);
    let topics = TopicPattern::parse_list(list)
        .map_err(|error| ApiError::bad_request(error.code(), error.to_string()))?;
    if topics.is_empty() || topics.len() > TOPICS_MAX {
        return Err(ApiError::bad_request("too_many_topics", format!("name 1 to {TOPICS_MAX} topics")));
    }
    // The header is the browser's own and newer than what the page put into the address.
    let since = text_of(&headers, "last-event-id")
        .or(parameters.last_event_id.as_deref())
        .or(parameters.since.as_deref())
        .filter(|text| !text.is_empty())
        .map(parse_since);

    let place = match api.admission.admit(&identity.id) {
        Ok(place) => place,
        Err(refusal) => {
            api.metrics.refused.with_label_values(&[refusal.code()]).inc();
            return Ok(come_back_later());
        }
    };
    let origin = text_of(&headers, "origin").map(str::to_owned);
    let handover = Handover {
        peer,
        user: identity.id,
        codec: Box::new(Sse::new(matches!(parameters.named.as_str(), "1" | "true"))),
        head: Sse::head(origin.as_deref(), started.elapsed()),
        actions: vec![Action::Subscribe { topics, since, tell: Tell::Ready(None) }],
        place,
    };
    match api.hand_over(takeover, handover).await {}
}

/// What a stream would be, without one.
pub async fn head(_: CanRead) -> impl IntoResponse {
    [(header::CONTENT_TYPE, "text/event-stream")]
}

/// A native `EventSource` gives up for ever on any status but 200, so this one says when to come back.
fn come_back_later() -> Response {
    let retry_ms = fastrand::u32(2_000..10_000);
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    (headers, format!("retry: {retry_ms}\n\n")).into_response()
}
