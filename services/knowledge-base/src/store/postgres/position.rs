//! Where the store stands: the one row of `meta`, which is the counter of all replicas.

use tokio_postgres::Row;

use super::super::model::{Digest, Epoch, Revision, Snapshot};
use super::error::Error;

/// The whole row. `FOR NO KEY UPDATE` is added by who writes.
pub const LOAD: &str =
    "SELECT epoch, revision, digest, commits, fact_count, next_fact, document_count, next_document,
                               next_collection, stream_created FROM meta";

/// The part that a read tells.
pub const SEEN: &str = "SELECT epoch, revision FROM meta";

/// What a writer knows while it holds the row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Incarnation of the revisions.
    pub epoch: Epoch,
    /// The last change.
    pub revision: Revision,
    /// Of all changes so far.
    pub digest: Digest,
    /// Commits that moved the position: tells which of two is the later one.
    pub commits: u64,
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
    /// Whether the stream `KB` ever existed for this store.
    pub stream_created: bool,
}

impl Position {
    /// From a row of [`LOAD`].
    pub fn from_row(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            epoch: Epoch::kept(row.try_get(0)?),
            revision: Revision(count(row, 1)?),
            digest: digest(row, 2)?,
            commits: count(row, 3)?,
            fact_count: count(row, 4)?,
            next_fact: count(row, 5)?,
            document_count: count(row, 6)?,
            next_document: count(row, 7)?,
            next_collection: count(row, 8)?,
            stream_created: row.try_get(9)?,
        })
    }

    /// What others see of it.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            epoch: self.epoch.clone(),
            revision: self.revision,
            fact_count: self.fact_count,
            document_count: self.document_count,
            stream_created: self.stream_created,
        }
    }
}

/// The epoch and revision of a row of [`SEEN`].
pub fn seen(row: &Row) -> Result<(Epoch, Revision), Error> {
    Ok((Epoch::kept(row.try_get(0)?), Revision(count(row, 1)?)))
}

/// A number as PostgreSQL keeps it. No counter comes near 2^63.
pub fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number that is never negative.
pub fn count(row: &Row, column: usize) -> Result<u64, Error> {
    let number: i64 = row.try_get(column)?;
    u64::try_from(number).map_err(|_| Error::Damaged("negative number"))
}

/// A digest.
pub fn digest(row: &Row, column: usize) -> Result<Digest, Error> {
    let bytes: &[u8] = row.try_get(column)?;
    bytes.try_into().map(Digest).map_err(|_| Error::Damaged("digest of another length"))
}
