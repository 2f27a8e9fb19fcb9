//! The threads that read. Each owns a read-only connection and never meets the writer. Those for requests share one
//! bounded queue, and the relay has a thread and a queue of its own.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};
use tokio::sync::{mpsc, oneshot};

use super::model::{Epoch, Revision};
use super::{queries, schema};

/// Threads that read. A read is short and its pages are cached; more threads than this only help slow searches.
pub const READERS: usize = 4;

/// Reads that wait for a thread: at the 50 us of a look-up this is some 3 ms of work. Beyond it a read is refused
/// (503).
pub const QUEUE_READS: usize = 256;

/// Threads that read for the relay: its reads are short, and there are at most a few at once.
pub const RELAY_READERS: usize = 1;

/// Reads of the relay that wait: publishing, telling and trimming have one under way each. Beyond it they wait to wait.
pub const QUEUE_RELAY_READS: usize = 4;

/// A read that takes longer is ended, and one that has waited longer is not begun, so that a few bad queries cannot
/// take all readers.
pub const READ_TIME_MAX: Duration = Duration::from_secs(2);

/// SQLite's instructions between two looks at the clock: some 100 us.
const INSTRUCTIONS_PER_LOOK: i32 = 10_000;

/// Why a read gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Too many wait already.
    #[error("the readers' queue is full")]
    Overloaded,
    /// It took or waited longer than [`READ_TIME_MAX`].
    #[error("the read took too long")]
    TooSlow,
    /// SQLite failed.
    #[error("the store could not read")]
    Failed(#[source] rusqlite::Error),
    /// The store is closing.
    #[error("the store is closed")]
    Closed,
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) {
            Self::TooSlow
        } else {
            Self::Failed(error)
        }
    }
}

/// What a reader is asked to do.
pub type Read = Box<dyn FnOnce(&Connection) + Send>;

/// Where the answer to a read comes.
pub type Answer<T> = oneshot::Receiver<Result<(T, Epoch, Revision), ReadError>>;

/// `query` as work for a reader, in a transaction of its own; [`ReadError::TooSlow`] where its turn comes after
/// `latest`.
pub fn read<T: Send + 'static>(
    query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    latest: Option<Instant>,
) -> (Read, Answer<T>) {
    let (reply, answer) = oneshot::channel();
    let read = move |connection: &Connection| {
        // Who asked may be gone by now.
        if reply.is_closed() {
            return;
        }
        let late = latest.is_some_and(|latest| Instant::now() > latest);
        let result = if late { Err(ReadError::TooSlow) } else { Ok(()) };
        let _ = reply.send(result.and_then(|()| Ok(in_transaction(connection, query)?)));
    };
    (Box::new(read), answer)
}

fn in_transaction<T>(
    connection: &Connection,
    query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<(T, Epoch, Revision)> {
    let transaction = connection.unchecked_transaction()?;
    let (epoch, revision) = queries::position(&transaction)?;
    let value = query(&transaction)?;
    transaction.finish()?;
    Ok((value, epoch, revision))
}

/// Starts `readers` threads on a queue.
pub fn start(
    path: &Path,
    queue: mpsc::Receiver<Read>,
    readers: usize,
) -> rusqlite::Result<Vec<JoinHandle<()>>> {
    // Protects the queue's end: the thread that holds it waits for the next read, the others wait for it.
    let queue = Arc::new(Mutex::new(queue));
    (0..readers)
        .map(|_| {
            let connection = schema::open_reader(path)?;
            let queue = Arc::clone(&queue);
            Ok(super::thread("kb-reader", move || run(connection, &queue)))
        })
        .collect()
}

fn run(mut connection: Connection, queue: &Mutex<mpsc::Receiver<Read>>) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
        let Some(read) = next else { return };
        let end = Instant::now() + READ_TIME_MAX;
        // Cannot fail: the connection is this thread's own.
        let _ = connection.progress_handler(INSTRUCTIONS_PER_LOOK, Some(move || Instant::now() > end));
        read(&connection);
    }
}
