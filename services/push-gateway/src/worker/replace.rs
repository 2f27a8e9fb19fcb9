//! A session goes on with another socket: its protocol moved the client from one transport to another.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;

use bytes::Bytes;
use mio::net::TcpStream;
use mio::{Interest, Token};

use super::{Query, Worker, WorkerHandle};
use crate::codec::CloseReason;
use crate::session::NewSession;

/// Bytes read at once.
const READ_SIZE: usize = 16 * 1024;

/// Which session of which worker; of that session and no other after it.
#[derive(Clone)]
pub struct SessionRef {
    worker: WorkerHandle,
    index: usize,
    generation: u64,
}

/// What a session goes on with.
#[derive(Debug)]
pub struct Replacement {
    /// The new socket; non-blocking.
    pub socket: std::net::TcpStream,
    /// The other end of the old one; non-blocking, and nobody else reads it any more.
    pub old: UnixStream,
    /// What was read from the old one and has not reached the client.
    pub unread: Bytes,
    /// What the client sent by the new one already.
    pub leftover: Bytes,
}

impl SessionRef {
    /// Gives `worker` a session and says which it is; `None` when it ended at once, or the worker has.
    pub async fn open(worker: &WorkerHandle, session: NewSession) -> Option<Self> {
        let session = Box::new(session);
        let (index, generation) = worker.ask(|reply| Query::Open { session, reply }).await??;
        Some(Self { worker: worker.clone(), index, generation })
    }

    /// Goes on with another socket. Whoever waits for its client there finds it closed if the session has ended.
    pub async fn replace(self, replacement: Replacement) {
        let Self { worker, index, generation } = self;
        let replacement = Box::new(replacement);
        // `None` when the worker has ended, and the session with it.
        let _ = worker.ask(|reply| Query::Replace { index, generation, replacement, reply }).await;
    }
}

impl Worker {
    /// Nothing is lost and nothing passes anything: the client's bytes in the old socket are taken first; what it has
    /// not read there goes out first on the new one, in the new transport's words.
    pub(super) fn replace(&mut self, index: usize, generation: u64, replacement: Replacement) {
        let Replacement { socket, mut old, unread, leftover } = replacement;
        let mut buffer = [0; READ_SIZE];
        while self.is_same(index, generation) {
            match self.sessions[index].socket.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => break,
                Ok(length) => self.receive(index, &buffer[..length]),
            }
        }
        if !self.is_same(index, generation) {
            return;
        }
        let session = &mut self.sessions[index];
        let mut unread = Vec::from(unread);
        // Ends where there is nothing more; it holds no more than its kernel buffer.
        let _ = old.read_to_end(&mut unread);
        unread.extend(session.partial.take().into_iter().flatten());
        while let Some(bytes) = session.pop_control() {
            unread.extend_from_slice(&bytes);
        }
        let words = session.codec.moved(&unread);
        session.push_control(words);
        let mut before = std::mem::replace(&mut session.socket, TcpStream::from_std(socket));
        // Fails only for a socket that was never registered.
        let _ = self.poll.registry().deregister(&mut before);
        session.blocked_since = None;
        session.ended_at = None;
        session.read_paused = false;
        let interest = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = self.poll.registry().register(&mut session.socket, Token(index), interest) {
            tracing::warn!(%error, "a connection cannot be polled");
            return self.close(index, CloseReason::ClientGone);
        }
        self.enqueue(index);
        if !leftover.is_empty() {
            self.receive(index, &leftover);
        }
    }
}

#[cfg(test)]
impl SessionRef {
    /// Of a worker that is not there.
    pub fn nowhere() -> Self {
        Self { worker: WorkerHandle::nowhere(), index: 0, generation: 0 }
    }
}
