//! `POST /api/search`: facts or documents by words, by meaning, or by both.

use axum::extract::State;
use axum::http::StatusCode;
use chassis::extract::Json;
use chassis::{ApiError, CanRead};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::caught_up::CaughtUp;
use super::collections;
use super::documents::{DocumentView, metadata_filter};
use super::embedding::QUERY_TIME_MAX;
use super::facts::FactView;
use super::{ApiState, At, RETRY_AFTER_S, limit_within, read_error};
use crate::embed::{StaticTable, Vector};
use crate::search::{Content, Found, Item, Mode, Place, Question, SearchError, revision_of};
use crate::store::{Collection, Confidence, EmbedderKind, FACTS, TextQuery};

/// Results where nobody said.
pub const SEARCH_LIMIT_DEFAULT: usize = 20;
/// Most results of a search.
pub const SEARCH_LIMIT_MAX: usize = 100;
/// Longest query, bytes.
pub const QUERY_BYTES_MAX: usize = 1024;

/// How things are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ModeName {
    /// By words.
    Text,
    /// By meaning.
    Vector,
    /// By both.
    Hybrid,
}

/// What a search takes.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct SearchBody {
    /// Words; at most 1,024 bytes. May be left out where a vector is given.
    #[serde(default)]
    pub query: String,
    /// Where: a collection's name, or `facts`, which is meant where nobody says.
    #[serde(default)]
    pub collection: Option<String>,
    /// 1 to 100; 20 where nobody says.
    #[serde(default)]
    pub limit: Option<usize>,
    /// Where nobody says: `text` for facts, `hybrid` for documents.
    #[serde(default)]
    #[schema(inline)]
    pub mode: Option<ModeName>,
    /// Only facts of at least this confidence, 0 to 1.
    #[serde(default)]
    pub min_confidence: Option<f64>,
    /// Only results of at least this relevance, 0 to 1.
    #[serde(default)]
    pub threshold: Option<f64>,
    /// Only documents whose metadata has all these pairs.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub filter: Value,
    /// What the query means; only, and always, where the collection's vectors are the caller's.
    #[serde(default)]
    pub vector: Option<Vec<f32>>,
}

impl SearchBody {
    /// The same in the mode of this name; 422 `invalid_mode`.
    pub fn in_mode(self, name: Option<&str>) -> Result<Self, ApiError> {
        let mode = name.filter(|name| !name.is_empty()).map(|name| {
            Mode::parse(name)
                .ok_or_else(|| ApiError::unprocessable("invalid_mode", "mode must be text, vector or hybrid"))
        });
        let mode = mode.transpose()?.map(|mode| match mode {
            Mode::Text => ModeName::Text,
            Mode::Vector => ModeName::Vector,
            Mode::Hybrid => ModeName::Hybrid,
        });
        Ok(Self { mode, ..self })
    }
}

/// Something that was found.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum Hit {
    /// A fact.
    Fact {
        #[serde(flatten)]
        fact: FactView,
        #[serde(flatten)]
        fit: Fit,
    },
    /// A document.
    Document {
        #[serde(flatten)]
        document: DocumentView,
        #[serde(flatten)]
        fit: Fit,
    },
}

/// How well it fits.
#[derive(Debug, Serialize, ToSchema)]
struct Fit {
    /// BM25, cosine or fused ranks, by the mode; it compares within one answer only.
    score: f64,
    /// 0 to 1: the cosine in mode `vector`, else the share of the best result's score.
    relevance: f64,
    /// The part of its text that fits best.
    snippet: String,
}

impl From<Item> for Hit {
    fn from(item: Item) -> Self {
        let fit = Fit { score: item.score, relevance: item.relevance, snippet: item.snippet };
        match item.content {
            Content::Fact(fact) => Self::Fact { fact: fact.into(), fit },
            Content::Document(document) => Self::Document { document: document.into(), fit },
        }
    }
}

/// What was found, the best first.
#[derive(Debug, Serialize, ToSchema)]
pub struct SearchAnswer {
    results: Vec<Hit>,
    collection: String,
    /// How it was searched; not as asked for where only the fallback could.
    mode: &'static str,
    /// What searched: `primary`, or `fallback` where the indexes are broken, being built or switched off.
    adapter: &'static str,
    #[serde(flatten)]
    at: At,
}

/// `POST /api/search`: the best first.
///
/// 404 `unknown_collection`; 422 `empty_query`, `query_too_long`, `invalid_confidence`, `invalid_threshold`,
/// `unwanted_filter`, `unwanted_confidence`, `missing_vector`, `unwanted_vector`, `wrong_dimension`, `invalid_vector`; 400 `invalid_limit`, `invalid_filter`; 503
/// `search_unavailable`.
pub async fn search(
    State(state): State<ApiState>,
    _: CanRead,
    caught_up: CaughtUp,
    Json(body): Json<SearchBody>,
) -> Result<Json<SearchAnswer>, ApiError> {
    let collection = body.collection.clone().filter(|name| !name.is_empty());
    let question = question(&state, body).await?;
    let exact = state.vectors.exact(question.place.collection()).filter(|_| question.mode != Mode::Text);
    if let Some(mut exact) = exact {
        caught_up.seen_by(&mut exact, revision_of).await?;
    }
    let found = ask(&state, question).await?;
    Ok(Json(SearchAnswer {
        collection: collection.unwrap_or_else(|| FACTS.to_owned()),
        mode: found.mode.as_str(),
        adapter: found.adapter.as_str(),
        at: At::new(found.revision, &found.epoch),
        results: found.items.into_iter().map(Hit::from).collect(),
    }))
}

