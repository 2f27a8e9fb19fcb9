//! The one thread that writes. It owns the write connection, lets jobs that wait together share a commit, and answers
//! each after the commit.

use std::collections::VecDeque;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chassis::telemetry::TRACE_TARGET;
use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tracing::Span;

use super::super::backend::{WriteTimings, Written};
use super::super::error::WriteError;
use super::super::metrics::StoreMetrics;
use super::super::model::Snapshot;
use super::checkpoint;
use super::position::Position;
use super::{is_full, write_error};
use crate::fail_point::{self, FailPoint};

/// Jobs that wait for the writer: a quarter of a second of single posts at the rate of one commit each. Beyond it a
/// post is refused (503) and a bulk request waits.
pub const QUEUE_JOBS: usize = 1024;

/// Single jobs that share a commit: more would make the first wait for the last without saving much of the commit.
const COMMIT_JOBS_MAX: usize = 256;

/// Batches that share a commit while nobody posts single facts: halves what is written to disk a fact, for the pages of
/// the hash index are dirtied again and again.
const COMMIT_BATCHES_MAX: usize = 4;

/// How long after a single job a batch is a commit of its own, so that the next post waits for one batch at most.
const POSTS_RECENT: Duration = Duration::from_secs(1);

/// Where the answer to a job comes.
pub type Answer<T> = oneshot::Receiver<Result<Written<T>, WriteError>>;

/// Work inside a transaction, unless that has failed already; says how to answer it.
type Apply = Box<dyn FnOnce(Option<(&Connection, &mut Position)>) -> (Finish, rusqlite::Result<()>) + Send>;

/// Work for the writer, when it was handed over, and by which request.
pub struct Job {
    queued_at: Instant,
    apply: Apply,
    /// A batch's turn among the batches; it ends with the commit, whether or not anybody still waits for it.
    turn: Option<OwnedSemaphorePermit>,
    /// The span that was current where the job was made.
    request: Span,
    /// `store.queue`; ends when the writer takes the job up.
    queue: Span,
}

impl Job {
    /// A job of the current span; with a `turn` it is a batch.
    pub fn new<T: Send + 'static>(
        turn: Option<OwnedSemaphorePermit>,
        work: impl FnOnce(&Connection, &mut Position) -> rusqlite::Result<T> + Send + 'static,
    ) -> (Self, Answer<T>) {
        let request = Span::current();
        // Work of no request (the relay's) would make traces of its own that tell nothing.
        let queue = if request.is_none() {
            Span::none()
        } else {
            tracing::info_span!(target: TRACE_TARGET, "store.queue")
        };
        let (reply, answer) = oneshot::channel();
        let apply: Apply = Box::new(move |transaction| apply_one(transaction, work, reply));
        (Self { queued_at: Instant::now(), apply, turn, request, queue }, answer)
    }
}

