//! The envelope of `/ws`: `{type, payload, timestamp, message_id, correlation_id}` in a text frame.

use bytes::{BufMut, Bytes, BytesMut};
use chassis::time;
use serde::Serialize;
use serde_json::{Value, json};

use crate::codec::frame::{self, Opcode};
use crate::codec::{Action, CloseReason, put_json_string};
use crate::event::Event;
use crate::position::Positions;

/// An event; its type is the envelope's.
pub fn event(event: &Event, token: Option<&Positions>) -> Bytes {
    let mut out = BytesMut::with_capacity(event.payload.len() + 384);
    out.put_slice(b"{\"type\":");
    put_json_string(&mut out, &event.event_type);
    out.put_slice(b",\"topic\":");
    put_json_string(&mut out, &event.topic);
    out.put_slice(format!(",\"seq\":{}", event.seq).as_bytes());
    if let Some(token) = token {
        out.put_slice(format!(",\"token\":\"{token}\"").as_bytes());
    }
    out.put_slice(b",\"payload\":");
    out.put_slice(&event.payload);
    out.put_slice(b",\"timestamp\":");
    put_json_string(&mut out, &event.time);
    out.put_slice(format!(",\"message_id\":\"{}-{}\"", event.stream.spec().name, event.seq).as_bytes());
    match event.trace {
        Some(trace) => {
            out.put_slice(format!(",\"correlation_id\":\"{}\"}}", trace.trace_id()).as_bytes());
        }
        None => out.put_slice(b",\"correlation_id\":null}"),
    }
    frame::encode(Opcode::Text, &out)
}

/// An id for a message or a connection.
pub fn new_id() -> String {
    format!("{:016x}", fastrand::u64(..))
}

/// A message of the gateway's own.
#[derive(Serialize)]
struct Envelope<'a, P: ?Sized> {
    #[serde(rename = "type")]
    message_type: &'a str,
    payload: &'a P,
    timestamp: String,
    message_id: String,
    correlation_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

/// A message of the gateway's own.
pub fn envelope(
    message_type: &str,
    payload: &(impl Serialize + ?Sized),
    correlation_id: Option<&str>,
    token: Option<&Positions>,
) -> Bytes {
    let envelope = Envelope {
        message_type,
        payload,
        timestamp: time::now(),
        message_id: new_id(),
        correlation_id,
        token: token.map(Positions::to_string),
    };
    let text = serde_json::to_vec(&envelope).expect("texts and JSON values always have a form in JSON");
    frame::encode(Opcode::Text, &text)
}

/// [`envelope`] without a token.
pub fn message(
    message_type: &str,
    payload: &(impl Serialize + ?Sized),
    correlation_id: Option<&str>,
) -> Bytes {
    envelope(message_type, payload, correlation_id, None)
}

/// The message and the close frame that follows it.
pub fn authentication_error(payload: &Value) -> Bytes {
    let told = message("authentication_error", payload, None);
    let reason = CloseReason::Unauthenticated;
    Bytes::from([told, frame::encode_close(reason.websocket_code(), reason.as_str())].concat())
}

/// An error, as bytes.
pub fn error_message(code: &str, text: &str, correlation_id: Option<&str>) -> Bytes {
    message("error_message", &json!({"code": code, "message": text}), correlation_id)
}

/// An error, as an action.
pub fn error(code: &str, text: &str, correlation_id: Option<&str>) -> Action {
    Action::Reply(error_message(code, text, correlation_id))
}
