//! What the writer is asked to do, and how it answers.

use std::time::{Duration, Instant};

use chassis::telemetry::TRACE_TARGET;
use futures_util::future::BoxFuture;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tracing::Span;

use super::super::backend::{WriteTimings, Written};
use super::super::error::WriteError;
use super::error::Error;
use super::facts::{Addition, AdditionDone};
use super::transaction::Transaction;

/// Where the answer to a job comes.
pub type Answer<T> = oneshot::Receiver<Result<Written<T>, WriteError>>;

/// Sends a job's answer once its commit is known.
pub type Finish = Box<dyn FnOnce(Result<WriteTimings, WriteError>) + Send>;

/// Work inside a transaction, unless another job of it has failed already; says how to answer it.
type Apply =
    Box<dyn for<'a> FnOnce(Option<&'a mut Transaction>) -> BoxFuture<'a, (Finish, Result<(), Error>)> + Send>;

/// What is to be done.
pub enum Work {
    /// Facts are added, together with those of other jobs; then what became of them is answered.
    Add(Addition, Box<dyn FnOnce(Option<AdditionDone>) -> Finish + Send>),
    /// Anything else.
    Other(Apply),
}

/// Work for the writer, when it was handed over, and by which request.
pub struct Job {
    work: Work,
    queued_at: Instant,
    /// A batch's turn among the batches; it ends with the commit, whether or not anybody still waits for it.
    turn: Option<OwnedSemaphorePermit>,
    /// The span that was current where the job was made.
    request: Span,
    /// `store.queue`; ends when the writer takes the job up.
    queue: Span,
}

/// A job under way.
pub struct Wait {
    queue: Duration,
    span: Span,
    turn: Option<OwnedSemaphorePermit>,
}

impl Wait {
    /// Ends it, before its answer, or the request's span could end first. Returns how long it was queued.
    pub fn end(self) -> Duration {
        drop((self.span, self.turn));
        self.queue
    }
}

impl Job {
    /// A job of the current span; with a `turn` it is a batch.
    pub fn new<T: Send + 'static>(
        turn: Option<OwnedSemaphorePermit>,
        work: impl for<'a> FnOnce(&'a mut Transaction) -> BoxFuture<'a, Result<T, Error>> + Send + 'static,
    ) -> (Self, Answer<T>) {
        let (reply, answer) = oneshot::channel();
        let apply: Apply = Box::new(move |transaction| {
            Box::pin(async move {
                let Some(transaction) = transaction else { return (finish(None, reply), Ok(())) };
                match work(transaction).await {
                    Ok(outcome) => {
                        let position = &transaction.position;
                        let done = (outcome, position.revision, position.epoch.clone());
                        (finish(Some(done), reply), Ok(()))
                    }
                    Err(error) => (finish(None, reply), Err(error)),
                }
            })
        });
        (Self::of(Work::Other(apply), turn), answer)
    }

    /// A job that adds facts.
    pub fn adding<T: Send + 'static>(
        turn: Option<OwnedSemaphorePermit>,
        addition: Addition,
        outcome: fn(&AdditionDone) -> T,
    ) -> (Self, Answer<T>) {
        let (reply, answer) = oneshot::channel();
        let answering = move |done: Option<AdditionDone>| {
            finish(done.map(|done| (outcome(&done), done.revision, done.epoch)), reply)
        };
        (Self::of(Work::Add(addition, Box::new(answering)), turn), answer)
    }

    fn of(work: Work, turn: Option<OwnedSemaphorePermit>) -> Self {
        let request = Span::current();
        // Work of no request (the relay's) would make traces of its own that tell nothing.
        let queue = if request.is_none() {
            Span::none()
        } else {
            tracing::info_span!(target: TRACE_TARGET, "store.queue")
        };
        Self { work, queued_at: Instant::now(), turn, request, queue }
    }

    /// Whether it has a turn among the batches.
    pub fn is_batch(&self) -> bool {
        self.turn.is_some()
    }

    /// The writer has it from now on, as one of `jobs`.
    pub fn take_up(self, now: Instant, jobs: usize) -> (Work, Wait) {
        drop(self.queue);
        let span = tracing::info_span!(target: TRACE_TARGET, parent: &self.request, "store.commit", jobs);
        let queue = now.saturating_duration_since(self.queued_at);
        (self.work, Wait { queue, span, turn: self.turn })
    }
}

type Done<T> = (T, super::super::model::Revision, super::super::model::Epoch);

fn finish<T: Send + 'static>(
    done: Option<Done<T>>,
    reply: oneshot::Sender<Result<Written<T>, WriteError>>,
) -> Finish {
    Box::new(move |committed| {
        let answer = committed.and_then(|timings| {
            let (outcome, revision, epoch) = done.ok_or(WriteError::Closed)?;
            Ok(Written { outcome, revision, epoch, timings })
        });
        // Nobody listens any more when the request was cancelled.
        let _ = reply.send(answer);
    })
}
