//! The one thread that writes. It owns the write connection, lets jobs that wait together share a commit, and answers
//! each after the commit.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chassis::telemetry::TRACE_TARGET;
use rusqlite::{Connection, ErrorCode};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tracing::Span;

use super::apply::{self, Added, BatchAdded, Position};
use super::checkpoint;
use super::metrics::StoreMetrics;
use super::model::{Epoch, NewFact, Origin, Revision, Snapshot, UnixMillis};
use crate::fail_point::{self, FailPoint};

/// Jobs that wait for the writer: a quarter of a second of single posts at the rate of one commit each. Beyond it a
/// post is refused (503) and a bulk request waits.
pub const QUEUE_JOBS: usize = 1024;

/// Single jobs that share a commit: more would make the first wait for the last without saving much of the commit.
const COMMIT_JOBS_MAX: usize = 256;

/// Facts in a batch, and so in one change of a bulk request.
pub const BATCH_FACTS_MAX: usize = 1000;

/// Batches that share a commit while nobody posts single facts: halves what is written to disk a fact, for the pages of
/// the hash index are dirtied again and again.
const COMMIT_BATCHES_MAX: usize = 4;

/// How long after a single job a batch is a commit of its own, so that the next post waits for one batch at most.
const POSTS_RECENT: Duration = Duration::from_secs(1);

/// Rows that one trim deletes, so that a post behind it waits for milliseconds only.
const TRIM_ROWS_MAX: u64 = 5000;

/// Where a write spent its time.
#[derive(Debug, Clone, Copy, Default)]
pub struct WriteTimings {
    /// From the request's hand to the writer's.
    pub queue: Duration,
    /// Statements of all jobs that share the commit.
    pub apply: Duration,
    /// The commit, with its flush to disk.
    pub commit: Duration,
}

/// The answer to a write: what became of it and the state after its commit.
#[derive(Debug, Clone)]
pub struct Written<T> {
    /// What became of it.
    pub outcome: T,
    /// The revision after this very job, not after others that shared its commit.
    pub revision: Revision,
    /// The epoch of that revision.
    pub epoch: Epoch,
    /// Where the time went.
    pub timings: WriteTimings,
}

/// Why a write did not happen; nothing of it is in the store.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WriteError {
    /// Too many wait already.
    #[error("the writer's queue is full")]
    Overloaded,
    /// The disk, or the size that the store may have, is used up.
    #[error("there is no space left for the store")]
    StorageFull,
    /// SQLite failed.
    #[error("the store could not write")]
    Failed(#[source] Arc<rusqlite::Error>),
    /// The store is closing.
    #[error("the store is closed")]
    Closed,
}

impl From<rusqlite::Error> for WriteError {
    fn from(error: rusqlite::Error) -> Self {
        if error.sqlite_error_code() == Some(ErrorCode::DiskFull) {
            Self::StorageFull
        } else {
            Self::Failed(Arc::new(error))
        }
    }
}

/// Where the answer to a job goes.
pub type Reply<T> = oneshot::Sender<Result<Written<T>, WriteError>>;

/// What the writer can do.
pub enum Work {
    /// Add one fact.
    Add(NewFact, Origin, Reply<Added>),
    /// Add the new ones of at most [`BATCH_FACTS_MAX`] facts as one change. The turn ends with the batch, whether or
    /// not anybody still waits for it.
    Batch(Vec<NewFact>, Origin, Reply<BatchAdded>, OwnedSemaphorePermit),
    /// Begin a new epoch.
    BeginEpoch(Reply<()>),
    /// Note that the stream `KB` exists for this store.
    StreamCreated(Reply<()>),
    /// Delete changes before a revision, a limited number; the answer says how many went.
    Trim(Revision, Reply<usize>),
}

/// Work, when it was handed over, and by which request.
pub struct Job {
    queued_at: Instant,
    work: Work,
    /// The span that was current where the job was made.
    request: Span,
    /// `store.queue`; ends when the writer takes the job up.
    queue: Span,
}

