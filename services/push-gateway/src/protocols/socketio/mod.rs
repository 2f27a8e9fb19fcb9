//! Socket.IO v4 (Engine.IO protocol 4) on `/socket.io/`, for front ends that speak it; `docs/clients.md` has the
//! events.
//!
//! One session of a worker stands behind each client, whichever transport it uses, and one event is put into words once
//! for all clients of a transport:
//!
//! - **WebSocket**: the connection is the session's socket, as with every other protocol;
//! - **polling** (`polling.rs`): the session's socket is one end of a pair, and the HTTP side holds the other;
//! - **upgrade** (`upgrade.rs`): the WebSocket takes the pair's place in the session. A bridge between the two would be
//!   simpler, but would cost a task, a second buffer and three more sockets for each client of the default settings,
//!   for as long as it is connected.
//!
//! Namespaces but the default, attachments and JSONP are refused with a code. The server pings at every checkpoint
//! interval. No event asks for an ack, so none waits for one.

mod connection;
mod farewell;
mod figures;
mod packet;
mod polling;
mod requests;
mod translate;
mod upgrade;

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::Bytes as Body;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json};
use chassis::auth::key_of;
use chassis::extract::Query;
use chassis::http::Peer;
use chassis::{ApiError, Endpoints, Operation, extract};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use connection::{Gateway, SocketIo};
use packet::Transport;
use polling::{Polled, Refused, Sessions};

use crate::api::{Api, Handover, Upgrade, header as text_of, is_tls, switched_off, upgrade_operation};
use crate::codec::Action;
use crate::metrics::BadInput;

/// Where clients come, as metrics name it.
const ENDPOINT: &str = "/socket.io/";
/// Largest packet a client may send, and largest payload by polling, bytes; told as `maxPayload`.
const PACKET_SIZE_MAX: usize = 64 * 1024;
/// A ping is answered within this time, or the connection is closed; told as `pingTimeout`.
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// Engine.IO's protocol.
const PROTOCOL: &str = "4";

/// Where it is reached.
pub fn routes() -> Endpoints<Api> {
    let shared = Arc::new(OnceLock::<Shared>::new());
    let layers = (DefaultBodyLimit::max(PACKET_SIZE_MAX), Extension(shared));
    let endpoint = get(receive).post(post).layer::<_, Infallible>(layers);
    let refuses = |operation: Operation| {
        operation
            .query::<Parameters>()
            .refuses(
                400,
                &["unsupported_protocol", "unknown_transport", "unknown_session", "overlapping_request"],
            )
            .refuses(404, &["switched_off"])
    };
    let operations = || {
        let receives =
            refuses(upgrade_operation("Socket.IO v4: packets for the client, by polling or over WebSocket"))
                .gives_text(200, "text/plain", "Engine.IO packets, once there are some");
        let sends = refuses(Operation::post("Socket.IO v4: packets of the client, by polling"))
            .takes_text(&["text/plain"], "Engine.IO packets")
            .gives_text(200, "text/plain", "`ok`")
            .refuses(400, &["bad_handshake_method", "malformed_payload"]);
        [receives, sends]
    };
    Endpoints::new().route(ENDPOINT, endpoint.clone(), operations()).route(
        "/socket.io",
        endpoint,
        operations(),
    )
}

/// What lives as long as the process; made from the first request's surroundings.
struct Shared {
    gateway: Arc<Gateway>,
    sessions: Arc<Sessions>,
    ping_interval: Duration,
}

impl Shared {
    fn new(api: &Api) -> Self {
        let ping_interval = Duration::from_secs(api.limits.checkpoint_interval_s.max(1));
        Self {
            gateway: Arc::new(Gateway {
                auth: api.auth.clone(),
                metrics: api.metrics.clone(),
                connections_max: api.limits.connections_max,
                figures: figures::Figures::default(),
            }),
            sessions: Arc::new(Sessions::new(ping_interval, polling::SESSIONS_MAX)),
            ping_interval,
        }
    }

