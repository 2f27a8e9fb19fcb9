//! Opening the store: one process at a time, the tables brought up to date, the threads started.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{Semaphore, mpsc};

use super::super::metrics::StoreMetrics;
use super::super::model::Epoch;
use super::super::sweeper::Sweeper;
use super::look_up::LookUps;
use super::reader::Pool;
use super::schema::SchemaError;
use super::writer::{self, Writer};
use super::{
    BATCHES_AT_ONCE, SqliteStore, StoreThreads, checkpoint, connections, is_full, reader, schema, sweep, wal,
};
use crate::priority::Class;

/// Name of the database in the data directory.
pub const DATABASE_FILE: &str = "facts.sqlite";

/// Name of the file that a process locks while it has the store open.
const LOCK_FILE: &str = "lock";

/// Where the store is and how large it may be.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// The directory; made where it is missing.
    pub data_dir: PathBuf,
    /// Most bytes of the database; beyond it writes answer [`super::WriteError::StorageFull`]. `None` = the disk.
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
        source: io::Error,
    },
    /// Another process has it open.
    #[error("data directory {0} is in use by another process; stop it or choose another with --data-dir")]
    InUse(PathBuf),
    /// Damaged, foreign, or newer than this program.
    #[error(
        "the store {path} cannot be opened; put back a backup with `bywash-knowledge-base restore --from FILE`, or move \
         the files {file}* away to begin with an empty store",
        file = path.display()
    )]
    Unusable {
        /// The database.
        path: PathBuf,
        /// What is wrong with it.
        source: SchemaError,
    },
    /// Nothing can be written.
    #[error("there is no space left for the store {0}; make some and start again")]
    NoSpace(PathBuf),
}

impl OpenError {
    fn of(path: &Path, source: SchemaError) -> Self {
        let path = path.to_owned();
        match source {
            SchemaError::Sqlite(error) if is_full(&error) => Self::NoSpace(path),
            SchemaError::Io(error) if error.kind() == ErrorKind::StorageFull => Self::NoSpace(path),
            source => Self::Unusable { path, source },
        }
    }

    /// Stable code of the reason.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Directory { .. } => "data_dir_unusable",
            Self::InUse(_) => "data_dir_in_use",
            Self::Unusable { .. } => "store_unusable",
            Self::NoSpace(_) => "storage_full",
        }
    }
}

impl SqliteStore {
    /// Opens the store, makes it where there is none, and starts its threads. Blocks for as long as SQLite takes to
    /// recover its log. Needs a Tokio runtime around it.
    ///
    /// # Errors
    /// [`OpenError`] when the directory is in use or cannot be used, or the database is damaged.
    pub fn open(options: &SqliteOptions, metrics: StoreMetrics) -> Result<(Self, StoreThreads), OpenError> {
        let lock = lock(&options.data_dir)?;
        let path = options.data_dir.join(DATABASE_FILE);
        let unusable = |source| OpenError::of(&path, source);
        let epoch = Epoch::random();
        look(&path, epoch.as_str()).map_err(unusable)?;
        let mut connection =
            schema::open_writer(&path, epoch.as_str(), options.size_bytes_max).map_err(unusable)?;
        let sqlite = |error: rusqlite::Error| unusable(SchemaError::Sqlite(error));
        let mover = checkpoint::watch_log(&mut connection).map_err(sqlite)?;
        let (writes, write_queue) = mpsc::channel(writer::QUEUE_JOBS);
        let (writer, snapshot) = Writer::new(connection, write_queue, metrics).map_err(sqlite)?;
        let mut others: Vec<JoinHandle<()>> = Vec::new();
        let mut start = |pool: Pool| {
            let (sender, queue) = mpsc::channel(pool.waiting);
            others.extend(reader::start(&path, queue, pool).map_err(sqlite)?);
            Ok(sender)
        };
        let reads = start(reader::POINT)?;
        let search_reads = start(reader::SEARCH)?;
        let relay_reads = start(reader::RELAY)?;
        let follower_reads = start(reader::FOLLOWER)?;
        let exports = start(reader::EXPORT)?;
        let look_ups = LookUps::open(&path).map_err(sqlite)?;
        let log = connections::open_checkpointer(&path).map_err(sqlite)?;
        others.push(thread("kb-checkpoint", move || {
            Class::Follow.enter();
            mover.run(&log);
        }));
        let writing = thread("kb-writer", move || {
            writer.run(others);
            // Held until the last connection is closed.
            drop(lock);
        });
        let batches = Arc::new(Semaphore::new(BATCHES_AT_ONCE));
        let sweeper = {
            let (writes, batches) = (writes.downgrade(), Arc::clone(&batches));
            Sweeper::start(move || sweep(writes.clone(), Arc::clone(&batches)))
        };
        let store = Self {
            look_ups,
            writes,
            reads,
            search_reads,
            relay_reads,
            follower_reads,
            exports,
            sweeper,
            batches,
            snapshot,
        };
        Ok((store, StoreThreads(writing)))
    }
}

/// Makes an empty store where there is none, and looks for damage that SQLite passes over: it takes an empty file for a
/// new database, and a damaged log for a short one.
fn look(path: &Path, epoch: &str) -> Result<(), SchemaError> {
    let log = with_end(path, "-wal");
    let damage = match length(path)? {
        Some(0) => Some("it is empty".to_owned()),
        Some(_) => wal::damage(&log)?,
        None if length(&log)?.is_some_and(|length| length > 0) => {
            Some("it is missing, and its write-ahead log is there".to_owned())
        }
        None => return begin(path, epoch),
    };
    damage.map_or(Ok(()), |damage| Err(SchemaError::Damaged(damage)))
}

/// Bytes of a file; `None` where there is none.
fn length(path: &Path) -> io::Result<Option<u64>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.len())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes an empty store, as a whole: a process that dies over it leaves nothing that bears the store's name.
fn begin(path: &Path, epoch: &str) -> Result<(), SchemaError> {
    let beginning = path.with_extension("beginning");
    for end in ["", "-wal", "-shm", "-journal"] {
        let left = with_end(&beginning, end);
        if left.exists() {
            fs::remove_file(left)?;
        }
    }
    close_as_one_file(schema::open_writer(&beginning, epoch, None)?)?;
    fs::rename(&beginning, path)?;
    // The name is on disk when the directory is.
    Ok(path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())?)
}

/// Moves the log into the database and removes it.
pub fn close_as_one_file(connection: Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "delete")?;
    connection.close().map_err(|(_, error)| error)
}

/// A file beside the database: SQLite names its own by such ends.
pub fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

pub fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    let started = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    started.expect("the system starts a thread at start")
}

/// Makes the directory and locks it for this process.
pub fn lock(data_dir: &Path) -> Result<File, OpenError> {
    let directory = |source| OpenError::Directory { path: data_dir.to_owned(), source };
    fs::create_dir_all(data_dir).map_err(directory)?;
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
