//! `/api/v3/ws/*`: the WebSockets of ThemisDB's clients, one endpoint a purpose.
//!
//! All of them share what is here: the handshake with `?client_id=`, JSON objects with an `action` in, JSON objects
//! with a `type` out, `ping`, the limits, and errors after which the connection stays. What each is for is in its file.
//!
//! A client that may not come in is let in to be told, as on `/ws`, and closed with 1008.

mod adapter_status;
mod adapters;
mod connections;
mod fields;
mod graph;
mod logs;
mod paged;
mod search;
mod words;

use std::sync::Arc;
use std::time::Instant;

use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use chassis::{ApiError, Endpoints, Identity, Operation, Role};
use proto_schemas::TopicPattern;
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;

use adapters::Adapters;
use fields::{Fields, Invalid};

use crate::api::{Api, Upgrade, upgrade_operation};
use crate::codec::frame::{self, Message, Opcode, Reader};
use crate::codec::{Action, CloseReason, Codec, Form, GapReason, MessageRate, Notice};
use crate::commands::Answer;
use crate::event::Event;
use crate::metrics::{BadInput, BadInputs};
use crate::position::Positions;

/// Name in metrics and in `/debug/clients`, of all endpoints together.
const PROTOCOL: &str = "themis";
/// Largest message a client may send, bytes.
const MESSAGE_SIZE_MAX: usize = 8_192;
/// Messages a client may send in any minute.
const MESSAGES_PER_MINUTE_MAX: u32 = 600;
/// Longest name that a client may give itself, bytes.
const CLIENT_ID_SIZE_MAX: usize = 128;

/// Of endpoints that follow no topic.
const NO_EVENTS: Form = Form { name: "themis", carries_token: false, names_pattern: false };

/// Where they are reached.
pub fn routes() -> Endpoints<Api> {
    let adapters = Arc::new(Adapters::default());
    let of_search = Arc::clone(&adapters);
    let searches = get(move |api, upgrade, query| search::open(api, upgrade, query, of_search));
    let status = get(move |api, upgrade, query| adapter_status::open(api, upgrade, query, adapters));
    let upgrade = |summary| upgrade_operation(summary).refuses(422, &["invalid_client_id"]);
    let told_status = upgrade("The status of search, at once and in an interval, over WebSocket")
        .query::<adapter_status::Parameters>()
        .refuses(422, &["invalid_interval"]);
    let told_logs = upgrade("Log records at or above a level, over WebSocket")
        .query::<logs::Parameters>()
        .refuses(422, &["invalid_level"]);
    let told_searches = upgrade("Searches with their results one by one, over WebSocket");
    let walks = upgrade("Walks over the graph of facts, over WebSocket").query::<Named>();
    let connected = Operation::get("Who is connected to these endpoints, on all pods")
        .needs(Role::Control)
        .gives::<connections::ConnectionsAnswer>(200, "At most 1,000 names are listed")
        .refuses(404, &["switched_off"]);
    Endpoints::new()
        .route(search::PATH, searches, [told_searches.query::<Named>()])
        .route(adapter_status::PATH, status, [told_status])
        .route(logs::PATH, get(logs::open), [told_logs])
        .route(graph::PATH, get(graph::open), [walks])
        .route("/api/v3/ws/connections", get(connections::connections), [connected])
}

/// What the query string of every endpoint may have.
#[derive(Debug, Deserialize, IntoParams)]
struct Named {
    /// The name that the client gives itself.
    client_id: Option<String>,
}

