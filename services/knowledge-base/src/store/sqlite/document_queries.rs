//! What is asked about documents, as functions of a connection. Each runs inside the caller's transaction.

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};

use super::super::backend::Hit;
use super::super::documents::{
    Collection, CollectionId, CollectionName, DocumentId, DocumentKey, EmbedderKind, Metadata,
    MetadataFilter, NewCollection, StoredDocument,
};
use super::super::model::{Revision, UnixMillis};
use super::super::text::TextQuery;
use super::fts;
use crate::embed::Vector;

const COLLECTION: &str = "id, name, embedder, model, dimension, document_count, created_at_ms";
const DOCUMENT: &str = "d.id, d.key, d.content, d.metadata, d.created_at_ms, d.updated_at_ms, d.revision";

/// Rows of `document_metadata` that have all pairs of a filter.
const HAS_PAIRS: &str = "SELECT rowid FROM document_metadata WHERE document_metadata MATCH ?";

fn stored_collection(row: &Row<'_>) -> rusqlite::Result<Collection> {
    let (name, embedder): (String, String) = (row.get(1)?, row.get(2)?);
    Ok(Collection {
        id: CollectionId(row.get(0)?),
        made_as: NewCollection {
            name: CollectionName::new(&name).ok_or(rusqlite::Error::InvalidQuery)?,
            embedder: EmbedderKind::parse(&embedder).ok_or(rusqlite::Error::InvalidQuery)?,
            model: row.get(3)?,
            dimension: row.get(4)?,
        },
        document_count: row.get(5)?,
        created_at: UnixMillis(row.get(6)?),
    })
}

fn stored_document(row: &Row<'_>) -> rusqlite::Result<StoredDocument> {
    Ok(StoredDocument {
        id: DocumentId(row.get(0)?),
        key: row.get(1)?,
        content: row.get(2)?,
        metadata: Metadata::kept(row.get(3)?),
        created_at: UnixMillis(row.get(4)?),
        updated_at: row.get::<_, Option<i64>>(5)?.map(UnixMillis),
        revision: Revision(row.get(6)?),
    })
}

/// A vector as it is kept: 32-bit floats, little-endian.
pub fn vector_bytes(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|component| component.to_le_bytes()).collect()
}

/// What [`vector_bytes`] gave.
pub fn vector_from(bytes: &[u8]) -> rusqlite::Result<Vector> {
    let (components, _) = bytes.as_chunks::<4>();
    Vector::new(components.iter().map(|component| f32::from_le_bytes(*component)).collect())
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, Type::Blob, Box::new(error)))
}

/// All collections, by name.
pub fn collections(connection: &Connection) -> rusqlite::Result<Vec<Collection>> {
    let sql = format!("SELECT {COLLECTION} FROM collections ORDER BY name");
    connection.prepare_cached(&sql)?.query_map((), stored_collection)?.collect()
}

/// The collection of that number.
pub fn collection(connection: &Connection, id: CollectionId) -> rusqlite::Result<Option<Collection>> {
    let sql = format!("SELECT {COLLECTION} FROM collections WHERE id = ?1");
    connection.prepare_cached(&sql)?.query_row([id.0], stored_collection).optional()
}

/// The collection of that name.
pub fn collection_named(
    connection: &Connection,
    name: &CollectionName,
) -> rusqlite::Result<Option<Collection>> {
    let sql = format!("SELECT {COLLECTION} FROM collections WHERE name = ?1");
    connection.prepare_cached(&sql)?.query_row([name.as_str()], stored_collection).optional()
}

/// The vector of a document.
pub fn vector(connection: &Connection, id: DocumentId) -> rusqlite::Result<Option<Vector>> {
    let mut statement = connection.prepare_cached("SELECT vector FROM vectors WHERE document_id = ?1")?;
    statement.query_row([id.0], |row| vector_from(row.get_ref(0)?.as_blob()?)).optional()
}

/// The document of that id.
pub fn document(
    connection: &Connection,
    collection: CollectionId,
    key: &DocumentKey,
) -> rusqlite::Result<Option<StoredDocument>> {
    let sql = format!("SELECT {DOCUMENT} FROM documents d WHERE d.collection_id = ?1 AND d.key = ?2");
    connection
        .prepare_cached(&sql)?
        .query_row(params![collection.0, key.as_str()], stored_document)
        .optional()
}

