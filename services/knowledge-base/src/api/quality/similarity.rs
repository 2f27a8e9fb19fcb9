//! `POST /api/quality/semantic_similarity`: how near two texts are in meaning, or which facts are nearest to one.

use axum::extract::State;
use chassis::extract::Json;
use chassis::{ApiError, CanRead};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::super::caught_up::CaughtUp;
use super::super::facts::FactView;
use super::super::search::SEARCH_LIMIT_MAX;
use super::super::{ApiState, At, RETRY_AFTER_S, limit_within};
use super::{PAGE_DEFAULT, threshold_in};
use crate::embed::{StaticTable, Vector};
use crate::grammar::{STATEMENT_BYTES_MAX, parse};
use crate::search::{Adapter, Content, Mode, Nearest, Place, Question, revision_of};
use crate::store::{CollectionId, TextQuery};

/// What `POST /api/quality/semantic_similarity` takes: `a` and `b`, or `statement`. Texts have at most 8,192 bytes; one
/// that is a statement of a fact is taken as that, with its names taken apart.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct SimilarityBody {
    /// One text of two.
    a: Option<String>,
    /// The other.
    b: Option<String>,
    /// A text whose nearest facts are wanted.
    statement: Option<String>,
    /// Most facts, 1 to 100; 20 where nobody says.
    limit: Option<usize>,
    /// Only facts of at least this similarity, 0 to 1.
    threshold: Option<f64>,
}

/// A fact and how near it is.
#[derive(Debug, Serialize, ToSchema)]
pub struct NearFact {
    #[serde(flatten)]
    fact: FactView,
    /// The cosine.
    similarity: f64,
}

/// How near texts are in meaning.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum SimilarityAnswer {
    /// Of two texts.
    Two {
        /// -1 to 1: the cosine of their vectors.
        similarity: f64,
        /// What made the vectors.
        model: String,
        #[serde(flatten)]
        at: At,
    },
    /// Of a text and the facts.
    Facts {
        /// The nearest first.
        facts: Vec<NearFact>,
        /// What made the vectors.
        model: String,
        #[serde(flatten)]
        at: At,
    },
}

/// `POST /api/quality/semantic_similarity`: 422 `missing_text`, `text_too_long`, `unknown_words`; 400 `invalid_limit`,
/// `invalid_threshold`; 503 `vectors_unavailable`.
pub async fn semantic_similarity(
    State(state): State<ApiState>,
    _: CanRead,
    caught_up: CaughtUp,
    Json(body): Json<SimilarityBody>,
) -> Result<Json<SimilarityAnswer>, ApiError> {
    let limit = limit_within(body.limit, PAGE_DEFAULT, SEARCH_LIMIT_MAX)?;
    let threshold = threshold_in(body.threshold, 0.0)?;
    let model = StaticTable::built_in().model().id.to_string();
    match (&body.a, &body.b, &body.statement) {
        (Some(a), Some(b), None) => {
            let similarity = f64::from(meaning("a", a)?.cosine(&meaning("b", b)?));
            let snapshot = state.store.snapshot();
            let at = At::new(snapshot.revision, &snapshot.epoch);
            Ok(Json(SimilarityAnswer::Two { similarity, model, at }))
        }
        (None, None, Some(statement)) => {
            let vector = meaning("statement", statement)?;
            let question = Question {
                place: Place::Facts(None),
                words: TextQuery::parse(statement),
                vector: Some(vector),
                mode: Mode::Vector,
                limit,
                threshold,
            };
            nearest(&state, &caught_up, question, model).await.map(Json)
        }
        _ => Err(ApiError::unprocessable("missing_text", "send a and b, or statement")),
    }
}

async fn nearest(
    state: &ApiState,
    caught_up: &CaughtUp,
    question: Question,
    model: String,
) -> Result<SimilarityAnswer, ApiError> {
    let mut exact = state.vectors.exact(CollectionId::FACTS).ok_or_else(vectors_unavailable)?;
    caught_up.seen_by(&mut exact, revision_of).await?;
    // Or the fallback would look at all facts for an answer that is none.
    if !state.vectors.is_ready() {
        return Err(vectors_unavailable());
    }
    let found = super::super::search::ask(state, question).await?;
    if found.adapter != Adapter::Primary || found.mode != Mode::Vector {
        return Err(vectors_unavailable());
    }
    let at = At::new(found.revision, &found.epoch);
    let facts = found.items.into_iter().filter_map(|item| match item.content {
        Content::Fact(fact) => Some(NearFact { fact: fact.into(), similarity: item.score }),
        Content::Document(_) => None,
    });
    Ok(SimilarityAnswer::Facts { facts: facts.collect(), model, at })
}

/// 503: the facts' vectors are not there.
pub fn vectors_unavailable() -> ApiError {
    let text = "the facts' vectors are being built, broken or switched off (THEMIS_ENABLED)";
    ApiError::unavailable("vectors_unavailable", text, RETRY_AFTER_S)
}

/// What a text means, as facts are embedded. 422 `text_too_long`, `unknown_words`.
fn meaning(parameter: &'static str, text: &str) -> Result<Vector, ApiError> {
    if text.len() > STATEMENT_BYTES_MAX {
        let message = format!("{parameter} is longer than {STATEMENT_BYTES_MAX} bytes");
        return Err(ApiError::unprocessable("text_too_long", message)
            .with_details(json!({"parameter": parameter, "max": STATEMENT_BYTES_MAX})));
    }
    let table = StaticTable::built_in();
    let vector = match parse(text) {
        Ok(fact) => table.embed_statement(&fact.to_string()),
        Err(_) => table.embed_text(text),
    };
    vector.ok_or_else(|| {
        ApiError::unprocessable("unknown_words", format!("{parameter} has no word that the model knows"))
            .with_details(json!({"parameter": parameter}))
    })
}
