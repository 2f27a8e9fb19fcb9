//! The store in PostgreSQL, for several replicas at once. Each has one task that writes, few connections that read, one
//! that follows the commits of all, and an index for search of its own.

mod backend;
mod connection;
mod delta;
mod document_queries;
mod documents;
mod error;
mod fact_queries;
mod facts;
mod job;
mod leader;
mod log;
#[cfg(test)]
mod measure;
mod open;
mod outcome;
mod pool;
mod position;
mod schema;
mod search;
mod search_follower;
mod search_index;
#[cfg(test)]
#[allow(dead_code, reason = "end-to-end tests use more of it")]
#[path = "../../../../../tests/src/postgres.rs"]
mod server;
mod state;
#[cfg(test)]
pub(in crate::store) mod testing;
#[cfg(test)]
mod tests;
mod text;
mod tls;
mod transaction;
mod writer;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::DropGuard;

pub use connection::{PostgresOptions, PostgresUrl};
pub use open::{OpenError, StoreTasks};

use super::backend::Written;
use super::error::WriteError;
use super::sqlite::READ_TIME_MAX;
use super::sweeper::Sweeper;
use connection::Connector;
use error::Error;
use facts::{Addition, AdditionDone};
use job::{Answer, Job};
use pool::Pool;
use search_index::SearchIndex;
use state::State;
use transaction::Transaction;

/// Batches under way at once, of all bulk requests together: those of one commit and those of the next. More wait.
const BATCHES_AT_ONCE: usize = 8;

/// The store; its tasks end when it is dropped.
pub struct PostgresStore {
    writes: mpsc::Sender<Job>,
    /// Point reads.
    reads: Arc<Pool>,
    /// Reads that look for something.
    search_reads: Arc<Pool>,
    /// Reads of the relay, which no number of requests holds up.
    relay_reads: Arc<Pool>,
    /// Reads of indexes that follow.
    follower_reads: Arc<Pool>,
    exports: Arc<Pool>,
    /// Frees the documents of deleted collections.
    sweeper: Sweeper,
    batches: Arc<Semaphore>,
    connector: Arc<Connector>,
    state: Arc<State>,
    index: SearchIndex,
    _stop: DropGuard,
}

impl PostgresStore {
    /// Hands `work` to the writer, which answers after the commit; refused at once when its queue is full.
    async fn write<T: Send + 'static>(
        &self,
        work: impl for<'a> FnOnce(&'a mut Transaction) -> BoxFuture<'a, Result<T, Error>> + Send + 'static,
    ) -> Result<Written<T>, WriteError> {
        let (job, answer) = Job::new(None, work);
        self.hand_over(job)?;
        answer.await.unwrap_or(Err(WriteError::Closed))
    }

    /// As [`Self::write`], for facts that are added.
    async fn write_addition<T: Send + 'static>(
        &self,
        addition: Addition,
        outcome: fn(&AdditionDone) -> T,
    ) -> Result<Written<T>, WriteError> {
        let (job, answer) = Job::adding(None, addition, outcome);
        self.hand_over(job)?;
        answer.await.unwrap_or(Err(WriteError::Closed))
    }

    fn hand_over(&self, job: Job) -> Result<(), WriteError> {
        self.writes.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => WriteError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => WriteError::Closed,
        })
    }

    /// Hands a batch over, made with its turn: it waits for that, and single jobs go first.
    async fn write_batch<T>(
        &self,
        job: impl FnOnce(tokio::sync::OwnedSemaphorePermit) -> (Job, Answer<T>),
    ) -> Result<Answer<T>, WriteError> {
        let turn = Arc::clone(&self.batches).acquire_owned().await.map_err(|_| WriteError::Closed)?;
        let (job, answer) = job(turn);
        self.writes.send(job).await.map_err(|_| WriteError::Closed)?;
        Ok(answer)
    }
}

/// Frees some of the documents of deleted collections, as a batch: posts go first. Replicas that do so together take
/// turns.
async fn sweep(writes: mpsc::WeakSender<Job>, batches: Arc<Semaphore>) -> Option<bool> {
    let turn = batches.acquire_owned().await.ok()?;
    let (job, answer) =
        Job::new(Some(turn), |transaction| Box::pin(documents::sweep(&mut transaction.connection)));
    writes.upgrade()?.send(job).await.ok()?;
    Some(answer.await.ok()?.ok()?.outcome)
}