/// What an endpoint adds to what they share. Methods push what is to be done.
trait Endpoint: Send + 'static {
    /// Where it is reached.
    fn path(&self) -> &'static str;

    /// What its clients may ask besides `ping`.
    fn actions(&self) -> &'static [&'static str] {
        &[]
    }

    /// The client is in.
    fn opened(&mut self, _identity: &Identity, _actions: &mut Vec<Action>) -> Result<(), ApiError> {
        Ok(())
    }

    /// The client asks for one of [`Self::actions`].
    fn request(
        &mut self,
        _action: &str,
        _fields: &Fields<'_>,
        _actions: &mut Vec<Action>,
    ) -> Result<(), Invalid> {
        Ok(())
    }

    /// The shared form of events.
    fn form(&self) -> &'static Form {
        &NO_EVENTS
    }

    /// An event of a topic that it follows.
    fn event(&self, _event: &Event) -> Bytes {
        Bytes::new()
    }

    /// Events of its topic are lost: so many of the stream, where that is known.
    fn gap(&self, _count: Option<u64>, _reason: GapReason) -> Option<Bytes> {
        None
    }

    /// NATS came or went.
    fn upstream(&self, _connected: bool) -> Option<Bytes> {
        None
    }

    /// A service answered.
    fn answer(&mut self, _tag: u64, _answer: Answer, _actions: &mut Vec<Action>) {}

    /// The time of an [`Action::WakeAfter`] is over.
    fn wake(&mut self, _actions: &mut Vec<Action>) {}
}

/// Lets a client in, or tells it why not.
async fn open<E: Endpoint>(
    api: &Api,
    upgrade: Upgrade,
    client_id: Option<String>,
    endpoint: E,
) -> Result<Response, ApiError> {
    let mut connection = Connection::new(checked(client_id)?, endpoint, api.metrics.bad_input.clone());
    let mut actions = Vec::new();
    let known = match upgrade.identify(api).await {
        Some(known) => known,
        // Refused as a request without a key is.
        None => api.auth.identify_headers(&HeaderMap::new()).await,
    };
    let admitted = known.and_then(|identity| {
        actions.push(Action::Authenticated(identity.clone()));
        connection.endpoint.opened(&identity, &mut actions).map(|()| identity)
    });
    if let Err(error) = &admitted {
        let reason = CloseReason::Unauthenticated;
        let close = frame::encode_close(reason.websocket_code(), reason.as_str());
        actions = vec![
            Action::Reply(words::error(error.code(), error.message())),
            Action::Reply(close),
            Action::Close(reason),
        ];
    }
    let chosen = upgrade.token_subprotocol().map(str::to_owned);
    upgrade.hand_over(api, admitted.ok().as_ref(), chosen.as_deref(), Box::new(connection), actions).await
}

/// The client's name for itself; one is made where it gives none.
fn checked(client_id: Option<String>) -> Result<String, ApiError> {
    match client_id.filter(|id| !id.is_empty()) {
        None => Ok(format!("client-{:016x}", fastrand::u64(..))),
        Some(id) if id.len() <= CLIENT_ID_SIZE_MAX && !id.chars().any(char::is_control) => Ok(id),
        Some(_) => Err(ApiError::unprocessable(
            "invalid_client_id",
            format!("client_id has at most {CLIENT_ID_SIZE_MAX} bytes and no control characters"),
        )),
    }
}

/// One connection.
struct Connection<E> {
    client_id: String,
    reader: Reader,
    rate: MessageRate,
    bad_input: BadInputs,
    endpoint: E,
}

impl<E: Endpoint> Connection<E> {
    fn new(client_id: String, endpoint: E, bad_input: BadInputs) -> Self {
        let rate = MessageRate::new(MESSAGES_PER_MINUTE_MAX, Instant::now());
        let reader = Reader::new(MESSAGE_SIZE_MAX, bad_input.clone());
        Self { client_id, reader, rate, bad_input, endpoint }
    }

    fn text(&mut self, text: &str, actions: &mut Vec<Action>) -> Result<(), Invalid> {
        if !self.rate.allows(Instant::now()) {
            self.bad_input.count(BadInput::Flood);
            let message = format!("more than {MESSAGES_PER_MINUTE_MAX} messages a minute");
            return Err(Invalid::new("rate_limited", message));
        }
        self.asked(text, actions).inspect_err(|_| self.bad_input.count(BadInput::Message))
    }

