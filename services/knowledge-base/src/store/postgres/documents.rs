//! Documents, written inside the writer's transaction. Each change is noted in the same.

use std::borrow::Cow;
use std::collections::HashMap;

use tokio_postgres::Row;

use super::super::backend::{CollectionMade, DocumentsPut};
use super::super::documents::{
    COLLECTIONS_MAX, Collection, CollectionId, CollectionName, DocumentKey, NewCollection, NewDocument,
};
use super::super::events;
use super::super::model::{Origin, Revision, UnixMillis};
use super::connection::{Connection, Value};
use super::document_queries as queries;
use super::error::Error;
use super::facts::{array, note_removed, tokens};
use super::position::{count, int};
use super::text;
use super::transaction::Transaction;
use crate::embed::Vector;

/// Documents of a deleted collection that one transaction frees.
const SWEEP_DOCUMENTS: i64 = 500;

/// Makes a collection where there is none of that name.
pub async fn create_collection(
    transaction: &mut Transaction,
    new: &NewCollection,
    origin: &Origin,
) -> Result<CollectionMade, Error> {
    if let Some(collection) = named(&mut transaction.connection, &new.name).await? {
        return Ok(CollectionMade::Exists(collection));
    }
    let counted = transaction.connection.query_opt("SELECT count(*) FROM collections", &[]).await?;
    if counted.map(|row| count(&row, 0)).transpose()?.unwrap_or(0) >= COLLECTIONS_MAX {
        return Ok(CollectionMade::TooMany);
    }
    let id = CollectionId(transaction.position.next_collection);
    let created_at = UnixMillis::now();
    let revision = transaction.position.revision.next();
    let sql = "INSERT INTO collections (id, name, embedder, model, dimension, document_count, created_at_ms)
               VALUES ($1, $2, $3, $4, $5, 0, $6)";
    let values: [Value<'_>; 6] = [
        &int(id.0),
        &new.name.as_str(),
        &new.embedder.as_str(),
        &text::kept(&new.model),
        &int(new.dimension as u64),
        &created_at.0,
    ];
    transaction.connection.execute(sql, &values).await?;
    transaction.position.next_collection += 1;
    let collection = Collection { id, made_as: new.clone(), document_count: 0, created_at };
    let event = events::collection_created(&collection, revision);
    transaction.append(&event, revision, origin, created_at);
    Ok(CollectionMade::New(collection))
}

/// Deletes a collection. Its documents stay for [`sweep`], invisible without it.
pub async fn delete_collection(
    transaction: &mut Transaction,
    name: &CollectionName,
    origin: &Origin,
) -> Result<Option<Collection>, Error> {
    let connection = &mut transaction.connection;
    let Some(collection) = named(connection, name).await? else { return Ok(None) };
    let id = int(collection.id.0);
    connection.execute("DELETE FROM collections WHERE id = $1", &[&id]).await?;
    connection.execute("INSERT INTO swept (collection_id) VALUES ($1)", &[&id]).await?;
    let deleted_at = UnixMillis::now();
    let revision = transaction.position.revision.next();
    transaction.position.document_count -= collection.document_count;
    let event = events::collection_deleted(&collection, deleted_at, revision);
    transaction.append(&event, revision, origin, deleted_at);
    Ok(Some(collection))
}

/// Frees some of the documents whose collection is deleted; false where there are none.
pub async fn sweep(connection: &mut Connection) -> Result<bool, Error> {
    let Some(swept) = connection.query_opt("SELECT collection_id FROM swept LIMIT 1", &[]).await? else {
        return Ok(false);
    };
    let collection: i64 = swept.try_get(0)?;
    let sql =
        "DELETE FROM documents WHERE id IN (SELECT id FROM documents WHERE collection_id = $1 LIMIT $2)";
    let freed = connection.execute(sql, &[&collection, &SWEEP_DOCUMENTS]).await?;
    if freed < SWEEP_DOCUMENTS.unsigned_abs() {
        connection.execute("DELETE FROM swept WHERE collection_id = $1", &[&collection]).await?;
    }
    Ok(true)
}

