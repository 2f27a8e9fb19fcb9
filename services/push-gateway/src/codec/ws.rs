//! `/ws`: the envelope `{type, payload, timestamp, message_id, correlation_id}` over WebSocket text frames.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use chassis::{ApiError, Auth, Identity, Role, time};
use proto_schemas::{TopicPattern, names};
use serde::Deserialize;
use serde_json::{Value, json};

use super::frame::{self, FrameError, Incoming, Opcode, Reader};
use super::sse::put_json_string;
use super::{Action, CloseReason, Codec, Form, Notice, Tell};
use crate::event::Event;
use crate::position::{Positions, parse_since};

/// Largest message a client may send, bytes.
pub const MESSAGE_SIZE_MAX: usize = 8_192;
/// Messages a client may send in any minute.
const MESSAGES_PER_MINUTE_MAX: u32 = 600;
/// Topics a client may name in one message.
const TOPICS_PER_MESSAGE_MAX: usize = 64;
/// Topics a connection may follow at once: each is looked at for every frame.
const TOPICS_MAX: usize = 128;

/// One connection of `/ws`.
#[derive(Debug)]
pub struct Ws {
    auth: Auth,
    identity: Option<Identity>,
    reader: Reader,
    /// What the client follows by its own wish.
    topics: BTreeSet<TopicPattern>,
    minute: Instant,
    messages_this_minute: u32,
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "type")]
    message_type: String,
    #[serde(default)]
    payload: Value,
    message_id: Option<String>,
}

impl Ws {
    /// A connection whose client has yet to prove who it is.
    pub fn new(auth: Auth) -> Self {
        let reader = Reader::new(MESSAGE_SIZE_MAX);
        Self {
            auth,
            identity: None,
            reader,
            topics: BTreeSet::new(),
            minute: Instant::now(),
            messages_this_minute: 0,
        }
    }

    /// Welcomes a client that is known, and subscribes it to its own agent events.
    pub fn admit(&mut self, identity: Identity, actions: &mut Vec<Action>) {
        let connection_id = new_id();
        let welcome =
            json!({"event": "connection_established", "connection_id": connection_id, "user": identity.id});
        actions.push(Action::Authenticated { user: identity.id.clone() });
        actions.push(Action::Reply(message("system_message", &welcome, None)));
        let own = format!("agent.{}.>", names::encode(&identity.id));
        if let Ok(topic) = own.parse() {
            actions.push(Action::Subscribe { topics: vec![topic], since: None, tell: Tell::Quiet });
        }
        self.identity = Some(identity);
    }

    /// Tells a client that it may not stay, and closes.
    pub fn refuse(error: &ApiError, actions: &mut Vec<Action>) {
        let payload = json!({"code": error.code(), "message": error.message()});
        actions.push(Action::Reply(authentication_error(&payload)));
        actions.push(Action::Close(CloseReason::Unauthenticated));
    }

    fn authenticate(&mut self, text: &str, actions: &mut Vec<Action>) {
        let token = serde_json::from_str::<Envelope>(text)
            .ok()
            .filter(|envelope| {
                matches!(envelope.message_type.as_str(), "authenticate" | "auth" | "token_refresh")
            })
            .and_then(|envelope| envelope.payload.get("token")?.as_str().map(str::to_owned));
        let known = match token {
            Some(token) => self.auth.identify(&token),
            None => Err(ApiError::new(
                axum::http::StatusCode::UNAUTHORIZED,
                "missing_key",
                "the first message must be {\"type\":\"authenticate\",\"payload\":{\"token\":...}}",
            )),
        };
        match known.and_then(|identity| identity.require(Role::Read).map(|()| identity)) {
            Ok(identity) => self.admit(identity, actions),
            Err(error) => Self::refuse(&error, actions),
        }
    }

