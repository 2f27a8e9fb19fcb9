//! `GET /api/quality/duplicates`: facts that say the same in another spelling, or (`near.rs`) nearly the same.

use axum::extract::State;
use chassis::extract::Json;
use chassis::{ApiError, CanRead, extract};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::super::caught_up::CaughtUp;
use super::super::facts::{FactView, cursor_after};
use super::super::{ApiState, At, limit_within};
use super::near::{NearAnswer, near};
use super::{Facts, PAGE_DEFAULT, PAGE_MAX, after_in, ask, caught_up, view};
use crate::grammar::Fact;
use crate::quality::{Folded, Named};
use crate::store::{FactId, StoredFact};

/// What `GET /api/quality/duplicates` takes.
#[derive(Debug, Deserialize, IntoParams)]
pub struct DuplicatesQuery {
    /// `exact` (in another spelling) or `near` (nearly); `exact` where nobody says.
    kind: Option<String>,
    /// Of `near`: least similarity, 0 to 1; 0.85 where nobody says.
    threshold: Option<f64>,
    /// 1 to 100; 20 where nobody says.
    limit: Option<usize>,
    /// `next_cursor` of an earlier answer.
    cursor: Option<String>,
}

/// Facts that say the same.
#[derive(Debug, Serialize, ToSchema)]
struct GroupView {
    /// The first twenty, by number.
    facts: Vec<FactView>,
    /// How many there are.
    fact_count: usize,
}

/// Groups of facts that say the same.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExactAnswer {
    /// In the order of their first facts.
    groups: Vec<GroupView>,
    /// Groups on all pages.
    total: usize,
    #[serde(flatten)]
    at: At,
    /// Where there is more: `cursor` of the next request. A page may be short and still have a next one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// Duplicates of either kind.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum DuplicatesAnswer {
    /// In another spelling.
    Exact(ExactAnswer),
    /// Nearly the same.
    Near(NearAnswer),
}

/// `GET /api/quality/duplicates`: 400 `invalid_kind`, `invalid_limit`, `invalid_threshold`, `invalid_cursor`.
pub async fn duplicates(
    State(state): State<ApiState>,
    _: CanRead,
    wanted_revision: CaughtUp,
    extract::Query(query): extract::Query<DuplicatesQuery>,
) -> Result<Json<DuplicatesAnswer>, ApiError> {
    let limit = limit_within(query.limit, PAGE_DEFAULT, PAGE_MAX)?;
    let after = FactId(after_in(&state, query.cursor.as_deref())?);
    let answer = match query.kind.as_deref().filter(|kind| !kind.is_empty()).unwrap_or("exact") {
        "exact" if query.threshold.is_some() => {
            Err(ApiError::bad_request("invalid_threshold", "only duplicates of kind near have a threshold"))
        }
        "exact" => {
            caught_up(&state, &wanted_revision).await?;
            exact(&state, after, limit).await.map(DuplicatesAnswer::Exact)
        }
        "near" => {
            let near = near(&state, &wanted_revision, after, limit, query.threshold);
            near.await.map(DuplicatesAnswer::Near)
        }
        other => Err(ApiError::bad_request("invalid_kind", "kind must be exact or near")
            .with_details(json!({"kind": other, "kinds": ["exact", "near"]}))),
    };
    answer.map(Json)
}

async fn exact(state: &ApiState, after: FactId, limit: usize) -> Result<ExactAnswer, ApiError> {
    // One more than asked for tells whether there is more.
    let seen = ask(state, "duplicates", move |findings| {
        let groups: Vec<Named> = findings.duplicates(after).take(limit + 1).collect();
        (groups, findings.figures().duplicates)
    });
    let seen = seen.await?;
    let (mut named, total) = seen.value;
    let more = named.len() > limit;
    named.truncate(limit);
    let last = named.last().and_then(|group| group.first.first()).filter(|_| more);
    let next_cursor = last.map(|first| cursor_after(first.0, &seen.epoch));
    let facts = Facts::read(state, named.iter().flat_map(|group| group.first.clone()).collect()).await?;
    let groups = named.iter().filter_map(|group| told(&facts, group)).collect();
    Ok(ExactAnswer { groups, total, at: At::new(seen.revision, &seen.epoch), next_cursor })
}

/// The facts of the group that say the same as its first one, where there are several still.
fn told(facts: &Facts, group: &Named) -> Option<GroupView> {
    let same = same_as_first(facts.of(&group.first));
    let gone = group.first.len() - same.len();
    (same.len() > 1).then(|| GroupView { facts: view(&same), fact_count: group.count - gone })
}

/// Those that say the same as the first, its sign included.
fn same_as_first<'a>(mut facts: impl Iterator<Item = &'a (StoredFact, Fact)>) -> Vec<&'a (StoredFact, Fact)> {
    let Some(first) = facts.next() else { return Vec::new() };
    let (form, negated) = (Folded::new(&first.1), first.1.negated);
    let others = facts.filter(|(_, fact)| fact.negated == negated && Folded::new(fact) == form);
    std::iter::once(first).chain(others).collect()
}
