//! `POST /api/quality/validate`: what would become of statements if they were posted. `GET`: what of the predicates that
//! are in use looks like a mistake. Neither writes anything.

use std::collections::HashMap;

use axum::extract::State;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chassis::extract::Json;
use chassis::{ApiError, CanRead, extract};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::super::caught_up::{CaughtUp, other_epoch};
use super::super::facts::FactView;
use super::super::{ApiState, At, limit_within, read_error};
use super::{Facts, PAGE_DEFAULT, PAGE_MAX, ask, caught_up};
use crate::grammar::{Fact, ParseError, parse};
use crate::quality::{About, Findings, Folded, Suspicion, Suspicious, Use};
use crate::store::{Confidence, Context, Epoch, FactId, NewFact, StoredFact};

/// Statements in one request: with all that is told of each some 1,500 point reads, 15 ms of one reader.
pub const STATEMENTS_MAX: usize = 100;

/// Facts that are told of a statement, of each kind.
const FACTS_TOLD_MAX: usize = 5;

/// What `POST /api/quality/validate` takes.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ValidateBody {
    /// At most 100.
    statements: Vec<String>,
}

/// Why a text is no statement; as `POST /api/facts` says it.
#[derive(Debug, Serialize, ToSchema)]
struct Unparsable {
    code: &'static str,
    message: String,
    /// Offset in bytes.
    position: usize,
    /// The same in characters, from 1.
    column: usize,
    expected: &'static str,
}

impl From<ParseError> for Unparsable {
    fn from(error: ParseError) -> Self {
        Self {
            code: "unparsable",
            message: format!("the statement does not parse: {error}"),
            position: error.byte_offset,
            column: error.column,
            expected: error.expected,
        }
    }
}

/// What would become of a statement.
#[derive(Debug, Default, Serialize, ToSchema)]
struct Verdict {
    /// What `POST /api/facts` would say: `added`, `duplicate` or `unparsable`.
    outcome: &'static str,
    /// As it would be kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    statement: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Unparsable>,
    /// The fact that is it already.
    #[serde(skip_serializing_if = "Option::is_none")]
    duplicate_of: Option<u64>,
    /// Place in the request, from 0, of the one that says it first.
    #[serde(skip_serializing_if = "Option::is_none")]
    repeats: Option<usize>,
    /// Facts that say the same in another spelling; the first five.
    same: Vec<FactView>,
    /// Facts that say the opposite; the first five.
    contradicts: Vec<FactView>,
    /// Facts that give its subject another value, where its predicate is functional; the first five.
    other_values: Vec<FactView>,
    /// What of its predicate would begin to look like a mistake: `several_arities`, `several_spellings`,
    /// `functional_unused`.
    warnings: Vec<&'static str>,
}

/// What would become of statements.
#[derive(Debug, Serialize, ToSchema)]
pub struct ValidateAnswer {
    /// In the order of the statements.
    results: Vec<Verdict>,
    #[serde(flatten)]
    at: At,
}

/// `POST /api/quality/validate`: 422 `too_many_statements`.
pub async fn validate(
    State(state): State<ApiState>,
    _: CanRead,
    wanted_revision: CaughtUp,
    Json(body): Json<ValidateBody>,
) -> Result<Json<ValidateAnswer>, ApiError> {
    if body.statements.len() > STATEMENTS_MAX {
        let text = format!("validate at most {STATEMENTS_MAX} statements at once");
        return Err(ApiError::unprocessable("too_many_statements", text)
            .with_details(json!({"statements": body.statements.len(), "max": STATEMENTS_MAX})));
    }
    caught_up(&state, &wanted_revision).await?;
    let parsed: Vec<_> = body.statements.iter().map(|text| parse(text)).collect();
    let folder = state.quality.folder();
    let entries: Vec<_> = parsed.iter().flatten().map(|fact| folder.entry(fact)).collect();
    let about = move |findings: &Findings| entries.iter().map(|entry| findings.about(entry)).collect();
    let seen = ask::<Vec<About>>(&state, "validate", about).await?;
    let new = |fact: &Fact| NewFact::new(fact, Context::default(), Confidence::DEFAULT);
    let new: Vec<NewFact> = parsed.iter().flatten().map(new).collect();
    let known = state.store.known(new).await.map_err(|error| read_error(&error))?.value;
    let facts = Facts::read(&state, seen.value.iter().flat_map(ids_of).collect()).await?;
    let mut told = seen.value.iter().zip(known);
    let mut earlier: HashMap<String, usize> = HashMap::new();
    let results = parsed.into_iter().enumerate().map(|(place, parsed)| match parsed {
        Err(error) => Verdict { outcome: "unparsable", error: Some(error.into()), ..Verdict::default() },
        Ok(fact) => {
            let (about, known) = told.next().expect("each fact was asked about");
            let statement = fact.to_string();
            let repeats = earlier.get(&statement).copied();
            earlier.entry(statement.clone()).or_insert(place);
            let outcome = if known || repeats.is_some() { "duplicate" } else { "added" };
            Verdict { outcome, repeats, ..verdict(&facts, &fact, statement, about) }
        }
    });
    let results = results.collect();
    Ok(Json(ValidateAnswer { results, at: At::new(seen.revision, &seen.epoch) }))
}

