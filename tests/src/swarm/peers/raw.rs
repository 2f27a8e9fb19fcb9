//! The raw writer: one thread that takes connections, answers their handshake, and then does nothing but write finished
//! frames to all of them. What any server on this machine must pay at least.
//!
//! On the port for events come batches: `count` and `target` (a client's place or [`TO_ALL`]), then `count` times a
//! length and a frame; all numbers are 32 bits, big-endian. Each client gets a batch in one `write` or `writev`.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use memchr::memmem;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::SockRef;

use super::{Listening, announce, end_with_parent};
use crate::swarm::publish::TO_ALL;

/// What the kernel holds for a client, as the gateway has it.
const SEND_BUFFER_BYTES: usize = 64 * 1024;
/// Frames given to one `writev`, as the gateway has it.
const FRAMES_PER_WRITE: usize = 64;
/// Largest batch.
const BATCH_SIZE_MAX: usize = 64 * 1024 * 1024;
/// How long all clients together may take nothing.
const BLOCKED_TIMEOUT: Duration = Duration::from_secs(20);
/// What a client is asked before it is answered: any request fits.
const REQUEST_SIZE_MAX: usize = 16 * 1024;

const LISTENER: Token = Token(usize::MAX);
const CONTROL: Token = Token(usize::MAX - 1);

struct Raw {
    poll: Poll,
    listener: mio::net::TcpListener,
    /// In the order of their connecting; those that went away keep their place.
    clients: Vec<Option<TcpStream>>,
    /// A write costs so many times what it costs: more than 1 only to see that a verdict notices.
    cost: f64,
}

/// Serves until standard input ends.
///
/// # Errors
/// When the system gives no sockets, or the control connection breaks.
pub fn main(cost: f64) -> Result<()> {
    end_with_parent();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port for clients")?;
    let control = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port for events")?;
    announce(Listening { clients: listener.local_addr()?.port(), events: control.local_addr()?.port() });
    listener.set_nonblocking(true)?;
    control.set_nonblocking(true)?;
    let mut listener = mio::net::TcpListener::from_std(listener);
    let mut control = mio::net::TcpListener::from_std(control);
    let poll = Poll::new().context("no poller")?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    poll.registry().register(&mut control, CONTROL, Interest::READABLE)?;
    let mut raw = Raw { poll, listener, clients: Vec::new(), cost };
    let mut events = Events::with_capacity(1024);
    let mut batches: Option<(TcpStream, Vec<u8>)> = None;
    loop {
        raw.poll.poll(&mut events, None)?;
        for event in &events {
            match event.token() {
                LISTENER => raw.accept()?,
                CONTROL if batches.is_none() => {
                    let (mut socket, _) = control.accept().context("the control connection failed")?;
                    raw.poll.registry().register(&mut socket, CONTROL, Interest::READABLE)?;
                    batches = Some((socket, Vec::new()));
                }
                Token(index) if event.token() != CONTROL && event.is_readable() => raw.answer(index)?,
                _ => {}
            }
        }
        let Some((socket, waiting)) = &mut batches else { continue };
        loop {
            read_all(socket, waiting)?;
            let mut used = 0;
            while let Some((target, frames, size)) = next_batch(&waiting[used..])? {
                raw.write(&waiting[used..used + size], &frames, target)?;
                used += size;
            }
            waiting.drain(..used);
            if used == 0 {
                break;
            }
        }
        // Waiting for clients may have swallowed the word of a new one.
        raw.accept()?;
    }
}

impl Raw {
    fn accept(&mut self) -> Result<()> {
        loop {
            let (mut socket, _) = match self.listener.accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("cannot accept"),
            };
            socket.set_nodelay(true)?;
            SockRef::from(&socket).set_send_buffer_size(SEND_BUFFER_BYTES)?;
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut socket, Token(self.clients.len()), interest)?;
            self.clients.push(Some(socket));
        }
    }

    /// Answers a request as a WebSocket server or as one of event streams would. Requests come in one piece on loopback;
    /// whatever a client sends later is thrown away.
    fn answer(&mut self, index: usize) -> Result<()> {
        let Some(slot) = self.clients.get_mut(index) else { return Ok(()) };
        let Some(socket) = slot else { return Ok(()) };
        let mut request = [0; REQUEST_SIZE_MAX];
        let count = match socket.read(&mut request) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            // It went away.
            Ok(0) | Err(_) => {
                *slot = None;
                return Ok(());
            }
            Ok(count) => count,
        };
        let request = &request[..count];
        if !request.starts_with(b"GET ") {
            return Ok(());
        }
        let is_websocket = memmem::find(request, b"upgrade: websocket").is_some();
        let head: &[u8] = if is_websocket {
            // The load program does not check the key, so it is not computed: that only favours this side.
            b"HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n"
        } else {
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
        };
        socket.write_all(head).context("a client takes no answer")
    }

    fn write(&mut self, batch: &[u8], frames: &[Range<usize>], target: u32) -> Result<()> {
        let started = Instant::now();
        let targets = if target == TO_ALL {
            0..self.clients.len()
        } else {
            let place = target as usize;
            ensure!(place < self.clients.len(), "no client {target}");
            place..place + 1
        };
        let mut behind = Vec::new();
        for index in targets {
            let taken = write_from(&mut self.clients[index], batch, frames, (0, 0))?;
            if taken.0 < frames.len() {
                behind.push((index, taken));
            }
        }
        let mut progress = Instant::now();
        while !behind.is_empty() {
            let before: Vec<_> = behind.iter().map(|(_, taken)| *taken).collect();
            for (index, taken) in &mut behind {
                *taken = write_from(&mut self.clients[*index], batch, frames, *taken)?;
            }
            if behind.iter().map(|(_, taken)| *taken).ne(before) {
                progress = Instant::now();
            } else {
                ensure!(progress.elapsed() < BLOCKED_TIMEOUT, "{} clients take nothing", behind.len());
                // All of them are full: the poller says when one is not.
                self.poll.poll(&mut Events::with_capacity(64), Some(Duration::from_millis(5)))?;
            }
            behind.retain(|(_, taken)| taken.0 < frames.len());
        }
        if self.cost > 1.0 {
            let took = started.elapsed().mul_f64(self.cost - 1.0);
            let spun = Instant::now();
            while spun.elapsed() < took {
                std::hint::spin_loop();
            }
        }
        Ok(())
    }
}

