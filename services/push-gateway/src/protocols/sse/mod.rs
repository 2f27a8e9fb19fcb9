//! Server-sent events (WHATWG HTML, section 9.2), with the fields of `docs/clients.md`: `GET /api/events/stream` and
//! its alias.

mod ticket;

use std::time::{Duration, Instant};

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::{BufMut, Bytes, BytesMut};
use chassis::extract::Query;
use chassis::http::{Peer, Takeover};
use chassis::{ApiError, CanRead, Endpoints, Operation, Role};
use proto_schemas::contract::DEFAULT_TOPICS;
use proto_schemas::{TopicPattern, event};
use serde::Deserialize;
use serde_json::json;
use ticket::Opener;
use utoipa::IntoParams;

use crate::api::{Api, Handover, header as text_of, permitted, switched_off};
use crate::codec::{Action, CloseReason, Codec, Form, Notice, Tell, put_json_string};
use crate::event::Event;
use crate::metrics::BadInput;
use crate::position::{Positions, parse_since};
use crate::tickets::TicketTooLarge;

/// What a browser waits before it reconnects, milliseconds.
const RETRY_MS: u32 = 1_000;

/// Topics that one stream may follow.
const TOPICS_MAX: usize = 64;

const FORM: Form = Form { name: "sse", carries_token: true, names_pattern: false };
const NAMED_FORM: Form = Form { name: "sse named", ..FORM };

/// Where it is reached.
pub fn routes() -> Endpoints<Api> {
    let streams = || {
        let flow = "Server-sent events: `ready`, the state topics' snapshots each with its `snapshot_end`, then what \
                    happens, with `checkpoint` and `gap`. Also the answer to a client that must come again later";
        Operation::get("Follows topics as server-sent events")
            .needs(Role::Read)
            .query::<Parameters>()
            .query::<ticket::InAddress>()
            .header("Last-Event-ID", "The last `id:`; goes on from there, and wins over the address")
            .gives_text(200, "text/event-stream", flow)
            .refuses(
                400,
                &["malformed_topic", "unknown_topic", "wildcard_above_catalogue", "too_many_topics"],
            )
            .refuses(400, &["token_in_url"])
            .refuses(401, &["ticket_invalid", "ticket_expired"])
            .refuses(403, &["topic_not_allowed", "cookie_without_origin"])
            .refuses(404, &["switched_off"])
    };
    let ticket = Operation::post("A ticket for event streams, for clients that cannot send headers")
        .needs(Role::Read)
        .gives::<ticket::TicketAnswer>(201, "The ticket, also as an HttpOnly cookie; the same call renews")
        .refuses(422, &[TicketTooLarge::CODE]);
    let forget =
        Operation::delete("Has the browser forget the ticket's cookie").gives_nothing(204, "It is forgotten");
    Endpoints::new()
        .route("/api/events/stream", get(stream).head(head), [streams()])
        .route("/api/stream", get(stream).head(head), [streams()])
        .route("/api/events/ticket", post(ticket::issue).delete(ticket::forget), [ticket, forget])
}

#[derive(Debug, Deserialize, IntoParams)]
struct Parameters {
    /// Topics and patterns of the catalogue, comma-separated; `kb.facts,governor.decisions,state.>` where nobody says.
    topics: Option<String>,
    /// A resume token, or `kb:<epoch>:<revision>`.
    since: Option<String>,
    /// A resume token, for clients that cannot send the header.
    last_event_id: Option<String>,
    /// `1` names data events in their `event:` line.
    #[serde(default)]
    named: String,
}

