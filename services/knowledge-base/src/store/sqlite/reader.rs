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
use super::{connections, read_error};
use crate::priority::Class;

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

/// The threads of one kind of read, and their queue.
#[derive(Debug, Clone, Copy)]
pub struct Pool {
    name: &'static str,
    /// How many.
    pub threads: usize,
    /// Reads that wait for a thread; what happens beyond it is up to who hands them over.
    pub waiting: usize,
    /// A read that takes longer is ended; `None` where it ends itself.
    time_max: Option<Duration>,
    class: Class,
}

/// Point reads that need more than a look-up: each is short and its pages are cached, so more threads than this help nobody.
/// At some 50 us each this is 3 ms of work; beyond it a read is refused (503).
pub const POINT: Pool =
    Pool { name: "kb-read", threads: 4, waiting: 256, time_max: Some(READ_TIME_MAX), class: Class::Serve };

/// What looks for something: searches, filtered lists, parts of the log. Each takes milliseconds of a core, so point reads have
/// threads of their own. Beyond it a read is refused (503).
pub const SEARCH: Pool = Pool { name: "kb-search", ..POINT };

/// For the relay: its reads are short, and publishing, telling and trimming have one under way each. Beyond it they wait
/// to wait.
pub const RELAY: Pool = Pool { name: "kb-relay", threads: 1, waiting: 4, ..POINT };

/// For what indexes follow: at a start several of them read all there is. Each has one read under way; beyond it they
/// wait to wait.
pub const FOLLOWER: Pool =
    Pool { name: "kb-delta", threads: 2, waiting: 4, time_max: None, class: Class::Follow };

/// Exports: each holds a thread for as long as its client takes. They wait for one no longer than [`READ_TIME_MAX`]; beyond it
/// one is refused (503).
pub const EXPORT: Pool = Pool { name: "kb-export", threads: 2, waiting: 8, ..FOLLOWER };

/// Starts the threads of a pool on a queue.
pub fn start(path: &Path, queue: mpsc::Receiver<Read>, pool: Pool) -> rusqlite::Result<Vec<JoinHandle<()>>> {
    // Protects the queue's end: the thread that holds it waits for the next read, the others wait for it.
    let queue = Arc::new(Mutex::new(queue));
    (0..pool.threads)
        .map(|_| {
            let connection = connections::open_reader(path)?;
            let queue = Arc::clone(&queue);
            Ok(super::open::thread(pool.name, move || run(connection, &queue, pool)))
        })
        .collect()
}

fn run(mut connection: Connection, queue: &Mutex<mpsc::Receiver<Read>>, pool: Pool) {
    pool.class.enter();
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
        let Some(read) = next else { return };
        if let Some(time_max) = pool.time_max {
            let end = Instant::now() + time_max;
            // Cannot fail: the connection is this thread's own.
            let _ = connection.progress_handler(INSTRUCTIONS_PER_LOOK, Some(move || Instant::now() > end));
        }
        read(&connection);
    }
}
