//! The tables and their versions. No reading or writing of facts here.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::connections;

/// Marks the file as Bywash's own ("BYWA"), so that another program's database is never written to.
const APPLICATION_ID: i32 = 0x4259_5741;

/// Statements that lead from each version to the next; the version is kept in `user_version`.
///
/// - `facts.statement` is unique. `statements` says so with 64 bits of its hash, a quarter of the size of an index on
///   the text; equal hashes are told apart by the text itself.
/// - `fact_entities` finds facts by an argument. It is an inverted index over hashes of the arguments, because FTS5
///   writes such lists in order, while a B-tree on (entity, id) dirties a page for nearly every row of a bulk load.
/// - `changes` is what the relay publishes; `revision` has no holes. `digest` covers the row and all rows before it.
/// - `meta` has one row; readers take `epoch` and `revision` from it inside their own transaction.
/// - `removed` tells the indexes that follow which rows are gone (`collection_id` 0 = facts); it is kept for ever.
/// - `swept` names deleted collections whose documents are still to be freed.
/// - Numbers of facts, documents and collections are never given twice, so `meta` keeps the next ones.
///
/// Append only: a version that ever was committed stays as it is.
pub const MIGRATIONS: [&str; 2] = [
    "
    CREATE TABLE meta (
        only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
        epoch TEXT NOT NULL,
        revision INTEGER NOT NULL,
        fact_count INTEGER NOT NULL,
        stream_created INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE facts (
        id INTEGER PRIMARY KEY,
        statement TEXT NOT NULL,
        predicate TEXT NOT NULL,
        negated INTEGER NOT NULL,
        context TEXT NOT NULL,
        confidence REAL NOT NULL,
        created_at_ms INTEGER NOT NULL,
        revision INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX facts_by_predicate ON facts (predicate);
    CREATE INDEX facts_by_revision ON facts (revision);
    CREATE TABLE statements (
        hash INTEGER NOT NULL,
        fact_id INTEGER NOT NULL,
        PRIMARY KEY (hash, fact_id)
    ) STRICT, WITHOUT ROWID;
    CREATE VIRTUAL TABLE fact_text USING fts5 (
        statement, content = 'facts', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2'
    );
    CREATE VIRTUAL TABLE fact_entities USING fts5 (
        entities, content = '', columnsize = 0, detail = none, tokenize = 'ascii'
    );
    CREATE TABLE changes (
        revision INTEGER PRIMARY KEY,
        type TEXT NOT NULL,
        body BLOB NOT NULL,
        traceparent TEXT,
        created_at_ms INTEGER NOT NULL,
        digest BLOB NOT NULL
    ) STRICT;
    CREATE TABLE audit (
        id INTEGER PRIMARY KEY,
        revision INTEGER NOT NULL,
        actor TEXT NOT NULL,
        action TEXT NOT NULL,
        created_at_ms INTEGER NOT NULL
    ) STRICT;
",
    "
    ALTER TABLE meta ADD COLUMN next_fact INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE meta ADD COLUMN document_count INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE meta ADD COLUMN next_document INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE meta ADD COLUMN next_collection INTEGER NOT NULL DEFAULT 1;
    UPDATE meta SET next_fact = (SELECT coalesce(max(id), 0) + 1 FROM facts);
    ALTER TABLE facts ADD COLUMN updated_at_ms INTEGER;
    CREATE TABLE removed (
        revision INTEGER NOT NULL,
        collection_id INTEGER NOT NULL,
        id INTEGER NOT NULL,
        PRIMARY KEY (revision, collection_id, id)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE collections (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        embedder TEXT NOT NULL,
        model TEXT NOT NULL,
        dimension INTEGER NOT NULL,
        document_count INTEGER NOT NULL,
        created_at_ms INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE swept (collection_id INTEGER PRIMARY KEY) STRICT;
    CREATE TABLE documents (
        id INTEGER PRIMARY KEY,
        collection_id INTEGER NOT NULL,
        key TEXT NOT NULL,
        content TEXT NOT NULL,
        metadata TEXT NOT NULL,
        created_at_ms INTEGER NOT NULL,
        updated_at_ms INTEGER,
        revision INTEGER NOT NULL,
        UNIQUE (collection_id, key)
    ) STRICT;
    CREATE INDEX documents_by_number ON documents (collection_id, id);
    CREATE INDEX documents_by_revision ON documents (revision);
    CREATE TABLE vectors (document_id INTEGER PRIMARY KEY, vector BLOB NOT NULL) STRICT;
    CREATE VIRTUAL TABLE document_text USING fts5 (
        content, content = 'documents', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2'
    );
    CREATE VIRTUAL TABLE document_metadata USING fts5 (
        pairs, content = '', columnsize = 0, detail = none, tokenize = 'ascii'
    );
",
];

/// Below this size a store is checked page by page at start (0.1 s); above it that would cost seconds, and damage is
/// found where it is read.
const FULL_CHECK_BYTES_MAX: u64 = 64 << 20;

/// Why the tables cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// SQLite refused.
    #[error("SQLite refused the database")]
    Sqlite(#[from] rusqlite::Error),
    /// The file belongs to something else.
    #[error("the file is a database of another application (id {0:#x})")]
    Foreign(i32),
    /// A newer program has written it.
    #[error("the store has schema version {found}, this program knows versions up to {known}")]
    Newer {
        /// Version in the file.
        found: usize,
        /// Newest version this program knows.
        known: usize,
    },
    /// A file cannot be read or put in its place.
    #[error("a file cannot be used")]
    Io(#[from] std::io::Error),
    /// Pages or rows contradict each other.
    #[error("the store is damaged: {0}")]
    Damaged(String),
}

/// Opens the connection that writes; makes the tables or brings them to the newest version.
pub fn open_writer(path: &Path, epoch: &str, size_bytes_max: Option<u64>) -> Result<Connection, SchemaError> {
    let connection = Connection::open(path)?;
    // What is damaged or foreign is left as it is, its log as well.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    let application_id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: usize = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let is_new: bool =
        connection.query_row("SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)", (), |row| row.get(0))?;
    if !is_new && application_id != APPLICATION_ID {
        return Err(SchemaError::Foreign(application_id));
    }
    if version > MIGRATIONS.len() {
        return Err(SchemaError::Newer { found: version, known: MIGRATIONS.len() });
    }
    connections::set_up_writer(&connection)?;
    if !is_new {
        check(&connection)?;
    }
    connections::set_up_writes(&connection)?;
    if let Some(size_bytes_max) = size_bytes_max {
        let page_size: u64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        // The pragma answers with the limit it set.
        connection.query_row(
            &format!("PRAGMA max_page_count = {}", size_bytes_max / page_size),
            (),
            |_| Ok(()),
        )?;
    }
    migrate(&connection, version, epoch)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    Ok(connection)
}

fn migrate(connection: &Connection, version: usize, epoch: &str) -> Result<(), SchemaError> {
    for (done, statements) in MIGRATIONS.iter().enumerate().skip(version) {
        let transaction = connection.unchecked_transaction()?;
        transaction.execute_batch(statements)?;
        if done == 0 {
            let first = "INSERT INTO meta (only_row, epoch, revision, fact_count, stream_created)
                         VALUES (1, ?1, 0, 0, 0)";
            transaction.execute(first, [epoch])?;
        }
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", done + 1)?;
        transaction.commit()?;
    }
    Ok(())
}

/// What is wrong with the pages of a database; `None` where nothing is, or where it is too large to look at all of them.
pub fn damage(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let size_bytes: u64 = connection.query_row(
        "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
        (),
        |row| row.get(0),
    )?;
    if size_bytes > FULL_CHECK_BYTES_MAX {
        return Ok(None);
    }
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", (), |row| row.get(0))?;
    // It may have several lines, and what is told of a start has one.
    Ok((verdict != "ok").then(|| verdict.replace('\n', " ")))
}

/// Looks for damage as far as is quick: all pages of a small store, and what must agree in any.
fn check(connection: &Connection) -> Result<(), SchemaError> {
    if let Some(damage) = damage(connection)? {
        return Err(SchemaError::Damaged(damage));
    }
    let (revision, newest): (i64, i64) = connection.query_row(
        "SELECT revision, (SELECT coalesce(max(revision), 0) FROM changes) FROM meta",
        (),
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    if revision == newest {
        Ok(())
    } else {
        Err(SchemaError::Damaged(format!("revision {revision}, but the newest change has {newest}")))
    }
}