fn apply_one<T: Send + 'static>(
    transaction: Option<(&Connection, &mut Position)>,
    work: impl FnOnce(&Connection, &mut Position) -> rusqlite::Result<T>,
    reply: oneshot::Sender<Result<Written<T>, WriteError>>,
) -> (Finish, rusqlite::Result<()>) {
    let (done, result) = match transaction {
        None => (None, Ok(())),
        Some((connection, position)) => match work(connection, position) {
            Ok(outcome) => (Some((outcome, position.revision, position.epoch.clone())), Ok(())),
            Err(error) => (None, Err(error)),
        },
    };
    let finish: Finish = Box::new(move |committed| {
        let answer = committed.and_then(|timings| {
            let (outcome, revision, epoch) = done.ok_or(WriteError::Closed)?;
            Ok(Written { outcome, revision, epoch, timings })
        });
        // Nobody listens any more when the request was cancelled.
        let _ = reply.send(answer);
    });
    (finish, result)
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
    /// Whether the last commit that failed did so for want of space.
    is_full: bool,
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
            is_full: false,
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
        if job.turn.is_some() {
            self.batches.push_back(job);
        } else {
            self.singles.push_back(job);
        }
    }

    /// Does all `jobs` in one transaction, then answers each. One that fails leaves no trace, and only a failure of the
    /// transaction fails them all.
    fn commit(&mut self, jobs: Vec<Job>) {
        let before = self.position.clone();
        let started = Instant::now();
        let count = jobs.len();
        let mut waiting = Vec::with_capacity(count);
        let mut failure = self.connection.execute_batch("BEGIN IMMEDIATE").err();
        for job in jobs {
            drop(job.queue);
            let span =
                tracing::info_span!(target: TRACE_TARGET, parent: &job.request, "store.commit", jobs = count);
            let queue = started.saturating_duration_since(job.queued_at);
            let finish = match &failure {
                None => self.apply(job.apply, &mut failure),
                Some(_) => (job.apply)(None).0,
            };
            waiting.push((queue, span, job.turn, finish));
        }
        let apply = started.elapsed();
        let result = match failure {
            None => self.finish_transaction(&before),
            Some(error) => Err(error),
        };
        let commit = started.elapsed().saturating_sub(apply);
        let changed = self.position != before;
        let result = result.map_err(|error| {
            self.position = before;
            // Fails where the transaction never began or has ended itself.
            let _ = self.connection.execute_batch("ROLLBACK");
            self.tell_failure(&error, count);
            write_error(error)
        });
        if result.is_ok() {
            if changed && std::mem::take(&mut self.is_full) {
                tracing::info!("there is space for the store again");
            }
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
        for (queue, span, turn, finish) in waiting {
            // Its end belongs before the answer, or the request's span could end first.
            drop(span);
            drop(turn);
            finish(result.clone().map(|()| WriteTimings { queue, apply, commit }));
        }
    }

    /// Does one job in the transaction. What it failed with is its answer, or the `failure` of all where the transaction
    /// is over with it.
    fn apply(&mut self, apply: Apply, failure: &mut Option<rusqlite::Error>) -> Finish {
        let before = self.position.clone();
        let begun = self.execute("SAVEPOINT job");
        let transaction = begun.is_ok().then_some((&self.connection, &mut self.position));
        let (finish, result) = apply(transaction);
        let done = begun.and(result).and_then(|()| self.execute("RELEASE job"));
        let Err(error) = done else { return finish };
        self.position = before;
        // SQLite itself ends the transaction with some errors, such as that of a full disk.
        let undo = || self.execute("ROLLBACK TO job").and_then(|()| self.execute("RELEASE job"));
        if self.connection.is_autocommit() || undo().is_err() {
            *failure = Some(error);
            return finish;
        }
        self.tell_failure(&error, 1);
        let error = write_error(error);
        Box::new(move |committed| finish(committed.and(Err(error))))
    }

    /// Logs a failure. A full disk may fail hundreds of commits a second: it is told when it begins and when it is over.
    fn tell_failure(&mut self, error: &rusqlite::Error, jobs: usize) {
        if !is_full(error) {
            tracing::error!(error = error as &dyn std::error::Error, jobs, "a write failed");
        } else if !std::mem::replace(&mut self.is_full, true) {
            tracing::error!("there is no space left for the store: writes are refused until there is");
        }
    }

    fn execute(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute(()).map(drop)
    }

    fn finish_transaction(&self, before: &Position) -> rusqlite::Result<()> {
        if self.position != *before {
            self.position.save(&self.connection)?;
            fail_point::reach(FailPoint::StoreMidCommit);
        }
        self.connection.execute_batch("COMMIT")
    }
}

fn snapshot_of(position: &Position) -> Snapshot {
    Snapshot {
        epoch: position.epoch.clone(),
        revision: position.revision,
        fact_count: position.fact_count,
        document_count: position.document_count,
        stream_created: position.stream_created,
    }
}
