//! One client: its socket, what it has heard, and where it stands in each of its topics.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use memchr::memmem;
use mio::net::TcpStream;
use socket2::{Domain, Socket, Type};

use super::decode::{Decoder, Heard, head};
use super::event::{self, now_ns};
use super::protocol::{self, Protocol, Target, Topics};
use super::tally::Tally;

/// Receive buffer of a client that stalls: the smallest that the kernel grants.
const STALLED_RECEIVE_BUFFER_BYTES: usize = 2304;
/// Largest segment of a client that stalls: loopback's own is 64 KiB, and one of those would hide the stall.
const STALLED_SEGMENT_BYTES: u32 = 1400;

/// How far a connection is.
#[derive(Debug)]
enum State {
    Connecting,
    /// The request is out; the head of the answer so far.
    Asked(Vec<u8>),
    /// Messages come; whether the server has taken the subscriptions.
    Open {
        decoder: Decoder,
        confirmations_left: u32,
    },
}

/// What all clients of a swarm share.
#[derive(Debug)]
pub struct Common {
    /// Where they connect.
    pub target: Target,
    /// What they follow.
    pub topics: Topics,
    /// Keep resume tokens.
    pub keeps_tokens: bool,
    /// Keep the newest message with an event.
    pub keeps_sample: bool,
}

/// What a client that left knows when it comes back.
#[derive(Debug)]
pub struct Memory {
    /// Its number.
    pub number: u32,
    /// Whether it reads.
    pub reads: bool,
    expected: Vec<u64>,
    token: Option<String>,
}

/// What becomes of a client after it has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Nothing that its owner must know.
    Same,
    /// It is ready now.
    Ready,
    /// The other end is gone.
    Ended,
}

/// See the module.
#[derive(Debug)]
pub struct Client {
    /// Non-blocking.
    pub socket: TcpStream,
    /// Reads what it gets.
    pub reads: bool,
    /// Its number.
    pub number: u32,
    state: State,
    opened_at_ns: u64,
    /// Next counter of each of its topics.
    expected: Vec<u64>,
    hint: usize,
    token: Option<String>,
    pinged_at_ns: Option<u64>,
    /// When its right to stay ends or ended.
    pub ends_at_ns: Option<u64>,
    /// The newest message with an event, where it is kept.
    pub sample: Vec<u8>,
}

