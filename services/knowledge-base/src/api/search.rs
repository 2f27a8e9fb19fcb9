//! `POST /api/search`: facts by the words in them.

use axum::extract::State;
use chassis::extract::Json;
use chassis::{ApiError, CanRead, observe};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::caught_up::CaughtUp;
use super::facts::FactView;
use super::{ApiState, At, limit_within, read_error};
use crate::store::{Confidence, TextQuery};

/// Results where nobody said.
pub const SEARCH_LIMIT_DEFAULT: usize = 20;
/// Most results of a search.
pub const SEARCH_LIMIT_MAX: usize = 100;
/// Longest query, bytes.
pub const QUERY_BYTES_MAX: usize = 1024;

/// How facts are found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// By words.
    #[default]
    Text,
    /// By meaning; there are no vectors yet.
    Vector,
    /// By both.
    Hybrid,
}

/// What a search takes.
#[derive(Debug, Deserialize, ToSchema)]
pub struct SearchBody {
    /// Words; at most 1,024 bytes.
    query: String,
    /// 1 to 100; 20 where nobody says.
    limit: Option<usize>,
    #[serde(default)]
    mode: Mode,
    /// 0 to 1.
    min_confidence: Option<f64>,
}

/// A fact that was found.
#[derive(Debug, Serialize, ToSchema)]
struct Hit {
    #[serde(flatten)]
    fact: FactView,
    /// How well it fits; it compares within one answer only.
    score: f64,
    /// The part of it that fits best.
    snippet: String,
}

/// What was found, the best first.
#[derive(Debug, Serialize, ToSchema)]
pub struct SearchAnswer {
    results: Vec<Hit>,
    /// As asked for.
    mode: &'static str,
    #[serde(flatten)]
    at: At,
}

/// `POST /api/search`: the best facts first.
///
/// 422 `not_available` for a mode that this process does not have, `empty_query`, `query_too_long`,
/// `invalid_confidence`; 400 `invalid_limit`.
pub async fn search(
    State(state): State<ApiState>,
    _: CanRead,
    _: CaughtUp,
    Json(body): Json<SearchBody>,
) -> Result<Json<SearchAnswer>, ApiError> {
    if body.mode != Mode::Text {
        return Err(ApiError::unprocessable(
            "not_available",
            "this knowledge base searches in mode text only",
        ));
    }
    let limit = limit_within(body.limit, SEARCH_LIMIT_DEFAULT, SEARCH_LIMIT_MAX)?;
    let query = text_query(&body.query)?;
    let min_confidence = match body.min_confidence {
        None => None,
        Some(value) => Some(Confidence::new(value).ok_or_else(|| {
            ApiError::unprocessable("invalid_confidence", "min_confidence must be from 0 to 1")
        })?),
    };
    let seen = state.store.search(query, min_confidence, limit).await.map_err(|error| read_error(&error))?;
    observe::record_stage("read", seen.elapsed);
    let results = seen
        .value
        .into_iter()
        .map(|hit| Hit { fact: hit.found.into(), score: hit.score, snippet: hit.snippet })
        .collect();
    Ok(Json(SearchAnswer { results, mode: "text", at: At::new(seen.revision, &seen.epoch) }))
}

/// The words of `query`, for the store. 422 `query_too_long`, `empty_query`.
pub fn text_query(query: &str) -> Result<TextQuery, ApiError> {
    if query.len() > QUERY_BYTES_MAX {
        let message = format!("the query is longer than {QUERY_BYTES_MAX} bytes");
        return Err(ApiError::unprocessable("query_too_long", message));
    }
    TextQuery::parse(query)
        .ok_or_else(|| ApiError::unprocessable("empty_query", "the query has no letter and no digit"))
}
