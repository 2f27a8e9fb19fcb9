//! What is different from a revision on, for the indexes that follow.

use tokio_postgres::Row;

use super::super::backend::{BATCH_FACTS_MAX, Delta, DeltaAnswer, DocumentRow, FactRow};
use super::super::documents::{CollectionId, DocumentId};
use super::super::model::{FactId, Revision};
use super::document_queries::vector_from;
use super::error::Error;
use super::pool::Reading;
use super::position::{count, int};
use super::text;

/// A document as the index for search needs it.
pub struct TextRow {
    /// Its number.
    pub id: DocumentId,
    /// Where it is.
    pub collection: CollectionId,
    /// Its text.
    pub content: String,
    /// What is known of it: the pairs that a filter may ask for.
    pub pairs: Vec<i64>,
}

/// A fact as the index for search needs it.
pub struct StatementRow {
    /// Its number.
    pub id: FactId,
    /// Its canonical form.
    pub statement: String,
    /// 0 to 1.
    pub confidence: f64,
}

/// Documents of collections that there are.
const DOCUMENTS: &str = "d.collection_id IN (SELECT id FROM collections)";

/// Facts that were changed or deleted after a revision.
pub async fn facts(
    reading: &mut Reading,
    after: Revision,
    rows_max: usize,
) -> Result<DeltaAnswer<FactRow, FactId>, Error> {
    let sql = "SELECT revision, id, statement FROM facts WHERE revision > $1 ORDER BY revision, id LIMIT $2";
    let row = |row: &Row| Ok(FactRow { id: FactId(count(row, 1)?), statement: row.try_get(2)? });
    answer(reading, after, rows_max, sql, row, "= 0", FactId).await
}

/// As [`facts`], for the index for search.
pub async fn statements(
    reading: &mut Reading,
    after: Revision,
    rows_max: usize,
) -> Result<DeltaAnswer<StatementRow, FactId>, Error> {
    let sql = "SELECT revision, id, statement, confidence FROM facts WHERE revision > $1
               ORDER BY revision, id LIMIT $2";
    let row = |row: &Row| {
        let (statement, confidence) = (row.try_get(2)?, row.try_get(3)?);
        Ok(StatementRow { id: FactId(count(row, 1)?), statement, confidence })
    };
    answer(reading, after, rows_max, sql, row, "= 0", FactId).await
}

/// Documents that were changed or deleted after a revision, and their vectors; only of collections that there are.
pub async fn documents(
    reading: &mut Reading,
    after: Revision,
    rows_max: usize,
) -> Result<DeltaAnswer<DocumentRow, DocumentId>, Error> {
    let sql = format!(
        "SELECT d.revision, d.id, d.collection_id, d.vector FROM documents d
         WHERE d.revision > $1 AND {DOCUMENTS} ORDER BY d.revision, d.id LIMIT $2"
    );
    let row = |row: &Row| {
        let vector: Option<&[u8]> = row.try_get(3)?;
        let (id, collection) = (DocumentId(count(row, 1)?), CollectionId(count(row, 2)?));
        Ok(DocumentRow { id, collection, vector: vector.map(vector_from).transpose()? })
    };
    answer(reading, after, rows_max, &sql, row, "> 0", DocumentId).await
}

/// As [`documents`], for the index for search.
pub async fn texts(
    reading: &mut Reading,
    after: Revision,
    rows_max: usize,
) -> Result<DeltaAnswer<TextRow, DocumentId>, Error> {
    let sql = format!(
        "SELECT d.revision, d.id, d.collection_id, d.content, d.pairs FROM documents d
         WHERE d.revision > $1 AND {DOCUMENTS} ORDER BY d.revision, d.id LIMIT $2"
    );
    let row = |row: &Row| {
        Ok(TextRow {
            id: DocumentId(count(row, 1)?),
            collection: CollectionId(count(row, 2)?),
            content: text::given(row.try_get(3)?),
            pairs: row.try_get(4)?,
        })
    };
    answer(reading, after, rows_max, &sql, row, "> 0", DocumentId).await
}

async fn answer<T, Id>(
    reading: &mut Reading,
    after: Revision,
    rows_max: usize,
    sql: &str,
    row: impl Fn(&Row) -> Result<T, Error>,
    collections: &str,
    id: impl Fn(u64) -> Id,
) -> Result<DeltaAnswer<T, Id>, Error> {
    let newest = reading.revision;
    // Of a store that was put back to an older state.
    if after > newest {
        return Ok(DeltaAnswer::TooOld);
    }
    // A change is told whole. It has at most a batch of rows, so with room for one more at least one is whole.
    let limit = rows_max.max(1) + BATCH_FACTS_MAX;
    let found = reading.query(sql, &[&int(after.0), &int(limit as u64)]).await?;
    let mut upto = newest;
    let mut whole = found.as_slice();
    if found.len() == limit
        && let Some(last) = found.last()
    {
        let last = count(last, 0)?;
        let mut revisions = found.iter().map(|row| count(row, 0));
        let end = revisions.position(|revision| revision.is_ok_and(|revision| revision == last));
        whole = &found[..end.unwrap_or(found.len())];
        upto = Revision(last - 1);
    }
    let changed = whole.iter().map(row).collect::<Result<_, _>>()?;
    let sql = format!(
        "SELECT id FROM removed WHERE revision > $1 AND revision <= $2 AND collection_id {collections}
         ORDER BY revision, id"
    );
    let removed = reading.query(&sql, &[&int(after.0), &int(upto.0)]).await?;
    let removed = removed.iter().map(|row| count(row, 0).map(&id)).collect::<Result<_, _>>()?;
    Ok(DeltaAnswer::Delta(Delta { changed, removed, upto }))
}
