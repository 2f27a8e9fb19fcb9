//! `/ws`: one authenticated WebSocket for a user's agent events, topics and commands.

mod envelope;

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use chassis::extract::Query;
use chassis::{ApiError, Auth, Endpoints, Identity, Role};
use proto_schemas::{TopicPattern, names};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use envelope::{authentication_error, envelope, error, error_message, message, new_id};

use crate::api::{Api, Upgrade, permitted, upgrade_operation};
use crate::codec::frame::{self, Message, Reader};
use crate::codec::{Action, CloseReason, Codec, Form, MessageRate, Notice, Tell};
use crate::commands::{Answer, Command};
use crate::event::Event;
use crate::metrics::{BadInput, BadInputs};
use crate::position::{BadToken, Positions, parse_since};

/// Largest message a client may send, bytes.
pub const MESSAGE_SIZE_MAX: usize = 8_192;
/// Messages a client may send in any minute.
const MESSAGES_PER_MINUTE_MAX: u32 = 600;
/// Topics a client may name in one message.
const TOPICS_PER_MESSAGE_MAX: usize = 64;
/// Topics a connection may follow at once: each is looked at for every frame.
const TOPICS_MAX: usize = 128;

const FORM: Form = Form { name: "ws", carries_token: true, names_pattern: false };

/// Where it is reached.
pub fn routes() -> Endpoints<Api> {
    let operation = upgrade_operation("JSON envelopes over WebSocket").query::<Parameters>();
    Endpoints::new().route("/ws", get(upgrade), [operation])
}

#[derive(Debug, Deserialize, IntoParams)]
struct Parameters {
    /// Where the user's own agent events continue: the `token` of an earlier event or `checkpoint`; from now where nobody
    /// says.
    since: Option<String>,
}

/// Hands the connection to a worker. A client without a valid token is let in to be told.
async fn upgrade(
    State(api): State<Api>,
    Query(parameters): Query<Parameters>,
    upgrade: Upgrade,
) -> Result<Response, ApiError> {
    let chosen = upgrade.token_subprotocol().map(str::to_owned);
    let since = parameters.since.as_deref().map(parse_since);
    let mut codec = Ws::new(api.auth.clone(), since, api.metrics.bad_input.clone());
    let (mut actions, mut known) = (Vec::new(), None);
    match upgrade.identify(&api).await {
        // It says who it is in its first message.
        None => {}
        Some(Ok(identity)) => {
            codec.admit(identity.clone(), &mut actions);
            known = Some(identity);
        }
        Some(Err(error)) => Ws::refuse(&error, &mut actions),
    }
    upgrade.hand_over(&api, known.as_ref(), chosen.as_deref(), Box::new(codec), actions).await
}

/// One connection of `/ws`.
#[derive(Debug)]
pub struct Ws {
    auth: Auth,
    identity: Option<Identity>,
    /// Where its user's own agent events continue.
    since: Option<Result<Positions, BadToken>>,
    /// The topic of these events, until the client says with a subscription where it left off.
    own: Option<TopicPattern>,
    reader: Reader,
    /// What the client follows by its own wish.
    topics: BTreeSet<TopicPattern>,
    rate: MessageRate,
    /// Requests without an answer: tag -> the client's id of the request. The worker bounds how many there are.
    asked: HashMap<u64, Option<String>>,
    next_tag: u64,
    bad_input: BadInputs,
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
    /// A connection whose client has yet to prove who it is; its user's own agent events continue at `since`.
    pub fn new(auth: Auth, since: Option<Result<Positions, BadToken>>, bad_input: BadInputs) -> Self {
        let reader = Reader::new(MESSAGE_SIZE_MAX, bad_input.clone());
        Self {
            auth,
            identity: None,
            since,
            own: None,
            reader,
            topics: BTreeSet::new(),
            rate: MessageRate::new(MESSAGES_PER_MINUTE_MAX, Instant::now()),
            asked: HashMap::new(),
            next_tag: 0,
            bad_input,
        }
    }