/// The answer to a question, or why there is none.
pub async fn ask(state: &ApiState, question: Question) -> Result<Found, ApiError> {
    state.searcher.search(question).await.map_err(|error| match error {
        SearchError::Read(error) => read_error(&error),
        SearchError::NoAdapter => {
            let text = "no search adapter works now; try again";
            ApiError::unavailable("search_unavailable", text, RETRY_AFTER_S)
        }
        SearchError::TooSlow => {
            ApiError::unavailable("too_slow", "this search took too long; ask for less", RETRY_AFTER_S)
        }
    })
}

/// A request as a question that makes sense; see [`search`] for the codes.
pub async fn question(state: &ApiState, body: SearchBody) -> Result<Question, ApiError> {
    let limit = limit_within(body.limit, SEARCH_LIMIT_DEFAULT, SEARCH_LIMIT_MAX)?;
    if body.query.len() > QUERY_BYTES_MAX {
        let message = format!("the query is longer than {QUERY_BYTES_MAX} bytes");
        return Err(ApiError::unprocessable("query_too_long", message));
    }
    let threshold = share(body.threshold, "invalid_threshold", "threshold")?.unwrap_or(0.0);
    let least = share(body.min_confidence, "invalid_confidence", "min_confidence")?;
    let name = body.collection.as_deref().filter(|name| !name.is_empty()).unwrap_or(FACTS);
    let collection = match name {
        FACTS => None,
        name => Some(collections::named(state, name).await?.value),
    };
    let default = if collection.is_some() { Mode::Hybrid } else { Mode::Text };
    let mode = body.mode.map_or(default, |mode| match mode {
        ModeName::Text => Mode::Text,
        ModeName::Vector => Mode::Vector,
        ModeName::Hybrid => Mode::Hybrid,
    });
    let words = TextQuery::parse(&body.query);
    let vector = match mode {
        Mode::Text => None,
        _ => meaning(state, collection.as_ref(), &body.query, body.vector).await?,
    };
    // A vector of the caller's can stand alone; words cannot be left out elsewhere.
    if words.is_none() && (mode != Mode::Vector || vector.is_none()) {
        return Err(ApiError::unprocessable("empty_query", "the query has no letter and no digit"));
    }
    let filter = metadata_filter(&body.filter)?;
    let place = match collection {
        None if !filter.is_empty() => {
            let text = "facts have no metadata: leave `filter` out, or search a collection";
            return Err(ApiError::unprocessable("unwanted_filter", text));
        }
        None => Place::Facts(least.and_then(Confidence::new)),
        Some(_) if least.is_some() => {
            let text = "documents have no confidence: leave `min_confidence` out, or search the facts";
            return Err(ApiError::unprocessable("unwanted_confidence", text));
        }
        Some(collection) => Place::Documents(Box::new(collection), filter),
    };
    Ok(Question { place, words, vector, mode, limit, threshold })
}

fn share(value: Option<f64>, code: &'static str, name: &str) -> Result<Option<f64>, ApiError> {
    match value {
        Some(value) if !(0.0..=1.0).contains(&value) => {
            Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, code, format!("{name} must be from 0 to 1")))
        }
        value => Ok(value),
    }
}

/// What a query means, in the model of the collection (`None` = the facts, which the built-in table embeds).
async fn meaning(
    state: &ApiState,
    collection: Option<&Collection>,
    query: &str,
    vector: Option<Vec<f32>>,
) -> Result<Option<Vector>, ApiError> {
    let made_as = collection.map(|collection| &collection.made_as);
    let is_callers = made_as.is_some_and(|made_as| made_as.embedder == EmbedderKind::Caller);
    match (made_as, vector) {
        (Some(made_as), Some(numbers)) if is_callers => {
            let vector = Vector::of_dimension(numbers, made_as.dimension);
            vector.map(Some).map_err(|error| ApiError::unprocessable(error.code(), error.to_string()))
        }
        (Some(made_as), None) if is_callers => {
            let text = "this collection's vectors are the caller's: send the query's, or search in mode text";
            Err(ApiError::unprocessable("missing_vector", text)
                .with_details(json!({"model": made_as.model, "dimension": made_as.dimension})))
        }
        (_, Some(_)) => {
            let text = "this collection's vectors are made here: send none";
            Err(ApiError::unprocessable("unwanted_vector", text))
        }
        (None, None) => Ok(StaticTable::built_in().embed_text(query)),
        (Some(made_as), None) => {
            let vectors = state.embed(made_as, vec![query.to_owned()], QUERY_TIME_MAX).await?;
            Ok(vectors.into_iter().next().flatten())
        }
    }
}