    fn asked(&mut self, text: &str, actions: &mut Vec<Action>) -> Result<(), Invalid> {
        let message = match serde_json::from_str(text) {
            Ok(Value::Object(message)) => message,
            Ok(_) => return Err(Invalid::new("malformed_message", "send a JSON object")),
            Err(error) => return Err(Invalid::new("malformed_message", format!("no JSON: {error}"))),
        };
        let fields = Fields(&message);
        let known = self.endpoint.actions();
        match fields.text("action")? {
            Some("ping") => actions.push(Action::Reply(words::pong())),
            Some(action) if known.contains(&action) => {
                return self.endpoint.request(action, &fields, actions);
            }
            other => {
                let names = [known, &["ping"]].concat().join(", ");
                let message = match other {
                    Some(action) => format!("there is no action {action:?} here; there are {names}"),
                    None => format!("name an action: {names}"),
                };
                return Err(Invalid::new("unknown_action", message));
            }
        }
        Ok(())
    }
}

impl<E: Endpoint> Codec for Connection<E> {
    fn protocol(&self) -> &'static str {
        PROTOCOL
    }

    fn endpoint(&self) -> &'static str {
        self.endpoint.path()
    }

    fn client_id(&self) -> Option<&str> {
        Some(&self.client_id)
    }

    fn form(&self) -> &'static Form {
        self.endpoint.form()
    }

    fn event(&self, event: &Event, _: &TopicPattern, _: Option<&Positions>) -> Bytes {
        self.endpoint.event(event)
    }

    fn notice(&mut self, notice: &Notice<'_>, _: Option<&Positions>) -> Option<Bytes> {
        match notice {
            Notice::Gap { from, to, reason, .. } => {
                let count = from.zip(*to).map(|(from, to)| to.saturating_sub(from) + 1);
                self.endpoint.gap(count, *reason)
            }
            Notice::Upstream { connected } => self.endpoint.upstream(*connected),
            Notice::Closing { reason, retry_ms } => {
                let text = format!("the gateway ends this connection; come back after {retry_ms} ms");
                let close = frame::encode_close(reason.websocket_code(), reason.as_str());
                Some([words::error(reason.as_str(), &text), close].concat().into())
            }
            Notice::Ready { .. } | Notice::SnapshotEnd { .. } | Notice::Checkpoint => None,
        }
    }

    fn receive(&mut self, bytes: &[u8], actions: &mut Vec<Action>) {
        let mut messages = Vec::new();
        let end = self.reader.receive(bytes, &mut messages);
        for message in messages {
            let done = match message {
                Message::Text(text) => self.text(&text, actions),
                Message::Binary(_) => {
                    self.bad_input.count(BadInput::Message);
                    Err(Invalid::new("malformed_message", "send text frames with JSON"))
                }
                Message::Answer(bytes) => {
                    actions.push(Action::Reply(bytes));
                    Ok(())
                }
                Message::TooLarge => {
                    let text = format!("messages have at most {MESSAGE_SIZE_MAX} bytes");
                    Err(Invalid::new("message_too_large", text))
                }
            };
            if let Err(Invalid { code, message }) = done {
                actions.push(Action::Reply(words::error(code, &message)));
            }
        }
        actions.extend(end.map(Action::Close));
    }

    fn answer(&mut self, tag: u64, answer: Answer, actions: &mut Vec<Action>) {
        self.endpoint.answer(tag, answer, actions);
    }

    /// Nothing else may be said for hours, and what lies between ends connections on which nothing is said.
    fn beat(&mut self, actions: &mut Vec<Action>) {
        actions.push(Action::Reply(frame::encode(Opcode::Ping, b"")));
    }

    fn wake(&mut self, actions: &mut Vec<Action>) {
        self.endpoint.wake(actions);
    }
}

#[cfg(test)]
mod tests;
