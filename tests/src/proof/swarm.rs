//! The clients: a process of its own that holds a thousand event streams, counts what it receives, and has some that
//! never read. It takes commands as JSON lines on standard input and answers each with one JSON line.

use std::io::{self, BufRead, Read, Write};
use std::net::{SocketAddr, TcpStream as StdTcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token, Waker};
use serde::{Deserialize, Serialize};
use socket2::{Domain, Protocol, Socket, Type};

use crate::swarm_process::SwarmCommand;

/// Receive buffer of a client that stalls: the smallest that the kernel grants.
const STALLED_RECEIVE_BUFFER_BYTES: usize = 2304;
/// Largest segment of a client that stalls: loopback's own is 64 KiB, and one of those would hide the stall.
const STALLED_SEGMENT_BYTES: u32 = 1400;
/// How long all clients may take to receive their first bytes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes read at once.
const READ_SIZE_BYTES: usize = 64 * 1024;
/// Events of the poller taken at once.
const POLL_EVENTS: usize = 1024;

const COMMAND: Token = Token(usize::MAX);

/// What the swarm is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "command")]
pub enum Command {
    /// Close all and open these.
    Connect {
        /// Where the streams are served.
        addr: SocketAddr,
        /// Path of the stream for clients that read.
        path: String,
        /// How many of them.
        reading: usize,
        /// Path of the stream for clients that stall: one with a backlog, so that they are blocked at once.
        stalled_path: String,
        /// How many of them.
        stalled: usize,
    },
    /// Close all.
    Disconnect,
    /// Tell the counts.
    Count,
}

/// What the swarm answers.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Streams that are open and read.
    pub reading: usize,
    /// Streams that are open and never read.
    pub stalled: usize,
    /// Streams that the other end closed since they were opened.
    pub closed: usize,
    /// Events received since the streams were opened, over all of them.
    pub events: u64,
    /// Bytes received likewise.
    pub bytes: u64,
    /// Why the command failed; empty where it did not.
    pub error: String,
}

impl SwarmCommand for Command {
    const ROLE: &'static str = "clients";

    type Counts = Counts;

    fn error(counts: &Counts) -> &str {
        &counts.error
    }
}

struct Stream {
    socket: TcpStream,
    /// Whether the last byte read was a line feed, so that an end of event over two reads is seen.
    after_line_feed: bool,
    received: bool,
}

struct Swarm {
    poll: Poll,
    streams: Vec<Option<Stream>>,
    stalled: Vec<StdTcpStream>,
    counts: Counts,
    silent: usize,
    buffer: Vec<u8>,
}

/// Serves commands until standard input ends.
///
/// # Errors
/// When the system gives no poller or the other end of standard output is gone.
pub fn main() -> Result<()> {
    let poll = Poll::new().context("no poller")?;
    let waker = Waker::new(poll.registry(), COMMAND).context("no waker")?;
    // One command is under way at a time; the bound only keeps a broken parent from filling memory.
    let (sender, commands) = mpsc::sync_channel::<Option<Command>>(1);
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            let Ok(command) = serde_json::from_str(&line) else { break };
            if sender.send(Some(command)).is_err() || waker.wake().is_err() {
                return;
            }
        }
        // The parent is gone: so are we.
        let _ = sender.send(None);
        let _ = waker.wake();
    });
    let buffer = vec![0; READ_SIZE_BYTES];
    let counts = Counts::default();
    let mut swarm = Swarm { poll, streams: Vec::new(), stalled: Vec::new(), counts, silent: 0, buffer };
    let mut events = Events::with_capacity(POLL_EVENTS);
    loop {
        swarm.turn(&mut events, None)?;
        match commands.try_recv() {
            Ok(Some(command)) => {
                let answer = swarm.obey(&command, &mut events);
                swarm.counts.error = answer.err().map(|error| format!("{error:#}")).unwrap_or_default();
                let line = serde_json::to_string(&swarm.counts).context("counts have a form in JSON")?;
                writeln!(io::stdout(), "{line}").context("nobody reads the answers")?;
            }
            Ok(None) | Err(mpsc::TryRecvError::Disconnected) => return Ok(()),
            Err(mpsc::TryRecvError::Empty) => {}
        }
    }
}