/// Parses what is asked for, then hands the connection to a worker.
async fn stream(
    State(api): State<Api>,
    opener: Opener,
    Extension(takeover): Extension<Takeover>,
    Extension(Peer { addr: peer, .. }): Extension<Peer>,
    headers: HeaderMap,
    Query(parameters): Query<Parameters>,
) -> Result<Response, ApiError> {
    let started = Instant::now();
    if !api.profile.sse {
        return Err(switched_off("the event stream"));
    }
    let Opener::Known(identity) = opener else { return Ok(auth_expired()) };
    let list = parameters.topics.as_deref().filter(|list| !list.is_empty()).unwrap_or(DEFAULT_TOPICS);
    let topics = TopicPattern::parse_list(list).map_err(|error| {
        api.metrics.bad_input.count(BadInput::Topic);
        ApiError::bad_request(error.code(), error.to_string())
    })?;
    if topics.is_empty() || topics.len() > TOPICS_MAX {
        api.metrics.bad_input.count(BadInput::Flood);
        return Err(ApiError::bad_request("too_many_topics", format!("name 1 to {TOPICS_MAX} topics")));
    }
    permitted(&identity, &topics)?;
    // The header is the browser's own and newer than what the page put into the address.
    let since = text_of(&headers, "last-event-id")
        .or(parameters.last_event_id.as_deref())
        .or(parameters.since.as_deref())
        .filter(|text| !text.is_empty())
        .map(parse_since);

    let Ok(place) = api.admit(Some(&identity.id), peer) else { return Ok(come_back_later()) };
    let origin = text_of(&headers, "origin").map(str::to_owned);
    let subscribe = Action::Subscribe { topics, since, tell: Tell::Ready(None) };
    let handover = Handover {
        peer,
        codec: Box::new(Sse::new(matches!(parameters.named.as_str(), "1" | "true"))),
        head: Sse::head(origin.as_deref(), started.elapsed()),
        actions: vec![Action::Authenticated(identity), subscribe],
        place,
    };
    Ok(api.hand_over(takeover, handover).await)
}

/// What a stream would be, without one.
async fn head(State(api): State<Api>, _: CanRead) -> Result<impl IntoResponse, ApiError> {
    if !api.profile.sse {
        return Err(switched_off("the event stream"));
    }
    Ok([(header::CONTENT_TYPE, "text/event-stream")])
}

/// A client whose ticket has expired is told so; it has this long to get another one before it tries again by itself.
const EXPIRED_RETRY_MS: u32 = 60_000;

fn auth_expired() -> Response {
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    (headers, expired_text(EXPIRED_RETRY_MS)).into_response()
}

fn expired_text(retry_ms: u32) -> String {
    format!("event: auth_expired\nretry: {retry_ms}\ndata: {{}}\n\n")
}

/// A native `EventSource` gives up for ever on any status but 200, so this one says when to come back.
fn come_back_later() -> Response {
    let retry_ms = fastrand::u32(2_000..10_000);
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    (headers, format!("retry: {retry_ms}\n\n")).into_response()
}

/// One event stream.
#[derive(Debug)]
pub struct Sse {
    named: bool,
}

impl Sse {
    /// With `event:` lines on data events, or without.
    pub fn new(named: bool) -> Self {
        Self { named }
    }

    /// The response's head; `admitted_in` is how long it took to let the client in. The body ends with the connection,
    /// so it needs no framing.
    pub fn head(allowed_origin: Option<&str>, admitted_in: Duration) -> Bytes {
        let mut head = String::from(
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache, no-transform\r\n\
             x-accel-buffering: no\r\nconnection: close\r\n",
        );
        head.push_str(&format!("server-timing: admit;dur={:.3}\r\n", admitted_in.as_secs_f64() * 1e3));
        if let Some(origin) = allowed_origin {
            head.push_str("access-control-allow-origin: ");
            head.push_str(origin);
            head.push_str("\r\nvary: origin\r\n");
        }
        head.push_str("\r\n");
        head.push_str(&format!("retry: {RETRY_MS}\n\n"));
        head.into()
    }
}

/// The object of `data:`, as every protocol that carries events in full sends it.
fn data_object(event: &Event, out: &mut BytesMut) {
    out.put_slice(b"{\"topic\":");
    put_json_string(out, &event.topic);
    out.put_slice(b",\"seq\":");
    out.put_slice(event.seq.to_string().as_bytes());
    out.put_slice(b",\"type\":");
    put_json_string(out, &event.event_type);
    out.put_slice(b",\"time\":");
    put_json_string(out, &event.time);
    out.put_slice(b",\"trace\":");
    match event.trace {
        Some(trace) => put_json_string(out, &trace.trace_id()),
        None => out.put_slice(b"null"),
    }
    out.put_slice(b",\"data\":");
    out.put_slice(&event.payload);
    out.put_u8(b'}');
}

fn put_id(out: &mut BytesMut, token: Option<&Positions>) {
    if let Some(token) = token {
        out.put_slice(format!("id: {token}\n").as_bytes());
    }
}

fn named(name: &str, data: &serde_json::Value, token: Option<&Positions>) -> Bytes {
    let mut out = BytesMut::with_capacity(256);
    out.put_slice(format!("event: {name}\n").as_bytes());
    put_id(&mut out, token);
    out.put_slice(format!("data: {data}\n\n").as_bytes());
    out.freeze()
}

