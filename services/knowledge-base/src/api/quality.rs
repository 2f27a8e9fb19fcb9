//! What is wrong with the facts, over HTTP: duplicates, contradictions, odd predicates, and what a statement would be.
//! Answers come from findings that are kept (`crate::quality`); the texts of a page are read from the store.

mod consistency;
mod duplicates;
mod near;
mod similarity;
mod validate;

use std::collections::HashMap;

use chassis::{ApiError, observe};
use serde_json::json;

pub use consistency::{ConsistencyAnswer, ConsistencyQuery, consistency};
pub use duplicates::{DuplicatesAnswer, DuplicatesQuery, duplicates};
pub use similarity::{SimilarityAnswer, SimilarityBody, semantic_similarity};
pub use validate::{
    STATEMENTS_MAX, SuspiciousAnswer, SuspiciousQuery, ValidateAnswer, ValidateBody, suspicious, validate,
};

use super::caught_up::CaughtUp;
use super::facts::{FactView, cursor_from};
use super::{ApiState, RETRY_AFTER_S, read_error};
use crate::grammar::{Fact, parse};
use crate::quality::{Findings, QualityError, QualityState};
use crate::store::{FactId, Revision, Seen, StoredFact};

/// Findings on a page where nobody says.
const PAGE_DEFAULT: usize = 20;

/// Most findings on a page: with [`crate::quality::NAMED_MAX`] facts a side some 4,000 point reads, 40 ms of one reader.
pub const PAGE_MAX: usize = 100;

/// Waits until the findings have the revision that the request wants.
async fn caught_up(state: &ApiState, caught_up: &CaughtUp) -> Result<(), ApiError> {
    let revision =
        |state: &QualityState| state.position.as_ref().map_or(Revision(0), |position| position.revision);
    caught_up.seen_by(&mut state.quality.watch(), revision).await
}

/// The number after which a page begins. 400 `invalid_cursor`, 409 `other_epoch`.
fn after_in(state: &ApiState, cursor: Option<&str>) -> Result<u64, ApiError> {
    cursor.map_or(Ok(0), |text| cursor_from(text, &state.store.snapshot().epoch))
}

/// Asks the findings. 503 `quality_building`, `overloaded`; 500.
async fn ask<T: Send + 'static>(
    state: &ApiState,
    name: &'static str,
    question: impl FnOnce(&Findings) -> T + Send + 'static,
) -> Result<Seen<T>, ApiError> {
    let seen = state.quality.ask(name, question).await.map_err(|error| match error {
        QualityError::Building => ApiError::unavailable(
            error.code(),
            "the facts are looked at after a start, or very many have changed; try again",
            RETRY_AFTER_S,
        ),
        QualityError::Overloaded => ApiError::unavailable(
            error.code(),
            "too many questions about the quality of facts are waiting; try again",
            RETRY_AFTER_S,
        ),
        QualityError::Failed => ApiError::internal(),
    })?;
    observe::record_stage("quality", seen.elapsed);
    Ok(seen)
}

/// Facts as they are in the store now, by number.
///
/// The store may be further than the findings: whoever tells of a finding leaves out what is not so any more, and what
/// is new comes with the next question.
struct Facts(HashMap<FactId, (StoredFact, Fact)>);

impl Facts {
    /// Reads those that there are.
    async fn read(state: &ApiState, ids: Vec<FactId>) -> Result<Self, ApiError> {
        if ids.is_empty() {
            return Ok(Self(HashMap::new()));
        }
        let seen = state.store.facts(ids).await.map_err(|error| read_error(&error))?;
        observe::record_stage("read", seen.elapsed);
        let parsed = seen.value.into_iter().filter_map(|stored| {
            let fact = parse(&stored.statement).ok()?;
            Some((stored.id, (stored, fact)))
        });
        Ok(Self(parsed.collect()))
    }

    /// Those of `ids` that are there.
    fn of<'a>(&'a self, ids: &'a [FactId]) -> impl Iterator<Item = &'a (StoredFact, Fact)> {
        ids.iter().filter_map(|id| self.0.get(id))
    }
}

fn view(facts: &[&(StoredFact, Fact)]) -> Vec<FactView> {
    facts.iter().map(|(stored, _)| stored.clone().into()).collect()
}

/// A share from 0 to 1. 400 `invalid_threshold`.
fn threshold_in(value: Option<f64>, default: f64) -> Result<f64, ApiError> {
    let value = value.unwrap_or(default);
    if (0.0..=1.0).contains(&value) {
        return Ok(value);
    }
    Err(ApiError::bad_request("invalid_threshold", "threshold must be from 0 to 1")
        .with_details(json!({"threshold": value})))
}
