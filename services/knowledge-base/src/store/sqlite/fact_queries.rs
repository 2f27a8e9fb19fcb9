//! What is asked about facts, as functions of a connection. Each runs inside the caller's transaction.

use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};

use super::super::backend::{Filter, Hit};
use super::super::model::{Confidence, FactId, NewFact, Revision, StoredFact, UnixMillis, entity_token};
use super::super::text::TextQuery;
use super::fts;

const COLUMNS: &str =
    "f.id, f.statement, f.context, f.confidence, f.created_at_ms, f.updated_at_ms, f.revision";

pub fn stored_fact(row: &Row<'_>) -> rusqlite::Result<StoredFact> {
    Ok(StoredFact {
        id: FactId(row.get(0)?),
        statement: row.get(1)?,
        context: row.get(2)?,
        confidence: row.get(3)?,
        created_at: UnixMillis(row.get(4)?),
        updated_at: row.get::<_, Option<i64>>(5)?.map(UnixMillis),
        revision: Revision(row.get(6)?),
    })
}

/// The number of `fact` where the store has it.
pub fn find(connection: &Connection, fact: &NewFact) -> rusqlite::Result<Option<FactId>> {
    let mut same_hash = connection.prepare_cached("SELECT fact_id FROM statements WHERE hash = ?1")?;
    let mut rows = same_hash.query([fact.hash])?;
    while let Some(row) = rows.next()? {
        let id: u64 = row.get(0)?;
        let mut same_text =
            connection.prepare_cached("SELECT 1 FROM facts WHERE id = ?1 AND statement = ?2")?;
        if same_text.exists(params![id, fact.statement()])? {
            return Ok(Some(FactId(id)));
        }
    }
    Ok(None)
}

/// For each fact, whether the store has it.
pub fn known(connection: &Connection, facts: &[NewFact]) -> rusqlite::Result<Vec<bool>> {
    facts.iter().map(|fact| Ok(find(connection, fact)?.is_some())).collect()
}

/// The fact of that number.
pub fn fact(connection: &Connection, id: FactId) -> rusqlite::Result<Option<StoredFact>> {
    let sql = format!("SELECT {COLUMNS} FROM facts f WHERE f.id = ?1");
    connection.prepare_cached(&sql)?.query_row([id.0], stored_fact).optional()
}

/// The facts of those numbers that there are.
pub fn facts(connection: &Connection, ids: &[FactId]) -> rusqlite::Result<Vec<StoredFact>> {
    ids.iter().filter_map(|id| fact(connection, *id).transpose()).collect()
}

/// All facts, in the order of their numbers, one by one until `take` says that it is enough.
pub fn each(connection: &Connection, mut take: impl FnMut(StoredFact) -> bool) -> rusqlite::Result<()> {
    let sql = format!("SELECT {COLUMNS} FROM facts f ORDER BY f.id");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        if !take(stored_fact(row)?) {
            break;
        }
    }
    Ok(())
}

/// At most `limit` facts after the number `after`, in the order of their numbers.
///
/// The planner has no statistics here, so the text says which index leads: entity, else revision, else predicate (a `+`
/// keeps a column's index out of the choice).
pub fn list(
    connection: &Connection,
    filter: &Filter,
    after: FactId,
    limit: usize,
) -> rusqlite::Result<Vec<StoredFact>> {
    let entity = filter.entity.as_deref().map(entity_token);
    let revision = filter.revision.map(|revision| revision.0);
    let mut sql = format!("SELECT {COLUMNS} FROM ");
    let mut values: Vec<&dyn ToSql> = Vec::with_capacity(5);
    if let Some(token) = &entity {
        sql += "fact_entities e JOIN facts f ON f.id = e.rowid WHERE fact_entities MATCH ? AND e.rowid > ?";
        values.extend([token as &dyn ToSql, &after.0]);
    } else {
        sql += "facts f WHERE f.id > ?";
        values.push(&after.0);
    }
    if let Some(revision) = &revision {
        sql += if entity.is_some() { " AND +f.revision = ?" } else { " AND f.revision = ?" };
        values.push(revision);
    }
    if let Some(predicate) = &filter.predicate {
        sql += if values.len() > 1 { " AND +f.predicate = ?" } else { " AND f.predicate = ?" };
        values.push(predicate);
    }
    sql += if entity.is_some() { " ORDER BY e.rowid LIMIT ?" } else { " ORDER BY f.id LIMIT ?" };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    values.push(&limit);
    connection.prepare_cached(&sql)?.query_map(values.as_slice(), stored_fact)?.collect()
}

/// The `limit` best facts for a query, best first.
pub fn search(
    connection: &Connection,
    query: &TextQuery,
    min_confidence: Option<Confidence>,
    limit: usize,
) -> rusqlite::Result<Vec<Hit<StoredFact>>> {
    let hit = |row: &Row<'_>| {
        let rank: f64 = row.get(7)?;
        Ok(Hit { score: -rank, found: stored_fact(row)?, snippet: row.get(8)? })
    };
    // FTS5 sorts without looking at the facts; only a condition on them makes the join come first.
    let (condition, confidence) = match min_confidence {
        Some(confidence) => ("AND f.confidence >= ?2", confidence.get()),
        None => ("AND ?2 = 0", 0.0),
    };
    let sql = format!(
        "SELECT {COLUMNS}, t.rank, {snippet} FROM fact_text t JOIN facts f ON f.id = t.rowid
         WHERE fact_text MATCH ?1 {condition} ORDER BY t.rank LIMIT ?3",
        snippet = fts::snippet("fact_text")
    );
    let limit_rows = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(&sql)?;
    fts::best(query, limit, |expression| {
        statement.query_map(params![expression, confidence, limit_rows], hit)?.collect()
    })
}