impl Job {
    /// A job of the current span.
    pub fn new(work: Work) -> Self {
        let request = Span::current();
        // Work of no request (the relay's) would make traces of its own that tell nothing.
        let queue = if request.is_none() {
            Span::none()
        } else {
            tracing::info_span!(target: TRACE_TARGET, "store.queue")
        };
        Self { queued_at: Instant::now(), work, request, queue }
    }
}

/// Sends a job's answer once its commit is known.
type Finish = Box<dyn FnOnce(Result<WriteTimings, WriteError>) + Send>;

/// The thread's state.
pub struct Writer {
    connection: Connection,
    position: Position,
    queue: mpsc::Receiver<Job>,
    /// Jobs taken from the queue that may share a commit; at most [`COMMIT_JOBS_MAX`].
    singles: VecDeque<Job>,
    /// Batches taken from the queue; the store admits only a few at once.
    batches: VecDeque<Job>,
    last_single: Option<Instant>,
    snapshot: watch::Sender<Snapshot>,
    metrics: StoreMetrics,
}

impl Writer {
    /// A writer over an open connection, and the state it finds.
    pub fn new(
        connection: Connection,
        queue: mpsc::Receiver<Job>,
        metrics: StoreMetrics,
    ) -> rusqlite::Result<(Self, watch::Receiver<Snapshot>)> {
        let position = Position::load(&connection)?;
        let (snapshot, receiver) = watch::channel(snapshot_of(&position));
        metrics.see(&receiver.borrow());
        let writer = Self {
            connection,
            position,
            queue,
            singles: VecDeque::with_capacity(COMMIT_JOBS_MAX),
            batches: VecDeque::new(),
            last_single: None,
            snapshot,
            metrics,
        };
        Ok((writer, receiver))
    }

