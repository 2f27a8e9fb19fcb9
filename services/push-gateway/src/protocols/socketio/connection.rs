//! One client's connection: Engine.IO's heartbeat, the one namespace with its key, and the events of both directions,
//! in the words of whichever transport carries them now.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use chassis::{Auth, Identity, Role, time};
use proto_schemas::TopicPattern;
use serde_json::{Value, json};

use super::farewell;
use super::figures::Figures;
use super::packet::{
    DEFAULT_NAMESPACE, EnginePacket, Kind, Packet, SEPARATOR, Transport, event, json, message,
};
use super::requests::{self, Wanted};
use super::translate::{self, Told};
use super::{ENDPOINT, PACKET_SIZE_MAX, PING_TIMEOUT};
use crate::codec::frame::{Message, Reader};
use crate::codec::{Action, CloseReason, Codec, Form, Notice, Tell};
use crate::commands::{Answer, Command, CommandError};
use crate::event::Event;
use crate::metrics::{BadInput, GatewayMetrics};
use crate::position::Positions;

/// Messages a client may send in any minute; answers to our pings do not count.
const MESSAGES_PER_MINUTE_MAX: u32 = 600;
/// What every client follows, where its token covers all of it.
const TOPICS: [&str; 3] = ["kb.facts", "governor.decisions", "state.>"];
/// Else those of these that it does cover.
const NARROWER_TOPICS: [&str; 7] = [
    "kb.facts",
    "governor.decisions",
    "state.kb",
    "state.governor",
    "state.gpu.>",
    "state.system.>",
    "state.gateway.>",
];

const WEBSOCKET_FORM: Form = Form { name: "socketio", carries_token: false, names_pattern: false };
const POLLING_FORM: Form = Form { name: "socketio polling", ..WEBSOCKET_FORM };

/// What all connections of the process share.
pub struct Gateway {
    /// Who may connect.
    pub auth: Auth,
    /// To say how many are connected.
    pub metrics: GatewayMetrics,
    /// Connections that this process takes.
    pub connections_max: usize,
    /// Newest values.
    pub figures: Figures,
}

/// See the module.
pub struct SocketIo {
    gateway: Arc<Gateway>,
    transport: Transport,
    reader: Reader,
    /// A packet of which a part came, by polling.
    begun: Vec<u8>,
    /// From the headers of the first request.
    key: Option<String>,
    /// Where the client reached us, as it named it.
    port: u16,
    identity: Option<Identity>,
    /// When a ping went out that is not answered.
    pinged_at: Option<Instant>,
    /// Binary messages that belong to a refused packet.
    attachments: u32,
    minute: Instant,
    messages_this_minute: u32,
    /// Requests without an answer. The worker bounds how many there are.
    asked: HashMap<u64, (Wanted, Option<u64>)>,
    next_tag: u64,
}

impl SocketIo {
    /// A connection whose client has yet to join the namespace. `key` is from the request's headers; `port` is where
    /// the client reached us.
    pub fn new(gateway: Arc<Gateway>, transport: Transport, key: Option<String>, port: u16) -> Self {
        let bad_input = gateway.metrics.bad_input.clone();
        Self {
            gateway,
            transport,
            reader: Reader::new(PACKET_SIZE_MAX, bad_input),
            begun: Vec::new(),
            key,
            port,
            identity: None,
            pinged_at: None,
            attachments: 0,
            minute: Instant::now(),
            messages_this_minute: 0,
            asked: HashMap::new(),
            next_tag: 0,
        }
    }

    fn reply(&self, packet: &str) -> Action {
        Action::Reply(self.transport.packet(packet))
    }

    fn refuse(&self, kind: BadInput, code: &str, message: impl Into<String>, ack: Option<u64>) -> Action {
        self.gateway.metrics.bad_input.count(kind);
        Action::Reply(requests::refusal(&CommandError::new(code, message), ack, self.transport))
    }

    fn close(&self, reason: CloseReason, actions: &mut Vec<Action>) {
        if reason == CloseReason::ProtocolError {
            self.gateway.metrics.bad_input.count(BadInput::Message);
        }
        actions.push(Action::Reply(farewell::end(self.transport, reason)));
        actions.push(Action::Close(reason));
    }

