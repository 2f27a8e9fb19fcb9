//! Documents and their indexes, written inside the writer's transaction. Each change is logged in the same.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::super::backend::{BATCH_DELETE_MAX, CollectionMade, DocumentsPut};
use super::super::documents::{
    COLLECTIONS_MAX, Collection, CollectionId, CollectionName, DocumentId, DocumentKey, NewCollection,
    NewDocument, StoredDocument,
};
use super::super::events;
use super::super::model::{Origin, Revision, UnixMillis};
use super::document_queries as queries;
use super::position::Position;
use super::{facts, log};

/// Documents of a deleted collection that one transaction frees: as many as a request deletes, some 10 ms.
const SWEEP_DOCUMENTS: usize = BATCH_DELETE_MAX;

/// Makes a collection where there is none of that name.
pub fn create_collection(
    connection: &Connection,
    position: &mut Position,
    new: &NewCollection,
    origin: &Origin,
) -> rusqlite::Result<CollectionMade> {
    if let Some(collection) = queries::collection_named(connection, &new.name)? {
        return Ok(CollectionMade::Exists(collection));
    }
    let count: u64 = connection.query_row("SELECT count(*) FROM collections", (), |row| row.get(0))?;
    if count >= COLLECTIONS_MAX {
        return Ok(CollectionMade::TooMany);
    }
    let id = CollectionId(position.next_collection);
    let created_at = UnixMillis::now();
    let revision = position.revision.next();
    connection
        .prepare_cached(
            "INSERT INTO collections (id, name, embedder, model, dimension, document_count, created_at_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6)",
        )?
        .execute(params![
            id.0,
            new.name.as_str(),
            new.embedder.as_str(),
            new.model,
            new.dimension,
            created_at.0
        ])?;
    position.next_collection += 1;
    let collection = Collection { id, made_as: new.clone(), document_count: 0, created_at };
    let event = events::collection_created(&collection, revision);
    log::append(connection, position, &event, revision, origin, created_at)?;
    Ok(CollectionMade::New(collection))
}

/// Deletes a collection. Its documents stay for [`sweep`], invisible without it.
pub fn delete_collection(
    connection: &Connection,
    position: &mut Position,
    name: &CollectionName,
    origin: &Origin,
) -> rusqlite::Result<Option<Collection>> {
    let Some(collection) = queries::collection_named(connection, name)? else { return Ok(None) };
    let deleted_at = UnixMillis::now();
    let revision = position.revision.next();
    connection.prepare_cached("DELETE FROM collections WHERE id = ?1")?.execute([collection.id.0])?;
    connection.prepare_cached("INSERT INTO swept (collection_id) VALUES (?1)")?.execute([collection.id.0])?;
    position.document_count -= collection.document_count;
    let event = events::collection_deleted(&collection, deleted_at, revision);
    log::append(connection, position, &event, revision, origin, deleted_at)?;
    Ok(Some(collection))
}

/// Frees some of the documents whose collection is deleted; false where there are none.
pub fn sweep(connection: &Connection) -> rusqlite::Result<bool> {
    let collection: Option<u64> =
        connection.query_row("SELECT collection_id FROM swept LIMIT 1", (), |row| row.get(0)).optional()?;
    let Some(collection) = collection.map(CollectionId) else { return Ok(false) };
    let documents = queries::all(connection, collection, DocumentId(0), SWEEP_DOCUMENTS)?;
    for document in &documents {
        erase(connection, collection, document)?;
    }
    if documents.is_empty() {
        connection.execute("DELETE FROM swept WHERE collection_id = ?1", [collection.0])?;
    }
    Ok(true)
}

/// Adds or replaces documents as one change; `None` where the collection is gone.
pub fn put(
    connection: &Connection,
    position: &mut Position,
    collection: CollectionId,
    documents: &[NewDocument],
    origin: &Origin,
) -> rusqlite::Result<Option<DocumentsPut>> {
    let Some(kept) = queries::collection(connection, collection)? else { return Ok(None) };
    let now = UnixMillis::now();
    let revision = position.revision.next();
    let mut outcome = DocumentsPut::default();
    let mut changed: Vec<&str> = Vec::new();
    // The last of several with one id is meant.
    let last: HashMap<&str, usize> =
        documents.iter().enumerate().map(|(index, document)| (document.key.as_str(), index)).collect();
    for (index, document) in documents.iter().enumerate() {
        if last.get(document.key.as_str()) != Some(&index) {
            outcome.unchanged += 1;
            continue;
        }
        let before = queries::document(connection, collection, &document.key)?;
        match &before {
            Some(before) if is_same(connection, before, document)? => {
                outcome.unchanged += 1;
                continue;
            }
            Some(before) => {
                erase(connection, collection, before)?;
                outcome.replaced += 1;
            }
            None => outcome.added += 1,
        }
        let id = before.as_ref().map_or(DocumentId(position.next_document), |before| before.id);
        if before.is_none() {
            position.next_document += 1;
        }
        let (created_at, updated_at) = before.map_or((now, None), |before| (before.created_at, Some(now)));
        let times = Times { created_at, updated_at, revision };
        insert(connection, collection, id, document, times)?;
        changed.push(document.key.as_str());
    }
    if changed.is_empty() {
        return Ok(Some(outcome));
    }
    position.document_count += outcome.added;
    count(connection, collection, kept.document_count + outcome.added)?;
    let event = events::documents_changed(&kept, changed.into_iter(), now, revision);
    log::append(connection, position, &event, revision, origin, now)?;
    Ok(Some(outcome))
}