impl Swarm {
    fn obey(&mut self, command: &Command, events: &mut Events) -> Result<()> {
        match command {
            Command::Count => Ok(()),
            Command::Disconnect => {
                self.close_all();
                Ok(())
            }
            Command::Connect { addr, path, reading, stalled_path, stalled } => {
                self.close_all();
                for _ in 0..*stalled {
                    self.stalled.push(open_stalled(*addr, stalled_path)?);
                    self.counts.stalled += 1;
                }
                for index in 0..*reading {
                    self.open(*addr, path).with_context(|| format!("client {index} of {reading}"))?;
                    // What arrives meanwhile is read, or early clients would stall as well.
                    self.turn(events, Some(Duration::ZERO))?;
                }
                let start = Instant::now();
                while self.silent > 0 {
                    if start.elapsed() > CONNECT_TIMEOUT {
                        bail!(
                            "{} of {reading} clients received nothing within {CONNECT_TIMEOUT:?}",
                            self.silent
                        );
                    }
                    self.turn(events, Some(Duration::from_millis(100)))?;
                }
                Ok(())
            }
        }
    }

    fn close_all(&mut self) {
        self.streams.clear();
        self.stalled.clear();
        self.counts = Counts::default();
        self.silent = 0;
    }

    fn open(&mut self, addr: SocketAddr, path: &str) -> Result<()> {
        let mut socket = StdTcpStream::connect(addr).context("cannot connect")?;
        send_request(&mut socket, path)?;
        socket.set_nonblocking(true)?;
        let mut socket = TcpStream::from_std(socket);
        self.poll.registry().register(&mut socket, Token(self.streams.len()), Interest::READABLE)?;
        self.streams.push(Some(Stream { socket, after_line_feed: false, received: false }));
        self.counts.reading += 1;
        self.silent += 1;
        Ok(())
    }

    /// Waits for readable streams and reads them.
    fn turn(&mut self, events: &mut Events, timeout: Option<Duration>) -> Result<()> {
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                return Err(error).context("the poller failed");
            }
            _ => {}
        }
        for event in events.iter().filter(|event| event.token() != COMMAND) {
            self.read(event.token().0, event.is_read_closed());
        }
        Ok(())
    }

    /// Reads what is there; `to_the_end` where the other end has closed.
    fn read(&mut self, index: usize, to_the_end: bool) {
        let Some(slot) = self.streams.get_mut(index) else { return };
        let Some(stream) = slot else { return };
        loop {
            match stream.socket.read(&mut self.buffer) {
                Ok(count @ 1..) => {
                    if !stream.received {
                        stream.received = true;
                        self.silent -= 1;
                    }
                    self.counts.bytes += count as u64;
                    self.counts.events += ends_of_events(&self.buffer[..count], &mut stream.after_line_feed);
                    if count < self.buffer.len() && !to_the_end {
                        // The poller tells again when more arrives; another read would only say so.
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => {
                    self.silent -= usize::from(!stream.received);
                    *slot = None;
                    self.counts.reading -= 1;
                    self.counts.closed += 1;
                    return;
                }
            }
        }
    }
}

/// Empty lines in `bytes`: each ends an event.
fn ends_of_events(bytes: &[u8], after_line_feed: &mut bool) -> u64 {
    let mut ends = 0;
    for byte in bytes {
        let line_feed = *byte == b'\n';
        if line_feed && *after_line_feed {
            ends += 1;
            *after_line_feed = false;
        } else {
            *after_line_feed = line_feed;
        }
    }
    ends
}

fn send_request(socket: &mut StdTcpStream, path: &str) -> Result<()> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n");
    socket.write_all(request.as_bytes()).context("cannot send the request")
}

/// Opens a stream that will never be read, over a socket that cannot hide it.
///
/// # Errors
/// When it cannot be opened.
pub fn open_stalled(addr: SocketAddr, path: &str) -> Result<StdTcpStream> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_recv_buffer_size(STALLED_RECEIVE_BUFFER_BYTES)?;
    socket.set_tcp_mss(STALLED_SEGMENT_BYTES)?;
    socket.connect(&addr.into()).context("a client that is to stall cannot connect")?;
    let mut socket = StdTcpStream::from(socket);
    send_request(&mut socket, path)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_counted_once_however_it_is_cut() {
        let text = b"id: a\ndata: {}\n\nid: b\ndata: {}\n\n";
        for size in 1..=text.len() {
            let mut after = false;
            let counted: u64 = text.chunks(size).map(|piece| ends_of_events(piece, &mut after)).sum();
            assert_eq!(counted, 2, "pieces of {size}");
        }
    }
}
