//! The threads that read. Each owns a read-only connection and never meets the writer. Each
//! kind of read has threads and a bounded queue of its own, so that none waits behind a longer one.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::super::error::ReadError;
use super::super::model::{Epoch, Revision};
use super::{read_error, schema};

/// Threads for point reads: one is short and its pages are cached, so more threads than this help nobody.
pub const READERS: usize = 4;

/// Reads of a kind that wait for a thread: at the 50 us of a look-up this is some 3 ms of work. Beyond it a read is
/// refused (503).
pub const QUEUE_READS: usize = 256;

/// Threads that look for something: searches, filtered lists, parts of the log. Each takes milliseconds of a core, so
/// point reads have threads of their own.
pub const SEARCHERS: usize = 4;

/// Threads that read for the relay: its reads are short, and there are at most a few at once.
pub const RELAY_READERS: usize = 1;

/// Reads of the relay that wait: publishing, telling and trimming have one under way each. Beyond it they wait to wait.
pub const QUEUE_RELAY_READS: usize = 4;

/// Threads for what indexes follow: at a start several of them read all there is.
pub const FOLLOWER_READERS: usize = 2;

/// Reads of indexes that wait: each index has one under way. Beyond it they wait to wait.
pub const QUEUE_FOLLOWER_READS: usize = 4;

/// Exports at once: each holds a thread for as long as its client takes.
pub const EXPORTERS: usize = 2;

/// Exports that wait for a thread, no longer than [`READ_TIME_MAX`]; beyond it one is refused (503).
pub const QUEUE_EXPORTS: usize = 8;

/// A read that takes longer is ended, and one that has waited longer is not begun, so that a few bad queries cannot
/// take all readers.
pub const READ_TIME_MAX: Duration = Duration::from_secs(2);

/// SQLite's instructions between two looks at the clock: some 100 us.
const INSTRUCTIONS_PER_LOOK: i32 = 10_000;

/// What a reader is asked to do.
pub type Read = Box<dyn FnOnce(&Connection) + Send>;

/// Where the answer to a read comes.
pub type Answer<T> = oneshot::Receiver<Result<(T, Epoch, Revision), ReadError>>;

/// `query` as work for a reader, in a transaction of its own; [`ReadError::Overloaded`] where its turn comes after
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
        let result = if late { Err(ReadError::Overloaded) } else { Ok(()) };
        let _ = reply.send(result.and_then(|()| in_transaction(connection, query).map_err(read_error)));
    };
    (Box::new(read), answer)
}

/// Runs `query` in a transaction, with the epoch and revision that it sees.
pub fn in_transaction<T>(
    connection: &Connection,
    query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<(T, Epoch, Revision)> {
    let transaction = connection.unchecked_transaction()?;
    let (epoch, revision) = super::position::seen(&transaction)?;
    let value = query(&transaction)?;
    transaction.finish()?;
    Ok((value, epoch, revision))
}

/// Threads of one kind.
#[derive(Debug, Clone, Copy)]
pub struct Pool {
    /// How many.
    pub threads: usize,
    /// A read that takes longer is ended; `None` where it ends itself.
    pub time_max: Option<Duration>,
}

/// Starts the threads of a pool on a queue.
pub fn start(path: &Path, queue: mpsc::Receiver<Read>, pool: Pool) -> rusqlite::Result<Vec<JoinHandle<()>>> {
    // Protects the queue's end: the thread that holds it waits for the next read, the others wait for it.
    let queue = Arc::new(Mutex::new(queue));
    (0..pool.threads)
        .map(|_| {
            let connection = schema::open_reader(path)?;
            let queue = Arc::clone(&queue);
            Ok(super::open::thread("kb-reader", move || run(connection, &queue, pool.time_max)))
        })
        .collect()
}

fn run(mut connection: Connection, queue: &Mutex<mpsc::Receiver<Read>>, time_max: Option<Duration>) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
        let Some(read) = next else { return };
        if let Some(time_max) = time_max {
            let end = Instant::now() + time_max;
            // Cannot fail: the connection is this thread's own.
            let _ = connection.progress_handler(INSTRUCTIONS_PER_LOOK, Some(move || Instant::now() > end));
        }
        read(&connection);
    }
}
