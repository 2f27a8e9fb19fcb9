//! The store: facts and the log of their changes in one SQLite database. One thread writes, a few read, one moves the
//! log; everybody else holds a [`Store`] and sends them work. Nothing here knows HTTP or NATS.

mod apply;
mod checkpoint;
mod metrics;
mod model;
mod queries;
mod reader;
mod schema;
#[cfg(test)]
mod tests;
mod writer;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chassis::telemetry::TRACE_TARGET;
use rusqlite::{Connection, ErrorCode};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tracing::Span;

pub use apply::{Added, BatchAdded};
pub use metrics::{
    METRIC_COMMIT_BATCH, METRIC_COMMIT_DURATION, METRIC_FACTS, METRIC_REVISION, METRIC_WRITER_QUEUE,
    StoreMetrics,
};
pub use model::{
    CONTEXT_BYTES_MAX, Change, Confidence, Context, Digest, Epoch, FactId, NewFact, Origin, Revision,
    Snapshot, StoredFact, UnixMillis, hex,
};
pub use queries::{Filter, Hit, SEARCH_WORDS_MAX, match_expression};
pub use reader::{READ_TIME_MAX, ReadError};
pub use schema::SchemaError;
pub use writer::{BATCH_FACTS_MAX, WriteError, WriteTimings, Written};

use writer::{Job, Reply, Work, Writer};

/// Name of the database in the data directory.
const DATABASE_FILE: &str = "facts.sqlite";

/// Name of the file that a process locks while it has the store open.
const LOCK_FILE: &str = "lock";

/// Batches under way at once, of all bulk requests together: those of one commit and those of the next. More wait.
const BATCHES_AT_ONCE: usize = 8;

/// Where the store is and how large it may be.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// The directory; made where it is missing.
    pub data_dir: PathBuf,
    /// Most bytes of the database; beyond it writes answer [`WriteError::StorageFull`]. `None` = the disk.
    pub size_bytes_max: Option<u64>,
}

/// Why the store cannot be opened. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory or the lock file cannot be made.
    #[error("data directory {path} cannot be used")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// The system's word.
        source: std::io::Error,
    },
    /// Another process has it open.
    #[error("data directory {0} is in use by another process; stop it or choose another with --data-dir")]
    InUse(PathBuf),
    /// Damaged, foreign, or newer than this program.
    #[error(
        "the store {path} cannot be opened; put back a backup, or move the file away to begin with an empty store"
    )]
    Unusable {
        /// The database.
        path: PathBuf,
        /// What is wrong with it.
        source: SchemaError,
    },
}

impl OpenError {
    /// Stable code of the reason.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Directory { .. } => "data_dir_unusable",
            Self::InUse(_) => "data_dir_in_use",
            Self::Unusable { .. } => "store_unusable",
        }
    }
}

/// A read's result and the state it was true in.
#[derive(Debug, Clone)]
pub struct Seen<T> {
    /// What was asked.
    pub value: T,
    /// The revision that the read saw.
    pub revision: Revision,
    /// Its epoch.
    pub epoch: Epoch,
    /// Waiting and reading.
    pub elapsed: Duration,
}

/// A batch that the writer has; it is added even when nobody waits for the answer.
pub struct SentBatch {
    answer: oneshot::Receiver<Result<Written<BatchAdded>, WriteError>>,
}

impl SentBatch {
    /// What became of it, after its commit.
    ///
    /// # Errors
    /// [`WriteError`], never [`WriteError::Overloaded`].
    pub async fn written(self) -> Result<Written<BatchAdded>, WriteError> {
        self.answer.await.unwrap_or(Err(WriteError::Closed))
    }
}

/// The store. Cheap to clone; its threads end when the last clone is gone.
#[derive(Clone)]
pub struct Store {
    writes: mpsc::Sender<Job>,
    reads: mpsc::Sender<reader::Read>,
    /// Reads of the relay, which no number of requests holds up.
    relay_reads: mpsc::Sender<reader::Read>,
    batches: Arc<Semaphore>,
    snapshot: watch::Receiver<Snapshot>,
}

/// The store's threads, of which the writer's is the last to end; [`StoreThreads::join`] waits for that.
pub struct StoreThreads(JoinHandle<()>);