/// Adds or replaces documents as one change; `None` where the collection is gone.
pub async fn put(
    transaction: &mut Transaction,
    collection: CollectionId,
    documents: &[NewDocument],
    origin: &Origin,
) -> Result<Option<DocumentsPut>, Error> {
    let Some(kept) = numbered(&mut transaction.connection, collection).await? else { return Ok(None) };
    // The last of several with one id is meant.
    let last: HashMap<&str, usize> =
        documents.iter().enumerate().map(|(index, document)| (document.key.as_str(), index)).collect();
    let before = before(&mut transaction.connection, collection, last.keys().copied().collect()).await?;
    let now = UnixMillis::now();
    let revision = transaction.position.revision.next();
    let mut outcome = DocumentsPut::default();
    let mut rows = Rows::default();
    for (index, document) in documents.iter().enumerate() {
        let before = before.get(document.key.as_str());
        let meant = last.get(document.key.as_str()) == Some(&index);
        if !meant || before.is_some_and(|before| before.is_same(document)) {
            outcome.unchanged += 1;
        } else if let Some(before) = before {
            outcome.replaced += 1;
            rows.push(before.id, document, before.created_at_ms, Some(now.0));
        } else {
            outcome.added += 1;
            rows.push(int(transaction.position.next_document), document, now.0, None);
            transaction.position.next_document += 1;
        }
    }
    if rows.ids.is_empty() {
        return Ok(Some(outcome));
    }
    let event = events::documents_changed(&kept, rows.keys.iter().copied(), now, revision);
    rows.write(&mut transaction.connection, collection, revision).await?;
    transaction.position.document_count += outcome.added;
    set_count(&mut transaction.connection, collection, kept.document_count + outcome.added).await?;
    transaction.append(&event, revision, origin, now);
    Ok(Some(outcome))
}

/// Deletes documents as one change and says how many there were; `None` where the collection is gone.
pub async fn delete(
    transaction: &mut Transaction,
    collection: CollectionId,
    keys: &[DocumentKey],
    origin: &Origin,
) -> Result<Option<u64>, Error> {
    let connection = &mut transaction.connection;
    let Some(kept) = numbered(connection, collection).await? else { return Ok(None) };
    let names: Vec<&str> = keys.iter().map(DocumentKey::as_str).collect();
    let sql = "DELETE FROM documents WHERE collection_id = $1 AND key = ANY($2) RETURNING id, key";
    let gone = connection.query(sql, &[&int(collection.0), &names]).await?;
    if gone.is_empty() {
        return Ok(Some(0));
    }
    let mut removed = Vec::with_capacity(gone.len());
    for row in &gone {
        removed.push((row.try_get::<_, i64>(0)?, row.try_get::<_, String>(1)?));
    }
    removed.sort_unstable();
    let (ids, names): (Vec<i64>, Vec<String>) = removed.into_iter().unzip();
    let count_gone = ids.len() as u64;
    let revision = transaction.position.revision.next();
    note_removed(connection, revision, collection, &ids).await?;
    set_count(connection, collection, kept.document_count - count_gone).await?;
    transaction.position.document_count -= count_gone;
    let deleted_at = UnixMillis::now();
    let event = events::documents_deleted(&kept, names, deleted_at, revision);
    transaction.append(&event, revision, origin, deleted_at);
    Ok(Some(count_gone))
}

async fn named(connection: &mut Connection, name: &CollectionName) -> Result<Option<Collection>, Error> {
    let sql = format!("SELECT {} FROM collections WHERE name = $1", queries::COLLECTION);
    let row = connection.query_opt(&sql, &[&name.as_str()]).await?;
    row.map(|row| queries::stored_collection(&row)).transpose()
}

