//! Collections: what a set of documents is called and what makes its vectors.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chassis::extract::Json;
use chassis::time::rfc3339;
use chassis::{ApiError, CanRead, CanWrite, observe};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::caught_up::CaughtUp;
use super::embedding::QUERY_TIME_MAX;
use super::{ApiState, At, origin, read_error, record, write_error};
use crate::embed::{DIMENSION_MAX, Embedder, StaticTable};
use crate::store::{
    COLLECTIONS_MAX, Collection, CollectionMade, CollectionName, EmbedderKind, FACTS, NewCollection, Seen,
};

/// Longest id of a model, bytes.
const MODEL_BYTES_MAX: usize = 128;

/// Who makes the vectors of a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum EmbedderName {
    /// The table in this program.
    Static,
    /// The endpoint of the settings.
    OpenAi,
    /// The client, who sends a vector with each document and each query.
    Caller,
}

/// What a collection is made with; none of it can be changed later.
#[derive(Debug, Deserialize, ToSchema)]
pub struct CollectionBody {
    /// A lower-case letter, then lower-case letters, digits, `_` and `-`; at most 64.
    name: String,
    /// What the settings say where nobody does: `static` or `openai`.
    #[serde(default)]
    #[schema(inline)]
    embedder: Option<EmbedderName>,
    /// With `caller`: which model makes the vectors. Vectors of two models do not compare.
    model: Option<String>,
    /// With `caller`: numbers in a vector, 1 to 4,096.
    dimension: Option<usize>,
}

/// A collection in an answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct CollectionView {
    name: String,
    /// `static`, `openai` or `caller`.
    embedder: &'static str,
    model: String,
    dimension: usize,
    document_count: u64,
    created_at: String,
}

impl From<Collection> for CollectionView {
    fn from(collection: Collection) -> Self {
        Self {
            name: collection.made_as.name.as_str().to_owned(),
            embedder: collection.made_as.embedder.as_str(),
            model: collection.made_as.model,
            dimension: collection.made_as.dimension,
            document_count: collection.document_count,
            created_at: rfc3339(collection.created_at.to_system()),
        }
    }
}

/// A collection, and the state it was read in.
#[derive(Debug, Serialize, ToSchema)]
pub struct OneCollection {
    #[serde(flatten)]
    collection: CollectionView,
    #[serde(flatten)]
    at: At,
}

/// All collections, by name. The facts are one too, without being listed.
#[derive(Debug, Serialize, ToSchema)]
pub struct AllCollections {
    collections: Vec<CollectionView>,
    #[serde(flatten)]
    at: At,
}

/// `GET /api/collections`.
pub async fn list(
    State(state): State<ApiState>,
    _: CanRead,
    _: CaughtUp,
) -> Result<Json<AllCollections>, ApiError> {
    let seen = state.store.collections().await.map_err(|error| read_error(&error))?;
    observe::record_stage("read", seen.elapsed);
    let at = At::new(seen.revision, &seen.epoch);
    Ok(Json(AllCollections { collections: seen.value.into_iter().map(CollectionView::from).collect(), at }))
}