impl Client {
    /// Begins to connect from `source`. A client that stalls gets a socket that cannot hide it.
    ///
    /// # Errors
    /// When the system gives no socket.
    pub fn connect(common: &Common, number: u32, source: Ipv4Addr, reads: bool) -> Result<Self> {
        let addr = common.target.addr_of(number);
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None).context("no socket")?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        // Closed by a reset. An orderly close leaves the port pair in use for a minute on one side or the other, and the
        // next crowd of thousands would meet the pairs of the one before.
        socket.set_linger(Some(Duration::ZERO))?;
        if !reads {
            socket.set_recv_buffer_size(STALLED_RECEIVE_BUFFER_BYTES)?;
            socket.set_tcp_mss(STALLED_SEGMENT_BYTES)?;
        }
        if addr.is_ipv4() {
            let source = SocketAddr::new(IpAddr::V4(source), 0);
            socket.bind(&source.into()).with_context(|| format!("no port is free at {source}"))?;
        }
        match socket.connect(&addr.into()) {
            Err(error) if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {
                return Err(error).context("cannot connect");
            }
            _ => {}
        }
        Ok(Self {
            socket: TcpStream::from_std(socket.into()),
            reads,
            number,
            state: State::Connecting,
            opened_at_ns: now_ns(),
            expected: vec![0; common.topics.per_client as usize],
            hint: 0,
            token: None,
            pinged_at_ns: None,
            ends_at_ns: None,
            sample: Vec::new(),
        })
    }

    /// Closes the connection.
    pub fn leave(self) -> Memory {
        let Self { number, reads, expected, token, .. } = self;
        Memory { number, reads, expected, token }
    }

    /// Takes over where a connection before this one stood, so that its resume shows holes and doubles.
    pub fn continues(&mut self, before: Memory) {
        self.expected = before.expected;
        self.token = before.token;
    }

    /// Whether events reach it.
    pub fn is_ready(&self) -> bool {
        matches!(self.state, State::Open { confirmations_left: 0, .. })
    }

    /// The socket can be written: sends the request, once.
    ///
    /// # Errors
    /// When the server is not there.
    pub fn writable(&mut self, common: &Common) -> Result<()> {
        if !matches!(self.state, State::Connecting) {
            return Ok(());
        }
        if let Some(error) = self.socket.take_error()? {
            return Err(error).context("cannot connect");
        }
        let request = protocol::request(&common.target, &common.topics, self.number, self.token.as_deref());
        self.send(request.as_bytes())?;
        self.state = State::Asked(Vec::new());
        Ok(())
    }

    /// Reads what is there.
    ///
    /// # Errors
    /// When the server refuses or breaks the protocol.
    pub fn readable(&mut self, common: &Common, buffer: &mut [u8], tally: &mut Tally) -> Result<Progress> {
        let was_ready = self.is_ready();
        loop {
            match self.socket.read(buffer) {
                Ok(0) => return Ok(Progress::Ended),
                Ok(count) => {
                    tally.bytes += count as u64;
                    self.take(common, &buffer[..count], tally)?;
                    if count < buffer.len() {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Ok(Progress::Ended),
            }
        }
        if self.is_ready() && !was_ready {
            tally.handshake.add(now_ns() - self.opened_at_ns);
            return Ok(Progress::Ready);
        }
        Ok(Progress::Same)
    }

    /// Sends a ping unless one is under way.
    ///
    /// # Errors
    /// When the socket takes nothing.
    pub fn ping(&mut self) -> Result<()> {
        if self.pinged_at_ns.is_none() {
            self.pinged_at_ns = Some(now_ns());
            self.send(&protocol::ping())?;
        }
        Ok(())
    }

    /// What a client sends is far smaller than any socket's buffer.
    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        let sent = self.socket.write(bytes).context("a client cannot send")?;
        ensure!(sent == bytes.len(), "a client's socket takes {sent} of {} bytes", bytes.len());
        Ok(())
    }

    fn take(&mut self, common: &Common, bytes: &[u8], tally: &mut Tally) -> Result<()> {
        match &mut self.state {
            State::Connecting => bail!("an answer without a request"),
            State::Asked(waiting) => {
                waiting.extend_from_slice(bytes);
                let Some(head) = head(waiting)? else { return Ok(()) };
                let waiting = std::mem::take(waiting);
                self.open(common, &head, &waiting)?;
                self.messages(common, &waiting[head.size..], tally)
            }
            State::Open { .. } => self.messages(common, bytes, tally),
        }
    }

    fn open(&mut self, common: &Common, head: &super::decode::Head, answer: &[u8]) -> Result<()> {
        let protocol = common.target.protocol;
        let expected = if protocol.is_websocket() { 101 } else { 200 };
        if head.status != expected {
            bail!("the server answers: {:.300}", String::from_utf8_lossy(answer));
        }
        let decoder =
            if protocol.is_websocket() { Decoder::websocket() } else { Decoder::events(head.chunked) };
        let confirmations_left = match protocol {
            _ if protocol.is_ready_at_once() => 0,
            Protocol::Centrifugo => common.topics.per_client,
            _ => 1,
        };
        self.state = State::Open { decoder, confirmations_left };
        let words =
            protocol::subscription(&common.target, &common.topics, self.number, self.token.as_deref());
        if words.is_empty() { Ok(()) } else { self.send(&words) }
    }

    fn messages(&mut self, common: &Common, bytes: &[u8], tally: &mut Tally) -> Result<()> {
        let State::Open { decoder, confirmations_left } = &mut self.state else { return Ok(()) };
        let first_topic = common.topics.of(self.number).start;
        let protocol = common.target.protocol;
        let now = now_ns();
        let mut answers = Vec::new();
        decoder.read(bytes, |heard| {
            let message = match heard {
                Heard::Message(message) => message,
                Heard::Ping(payload) => {
                    answers.extend(protocol::pong(payload));
                    return Ok(());
                }
                Heard::Pong => {
                    if let Some(at) = self.pinged_at_ns.take() {
                        tally.round_trip.add(now - at);
                    }
                    return Ok(());
                }
                Heard::Close(_) => {
                    // The end of the connection may wait for the other side; its word is what the client goes by.
                    if let Some(at) = self.ends_at_ns.take() {
                        tally.closing.add(now.saturating_sub(at));
                    }
                    return Ok(());
                }
            };
            // Several messages of Centrifugo's protocol may share a frame, one a line.
            let is_lines = protocol == Protocol::Centrifugo && message.contains(&b'\n');
            let whole = [message];
            let lines: Vec<&[u8]> =
                if is_lines { message.split(|byte| *byte == b'\n').collect() } else { Vec::new() };
            for message in if is_lines { lines.as_slice() } else { &whole } {
                if let Some(stamp) = event::find(message, &mut self.hint) {
                    let place = stamp.topic.checked_sub(first_topic).map(|place| place as usize);
                    let Some(expected) = place.and_then(|place| self.expected.get_mut(place)) else {
                        bail!("client {} follows no topic {}", self.number, stamp.topic);
                    };
                    tally.delivered(stamp, expected, now);
                    if common.keeps_sample {
                        self.sample.clear();
                        self.sample.extend_from_slice(message);
                    }
                } else if *message == b"{}" {
                    answers.extend(protocol::centrifugo_pong());
                } else if is_gap(protocol, message) {
                    tally.told_gaps += 1;
                } else if is_confirmation(protocol, message) {
                    *confirmations_left = confirmations_left.saturating_sub(1);
                } else if is_error(protocol, message) {
                    bail!("the server says: {:.300}", String::from_utf8_lossy(message));
                }
                if common.keeps_tokens
                    && let Some(token) = token(protocol, message)
                {
                    self.token = Some(token);
                }
            }
            Ok(())
        })?;
        if answers.is_empty() { Ok(()) } else { self.send(&answers) }
    }
}