    /// One message of Engine.IO. Returns whether there may be more.
    fn engine_packet(&mut self, text: &str, actions: &mut Vec<Action>) -> bool {
        match EnginePacket::parse(text) {
            Some(EnginePacket::Message(text)) => return self.message(text, actions),
            Some(EnginePacket::Pong) => self.pinged_at = None,
            Some(EnginePacket::Ping(text)) => actions.push(self.reply(&format!("3{text}"))),
            Some(EnginePacket::Upgrade | EnginePacket::Noop) => {}
            Some(EnginePacket::Binary) => self.binary(actions),
            Some(EnginePacket::Close) => {
                self.close(CloseReason::ClientGone, actions);
                return false;
            }
            None => {
                self.close(CloseReason::ProtocolError, actions);
                return false;
            }
        }
        true
    }

    /// One packet of Socket.IO.
    fn message(&mut self, text: &str, actions: &mut Vec<Action>) -> bool {
        if self.over_rate() {
            let message = format!("more than {MESSAGES_PER_MINUTE_MAX} messages a minute");
            let ack = Packet::parse(text).ok().and_then(|packet| packet.ack);
            actions.push(self.refuse(BadInput::Flood, "rate_limited", message, ack));
            return true;
        }
        let packet = match Packet::parse(text) {
            Ok(packet) => packet,
            Err(error) if self.identity.is_some() => {
                actions.push(self.refuse(BadInput::Message, "malformed_packet", error.to_string(), None));
                return true;
            }
            Err(_) => {
                self.close(CloseReason::ProtocolError, actions);
                return false;
            }
        };
        if packet.namespace != DEFAULT_NAMESPACE {
            if packet.kind == Kind::Connect {
                let text = farewell::connect_error(
                    packet.namespace,
                    "unknown_namespace",
                    "there is only the default namespace",
                );
                actions.push(self.reply(&text));
            }
            return true;
        }
        match (packet.kind, &self.identity) {
            (Kind::Connect, None) => return self.connect(&packet.data, actions),
            (_, None) => {
                self.close(CloseReason::ProtocolError, actions);
                return false;
            }
            (Kind::Connect, Some(_)) => {
                actions.push(self.refuse(
                    BadInput::Message,
                    "already_connected",
                    "the namespace is joined already",
                    None,
                ));
            }
            (Kind::Disconnect, _) => {
                self.close(CloseReason::ClientGone, actions);
                return false;
            }
            (Kind::Event, Some(identity)) => {
                let identity = identity.clone();
                let action = self.event_of_client(packet.data, packet.ack, &identity);
                actions.push(action);
            }
            (Kind::BinaryEvent | Kind::BinaryAck, _) => {
                self.attachments = packet.attachments;
                let ack = packet.ack.filter(|_| packet.kind == Kind::BinaryEvent);
                actions.push(self.refuse(
                    BadInput::Message,
                    "binary_not_supported",
                    "attachments are not taken; send JSON alone",
                    ack,
                ));
            }
            // Nothing here asks for acks.
            (Kind::Ack, _) => {}
            (Kind::ConnectError, _) => {
                actions.push(self.refuse(
                    BadInput::Message,
                    "malformed_packet",
                    "only a server sends such packets",
                    None,
                ));
            }
        }
        true
    }

    /// A binary message: dropped where it belongs to a packet that was refused.
    fn binary(&mut self, actions: &mut Vec<Action>) {
        match self.attachments.checked_sub(1) {
            Some(left) => self.attachments = left,
            None if self.identity.is_some() => {
                actions.push(self.refuse(
                    BadInput::Message,
                    "binary_not_supported",
                    "send text messages",
                    None,
                ));
            }
            None => self.close(CloseReason::ProtocolError, actions),
        }
    }

