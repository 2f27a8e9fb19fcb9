//! The store in one SQLite database of this process. One thread writes at a time (another one where it is a load), a few read,
//! one moves the log; everybody else sends them work.

mod backend;
pub mod checkpoint;
pub mod connections;
mod delta;
mod document_queries;
mod documents;
mod fact_queries;
mod facts;
pub(in crate::store) mod fts;
mod job;
mod log;
mod look_up;
mod maintenance;
mod open;
mod position;
mod reader;
mod schema;
#[cfg(test)]
mod tests;
mod wal;
mod writer;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use chassis::telemetry::TRACE_TARGET;
use rusqlite::{Connection, ErrorCode, ffi};
use tokio::sync::{Semaphore, mpsc, watch};
use tracing::Span;

pub use maintenance::{SqliteMaintenance, Verdict};
pub(in crate::store) use open::lock;
pub use open::{OpenError, SqliteOptions};
pub use reader::READ_TIME_MAX;
pub use schema::SchemaError;
pub(in crate::store) use schema::damage;

use super::backend::{Seen, Written};
use super::error::{ReadError, WriteError};
use super::model::Snapshot;
use super::sweeper::Sweeper;
use job::Job;
use look_up::LookUps;
use position::Position;

/// Batches under way at once, of all bulk requests together: those of one commit and those of the next. More wait.
const BATCHES_AT_ONCE: usize = 8;

/// The store; its threads end when it is dropped.
pub struct SqliteStore {
    /// Dropped before `writes`, with which the writer ends: the connection that writes must be closed last.
    look_ups: LookUps,
    writes: mpsc::Sender<Job>,
    /// Point reads.
    reads: mpsc::Sender<reader::Read>,
    /// Reads that look for something.
    search_reads: mpsc::Sender<reader::Read>,
    /// Reads of the relay, which no number of requests holds up.
    relay_reads: mpsc::Sender<reader::Read>,
    /// Reads of indexes that follow.
    follower_reads: mpsc::Sender<reader::Read>,
    exports: mpsc::Sender<reader::Read>,
    /// Frees the documents of deleted collections.
    sweeper: Sweeper,
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
        work: impl Fn(&Connection, &mut Position) -> rusqlite::Result<T> + Send + 'static,
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
        work: impl Fn(&Connection, &mut Position) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<job::Answer<T>, WriteError> {
        let turn = Arc::clone(&self.batches).acquire_owned().await.map_err(|_| WriteError::Closed)?;
        let (job, answer) = Job::new(Some(turn), work);
        self.writes.send(job).await.map_err(|_| WriteError::Closed)?;
        Ok(answer)
    }

    /// Runs `query`, which finds one row by its number or key, in a read transaction of its own: here where a connection
    /// is free, else as [`Self::read`].
    async fn look_up<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<Seen<T>, ReadError> {
        let started = Instant::now();
        if let Some(connection) = self.look_ups.free() {
            let _span = read_span().entered();
            let (value, epoch, revision) = reader::in_transaction(&connection, query).map_err(read_error)?;
            return Ok(Seen { value, revision, epoch, elapsed: started.elapsed() });
        }
        self.read(query).await
    }

    /// Runs `query` in a read transaction of its own, for a request that wants known rows.
    async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<Seen<T>, ReadError> {
        Self::read_in(&self.reads, query).await
    }

    /// As [`Self::read`], for a request that looks for something.
    async fn look<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<Seen<T>, ReadError> {
        Self::read_in(&self.search_reads, query).await
    }

    async fn read_in<T: Send + 'static>(
        pool: &mpsc::Sender<reader::Read>,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<Seen<T>, ReadError> {
        let started = Instant::now();
        let span = read_span();
        let (read, answer) = reader::read(query, Some(started + READ_TIME_MAX));
        pool.try_send(read).map_err(|error| refused(&error))?;
        let (value, epoch, revision) = answer.await.map_err(|_| ReadError::Closed)??;
        drop(span);
        Ok(Seen { value, revision, epoch, elapsed: started.elapsed() })
    }

    /// Runs `query` as [`Self::read`] does, for the relay.
    async fn read_for_relay<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, ReadError> {
        Ok(Self::read_patiently(&self.relay_reads, query).await?.value)
    }

    /// Runs `query` for a part of this service: it waits for its turn among few, and is never refused.
    async fn read_patiently<T: Send + 'static>(
        pool: &mpsc::Sender<reader::Read>,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<Seen<T>, ReadError> {
        let started = Instant::now();
        let (read, answer) = reader::read(query, None);
        pool.send(read).await.map_err(|_| ReadError::Closed)?;
        let (value, epoch, revision) = answer.await.map_err(|_| ReadError::Closed)??;
        Ok(Seen { value, revision, epoch, elapsed: started.elapsed() })
    }
}

/// The span of a read, within that of a request.
fn read_span() -> Span {
    if Span::current().is_none() {
        return Span::none();
    }
    tracing::info_span!(target: TRACE_TARGET, "store.read")
}

/// Frees some of the documents of deleted collections, as a batch: posts go first.
async fn sweep(writes: mpsc::WeakSender<Job>, batches: Arc<Semaphore>) -> Option<bool> {
    let turn = batches.acquire_owned().await.ok()?;
    let (job, answer) = Job::new(Some(turn), |connection, _| documents::sweep(connection));
    writes.upgrade()?.send(job).await.ok()?;
    Some(answer.await.ok()?.ok()?.outcome)
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
    if is_full(&error) { WriteError::StorageFull } else { WriteError::Failed(Arc::new(error)) }
}

/// Whether SQLite found no space. The index of its log has a code of its own for that.
fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
        || error.sqlite_error().is_some_and(|error| error.extended_code == ffi::SQLITE_IOERR_SHMSIZE)
}

/// Whether SQLite says that the file itself is damaged.
fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}