/// Writes frames from `(frame, byte)` on until the socket takes no more; returns where it stopped.
fn write_from(
    client: &mut Option<TcpStream>,
    batch: &[u8],
    frames: &[Range<usize>],
    mut from: (usize, usize),
) -> Result<(usize, usize)> {
    // Who went away takes everything.
    let Some(socket) = client else { return Ok((frames.len(), 0)) };
    while from.0 < frames.len() {
        let written = if let [frame] = frames {
            socket.write(&batch[frame.start + from.1..frame.end])
        } else {
            let mut slices = [IoSlice::new(&[]); FRAMES_PER_WRITE];
            let chosen = &frames[from.0..frames.len().min(from.0 + FRAMES_PER_WRITE)];
            for (place, (slice, frame)) in slices.iter_mut().zip(chosen).enumerate() {
                let skipped = if place == 0 { from.1 } else { 0 };
                *slice = IoSlice::new(&batch[frame.start + skipped..frame.end]);
            }
            socket.write_vectored(&slices[..chosen.len()])
        };
        let mut written = match written {
            Ok(0) => bail!("a client's socket is closed"),
            Ok(written) => written,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(from),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // It went away.
            Err(_) => return Ok((frames.len(), 0)),
        };
        while written > 0 {
            let left = frames[from.0].len() - from.1;
            if written >= left {
                from = (from.0 + 1, 0);
            } else {
                from.1 += written;
            }
            written -= written.min(left);
        }
    }
    Ok(from)
}

fn read_all(socket: &mut TcpStream, waiting: &mut Vec<u8>) -> Result<()> {
    let mut buffer = [0; 64 * 1024];
    loop {
        match socket.read(&mut buffer) {
            Ok(0) => bail!("the control connection ended"),
            Ok(count) => waiting.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error).context("the control connection broke"),
        }
        ensure!(waiting.len() <= BATCH_SIZE_MAX, "a batch larger than {BATCH_SIZE_MAX} bytes");
    }
}

/// Target, frames, size.
type Batch = (u32, Vec<Range<usize>>, usize);

/// The batch at the beginning of `bytes`, if it is whole.
fn next_batch(bytes: &[u8]) -> Result<Option<Batch>> {
    let number =
        |at: usize| bytes.get(at..at + 4).and_then(|four| Some(u32::from_be_bytes(four.try_into().ok()?)));
    let (Some(count), Some(target)) = (number(0), number(4)) else { return Ok(None) };
    let (mut frames, mut at) = (Vec::new(), 8);
    for _ in 0..count {
        let Some(length) = number(at) else { return Ok(None) };
        let frame = at + 4..at + 4 + length as usize;
        at = frame.end;
        frames.push(frame);
    }
    ensure!(at <= BATCH_SIZE_MAX, "a batch larger than {BATCH_SIZE_MAX} bytes");
    Ok((bytes.len() >= at).then_some((target, frames, at)))
}

/// Where clients and events come in.
impl Listening {
    /// Port of the clients.
    pub fn clients(self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.clients))
    }

    /// Port of the events.
    pub fn events(self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.events))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_taken_once_it_is_whole() {
        let mut bytes = Vec::new();
        for number in [2, TO_ALL, 3] {
            bytes.extend(number.to_be_bytes());
        }
        bytes.extend(b"abc");
        bytes.extend(1_u32.to_be_bytes());
        bytes.extend(b"d next");
        let whole = 8 + 4 + 3 + 4 + 1;
        assert_eq!(next_batch(&bytes).unwrap(), Some((TO_ALL, vec![12..15, 19..20], whole)));
        assert_eq!(next_batch(&bytes[..whole - 1]).unwrap(), None);
    }
}
