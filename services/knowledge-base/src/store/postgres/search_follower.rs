//! Keeps the index for search: follows the database by delta, one step after another.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, params};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::super::backend::{Delta, DeltaAnswer};
use super::super::documents::DocumentId;
use super::super::error::ReadError;
use super::super::model::{Digest, FactId, Revision, Snapshot, hex};
use super::super::sqlite::damage;
use super::delta::{self, StatementRow, TextRow};
use super::log;
use super::pool::{Pool, Reading};

/// Rows that one step takes over: some 20 ms of work, and some hundred kilobytes.
const STEP_ROWS: usize = 2000;

/// Pause after a step that failed.
const RETRY_INTERVAL: Duration = Duration::from_millis(200);

/// The tables. `followed` says up to which change each of the two kinds is there, and that change's digest: a database
/// that was put back and wrote on has another.
const TABLES: &str = "
    CREATE TABLE followed (kind INTEGER PRIMARY KEY, upto INTEGER NOT NULL, digest BLOB NOT NULL) STRICT;
    INSERT INTO followed VALUES (0, 0, zeroblob(16)), (1, 0, zeroblob(16));
    CREATE VIRTUAL TABLE fact_text USING fts5 (
        statement, confidence UNINDEXED, tokenize = 'unicode61 remove_diacritics 2'
    );
    CREATE VIRTUAL TABLE document_text USING fts5 (
        content, collection UNINDEXED, tokenize = 'unicode61 remove_diacritics 2'
    );
    CREATE VIRTUAL TABLE document_pairs USING fts5 (pairs, columnsize = 0, detail = none, tokenize = 'ascii');
";

/// Who keeps it.
pub struct Follower {
    connection: Connection,
    facts: Followed,
    documents: Followed,
    revision: watch::Sender<Revision>,
    _lock: File,
}

/// How far a kind of rows has come.
#[derive(Debug, Clone, Copy)]
struct Followed {
    upto: Revision,
    digest: Digest,
}

const NOTHING: Followed = Followed { upto: Revision(0), digest: Digest::EMPTY };

/// The index that is there; `None` where it is damaged.
fn open_kept(path: &Path) -> rusqlite::Result<Option<(Connection, Followed, Followed)>> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    set_up(&connection)?;
    // Or a search would stumble over it.
    if damage(&connection)?.is_some() {
        return Ok(None);
    }
    let followed = |kind: u8| {
        let sql = "SELECT upto, digest FROM followed WHERE kind = ?1";
        connection.query_row(sql, [kind], |row| {
            Ok(Followed { upto: Revision(row.get(0)?), digest: Digest(row.get(1)?) })
        })
    };
    let (facts, documents) = (followed(0)?, followed(1)?);
    Ok(Some((connection, facts, documents)))
}

fn make(path: &Path) -> rusqlite::Result<Connection> {
    for ending in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(ending);
        // Where it cannot be deleted, opening says why.
        let _ = std::fs::remove_file(file);
    }
    let connection = Connection::open(path)?;
    set_up(&connection)?;
    connection.execute_batch(TABLES)?;
    Ok(connection)
}

fn set_up(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "temp_store", "memory")?;
    // What a power cut takes is built again.
    connection.pragma_update(None, "synchronous", "normal")
}

impl Follower {
    /// Opens the file where there is one, and makes it anew where that fails; and the revision that it holds exactly.
    pub fn open(path: &Path, lock: File) -> rusqlite::Result<(Self, watch::Receiver<Revision>)> {
        let (connection, facts, documents) = match open_kept(path) {
            Ok(Some(kept)) => kept,
            Ok(None) | Err(_) => {
                if path.exists() {
                    tracing::warn!(path = %path.display(), "the index for search is damaged and built again");
                }
                (make(path)?, NOTHING, NOTHING)
            }
        };
        // What it holds counts once it is compared with the database.
        let (sender, revision) = watch::channel(Revision(0));
        Ok((Self { connection, facts, documents, revision: sender, _lock: lock }, revision))
    }

    /// Follows the database until the stop.
    pub async fn run(
        mut self,
        pool: Arc<Pool>,
        mut snapshot: watch::Receiver<Snapshot>,
        stop: CancellationToken,
    ) {
        loop {
            snapshot.borrow_and_update();
            let step = tokio::select! {
                () = stop.cancelled() => return,
                step = self.read(&pool) => step,
            };
            // Not cut short: the connection is in there.
            let stepped = match step {
                Ok(step) => self.take_over(step).await,
                Err(error) => Err(error),
            };
            let more = match stepped {
                Ok(more) => more,
                Err(Lost::Index) => return,
                Err(Lost::Read(error)) => {
                    crate::error::log_read_failure(&error);
                    tokio::time::sleep(RETRY_INTERVAL).await;
                    true
                }
            };
            if more {
                continue;
            }
            tokio::select! {
                () = stop.cancelled() => return,
                changed = snapshot.changed() => if changed.is_err() { return },
            }
        }
    }

    async fn read(&mut self, pool: &Arc<Pool>) -> Result<Step, Lost> {
        let mut reading = pool.begin_patiently().await?;
        let facts = match is_same(&mut reading, self.facts).await? {
            true => delta::statements(&mut reading, self.facts.upto, STEP_ROWS).await?,
            false => DeltaAnswer::TooOld,
        };
        let documents = match is_same(&mut reading, self.documents).await? {
            true => delta::texts(&mut reading, self.documents.upto, STEP_ROWS).await?,
            false => DeltaAnswer::TooOld,
        };
        let facts_digest = digest_at(&mut reading, &facts).await?;
        let documents_digest = digest_at(&mut reading, &documents).await?;
        let newest = reading.seen(()).await.revision;
        Ok(Step { facts, facts_digest, documents, documents_digest, newest })
    }