    fn text(&mut self, text: &str, actions: &mut Vec<Action>) {
        if self.identity.is_none() {
            return self.authenticate(text, actions);
        }
        if self.over_rate() {
            let text = format!("more than {MESSAGES_PER_MINUTE_MAX} messages a minute");
            return actions.push(error("RATE_LIMITED", &text, None));
        }
        let envelope: Envelope = match serde_json::from_str(text) {
            Ok(envelope) => envelope,
            Err(cause) => return actions.push(error("FORMAT_ERROR", &cause.to_string(), None)),
        };
        let id = envelope.message_id.as_deref();
        match envelope.message_type.as_str() {
            "ping" => actions.push(Action::Reply(message("pong", &envelope.payload, id))),
            "echo" => actions.push(Action::Reply(message("echo", &envelope.payload, id))),
            "subscribe" => actions.push(self.subscribe(&envelope.payload, id)),
            "unsubscribe" => actions.push(self.unsubscribe(&envelope.payload, id)),
            "get_status" | "run_command" | "user_message" | "token_refresh" => {
                let text = format!("{} is not available in this version", envelope.message_type);
                actions.push(error("NOT_AVAILABLE", &text, id));
            }
            other => actions.push(error("UNKNOWN_TYPE", &format!("there is no message type {other:?}"), id)),
        }
    }

    fn subscribe(&mut self, payload: &Value, id: Option<&str>) -> Action {
        let topics = match topics(payload, id) {
            Ok(topics) => topics,
            Err(reply) => return Action::Reply(reply),
        };
        let since = match payload.get("since") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(parse_since(text)),
            Some(_) => return error("FORMAT_ERROR", "payload.since must be a string", id),
        };
        let new = topics.iter().filter(|topic| !self.topics.contains(*topic)).count();
        if self.topics.len() + new > TOPICS_MAX {
            return error(
                "TOO_MANY_TOPICS",
                &format!("a connection follows at most {TOPICS_MAX} topics"),
                id,
            );
        }
        self.topics.extend(topics.iter().cloned());
        Action::Subscribe { topics, since, tell: Tell::Ready(id.map(str::to_owned)) }
    }

    fn unsubscribe(&mut self, payload: &Value, id: Option<&str>) -> Action {
        match topics(payload, id) {
            Ok(topics) => {
                self.topics.retain(|topic| !topics.contains(topic));
                let names: Vec<_> = topics.iter().map(TopicPattern::as_str).collect();
                let reply = message("unsubscribed", &json!({"topics": names}), id);
                Action::Unsubscribe { topics, reply }
            }
            Err(reply) => Action::Reply(reply),
        }
    }

    fn over_rate(&mut self) -> bool {
        if self.minute.elapsed() >= Duration::from_secs(60) {
            self.minute = Instant::now();
            self.messages_this_minute = 0;
        }
        self.messages_this_minute = self.messages_this_minute.saturating_add(1);
        self.messages_this_minute > MESSAGES_PER_MINUTE_MAX
    }
}

fn new_id() -> String {
    format!("{:016x}", fastrand::u64(..))
}

fn envelope(
    message_type: &str,
    payload: &Value,
    correlation_id: Option<&str>,
    token: Option<&Positions>,
) -> Bytes {
    let mut object = json!({
        "type": message_type,
        "payload": payload,
        "timestamp": time::now(),
        "message_id": new_id(),
        "correlation_id": correlation_id,
    });
    if let Some(token) = token {
        object["token"] = Value::String(token.to_string());
    }
    frame::encode(Opcode::Text, object.to_string().as_bytes())
}

fn message(message_type: &str, payload: &Value, correlation_id: Option<&str>) -> Bytes {
    envelope(message_type, payload, correlation_id, None)
}

/// The message and the close frame that follows it.
fn authentication_error(payload: &Value) -> Bytes {
    let told = message("authentication_error", payload, None);
    let reason = CloseReason::Unauthenticated;
    Bytes::from([told, frame::encode_close(reason.websocket_code(), reason.as_str())].concat())
}

fn error_message(code: &str, text: &str, correlation_id: Option<&str>) -> Bytes {
    message("error_message", &json!({"code": code, "message": text}), correlation_id)
}

fn error(code: &str, text: &str, correlation_id: Option<&str>) -> Action {
    Action::Reply(error_message(code, text, correlation_id))
}