    /// The client joins the namespace, with a key in its packet or in the headers before.
    fn connect(&mut self, data: &Value, actions: &mut Vec<Action>) -> bool {
        let given = ["apiKey", "token"].iter().find_map(|name| data.get(name)?.as_str());
        let key = given.or(self.key.as_deref()).unwrap_or_default();
        let known = self.gateway.auth.identify(key);
        match known.and_then(|identity| identity.require(Role::Read).map(|()| identity)) {
            Ok(identity) => {
                self.key = None;
                self.welcome(identity, actions);
                true
            }
            Err(error) => {
                let text = farewell::refused(&error);
                actions.push(self.reply(&text));
                self.close(CloseReason::Unauthenticated, actions);
                false
            }
        }
    }

    fn welcome(&mut self, identity: Identity, actions: &mut Vec<Action>) {
        let topics = topics(&identity);
        self.identity = Some(identity.clone());
        actions.push(Action::Authenticated(identity));
        let sid = json!({"sid": super::new_id()});
        let mut out = BytesMut::new();
        self.transport.put(&mut out, &message(Kind::Connect, DEFAULT_NAMESPACE, None, Some(&sid)));
        let status = json!({
            "connected": true,
            "backend": "bywash",
            "port": self.port,
            "timestamp": time::now(),
            "max_connections": self.gateway.connections_max,
            "current_connections": self.gateway.metrics.open_connections(),
        });
        Told::new(&["connection_status"], &status).put(self.transport, &mut out);
        actions.push(Action::Reply(out.freeze()));
        if !topics.is_empty() {
            actions.push(Action::Subscribe { topics, since: None, tell: Tell::Quiet });
        }
        actions.push(self.ask(Wanted::InitialData, Command::Status, None));
    }

    fn event_of_client(&mut self, data: Value, ack: Option<u64>, identity: &Identity) -> Action {
        let Value::Array(values) = data else {
            return self.refuse(BadInput::Message, "malformed_packet", "an event is a list", ack);
        };
        let mut values = values.into_iter();
        let name = values.next().unwrap_or_default();
        let argument = values.next().unwrap_or_default();
        match requests::question(name.as_str().unwrap_or_default(), argument, identity) {
            Ok((wanted, command)) => self.ask(wanted, command, ack),
            Err(error) => Action::Reply(requests::refusal(&error, ack, self.transport)),
        }
    }

    fn ask(&mut self, wanted: Wanted, command: Command, ack: Option<u64>) -> Action {
        self.next_tag += 1;
        self.asked.insert(self.next_tag, (wanted, ack));
        Action::Ask(self.next_tag, command)
    }

    fn over_rate(&mut self) -> bool {
        if self.minute.elapsed() >= Duration::from_secs(60) {
            self.minute = Instant::now();
            self.messages_this_minute = 0;
        }
        self.messages_this_minute = self.messages_this_minute.saturating_add(1);
        self.messages_this_minute > MESSAGES_PER_MINUTE_MAX
    }

    fn receive_frames(&mut self, bytes: &[u8], actions: &mut Vec<Action>) {
        let mut messages = Vec::new();
        let end = self.reader.receive(bytes, &mut messages);
        for message in messages {
            match message {
                Message::Text(text) => {
                    if !self.engine_packet(&text, actions) {
                        return;
                    }
                }
                Message::Binary(_) => self.binary(actions),
                Message::Answer(bytes) => actions.push(Action::Reply(bytes)),
                Message::TooLarge => actions.push(self.too_large()),
            }
        }
        actions.extend(end.map(Action::Close));
    }

    fn too_large(&self) -> Action {
        let message = format!("packets have at most {PACKET_SIZE_MAX} bytes");
        // Counted where it was read.
        let error = CommandError::new("packet_too_large", message);
        Action::Reply(requests::refusal(&error, None, self.transport))
    }

    /// The HTTP side has checked sizes and UTF-8, and ends each packet.
    fn receive_payload(&mut self, bytes: &[u8], actions: &mut Vec<Action>) {
        for piece in bytes.split_inclusive(|byte| *byte == SEPARATOR) {
            let Some((&SEPARATOR, whole)) = piece.split_last() else {
                return self.begun.extend_from_slice(piece);
            };
            let mut packet = std::mem::take(&mut self.begun);
            packet.extend_from_slice(whole);
            let goes_on = match String::from_utf8(packet) {
                Ok(text) => self.engine_packet(&text, actions),
                Err(_) => self.engine_packet("", actions),
            };
            if !goes_on {
                return;
            }
        }
    }
}

