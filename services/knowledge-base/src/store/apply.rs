//! What one transaction does: facts, their indexes, the change, its audit row. No threads and no queues here.

use chassis::time::rfc3339;
use proto_schemas::v1::{FactAdded, FactsImported};
use proto_schemas::{Event, json};
use rusqlite::{Connection, OptionalExtension, params};

use super::model::{Digest, Epoch, FactId, NewFact, Origin, Revision, UnixMillis};

/// What the writer knows without asking the database. Copied before a transaction and put back when that fails.
#[derive(Debug, Clone)]
pub struct Position {
    /// Incarnation of the revisions.
    pub epoch: Epoch,
    /// The last change.
    pub revision: Revision,
    /// Facts in the store.
    pub fact_count: u64,
    /// The number that the next fact gets.
    pub next_id: u64,
    /// Of all changes so far.
    pub digest: Digest,
    /// Whether the stream `KB` ever existed for this store.
    pub stream_created: bool,
}

impl Position {
    /// Reads the position from the tables.
    pub fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let (epoch, revision, fact_count, stream_created): (String, u64, u64, bool) = connection.query_row(
            "SELECT epoch, revision, fact_count, stream_created FROM meta",
            (),
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
        )?;
        let next_id: u64 =
            connection.query_row("SELECT coalesce(max(id), 0) + 1 FROM facts", (), |row| row.get(0))?;
        let digest: Option<[u8; 16]> = connection
            .query_row("SELECT digest FROM changes WHERE revision = ?1", [revision], |row| row.get(0))
            .optional()?;
        Ok(Self {
            epoch: Epoch::kept(&epoch),
            revision: Revision(revision),
            fact_count,
            next_id,
            digest: digest.map_or(Digest::EMPTY, Digest),
            stream_created,
        })
    }

    /// Writes the position; the last statement of a transaction.
    pub fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        let mut statement = connection.prepare_cached(
            "UPDATE meta SET epoch = ?1, revision = ?2, fact_count = ?3, stream_created = ?4",
        )?;
        let columns = params![self.epoch.as_str(), self.revision.0, self.fact_count, self.stream_created];
        statement.execute(columns).map(drop)
    }
}

/// What became of one fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It is new.
    New {
        /// Its number.
        id: FactId,
        /// When.
        created_at: UnixMillis,
    },
    /// The store has it already.
    Duplicate {
        /// The number it has.
        id: FactId,
    },
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BatchAdded {
    /// Facts that are new.
    pub added: u64,
    /// Facts that the store, or the batch itself, had already.
    pub duplicates: u64,
}

/// Adds one fact as one change; a duplicate makes none.
pub fn add_one(
    connection: &Connection,
    position: &mut Position,
    fact: &NewFact,
    origin: &Origin,
    created_at: UnixMillis,
) -> rusqlite::Result<Added> {
    if let Some(id) = find(connection, fact)? {
        return Ok(Added::Duplicate { id });
    }
    let revision = position.revision.next();
    let id = insert(connection, position, fact, revision, created_at)?;
    let event = FactAdded {
        id: id.as_f64(),
        statement: fact.statement.clone(),
        context: fact.context.as_str().to_owned(),
        confidence: fact.confidence.get(),
        created_at: rfc3339(created_at.to_system()),
        revision: revision.as_f64(),
    };
    log(connection, position, &event, revision, origin, created_at)?;
    Ok(Added::New { id, created_at })
}

/// Adds the new ones of `facts` as one change with consecutive numbers; where none is new there is no change.
pub fn add_batch(
    connection: &Connection,
    position: &mut Position,
    facts: &[NewFact],
    origin: &Origin,
    created_at: UnixMillis,
) -> rusqlite::Result<BatchAdded> {
    let revision = position.revision.next();
    let first_id = FactId(position.next_id);
    let mut outcome = BatchAdded::default();
    for fact in facts {
        if find(connection, fact)?.is_some() {
            outcome.duplicates += 1;
        } else {
            insert(connection, position, fact, revision, created_at)?;
            outcome.added += 1;
        }
    }
    if outcome.added > 0 {
        let count = FactId(outcome.added).as_f64();
        let event = FactsImported {
            count,
            first_id: first_id.as_f64(),
            last_id: first_id.as_f64() + count - 1.0,
            created_at: rfc3339(created_at.to_system()),
            revision: revision.as_f64(),
        };
        log(connection, position, &event, revision, origin, created_at)?;
    }
    Ok(outcome)
}