    /// The packet that opens a session.
    fn open_packet(&self, id: &str, upgrades: &[&str]) -> String {
        let told = json!({
            "sid": id,
            "upgrades": upgrades,
            "pingInterval": self.ping_interval.as_millis(),
            "pingTimeout": PING_TIMEOUT.as_millis(),
            "maxPayload": PACKET_SIZE_MAX,
        });
        format!("0{}", packet::json(&told))
    }
}

type SharedExtension = Extension<Arc<OnceLock<Shared>>>;

#[derive(Debug, Deserialize, IntoParams)]
struct Parameters {
    /// `4`.
    #[serde(rename = "EIO", default)]
    protocol: String,
    /// `polling` or `websocket`.
    #[serde(default)]
    transport: String,
    /// Of a session that is open.
    sid: Option<String>,
}

/// A request that Engine.IO refuses: in its own form, which clients read, and in ours.
struct Refusal {
    status: StatusCode,
    /// Engine.IO's number.
    number: u8,
    /// Engine.IO's text.
    text: &'static str,
    code: &'static str,
    message: String,
}

impl Refusal {
    fn bad(number: u8, text: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, number, text, code, message: message.into() }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let error = json!({"code": self.code, "message": self.message});
        let body = json!({"code": self.number, "message": self.text, "error": error});
        (self.status, Json(body)).into_response()
    }
}

impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Self {
        refusal.into_response()
    }
}

impl From<Refused> for Response {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::UnknownSession => {
                let message = "this pod has no such session; start anew";
                Refusal::bad(1, "Session ID unknown", "unknown_session", message).into_response()
            }
            Refused::Overlapping => {
                let message = "another request of this session does the same";
                Refusal::bad(3, "Bad request", "overlapping_request", message).into_response()
            }
            Refused::Busy => ApiError::new(
                StatusCode::TOO_MANY_REQUESTS,
                "session_busy",
                "the session has answers that are not read; poll first",
            )
            .into_response(),
            Refused::TooMany => {
                let message = "too many clients are polling; use WebSocket, or come again";
                let retry_after_s = fastrand::u32(2..10);
                ApiError::unavailable("too_many_polling_sessions", message, retry_after_s).into_response()
            }
        }
    }
}

/// What every request must have.
fn check(parameters: &Parameters) -> Result<Transport, Refusal> {
    if parameters.protocol != PROTOCOL {
        let message = "this is Engine.IO protocol 4 (socket.io-client 3 or newer): EIO=4";
        let text = "Unsupported protocol version";
        return Err(Refusal::bad(5, text, "unsupported_protocol", message));
    }
    match parameters.transport.as_str() {
        "websocket" => Ok(Transport::WebSocket),
        "polling" => Ok(Transport::Polling),
        _ => {
            let message = "transport is polling or websocket";
            Err(Refusal::bad(0, "Transport unknown", "unknown_transport", message))
        }
    }
}

