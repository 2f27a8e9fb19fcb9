//! How others reach a worker, and what they can ask of it.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use mio::Waker;
use proto_schemas::Stream;
use tokio::sync::{mpsc, oneshot};

use crate::position::Position;
use crate::session::{ClientInfo, NewSession};
use crate::upstream::block::Block;
use crate::upstream::sequencer::Batch;

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
    Upstream(bool),
    /// All sessions are told to come back elsewhere and closed.
    Drain,
    /// Ends the thread, whatever is left.
    Stop,
}

/// How others reach a worker. Cheap to clone.
#[derive(Clone)]
pub struct WorkerHandle {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) sessions: SyncSender<NewSession>,
    pub(super) describe: mpsc::Sender<oneshot::Sender<Vec<ClientInfo>>>,
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

    /// What the worker's sessions do now.
    pub async fn describe(&self) -> Vec<ClientInfo> {
        let (reply, answer) = oneshot::channel();
        if self.describe.send(reply).await.is_err() {
            return Vec::new();
        }
        self.wake();
        answer.await.unwrap_or_default()
    }

    fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "a worker cannot be woken");
        }
    }
}
