//! What a protocol is to the gateway: bytes for events and notices, actions for what a client sends. The protocols
//! themselves are in `protocols/`.

pub mod frame;
mod json;
mod rate;

use std::time::Duration;

use bytes::Bytes;
use chassis::Identity;
use proto_schemas::TopicPattern;
use serde::Serialize;

pub use json::put_json_string;
pub use rate::MessageRate;

use crate::commands::{Answer, Command};
use crate::event::Event;
use crate::position::{BadToken, Position, Positions};

/// A wire form that is shared: an event is encoded at most once in each.
#[derive(Debug, PartialEq, Eq)]
pub struct Form {
    /// Tells it from all others.
    pub name: &'static str,
    /// Its frames say where the client stands; a client that is behind then needs frames of its own.
    pub carries_token: bool,
    /// Its frames name the pattern that the client follows, where that has wildcards.
    pub names_pattern: bool,
}

/// Why events did not reach a client, and never will.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    /// The stream is another one now, or lost its end; live from here.
    Reset,
    /// The client's token or `since` is none of ours; live from here.
    BadToken,
    /// The stream no longer keeps them.
    Trimmed,
    /// The client was too slow for a topic that is not kept, or asked too late for what came before.
    Skipped,
}

impl GapReason {
    /// As metrics and clients know it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::BadToken => "bad_token",
            Self::Trimmed => "trimmed",
            Self::Skipped => "skipped",
        }
    }
}

/// What the gateway tells a session besides events.
#[derive(Debug)]
pub enum Notice<'a> {
    /// What is followed from here on.
    Ready {
        /// All topics of the subscription.
        topics: &'a [TopicPattern],
        /// Whether it continues where the client's token left off.
        resumed: bool,
        /// The client's id of the request that asked for it.
        correlation_id: Option<&'a str>,
        /// Where the first of the topics continues, or begins.
        place: Position,
    },
    /// All keys of a state topic were sent; keys not named are gone.
    SnapshotEnd {
        /// The topic as subscribed.
        topic: &'a str,
        /// Subjects that have a value.
        keys: Vec<&'a str>,
    },
    /// Events are lost to this client.
    Gap {
        /// The topic as subscribed.
        topic: &'a str,
        /// First sequence lost, where known.
        from: Option<u64>,
        /// Last sequence lost, where known.
        to: Option<u64>,
        /// Why.
        reason: GapReason,
        /// Where the stream stands now.
        end: Position,
    },
    /// The client has seen everything up to here.
    Checkpoint,
    /// Whether the gateway hears from NATS.
    Upstream {
        /// It does.
        connected: bool,
    },
    /// The connection ends; the client should come back after the delay.
    Closing {
        /// Why.
        reason: CloseReason,
        /// Time to wait before reconnecting, milliseconds.
        retry_ms: u32,
    },
}

/// Every reason for which the gateway ends a connection, in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// The pod stops.
    Draining,
    /// Nothing could be written for the stall time-out.
    Stalled,
    /// No valid key within the time allowed.
    Unauthenticated,
    /// The user has as many connections as one may.
    TooManyOfUser,
    /// The client broke the protocol.
    ProtocolError,
    /// The other end closed.
    ClientGone,
    /// The token is past its end.
    Expired,
    /// The token or key was revoked.
    Revoked,
    /// An operator ended the connection.
    Removed,
    /// The process is short of memory, and this client is the furthest behind.
    Overloaded,
    /// The client does not answer pings.
    NoPong,
}

impl CloseReason {
    /// Label in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draining => "draining",
            Self::Stalled => "stalled",
            Self::Unauthenticated => "unauthenticated",
            Self::TooManyOfUser => "too_many_connections_of_user",
            Self::ProtocolError => "protocol_error",
            Self::ClientGone => "client_gone",
            Self::Expired => "token_expired",
            Self::Revoked => "token_revoked",
            Self::Removed => "removed",
            Self::Overloaded => "overloaded",
            Self::NoPong => "no_pong",
        }
    }

    /// WebSocket close code (RFC 6455, section 7.4.1).
    pub fn websocket_code(self) -> u16 {
        match self {
            Self::Draining => 1001,
            Self::Stalled
            | Self::Unauthenticated
            | Self::TooManyOfUser
            | Self::Expired
            | Self::Revoked
            | Self::NoPong => 1008,
            Self::ProtocolError => 1002,
            Self::ClientGone | Self::Removed => 1000,
            Self::Overloaded => 1013,
        }
    }
}

