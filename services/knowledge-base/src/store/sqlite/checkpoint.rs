//! Moves the write-ahead log into the database. A thread of its own moves nearly all of it; the writer moves what was
//! committed meanwhile, which is little and lets the log begin anew. Pages that many commits change are moved once.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use rusqlite::hooks::Wal;
use rusqlite::{Connection, ErrorCode};

/// Pages in the log from which moving them is worth two flushes: 32 MiB.
const WORTHWHILE_PAGES: i32 = 8 * 1024;

/// Pages that the writer moves itself, in a few milliseconds: 2 MiB.
const REST_PAGES_MAX: i32 = 512;

/// How often the thread goes through the log before the writer moves the rest, however much it is. Under a bulk load
/// the thread alone never catches up.
const PASSES_MAX: u32 = 2;

/// Pages that the log grows by before the next try, where a reader held up a move or the new begin: 8 MiB.
const RETRY_PAGES: i32 = WORTHWHILE_PAGES / 4;

/// Pages in the log beyond which the writer does not wait for the thread: 128 MiB. Only a reader that holds up all moves
/// makes it longer.
const PAGES_MAX: i32 = 32 * 1024;

/// Stands for "the thread is at it" where the number of pages moved would stand.
const AT_IT: i32 = -1;

/// Makes the writer's commits wake the [`Mover`] when the log has grown.
///
/// # Errors
/// SQLite's.
pub fn watch_log(writer: &mut Connection) -> rusqlite::Result<Mover> {
    let (wake, woken) = sync_channel(1);
    let moved = Arc::new(AtomicI32::new(0));
    let mut log = Log { wake, moved: Arc::clone(&moved), last: 0, due: WORTHWHILE_PAGES, passes: 0 };
    writer.wal_hook(Some(move |wal: &mut Wal, pages: i32| {
        if log.grown_to(pages) {
            tell(wal.checkpoint());
        }
        Ok(())
    }))?;
    Ok(Mover { woken, moved })
}

/// Ends the [`Mover`] that [`watch_log`] gave.
///
/// # Errors
/// SQLite's.
pub fn unwatch_log(writer: &mut Connection) -> rusqlite::Result<()> {
    writer.wal_hook(None::<fn(&mut Wal, i32) -> rusqlite::Result<()>>)
}

/// Moves the log when the writer asks for it.
#[derive(Debug)]
pub struct Mover {
    woken: Receiver<()>,
    moved: Arc<AtomicI32>,
}

impl Mover {
    /// Works by `connection` until the writer watches its log no more.
    pub fn run(&self, connection: &Connection) {
        while self.woken.recv().is_ok() {
            let pages = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", (), |row| row.get(2));
            // None where it failed, and SQLite says -1 where the writer was at it.
            self.moved.store(pages.as_ref().map_or(0, |pages: &i32| (*pages).max(0)), Ordering::Release);
            tell(pages.map(drop));
        }
    }
}

/// The log as the writer knows it.
struct Log {
    wake: SyncSender<()>,
    /// Pages that the thread had moved when it was done, or [`AT_IT`].
    moved: Arc<AtomicI32>,
    /// Pages after the last commit.
    last: i32,
    /// Pages from which it is to be moved.
    due: i32,
    /// How often the thread went through it, 0 while nothing is to be done.
    passes: u32,
}

impl Log {
    /// After a commit that left `pages` in the log: whether the writer is to move them now.
    fn grown_to(&mut self, pages: i32) -> bool {
        if pages < self.last {
            self.rest_until(WORTHWHILE_PAGES);
        }
        self.last = pages;
        let moved = self.moved.load(Ordering::Acquire);
        if pages < self.due || moved == AT_IT {
            // Moves nothing where the thread is just moving, and helps where it has no core for it.
            return pages >= PAGES_MAX;
        }
        let is_rest = self.passes > 0 && pages - moved <= REST_PAGES_MAX;
        if is_rest || self.passes == PASSES_MAX || pages >= PAGES_MAX {
            self.rest_until(pages + RETRY_PAGES);
            return true;
        }
        self.moved.store(AT_IT, Ordering::Release);
        self.passes += 1;
        // The thread is gone where it has panicked.
        if self.wake.try_send(()).is_err() {
            self.moved.store(0, Ordering::Release);
            self.passes = PASSES_MAX;
        }
        false
    }

    fn rest_until(&mut self, pages: i32) {
        (self.due, self.passes) = (pages, 0);
    }
}

