//! Documents: put them, get them, list them, delete them.

use std::time::Instant;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use chassis::extract::Json;
use chassis::time::rfc3339;
use chassis::{ApiError, CanRead, CanWrite, extract, observe};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::caught_up::CaughtUp;
use super::embedding::DOCUMENTS_TIME_MAX;
use super::facts::{cursor_after, cursor_from};
use super::{
    ApiState, At, RETRY_AFTER_S, collections, limit_within, origin, read_error, record, write_error,
};
use crate::embed::Vector;
use crate::store::{
    BATCH_DELETE_MAX, BATCH_DOCUMENTS_MAX, Collection, DOCUMENT_BYTES_MAX, DOCUMENT_KEY_BYTES_MAX,
    DocumentId, DocumentKey, DocumentsPut, EmbedderKind, FILTER_PAIRS_MAX, METADATA_BYTES_MAX, Metadata,
    MetadataFilter, NewDocument, StoredDocument,
};

/// Longest body of a request that puts documents, bytes: a batch of documents of ordinary length, or some of the
/// longest with vectors of the largest dimension.
pub const BODY_BYTES_MAX: usize = 8 << 20;

/// Documents on a page where nobody said.
const LIST_LIMIT_DEFAULT: usize = 50;
/// Most documents on a page: with the longest texts some 6 MiB.
pub const DOCUMENTS_LIMIT_MAX: usize = 100;

/// A document as a client sends it.
#[derive(Debug, Deserialize, ToSchema)]
pub struct DocumentBody {
    /// The client's own id, 1 to 512 bytes; another document of that id is replaced.
    id: String,
    /// Its text, at most 64 KiB.
    #[serde(default)]
    content: String,
    /// A flat object of strings, numbers, booleans and lists of them, at most 8 KiB.
    #[serde(default)]
    #[schema(value_type = Object)]
    metadata: Value,
    /// Only where the collection's vectors are the caller's. Any length but 0; it is brought to 1.
    vector: Option<Vec<f32>>,
}

/// What `POST /api/documents` takes.
#[derive(Debug, Deserialize, ToSchema)]
pub struct DocumentsBody {
    /// Where they go.
    collection: String,
    /// At most 256, written as one change.
    documents: Vec<DocumentBody>,
}

/// What became of them.
#[derive(Debug, Serialize, ToSchema)]
pub struct PutAnswer {
    added: u64,
    replaced: u64,
    unchanged: u64,
    #[serde(flatten)]
    at: At,
}

/// A document in an answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct DocumentView {
    id: String,
    content: String,
    #[schema(value_type = Object)]
    metadata: Box<RawValue>,
    created_at: String,
    /// Where it ever was replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<String>,
    /// The change that wrote it last.
    changed_in: u64,
}

impl From<StoredDocument> for DocumentView {
    fn from(document: StoredDocument) -> Self {
        Self {
            id: document.key,
            content: document.content,
            // It was an object when it was made.
            metadata: RawValue::from_string(document.metadata.as_str().to_owned()).unwrap_or_default(),
            created_at: rfc3339(document.created_at.to_system()),
            updated_at: document.updated_at.map(|at| rfc3339(at.to_system())),
            changed_in: document.revision.0,
        }
    }
}

/// A document, and the state it was read in.
#[derive(Debug, Serialize, ToSchema)]
pub struct OneDocument {
    #[serde(flatten)]
    document: DocumentView,
    #[serde(flatten)]
    at: At,
}

/// Documents, and the way to more of them.
#[derive(Debug, Serialize, ToSchema)]
pub struct DocumentPage {
    documents: Vec<DocumentView>,
    #[serde(flatten)]
    at: At,
    /// Where there is more: `cursor` of the next request.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// What `GET /api/documents` takes.
#[derive(Debug, Deserialize, IntoParams)]
pub struct DocumentsQuery {
    /// Where they are.
    collection: String,
    /// 1 to 100; 50 where nobody says.
    limit: Option<usize>,
    /// `next_cursor` of an earlier answer.
    cursor: Option<String>,
    /// JSON of an object: only documents whose metadata has all these pairs.
    filter: Option<String>,
}

/// What `POST /api/documents/delete` takes.
#[derive(Debug, Deserialize, ToSchema)]
pub struct DeleteBody {
    /// Where they are.
    collection: String,
    /// At most 100.
    ids: Vec<String>,
}

/// How many went.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeleteAnswer {
    deleted: u64,
    #[serde(flatten)]
    at: At,
}

