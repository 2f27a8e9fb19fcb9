//! One connection: how it begins, its commands and their limits, its pings and its end. Subscriptions are in
//! `subscriptions`, what is asked of services is in `requests`.

use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use chassis::{ApiError, Auth, Identity, Role};
use proto_schemas::{TopicPattern, names};

use super::channels::{Channels, Side, Wanted};
use super::codes::{Disconnect, End, Refusal};
use super::messages::{
    Command, ConnectRequest, ConnectResult, Empty, Error, RefreshRequest, RefreshResult, Reply,
    SubscribeResult,
};
use super::requests::Requests;
use super::subscriptions::Beginning;
use super::wire::Wire;
use crate::codec::frame::{self, Message, Reader};
use crate::codec::{Action, CloseReason, Codec, Form, MessageRate, Notice};
use crate::commands::Answer;
use crate::event::Event;
use crate::metrics::{BadInput, BadInputs};
use crate::position::Positions;

/// Largest message a client may send, bytes.
const MESSAGE_SIZE_MAX: usize = 64 * 1024;
/// Commands a client may send in any minute; one that comes back with all its channels sends 129 at once.
const COMMANDS_PER_MINUTE_MAX: u32 = 600;
/// A ping must be answered within this time; looked at with each ping.
const PONG_TIMEOUT: Duration = Duration::from_secs(8);
/// Clients are asked to refresh their token this long before its end, or in the last fifth of its life.
const REFRESH_AHEAD_MAX: Duration = Duration::from_secs(30);

/// How far the conversation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The connect command has yet to come.
    New,
    /// It was refused with an error; the client closes and comes back. What it sent along is dropped.
    Refused,
    /// Connected.
    Open,
    /// Our close frame is out.
    Over,
}

/// See the module.
pub struct Connection {
    pub(super) wire: Wire,
    pub(super) identity: Option<Identity>,
    pub(super) requests: Requests,
    auth: Auth,
    ping_interval_s: u32,
    /// What the head of the upgrade says of the client.
    known: Option<Result<Identity, ApiError>>,
    client: String,
    phase: Phase,
    reader: Reader,
    pub(super) channels: Channels,
    /// In the order of their actions, which is that of the notices.
    pub(super) beginning: VecDeque<Beginning>,
    rate: MessageRate,
    pub(super) bad_input: BadInputs,
    /// The oldest ping without an answer.
    pinged_at: Option<Instant>,
}

impl Connection {
    /// A connection whose client has yet to connect; `known` is who sends the key or token in the upgrade's head. Pings
    /// come with the worker's beats, of which the client is told.
    pub fn new(
        auth: Auth,
        wire: Wire,
        ping_interval_s: u32,
        known: Option<Result<Identity, ApiError>>,
        bad_input: BadInputs,
    ) -> Self {
        Self {
            wire,
            identity: None,
            requests: Requests::default(),
            auth,
            ping_interval_s,
            known,
            client: format!("{:032x}", fastrand::u128(..)),
            phase: Phase::New,
            reader: Reader::new(MESSAGE_SIZE_MAX, bad_input.clone()),
            channels: Channels::default(),
            beginning: VecDeque::new(),
            rate: MessageRate::new(COMMANDS_PER_MINUTE_MAX, Instant::now()),
            bad_input,
            pinged_at: None,
        }
    }

    /// An answer as an action.
    pub(super) fn reply(&self, id: u32, reply: Reply) -> Action {
        Action::Reply(self.wire.frame(&Reply { id, ..reply }))
    }

    /// A refusal as an action.
    pub(super) fn refuse(&self, id: u32, error: Error) -> Action {
        self.reply(id, Reply { error: Some(error), ..Reply::default() })
    }

    fn disconnect(&mut self, end: Disconnect, actions: &mut Vec<Action>) {
        if matches!(end, Disconnect::BAD_REQUEST | Disconnect::NOT_AVAILABLE) {
            self.bad_input.count(BadInput::Message);
        }
        self.phase = Phase::Over;
        actions.push(Action::Reply(frame::encode_close(end.code, end.reason)));
        actions.push(Action::Close(end.why));
    }

