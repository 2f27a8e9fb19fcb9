//! `GET /api/quality/consistency`: facts that cannot all be true.

use axum::extract::State;
use chassis::extract::Json;
use chassis::{ApiError, CanRead, extract};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::super::caught_up::CaughtUp;
use super::super::facts::{FactView, cursor_after};
use super::super::{ApiState, At, limit_within};
use super::{Facts, PAGE_DEFAULT, PAGE_MAX, after_in, ask, caught_up, view};
use crate::quality::{Conflict, Findings, Folded};
use crate::store::FactId;

/// What `GET /api/quality/consistency` takes.
#[derive(Debug, Deserialize, IntoParams)]
pub struct ConsistencyQuery {
    /// `contradiction` (a fact and its negation) or `functional` (several values of a predicate that is declared to have
    /// one); both where nobody says.
    kind: Option<String>,
    /// 1 to 100; 20 where nobody says.
    limit: Option<usize>,
    /// `next_cursor` of an earlier answer.
    cursor: Option<String>,
}

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Contradiction,
    Functional,
}

impl Kind {
    const ALL: [Self; 2] = [Self::Contradiction, Self::Functional];

    fn name(self) -> &'static str {
        match self {
            Self::Contradiction => "contradiction",
            Self::Functional => "functional",
        }
    }

    /// Findings of both kinds in one order: by their first fact, and of one fact the contradiction first.
    fn place(self, first: FactId) -> u64 {
        first.0 * 2 + u64::from(self == Self::Functional)
    }

    /// The fact after which findings of this kind come after `place`.
    fn after(self, place: u64) -> FactId {
        match self {
            Self::Contradiction => FactId(place / 2),
            Self::Functional => FactId(place.saturating_sub(1) / 2),
        }
    }
}

/// The kinds that a request names. 400 `invalid_kind`.
fn kinds_in(name: Option<&str>) -> Result<Vec<Kind>, ApiError> {
    let Some(name) = name.filter(|name| !name.is_empty()) else { return Ok(Kind::ALL.to_vec()) };
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name);
    kind.map(|kind| vec![kind]).ok_or_else(|| {
        let names = Kind::ALL.map(Kind::name);
        ApiError::bad_request("invalid_kind", format!("kind must be one of {}", names.join(", ")))
            .with_details(json!({"kind": name, "kinds": names}))
    })
}

/// Facts that cannot all be true.
#[derive(Debug, Serialize, ToSchema)]
struct ConflictView {
    /// `contradiction` or `functional`.
    kind: &'static str,
    /// By number: of a contradiction the first twenty on either side, otherwise the first of each of twenty values.
    facts: Vec<FactView>,
    /// How many have a part in it.
    fact_count: usize,
}

/// How many there are on all pages.
#[derive(Debug, Serialize, ToSchema)]
struct Totals {
    contradictions: usize,
    functional: usize,
}

/// Facts that cannot all be true.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConsistencyAnswer {
    /// In the order of their first facts.
    conflicts: Vec<ConflictView>,
    totals: Totals,
    #[serde(flatten)]
    at: At,
    /// Where there is more: `cursor` of the next request. A page may be short and still have a next one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// `GET /api/quality/consistency`.
pub async fn consistency(
    State(state): State<ApiState>,
    _: CanRead,
    wanted_revision: CaughtUp,
    extract::Query(query): extract::Query<ConsistencyQuery>,
) -> Result<Json<ConsistencyAnswer>, ApiError> {
    let kinds = kinds_in(query.kind.as_deref())?;
    let limit = limit_within(query.limit, PAGE_DEFAULT, PAGE_MAX)?;
    let after = after_in(&state, query.cursor.as_deref())?;
    caught_up(&state, &wanted_revision).await?;
    let seen = ask(&state, "consistency", move |findings| {
        // One more than asked for tells whether there is more.
        let mut found: Vec<_> =
            kinds.into_iter().flat_map(|kind| of_kind(findings, kind, after, limit + 1)).collect();
        found.sort_by_key(|(place, _)| *place);
        found.truncate(limit + 1);
        let figures = findings.figures();
        (found, Totals { contradictions: figures.contradictions, functional: figures.functional })
    });
    let seen = seen.await?;
    let (mut found, totals) = seen.value;
    let more = found.len() > limit;
    found.truncate(limit);
    let next_cursor = found.last().filter(|_| more).map(|(place, _)| cursor_after(*place, &seen.epoch));
    let ids = found.iter().flat_map(|(_, conflict)| named(conflict)).collect();
    let facts = Facts::read(&state, ids).await?;
    let conflicts = found.iter().filter_map(|(_, conflict)| told(&facts, conflict)).collect();
    Ok(Json(ConsistencyAnswer { conflicts, totals, at: At::new(seen.revision, &seen.epoch), next_cursor }))
}

fn of_kind(findings: &Findings, kind: Kind, after: u64, limit: usize) -> Vec<(u64, Conflict)> {
    let after = kind.after(after);
    let placed = |(first, conflict)| (kind.place(first), conflict);
    match kind {
        Kind::Contradiction => findings.contradictions(after).take(limit).map(placed).collect(),
        Kind::Functional => findings.functional(after).take(limit).map(placed).collect(),
    }
}

/// The facts that the answer is to show.
fn named(conflict: &Conflict) -> Vec<FactId> {
    let mut named = match conflict {
        Conflict::Contradiction(both) => [both.holds.first.as_slice(), &both.denied.first].concat(),
        Conflict::Functional(values) => values.first.clone(),
    };
    named.sort_unstable();
    named
}

/// What of the conflict is so still.
fn told(facts: &Facts, conflict: &Conflict) -> Option<ConflictView> {
    let ids = named(conflict);
    let found: Vec<_> = facts.of(&ids).map(|one| (one, Folded::new(&one.1))).collect();
    let (_, first) = found.first()?;
    let still: Vec<_> = match conflict {
        Conflict::Contradiction(_) => found.iter().filter(|(_, form)| form == first).collect(),
        Conflict::Functional(_) => found
            .iter()
            .filter(|((_, fact), form)| !fact.negated && form.subject() == first.subject())
            .collect(),
    };
    let (kind, count, is_conflict) = match conflict {
        Conflict::Contradiction(both) => {
            let is_denied = |negated| still.iter().any(|((_, fact), _)| fact.negated == negated);
            let count = both.holds.count + both.denied.count;
            (Kind::Contradiction, count, is_denied(true) && is_denied(false))
        }
        Conflict::Functional(values) => {
            let is_other = still.iter().any(|(_, form)| form != first);
            (Kind::Functional, values.count, is_other)
        }
    };
    let gone = ids.len() - still.len();
    let facts: Vec<_> = still.iter().map(|(one, _)| *one).collect();
    is_conflict.then(|| ConflictView { kind: kind.name(), facts: view(&facts), fact_count: count - gone })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_of_both_kinds_have_one_order_and_none_is_told_twice() {
        for first in [1, 2, 9].map(FactId) {
            let (contradiction, functional) =
                (Kind::Contradiction.place(first), Kind::Functional.place(first));
            assert!(
                contradiction < functional && functional < Kind::Contradiction.place(FactId(first.0 + 1))
            );
            assert_eq!(Kind::Contradiction.after(contradiction), first);
            assert_eq!(Kind::Functional.after(contradiction), FactId(first.0 - 1), "it is yet to come");
            assert_eq!(Kind::Contradiction.after(functional), first);
            assert_eq!(Kind::Functional.after(functional), first);
        }
        assert_eq!(Kind::ALL.map(|kind| kind.after(0)), [FactId(0); 2]);
    }
}