/// `POST /api/documents`: all or, where one of them is wrong, none.
///
/// 404 `unknown_collection`; 422 `too_many_documents`, and with the number of the first wrong one in `details.index`
/// `invalid_id`, `document_too_long`, `invalid_metadata`, `missing_vector`, `unwanted_vector`, `wrong_dimension`,
/// `invalid_vector`; what [`ApiState::embed`] refuses.
pub async fn put(
    State(state): State<ApiState>,
    CanWrite(identity): CanWrite,
    Json(body): Json<DocumentsBody>,
) -> Result<Json<PutAnswer>, ApiError> {
    let _slot = state.bulk_requests.try_acquire().map_err(|_| {
        ApiError::unavailable("overloaded", "too many bulk requests are under way; try again", RETRY_AFTER_S)
    })?;
    if body.documents.len() > BATCH_DOCUMENTS_MAX {
        let text = format!("a request takes at most {BATCH_DOCUMENTS_MAX} documents; send more requests");
        return Err(ApiError::unprocessable("too_many_documents", text)
            .with_details(json!({"documents": body.documents.len(), "max": BATCH_DOCUMENTS_MAX})));
    }
    let collection = collections::named(&state, &body.collection).await?.value;
    let started = Instant::now();
    let parsed = body.documents.into_iter().enumerate().map(|(index, document)| {
        parse(&collection, document)
            .map_err(|(code, text)| ApiError::unprocessable(code, text).with_details(json!({"index": index})))
    });
    let mut documents = parsed.collect::<Result<Vec<_>, _>>()?;
    observe::record_stage("parse", started.elapsed());
    if collection.made_as.embedder != EmbedderKind::Caller {
        let texts = documents.iter().map(|document| document.content.clone()).collect();
        let vectors = state.embed(&collection.made_as, texts, DOCUMENTS_TIME_MAX).await?;
        for (document, vector) in documents.iter_mut().zip(vectors) {
            document.vector = vector;
        }
    }
    let id = collection.id;
    let write = state.store.put_documents(id, documents, origin(identity)).await;
    let written = write.map_err(|error| write_error(&error))?;
    record(written.timings);
    // It was there a moment ago.
    let put = written.outcome.ok_or_else(|| collections::unknown(&body.collection))?;
    let DocumentsPut { added, replaced, unchanged } = put;
    Ok(Json(PutAnswer { added, replaced, unchanged, at: At::new(written.revision, &written.epoch) }))
}