    fn command(&mut self, command: Command, actions: &mut Vec<Action>) {
        match self.phase {
            Phase::Over | Phase::Refused => return,
            Phase::New => {
                return match command.connect {
                    Some(request) if command.id > 0 => self.connect(command.id, &request, actions),
                    _ => self.disconnect(Disconnect::BAD_REQUEST, actions),
                };
            }
            Phase::Open => {}
        }
        let id = command.id;
        if !self.rate.allows(Instant::now()) {
            self.bad_input.count(BadInput::Flood);
            return if id > 0 {
                let detail = format!("at most {COMMANDS_PER_MINUTE_MAX} commands a minute");
                actions.push(self.refuse(id, Refusal::TooManyRequests.because(&detail)));
            } else {
                self.disconnect(Disconnect::TOO_MANY_REQUESTS, actions);
            };
        }
        match command {
            Command { send: Some(_), .. } => self.disconnect(Disconnect::NOT_AVAILABLE, actions),
            command if command == Command::default() => self.pinged_at = None,
            // Everything else has an answer, and the first command is behind us.
            _ if id == 0 => self.disconnect(Disconnect::BAD_REQUEST, actions),
            Command { subscribe: Some(request), .. } => self.subscribe(id, &request, actions),
            Command { unsubscribe: Some(request), .. } => {
                let action = self.unsubscribe(id, &request);
                actions.push(action);
            }
            Command { refresh: Some(request), .. } => self.refresh(id, &request, actions),
            Command { sub_refresh: Some(request), .. } => {
                let action = self.sub_refresh(id, &request);
                actions.push(action);
            }
            Command { ping: Some(_), .. } => {
                actions.push(self.reply(id, Reply { ping: Some(Empty {}), ..Reply::default() }));
            }
            Command { presence: Some(_), .. } => {
                let detail = "there are only counts: presence_stats";
                actions.push(self.refuse(id, Refusal::NotAvailable.because(detail)));
            }
            Command { publish: Some(request), .. } => {
                let action = self.publish(id, &request);
                actions.push(action);
            }
            Command { presence_stats: Some(request), .. } => {
                let action = self.presence_stats(id, &request);
                actions.push(action);
            }
            Command { history: Some(request), .. } => self.history(id, &request, actions),
            Command { rpc: Some(request), .. } => {
                let action = self.rpc(id, &request);
                actions.push(action);
            }
            _ => self.disconnect(Disconnect::BAD_REQUEST, actions),
        }
    }

    fn connect(&mut self, id: u32, request: &ConnectRequest, actions: &mut Vec<Action>) {
        let token =
            if request.token.is_empty() { emulated_key(request) } else { Some(request.token.as_str()) };
        let identity = match (token, self.known.take()) {
            (Some(token), _) => self.auth.identify(token),
            (None, Some(known)) => known,
            (None, None) => self.auth.identify(""),
        };
        let identity = match identity {
            Ok(identity) if identity.may(Role::Read) => identity,
            Ok(_) => return self.disconnect(Disconnect::PERMISSION_DENIED, actions),
            Err(cause) => return self.refuse_connect(id, &cause, actions),
        };
        self.phase = Phase::Open;
        actions.push(Action::Authenticated(identity.clone()));
        let own = format!("agent.{}.>", names::encode(&identity.id));
        self.identity = Some(identity);
        match own.parse::<TopicPattern>() {
            Ok(own) => {
                let wanted = request.subs.get(own.as_str()).and_then(|had| Wanted::of(had, &own));
                self.channels.follow(own.clone(), Side::Server);
                self.begin(id, own, Side::Server, wanted, false, actions);
            }
            // An id too long for a topic: nothing can be sent to it either.
            Err(_) => actions.push(Action::Reply(self.connected(id, None))),
        }
    }

    fn refuse_connect(&mut self, id: u32, cause: &ApiError, actions: &mut Vec<Action>) {
        let refusal = match cause.code() {
            "token_expired" | "key_expired" => Refusal::TokenExpired,
            // The keys are being fetched; the client comes back in a moment.
            "token_unknown_key" => Refusal::Internal,
            _ => return self.disconnect(Disconnect::INVALID_TOKEN, actions),
        };
        self.phase = Phase::Refused;
        actions.push(self.refuse(id, refusal.because(cause.code())));
    }

    /// The answer to the connect command.
    pub(super) fn connected(&self, id: u32, own: Option<(TopicPattern, SubscribeResult)>) -> Bytes {
        let (expires, ttl) = self.lifetime();
        let connect = ConnectResult {
            client: self.client.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            expires,
            ttl,
            subs: own.into_iter().map(|(topic, result)| (topic.as_str().to_owned(), result)).collect(),
            ping: self.ping_interval_s,
            pong: true,
        };
        self.wire.frame(&Reply { id, connect: Some(connect), ..Reply::default() })
    }

    /// Whether the client must refresh its token, and in how many seconds.
    fn lifetime(&self) -> (bool, u32) {
        let Some(end) = self.identity.as_ref().and_then(|identity| identity.expires_at) else {
            return (false, 0);
        };
        let left = end.duration_since(SystemTime::now()).unwrap_or_default();
        let ahead = (left / 5).clamp(Duration::from_secs(1), REFRESH_AHEAD_MAX);
        (true, u32::try_from(left.saturating_sub(ahead).as_secs()).unwrap_or(u32::MAX).max(1))
    }