/// The number of `fact` where the store has it.
pub fn find(connection: &Connection, fact: &NewFact) -> rusqlite::Result<Option<FactId>> {
    let mut same_hash = connection.prepare_cached("SELECT fact_id FROM statements WHERE hash = ?1")?;
    let mut rows = same_hash.query([fact.hash])?;
    while let Some(row) = rows.next()? {
        let id: u64 = row.get(0)?;
        let mut same_text =
            connection.prepare_cached("SELECT 1 FROM facts WHERE id = ?1 AND statement = ?2")?;
        if same_text.exists(params![id, fact.statement])? {
            return Ok(Some(FactId(id)));
        }
    }
    Ok(None)
}

fn insert(
    connection: &Connection,
    position: &mut Position,
    fact: &NewFact,
    revision: Revision,
    created_at: UnixMillis,
) -> rusqlite::Result<FactId> {
    let id = position.next_id;
    connection.prepare_cached("INSERT INTO facts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?.execute(
        params![
            id,
            fact.statement,
            fact.predicate,
            fact.negated,
            fact.context.as_str(),
            fact.confidence.get(),
            created_at.0,
            revision.0,
        ],
    )?;
    connection.prepare_cached("INSERT INTO statements VALUES (?1, ?2)")?.execute(params![fact.hash, id])?;
    connection
        .prepare_cached("INSERT INTO fact_text (rowid, statement) VALUES (?1, ?2)")?
        .execute(params![id, fact.statement])?;
    if !fact.entity_tokens.is_empty() {
        connection
            .prepare_cached("INSERT INTO fact_entities (rowid, entities) VALUES (?1, ?2)")?
            .execute(params![id, fact.entity_tokens])?;
    }
    position.next_id += 1;
    position.fact_count += 1;
    Ok(FactId(id))
}

/// Writes the change and its audit row, and moves the position on.
fn log<E: Event>(
    connection: &Connection,
    position: &mut Position,
    event: &E,
    revision: Revision,
    origin: &Origin,
    created_at: UnixMillis,
) -> rusqlite::Result<()> {
    let body = json::to_vec(event);
    let digest = position.digest.chain(revision, E::TYPE, &body);
    connection.prepare_cached("INSERT INTO changes VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(params![
        revision.0,
        E::TYPE,
        body,
        origin.traceparent,
        created_at.0,
        digest.0
    ])?;
    connection
        .prepare_cached("INSERT INTO audit (revision, actor, action, created_at_ms) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![revision.0, origin.actor, E::TYPE, created_at.0])?;
    position.revision = revision;
    position.digest = digest;
    Ok(())
}

/// Begins a new history: the revisions go on, and clients are told that they cannot resume across.
pub fn begin_epoch(connection: &Connection, position: &mut Position, epoch: Epoch) -> rusqlite::Result<()> {
    position.epoch = epoch;
    let action = format!("epoch {}", position.epoch);
    connection
        .prepare_cached(
            "INSERT INTO audit (revision, actor, action, created_at_ms) VALUES (?1, 'relay', ?2, ?3)",
        )?
        .execute(params![position.revision.0, action, UnixMillis::now().0])
        .map(drop)
}

/// Deletes at most `rows_max` of the oldest changes before `keep_from`; the newest change always stays. Returns how
/// many went.
pub fn trim(
    connection: &Connection,
    position: &Position,
    keep_from: Revision,
    rows_max: u64,
) -> rusqlite::Result<usize> {
    let keep_from = keep_from.min(position.revision);
    let oldest: Option<u64> =
        connection.query_row("SELECT min(revision) FROM changes", (), |row| row.get(0))?;
    let Some(oldest) = oldest else { return Ok(0) };
    connection
        .execute("DELETE FROM changes WHERE revision < min(?1, ?2)", params![keep_from.0, oldest + rows_max])
}
