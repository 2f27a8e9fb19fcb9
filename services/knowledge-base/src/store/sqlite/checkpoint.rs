//! Moves the write-ahead log into the database, on a thread of its own: no request and, in normal times, no commit
//! waits for it.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use rusqlite::{Connection, ErrorCode};

use super::schema;

/// Pages in the log from which moving them is worth a flush: 16 MiB. Pages that many commits change are moved once.
const LOG_PAGES_WORTHWHILE: i32 = 4 * 1024;

/// Pages in the log beyond which the writer itself moves the rest, which lets the log begin anew: 64 MiB. Under a bulk
/// load the thread alone never catches up, and the log would grow with the load.
const LOG_PAGES_MAX: i32 = 16 * 1024;

/// Makes the writer's commits wake `wake` when the log has grown, or work themselves when it has grown too far.
pub fn watch_log(writer: &mut Connection, wake: SyncSender<()>) -> rusqlite::Result<()> {
    writer.wal_hook(Some(move |log: &mut rusqlite::hooks::Wal, pages: i32| {
        if pages >= LOG_PAGES_MAX {
            tell(log.checkpoint());
        } else if pages >= LOG_PAGES_WORTHWHILE {
            // Full means that it is awake already.
            let _ = wake.try_send(());
        }
        Ok(())
    }))
}

/// Ends the thread that [`watch_log`] wakes.
pub fn unwatch_log(writer: &mut Connection) -> rusqlite::Result<()> {
    writer.wal_hook(None::<fn(&mut rusqlite::hooks::Wal, i32) -> rusqlite::Result<()>>)
}

/// The channel between the two; one message is enough to be awake.
pub fn channel() -> (SyncSender<()>, Receiver<()>) {
    sync_channel(1)
}

/// Works until the writer watches its log no more.
pub fn run(path: &Path, woken: &Receiver<()>) {
    let connection = match schema::open_checkpointer(path) {
        Ok(connection) => connection,
        Err(error) => {
            tracing::warn!(%error, "the writer moves the write-ahead log itself");
            return;
        }
    };
    while woken.recv().is_ok() {
        tell(connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", (), |_| Ok(())));
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
