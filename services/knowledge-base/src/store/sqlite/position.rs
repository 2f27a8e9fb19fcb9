//! Where the store stands: the row of `meta`, which the writer knows by heart.

use rusqlite::{Connection, OptionalExtension, params};

use super::super::model::{Digest, Epoch, Revision};

/// What the writer knows without asking the database. Copied before a transaction and put back when that fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Incarnation of the revisions.
    pub epoch: Epoch,
    /// The last change.
    pub revision: Revision,
    /// Facts in the store.
    pub fact_count: u64,
    /// The number that the next fact gets.
    pub next_fact: u64,
    /// Documents in all collections.
    pub document_count: u64,
    /// The number that the next document gets.
    pub next_document: u64,
    /// The number that the next collection gets.
    pub next_collection: u64,
    /// Of all changes so far.
    pub digest: Digest,
    /// Whether the stream `KB` ever existed for this store.
    pub stream_created: bool,
}

impl Position {
    /// Reads the position from the tables.
    pub fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let mut position = connection.query_row(
            "SELECT epoch, revision, fact_count, stream_created, next_fact, document_count, next_document,
                    next_collection FROM meta",
            (),
            |row| {
                let epoch: String = row.get(0)?;
                Ok(Self {
                    epoch: Epoch::kept(&epoch),
                    revision: Revision(row.get(1)?),
                    fact_count: row.get(2)?,
                    stream_created: row.get(3)?,
                    next_fact: row.get(4)?,
                    document_count: row.get(5)?,
                    next_document: row.get(6)?,
                    next_collection: row.get(7)?,
                    digest: Digest::EMPTY,
                })
            },
        )?;
        let digest: Option<[u8; 16]> = connection
            .query_row("SELECT digest FROM changes WHERE revision = ?1", [position.revision.0], |row| {
                row.get(0)
            })
            .optional()?;
        position.digest = digest.map_or(Digest::EMPTY, Digest);
        Ok(position)
    }

    /// Writes the position; the last statement of a transaction.
    pub fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        let mut statement = connection.prepare_cached(
            "UPDATE meta SET epoch = ?1, revision = ?2, fact_count = ?3, stream_created = ?4, next_fact = ?5,
                    document_count = ?6, next_document = ?7, next_collection = ?8",
        )?;
        let columns = params![
            self.epoch.as_str(),
            self.revision.0,
            self.fact_count,
            self.stream_created,
            self.next_fact,
            self.document_count,
            self.next_document,
            self.next_collection,
        ];
        statement.execute(columns).map(drop)
    }
}

/// The epoch and revision that a transaction sees.
pub fn seen(connection: &Connection) -> rusqlite::Result<(Epoch, Revision)> {
    connection.prepare_cached("SELECT epoch, revision FROM meta")?.query_row((), |row| {
        let epoch: String = row.get(0)?;
        Ok((Epoch::kept(&epoch), Revision(row.get(1)?)))
    })
}