/// `GET /api/documents/{collection}/{id}`. 404 `unknown_collection`, `no_such_document`.
pub async fn by_id(
    State(state): State<ApiState>,
    _: CanRead,
    _: CaughtUp,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<Json<OneDocument>, ApiError> {
    let (name, key) = path.map_err(|_| no_such_document())?.0;
    let key = DocumentKey::new(&key).ok_or_else(no_such_document)?;
    let collection = collections::named(&state, &name).await?.value;
    let seen = state.store.document(collection.id, key).await.map_err(|error| read_error(&error))?;
    observe::record_stage("read", seen.elapsed);
    let document = seen.value.ok_or_else(no_such_document)?;
    Ok(Json(OneDocument { document: document.into(), at: At::new(seen.revision, &seen.epoch) }))
}

/// `GET /api/documents`: a page in the order in which they were first put. 400 `invalid_limit`, `invalid_cursor`,
/// `invalid_filter`.
pub async fn list(
    State(state): State<ApiState>,
    _: CanRead,
    _: CaughtUp,
    extract::Query(query): extract::Query<DocumentsQuery>,
) -> Result<Json<DocumentPage>, ApiError> {
    let limit = limit_within(query.limit, LIST_LIMIT_DEFAULT, DOCUMENTS_LIMIT_MAX)?;
    let after = match &query.cursor {
        None => DocumentId(0),
        Some(text) => DocumentId(cursor_from(text, &state.store.snapshot().epoch)?),
    };
    let filter = match &query.filter {
        None => MetadataFilter::default(),
        Some(text) => metadata_filter(&serde_json::from_str(text).unwrap_or(Value::Bool(false)))?,
    };
    let collection = collections::named(&state, &query.collection).await?.value;
    let seen = state.store.list_documents(collection.id, filter, after, limit + 1).await;
    let seen = seen.map_err(|error| read_error(&error))?;
    observe::record_stage("read", seen.elapsed);
    let mut documents = seen.value;
    let more = documents.len() > limit;
    documents.truncate(limit);
    let last = documents.last().filter(|_| more);
    let next_cursor = last.map(|last| cursor_after(last.id.0, &seen.epoch));
    let documents = documents.into_iter().map(DocumentView::from).collect();
    Ok(Json(DocumentPage { documents, at: At::new(seen.revision, &seen.epoch), next_cursor }))
}

/// `DELETE /api/documents/{collection}/{id}`. 404 `unknown_collection`, `no_such_document`.
pub async fn delete_one(
    State(state): State<ApiState>,
    CanWrite(identity): CanWrite,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<Json<DeleteAnswer>, ApiError> {
    let (name, key) = path.map_err(|_| no_such_document())?.0;
    let key = DocumentKey::new(&key).ok_or_else(no_such_document)?;
    let Json(answer) = delete_keys(&state, identity, &name, vec![key]).await?;
    if answer.deleted == 0 { Err(no_such_document()) } else { Ok(Json(answer)) }
}

/// `POST /api/documents/delete`: those that there are. 422 `too_many_documents`, `invalid_id`.
pub async fn delete(
    State(state): State<ApiState>,
    CanWrite(identity): CanWrite,
    Json(body): Json<DeleteBody>,
) -> Result<Json<DeleteAnswer>, ApiError> {
    if body.ids.len() > BATCH_DELETE_MAX {
        let text = format!("a request deletes at most {BATCH_DELETE_MAX} documents; send more requests");
        return Err(ApiError::unprocessable("too_many_documents", text)
            .with_details(json!({"ids": body.ids.len(), "max": BATCH_DELETE_MAX})));
    }
    let keys = body.ids.iter().enumerate().map(|(index, id)| {
        DocumentKey::new(id).ok_or_else(|| {
            ApiError::unprocessable("invalid_id", invalid_id()).with_details(json!({"index": index}))
        })
    });
    let keys = keys.collect::<Result<_, _>>()?;
    delete_keys(&state, identity, &body.collection, keys).await
}

async fn delete_keys(
    state: &ApiState,
    identity: chassis::Identity,
    name: &str,
    keys: Vec<DocumentKey>,
) -> Result<Json<DeleteAnswer>, ApiError> {
    let collection = collections::named(state, name).await?.value;
    let write = state.store.delete_documents(collection.id, keys, origin(identity)).await;
    let written = write.map_err(|error| write_error(&error))?;
    record(written.timings);
    let deleted = written.outcome.ok_or_else(|| collections::unknown(name))?;
    Ok(Json(DeleteAnswer { deleted, at: At::new(written.revision, &written.epoch) }))
}

/// A filter of metadata. 400 `invalid_filter`.
pub fn metadata_filter(value: &Value) -> Result<MetadataFilter, ApiError> {
    MetadataFilter::new(value).ok_or_else(|| {
        let text = format!(
            "filter is a JSON object of at most {FILTER_PAIRS_MAX} strings, numbers and booleans that must all be there"
        );
        ApiError::bad_request("invalid_filter", text)
    })
}

fn no_such_document() -> ApiError {
    ApiError::not_found("no_such_document", "there is no document of this id in the collection")
}

fn invalid_id() -> String {
    format!("an id has 1 to {DOCUMENT_KEY_BYTES_MAX} bytes and no control characters")
}

/// A document of a collection, or the code and text of what is wrong with it.
fn parse(collection: &Collection, body: DocumentBody) -> Result<NewDocument, (&'static str, String)> {
    let key = DocumentKey::new(&body.id).ok_or_else(|| ("invalid_id", invalid_id()))?;
    if body.content.len() > DOCUMENT_BYTES_MAX {
        let text = format!("the content is longer than {DOCUMENT_BYTES_MAX} bytes; cut it into parts");
        return Err(("document_too_long", text));
    }
    let metadata = Metadata::new(&body.metadata).ok_or_else(|| {
        let text = format!(
            "metadata is a flat object of strings, numbers, booleans and lists of them, at most \
             {METADATA_BYTES_MAX} bytes"
        );
        ("invalid_metadata", text)
    })?;
    let vector = match (collection.made_as.embedder, body.vector) {
        (EmbedderKind::Caller, Some(numbers)) => {
            let vector = Vector::of_dimension(numbers, collection.made_as.dimension);
            Some(vector.map_err(|error| (error.code(), error.to_string()))?)
        }
        (EmbedderKind::Caller, None) => {
            let text = "this collection's vectors are the caller's: send one with each document";
            return Err(("missing_vector", text.to_owned()));
        }
        (_, Some(_)) => {
            let text = "this collection's vectors are made here: send none";
            return Err(("unwanted_vector", text.to_owned()));
        }
        // It is made for all documents together.
        (_, None) => None,
    };
    Ok(NewDocument { key, content: body.content, metadata, vector })
}