fn has(message: &[u8], text: &str) -> bool {
    memmem::find(message, text.as_bytes()).is_some()
}

fn is_gap(protocol: Protocol, message: &[u8]) -> bool {
    match protocol {
        Protocol::Ws => has(message, "\"type\":\"gap\""),
        Protocol::Sse => message.starts_with(b"event: gap\n"),
        // The subscription ended and must be made anew, or was not recovered.
        Protocol::Centrifugo => has(message, "\"unsubscribe\""),
        Protocol::PlainWs | Protocol::PlainSse => false,
    }
}

fn is_confirmation(protocol: Protocol, message: &[u8]) -> bool {
    match protocol {
        Protocol::Ws => has(message, "\"type\":\"subscribed\""),
        Protocol::Sse => message.starts_with(b"event: ready\n"),
        Protocol::Centrifugo => has(message, "\"subscribe\":{"),
        Protocol::PlainWs | Protocol::PlainSse => false,
    }
}

fn is_error(protocol: Protocol, message: &[u8]) -> bool {
    match protocol {
        Protocol::Ws => has(message, "_error\"") || has(message, "\"type\":\"error_message\""),
        Protocol::Centrifugo => has(message, "\"error\":{"),
        Protocol::Sse | Protocol::PlainWs | Protocol::PlainSse => false,
    }
}

/// The resume token that a message carries.
fn token(protocol: Protocol, message: &[u8]) -> Option<String> {
    let between = |start: &str, end: u8| {
        let at = memmem::find(message, start.as_bytes())? + start.len();
        let length = memchr::memchr(end, &message[at..])?;
        String::from_utf8(message[at..at + length].to_vec()).ok()
    };
    match protocol {
        Protocol::Ws => between("\"token\":\"", b'"'),
        Protocol::Sse => between("id: ", b'\n'),
        _ => None,
    }
}