/// A handshake, a poll, or a WebSocket.
async fn receive(
    State(api): State<Api>,
    Extension(shared): SharedExtension,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    Query(parameters): Query<Parameters>,
    upgrade: Result<Upgrade, ApiError>,
) -> Result<Response, Response> {
    if !api.profile.websocket {
        return Err(switched_off("Socket.IO").into_response());
    }
    let transport = check(&parameters)?;
    let shared = shared.get_or_init(|| Shared::new(&api));
    let connection = || {
        let key = key_of(&headers).map(str::to_owned);
        SocketIo::new(Arc::clone(&shared.gateway), transport, key, port(&headers, is_tls(peer, &headers)))
    };
    match (transport, parameters.sid) {
        (Transport::WebSocket, None) => {
            let upgrade = upgrade.map_err(IntoResponse::into_response)?;
            let open = transport.packet(&shared.open_packet(&new_id(), &[]));
            let handed_over =
                upgrade.hand_over(&api, None, None, Box::new(connection()), vec![Action::Reply(open)]);
            handed_over.await.map_err(IntoResponse::into_response)
        }
        (Transport::WebSocket, Some(id)) => {
            let polled = shared.sessions.get(&id)?;
            let upgrade = upgrade.map_err(IntoResponse::into_response)?;
            if !polled.begin_upgrade() {
                return Err(Refused::Overlapping.into());
            }
            let sessions = Arc::clone(&shared.sessions);
            let bad_input = api.metrics.bad_input.clone();
            Ok(upgrade
                .take_over(None, move |socket, head, leftover| {
                    tokio::spawn(upgrade::run(sessions, id, polled, socket, head, leftover, bad_input));
                })
                .await)
        }
        (Transport::Polling, None) => {
            shared.sessions.has_room()?;
            let place = api.admit(None, peer.addr).map_err(IntoResponse::into_response)?;
            let (near, far) = polling::pair().map_err(|error| {
                tracing::warn!(%error, "a polling session cannot be opened");
                Response::from(Refused::TooMany)
            })?;
            let codec = Box::new(connection());
            let handover = Handover { peer: peer.addr, codec, head: Body::new(), actions: Vec::new(), place };
            let session = api.open_local(near, handover).await.ok_or(Refused::UnknownSession)?;
            let id = new_id();
            let open = shared.open_packet(&id, &["websocket"]);
            shared.sessions.insert(id, Arc::new(Polled::new(session, far)));
            Ok(payload(open.into()))
        }
        (Transport::Polling, Some(id)) => {
            let polled = shared.sessions.get(&id)?;
            match polled.poll().await? {
                Some(packets) => Ok(payload(packets)),
                None => {
                    shared.sessions.remove(&id);
                    Err(Refused::UnknownSession.into())
                }
            }
        }
    }
}

/// Packets of a polling client.
async fn post(
    State(api): State<Api>,
    Extension(shared): SharedExtension,
    Query(parameters): Query<Parameters>,
    body: Result<Body, BytesRejection>,
) -> Result<Response, Response> {
    if !api.profile.websocket {
        return Err(switched_off("Socket.IO").into_response());
    }
    let transport = check(&parameters)?;
    let (Transport::Polling, Some(id)) = (transport, &parameters.sid) else {
        let message = "a session begins with GET";
        return Err(Refusal::bad(2, "Bad handshake method", "bad_handshake_method", message).into_response());
    };
    let shared = shared.get_or_init(|| Shared::new(&api));
    let polled = shared.sessions.get(id)?;
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            api.metrics.bad_input.count(BadInput::TooLarge);
            extract::body_too_large().into_response()
        }
        _ => bad_payload(),
    })?;
    if !polling::is_payload(&body) {
        api.metrics.bad_input.count(BadInput::Message);
        return Err(bad_payload());
    }
    match polled.post(&body).await {
        Ok(()) => Ok(payload(Body::from_static(b"ok"))),
        Err(refused) => {
            if refused == Refused::UnknownSession {
                shared.sessions.remove(id);
            }
            Err(refused.into())
        }
    }
}

fn bad_payload() -> Response {
    let message = "the body is packets of text, with U+001E between them";
    Refusal::bad(3, "Bad request", "malformed_payload", message).into_response()
}

fn payload(packets: Body) -> Response {
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=UTF-8"), (header::CACHE_CONTROL, "no-store")];
    (headers, packets).into_response()
}

/// Where the client reached us, as far as it says.
fn port(headers: &HeaderMap, is_tls: bool) -> u16 {
    let named = text_of(headers, "host").and_then(|host| host.rsplit_once(':')?.1.parse().ok());
    named.unwrap_or(if is_tls { 443 } else { 80 })
}

/// An id that nobody guesses: whoever has it speaks for its session.
fn new_id() -> String {
    let mut bytes = [0; 16];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes)
        .expect("the system has random numbers");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_the_one_that_the_client_named() {
        for (host, is_tls, expected) in [
            ("localhost:8000", true, 8000),
            ("[::1]:8001", false, 8001),
            ("example.org", false, 80),
            ("example.org", true, 443),
        ] {
            let headers = HeaderMap::from_iter([(header::HOST, host.parse().unwrap())]);
            assert_eq!(port(&headers, is_tls), expected, "{host}");
        }
    }

    #[test]
    fn ids_are_long_and_differ() {
        assert_eq!(new_id().len(), 32);
        assert_ne!(new_id(), new_id());
    }
}