impl StoreThreads {
    /// Blocks until all clones of the store are gone, the last commit is done and the log is moved.
    pub fn join(self) {
        // A thread that panicked has said so.
        let _ = self.0.join();
    }
}

impl Store {
    /// Opens the store, makes it where there is none, and starts its threads. Blocks for as long as SQLite takes to
    /// recover its log.
    ///
    /// # Errors
    /// [`OpenError`] when the directory is in use or cannot be used, or the database is damaged.
    pub fn open(options: &StoreOptions, metrics: StoreMetrics) -> Result<(Self, StoreThreads), OpenError> {
        let lock = lock(&options.data_dir)?;
        let path = options.data_dir.join(DATABASE_FILE);
        let unusable = |source| OpenError::Unusable { path: path.clone(), source };
        let new_epoch = Epoch::random();
        let mut connection =
            schema::open_writer(&path, new_epoch.as_str(), options.size_bytes_max).map_err(unusable)?;
        let (wake, woken) = checkpoint::channel();
        let sqlite = |error: rusqlite::Error| unusable(SchemaError::Sqlite(error));
        checkpoint::watch_log(&mut connection, wake).map_err(sqlite)?;
        let (writes, write_queue) = mpsc::channel(writer::QUEUE_JOBS);
        let (writer, snapshot) = Writer::new(connection, write_queue, metrics).map_err(sqlite)?;
        let (reads, read_queue) = mpsc::channel(reader::QUEUE_READS);
        let mut others = reader::start(&path, read_queue, reader::READERS).map_err(sqlite)?;
        let (relay_reads, relay_queue) = mpsc::channel(reader::QUEUE_RELAY_READS);
        others.extend(reader::start(&path, relay_queue, reader::RELAY_READERS).map_err(sqlite)?);
        others.push(thread("kb-checkpoint", move || checkpoint::run(&path, &woken)));
        let writing = thread("kb-writer", move || {
            writer.run(others);
            // Held until the last connection is closed.
            drop(lock);
        });
        let batches = Arc::new(Semaphore::new(BATCHES_AT_ONCE));
        Ok((Self { writes, reads, relay_reads, batches, snapshot }, StoreThreads(writing)))
    }