impl Codec for Sse {
    fn protocol(&self) -> &'static str {
        "sse"
    }

    fn endpoint(&self) -> &'static str {
        "/api/events/stream"
    }

    fn form(&self) -> &'static Form {
        if self.named { &NAMED_FORM } else { &FORM }
    }

    fn event(&self, event: &Event, _: &TopicPattern, token: Option<&Positions>) -> Bytes {
        let mut out = BytesMut::with_capacity(event.payload.len() + 320);
        if self.named {
            out.put_slice(format!("event: {}\n", event::client_name(&event.event_type)).as_bytes());
        }
        put_id(&mut out, token);
        out.put_slice(b"data: ");
        data_object(event, &mut out);
        out.put_slice(b"\n\n");
        out.freeze()
    }

    fn notice(&mut self, notice: &Notice<'_>, token: Option<&Positions>) -> Option<Bytes> {
        Some(match notice {
            Notice::Ready { topics, resumed, .. } => {
                let topics: Vec<_> = topics.iter().map(TopicPattern::as_str).collect();
                named("ready", &json!({"topics": topics, "resumed": resumed}), token)
            }
            Notice::SnapshotEnd { topic, keys } => {
                named("snapshot_end", &json!({"topic": topic, "keys": keys}), token)
            }
            Notice::Gap { topic, from, to, reason, .. } => {
                let data = json!({"topic": topic, "from": from, "to": to, "reason": reason});
                named("gap", &data, token)
            }
            Notice::Checkpoint => named("checkpoint", &json!({}), token),
            Notice::Upstream { connected } => named("upstream", &json!({"connected": connected}), None),
            // Who has renewed the ticket meanwhile is let in at once; who has not is told to wait when it comes back.
            Notice::Closing { reason: CloseReason::Expired, retry_ms } => expired_text(*retry_ms).into(),
            Notice::Closing { reason, retry_ms } => Bytes::from(format!(
                "event: closing\nretry: {retry_ms}\ndata: {}\n\n",
                json!({"reason": reason.as_str()})
            )),
        })
    }

    fn receive(&mut self, _: &[u8], _: &mut Vec<Action>) {
        // A client of an event stream has nothing to say; what it sends is dropped.
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::GapReason;
    use crate::event::Message;
    use crate::position::{Position, TimeBits};
    use proto_schemas::Stream;

    fn event() -> Event {
        let message = Message {
            stream: Stream::Kb,
            seq: 7,
            topic: "kb.facts".into(),
            event_type: "facts_imported".into(),
            time: "2026-01-01T00:00:00Z".into(),
            time_bits: TimeBits::UNKNOWN,
            trace: None,
            payload: Bytes::from_static(b"{\"count\":3}"),
            removed: false,
        };
        Event::new(message, 1, Positions::default())
    }

    #[test]
    fn a_data_event_has_an_id_and_one_json_object_and_a_name_only_when_asked() {
        let mut token = Positions::default();
        token.set(Stream::Kb, Some(Position { epoch: 1, seq: 7, time: TimeBits::UNKNOWN }));
        let text = |named, token| {
            String::from_utf8(Sse::new(named).event(&event(), &"kb.facts".parse().unwrap(), token).to_vec())
                .unwrap()
        };
        let data = "data: {\"topic\":\"kb.facts\",\"seq\":7,\"type\":\"facts_imported\",\
                    \"time\":\"2026-01-01T00:00:00Z\",\"trace\":null,\"data\":{\"count\":3}}\n\n";
        assert_eq!(text(false, Some(&token)), format!("id: {token}\n{data}"));
        assert_eq!(text(false, None), data);
        assert_eq!(text(true, None), format!("event: kb_update\n{data}"));
    }

    #[test]
    fn a_gap_names_what_was_missed() {
        let gap = Notice::Gap {
            topic: "kb.facts",
            from: Some(3),
            to: Some(5),
            reason: GapReason::Trimmed,
            end: Position::default(),
        };
        let text = Sse::new(false).notice(&gap, None).unwrap();
        assert_eq!(
            std::str::from_utf8(&text).unwrap(),
            "event: gap\ndata: {\"from\":3,\"reason\":\"trimmed\",\"to\":5,\"topic\":\"kb.facts\"}\n\n"
        );
    }
}
