//! The log of changes, as the relay reads it, and its trimming.

use tokio_postgres::Row;

use super::super::model::{Change, Digest, Revision, UnixMillis};
use super::error::Error;
use super::pool::Reading;
use super::position::{count, digest as digest_of, int};
use super::transaction::Transaction;

/// Rows that one trim deletes, so that a post behind it waits for milliseconds only.
const TRIM_ROWS_MAX: u64 = 5000;

/// Deletes some of the oldest changes before `keep_from`, and what is known of deleted rows until then; the newest
/// change always stays. Returns how many changes went.
pub async fn trim(transaction: &mut Transaction, keep_from: Revision) -> Result<usize, Error> {
    let keep_from = keep_from.min(transaction.position.revision);
    let connection = &mut transaction.connection;
    let sql = "SELECT revision FROM changes ORDER BY revision LIMIT 1";
    let Some(oldest) = connection.query_opt(sql, &[]).await? else { return Ok(0) };
    let end = int(keep_from.0.min(count(&oldest, 0)? + TRIM_ROWS_MAX));
    let gone = connection.execute("DELETE FROM changes WHERE revision < $1", &[&end]).await?;
    Ok(usize::try_from(gone).unwrap_or(usize::MAX))
}

/// Changes from `from` on, in order: at most `rows_max` of them, and no more once `bytes_max` is reached.
pub async fn changes(
    reading: &mut Reading,
    from: Revision,
    rows_max: usize,
    bytes_max: usize,
) -> Result<Vec<Change>, Error> {
    // The sums say how far the bytes reach before a body is sent.
    let sql = "SELECT revision, type, body, traceparent, created_at_ms, digest FROM (
                   SELECT *, sum(length(body)) OVER (ORDER BY revision) - length(body) AS before
                   FROM (SELECT * FROM changes WHERE revision >= $1 ORDER BY revision LIMIT $2) AS first
               ) AS summed WHERE before < $3 ORDER BY revision";
    let rows = reading.query(sql, &[&int(from.0), &int(rows_max as u64), &int(bytes_max as u64)]).await?;
    rows.iter().map(change).collect()
}

fn change(row: &Row) -> Result<Change, Error> {
    Ok(Change {
        revision: Revision(count(row, 0)?),
        event_type: row.try_get(1)?,
        body: row.try_get(2)?,
        traceparent: row.try_get(3)?,
        created_at: UnixMillis(row.try_get(4)?),
        digest: digest_of(row, 5)?,
    })
}

/// The digest of a change, while its row is kept.
pub async fn digest(reading: &mut Reading, revision: Revision) -> Result<Option<Digest>, Error> {
    let row =
        reading.query_opt("SELECT digest FROM changes WHERE revision = $1", &[&int(revision.0)]).await?;
    row.map(|row| digest_of(&row, 0)).transpose()
}

/// The oldest change that is kept from `from` on, and when it was committed.
pub async fn oldest(reading: &mut Reading, from: Revision) -> Result<Option<(Revision, UnixMillis)>, Error> {
    let sql = "SELECT revision, created_at_ms FROM changes WHERE revision >= $1 ORDER BY revision LIMIT 1";
    let row = reading.query_opt(sql, &[&int(from.0)]).await?;
    row.map(|row| Ok((Revision(count(&row, 0)?), UnixMillis(row.try_get(1)?)))).transpose()
}

/// The last change before `from` that was committed before `moment`: everything up to it is old.
pub async fn last_before(
    reading: &mut Reading,
    from: Revision,
    moment: UnixMillis,
) -> Result<Option<Revision>, Error> {
    // Replicas' clocks differ a little, so the first row that is too young need not end the old ones; some that are
    // trimmed a little early or late do no harm.
    let sql = "SELECT max(revision) FROM (SELECT revision, created_at_ms FROM changes WHERE revision < $1
               ORDER BY revision LIMIT 5000) AS oldest WHERE created_at_ms < $2";
    let row = reading.query_opt(sql, &[&int(from.0), &moment.0]).await?;
    let revision: Option<i64> = match row {
        Some(row) => row.try_get(0)?,
        None => None,
    };
    Ok(revision.map(|revision| Revision(revision.unsigned_abs())))
}