    /// Works until the queue is closed and empty, then waits for the `others` that have the database open: SQLite
    /// removes its log where the connection that closes last is the one that writes.
    ///
    /// Single jobs go first, and while they come a batch is a commit of its own: a post waits for one batch at most.
    pub fn run(mut self, others: Vec<JoinHandle<()>>) {
        while self.take_waiting() {
            let singles: Vec<Job> = self.singles.drain(..).collect();
            if !singles.is_empty() {
                self.last_single = Some(Instant::now());
                self.commit(singles);
            }
            let posts = self.last_single.is_some_and(|last| last.elapsed() < POSTS_RECENT);
            let together = if posts { 1 } else { COMMIT_BATCHES_MAX };
            let batches: Vec<Job> = self.batches.drain(..self.batches.len().min(together)).collect();
            if !batches.is_empty() {
                self.commit(batches);
            }
        }
        // Cannot fail: the connection is this thread's own.
        let _ = checkpoint::unwatch_log(&mut self.connection);
        for thread in others {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
        if let Err((_, error)) = self.connection.close() {
            tracing::warn!(%error, "the write-ahead log stays as it is until the next start");
        }
    }

    /// Waits for a job when there is none, then takes what else waits. False when there will be no more.
    fn take_waiting(&mut self) -> bool {
        if self.singles.is_empty() && self.batches.is_empty() {
            match self.queue.blocking_recv() {
                Some(job) => self.sort(job),
                None => return false,
            }
        }
        while self.singles.len() < COMMIT_JOBS_MAX {
            match self.queue.try_recv() {
                Ok(job) => self.sort(job),
                Err(_) => break,
            }
        }
        self.metrics.queue_jobs.set(i64::try_from(self.queue.len()).unwrap_or(i64::MAX));
        true
    }

    fn sort(&mut self, job: Job) {
        match job.work {
            Work::Batch(..) => self.batches.push_back(job),
            _ => self.singles.push_back(job),
        }
    }

    /// Does all `jobs` in one transaction, then answers each. A failure fails them all and leaves no trace.
    fn commit(&mut self, jobs: Vec<Job>) {
        let before = self.position.clone();
        let started = Instant::now();
        let count = jobs.len();
        let mut waiting: Vec<(Duration, Span, Finish)> = Vec::with_capacity(count);
        let mut failure = self.connection.execute_batch("BEGIN IMMEDIATE").err();
        for job in jobs {
            drop(job.queue);
            let span =
                tracing::info_span!(target: TRACE_TARGET, parent: &job.request, "store.commit", jobs = count);
            let queue = started.saturating_duration_since(job.queued_at);
            let (finish, result) = self.apply(job.work, failure.is_some());
            failure = failure.or(result.err());
            waiting.push((queue, span, finish));
        }
        let apply = started.elapsed();
        let result = match failure {
            None => self.finish_transaction(&before),
            Some(error) => Err(error),
        };
        let commit = started.elapsed().saturating_sub(apply);
        let result = result.map_err(|error| {
            self.position = before;
            // Fails where the transaction never began or has ended itself.
            let _ = self.connection.execute_batch("ROLLBACK");
            tracing::error!(error = &error as &dyn std::error::Error, jobs = count, "a commit failed");
            WriteError::from(error)
        });
        if result.is_ok() {
            self.metrics.commit_seconds.observe(commit.as_secs_f64());
            #[allow(clippy::cast_precision_loss, reason = "at most a few hundred")]
            self.metrics.commit_jobs.observe(count as f64);
            // Readers of the snapshot must not see it later than the one who wrote.
            let snapshot = snapshot_of(&self.position);
            self.metrics.see(&snapshot);
            self.snapshot.send_if_modified(|last| {
                let changed = *last != snapshot;
                *last = snapshot;
                changed
            });
        }
        for (queue, span, finish) in waiting {
            // Its end belongs before the answer, or the request's span could end first.
            drop(span);
            finish(result.clone().map(|()| WriteTimings { queue, apply, commit }));
        }
    }

    fn finish_transaction(&self, before: &Position) -> rusqlite::Result<()> {
        if self.position.revision != before.revision
            || self.position.epoch != before.epoch
            || self.position.stream_created != before.stream_created
        {
            self.position.save(&self.connection)?;
            fail_point::reach(FailPoint::StoreMidCommit);
        }
        self.connection.execute_batch("COMMIT")
    }

    /// Does one job, unless another has `failed` already, and says how to answer it.
    fn apply(&mut self, work: Work, failed: bool) -> (Finish, rusqlite::Result<()>) {
        let now = UnixMillis::now();
        match work {
            Work::Add(fact, origin, reply) => self.do_one(reply, failed, |connection, position| {
                apply::add_one(connection, position, &fact, &origin, now)
            }),
            Work::Batch(facts, origin, reply, turn) => {
                let (finish, result) = self.do_one(reply, failed, |connection, position| {
                    apply::add_batch(connection, position, &facts, &origin, now)
                });
                let finish = move |committed| {
                    drop(turn);
                    finish(committed);
                };
                (Box::new(finish), result)
            }
            Work::BeginEpoch(reply) => self.do_one(reply, failed, |connection, position| {
                apply::begin_epoch(connection, position, Epoch::random())
            }),
            Work::StreamCreated(reply) => self.do_one(reply, failed, |_, position| {
                position.stream_created = true;
                Ok(())
            }),
            Work::Trim(keep_from, reply) => self.do_one(reply, failed, |connection, position| {
                apply::trim(connection, position, keep_from, TRIM_ROWS_MAX)
            }),
        }
    }

    fn do_one<T: Send + 'static>(
        &mut self,
        reply: Reply<T>,
        failed: bool,
        work: impl FnOnce(&Connection, &mut Position) -> rusqlite::Result<T>,
    ) -> (Finish, rusqlite::Result<()>) {
        let (outcome, result) = if failed {
            (None, Ok(()))
        } else {
            match work(&self.connection, &mut self.position) {
                Ok(outcome) => (Some(outcome), Ok(())),
                Err(error) => (None, Err(error)),
            }
        };
        let (revision, epoch) = (self.position.revision, self.position.epoch.clone());
        let finish: Finish = Box::new(move |committed| {
            let answer = committed.and_then(|timings| {
                let outcome = outcome.ok_or(WriteError::Closed)?;
                Ok(Written { outcome, revision, epoch, timings })
            });
            // Nobody listens any more when the request was cancelled.
            let _ = reply.send(answer);
        });
        (finish, result)
    }
}

fn snapshot_of(position: &Position) -> Snapshot {
    Snapshot {
        epoch: position.epoch.clone(),
        revision: position.revision,
        fact_count: position.fact_count,
        stream_created: position.stream_created,
    }
}