/// Whether a subscription is confirmed.
#[derive(Debug)]
pub enum Tell {
    /// The gateway subscribed on its own account.
    Quiet,
    /// The client asked, under this id.
    Ready(Option<String>),
}

/// What a client's bytes ask of the gateway.
#[derive(Debug)]
pub enum Action {
    /// Send these bytes.
    Reply(Bytes),
    /// Follow more topics.
    Subscribe {
        /// The topics; never empty.
        topics: Vec<TopicPattern>,
        /// Where to continue; `None` = from now.
        since: Option<Result<Positions, BadToken>>,
        /// Whether to tell `ready` before the first event of these topics, and in answer to what.
        tell: Tell,
    },
    /// Follow fewer topics.
    Unsubscribe {
        /// The topics as subscribed.
        topics: Vec<TopicPattern>,
        /// Sent after the last event of these topics.
        reply: Bytes,
    },
    /// The client proved who it is, for the first time or anew.
    Authenticated(Identity),
    /// Ask a service; the answer comes to [`Codec::answer`] with the same tag.
    Ask(u64, Command),
    /// As [`Action::Ask`], once everything before it has reached the socket: the next page of a long answer.
    AskWhenDrained(u64, Command),
    /// Call [`Codec::wake`] once, after this time.
    WakeAfter(Duration),
    /// End the connection.
    Close(CloseReason),
}

/// One connection's protocol. Codecs keep what they need to understand the client's bytes, and nothing else.
pub trait Codec: Send {
    /// Name in metrics and in `/debug/clients`.
    fn protocol(&self) -> &'static str;

    /// Path under which it is reached, for metrics.
    fn endpoint(&self) -> &'static str;

    /// The shared wire form.
    fn form(&self) -> &'static Form;

    /// An event for a follower of `followed`, with a token that says what this client has seen, or without one. Empty
    /// where the protocol has nothing to say of it.
    fn event(&self, event: &Event, followed: &TopicPattern, token: Option<&Positions>) -> Bytes;

    /// A notice; `None` where the protocol has no form for it. The token says what this client has seen. What is told
    /// may be undone and asked for again when the socket takes nothing.
    fn notice(&mut self, notice: &Notice<'_>, token: Option<&Positions>) -> Option<Bytes>;

    /// Whether a gap ends the subscription to this topic: nothing of it is sent until the client subscribes again.
    fn ends_at_gap(&self, _topic: &TopicPattern) -> bool {
        false
    }

    /// Takes what the client sent and pushes what it asks for.
    fn receive(&mut self, bytes: &[u8], actions: &mut Vec<Action>);

    /// Takes the answer to an [`Action::Ask`].
    fn answer(&mut self, _tag: u64, _answer: Answer, _actions: &mut Vec<Action>) {}

    /// Called at every checkpoint interval: where the protocol's server pings, it does so here.
    fn beat(&mut self, _actions: &mut Vec<Action>) {}

    /// Called when the time of an [`Action::WakeAfter`] is over and the client takes what it is sent.
    fn wake(&mut self, _actions: &mut Vec<Action>) {}

    /// The client goes on with another transport of the protocol. `unread` was made for the one before and has not
    /// reached the client: the same in the words of the new one.
    fn moved(&mut self, unread: &[u8]) -> Bytes {
        Bytes::copy_from_slice(unread)
    }

    /// The name that the client gave itself, where its protocol has that.
    fn client_id(&self) -> Option<&str> {
        None
    }

    /// Whether a client must still prove who it is.
    fn awaits_authentication(&self) -> bool {
        false
    }
}