    /// Welcomes a client that is known, and subscribes it to its own agent events.
    pub fn admit(&mut self, identity: Identity, actions: &mut Vec<Action>) {
        let connection_id = new_id();
        let welcome =
            json!({"event": "connection_established", "connection_id": connection_id, "user": identity.id});
        actions.push(Action::Authenticated(identity.clone()));
        actions.push(Action::Reply(message("system_message", &welcome, None)));
        let own = format!("agent.{}.>", names::encode(&identity.id));
        if let Ok(topic) = own.parse::<TopicPattern>() {
            self.own = Some(topic.clone());
            actions.push(Action::Subscribe { topics: vec![topic], since: self.since, tell: Tell::Quiet });
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
        if !self.rate.allows(Instant::now()) {
            self.bad_input.count(BadInput::Flood);
            let text = format!("more than {MESSAGES_PER_MINUTE_MAX} messages a minute");
            return actions.push(error("RATE_LIMITED", &text, None));
        }
        let envelope: Envelope = match serde_json::from_str(text) {
            Ok(envelope) => envelope,
            Err(cause) => {
                self.bad_input.count(BadInput::Message);
                return actions.push(error("FORMAT_ERROR", &cause.to_string(), None));
            }
        };
        let id = envelope.message_id.as_deref();
        match envelope.message_type.as_str() {
            "ping" => actions.push(Action::Reply(message("pong", &envelope.payload, id))),
            "echo" => actions.push(Action::Reply(message("echo", &envelope.payload, id))),
            "subscribe" => self.subscribe(&envelope.payload, id, actions),
            "unsubscribe" => actions.push(self.unsubscribe(&envelope.payload, id)),
            "get_status" | "user_message" => {
                let action = self.ask(&envelope.message_type, envelope.payload, envelope.message_id);
                actions.push(action);
            }
            "run_command" => actions.push(self.run_command(envelope.payload, envelope.message_id)),
            "token_refresh" => self.refresh(&envelope.payload, id, actions),
            other => {
                self.bad_input.count(BadInput::Message);
                actions.push(error("UNKNOWN_TYPE", &format!("there is no message type {other:?}"), id));
            }
        }
    }

    fn subscribe(&mut self, payload: &Value, id: Option<&str>, actions: &mut Vec<Action>) {
        let topics = match topics(payload, id) {
            Ok(topics) => topics,
            Err((kind, reply)) => {
                self.bad_input.count(kind);
                return actions.push(Action::Reply(reply));
            }
        };
        if let Some(identity) = &self.identity
            && let Err(cause) = permitted(identity, &topics)
        {
            return actions.push(error(&cause.code().to_uppercase(), cause.message(), id));
        }
        let since = match payload.get("since") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(parse_since(text)),
            Some(_) => {
                return actions.push(error("FORMAT_ERROR", "payload.since must be a string", id));
            }
        };
        let new = topics.iter().filter(|topic| !self.topics.contains(*topic)).count();
        if self.topics.len() + new > TOPICS_MAX {
            self.bad_input.count(BadInput::Flood);
            let text = format!("a connection follows at most {TOPICS_MAX} topics");
            return actions.push(error("TOO_MANY_TOPICS", &text, id));
        }
        self.topics.extend(topics.iter().cloned());
        // A token covers all that the client had followed, so also what it follows without asking.
        let names_place = |own: &mut TopicPattern| {
            since.is_some_and(|since| since.is_ok_and(|places| places.get(own.stream()).is_some()))
        };
        if let Some(own) = self.own.take_if(names_place) {
            actions.push(Action::Subscribe { topics: vec![own], since, tell: Tell::Quiet });
        }
        actions.push(Action::Subscribe { topics, since, tell: Tell::Ready(id.map(str::to_owned)) });
    }

    fn run_command(&mut self, mut payload: Value, id: Option<String>) -> Action {
        match payload.get("command").and_then(Value::as_str).map(str::to_owned) {
            Some(name) => {
                let arguments = payload.get_mut("arguments").map_or(Value::Null, Value::take);
                self.ask(&name, arguments, id)
            }
            None => error("FORMAT_ERROR", "payload.command must name a command", id.as_deref()),
        }
    }

    fn ask(&mut self, name: &str, arguments: Value, id: Option<String>) -> Action {
        let Some(identity) = &self.identity else {
            return error("FORBIDDEN", "say who you are first", id.as_deref());
        };
        match Command::parse(name, arguments, identity) {
            Ok(command) => {
                self.next_tag += 1;
                self.asked.insert(self.next_tag, id);
                Action::Ask(self.next_tag, command)
            }
            Err(cause) => error(&cause.code.to_uppercase(), &cause.message, id.as_deref()),
        }
    }

    /// A newer token of the same user.
    fn refresh(&mut self, payload: &Value, id: Option<&str>, actions: &mut Vec<Action>) {
        let Some(token) = payload.get("token").and_then(Value::as_str) else {
            return actions.push(error("FORMAT_ERROR", "payload.token must be a token", id));
        };
        let now = self.identity.as_ref().map(|identity| identity.id.clone());
        let known = self.auth.identify(token);
        match known.and_then(|identity| identity.require(Role::Read).map(|()| identity)) {
            Ok(identity) if Some(&identity.id) == now.as_ref() => {
                actions.push(Action::Authenticated(identity.clone()));
                let payload = json!({"event": "token_refreshed", "user": identity.id});
                actions.push(Action::Reply(message("system_message", &payload, id)));
                self.identity = Some(identity);
            }
            Ok(_) => actions.push(error("FORBIDDEN", "the token is another user's", id)),
            Err(cause) => actions.push(error(&cause.code().to_uppercase(), cause.message(), id)),
        }
    }

