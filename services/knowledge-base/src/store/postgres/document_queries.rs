//! What is asked about documents, as functions of a read transaction.

use tokio_postgres::Row;

use super::super::documents::{
    Collection, CollectionId, CollectionName, DocumentId, DocumentKey, EmbedderKind, Metadata,
    MetadataFilter, NewCollection, StoredDocument,
};
use super::super::model::{Revision, UnixMillis};
use super::error::Error;
use super::facts::tokens;
use super::pool::Reading;
use super::position::{count, int};
use super::text;
use crate::embed::Vector;

/// What a collection is read from.
pub const COLLECTION: &str = "id, name, embedder, model, dimension, document_count, created_at_ms";

/// What a document is read from.
const DOCUMENT: &str = "d.id, d.key, d.content, d.metadata, d.created_at_ms, d.updated_at_ms, d.revision";

/// A collection from a row of [`COLLECTION`].
pub fn stored_collection(row: &Row) -> Result<Collection, Error> {
    let (name, embedder): (&str, &str) = (row.try_get(1)?, row.try_get(2)?);
    Ok(Collection {
        id: CollectionId(count(row, 0)?),
        made_as: NewCollection {
            name: CollectionName::new(name).ok_or(Error::Damaged("name of a collection"))?,
            embedder: EmbedderKind::parse(embedder).ok_or(Error::Damaged("kind of embedder"))?,
            model: text::given(row.try_get(3)?),
            dimension: usize::try_from(count(row, 4)?).map_err(|_| Error::Damaged("dimension"))?,
        },
        document_count: count(row, 5)?,
        created_at: UnixMillis(row.try_get(6)?),
    })
}

fn stored_document(row: &Row) -> Result<StoredDocument, Error> {
    Ok(StoredDocument {
        id: DocumentId(count(row, 0)?),
        key: row.try_get(1)?,
        content: text::given(row.try_get(2)?),
        metadata: Metadata::kept(row.try_get(3)?),
        created_at: UnixMillis(row.try_get(4)?),
        updated_at: row.try_get::<_, Option<i64>>(5)?.map(UnixMillis),
        revision: Revision(count(row, 6)?),
    })
}

/// A vector as it is kept: 32-bit floats, little-endian.
pub fn vector_bytes(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|component| component.to_le_bytes()).collect()
}

/// What [`vector_bytes`] gave.
pub fn vector_from(bytes: &[u8]) -> Result<Vector, Error> {
    let (components, _) = bytes.as_chunks::<4>();
    Vector::new(components.iter().map(|component| f32::from_le_bytes(*component)).collect())
        .map_err(|_| Error::Damaged("vector"))
}

/// The pairs that a filter asks for, as they are kept.
pub fn pairs(filter: &MetadataFilter) -> Vec<i64> {
    tokens(&filter.tokens().join(" "))
}

/// All collections, by name.
pub async fn collections(reading: &mut Reading) -> Result<Vec<Collection>, Error> {
    let sql = format!("SELECT {COLLECTION} FROM collections ORDER BY name COLLATE \"C\"");
    reading.query(&sql, &[]).await?.iter().map(stored_collection).collect()
}

/// The document of that id.
pub async fn document(
    reading: &mut Reading,
    collection: CollectionId,
    key: &DocumentKey,
) -> Result<Option<StoredDocument>, Error> {
    let sql = format!("SELECT {DOCUMENT} FROM documents d WHERE d.collection_id = $1 AND d.key = $2");
    let row = reading.query_opt(&sql, &[&int(collection.0), &key.as_str()]).await?;
    row.map(|row| stored_document(&row)).transpose()
}

/// At most `limit` documents after the number `after` that `filter` lets through, in the order of their numbers.
pub async fn list(
    reading: &mut Reading,
    collection: CollectionId,
    filter: &MetadataFilter,
    after: DocumentId,
    limit: usize,
) -> Result<Vec<StoredDocument>, Error> {
    // Every array holds an empty one; without a filter the index on it is not asked.
    let condition = if filter.is_empty() { "$4::bigint[] IS NOT NULL" } else { "d.pairs @> $4" };
    let sql = format!(
        "SELECT {DOCUMENT} FROM documents d WHERE d.collection_id = $1 AND d.id > $2 AND {condition}
         ORDER BY d.id LIMIT $3"
    );
    let rows =
        reading.query(&sql, &[&int(collection.0), &int(after.0), &int(limit as u64), &pairs(filter)]).await?;
    rows.iter().map(stored_document).collect()
}

/// The documents of those numbers that there are and that `filter` lets through.
pub async fn documents(
    reading: &mut Reading,
    collection: CollectionId,
    ids: &[DocumentId],
    filter: &MetadataFilter,
) -> Result<Vec<StoredDocument>, Error> {
    let ids: Vec<i64> = ids.iter().map(|id| int(id.0)).collect();
    let sql = format!(
        "SELECT {DOCUMENT} FROM documents d WHERE d.id = ANY($1) AND d.collection_id = $2 AND d.pairs @> $3"
    );
    let rows = reading.query(&sql, &[&ids, &int(collection.0), &pairs(filter)]).await?;
    rows.iter().map(stored_document).collect()
}

/// The numbers of all documents that `filter` lets through; `None` where there are more than `limit`.
pub async fn matching(
    reading: &mut Reading,
    collection: CollectionId,
    filter: &MetadataFilter,
    limit: usize,
) -> Result<Option<Vec<DocumentId>>, Error> {
    let condition = if filter.is_empty() { "$2::bigint[] IS NOT NULL" } else { "pairs @> $2" };
    let sql =
        format!("SELECT id FROM documents WHERE collection_id = $1 AND {condition} ORDER BY id LIMIT $3");
    let most = int(limit as u64).saturating_add(1);
    let rows = reading.query(&sql, &[&int(collection.0), &pairs(filter), &most]).await?;
    let ids: Vec<DocumentId> =
        rows.iter().map(|row| count(row, 0).map(DocumentId)).collect::<Result<_, _>>()?;
    Ok((ids.len() <= limit).then_some(ids))
}
