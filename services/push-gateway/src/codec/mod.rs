//! What a protocol is to the gateway: bytes for events and notices, actions for what a client sends. One file each.

pub mod frame;
pub mod sse;
pub mod ws;

use bytes::Bytes;
use proto_schemas::TopicPattern;
use serde::Serialize;

use crate::event::Event;
use crate::position::{BadToken, Positions};

/// Wire forms that are shared: an event is encoded at most once in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Server-sent events without names.
    Sse,
    /// Server-sent events with `event:` lines.
    SseNamed,
    /// Text frames of `/ws`.
    Ws,
}

impl Form {
    /// How many there are.
    pub const COUNT: usize = 3;
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
    /// The client was too slow for a topic that is not kept.
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
        }
    }

    /// WebSocket close code (RFC 6455, section 7.4.1).
    pub fn websocket_code(self) -> u16 {
        match self {
            Self::Draining => 1001,
            Self::Stalled | Self::Unauthenticated | Self::TooManyOfUser => 1008,
            Self::ProtocolError => 1002,
            Self::ClientGone => 1000,
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
    /// The client proved who it is.
    Authenticated {
        /// Its name.
        user: String,
    },
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
    fn form(&self) -> Form;

    /// An event with a token that says what this client has seen, or without one.
    fn event(&self, event: &Event, token: Option<&Positions>) -> Bytes;

    /// A notice; `None` where the protocol has no form for it. The token says what this client has seen.
    fn notice(&self, notice: &Notice<'_>, token: Option<&Positions>) -> Option<Bytes>;

    /// Takes what the client sent and pushes what it asks for.
    fn receive(&mut self, bytes: &[u8], actions: &mut Vec<Action>);

    /// Whether a client must still prove who it is.
    fn awaits_authentication(&self) -> bool {
        false
    }
}
