//! One client connection: its socket, its codec, its cursors and the little that is on its way out.

use std::collections::VecDeque;
use std::hint::black_box;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use chassis::Identity;
use mio::net::TcpStream;
use proto_schemas::Stream;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::admission::{Place, Refusal};
use crate::codec::{Action, CloseReason, Codec};
use crate::commands::Command;
use crate::cursor::Cursors;
use crate::upstream::block::BlockKey;
use crate::worker::TallyId;

/// Answers and notices that may wait for a socket; beyond it the session is not read from until they are gone.
const CONTROL_BYTES_MAX: usize = 64 * 1024;
/// What a waiting answer costs in memory beyond its bytes; without it a flood of empty pings hides megabytes.
const CONTROL_OVERHEAD_BYTES: usize = 128;

/// What the HTTP side hands to a worker.
pub struct NewSession {
    /// Non-blocking.
    pub socket: std::net::TcpStream,
    /// The other end.
    pub peer: SocketAddr,
    /// Its protocol.
    pub codec: Box<dyn Codec>,
    /// The answer to the request's head.
    pub head: Bytes,
    /// What happens first.
    pub actions: Vec<Action>,
    /// What the client sent after the request's head.
    pub leftover: Bytes,
    /// Its place among the connections of this process.
    pub place: Place,
}

/// See the module.
pub struct Session {
    pub socket: TcpStream,
    pub codec: Box<dyn Codec>,
    pub cursors: Cursors,
    /// Tells sessions apart that had the same index one after the other.
    pub generation: u64,
    /// Answers and notices; sent before events.
    pub control: VecDeque<Bytes>,
    control_bytes: usize,
    /// The rest of a frame of which a part was written.
    pub partial: Option<Bytes>,
    /// It is on the ready list.
    pub is_queued: bool,
    /// The socket takes nothing since then.
    pub blocked_since: Option<Instant>,
    /// A part of a stream must be read back first.
    pub waiting: Option<BlockKey>,
    is_admitted: bool,
    /// Ends once what is in `control` is out.
    pub closing: Option<CloseReason>,
    /// Everything is sent and our side is closed; the client may still be reading.
    pub ended_at: Option<Instant>,
    /// Its input is left in the kernel until `control` is out.
    pub read_paused: bool,
    pub opened_at: Instant,
    pub written_at: Option<Instant>,
    pub delivered: u64,
    /// Where its worker counts for its protocol.
    pub tally: TallyId,
    /// Since when it is on the ready list.
    pub queued_at: Instant,
    /// Who the client is, once it has proved it.
    pub identity: Option<Identity>,
    /// Questions without an answer yet.
    pub asked: usize,
    /// Questions to be asked once everything before them is out.
    pub when_drained: VecDeque<(u64, Command)>,
    peer: SocketAddr,
    id: u64,
    place: Place,
}

/// What `/debug/clients` tells of a session.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ClientInfo {
    /// Unique in this pod.
    pub id: String,
    /// Name of the protocol.
    pub protocol: String,
    /// The name that the client gave itself, where its protocol has that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Address of the other end.
    pub peer: String,
    /// Who it is.
    pub user: String,
    /// Topics as subscribed.
    pub topics: Vec<String>,
    /// Since when, seconds.
    pub connected_s: f64,
    /// Sequences between its cursors and the newest events.
    pub lag_events: u64,
    /// Age of the oldest event held here that it has not been sent, seconds.
    pub lag_s: f64,
    /// Bytes of frames that are made and not yet in the kernel.
    pub queued_bytes: usize,
    /// `idle`, `ready`, `blocked` (the socket takes nothing) or `reading_back`.
    pub state: String,
    /// For how long the socket has taken nothing, seconds.
    pub blocked_s: Option<f64>,
    /// Events sent.
    pub delivered: u64,
    /// Since the last write, seconds.
    pub last_write_s: Option<f64>,
}

impl Session {
    /// Takes a connection over; `head` is the first thing to be sent.
    pub fn new(new: NewSession, generation: u64) -> (Self, Vec<Action>, Bytes) {
        let NewSession { socket, peer, codec, head, actions, leftover, place } = new;
        let session = Self {
            socket: TcpStream::from_std(socket),
            codec,
            cursors: Cursors::default(),
            generation,
            control_bytes: head.len(),
            control: VecDeque::from([head]),
            partial: None,
            is_queued: false,
            blocked_since: None,
            waiting: None,
            is_admitted: false,
            closing: None,
            ended_at: None,
            read_paused: false,
            opened_at: Instant::now(),
            written_at: None,
            delivered: 0,
            tally: 0,
            queued_at: Instant::now(),
            identity: None,
            asked: 0,
            when_drained: VecDeque::new(),
            peer,
            id: fastrand::u64(..),
            place,
        };
        (session, actions, leftover)
    }

