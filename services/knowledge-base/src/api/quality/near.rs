//! Duplicates of the kind `near`: facts that nearly say the same, a bounded number of facts at a time.

use chassis::{ApiError, observe};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::caught_up::CaughtUp;
use super::super::facts::{FactView, cursor_after};
use super::super::{ApiState, At, RETRY_AFTER_S, read_error};
use super::similarity::vectors_unavailable;
use super::{ask, threshold_in};
use crate::quality::{NearError, NearPair, NearQuestion};
use crate::search::revision_of;
use crate::store::{CollectionId, FactId};

/// Least similarity where nobody says: a letter in seven may be another.
const THRESHOLD_DEFAULT: f64 = 0.85;

/// Two facts that nearly say the same.
#[derive(Debug, Serialize, ToSchema)]
struct PairView {
    /// The one with the lower number.
    first: FactView,
    second: FactView,
    /// From the threshold to 1: that of their least similar parts.
    similarity: f64,
}

impl From<NearPair> for PairView {
    fn from(pair: NearPair) -> Self {
        Self { first: pair.first.into(), second: pair.second.into(), similarity: pair.similarity }
    }
}

/// How far all pages together have come.
#[derive(Debug, Serialize, ToSchema)]
struct Progress {
    /// Facts up to the last one of this page.
    looked_at: usize,
    /// Facts.
    of: usize,
}

/// Pairs of facts that nearly say the same.
#[derive(Debug, Serialize, ToSchema)]
pub struct NearAnswer {
    /// Each pair on one page only.
    pairs: Vec<PairView>,
    progress: Progress,
    #[serde(flatten)]
    at: At,
    /// Where there is more: `cursor` of the next request. A page may be empty and still have a next one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// The next page.
pub async fn near(
    state: &ApiState,
    caught_up: &CaughtUp,
    after: FactId,
    limit: usize,
    threshold: Option<f64>,
) -> Result<NearAnswer, ApiError> {
    let threshold = threshold_in(threshold, THRESHOLD_DEFAULT)?;
    let mut exact = state.vectors.exact(CollectionId::FACTS).ok_or_else(vectors_unavailable)?;
    caught_up.seen_by(&mut exact, revision_of).await?;
    super::caught_up(state, caught_up).await?;
    let question = NearQuestion { after, limit, threshold };
    let page = observe::stage("near", state.near.page(question)).await.map_err(|error| near_error(&error))?;
    let upto = page.upto;
    let progress = ask(state, "progress", move |findings| Progress {
        looked_at: findings.facts_upto(upto),
        of: findings.figures().facts,
    });
    let progress = progress.await?.value;
    Ok(NearAnswer {
        next_cursor: page.more.then(|| cursor_after(upto.0, &page.epoch)),
        progress,
        at: At::new(page.revision, &page.epoch),
        pairs: page.pairs.into_iter().map(PairView::from).collect(),
    })
}

/// 503 `overloaded`, `vectors_unavailable` and those of reads; 500.
fn near_error(error: &NearError) -> ApiError {
    match error {
        NearError::Busy => ApiError::unavailable(
            "overloaded",
            "near duplicates are looked for by somebody else just now; try again",
            RETRY_AFTER_S,
        ),
        NearError::Read(error) => read_error(error),
        NearError::Vectors(_) => vectors_unavailable(),
        NearError::Failed => ApiError::internal(),
    }
}
