//! How a connection ends, and how a client is told that it may not come in: in Socket.IO's words, then the transport's.

use bytes::{Bytes, BytesMut};
use chassis::ApiError;
use serde_json::{Value, json};

use super::packet::{DEFAULT_NAMESPACE, Kind, Transport, message};
use crate::codec::{CloseReason, frame};

/// A namespace is not joined.
pub fn connect_error(namespace: &str, code: &str, text: &str) -> String {
    let data = json!({"message": text, "data": {"code": code}});
    message(Kind::ConnectError, namespace, None, Some(&data))
}

/// The same for a key that does not suffice.
pub fn refused(error: &ApiError) -> String {
    connect_error(DEFAULT_NAMESPACE, error.code(), error.message())
}

/// The last words of a transport.
pub fn end(transport: Transport, reason: CloseReason) -> Bytes {
    match transport {
        Transport::WebSocket => frame::encode_close(reason.websocket_code(), reason.as_str()),
        Transport::Polling => transport.packet("1"),
    }
}

/// A client that is refused, or sent away for good, is told so in Socket.IO's words, after which it does not come back by
/// itself. Every other end is one of the transport, after which it does, at its own jittered pace.
pub fn closing(transport: Transport, reason: CloseReason, has_joined: bool) -> Bytes {
    let mut out = BytesMut::new();
    match reason {
        CloseReason::TooManyOfUser => {
            let text = "this user has as many connections as one may";
            transport.put(&mut out, &connect_error(DEFAULT_NAMESPACE, reason.as_str(), text));
        }
        CloseReason::Unauthenticated => {
            let text = "the namespace was not joined within the time allowed";
            transport.put(&mut out, &connect_error(DEFAULT_NAMESPACE, "authentication_timeout", text));
        }
        CloseReason::Revoked | CloseReason::Removed if has_joined => {
            let packet = message(Kind::Disconnect, DEFAULT_NAMESPACE, None, None::<&Value>);
            transport.put(&mut out, &packet);
        }
        _ => {}
    }
    out.extend_from_slice(&end(transport, reason));
    out.freeze()
}