    /// Reads what a flush needs, and nothing else.
    pub fn touch(&self) {
        black_box((
            self.generation,
            self.control_bytes,
            self.control.len(),
            self.partial.is_some(),
            self.waiting.is_some(),
            self.blocked_since,
            self.closing.is_some(),
            self.is_admitted,
            self.delivered,
            self.written_at,
            self.tally,
            self.queued_at,
            self.when_drained.len(),
        ));
        self.cursors.touch();
    }

    /// Notes that it is put on a list of its worker; false where it is on one already, or cannot go on.
    pub fn begin_waiting(&mut self) -> bool {
        let begins = !self.is_queued && self.blocked_since.is_none();
        if begins {
            self.is_queued = true;
            self.queued_at = Instant::now();
        }
        begins
    }

    /// Whether it may be sent events: its client has proved who it is, as far as its protocol asks. Asked at every
    /// flush, so the answer is kept; a codec that awaits no proof never awaits one again.
    pub fn is_admitted(&mut self) -> bool {
        self.is_admitted = self.is_admitted || !self.codec.awaits_authentication();
        self.is_admitted
    }

    /// Queues an answer or a notice.
    pub fn push_control(&mut self, bytes: Bytes) {
        self.control_bytes += bytes.len();
        self.control.push_back(bytes);
    }

    /// Takes the next answer or notice.
    pub fn pop_control(&mut self) -> Option<Bytes> {
        let bytes = self.control.pop_front()?;
        self.control_bytes -= bytes.len();
        Some(bytes)
    }

    /// Puts back what [`Session::pop_control`] took.
    pub fn unpop_control(&mut self, bytes: Bytes) {
        self.control_bytes += bytes.len();
        self.control.push_front(bytes);
    }

    /// Whether so many answers wait that the session must not be read from.
    pub fn is_flooding(&self) -> bool {
        self.control_bytes + self.control.len() * CONTROL_OVERHEAD_BYTES > CONTROL_BYTES_MAX
    }

    /// Whether it waits for its socket or for history.
    pub fn is_behind(&self) -> bool {
        self.blocked_since.is_some() || self.waiting.is_some()
    }

    /// Whether an event of `stream` cannot go out now; its cursor will lead it there.
    pub fn cannot_take(&self, stream: Stream) -> bool {
        self.blocked_since.is_some() || self.waiting.is_some_and(|key| key.stream == stream)
    }

    /// The connection is that of `identity` from now on, and counts as its.
    pub fn set_identity(&mut self, identity: Identity) -> Result<(), Refusal> {
        self.place.rename(&identity.id)?;
        self.identity = Some(identity);
        Ok(())
    }

    /// Its id, as clients and operators know it.
    pub fn id(&self) -> String {
        format!("{:016x}", self.id)
    }

    /// What an operator may see of it.
    pub fn describe(&self, lag_events: u64, lag_s: f64, topics: Vec<String>, now: Instant) -> ClientInfo {
        let since = |at: Instant| now.saturating_duration_since(at).as_secs_f64();
        ClientInfo {
            id: self.id(),
            protocol: self.codec.protocol().to_owned(),
            client_id: self.codec.client_id().map(str::to_owned),
            peer: self.peer.to_string(),
            user: self.identity.as_ref().map_or("unauthenticated", |identity| &identity.id).to_owned(),
            topics,
            connected_s: since(self.opened_at),
            lag_events,
            lag_s,
            queued_bytes: self.control_bytes + self.partial.as_ref().map_or(0, Bytes::len),
            state: match self {
                Self { blocked_since: Some(_), .. } => "blocked",
                Self { waiting: Some(_), .. } => "reading_back",
                Self { is_queued: true, .. } => "ready",
                _ => "idle",
            }
            .to_owned(),
            blocked_s: self.blocked_since.map(since),
            delivered: self.delivered,
            last_write_s: self.written_at.map(since),
        }
    }

    /// Whether nothing could be written for `limit`.
    pub fn is_stalled(&self, limit: Duration) -> bool {
        self.blocked_since.is_some_and(|since| since.elapsed() >= limit)
    }
}
