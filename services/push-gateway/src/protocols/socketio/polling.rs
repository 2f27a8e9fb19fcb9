//! The polling transport: sessions whose client comes by HTTP requests, and the payloads of those requests.
//!
//! A polling session is a session of a worker like any other. Its socket is one end of a pair; this side holds the
//! other. A poll takes what is there, a post puts packets in. While nobody polls, the worker fills the pair's buffer
//! and then finds its socket blocked, as with any slow client, so the bound is the pair's buffer and what a poll has
//! read of a packet that is not yet whole.

use std::collections::HashMap;
use std::io;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use socket2::SockRef;
use tokio::net::UnixStream;
use tokio::sync::watch;

use super::packet::SEPARATOR;
use super::{PACKET_SIZE_MAX, PING_TIMEOUT};
use crate::worker::SessionRef;

/// Sessions by polling at once. Each may hold one poll, and with it one of the 8,192 connections that HTTP serves: the
/// rest of the gateway's endpoints must not starve. Most clients poll for a moment only, until they have upgraded.
pub const SESSIONS_MAX: usize = 1_024;
/// Bytes of packets in one answer, unless the first is larger.
const ANSWER_SIZE_MAX: usize = 64 * 1024;
/// Kernel buffer of each end of a pair.
const PAIR_BUFFER_BYTES: usize = 32 * 1024;
/// Bytes read from the pair at once.
const READ_SIZE: usize = 16 * 1024;
/// The worker takes what was posted within this time, unless the client does not read its answers.
const POST_TIMEOUT: Duration = Duration::from_secs(10);
/// How often sessions are looked at that nobody polls any more.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Why a request of a session is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It ended, moved on, or is another pod's.
    UnknownSession,
    /// Another poll of it waits.
    Overlapping,
    /// The client posts and does not read.
    Busy,
    /// There are as many as may be.
    TooMany,
}

/// The pair of a new session: the worker's end and this side's.
///
/// # Errors
/// Where the process may open no more files.
pub fn pair() -> io::Result<(StdUnixStream, UnixStream)> {
    let (near, far) = StdUnixStream::pair()?;
    for end in [&near, &far] {
        end.set_nonblocking(true)?;
        SockRef::from(end).set_send_buffer_size(PAIR_BUFFER_BYTES)?;
    }
    Ok((near, UnixStream::from_std(far)?))
}

/// One session, from the side of HTTP.
pub struct Polled {
    /// In its worker.
    session: SessionRef,
    socket: UnixStream,
    // Held by the poll that waits; a second one is refused.
    reading: tokio::sync::Mutex<Reading>,
    // Posts put their packets in one after the other; held until the last byte of one is in.
    writing: Arc<tokio::sync::Mutex<()>>,
    // When the client was last here; written at each request.
    seen_at: Mutex<Instant>,
    /// A WebSocket that may take over is there.
    is_upgrading: AtomicBool,
    /// The client waits for its poll to end, to move on.
    releasing: watch::Sender<bool>,
}

#[derive(Default)]
struct Reading {
    /// Read from the pair and not yet given out.
    buffer: BytesMut,
    /// The session has another socket now.
    moved: bool,
}

/// What an upgrade takes away from here.
pub struct Taken {
    /// In its worker.
    pub session: SessionRef,
    /// This side's end of the pair.
    pub pair: std::os::fd::OwnedFd,
    /// Read from the pair and not yet given out.
    pub unread: Bytes,
}

impl Polled {
    /// Of a session that reads and writes the other end of `socket`.
    pub fn new(session: SessionRef, socket: UnixStream) -> Self {
        Self {
            session,
            socket,
            reading: tokio::sync::Mutex::default(),
            writing: Arc::default(),
            seen_at: Mutex::new(Instant::now()),
            is_upgrading: AtomicBool::new(false),
            releasing: watch::Sender::new(false),
        }
    }

    /// Waits for packets and gives those that are there, as a payload. `None`: the session ended.
    ///
    /// # Errors
    /// [`Refused::Overlapping`], [`Refused::UnknownSession`].
    pub async fn poll(&self) -> Result<Option<Bytes>, Refused> {
        let mut reading = self.reading.try_lock().map_err(|_| Refused::Overlapping)?;
        if reading.moved {
            return Err(Refused::UnknownSession);
        }
        self.seen();
        let mut releasing = self.releasing.subscribe();
        loop {
            let is_open = self.fill(&mut reading.buffer);
            if let Some(payload) = take_payload(&mut reading.buffer) {
                self.seen();
                return Ok(Some(payload));
            }
            if !is_open {
                return Ok(None);
            }
            if *releasing.borrow_and_update() {
                self.seen();
                return Ok(Some(Bytes::from_static(b"6")));
            }
            // Either way the next turn sees what there is.
            tokio::select! {
                _ = self.socket.readable() => {}
                _ = releasing.changed() => {}
            }
        }
    }

    /// Reads until there is nothing, or enough for an answer. Returns whether the session is there.
    fn fill(&self, buffer: &mut BytesMut) -> bool {
        while buffer.len() < ANSWER_SIZE_MAX || !buffer.contains(&SEPARATOR) {
            buffer.reserve(READ_SIZE);
            match self.socket.try_read_buf(buffer) {
                Ok(0) => return false,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(_) => return false,
            }
        }
        true
    }