    fn unsubscribe(&mut self, payload: &Value, id: Option<&str>) -> Action {
        match topics(payload, id) {
            Ok(topics) => {
                self.topics.retain(|topic| !topics.contains(topic));
                self.own.take_if(|own| topics.contains(own));
                let names: Vec<_> = topics.iter().map(TopicPattern::as_str).collect();
                let reply = message("unsubscribed", &json!({"topics": names}), id);
                Action::Unsubscribe { topics, reply }
            }
            Err((kind, reply)) => {
                self.bad_input.count(kind);
                Action::Reply(reply)
            }
        }
    }
}

/// The topics of a payload, or what it is instead and the error to send.
fn topics(payload: &Value, id: Option<&str>) -> Result<Vec<TopicPattern>, (BadInput, Bytes)> {
    let wanted = || {
        let text = format!("payload.topics must be a list of 1 to {TOPICS_PER_MESSAGE_MAX} topics");
        (BadInput::Message, error_message("FORMAT_ERROR", &text, id))
    };
    let list = payload.get("topics").and_then(Value::as_array).filter(|list| !list.is_empty());
    let list = list.ok_or_else(wanted)?;
    if list.len() > TOPICS_PER_MESSAGE_MAX {
        let text = format!("a message names at most {TOPICS_PER_MESSAGE_MAX} topics");
        return Err((BadInput::Flood, error_message("TOO_MANY_TOPICS", &text, id)));
    }
    let mut topics: Vec<TopicPattern> = Vec::with_capacity(list.len());
    for topic in list {
        let text = topic.as_str().ok_or_else(wanted)?;
        let topic = text.parse().map_err(|cause: proto_schemas::TopicError| {
            (BadInput::Topic, error_message(&cause.code().to_uppercase(), &cause.to_string(), id))
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

    fn form(&self) -> &'static Form {
        &FORM
    }

    fn event(&self, event: &Event, _: &TopicPattern, token: Option<&Positions>) -> Bytes {
        envelope::event(event, token)
    }

    fn notice(&mut self, notice: &Notice<'_>, token: Option<&Positions>) -> Option<Bytes> {
        Some(match notice {
            Notice::Ready { topics, resumed, correlation_id, .. } => {
                let topics: Vec<_> = topics.iter().map(TopicPattern::as_str).collect();
                envelope("subscribed", &json!({"topics": topics, "resumed": resumed}), *correlation_id, token)
            }
            Notice::SnapshotEnd { topic, keys } => {
                envelope("snapshot_end", &json!({"topic": topic, "keys": keys}), None, token)
            }
            Notice::Gap { topic, from, to, reason, .. } => envelope(
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
        let mut messages = Vec::new();
        let end = self.reader.receive(bytes, &mut messages);
        for message in messages {
            match message {
                Message::Text(text) => self.text(&text, actions),
                Message::Binary(_) => {
                    self.bad_input.count(BadInput::Message);
                    actions.push(error("FORMAT_ERROR", "send text frames with JSON", None));
                }
                Message::Answer(bytes) => actions.push(Action::Reply(bytes)),
                Message::TooLarge => {
                    let text = format!("messages have at most {MESSAGE_SIZE_MAX} bytes");
                    actions.push(error("MESSAGE_TOO_LARGE", &text, None));
                }
            }
        }
        actions.extend(end.map(Action::Close));
    }

    fn answer(&mut self, tag: u64, answer: Answer, actions: &mut Vec<Action>) {
        let id = self.asked.remove(&tag).flatten();
        match answer {
            Ok(result) => {
                let next = Command::next_page(&result);
                let payload = json!({"result": result, "is_last": next.is_none()});
                actions.push(Action::Reply(message("command_result", &payload, id.as_deref())));
                if let Some(next) = next {
                    self.next_tag += 1;
                    self.asked.insert(self.next_tag, id);
                    actions.push(Action::AskWhenDrained(self.next_tag, next));
                }
            }
            Err(cause) => {
                actions.push(error(&cause.code.to_uppercase(), &cause.message, id.as_deref()));
            }
        }
    }

    fn awaits_authentication(&self) -> bool {
        self.identity.is_none()
    }
}
