//! A store in a file, from outside of the process that serves it: copied, put back, looked through.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::super::model::{Digest, Epoch, Revision, UnixMillis, hash64};
use super::open::{DATABASE_FILE, OpenError, close_as_one_file, lock, with_end};
use super::position::{self, Position};
use super::schema::{self, SchemaError};
use super::{connections, log};
use crate::grammar;

/// The store of a directory.
#[derive(Debug)]
pub struct SqliteMaintenance {
    path: PathBuf,
}

/// What a copy is of.
#[derive(Debug)]
pub struct At {
    /// The revision.
    pub revision: Revision,
    /// Its epoch.
    pub epoch: Epoch,
}

/// What was put back.
#[derive(Debug)]
pub struct Restored {
    /// The revision of the backup.
    pub revision: Revision,
    /// The new epoch.
    pub epoch: Epoch,
    /// Where the store is now that was there before.
    pub replaced: Option<PathBuf>,
}

/// What a look through the store found.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All is as it should be.
    Sound {
        /// Facts.
        facts: u64,
        /// Documents.
        documents: u64,
        /// Changes in the log.
        changes: u64,
        /// The last of them.
        revision: Revision,
    },
    /// The first thing that is not.
    Damaged(String),
}

/// Why a backup was not put back; the store is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The data directory is in use, or cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The backup is none.
    #[error("the backup cannot be used")]
    Backup(#[source] SchemaError),
    /// The system's word.
    #[error("files cannot be put in place")]
    Io(#[from] std::io::Error),
}

impl SqliteMaintenance {
    /// That of `data_dir`, where there is one.
    pub fn of(data_dir: &Path) -> Option<Self> {
        let path = data_dir.join(DATABASE_FILE);
        path.is_file().then_some(Self { path })
    }

    /// Copies the store as one transaction sees it to a new file. Writers are not held up; their log grows meanwhile.
    ///
    /// # Errors
    /// SQLite's.
    pub fn copy_to(&self, to: &Path) -> rusqlite::Result<At> {
        let connection = connections::open_reader(&self.path)?;
        connection.execute("VACUUM INTO ?1", [to.to_string_lossy().as_ref()])?;
        let copy = Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let (epoch, revision) = position::seen(&copy)?;
        Ok(At { revision, epoch })
    }

    /// Puts `backup` in the place of the store in `data_dir`, with an epoch of its own. What was there is renamed.
    ///
    /// # Errors
    /// [`RestoreError`].
    pub fn put_back(data_dir: &Path, backup: &Path) -> Result<Restored, RestoreError> {
        let _lock = lock(data_dir)?;
        let path = data_dir.join(DATABASE_FILE);
        let arriving = path.with_extension("arriving");
        std::fs::copy(backup, &arriving)?;
        let begun = begin_anew(&arriving).map_err(RestoreError::Backup);
        let (revision, epoch) = begun.inspect_err(|_| {
            // It is a copy of what the caller still has.
            let _ = std::fs::remove_file(&arriving);
        })?;
        // The log belongs to the database that it is named after, also where that is gone.
        let there: Vec<&str> =
            ["", "-wal", "-shm"].into_iter().filter(|end| with_end(&path, end).exists()).collect();
        let aside = path.with_extension(format!("before-{}", UnixMillis::now().0));
        for end in &there {
            std::fs::rename(with_end(&path, end), with_end(&aside, end))?;
        }
        let replaced = (!there.is_empty()).then_some(aside);
        std::fs::rename(&arriving, &path)?;
        std::fs::File::open(data_dir)?.sync_all()?;
        Ok(Restored { revision, epoch, replaced })
    }

    /// Looks at every page and row.
    ///
    /// # Errors
    /// SQLite's, when it cannot even be read.
    pub fn verify(&self) -> rusqlite::Result<Verdict> {
        let connection = connections::open_reader(&self.path)?;
        // One transaction, so that a running service does not change what is compared.
        let transaction = connection.unchecked_transaction()?;
        let verdict: String = transaction.query_row("PRAGMA integrity_check(1)", (), |row| row.get(0))?;
        if verdict != "ok" {
            return Ok(Verdict::Damaged(verdict));
        }
        let position = Position::load(&transaction)?;
        let found = check_log(&transaction, &position).and_then(|changes| {
            Ok((changes, check_facts(&transaction, &position)?, check_documents(&transaction, &position)?))
        });
        match found {
            Ok((changes, facts, documents)) => {
                Ok(Verdict::Sound { facts, documents, changes, revision: position.revision })
            }
            Err(Wrong::Damage(what)) => Ok(Verdict::Damaged(what)),
            Err(Wrong::Sqlite(error)) => Err(error),
        }
    }
}

/// What a check stumbles over.
enum Wrong {
    Damage(String),
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Wrong {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// Opens a backup as a store, which checks it and brings it up to date, and begins a new epoch in it.
fn begin_anew(path: &Path) -> Result<(Revision, Epoch), SchemaError> {
    let is_empty = std::fs::metadata(path).map_or(true, |metadata| metadata.len() == 0);
    if is_empty {
        return Err(SchemaError::Damaged("it is empty".to_owned()));
    }
    let epoch = Epoch::random();
    let connection = schema::open_writer(path, epoch.as_str(), None)?;
    let transaction = connection.unchecked_transaction()?;
    let mut position = Position::load(&transaction)?;
    log::begin_epoch(&transaction, &mut position, epoch)?;
    position.save(&transaction)?;
    transaction.commit()?;
    close_as_one_file(connection)?;
    Ok((position.revision, position.epoch))
}

/// Changes have no holes, and each digest covers the row and those before it.
fn check_log(connection: &Connection, position: &Position) -> Result<u64, Wrong> {
    let mut statement =
        connection.prepare("SELECT revision, type, body, digest FROM changes ORDER BY revision")?;
    let mut rows = statement.query(())?;
    let (mut count, mut before): (u64, Option<(u64, Digest)>) = (0, None);
    while let Some(row) = rows.next()? {
        let (revision, event_type, body): (u64, String, Vec<u8>) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let digest = Digest(row.get(3)?);
        if let Some((last, chained)) = before {
            if revision != last + 1 {
                return Err(Wrong::Damage(format!("after change {last} comes {revision}")));
            }
            if chained.chain(Revision(revision), &event_type, &body) != digest {
                return Err(Wrong::Damage(format!("change {revision} is not what was committed")));
            }
        }
        before = Some((revision, digest));
        count += 1;
    }
    match before {
        Some((last, _)) if last != position.revision.0 => {
            Err(Wrong::Damage(format!("the last change is {last}, but the revision {}", position.revision)))
        }
        None if position.revision.0 > 0 => Err(Wrong::Damage("the log of changes is empty".to_owned())),
        _ => Ok(count),
    }
}

/// Every fact is in its canonical form and found by its hash, and their number is the one that is kept.
fn check_facts(connection: &Connection, position: &Position) -> Result<u64, Wrong> {
    let mut hashes = connection.prepare("SELECT 1 FROM statements WHERE hash = ?1 AND fact_id = ?2")?;
    let mut statement = connection.prepare("SELECT id, statement FROM facts")?;
    let mut rows = statement.query(())?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let (id, text): (u64, String) = (row.get(0)?, row.get(1)?);
        let canonical = grammar::parse_kept(&text).is_ok_and(|fact| fact.to_string() == text);
        if !canonical {
            return Err(Wrong::Damage(format!("fact {id} is no statement in its canonical form")));
        }
        if !hashes.exists((hash64(&text), id))? {
            return Err(Wrong::Damage(format!("fact {id} is not found by its statement")));
        }
        count += 1;
    }
    let hashed: u64 = connection.query_row("SELECT count(*) FROM statements", (), |row| row.get(0))?;
    if count != position.fact_count || hashed != count {
        let kept = position.fact_count;
        return Err(Wrong::Damage(format!("{count} facts and {hashed} hashes, but {kept} are counted")));
    }
    Ok(count)
}

/// Each collection, and all together, have as many documents as are counted.
fn check_documents(connection: &Connection, position: &Position) -> Result<u64, Wrong> {
    let mut statement = connection.prepare(
        "SELECT name, document_count, (SELECT count(*) FROM documents WHERE collection_id = collections.id)
         FROM collections",
    )?;
    let mut rows = statement.query(())?;
    let mut all = 0;
    while let Some(row) = rows.next()? {
        let (name, kept, count): (String, u64, u64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if kept != count {
            return Err(Wrong::Damage(format!("{name} has {count} documents, but {kept} are counted")));
        }
        all += count;
    }
    if all != position.document_count {
        let kept = position.document_count;
        return Err(Wrong::Damage(format!("{all} documents, but {kept} are counted")));
    }
    Ok(all)
}
