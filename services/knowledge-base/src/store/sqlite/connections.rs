//! How each connection to the file is set up. The bench opens its own by the same.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

/// Page cache of the writer, KiB: holds the inner pages and the hot leaves of a million facts. No more, for SQLite looks at
/// every page of the cache at the end of each transaction that split a page, and nearly all do: with 64 MiB that was a
/// sixth of the writer's time. What a transaction has written stays beyond it until the commit.
const WRITER_CACHE_KIB: i64 = 8 * 1024;

/// Page cache of each reader, KiB.
const READER_CACHE_KIB: i64 = 8 * 1024;

/// Longest wait for a lock of SQLite's own: only a checkpoint that resets the log takes one that others wait for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Prepared statements kept by a connection; there are fewer than that in the source.
const STATEMENTS_CACHED: usize = 64;

/// Sets up a connection that may do anything, but not how it writes: that is for [`set_up_writes`].
pub(super) fn set_up_writer(connection: &Connection) -> rusqlite::Result<()> {
    set_up(connection, WRITER_CACHE_KIB)
}

/// Makes commits wait for the disk, and write each page to the log once.
pub(super) fn set_up_writes(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    // A page that is written to the log before the commit may be written there once more.
    connection.pragma_update(None, "cache_spill", false)
}

/// Opens a connection that writes to a file that has its tables.
///
/// # Errors
/// SQLite's.
pub fn open_writer(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    set_up_writer(&connection)?;
    set_up_writes(&connection)?;
    Ok(connection)
}

/// Opens a connection that can only read.
///
/// # Errors
/// SQLite's.
pub fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    set_up(&connection, READER_CACHE_KIB)?;
    Ok(connection)
}

/// Opens a connection that only moves the write-ahead log into the database.
///
/// # Errors
/// SQLite's.
pub fn open_checkpointer(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    set_up(&connection, READER_CACHE_KIB)?;
    connection.pragma_update(None, "synchronous", "full")?;
    Ok(connection)
}

fn set_up(connection: &Connection, cache_kib: i64) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    // A sort or an undo that outgrows its cache would want a folder for temporary files, which a pod does not have.
    connection.pragma_update(None, "temp_store", "memory")?;
    // Checkpoints have their own thread; see `checkpoint.rs`.
    connection.query_row("PRAGMA wal_autocheckpoint = 0", (), |_| Ok(()))
}