    /// Gives the packets of a payload to the session: all of them, or none where it is refused as busy.
    ///
    /// # Errors
    /// [`Refused::Busy`], [`Refused::UnknownSession`].
    pub async fn post(self: &Arc<Self>, payload: &[u8]) -> Result<(), Refused> {
        self.seen();
        let mut bytes = Bytes::from([payload, &[SEPARATOR]].concat());
        let begin = async {
            let turn = Arc::clone(&self.writing).lock_owned().await;
            io::Result::Ok((turn, self.write_some(&bytes).await?))
        };
        let (turn, taken) = tokio::time::timeout(POST_TIMEOUT, begin)
            .await
            .map_err(|_| Refused::Busy)?
            .map_err(|_| Refused::UnknownSession)?;
        bytes.advance(taken);
        if bytes.is_empty() {
            return Ok(());
        }
        // The session has a part of it, so it gets the rest as well, whether or not the request still waits. A session
        // that takes nothing for long is closed by its worker, and this ends.
        let polled = Arc::clone(self);
        let rest = tokio::spawn(async move {
            let _turn = turn;
            while !bytes.is_empty() {
                bytes.advance(polled.write_some(&bytes).await?);
            }
            io::Result::Ok(())
        });
        match tokio::time::timeout(POST_TIMEOUT, rest).await {
            Ok(Ok(Ok(()))) | Err(_) => Ok(()),
            Ok(_) => Err(Refused::UnknownSession),
        }
    }

    /// Writes what the session takes; waits until that is something.
    async fn write_some(&self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            self.socket.writable().await?;
            match self.socket.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return written,
            }
        }
    }

    fn seen(&self) {
        *self.seen_at.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Nobody polls, and nobody has been here for so long.
    fn is_left(&self, limit: Duration) -> bool {
        let seen_at = *self.seen_at.lock().unwrap_or_else(PoisonError::into_inner);
        seen_at.elapsed() > limit && self.reading.try_lock().is_ok()
    }

    /// A WebSocket that may take over is there. `false`: one is already.
    pub fn begin_upgrade(&self) -> bool {
        !self.is_upgrading.swap(true, Ordering::AcqRel)
    }

    /// The client probed it: polls come back at once from here on.
    pub fn release_polls(&self) {
        self.releasing.send_replace(true);
    }

    /// The other transport came to nothing.
    pub fn end_upgrade(&self) {
        self.releasing.send_replace(false);
        self.is_upgrading.store(false, Ordering::Release);
        self.seen();
    }

    /// Ends this side's part. A poll that is still there ends first, as [`Self::release_polls`] has told it to, and so
    /// does a post.
    pub async fn take(&self) -> io::Result<Taken> {
        use std::os::fd::AsFd;
        let _turn = self.writing.lock().await;
        let mut reading = self.reading.lock().await;
        reading.moved = true;
        Ok(Taken {
            session: self.session.clone(),
            pair: self.socket.as_fd().try_clone_to_owned()?,
            unread: std::mem::take(&mut reading.buffer).freeze(),
        })
    }
}

/// The whole packets of `buffer`, without the last one's separator; what is left is the beginning of another.
fn take_payload(buffer: &mut BytesMut) -> Option<Bytes> {
    let end = buffer.iter().rposition(|byte| *byte == SEPARATOR)?;
    let mut payload = buffer.split_to(end + 1);
    payload.truncate(end);
    if buffer.is_empty() {
        // A quiet session holds no buffer.
        *buffer = BytesMut::new();
    }
    Some(payload.freeze())
}

/// Whether a posted payload is one: text of at most [`PACKET_SIZE_MAX`] bytes, not empty.
pub fn is_payload(body: &[u8]) -> bool {
    !body.is_empty() && body.len() <= PACKET_SIZE_MAX && std::str::from_utf8(body).is_ok()
}

/// All sessions by polling of this process.
pub struct Sessions {
    // Looked up by requests, each for an instant.
    by_id: Mutex<HashMap<String, Arc<Polled>>>,
    is_swept: AtomicBool,
    /// A client that was not here for so long is gone.
    silence_max: Duration,
    count_max: usize,
}

impl Sessions {
    /// None yet, and at most `count_max`; clients are pinged every `ping_interval`.
    pub fn new(ping_interval: Duration, count_max: usize) -> Self {
        Self {
            by_id: Mutex::default(),
            is_swept: AtomicBool::new(false),
            silence_max: ping_interval + PING_TIMEOUT,
            count_max,
        }
    }

    /// Whether one more may come.
    ///
    /// # Errors
    /// [`Refused::TooMany`].
    pub fn has_room(&self) -> Result<(), Refused> {
        if self.lock().len() < self.count_max { Ok(()) } else { Err(Refused::TooMany) }
    }

    /// Adds one.
    pub fn insert(self: &Arc<Self>, id: String, polled: Arc<Polled>) {
        self.lock().insert(id, polled);
        if !self.is_swept.swap(true, Ordering::AcqRel) {
            tokio::spawn(Arc::clone(self).sweep());
        }
    }

    /// The session of that id.
    ///
    /// # Errors
    /// [`Refused::UnknownSession`].
    pub fn get(&self, id: &str) -> Result<Arc<Polled>, Refused> {
        self.lock().get(id).cloned().ok_or(Refused::UnknownSession)
    }

    /// It is none of ours any more.
    pub fn remove(&self, id: &str) {
        self.lock().remove(id);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Polled>>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets sessions whose clients are gone, which closes them; ends with the last session.
    async fn sweep(self: Arc<Self>) {
        loop {
            tokio::time::sleep(SWEEP_INTERVAL).await;
            let mut by_id = self.lock();
            by_id.retain(|_, polled| !polled.is_left(self.silence_max));
            if by_id.is_empty() {
                // Under the lock, so that whoever inserts next starts another.
                self.is_swept.store(false, Ordering::Release);
                return;
            }
        }
    }
}

#[cfg(test)]
#[path = "polling_tests.rs"]
mod tests;