    fn refresh(&mut self, id: u32, request: &RefreshRequest, actions: &mut Vec<Action>) {
        let now = self.identity.as_ref().map(|identity| identity.id.clone());
        match self.auth.identify(&request.token) {
            Ok(identity) if Some(&identity.id) == now.as_ref() && identity.may(Role::Read) => {
                actions.push(Action::Authenticated(identity.clone()));
                self.identity = Some(identity);
                let (expires, ttl) = self.lifetime();
                let (client, version) = (self.client.clone(), env!("CARGO_PKG_VERSION").to_owned());
                let refresh = RefreshResult { client, version, expires, ttl };
                actions.push(self.reply(id, Reply { refresh: Some(refresh), ..Reply::default() }));
            }
            // The clients ask their application for another one and try again, until the old one ends.
            Err(cause) if matches!(cause.code(), "token_expired" | "key_expired" | "token_unknown_key") => {
                let error = Error { temporary: true, ..Refusal::TokenExpired.because(cause.code()) };
                actions.push(self.refuse(id, error));
            }
            _ => self.disconnect(Disconnect::INVALID_TOKEN, actions),
        }
    }
}

/// The key among the headers that a connect command carries for pages.
fn emulated_key(request: &ConnectRequest) -> Option<&str> {
    let header = |wanted: &str| {
        request
            .headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value.as_str())
    };
    let bearer = header("authorization")
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    bearer.map(|(_, key)| key.trim()).or_else(|| header("x-api-key"))
}

impl Codec for Connection {
    fn protocol(&self) -> &'static str {
        "centrifugo"
    }

    fn endpoint(&self) -> &'static str {
        super::ENDPOINT
    }

    fn form(&self) -> &'static Form {
        self.wire.form()
    }

    fn event(&self, event: &Event, followed: &TopicPattern, _: Option<&Positions>) -> Bytes {
        self.wire.event(followed.as_str(), event)
    }

    fn notice(&mut self, notice: &Notice<'_>, token: Option<&Positions>) -> Option<Bytes> {
        self.channels.note_ends(token);
        match notice {
            Notice::Ready { resumed, place, .. } => self.begun(*resumed, *place),
            Notice::SnapshotEnd { topic, keys } => Some(self.wire.snapshot_end(topic, keys)),
            Notice::Gap { topic, to, reason, end, .. } => {
                let topic: TopicPattern = topic.parse().ok()?;
                self.channels.note_end(topic.stream(), *end);
                self.gap(&topic, *to, *reason)
            }
            // Positions lie with the clients; of NATS the protocol has no word.
            Notice::Checkpoint | Notice::Upstream { .. } => None,
            Notice::Closing { reason, .. } => {
                self.phase = Phase::Over;
                let end = Disconnect::of(*reason);
                Some(frame::encode_close(end.code, end.reason))
            }
        }
    }

    fn ends_at_gap(&self, topic: &TopicPattern) -> bool {
        self.channels.side(topic) == Some(Side::Client)
    }

    fn receive(&mut self, bytes: &[u8], actions: &mut Vec<Action>) {
        let mut messages = Vec::new();
        let end = self.reader.receive(bytes, &mut messages);
        for message in messages {
            match message {
                Message::Answer(bytes) => actions.push(Action::Reply(bytes)),
                _ if self.phase == Phase::Over => {}
                Message::TooLarge => self.disconnect(Disconnect::MESSAGE_TOO_LARGE, actions),
                message => match self.wire.commands(&message) {
                    Ok(commands) => commands.into_iter().for_each(|command| self.command(command, actions)),
                    Err(_) => self.disconnect(Disconnect::BAD_REQUEST, actions),
                },
            }
        }
        actions.extend(end.map(Action::Close));
    }

    fn answer(&mut self, tag: u64, answer: Answer, actions: &mut Vec<Action>) {
        self.answered(tag, answer, actions);
    }

    fn beat(&mut self, actions: &mut Vec<Action>) {
        if self.phase != Phase::Open {
            return;
        }
        if self.pinged_at.is_some_and(|at| at.elapsed() >= PONG_TIMEOUT) {
            return self.disconnect(Disconnect::of(CloseReason::NoPong), actions);
        }
        self.pinged_at.get_or_insert_with(Instant::now);
        actions.push(Action::Reply(self.wire.frame(&Reply::default())));
        for topic in self.channels.give_up() {
            let reply = self.ended(&topic, End::InsufficientState);
            actions.push(Action::Unsubscribe { topics: vec![topic], reply });
        }
    }

    fn awaits_authentication(&self) -> bool {
        self.identity.is_none()
    }
}

#[cfg(test)]
mod tests;
