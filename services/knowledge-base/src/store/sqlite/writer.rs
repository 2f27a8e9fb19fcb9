//! Who writes, on one thread at a time. It owns the write connection, lets jobs that wait together share a commit, and answers
//! each after the commit.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use super::super::metrics::StoreMetrics;
use super::super::model::Snapshot;
use super::checkpoint;
use super::job::{Job, Reply, UnderWay};
use super::open::thread;
use super::position::Position;
use super::{is_full, write_error};
use crate::fail_point::{self, FailPoint};
use crate::priority::Class;

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

/// Jobs of one commit that may fail each for itself; with more the fault is likely not theirs, and each costs the others
/// another attempt.
const FAILURES_ALONE_MAX: usize = 4;

/// Why a transaction is not committed.
struct Failed {
    error: rusqlite::Error,
    /// The job that it was, where it was one.
    job: Option<usize>,
}

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
    snapshot: Arc<watch::Sender<Snapshot>>,
    metrics: StoreMetrics,
    /// Where those who wait for answers are woken.
    runtime: Handle,
}

impl Writer {
    /// A writer over an open connection, and the state it finds. Needs a Tokio runtime around it.
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
            snapshot: Arc::new(snapshot),
            metrics,
            runtime: Handle::current(),
        };
        Ok((writer, receiver))
    }

    /// Works until the queue is closed and empty, then waits for the `others` that have the database open: SQLite
    /// removes its log where the connection that closes last is the one that writes.
    ///
    /// Single jobs go first, and while they come a batch is a commit of its own: a post waits for one batch at most.
    /// While none come, batches are committed on a thread behind those that serve, to which the writer goes over meanwhile: it
    /// would keep a core from them for milliseconds at a time.
    pub fn run(mut self, others: Vec<JoinHandle<()>>) {
        let (over, coming) = std::sync::mpsc::sync_channel::<(Self, Vec<Job>)>(0);
        let (back, returned) = std::sync::mpsc::sync_channel(0);
        let behind = thread("kb-writer-bulk", move || {
            Class::Follow.enter();
            for (mut writer, batches) in coming {
                writer.commit(batches);
                if back.send(writer).is_err() {
                    return;
                }
            }
        });
        while self.take_waiting() {
            let singles: Vec<Job> = self.singles.drain(..).collect();
            if !singles.is_empty() {
                self.last_single = Some(Instant::now());
                self.commit(singles);
            }
            let posts = self.last_single.is_some_and(|last| last.elapsed() < POSTS_RECENT);
            let together = if posts { 1 } else { COMMIT_BATCHES_MAX };
            let batches: Vec<Job> = self.batches.drain(..self.batches.len().min(together)).collect();
            if batches.is_empty() {
                continue;
            }
            if posts {
                self.commit(batches);
            } else {
                // Fails where that thread has panicked, which ends this one as a panic here would.
                over.send((self, batches)).expect("the thread for batches waits");
                self = returned.recv().expect("the thread for batches gives the writer back");
            }
        }
        drop(over);
        // A thread that panicked has said so.
        let _ = behind.join();
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
        if job.is_batch() {
            self.batches.push_back(job);
        } else {
            self.singles.push_back(job);
        }
    }

    /// Does all `jobs` in one transaction, then answers each. A job that fails leaves no trace and is answered at once,
    /// and the others are done again without it.
    fn commit(&mut self, jobs: Vec<Job>) {
        let started = Instant::now();
        let count = jobs.len();
        let mut jobs: Vec<UnderWay> = jobs.into_iter().map(|job| job.take_up(started, count)).collect();
        let before = self.position.clone();
        let mut failures_left = FAILURES_ALONE_MAX;
        let result = loop {
            let Failed { error, job } = match self.transact(started, &before, &mut jobs) {
                Ok(times) => break Ok(times),
                Err(failed) => failed,
            };
            self.position = before.clone();
            // Fails where the transaction never began or has ended itself.
            let _ = self.connection.execute_batch("ROLLBACK");
            match job.filter(|_| failures_left > 0 && !is_full(&error)) {
                Some(job) => {
                    failures_left -= 1;
                    self.tell_failure(&error, 1);
                    jobs.remove(job).conclude(Err(write_error(error))).tell();
                }
                None => {
                    self.tell_failure(&error, jobs.len());
                    break Err(write_error(error));
                }
            }
        };
        if let Ok((_, commit)) = result {
            if self.position != before && std::mem::take(&mut self.is_full) {
                tracing::info!("there is space for the store again");
            }
            self.metrics.commit_seconds.observe(commit.as_secs_f64());
            #[allow(clippy::cast_precision_loss, reason = "at most a few hundred")]
            self.metrics.commit_jobs.observe(jobs.len() as f64);
        }
        // Readers of the snapshot must not see it later than the one who wrote.
        let is_news = self.set_snapshot();
        let replies: Vec<Reply> = jobs.into_iter().map(|job| job.conclude(result.clone())).collect();
        let snapshot = Arc::clone(&self.snapshot);
        // One wake-up for all of them, and for those who follow the store after them: each that this thread does itself costs
        // a call, and often its core.
        self.runtime.spawn(async move {
            for reply in replies {
                reply.tell();
            }
            if is_news {
                snapshot.send_modify(|_| {});
            }
        });
    }

    /// Lets others see the state that was committed, and wakes nobody; whether it is another one than before.
    fn set_snapshot(&self) -> bool {
        let snapshot = snapshot_of(&self.position);
        if *self.snapshot.borrow() == snapshot {
            return false;
        }
        self.metrics.see(&snapshot);
        self.snapshot.send_if_modified(|last| {
            *last = snapshot;
            false
        });
        true
    }

    /// Does all jobs in one transaction and commits it: how long that took since `started`, and the commit.
    fn transact(
        &mut self,
        started: Instant,
        before: &Position,
        jobs: &mut [UnderWay],
    ) -> Result<(Duration, Duration), Failed> {
        let of_all = |error| Failed { error, job: None };
        self.connection.execute_batch("BEGIN IMMEDIATE").map_err(of_all)?;
        for (number, job) in jobs.iter_mut().enumerate() {
            let applied = job.apply(&self.connection, &mut self.position);
            applied.map_err(|error| Failed { error, job: Some(number) })?;
        }
        let apply = started.elapsed();
        self.finish_transaction(before).map_err(of_all)?;
        Ok((apply, started.elapsed().saturating_sub(apply)))
    }

    /// Logs a failure. A full disk may fail hundreds of commits a second: it is told when it begins and when it is over.
    fn tell_failure(&mut self, error: &rusqlite::Error, jobs: usize) {
        if !is_full(error) {
            tracing::error!(error = error as &dyn std::error::Error, jobs, "a write failed");
        } else if !std::mem::replace(&mut self.is_full, true) {
            tracing::error!("there is no space left for the store: writes are refused until there is");
        }
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
