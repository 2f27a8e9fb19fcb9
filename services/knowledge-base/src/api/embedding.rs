//! Vectors for documents and queries, from what a collection was made with.

use std::time::Duration;

use axum::http::StatusCode;
use chassis::{ApiError, observe};
use serde_json::json;
use tokio::time::Instant;

use super::ApiState;
use crate::embed::{Embedder, StaticTable, Vector};
use crate::store::{EmbedderKind, NewCollection};

/// Longest time for the vectors of documents: an endpoint may need seconds for a full batch.
pub const DOCUMENTS_TIME_MAX: Duration = Duration::from_secs(30);

/// Longest time for the vector of a query: somebody waits for the answer.
pub const QUERY_TIME_MAX: Duration = Duration::from_secs(5);

impl ApiState {
    /// What makes the vectors of a collection, where it is not the caller. 409 `other_model` where this process has
    /// another model than the collection was made with.
    fn embedder_of(&self, made_as: &NewCollection) -> Result<Embedder, ApiError> {
        let embedder = match made_as.embedder {
            EmbedderKind::Static => Embedder::Static(StaticTable::built_in()),
            EmbedderKind::OpenAi | EmbedderKind::Caller => self.embedder.clone(),
        };
        let is_endpoint = matches!(embedder, Embedder::OpenAi(_));
        if is_endpoint == (made_as.embedder == EmbedderKind::OpenAi) && embedder.model_id() == made_as.model {
            return Ok(embedder);
        }
        let text = "this collection was made with another model than this process has; set BYWASH_EMBEDDER and \
                    BYWASH_EMBEDDER_MODEL, or make a new collection";
        Err(ApiError::new(StatusCode::CONFLICT, "other_model", text)
            .with_details(json!({"model": made_as.model, "embedder": made_as.embedder.as_str()})))
    }

    /// The vectors of `texts` in the model of a collection; `None` for a text of which the model knows nothing. 409
    /// `other_model`; 502 `embedder_refused`, `wrong_dimension`, `invalid_vector`; 503 `embedder_unavailable`.
    pub(super) async fn embed(
        &self,
        made_as: &NewCollection,
        texts: Vec<String>,
        time_max: Duration,
    ) -> Result<Vec<Option<Vector>>, ApiError> {
        let embedder = self.embedder_of(made_as)?;
        let work = embedder.embed(texts, Instant::now() + time_max);
        let vectors = observe::stage("embed", work).await.map_err(|error| {
            tracing::warn!(error = &error as &dyn std::error::Error, "no vectors");
            ApiError::from(&error)
        })?;
        let expected = made_as.dimension;
        match vectors.iter().flatten().find(|vector| vector.dimension() != expected) {
            None => Ok(vectors),
            Some(other) => {
                let text = "the embedder's vectors have another dimension than this collection";
                let details = json!({"expected": expected, "found": other.dimension()});
                Err(ApiError::new(StatusCode::BAD_GATEWAY, "wrong_dimension", text).with_details(details))
            }
        }
    }
}