/// What the facts are to a statement, as far as they are so still.
fn verdict(facts: &Facts, fact: &Fact, statement: String, about: &About) -> Verdict {
    let form = Folded::new(fact);
    let still = |ids: &[FactId], is_it: &dyn Fn(&Fact, &Folded) -> bool| {
        let found = facts.of(ids).filter(|(_, other)| is_it(other, &Folded::new(other)));
        found.map(|(stored, _)| stored.clone()).collect::<Vec<_>>()
    };
    let same = still(&about.same.first, &|other, found| other.negated == fact.negated && *found == form);
    let duplicate_of = same.iter().find(|stored| stored.statement == statement).map(|stored| stored.id.0);
    let contradicts =
        still(some(&about.opposite.first), &|other, found| other.negated != fact.negated && *found == form);
    let other_values = still(some(&about.other_values.first), &|other, found| {
        !other.negated && found.subject() == form.subject() && *found != form
    });
    let views = |found: Vec<StoredFact>| found.into_iter().map(FactView::from).collect();
    let respelled = same.into_iter().filter(|stored| stored.statement != statement);
    Verdict {
        duplicate_of,
        same: views(respelled.take(FACTS_TOLD_MAX).collect()),
        contradicts: views(contradicts),
        other_values: views(other_values),
        warnings: about.suspicions.iter().map(|suspicion| suspicion.code()).collect(),
        statement: Some(statement),
        ..Verdict::default()
    }
}

fn some(ids: &[FactId]) -> &[FactId] {
    &ids[..ids.len().min(FACTS_TOLD_MAX)]
}

/// The facts that may be shown. All that say the same are looked at, for one of them may be spelled like the statement.
fn ids_of(about: &About) -> Vec<FactId> {
    [&about.same.first, some(&about.opposite.first), some(&about.other_values.first)].concat()
}

/// What `GET /api/quality/validate` takes.
#[derive(Debug, Deserialize, IntoParams)]
pub struct SuspiciousQuery {
    /// 1 to 100; 20 where nobody says.
    limit: Option<usize>,
    /// `next_cursor` of an earlier answer.
    cursor: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct UseView {
    /// As it is spelled.
    predicate: Box<str>,
    /// The number of its arguments.
    arity: usize,
    /// Facts that use it so.
    count: usize,
}

impl From<Use> for UseView {
    fn from(used: Use) -> Self {
        Self { predicate: used.predicate, arity: used.arity, count: used.facts }
    }
}

/// A predicate of which something looks like a mistake.
#[derive(Debug, Serialize, ToSchema)]
struct SuspiciousView {
    /// Its name as all its spellings are compared.
    predicate: Box<str>,
    /// `several_arities`, `several_spellings`, `functional_unused`.
    codes: Vec<&'static str>,
    /// The first twenty, by spelling, then by arguments.
    uses: Vec<UseView>,
    /// How many there are.
    use_count: usize,
}

impl From<Suspicious> for SuspiciousView {
    fn from(found: Suspicious) -> Self {
        Self {
            predicate: found.folded,
            codes: found.suspicions.into_iter().map(Suspicion::code).collect(),
            uses: found.uses.into_iter().map(UseView::from).collect(),
            use_count: found.use_count,
        }
    }
}

/// Predicates of which something looks like a mistake.
#[derive(Debug, Serialize, ToSchema)]
pub struct SuspiciousAnswer {
    /// By name.
    predicates: Vec<SuspiciousView>,
    /// On all pages.
    total: usize,
    #[serde(flatten)]
    at: At,
    /// Where there is more: `cursor` of the next request.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// `GET /api/quality/validate`.
pub async fn suspicious(
    State(state): State<ApiState>,
    _: CanRead,
    wanted_revision: CaughtUp,
    extract::Query(query): extract::Query<SuspiciousQuery>,
) -> Result<Json<SuspiciousAnswer>, ApiError> {
    let limit = limit_within(query.limit, PAGE_DEFAULT, PAGE_MAX)?;
    let after = match &query.cursor {
        None => String::new(),
        Some(cursor) => name_from(cursor, &state.store.snapshot().epoch)?,
    };
    caught_up(&state, &wanted_revision).await?;
    let seen = ask(&state, "suspicious", move |findings| {
        // One more than asked for tells whether there is more.
        let found: Vec<Suspicious> = findings.suspicious(&after).take(limit + 1).collect();
        (found, findings.figures().suspicious)
    });
    let seen = seen.await?;
    let (mut found, total) = seen.value;
    let more = found.len() > limit;
    found.truncate(limit);
    let next_cursor = found.last().filter(|_| more).map(|last| name_after(&last.folded, &seen.epoch));
    let predicates = found.into_iter().map(SuspiciousView::from).collect();
    Ok(Json(SuspiciousAnswer { predicates, total, at: At::new(seen.revision, &seen.epoch), next_cursor }))
}

/// A cursor after a name.
fn name_after(name: &str, epoch: &Epoch) -> String {
    format!("{epoch}-{}", BASE64_URL_SAFE_NO_PAD.encode(name))
}

/// The name of a cursor. 400 `invalid_cursor`, 409 `other_epoch`.
fn name_from(text: &str, now: &Epoch) -> Result<String, ApiError> {
    let invalid =
        || ApiError::bad_request("invalid_cursor", "cursor must be the next_cursor of an earlier answer");
    let (epoch, name) = text.split_once('-').ok_or_else(invalid)?;
    let name = BASE64_URL_SAFE_NO_PAD.decode(name).map_err(|_| invalid())?;
    let name = String::from_utf8(name).map_err(|_| invalid())?;
    if epoch == now.as_str() { Ok(name) } else { Err(other_epoch(now)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_after_a_name_comes_back_and_anything_else_is_refused() {
        let now = Epoch::random();
        for name in ["", "isa", "größe", "水-_"] {
            assert_eq!(name_from(&name_after(name, &now), &now).ok().as_deref(), Some(name));
        }
        let code = |text: &str| name_from(text, &now).map_err(|error| error.code());
        assert_eq!(code(&name_after("isa", &Epoch::random())), Err("other_epoch"));
        for text in ["", "isa", "0-!", "0-/w==", "0-_w"] {
            assert_eq!(code(text), Err("invalid_cursor"), "{text:?}");
        }
    }
}