/// Deletes documents as one change and says how many there were; `None` where the collection is gone.
pub fn delete(
    connection: &Connection,
    position: &mut Position,
    collection: CollectionId,
    keys: &[DocumentKey],
    origin: &Origin,
) -> rusqlite::Result<Option<u64>> {
    let Some(kept) = queries::collection(connection, collection)? else { return Ok(None) };
    let revision = position.revision.next();
    let mut gone = Vec::new();
    for key in keys {
        if let Some(document) = queries::document(connection, collection, key)? {
            erase(connection, collection, &document)?;
            facts::note_removed(connection, revision, collection, document.id.0)?;
            gone.push(document.key);
        }
    }
    let count_gone = gone.len() as u64;
    if count_gone == 0 {
        return Ok(Some(0));
    }
    position.document_count -= count_gone;
    count(connection, collection, kept.document_count - count_gone)?;
    let deleted_at = UnixMillis::now();
    let event = events::documents_deleted(&kept, gone, deleted_at, revision);
    log::append(connection, position, &event, revision, origin, deleted_at)?;
    Ok(Some(count_gone))
}

fn count(connection: &Connection, collection: CollectionId, count: u64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE collections SET document_count = ?2 WHERE id = ?1")?
        .execute([collection.0, count])
        .map(drop)
}

fn is_same(
    connection: &Connection,
    before: &StoredDocument,
    document: &NewDocument,
) -> rusqlite::Result<bool> {
    Ok(before.content == document.content
        && before.metadata == document.metadata
        && queries::vector(connection, before.id)? == document.vector)
}

#[derive(Clone, Copy)]
struct Times {
    created_at: UnixMillis,
    updated_at: Option<UnixMillis>,
    revision: Revision,
}

fn insert(
    connection: &Connection,
    collection: CollectionId,
    id: DocumentId,
    document: &NewDocument,
    times: Times,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO documents (id, collection_id, key, content, metadata, created_at_ms, updated_at_ms, revision)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            id.0,
            collection.0,
            document.key.as_str(),
            document.content,
            document.metadata.as_str(),
            times.created_at.0,
            times.updated_at.map(|at| at.0),
            times.revision.0,
        ])?;
    if let Some(vector) = &document.vector {
        connection
            .prepare_cached("INSERT INTO vectors (document_id, vector) VALUES (?1, ?2)")?
            .execute(params![id.0, queries::vector_bytes(vector)])?;
    }
    connection
        .prepare_cached("INSERT INTO document_text (rowid, content) VALUES (?1, ?2)")?
        .execute(params![id.0, document.content])?;
    let tokens = document.metadata.tokens().join(" ");
    if !tokens.is_empty() {
        connection
            .prepare_cached("INSERT INTO document_metadata (rowid, pairs) VALUES (?1, ?2)")?
            .execute(params![id.0, tokens])?;
    }
    Ok(())
}

/// Takes a document and all that finds it out of the tables.
fn erase(
    connection: &Connection,
    collection: CollectionId,
    document: &StoredDocument,
) -> rusqlite::Result<()> {
    let id = document.id.0;
    connection
        .prepare_cached(
            "INSERT INTO document_text (document_text, rowid, content) VALUES ('delete', ?1, ?2)",
        )?
        .execute(params![id, document.content])?;
    let tokens = document.metadata.tokens().join(" ");
    if !tokens.is_empty() {
        connection
            .prepare_cached(
                "INSERT INTO document_metadata (document_metadata, rowid, pairs) VALUES ('delete', ?1, ?2)",
            )?
            .execute(params![id, tokens])?;
    }
    connection.prepare_cached("DELETE FROM vectors WHERE document_id = ?1")?.execute([id])?;
    connection
        .prepare_cached("DELETE FROM documents WHERE id = ?1 AND collection_id = ?2")?
        .execute([id, collection.0])
        .map(drop)
}