/// A move that failed is no failed commit, and the next one tries again. Busy means that the other of the two is at it.
fn tell(moved: rusqlite::Result<()>) {
    if let Err(error) = moved
        && error.sqlite_error_code() != Some(ErrorCode::DatabaseBusy)
    {
        tracing::warn!(%error, "the write-ahead log could not be moved into the database");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::connections;
    use super::*;
    use crate::testing::Directory;

    /// A log whose thread is played by the test.
    fn log() -> (Log, Mover) {
        let (wake, woken) = sync_channel(1);
        let moved = Arc::new(AtomicI32::new(0));
        let log = Log { wake, moved: Arc::clone(&moved), last: 0, due: WORTHWHILE_PAGES, passes: 0 };
        (log, Mover { woken, moved })
    }

    #[test]
    fn the_writer_moves_the_rest_once_the_thread_has_moved_nearly_all() {
        let (mut log, thread) = log();
        assert!(!log.grown_to(WORTHWHILE_PAGES - 1));
        assert!(thread.woken.try_recv().is_err(), "too early");
        assert!(!log.grown_to(WORTHWHILE_PAGES));
        assert!(thread.woken.try_recv().is_ok(), "it is due");
        assert!(!log.grown_to(WORTHWHILE_PAGES + 100), "the thread is at it");
        assert!(thread.woken.try_recv().is_err(), "once is enough");
        thread.moved.store(WORTHWHILE_PAGES, Ordering::Release);
        assert!(log.grown_to(WORTHWHILE_PAGES + 200), "the rest is small");
        assert!(!log.grown_to(50), "it began anew");
        assert!(!log.grown_to(WORTHWHILE_PAGES), "and is due again");
        assert!(thread.woken.try_recv().is_ok());
    }

    #[test]
    fn under_a_load_that_the_thread_cannot_follow_the_writer_moves_the_rest_after_the_second_pass() {
        let (mut log, thread) = log();
        let mut pages = WORTHWHILE_PAGES;
        for _ in 0..PASSES_MAX {
            assert!(!log.grown_to(pages));
            assert!(thread.woken.try_recv().is_ok());
            thread.moved.store(pages, Ordering::Release);
            pages += 10 * REST_PAGES_MAX;
        }
        assert!(log.grown_to(pages));
    }

    #[test]
    fn where_a_reader_holds_up_the_move_the_log_is_left_alone_for_a_while_and_never_grows_without_end() {
        let (mut log, thread) = log();
        assert!(!log.grown_to(WORTHWHILE_PAGES));
        thread.moved.store(WORTHWHILE_PAGES, Ordering::Release);
        assert!(log.grown_to(WORTHWHILE_PAGES + 1));
        assert!(thread.woken.try_recv().is_ok());
        assert!(!log.grown_to(WORTHWHILE_PAGES + 2), "not with each commit");
        assert!(thread.woken.try_recv().is_err());
        assert!(!log.grown_to(WORTHWHILE_PAGES + 1 + RETRY_PAGES));
        assert!(thread.woken.try_recv().is_ok(), "again after some more");
        assert!(log.grown_to(PAGES_MAX), "the thread is at it, but this is too much");
        thread.moved.store(WORTHWHILE_PAGES, Ordering::Release);
        assert!(log.grown_to(PAGES_MAX + 1), "no second pass of the thread is waited for");
    }

    #[test]
    fn a_pass_that_finds_the_log_busy_is_over_and_has_moved_nothing() {
        let directory = Directory::new();
        std::fs::create_dir_all(directory.path()).unwrap();
        let path = directory.path().join("log.sqlite");
        let writer = connections::open_writer(&path).unwrap();
        writer.execute_batch("CREATE TABLE t (x)").unwrap();
        // A checkpoint of all of the log waits for this reader, and meanwhile no other is let in.
        let reader = connections::open_reader(&path).unwrap();
        reader.execute_batch("BEGIN").unwrap();
        reader.query_row("SELECT count(*) FROM t", (), |_| Ok(())).unwrap();
        writer.execute_batch("INSERT INTO t VALUES (1)").unwrap();
        let all = connections::open_checkpointer(&path).unwrap();
        all.busy_timeout(Duration::from_secs(60)).unwrap();
        let (waker, woken) = sync_channel(1);
        let moved = Arc::new(AtomicI32::new(AT_IT));
        let thread = Mover { woken, moved: Arc::clone(&moved) };
        let is_busy = |row: &rusqlite::Row<'_>| row.get::<_, bool>(0);
        std::thread::scope(|scope| {
            // Refused at once where it meets one of those below.
            scope.spawn(move || while all.query_row("PRAGMA wal_checkpoint(FULL)", (), is_busy).unwrap() {});
            let connection = connections::open_checkpointer(&path).unwrap();
            while !connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", (), is_busy).unwrap() {
                std::thread::yield_now();
            }
            waker.send(()).unwrap();
            drop(waker);
            thread.run(&connection);
            reader.execute_batch("COMMIT").unwrap();
        });
        assert_eq!(moved.load(Ordering::Acquire), 0);
    }

    #[test]
    fn without_a_thread_the_writer_moves_the_log_itself() {
        let (mut log, thread) = log();
        drop(thread);
        assert!(!log.grown_to(WORTHWHILE_PAGES));
        assert!(log.grown_to(WORTHWHILE_PAGES + 1));
    }
}
