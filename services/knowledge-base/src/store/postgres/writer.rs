//! The one task of this replica that writes. Jobs that wait together share a commit, and each is answered after it.
//! Other replicas have one too; who holds the counter writes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::super::backend::WriteTimings;
use super::super::error::WriteError;
use super::super::metrics::StoreMetrics;
use super::connection::{Connection, Connector, Session};
use super::error::{Error, Meaning};
use super::facts::{self, Addition, AdditionDone};
use super::job::{Finish, Job, Work};
use super::outcome::{Outcome, find_out};
use super::position::Position;
use super::state::State;
use super::transaction::Transaction;
use crate::fail_point::{self, FailPoint};

/// Jobs that wait for the writer: some tenths of a second of single posts. Beyond it a post is refused (503) and a bulk
/// request waits.
pub const QUEUE_JOBS: usize = 1024;

/// Single jobs that share a commit: more would make the first wait for the last without saving much of the commit.
const COMMIT_JOBS_MAX: usize = 256;

/// Batches that share a commit while nobody posts single facts.
const COMMIT_BATCHES_MAX: usize = 4;

/// How long after a single job a batch is a commit of its own, so that the next post waits for one batch at most.
const POSTS_RECENT: Duration = Duration::from_secs(1);

/// The writer's session. The server ends it after three seconds in mid-transaction without a statement, so a replica
/// that is frozen or cut off holds the counter no longer than that; who waits for the counter waits for five.
pub const SESSION: Session = Session {
    statement_time_max: Duration::from_secs(10),
    settings: "-c lock_timeout=5000 -c idle_in_transaction_session_timeout=3000",
};

/// Makes commits durable where the server's default is that they are not.
const DURABLE: &str = "SELECT set_config('synchronous_commit', 'on', false)
                       WHERE current_setting('synchronous_commit') = 'off'";

/// The task's state.
pub struct Writer {
    connector: Arc<Connector>,
    /// Between two commits; `None` before the first and after a failure.
    connection: Option<Connection>,
    queue: mpsc::Receiver<Job>,
    /// Jobs taken from the queue that may share a commit; at most [`COMMIT_JOBS_MAX`].
    singles: VecDeque<Job>,
    /// Batches taken from the queue; the store admits only a few at once.
    batches: VecDeque<Job>,
    last_single: Option<Instant>,
    state: Arc<State>,
    metrics: StoreMetrics,
}

impl Writer {
    /// A writer that connects with its first job.
    pub fn new(
        connector: Arc<Connector>,
        queue: mpsc::Receiver<Job>,
        state: Arc<State>,
        metrics: StoreMetrics,
    ) -> Self {
        Self {
            connector,
            connection: None,
            queue,
            singles: VecDeque::with_capacity(COMMIT_JOBS_MAX),
            batches: VecDeque::new(),
            last_single: None,
            state,
            metrics,
        }
    }

    /// Works until the queue is closed and empty.
    ///
    /// Single jobs go first, and while they come a batch is a commit of its own: a post waits for one batch at most.
    pub async fn run(mut self) {
        while self.take_waiting().await {
            let singles: Vec<Job> = self.singles.drain(..).collect();
            if !singles.is_empty() {
                self.last_single = Some(Instant::now());
                self.commit(singles).await;
            }
            let posts = self.last_single.is_some_and(|last| last.elapsed() < POSTS_RECENT);
            let together = if posts { 1 } else { COMMIT_BATCHES_MAX };
            let batches: Vec<Job> = self.batches.drain(..self.batches.len().min(together)).collect();
            if !batches.is_empty() {
                self.commit(batches).await;
            }
        }
    }

