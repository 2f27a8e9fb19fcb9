//! What these endpoints say, as WebSocket frames.

use bytes::Bytes;
use chassis::time;
use proto_schemas::json;
use serde::Serialize;
use serde_json::json;

use crate::codec::frame::{self, Opcode};

/// A message: any object with a `type`.
pub fn message<T: Serialize + ?Sized>(object: &T) -> Bytes {
    frame::encode(Opcode::Text, &json::to_vec(object))
}

/// Something went wrong; the connection stays. `code` is ours: older clients read `message`.
pub fn error(code: &str, text: &str) -> Bytes {
    message(&json!({"type": "error", "code": code, "message": text, "timestamp": time::now()}))
}

/// The answer to `ping`.
pub fn pong() -> Bytes {
    message(&json!({"type": "pong"}))
}
