//! What is different from a revision on, for the indexes that follow.

use rusqlite::{Connection, Row};

use super::super::backend::{BATCH_FACTS_MAX, Delta, DeltaAnswer, DocumentRow, FactRow};
use super::super::documents::{CollectionId, DocumentId};
use super::super::model::{FactId, Revision};
use super::document_queries::vector_from;
use super::position;

/// Facts that were changed or deleted after a revision.
pub fn facts(
    connection: &Connection,
    after: Revision,
    rows_max: usize,
) -> rusqlite::Result<DeltaAnswer<FactRow, FactId>> {
    let sql = "SELECT revision, id, statement FROM facts WHERE revision > ?1 ORDER BY revision LIMIT ?2";
    let row = |row: &Row<'_>| Ok(FactRow { id: FactId(row.get(1)?), statement: row.get(2)? });
    answer(connection, after, rows_max, sql, row, "= 0", FactId)
}

/// Documents that were changed or deleted after a revision, and their vectors; only of collections that there are.
pub fn documents(
    connection: &Connection,
    after: Revision,
    rows_max: usize,
) -> rusqlite::Result<DeltaAnswer<DocumentRow, DocumentId>> {
    let sql = "SELECT d.revision, d.id, d.collection_id, v.vector FROM documents d
               LEFT JOIN vectors v ON v.document_id = d.id
               WHERE d.revision > ?1 AND +d.collection_id IN (SELECT id FROM collections)
               ORDER BY d.revision LIMIT ?2";
    let row = |row: &Row<'_>| {
        let vector = row.get_ref(3)?.as_blob_or_null()?.map(vector_from).transpose()?;
        Ok(DocumentRow { id: DocumentId(row.get(1)?), collection: CollectionId(row.get(2)?), vector })
    };
    answer(connection, after, rows_max, sql, row, "> 0", DocumentId)
}

fn answer<T, Id>(
    connection: &Connection,
    after: Revision,
    rows_max: usize,
    sql: &str,
    row: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    collections: &str,
    id: impl Fn(u64) -> Id,
) -> rusqlite::Result<DeltaAnswer<T, Id>> {
    let (_, newest) = position::seen(connection)?;
    // Of a store that was put back to an older state.
    if after > newest {
        return Ok(DeltaAnswer::TooOld);
    }
    // A change is told whole. It has at most a batch of rows, so with room for one more at least one is whole.
    let limit = i64::try_from(rows_max.max(1) + BATCH_FACTS_MAX).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map((after.0, limit), |found| Ok((found.get::<_, u64>(0)?, row(found)?)))?;
    let mut rows: Vec<(u64, T)> = rows.collect::<rusqlite::Result<_>>()?;
    let mut upto = newest;
    if i64::try_from(rows.len()).is_ok_and(|count| count == limit)
        && let Some(last) = rows.last().map(|(revision, _)| *revision)
    {
        rows.retain(|(revision, _)| *revision < last);
        upto = Revision(last - 1);
    }
    let removed = format!(
        "SELECT id FROM removed WHERE revision > ?1 AND revision <= ?2 AND collection_id {collections}"
    );
    let mut statement = connection.prepare_cached(&removed)?;
    let removed = statement.query_map([after.0, upto.0], |row| row.get(0).map(&id))?;
    let removed = removed.collect::<rusqlite::Result<_>>()?;
    Ok(DeltaAnswer::Delta(Delta { changed: rows.into_iter().map(|(_, row)| row).collect(), removed, upto }))
}
