//! How others reach a worker, and what they can ask of it.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use mio::Waker;
use proto_schemas::Stream;
use tokio::sync::{mpsc, oneshot};

use crate::commands::Answer;
use crate::position::Position;
use crate::session::NewSession;
use crate::upstream::block::Block;
use crate::upstream::sequencer::Batch;
use crate::worker::Query;

/// What a worker does for others.
#[derive(Clone)]
pub enum Command {
    /// A stream starts (anew).
    Start {
        /// The stream.
        stream: Stream,
        /// Everything up to here is past.
        head: Position,
        /// For state: last sequence of the values that are there, which follow.
        load_to: u64,
    },
    /// New events.
    Batch(Arc<Batch>),
    /// A part of a stream that sessions wait for.
    Block(Arc<Block>),
    /// NATS came or went.
    Upstream {
        /// It is connected.
        up: bool,
        /// Which connection it is, or was.
        generation: u64,
    },
    /// Over this connection the stream was compared with what the pod knew, and is followed.
    Followed(Stream, u64),
    /// A service answered a session's question.
    Answer {
        /// Index of the session.
        session: usize,
        /// Of that session and no other with its index.
        generation: u64,
        /// The codec's number of the question.
        tag: u64,
        /// What it said.
        answer: Answer,
    },
    /// The sessions of this token or key are closed; `None`: look at all.
    Revoked(Option<Arc<str>>),
    /// So many of the sessions furthest behind are closed.
    Shed(usize),
    /// All sessions are told to come back elsewhere and closed, in waves within this time.
    Drain(Duration),
    /// Ends the thread, whatever is left.
    Stop,
}

/// How others reach a worker. Cheap to clone.
#[derive(Clone)]
pub struct WorkerHandle {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) sessions: SyncSender<NewSession>,
    pub(super) queries: mpsc::Sender<Query>,
    pub(super) waker: Arc<Waker>,
}

impl WorkerHandle {
    /// Sends a command; waits while the worker has too many.
    pub async fn send(&self, command: Command) {
        // Fails only when the worker has ended.
        let _ = self.commands.send(command).await;
        self.wake();
    }

    /// Gives the worker a connection. The number of connections bounds this queue.
    pub fn open(&self, session: NewSession) {
        if self.sessions.try_send(session).is_ok() {
            self.wake();
        }
    }

    /// Asks the worker; `None` when it has ended.
    pub async fn ask<A>(&self, query: impl FnOnce(oneshot::Sender<A>) -> Query) -> Option<A> {
        let (reply, answer) = oneshot::channel();
        self.queries.send(query(reply)).await.ok()?;
        self.wake();
        answer.await.ok()
    }

    /// Of a worker that has ended.
    #[cfg(test)]
    pub fn nowhere() -> Self {
        let poll = mio::Poll::new().unwrap();
        Self {
            commands: mpsc::channel(1).0,
            sessions: std::sync::mpsc::sync_channel(1).0,
            queries: mpsc::channel(1).0,
            waker: Arc::new(Waker::new(poll.registry(), mio::Token(0)).unwrap()),
        }
    }

    fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "a worker cannot be woken");
        }
    }
}