/// At most `limit` documents after the number `after`, in the order of their numbers, whether or not their collection
/// is there.
pub fn all(
    connection: &Connection,
    collection: CollectionId,
    after: DocumentId,
    limit: usize,
) -> rusqlite::Result<Vec<StoredDocument>> {
    let sql = format!(
        "SELECT {DOCUMENT} FROM documents d WHERE d.collection_id = ?1 AND d.id > ?2 ORDER BY d.id LIMIT ?3"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    connection
        .prepare_cached(&sql)?
        .query_map(params![collection.0, after.0, limit], stored_document)?
        .collect()
}

/// As [`all`], of those that `filter` lets through.
pub fn list(
    connection: &Connection,
    collection: CollectionId,
    filter: &MetadataFilter,
    after: DocumentId,
    limit: usize,
) -> rusqlite::Result<Vec<StoredDocument>> {
    if filter.is_empty() {
        return all(connection, collection, after, limit);
    }
    let sql = format!(
        "SELECT {DOCUMENT} FROM document_metadata m JOIN documents d ON d.id = m.rowid
         WHERE document_metadata MATCH ?1 AND m.rowid > ?2 AND +d.collection_id = ?3 ORDER BY m.rowid LIMIT ?4"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    connection
        .prepare_cached(&sql)?
        .query_map(params![filter.tokens().join(" "), after.0, collection.0, limit], stored_document)?
        .collect()
}

/// The documents of those numbers that there are and that `filter` lets through.
pub fn documents(
    connection: &Connection,
    collection: CollectionId,
    ids: &[DocumentId],
    filter: &MetadataFilter,
) -> rusqlite::Result<Vec<StoredDocument>> {
    let sql = format!("SELECT {DOCUMENT} FROM documents d WHERE d.id = ?1 AND d.collection_id = ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        let document = statement.query_row([id.0, collection.0], stored_document).optional()?;
        found.extend(document.filter(|document| {
            let tokens = document.metadata.tokens();
            filter.tokens().iter().all(|token| tokens.contains(token))
        }));
    }
    Ok(found)
}

/// The numbers of all documents that `filter` lets through; `None` where there are more than `limit`.
pub fn matching(
    connection: &Connection,
    collection: CollectionId,
    filter: &MetadataFilter,
    limit: usize,
) -> rusqlite::Result<Option<Vec<DocumentId>>> {
    let most = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let (condition, tokens) = if filter.is_empty() {
        (String::new(), String::new())
    } else {
        (format!("AND id IN ({HAS_PAIRS})"), filter.tokens().join(" "))
    };
    let sql = format!("SELECT id FROM documents WHERE collection_id = ? {condition} LIMIT ?");
    let mut values: Vec<&dyn ToSql> = vec![&collection.0];
    if !filter.is_empty() {
        values.push(&tokens);
    }
    values.push(&most);
    let mut statement = connection.prepare_cached(&sql)?;
    let ids = statement.query_map(values.as_slice(), |row| row.get(0).map(DocumentId))?;
    let ids: Vec<DocumentId> = ids.collect::<rusqlite::Result<_>>()?;
    Ok((ids.len() <= limit).then_some(ids))
}

/// The `limit` best documents for a query, best first.
pub fn search(
    connection: &Connection,
    collection: CollectionId,
    query: &TextQuery,
    filter: &MetadataFilter,
    limit: usize,
) -> rusqlite::Result<Vec<Hit<StoredDocument>>> {
    let hit = |row: &Row<'_>| {
        let rank: f64 = row.get(7)?;
        Ok(Hit { score: -rank, found: stored_document(row)?, snippet: row.get(8)? })
    };
    let condition = if filter.is_empty() { String::new() } else { format!("AND d.id IN ({HAS_PAIRS})") };
    let sql = format!(
        "SELECT {DOCUMENT}, t.rank, {snippet} FROM document_text t JOIN documents d ON d.id = t.rowid
         WHERE document_text MATCH ? AND +d.collection_id = ? {condition} ORDER BY t.rank LIMIT ?",
        snippet = fts::snippet("document_text")
    );
    let (tokens, rows) = (filter.tokens().join(" "), i64::try_from(limit).unwrap_or(i64::MAX));
    let mut statement = connection.prepare_cached(&sql)?;
    fts::best(query, limit, |expression| {
        let mut values: Vec<&dyn ToSql> = vec![&expression, &collection.0];
        if !filter.is_empty() {
            values.push(&tokens);
        }
        values.push(&rows);
        statement.query_map(values.as_slice(), hit)?.collect()
    })
}