    /// Waits for a job when there is none, then takes what else waits. False when there will be no more.
    async fn take_waiting(&mut self) -> bool {
        if self.singles.is_empty() && self.batches.is_empty() {
            match self.queue.recv().await {
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

    /// Does all `jobs` in one transaction, then answers each. A failure fails them all and leaves no trace.
    async fn commit(&mut self, jobs: Vec<Job>) {
        let started = Instant::now();
        let count = jobs.len();
        let (mut waiting, mut works) = (Vec::with_capacity(count), VecDeque::with_capacity(count));
        for job in jobs {
            let (work, wait) = job.take_up(started, count);
            works.push_back(work);
            waiting.push(wait);
        }
        let mut finishes = Vec::with_capacity(count);
        let applied = self.apply(works, &mut finishes).await;
        let apply = started.elapsed();
        let result = match applied {
            Ok(transaction) => self.end(transaction).await,
            Err(error) => Err(refused(error, count)),
        };
        let commit = started.elapsed().saturating_sub(apply);
        if result.is_ok() {
            self.metrics.commit_seconds.observe(commit.as_secs_f64());
            #[allow(clippy::cast_precision_loss, reason = "at most a few hundred")]
            self.metrics.commit_jobs.observe(count as f64);
        }
        for (wait, finish) in waiting.into_iter().zip(finishes) {
            let queue = wait.end();
            finish(result.clone().map(|()| WriteTimings { queue, apply, commit }));
        }
    }

    /// Runs all `works` in a transaction; each of them leaves how it is answered, also where an earlier one failed.
    async fn apply(
        &mut self,
        mut works: VecDeque<Work>,
        finishes: &mut Vec<Finish>,
    ) -> Result<Transaction, Error> {
        let mut transaction = self.begin().await;
        while let Some(work) = works.pop_front() {
            match work {
                Work::Other(apply) => {
                    let (finish, result) = apply(transaction.as_mut().ok()).await;
                    finishes.push(finish);
                    if let Err(error) = result {
                        transaction = self.abandon(transaction, error).await;
                    }
                }
                Work::Add(addition, answer) => {
                    // Neighbours go to the database together: a round trip for each would be most of the time.
                    let (mut additions, mut answers) = (vec![addition], vec![answer]);
                    while let Some(Work::Add(..)) = works.front() {
                        if let Some(Work::Add(addition, answer)) = works.pop_front() {
                            additions.push(addition);
                            answers.push(answer);
                        }
                    }
                    let done = add(transaction.as_mut().ok(), &additions).await;
                    let mut done = match done {
                        Ok(done) => done.into_iter(),
                        Err(error) => {
                            transaction = self.abandon(transaction, error).await;
                            Vec::new().into_iter()
                        }
                    };
                    finishes.extend(answers.into_iter().map(|answer| answer(done.next())));
                }
            }
        }
        let mut transaction = transaction?;
        match transaction.write_down().await {
            Ok(()) => Ok(transaction),
            Err(error) => self.abandon(Ok(transaction), error).await,
        }
    }

    async fn begin(&mut self) -> Result<Transaction, Error> {
        let connection = match self.connection.take().filter(|connection| !connection.is_closed()) {
            Some(connection) => connection,
            None => {
                let mut connection = self.connector.connect(SESSION).await?;
                connection.query(DURABLE, &[]).await?;
                connection
            }
        };
        Transaction::begin(connection).await
    }

    /// Takes all of a transaction back. Nothing of it was committed, whether or not the database still hears this.
    async fn abandon(
        &mut self,
        transaction: Result<Transaction, Error>,
        error: Error,
    ) -> Result<Transaction, Error> {
        let transaction = transaction?;
        if error.meaning() != Meaning::Away && transaction.connection.run("ROLLBACK").await.is_ok() {
            self.connection = Some(transaction.connection);
        }
        Err(error)
    }

    /// Commits, and tells the new state before anybody is answered.
    async fn end(&mut self, transaction: Transaction) -> Result<(), WriteError> {
        let (moved, revised) = (transaction.has_moved(), transaction.is_revised());
        if moved {
            fail_point::reach(FailPoint::StoreMidCommit);
        }
        let Transaction { connection, position, .. } = transaction;
        match connection.run("COMMIT").await {
            Ok(()) => {
                self.connection = Some(connection);
                self.state.see(&position);
                Ok(())
            }
            Err(error) if moved && error.meaning() == Meaning::Away => {
                drop(connection);
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a commit was cut off; looking what became of it"
                );
                self.look(&position, revised).await
            }
            Err(error) => Err(refused(error, 1)),
        }
    }

    /// A commit without an answer may be done or not: only the database knows.
    async fn look(&mut self, position: &Position, revised: bool) -> Result<(), WriteError> {
        match find_out(&self.connector, position, revised).await {
            Outcome::Committed => {
                self.state.see(position);
                Ok(())
            }
            Outcome::NotCommitted => Err(WriteError::Unavailable),
            Outcome::Unknown => {
                tracing::error!(revision = position.revision.0, "it is not known whether a commit was made");
                Err(WriteError::OutcomeUnknown)
            }
        }
    }
}

async fn add(
    transaction: Option<&mut Transaction>,
    additions: &[Addition],
) -> Result<Vec<AdditionDone>, Error> {
    match transaction {
        Some(transaction) => facts::add(transaction, additions).await,
        None => Ok(Vec::new()),
    }
}

fn refused(error: Error, jobs: usize) -> WriteError {
    // That the database is away is told once, by who connects.
    if !matches!(error, Error::Away) {
        tracing::error!(error = &error as &dyn std::error::Error, jobs, "a commit failed");
    }
    error.into()
}