    /// Writes what was read on a thread of its own; true where there is more.
    async fn take_over(&mut self, step: Step) -> Result<bool, Lost> {
        let newest = step.newest;
        let memory = || Connection::open_in_memory().map_err(|_| Lost::Index);
        let mut connection = std::mem::replace(&mut self.connection, memory()?);
        let written = tokio::task::spawn_blocking(move || {
            let result = write(&mut connection, step);
            (connection, result)
        });
        let (connection, result) = written.await.map_err(|_| Lost::Index)?;
        self.connection = connection;
        let (facts, documents) = result.map_err(|error| ReadError::Failed(Arc::new(error)))?;
        (self.facts, self.documents) = (facts, documents);
        let exact = facts.upto == newest && documents.upto == newest;
        if exact {
            self.revision.send_replace(newest);
        }
        Ok(!exact)
    }
}

/// What one step has read, all of one moment.
struct Step {
    facts: DeltaAnswer<StatementRow, FactId>,
    facts_digest: Digest,
    documents: DeltaAnswer<TextRow, DocumentId>,
    documents_digest: Digest,
    newest: Revision,
}

/// Why a step failed.
enum Lost {
    /// The database did not answer.
    Read(ReadError),
    /// The own thread ended.
    Index,
}

impl<E: Into<ReadError>> From<E> for Lost {
    fn from(error: E) -> Self {
        Self::Read(error.into())
    }
}

/// Whether the change that was followed last is the database's own.
async fn is_same(reading: &mut Reading, followed: Followed) -> Result<bool, super::Error> {
    let found = log::digest(reading, followed.upto).await?;
    Ok(found.is_none_or(|found| found == followed.digest))
}

async fn digest_at<Row, Id>(
    reading: &mut Reading,
    answer: &DeltaAnswer<Row, Id>,
) -> Result<Digest, super::Error> {
    let DeltaAnswer::Delta(delta) = answer else { return Ok(Digest::EMPTY) };
    Ok(log::digest(reading, delta.upto).await?.unwrap_or(Digest::EMPTY))
}

fn write(connection: &mut Connection, step: Step) -> rusqlite::Result<(Followed, Followed)> {
    let transaction = connection.transaction()?;
    let facts = match step.facts {
        DeltaAnswer::Delta(delta) => write_facts(&transaction, &delta, step.facts_digest)?,
        DeltaAnswer::TooOld => empty(&transaction, 0, &["fact_text"])?,
    };
    let documents = match step.documents {
        DeltaAnswer::Delta(delta) => write_documents(&transaction, &delta, step.documents_digest)?,
        DeltaAnswer::TooOld => empty(&transaction, 1, &["document_text", "document_pairs"])?,
    };
    transaction.commit()?;
    Ok((facts, documents))
}

fn write_facts(
    connection: &Connection,
    delta: &Delta<StatementRow, FactId>,
    digest: Digest,
) -> rusqlite::Result<Followed> {
    let mut delete = connection.prepare_cached("DELETE FROM fact_text WHERE rowid = ?1")?;
    let mut insert = connection
        .prepare_cached("INSERT INTO fact_text (rowid, statement, confidence) VALUES (?1, ?2, ?3)")?;
    for id in delta.removed.iter().chain(delta.changed.iter().map(|row| &row.id)) {
        delete.execute([id.0])?;
    }
    for row in &delta.changed {
        insert.execute(params![row.id.0, row.statement, row.confidence])?;
    }
    note(connection, 0, Followed { upto: delta.upto, digest })
}

fn write_documents(
    connection: &Connection,
    delta: &Delta<TextRow, DocumentId>,
    digest: Digest,
) -> rusqlite::Result<Followed> {
    let mut delete_text = connection.prepare_cached("DELETE FROM document_text WHERE rowid = ?1")?;
    let mut delete_pairs = connection.prepare_cached("DELETE FROM document_pairs WHERE rowid = ?1")?;
    let mut insert_text = connection
        .prepare_cached("INSERT INTO document_text (rowid, content, collection) VALUES (?1, ?2, ?3)")?;
    let mut insert_pairs =
        connection.prepare_cached("INSERT INTO document_pairs (rowid, pairs) VALUES (?1, ?2)")?;
    for id in delta.removed.iter().chain(delta.changed.iter().map(|row| &row.id)) {
        delete_text.execute([id.0])?;
        delete_pairs.execute([id.0])?;
    }
    for row in &delta.changed {
        insert_text.execute(params![row.id.0, row.content, row.collection.0])?;
        let pairs: Vec<String> = row.pairs.iter().map(|pair| hex(&pair.to_be_bytes())).collect();
        insert_pairs.execute(params![row.id.0, pairs.join(" ")])?;
    }
    note(connection, 1, Followed { upto: delta.upto, digest })
}

fn empty(connection: &Connection, kind: u8, tables: &[&str]) -> rusqlite::Result<Followed> {
    for table in tables {
        connection.execute(&format!("DELETE FROM {table}"), ())?;
    }
    note(connection, kind, NOTHING)
}

fn note(connection: &Connection, kind: u8, followed: Followed) -> rusqlite::Result<Followed> {
    let sql = "UPDATE followed SET upto = ?2, digest = ?3 WHERE kind = ?1";
    connection.execute(sql, params![kind, followed.upto.0, followed.digest.0])?;
    Ok(followed)
}
