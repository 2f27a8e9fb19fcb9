//! `/ws/echo`: every message comes back as it came, for conformance suites of RFC 6455
//! (`docs/websocket-conformance.md`). It reads and writes as every WebSocket here does. Switched off unless a setting
//! says otherwise.

use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use chassis::{ApiError, CanRead, Endpoints, Role};
use proto_schemas::TopicPattern;

use crate::api::{Api, Upgrade, switched_off, upgrade_operation};
use crate::codec::frame::{self, Message, Opcode, Reader};
use crate::codec::{Action, CloseReason, Codec, Form, Notice};
use crate::event::Event;
use crate::metrics::BadInputs;
use crate::position::Positions;

/// Where it is reached.
const ENDPOINT: &str = "/ws/echo";
/// Largest message, bytes: the largest that the suites send.
const MESSAGE_SIZE_MAX: usize = 16 * 1024 * 1024;
/// A message that is larger than the server takes (RFC 6455, section 7.4.1).
const CLOSE_TOO_LARGE: u16 = 1009;

const FORM: Form = Form { name: "echo", carries_token: false, names_pattern: false };

/// Where it is reached.
pub fn routes() -> Endpoints<Api> {
    let operation =
        upgrade_operation("Every message comes back, for conformance suites; off unless switched on");
    let operation = operation.needs(Role::Read);
    Endpoints::new().route(ENDPOINT, get(upgrade), [operation])
}

async fn upgrade(
    State(api): State<Api>,
    CanRead(identity): CanRead,
    upgrade: Upgrade,
) -> Result<Response, ApiError> {
    if !api.ws_echo {
        return Err(switched_off(ENDPOINT));
    }
    let codec = Box::new(Echo::new(api.metrics.bad_input.clone()));
    let actions = vec![Action::Authenticated(identity.clone())];
    upgrade.hand_over(&api, Some(&identity), None, codec, actions).await
}

/// One connection.
#[derive(Debug)]
struct Echo {
    reader: Reader,
}

impl Echo {
    fn new(bad_input: BadInputs) -> Self {
        Self { reader: Reader::new(MESSAGE_SIZE_MAX, bad_input) }
    }
}

impl Codec for Echo {
    fn protocol(&self) -> &'static str {
        "echo"
    }

    fn endpoint(&self) -> &'static str {
        ENDPOINT
    }

    fn form(&self) -> &'static Form {
        &FORM
    }

    fn event(&self, _: &Event, _: &TopicPattern, _: Option<&Positions>) -> Bytes {
        Bytes::new()
    }

    fn notice(&mut self, notice: &Notice<'_>, _: Option<&Positions>) -> Option<Bytes> {
        match notice {
            Notice::Closing { reason, .. } => {
                Some(frame::encode_close(reason.websocket_code(), reason.as_str()))
            }
            _ => None,
        }
    }

    fn receive(&mut self, bytes: &[u8], actions: &mut Vec<Action>) {
        let mut messages = Vec::new();
        let end = self.reader.receive(bytes, &mut messages);
        for message in messages {
            actions.push(Action::Reply(match message {
                Message::Text(text) => frame::encode(Opcode::Text, text.as_bytes()),
                Message::Binary(bytes) => frame::encode(Opcode::Binary, &bytes),
                Message::Answer(bytes) => bytes,
                Message::TooLarge => {
                    let text = format!("messages have at most {MESSAGE_SIZE_MAX} bytes");
                    actions.push(Action::Reply(frame::encode_close(CLOSE_TOO_LARGE, &text)));
                    return actions.push(Action::Close(CloseReason::ProtocolError));
                }
            }));
        }
        actions.extend(end.map(Action::Close));
    }
}