fn topics(identity: &Identity) -> Vec<TopicPattern> {
    let parse = |names: &[&str]| -> Vec<TopicPattern> {
        let parsed = names.iter().filter_map(|name| name.parse().ok());
        parsed.filter(|topic| identity.may_follow(topic)).collect()
    };
    let all = parse(&TOPICS);
    if all.len() == TOPICS.len() { all } else { parse(&NARROWER_TOPICS) }
}

impl Codec for SocketIo {
    fn protocol(&self) -> &'static str {
        "socketio"
    }

    fn endpoint(&self) -> &'static str {
        ENDPOINT
    }

    fn form(&self) -> &'static Form {
        match self.transport {
            Transport::WebSocket => &WEBSOCKET_FORM,
            Transport::Polling => &POLLING_FORM,
        }
    }

    fn event(&self, event: &Event, _: &TopicPattern, _: Option<&Positions>) -> Bytes {
        let raw = std::str::from_utf8(&event.payload).unwrap_or_default();
        let payload = serde_json::from_str(raw).unwrap_or_default();
        let known = self.gateway.figures.note(event, &payload, raw);
        Told::packets(&translate::event(&event.event_type, &payload, raw, &known), self.transport)
    }

    fn notice(&mut self, notice: &Notice<'_>, _: Option<&Positions>) -> Option<Bytes> {
        let (name, data) = match notice {
            Notice::Ready { .. } | Notice::Checkpoint => return None,
            Notice::SnapshotEnd { topic, keys } => ("snapshot_end", json!({"topic": topic, "keys": keys})),
            Notice::Gap { topic, from, to, reason, .. } => {
                ("gap", json!({"topic": topic, "from": from, "to": to, "reason": reason}))
            }
            Notice::Upstream { connected } => ("upstream", json!({"connected": connected})),
            Notice::Closing { reason, .. } => {
                return Some(farewell::closing(self.transport, *reason, self.identity.is_some()));
            }
        };
        self.identity.as_ref()?;
        Some(self.transport.packet(&event(name, &json(&data))))
    }

    fn receive(&mut self, bytes: &[u8], actions: &mut Vec<Action>) {
        match self.transport {
            Transport::WebSocket => self.receive_frames(bytes, actions),
            Transport::Polling => self.receive_payload(bytes, actions),
        }
    }

    fn answer(&mut self, tag: u64, answer: Answer, actions: &mut Vec<Action>) {
        let Some((wanted, ack)) = self.asked.remove(&tag) else { return };
        let next = answer.as_ref().ok().and_then(Command::next_page);
        let known = self.gateway.figures.known();
        actions.push(Action::Reply(requests::answer(&wanted, answer, &known, ack, self.transport)));
        if let (Wanted::Response(_), Some(next)) = (&wanted, next)
            && let Action::Ask(tag, next) = self.ask(wanted, next, None)
        {
            actions.push(Action::AskWhenDrained(tag, next));
        }
    }

    fn beat(&mut self, actions: &mut Vec<Action>) {
        match self.pinged_at {
            Some(at) if at.elapsed() >= PING_TIMEOUT => self.close(CloseReason::NoPong, actions),
            // One that is not answered may still be on its way.
            Some(_) => {}
            None => {
                self.pinged_at = Some(Instant::now());
                actions.push(self.reply("2"));
            }
        }
    }

    fn moved(&mut self, unread: &[u8]) -> Bytes {
        self.transport = Transport::WebSocket;
        let mut out = BytesMut::with_capacity(unread.len() + 64);
        for packet in unread.split(|byte| *byte == SEPARATOR).filter(|packet| !packet.is_empty()) {
            self.transport.put(&mut out, std::str::from_utf8(packet).unwrap_or_default());
        }
        out.freeze()
    }

    fn awaits_authentication(&self) -> bool {
        self.identity.is_none()
    }
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