async fn numbered(connection: &mut Connection, id: CollectionId) -> Result<Option<Collection>, Error> {
    let sql = format!("SELECT {} FROM collections WHERE id = $1", queries::COLLECTION);
    let row = connection.query_opt(&sql, &[&int(id.0)]).await?;
    row.map(|row| queries::stored_collection(&row)).transpose()
}

async fn set_count(connection: &mut Connection, collection: CollectionId, count: u64) -> Result<(), Error> {
    let sql = "UPDATE collections SET document_count = $2 WHERE id = $1";
    connection.execute(sql, &[&int(collection.0), &int(count)]).await.map(drop)
}

/// A document that is to be replaced, or left alone.
struct Before {
    id: i64,
    content: String,
    metadata: String,
    created_at_ms: i64,
    vector: Option<Vector>,
}

impl Before {
    fn from_row(row: &Row) -> Result<(String, Self), Error> {
        let vector: Option<&[u8]> = row.try_get(5)?;
        let before = Self {
            id: row.try_get(1)?,
            content: text::given(row.try_get(2)?),
            metadata: row.try_get(3)?,
            created_at_ms: row.try_get(4)?,
            vector: vector.map(queries::vector_from).transpose()?,
        };
        Ok((row.try_get(0)?, before))
    }

    fn is_same(&self, document: &NewDocument) -> bool {
        self.content == document.content
            && self.metadata == document.metadata.as_str()
            && self.vector == document.vector
    }
}

async fn before(
    connection: &mut Connection,
    collection: CollectionId,
    keys: Vec<&str>,
) -> Result<HashMap<String, Before>, Error> {
    let sql = "SELECT key, id, content, metadata, created_at_ms, vector FROM documents
               WHERE collection_id = $1 AND key = ANY($2)";
    connection.query(sql, &[&int(collection.0), &keys]).await?.iter().map(Before::from_row).collect()
}

/// Documents to be written, by columns.
#[derive(Default)]
struct Rows<'a> {
    ids: Vec<i64>,
    keys: Vec<&'a str>,
    contents: Vec<Cow<'a, str>>,
    metadata: Vec<&'a str>,
    created: Vec<i64>,
    updated: Vec<Option<i64>>,
    vectors: Vec<Option<Vec<u8>>>,
    pairs: Vec<String>,
}

impl<'a> Rows<'a> {
    fn push(&mut self, id: i64, document: &'a NewDocument, created_at_ms: i64, updated_at_ms: Option<i64>) {
        self.ids.push(id);
        self.keys.push(document.key.as_str());
        self.contents.push(text::kept(&document.content));
        self.metadata.push(document.metadata.as_str());
        self.created.push(created_at_ms);
        self.updated.push(updated_at_ms);
        self.vectors.push(document.vector.as_deref().map(queries::vector_bytes));
        self.pairs.push(array(&tokens(&document.metadata.tokens().join(" "))));
    }

    async fn write(
        self,
        connection: &mut Connection,
        collection: CollectionId,
        revision: Revision,
    ) -> Result<(), Error> {
        let sql =
            "INSERT INTO documents (id, collection_id, key, content, metadata, created_at_ms, updated_at_ms,
                                          revision, vector, pairs)
                   SELECT id, $1, key, content, metadata, created, updated, $2, vector, pairs::bigint[]
                   FROM unnest($3::bigint[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[],
                               $9::bytea[], $10::text[])
                        AS new (id, key, content, metadata, created, updated, vector, pairs)
                   ON CONFLICT (id) DO UPDATE SET
                       content = excluded.content, metadata = excluded.metadata,
                       updated_at_ms = excluded.updated_at_ms, revision = excluded.revision,
                       vector = excluded.vector, pairs = excluded.pairs";
        let values: [Value<'_>; 10] = [
            &int(collection.0),
            &int(revision.0),
            &self.ids,
            &self.keys,
            &self.contents,
            &self.metadata,
            &self.created,
            &self.updated,
            &self.vectors,
            &self.pairs,
        ];
        connection.execute(sql, &values).await.map(drop)
    }
}