/// `GET /api/collections/{name}`. 404 `unknown_collection`.
pub async fn by_name(
    State(state): State<ApiState>,
    _: CanRead,
    _: CaughtUp,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<OneCollection>, ApiError> {
    let name = path.map_or_else(|_| String::new(), |Path(name)| name);
    let seen = named(&state, &name).await?;
    observe::record_stage("read", seen.elapsed);
    let at = At::new(seen.revision, &seen.epoch);
    Ok(Json(OneCollection { collection: seen.value.into(), at }))
}

/// `POST /api/collections`: 201, or 200 where it is there just so; 409 `collection_exists` where it was made otherwise,
/// `too_many_collections`; 422 `invalid_collection`, `invalid_model`, `invalid_dimension`, `no_embedder`.
pub async fn create(
    State(state): State<ApiState>,
    CanWrite(identity): CanWrite,
    Json(body): Json<CollectionBody>,
) -> Result<Response, ApiError> {
    let wanted = parse(&state, body).await?;
    let write = state.store.create_collection(wanted.clone(), origin(identity)).await;
    let written = write.map_err(|error| write_error(&error))?;
    record(written.timings);
    let at = At::new(written.revision, &written.epoch);
    let (status, collection) = match written.outcome {
        CollectionMade::New(collection) => (StatusCode::CREATED, collection),
        CollectionMade::Exists(collection) if collection.made_as == wanted => (StatusCode::OK, collection),
        CollectionMade::Exists(collection) => {
            let text = format!("there is a collection {} that was made otherwise", wanted.name);
            return Err(ApiError::new(StatusCode::CONFLICT, "collection_exists", text)
                .with_details(json!({"collection": CollectionView::from(collection)})));
        }
        CollectionMade::TooMany => {
            let text = format!("there may be {COLLECTIONS_MAX} collections; delete one, or use metadata");
            return Err(ApiError::new(StatusCode::CONFLICT, "too_many_collections", text)
                .with_details(json!({"max": COLLECTIONS_MAX})));
        }
    };
    Ok((status, Json(OneCollection { collection: collection.into(), at })).into_response())
}

/// `DELETE /api/collections/{name}`, with all its documents. 404 `unknown_collection`.
pub async fn delete(
    State(state): State<ApiState>,
    CanWrite(identity): CanWrite,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<OneCollection>, ApiError> {
    let name = path.map_or_else(|_| String::new(), |Path(name)| name);
    let parsed = CollectionName::new(&name).ok_or_else(|| unknown(&name))?;
    let write = state.store.delete_collection(parsed, origin(identity)).await;
    let written = write.map_err(|error| write_error(&error))?;
    record(written.timings);
    let at = At::new(written.revision, &written.epoch);
    let collection = written.outcome.ok_or_else(|| unknown(&name))?;
    Ok(Json(OneCollection { collection: collection.into(), at }))
}

/// The collection of that name. 404 `unknown_collection`.
pub async fn named(state: &ApiState, name: &str) -> Result<Seen<Collection>, ApiError> {
    let seen = state.store.collections().await.map_err(|error| read_error(&error))?;
    let found = seen.value.into_iter().find(|collection| collection.made_as.name.as_str() == name);
    let value = found.ok_or_else(|| unknown(name))?;
    Ok(Seen { value, revision: seen.revision, epoch: seen.epoch, elapsed: seen.elapsed })
}

pub fn unknown(name: &str) -> ApiError {
    let text = if name == FACTS {
        "the facts are a collection of their own kind; see /api/facts"
    } else {
        "there is no such collection; GET /api/collections names all"
    };
    ApiError::not_found("unknown_collection", text).with_details(json!({"collection": name}))
}

async fn parse(state: &ApiState, body: CollectionBody) -> Result<NewCollection, ApiError> {
    let name = CollectionName::new(&body.name).ok_or_else(|| {
        let text = "a name is a lower-case letter, then lower-case letters, digits, `_` and `-`, at most 64; \
                    `facts` is taken";
        ApiError::unprocessable("invalid_collection", text)
    })?;
    let is_endpoint = matches!(state.embedder, Embedder::OpenAi(_));
    let (kind, embedder) = match body.embedder {
        Some(EmbedderName::Caller) => return callers(name, body.model, body.dimension),
        Some(EmbedderName::OpenAi) | None if is_endpoint => (EmbedderKind::OpenAi, state.embedder.clone()),
        Some(EmbedderName::OpenAi) => {
            let text = "there is no endpoint for embeddings; set BYWASH_EMBEDDER=openai";
            return Err(ApiError::unprocessable("no_embedder", text));
        }
        Some(EmbedderName::Static) | None => {
            (EmbedderKind::Static, Embedder::Static(StaticTable::built_in()))
        }
    };
    let model = embedder.model(Instant::now() + QUERY_TIME_MAX).await.map_err(|error| {
        tracing::warn!(error = &error as &dyn std::error::Error, "the model's dimension is not known");
        ApiError::from(&error)
    })?;
    let other_model = body.model.is_some_and(|wanted| wanted != *model.id);
    if other_model || body.dimension.is_some_and(|wanted| wanted != model.dimension) {
        let text = "the embedder has one model and one dimension; leave both out";
        return Err(ApiError::unprocessable("invalid_model", text)
            .with_details(json!({"model": *model.id, "dimension": model.dimension})));
    }
    Ok(NewCollection { name, embedder: kind, model: model.id.to_string(), dimension: model.dimension })
}

/// A collection whose vectors the caller makes.
fn callers(
    name: CollectionName,
    model: Option<String>,
    dimension: Option<usize>,
) -> Result<NewCollection, ApiError> {
    let model = model
        .filter(|model| (1..=MODEL_BYTES_MAX).contains(&model.len()) && !model.chars().any(char::is_control));
    let model = model.ok_or_else(|| {
        let text = format!("name the model that makes the vectors, in 1 to {MODEL_BYTES_MAX} bytes");
        ApiError::unprocessable("invalid_model", text)
    })?;
    let dimension = dimension.filter(|dimension| (1..=DIMENSION_MAX).contains(dimension));
    let dimension = dimension.ok_or_else(|| {
        let text = format!("say how many numbers a vector has, 1 to {DIMENSION_MAX}");
        ApiError::unprocessable("invalid_dimension", text)
    })?;
    Ok(NewCollection { name, embedder: EmbedderKind::Caller, model, dimension })
}