    /// The state after the last commit, at once.
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot.borrow().clone()
    }

    /// Follows the state.
    pub fn watch(&self) -> watch::Receiver<Snapshot> {
        self.snapshot.clone()
    }

    /// Waits until a thread that others need is gone, which is a fault while this store is held.
    pub async fn failed(&self) {
        tokio::select! {
            () = self.writes.closed() => {}
            () = self.reads.closed() => {}
            () = self.relay_reads.closed() => {}
        }
    }

    /// Adds a fact; answered after the commit.
    ///
    /// # Errors
    /// [`WriteError`]; [`WriteError::Overloaded`] at once when the queue is full.
    pub async fn add(&self, fact: NewFact, origin: Origin) -> Result<Written<Added>, WriteError> {
        self.submit(|reply| Work::Add(fact, origin, reply)).await
    }

    /// Adds the new ones of at most [`BATCH_FACTS_MAX`] facts as one change.
    ///
    /// # Errors
    /// [`WriteError`], never [`WriteError::Overloaded`].
    pub async fn add_batch(
        &self,
        facts: Vec<NewFact>,
        origin: Origin,
    ) -> Result<Written<BatchAdded>, WriteError> {
        self.send_batch(facts, origin).await?.written().await
    }

    /// Hands a batch over as [`Self::add_batch`] does, waiting for its turn when there are many, and not for its
    /// commit: batches are added in the order in which they were handed over.
    ///
    /// # Errors
    /// [`WriteError::Closed`].
    pub async fn send_batch(&self, facts: Vec<NewFact>, origin: Origin) -> Result<SentBatch, WriteError> {
        debug_assert!(facts.len() <= BATCH_FACTS_MAX);
        let turn = Arc::clone(&self.batches).acquire_owned().await.map_err(|_| WriteError::Closed)?;
        let (reply, answer) = oneshot::channel();
        let job = Job::new(Work::Batch(facts, origin, reply, turn));
        self.writes.send(job).await.map_err(|_| WriteError::Closed)?;
        Ok(SentBatch { answer })
    }

    /// Begins a new epoch: the stream and the store have no common history any more.
    pub async fn begin_epoch(&self) -> Result<Written<()>, WriteError> {
        self.submit(Work::BeginEpoch).await
    }

    /// Notes that the stream `KB` exists for this store.
    pub async fn note_stream_created(&self) -> Result<Written<()>, WriteError> {
        self.submit(Work::StreamCreated).await
    }

    /// Deletes some of the changes before `keep_from`, oldest first, never the newest; says how many went.
    pub async fn trim_changes(&self, keep_from: Revision) -> Result<Written<usize>, WriteError> {
        self.submit(|reply| Work::Trim(keep_from, reply)).await
    }

    /// The fact of that number.
    pub async fn fact(&self, id: FactId) -> Result<Seen<Option<StoredFact>>, ReadError> {
        self.read(move |connection| queries::fact(connection, id)).await
    }

    /// At most `limit` facts after the number `after`, in the order of their numbers.
    pub async fn list(
        &self,
        filter: Filter,
        after: FactId,
        limit: usize,
    ) -> Result<Seen<Vec<StoredFact>>, ReadError> {
        self.read(move |connection| queries::list(connection, &filter, after, limit)).await
    }

    /// The best facts for an expression of [`match_expression`].
    pub async fn search(
        &self,
        expression: String,
        min_confidence: Option<Confidence>,
        limit: usize,
    ) -> Result<Seen<Vec<Hit>>, ReadError> {
        self.read(move |connection| queries::search(connection, &expression, min_confidence, limit)).await
    }

    /// For each fact, whether the store has it.
    pub async fn known(&self, facts: Vec<NewFact>) -> Result<Seen<Vec<bool>>, ReadError> {
        self.read(move |connection| queries::known(connection, &facts)).await
    }

    /// Changes from `from` on, at most `rows_max`, and no more once `bytes_max` is reached.
    pub async fn changes(
        &self,
        from: Revision,
        rows_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Change>, ReadError> {
        self.read_for_relay(move |connection| queries::changes(connection, from, rows_max, bytes_max)).await
    }

    /// The digest of the change `revision`, while its row is kept.
    pub async fn digest(&self, revision: Revision) -> Result<Option<Digest>, ReadError> {
        self.read_for_relay(move |connection| queries::digest(connection, revision)).await
    }

    /// The oldest change that is kept from `from` on, and when it was committed.
    pub async fn oldest_change(&self, from: Revision) -> Result<Option<(Revision, UnixMillis)>, ReadError> {
        self.read_for_relay(move |connection| queries::oldest_change(connection, from)).await
    }

    /// The last change before `from` that was committed before `moment`, as far as some thousand of the oldest tell.
    pub async fn last_change_before(
        &self,
        from: Revision,
        moment: UnixMillis,
    ) -> Result<Option<Revision>, ReadError> {
        self.read_for_relay(move |connection| queries::last_change_before(connection, from, moment)).await
    }

    async fn submit<T>(&self, work: impl FnOnce(Reply<T>) -> Work) -> Result<Written<T>, WriteError> {
        let (reply, answer) = oneshot::channel();
        let job = Job::new(work(reply));
        self.writes.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => WriteError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => WriteError::Closed,
        })?;
        answer.await.unwrap_or(Err(WriteError::Closed))
    }

    /// Runs `query` in a read transaction of its own, for a request.
    async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<Seen<T>, ReadError> {
        let started = Instant::now();
        let span = if Span::current().is_none() {
            Span::none()
        } else {
            tracing::info_span!(target: TRACE_TARGET, "store.read")
        };
        let (read, answer) = reader::read(query, Some(started + READ_TIME_MAX));
        self.reads.try_send(read).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => ReadError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => ReadError::Closed,
        })?;
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

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    let started = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    started.expect("the system starts a thread at start")
}

/// Makes the directory and locks it for this process.
fn lock(data_dir: &Path) -> Result<File, OpenError> {
    let directory = |source| OpenError::Directory { path: data_dir.to_owned(), source };
    std::fs::create_dir_all(data_dir).map_err(directory)?;
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(data_dir.join(LOCK_FILE))
        .map_err(directory)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(data_dir.to_owned())),
        Err(TryLockError::Error(error)) => Err(directory(error)),
    }
}

/// Whether SQLite says that the file itself is damaged.
pub fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}
