//! What is asked about facts, as functions of a read transaction.

use std::collections::HashSet;

use tokio_postgres::Row;

use super::super::backend::Filter;
use super::super::model::{FactId, NewFact, Revision, StoredFact, UnixMillis, hash64};
use super::connection::Value;
use super::error::Error;
use super::facts::digest_of;
use super::pool::Reading;
use super::position::{count, int};
use super::text;

/// What a fact is read from.
pub const COLUMNS: &str =
    "f.id, f.statement, f.context, f.confidence, f.created_at_ms, f.updated_at_ms, f.revision";

/// A fact from a row of [`COLUMNS`].
pub fn stored_fact(row: &Row) -> Result<StoredFact, Error> {
    Ok(StoredFact {
        id: FactId(count(row, 0)?),
        statement: row.try_get(1)?,
        context: text::given(row.try_get(2)?),
        confidence: row.try_get(3)?,
        created_at: UnixMillis(row.try_get(4)?),
        updated_at: row.try_get::<_, Option<i64>>(5)?.map(UnixMillis),
        revision: Revision(count(row, 6)?),
    })
}

/// For each fact, whether the store has it.
pub async fn known(reading: &mut Reading, facts: &[NewFact]) -> Result<Vec<bool>, Error> {
    let digests: Vec<_> = facts.iter().map(digest_of).collect();
    let asked: Vec<&[u8]> = digests.iter().map(|digest| digest.0.as_slice()).collect();
    let rows = reading.query("SELECT digest FROM facts WHERE digest = ANY($1)", &[&asked]).await?;
    let there = rows.iter().map(|row| Ok(row.try_get(0)?)).collect::<Result<HashSet<&[u8]>, Error>>()?;
    Ok(asked.iter().map(|digest| there.contains(digest)).collect())
}

/// The fact of that number.
pub async fn fact(reading: &mut Reading, id: FactId) -> Result<Option<StoredFact>, Error> {
    Ok(facts(reading, &[id]).await?.pop())
}

/// The facts of those numbers that there are.
pub async fn facts(reading: &mut Reading, ids: &[FactId]) -> Result<Vec<StoredFact>, Error> {
    let ids: Vec<i64> = ids.iter().map(|id| int(id.0)).collect();
    let sql = format!("SELECT {COLUMNS} FROM facts f WHERE f.id = ANY($1)");
    reading.query(&sql, &[&ids]).await?.iter().map(stored_fact).collect()
}

/// At most `limit` facts after the number `after`, in the order of their numbers.
pub async fn list(
    reading: &mut Reading,
    filter: &Filter,
    after: FactId,
    limit: usize,
) -> Result<Vec<StoredFact>, Error> {
    let (after, limit) = (int(after.0), int(limit as u64));
    let entity = filter.entity.as_deref().map(|entity| vec![hash64(entity)]);
    let revision = filter.revision.map(|revision| int(revision.0));
    let predicate = filter.predicate.as_deref().map(text::kept);
    let mut sql = format!("SELECT {COLUMNS} FROM facts f WHERE f.id > $1");
    let mut values: Vec<Value<'_>> = vec![&after, &limit];
    if let Some(entity) = &entity {
        values.push(entity);
        sql += &format!(" AND f.entities @> ${}", values.len());
    }
    if let Some(revision) = &revision {
        values.push(revision);
        sql += &format!(" AND f.revision = ${}", values.len());
    }
    if let Some(predicate) = &predicate {
        values.push(predicate);
        sql += &format!(" AND f.predicate = ${}", values.len());
    }
    sql += " ORDER BY f.id LIMIT $2";
    reading.query(&sql, &values).await?.iter().map(stored_fact).collect()
}