/// The topics of a payload, or the error to send.
fn topics(payload: &Value, id: Option<&str>) -> Result<Vec<TopicPattern>, Bytes> {
    let wanted = || error_message("FORMAT_ERROR", "payload.topics must be a list of 1 to 64 topics", id);
    let list = payload.get("topics").and_then(Value::as_array).ok_or_else(wanted)?;
    if list.is_empty() || list.len() > TOPICS_PER_MESSAGE_MAX {
        return Err(wanted());
    }
    let mut topics: Vec<TopicPattern> = Vec::with_capacity(list.len());
    for topic in list {
        let text = topic.as_str().ok_or_else(wanted)?;
        let topic = text.parse().map_err(|cause: proto_schemas::TopicError| {
            error_message(&cause.code().to_uppercase(), &cause.to_string(), id)
        })?;
        if !topics.contains(&topic) {
            topics.push(topic);
        }
    }
    Ok(topics)
}

impl Codec for Ws {
    fn protocol(&self) -> &'static str {
        "ws"
    }

    fn endpoint(&self) -> &'static str {
        "/ws"
    }

    fn form(&self) -> Form {
        Form::Ws
    }

    fn event(&self, event: &Event, token: Option<&Positions>) -> Bytes {
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

    fn notice(&self, notice: &Notice<'_>, token: Option<&Positions>) -> Option<Bytes> {
        Some(match notice {
            Notice::Ready { topics, resumed, correlation_id } => {
                let topics: Vec<_> = topics.iter().map(TopicPattern::as_str).collect();
                envelope("subscribed", &json!({"topics": topics, "resumed": resumed}), *correlation_id, token)
            }
            Notice::SnapshotEnd { topic, keys } => {
                envelope("snapshot_end", &json!({"topic": topic, "keys": keys}), None, token)
            }
            Notice::Gap { topic, from, to, reason } => envelope(
                "gap",
                &json!({"topic": topic, "from": from, "to": to, "reason": reason}),
                None,
                token,
            ),
            Notice::Checkpoint => envelope("checkpoint", &json!({}), None, token),
            Notice::Upstream { connected } => message("upstream", &json!({"connected": connected}), None),
            Notice::Closing { reason: CloseReason::Unauthenticated, .. } => authentication_error(
                &json!({"code": "authentication_timeout", "message": "no valid key came within the time allowed"}),
            ),
            Notice::Closing { reason, retry_ms } => {
                let told =
                    message("closing", &json!({"reason": reason.as_str(), "retry_ms": retry_ms}), None);
                let close = frame::encode_close(reason.websocket_code(), reason.as_str());
                Bytes::from([told, close].concat())
            }
        })
    }

    fn receive(&mut self, bytes: &[u8], actions: &mut Vec<Action>) {
        let mut incoming = Vec::new();
        let result = self.reader.read(bytes, &mut incoming);
        for one in incoming {
            match one {
                Incoming::Text(text) => self.text(&text, actions),
                Incoming::Binary(_) => {
                    actions.push(error("FORMAT_ERROR", "send text frames with JSON", None));
                }
                Incoming::Ping(payload) => actions.push(Action::Reply(frame::encode(Opcode::Pong, &payload))),
                Incoming::Pong => {}
                Incoming::TooLarge => {
                    let text = format!("messages have at most {MESSAGE_SIZE_MAX} bytes");
                    actions.push(error("MESSAGE_TOO_LARGE", &text, None));
                }
                Incoming::Close(code) => {
                    let echo = code.map_or_else(
                        || frame::encode(Opcode::Close, b""),
                        |code| frame::encode_close(code, ""),
                    );
                    actions.push(Action::Reply(echo));
                    actions.push(Action::Close(CloseReason::ClientGone));
                }
            }
        }
        if let Err(cause) = result {
            let code = if cause == FrameError::Utf8 { 1007 } else { 1002 };
            actions.push(Action::Reply(frame::encode_close(code, &cause.to_string())));
            actions.push(Action::Close(CloseReason::ProtocolError));
        }
    }

    fn awaits_authentication(&self) -> bool {
        self.identity.is_none()
    }
}
