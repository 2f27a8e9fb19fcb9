//! What the writer is asked to do, and how it answers.

use std::time::{Duration, Instant};

use chassis::telemetry::TRACE_TARGET;
use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tracing::Span;

use super::super::backend::{WriteTimings, Written};
use super::super::error::WriteError;
use super::super::model::{Epoch, Revision};
use super::position::Position;

/// Where the answer to a job comes.
pub type Answer<T> = oneshot::Receiver<Result<Written<T>, WriteError>>;

/// Work for the writer, when it was handed over, and by which request.
pub struct Job {
    work: Box<dyn Work>,
    queued_at: Instant,
    /// A batch's turn among the batches; it ends after the commit, whether or not anybody still waits for it.
    turn: Option<OwnedSemaphorePermit>,
    /// The span that was current where the job was made.
    request: Span,
    /// `store.queue`; ends when the writer takes the job up.
    queue: Span,
}

impl Job {
    /// A job of the current span; with a `turn` it is a batch. `work` is done again where the transaction that it was
    /// done in failed for another job's sake.
    pub fn new<T: Send + 'static>(
        turn: Option<OwnedSemaphorePermit>,
        work: impl Fn(&Connection, &mut Position) -> rusqlite::Result<T> + Send + 'static,
    ) -> (Self, Answer<T>) {
        let request = Span::current();
        // Work of no request (the relay's) would make traces of its own that tell nothing.
        let queue = if request.is_none() {
            Span::none()
        } else {
            tracing::info_span!(target: TRACE_TARGET, "store.queue")
        };
        let (reply, answer) = oneshot::channel();
        let work = Box::new(Task { work, done: None, reply });
        (Self { work, queued_at: Instant::now(), turn, request, queue }, answer)
    }

    /// Whether it has a turn among the batches.
    pub fn is_batch(&self) -> bool {
        self.turn.is_some()
    }

    /// The writer has it from now on, as one of `jobs`.
    pub fn take_up(self, now: Instant, jobs: usize) -> UnderWay {
        drop(self.queue);
        let span = tracing::info_span!(target: TRACE_TARGET, parent: &self.request, "store.commit", jobs);
        let queue = now.saturating_duration_since(self.queued_at);
        UnderWay { work: self.work, queue, span, turn: self.turn }
    }
}

/// A job under way.
pub struct UnderWay {
    work: Box<dyn Work>,
    queue: Duration,
    span: Span,
    turn: Option<OwnedSemaphorePermit>,
}

impl UnderWay {
    /// Does it, inside a transaction.
    pub fn apply(&mut self, connection: &Connection, position: &mut Position) -> rusqlite::Result<()> {
        self.work.apply(connection, position)
    }

    /// Ends it with what became of the transaction, and the times from its begin to the commit and of the commit. What it
    /// needed is freed here.
    pub fn conclude(self, committed: Result<(Duration, Duration), WriteError>) -> Reply {
        let Self { work, queue, span, turn } = self;
        let tell = work.conclude(committed.map(|(apply, commit)| WriteTimings { queue, apply, commit }));
        Reply { tell, span, turn }
    }
}

/// What is still to be told to who asked.
pub struct Reply {
    tell: Box<dyn FnOnce() + Send>,
    span: Span,
    turn: Option<OwnedSemaphorePermit>,
}

impl Reply {
    /// Tells it, and ends the turn.
    pub fn tell(self) {
        // The span's end belongs before the answer, or the request's could end first.
        drop((self.span, self.turn));
        (self.tell)();
    }
}

trait Work: Send {
    fn apply(&mut self, connection: &Connection, position: &mut Position) -> rusqlite::Result<()>;

    fn conclude(self: Box<Self>, committed: Result<WriteTimings, WriteError>) -> Box<dyn FnOnce() + Send>;
}

struct Task<T, W> {
    work: W,
    /// What the last time gave.
    done: Option<(T, Revision, Epoch)>,
    reply: oneshot::Sender<Result<Written<T>, WriteError>>,
}

impl<T, W> Work for Task<T, W>
where
    T: Send + 'static,
    W: Fn(&Connection, &mut Position) -> rusqlite::Result<T> + Send,
{
    fn apply(&mut self, connection: &Connection, position: &mut Position) -> rusqlite::Result<()> {
        let outcome = (self.work)(connection, position)?;
        self.done = Some((outcome, position.revision, position.epoch.clone()));
        Ok(())
    }

    fn conclude(self: Box<Self>, committed: Result<WriteTimings, WriteError>) -> Box<dyn FnOnce() + Send> {
        let Self { done, reply, .. } = *self;
        let answer = committed.and_then(|timings| {
            let (outcome, revision, epoch) = done.ok_or(WriteError::Closed)?;
            Ok(Written { outcome, revision, epoch, timings })
        });
        Box::new(move || {
            // Nobody listens any more when the request was cancelled.
            let _ = reply.send(answer);
        })
    }
}
