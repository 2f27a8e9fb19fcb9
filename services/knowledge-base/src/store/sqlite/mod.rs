//! The store in one SQLite database of this process. One thread writes, a few read, one moves the log; everybody else
//! sends them work.

mod backend;
mod checkpoint;
mod delta;
mod document_queries;
mod documents;
mod fact_queries;
mod facts;
pub(in crate::store) mod fts;
mod log;
mod maintenance;
mod open;
mod position;
mod reader;
mod schema;
#[cfg(test)]
mod tests;
mod writer;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chassis::telemetry::TRACE_TARGET;
use rusqlite::{Connection, ErrorCode};
use tokio::sync::{Semaphore, mpsc, watch};
use tracing::Span;

pub use maintenance::{SqliteMaintenance, Verdict};
pub(in crate::store) use open::lock;
pub use open::{OpenError, SqliteOptions};
pub use reader::READ_TIME_MAX;
pub use schema::SchemaError;

use super::backend::{Seen, Written};
use super::error::{ReadError, WriteError};
use super::model::Snapshot;
use position::Position;
use writer::Job;

/// Batches under way at once, of all bulk requests together: those of one commit and those of the next. More wait.
const BATCHES_AT_ONCE: usize = 8;

/// Pause between two steps of freeing the documents of a deleted collection, so that posts come in between.
const SWEEP_INTERVAL: Duration = Duration::from_millis(20);

/// The store; its threads end when it is dropped.
pub struct SqliteStore {
    writes: mpsc::Sender<Job>,
    reads: mpsc::Sender<reader::Read>,
    /// Reads of the relay, which no number of requests holds up.
    relay_reads: mpsc::Sender<reader::Read>,
    /// Reads that take long, behind which no point read waits.
    heavy_reads: mpsc::Sender<reader::Read>,
    batches: Arc<Semaphore>,
    snapshot: watch::Receiver<Snapshot>,
}

/// The store's threads, of which the writer's is the last to end; [`StoreThreads::join`] waits for that.
pub struct StoreThreads(JoinHandle<()>);

impl StoreThreads {
    /// Blocks until the store is dropped everywhere, the last commit is done and the log is moved.
    pub fn join(self) {
        // A thread that panicked has said so.
        let _ = self.0.join();
    }
}

impl SqliteStore {
    /// Hands `work` to the writer, which answers after the commit; refused at once when its queue is full.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection, &mut Position) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<Written<T>, WriteError> {
        let (job, answer) = Job::new(None, work);
        self.writes.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => WriteError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => WriteError::Closed,
        })?;
        answer.await.unwrap_or(Err(WriteError::Closed))
    }

    /// As [`Self::write`], as a batch: it waits for its turn, and single jobs go first.
    async fn write_batch<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection, &mut Position) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<writer::Answer<T>, WriteError> {
        let turn = Arc::clone(&self.batches).acquire_owned().await.map_err(|_| WriteError::Closed)?;
        let (job, answer) = Job::new(Some(turn), work);
        self.writes.send(job).await.map_err(|_| WriteError::Closed)?;
        Ok(answer)
    }

    /// Runs `query` in a read transaction of its own, for a request.
    async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<Seen<T>, ReadError> {
        Self::read_in(&self.reads, Some(READ_TIME_MAX), query).await
    }

    /// As [`Self::read`], on the threads for what takes long.
    async fn read_heavy<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<Seen<T>, ReadError> {
        Self::read_in(&self.heavy_reads, None, query).await
    }

    async fn read_in<T: Send + 'static>(
        pool: &mpsc::Sender<reader::Read>,
        time_max: Option<Duration>,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<Seen<T>, ReadError> {
        let started = Instant::now();
        let span = if Span::current().is_none() {
            Span::none()
        } else {
            tracing::info_span!(target: TRACE_TARGET, "store.read")
        };
        let (read, answer) = reader::read(query, time_max.map(|time_max| started + time_max));
        pool.try_send(read).map_err(|error| refused(&error))?;
        let (value, epoch, revision) = answer.await.map_err(|_| ReadError::Closed)??;
        drop(span);
        Ok(Seen { value, revision, epoch, elapsed: started.elapsed() })
    }

    /// Runs `query` as [`Self::read`] does, for the relay: waits for its turn among few, and is never refused.
    async fn read_for_relay<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, ReadError> {
        let (read, answer) = reader::read(query, None);
        self.relay_reads.send(read).await.map_err(|_| ReadError::Closed)?;
        let (value, _, _) = answer.await.map_err(|_| ReadError::Closed)??;
        Ok(value)
    }
}

/// Frees the documents of deleted collections, bit by bit, for as long as the writer is there.
fn spawn_sweeper(writes: mpsc::WeakSender<Job>) {
    tokio::spawn(async move {
        while let Some(writes) = writes.upgrade() {
            let (job, answer) = Job::new(None, |connection, _| documents::sweep(connection));
            if writes.send(job).await.is_err() {
                return;
            }
            drop(writes);
            // What failed has been logged; the rest goes with the next deletion or start.
            if !matches!(answer.await, Ok(Ok(Written { outcome: true, .. }))) {
                return;
            }
            tokio::time::sleep(SWEEP_INTERVAL).await;
        }
    });
}

fn refused(error: &mpsc::error::TrySendError<reader::Read>) -> ReadError {
    match error {
        mpsc::error::TrySendError::Full(_) => ReadError::Overloaded,
        mpsc::error::TrySendError::Closed(_) => ReadError::Closed,
    }
}

fn read_error(error: rusqlite::Error) -> ReadError {
    if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) {
        ReadError::TooSlow
    } else if is_damage(&error) {
        ReadError::Damaged(Arc::new(error))
    } else {
        ReadError::Failed(Arc::new(error))
    }
}

fn write_error(error: rusqlite::Error) -> WriteError {
    if error.sqlite_error_code() == Some(ErrorCode::DiskFull) {
        WriteError::StorageFull
    } else {
        WriteError::Failed(Arc::new(error))
    }
}

/// Whether SQLite says that the file itself is damaged.
fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}
