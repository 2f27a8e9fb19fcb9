//! The log of changes: one row a change, which the relay publishes, and its audit row.

use proto_schemas::{Event, json};
use rusqlite::{Connection, OptionalExtension, params};

use super::super::model::{Change, Digest, Epoch, Origin, Revision, UnixMillis};
use super::position::Position;

/// Rows that one trim deletes, so that a post behind it waits for milliseconds only.
const TRIM_ROWS_MAX: u64 = 5000;

/// Writes the change and its audit row, and moves the position on.
pub fn append<E: Event>(
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

/// Deletes some of the oldest changes before `keep_from`; the newest change always stays. Returns how many changes went.
pub fn trim(connection: &Connection, position: &Position, keep_from: Revision) -> rusqlite::Result<usize> {
    let keep_from = keep_from.min(position.revision);
    let oldest: Option<u64> =
        connection.query_row("SELECT min(revision) FROM changes", (), |row| row.get(0))?;
    let Some(oldest) = oldest else { return Ok(0) };
    let end = keep_from.0.min(oldest + TRIM_ROWS_MAX);
    connection.execute("DELETE FROM changes WHERE revision < ?1", [end])
}

/// Changes from `from` on, in order: at most `rows_max` of them, and no more once `bytes_max` is reached.
pub fn changes(
    connection: &Connection,
    from: Revision,
    rows_max: usize,
    bytes_max: usize,
) -> rusqlite::Result<Vec<Change>> {
    let mut statement = connection.prepare_cached(
        "SELECT revision, type, body, traceparent, created_at_ms, digest FROM changes WHERE revision >= ?1
         ORDER BY revision LIMIT ?2",
    )?;
    let mut rows = statement.query(params![from.0, i64::try_from(rows_max).unwrap_or(i64::MAX)])?;
    let (mut changes, mut bytes) = (Vec::new(), 0);
    while bytes < bytes_max
        && let Some(row) = rows.next()?
    {
        let body: Vec<u8> = row.get(2)?;
        bytes += body.len();
        changes.push(Change {
            revision: Revision(row.get(0)?),
            event_type: row.get(1)?,
            body,
            traceparent: row.get(3)?,
            created_at: UnixMillis(row.get(4)?),
            digest: Digest(row.get(5)?),
        });
    }
    Ok(changes)
}

/// The digest of a change, while its row is kept.
pub fn digest(connection: &Connection, revision: Revision) -> rusqlite::Result<Option<Digest>> {
    connection
        .prepare_cached("SELECT digest FROM changes WHERE revision = ?1")?
        .query_row([revision.0], |row| row.get(0).map(Digest))
        .optional()
}

/// The oldest change that is kept from `from` on, and when it was committed.
pub fn oldest(connection: &Connection, from: Revision) -> rusqlite::Result<Option<(Revision, UnixMillis)>> {
    let mut statement = connection.prepare_cached(
        "SELECT revision, created_at_ms FROM changes WHERE revision >= ?1 ORDER BY revision LIMIT 1",
    )?;
    statement.query_row([from.0], |row| Ok((Revision(row.get(0)?), UnixMillis(row.get(1)?)))).optional()
}

/// The last change before `from` that was committed before `moment`: everything up to it is old.
pub fn last_before(
    connection: &Connection,
    from: Revision,
    moment: UnixMillis,
) -> rusqlite::Result<Option<Revision>> {
    // Revisions rise with time, so the first row that is too young ends the old ones.
    let mut statement = connection.prepare_cached(
        "SELECT max(revision) FROM (SELECT revision, created_at_ms FROM changes WHERE revision < ?1
         ORDER BY revision LIMIT 5000) WHERE created_at_ms < ?2",
    )?;
    statement.query_row(params![from.0, moment.0], |row| Ok(row.get::<_, Option<u64>>(0)?.map(Revision)))
}
