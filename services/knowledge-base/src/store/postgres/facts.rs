//! Facts, written inside the writer's transaction. Each change is noted in the same.

use std::collections::HashMap;

use ring::digest;

use super::super::backend::{Added, BatchAdded, Updated};
use super::super::documents::CollectionId;
use super::super::events;
use super::super::model::{Digest, Epoch, FactId, NewFact, Origin, Revision, StoredFact, UnixMillis};
use super::connection::{Connection, Value};
use super::error::Error;
use super::fact_queries as queries;
use super::position::{Position, count, int};
use super::text;
use super::transaction::Transaction;

/// What a fact is told apart by: 16 bytes of the SHA-256 of its statement.
pub fn digest_of(fact: &NewFact) -> Digest {
    let digest = digest::digest(&digest::SHA256, fact.statement().as_bytes());
    Digest(digest.as_ref()[..16].try_into().expect("SHA-256 has 32 bytes"))
}

/// Facts of one job, which become one change.
pub struct Addition {
    /// The facts, and what each is told apart by.
    pub facts: Vec<(NewFact, Digest)>,
    /// Who adds them.
    pub origin: Origin,
    /// Whether they are told one by one; then there is only one.
    pub single: bool,
}

impl Addition {
    /// Works out what the writer needs, before its turn.
    pub fn new(facts: Vec<NewFact>, origin: Origin, single: bool) -> Self {
        let facts = facts.into_iter().map(|fact| {
            let digest = digest_of(&fact);
            (fact, digest)
        });
        Self { facts: facts.collect(), origin, single }
    }
}

/// What became of an addition.
pub struct AdditionDone {
    /// What became of its first fact.
    pub first: Added,
    /// What became of all.
    pub batch: BatchAdded,
    /// The revision after it.
    pub revision: Revision,
    /// Its epoch.
    pub epoch: Epoch,
}

/// Adds the new ones of all facts, each addition as one change; one without a new fact makes none. All rows go to the
/// database together.
pub async fn add(transaction: &mut Transaction, additions: &[Addition]) -> Result<Vec<AdditionDone>, Error> {
    let digests: Vec<&[u8]> = additions
        .iter()
        .flat_map(|addition| addition.facts.iter().map(|(_, digest)| digest.0.as_slice()))
        .collect();
    let mut known = find(&mut transaction.connection, &digests).await?;
    let mut rows = Rows::default();
    let mut done = Vec::with_capacity(additions.len());
    for addition in additions {
        let created_at = UnixMillis::now();
        let revision = transaction.position.revision.next();
        let first_id = FactId(transaction.position.next_fact);
        let mut batch = BatchAdded::default();
        let mut first = None;
        for (fact, digest) in &addition.facts {
            let added = match known.get(digest.0.as_slice()) {
                Some(id) => {
                    batch.duplicates += 1;
                    Added::Duplicate { id: *id }
                }
                None => {
                    let id = FactId(transaction.position.next_fact);
                    transaction.position.next_fact += 1;
                    transaction.position.fact_count += 1;
                    known.insert(digest.0.to_vec(), id);
                    rows.push(id, fact, digest, created_at, revision);
                    batch.added += 1;
                    Added::New { id, created_at }
                }
            };
            first.get_or_insert(added);
        }
        if batch.added > 0 {
            tell(transaction, addition, first_id, batch.added, created_at);
        }
        let first = first.unwrap_or(Added::Duplicate { id: FactId(0) });
        let Position { revision, epoch, .. } = &transaction.position;
        done.push(AdditionDone { first, batch, revision: *revision, epoch: epoch.clone() });
    }
    rows.insert(&mut transaction.connection).await?;
    Ok(done)
}

fn tell(
    transaction: &mut Transaction,
    addition: &Addition,
    first_id: FactId,
    added: u64,
    created_at: UnixMillis,
) {
    let revision = transaction.position.revision.next();
    match addition.facts.first() {
        Some((fact, _)) if addition.single => {
            let event = events::fact_added(first_id, fact, created_at, revision);
            transaction.append(&event, revision, &addition.origin, created_at);
        }
        _ => {
            let event = events::facts_imported(first_id, added, created_at, revision);
            transaction.append(&event, revision, &addition.origin, created_at);
        }
    }
}

/// The numbers of those facts that are there, by what tells them apart.
async fn find(connection: &mut Connection, digests: &[&[u8]]) -> Result<HashMap<Vec<u8>, FactId>, Error> {
    let rows = connection.query("SELECT digest, id FROM facts WHERE digest = ANY($1)", &[&digests]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, FactId(count(row, 1)?)))).collect()
}

/// Facts to be inserted, by columns.
#[derive(Default)]
struct Rows<'a> {
    ids: Vec<i64>,
    statements: Vec<&'a str>,
    predicates: Vec<&'a str>,
    negated: Vec<bool>,
    contexts: Vec<std::borrow::Cow<'a, str>>,
    confidences: Vec<f64>,
    times: Vec<i64>,
    revisions: Vec<i64>,
    digests: Vec<&'a [u8]>,
    /// Each as an array in PostgreSQL's own form: an array of arrays of different lengths cannot be sent.
    entities: Vec<String>,
}

impl<'a> Rows<'a> {
    fn push(
        &mut self,
        id: FactId,
        fact: &'a NewFact,
        digest: &'a Digest,
        created_at: UnixMillis,
        revision: Revision,
    ) {
        self.ids.push(int(id.0));
        self.statements.push(fact.statement());
        self.predicates.push(&fact.predicate);
        self.negated.push(fact.negated);
        self.contexts.push(text::kept(fact.context.as_str()));
        self.confidences.push(fact.confidence.get());
        self.times.push(created_at.0);
        self.revisions.push(int(revision.0));
        self.digests.push(&digest.0);
        self.entities.push(array(&tokens(&fact.entity_tokens)));
    }

    async fn insert(self, connection: &mut Connection) -> Result<(), Error> {
        if self.ids.is_empty() {
            return Ok(());
        }
        let sql = "INSERT INTO facts (id, statement, predicate, negated, context, confidence, created_at_ms, revision,
                                      digest, entities)
                   SELECT id, statement, predicate, negated, context, confidence, at, revision, digest, entities::bigint[]
                   FROM unnest($1::bigint[], $2::text[], $3::text[], $4::boolean[], $5::text[],
                               $6::double precision[], $7::bigint[], $8::bigint[], $9::bytea[], $10::text[])
                        AS new (id, statement, predicate, negated, context, confidence, at, revision, digest, entities)";
        let values: [Value<'_>; 10] = [
            &self.ids,
            &self.statements,
            &self.predicates,
            &self.negated,
            &self.contexts,
            &self.confidences,
            &self.times,
            &self.revisions,
            &self.digests,
            &self.entities,
        ];
        connection.execute(sql, &values).await.map(drop)
    }
}

/// The numbers that hexadecimal tokens, separated by spaces, stand for.
pub fn tokens(tokens: &str) -> Vec<i64> {
    let number = |token| u64::from_str_radix(token, 16).map(u64::cast_signed);
    tokens.split_ascii_whitespace().filter_map(|token| number(token).ok()).collect()
}

/// Numbers as PostgreSQL writes an array of them.
pub fn array(numbers: &[i64]) -> String {
    let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    format!("{{{}}}", numbers.join(","))
}

/// Makes the fact `id` what `fact` says; where it is so already there is no change.
pub async fn update(
    transaction: &mut Transaction,
    id: FactId,
    fact: &NewFact,
    origin: &Origin,
) -> Result<Updated, Error> {
    let Some(before) = one(&mut transaction.connection, id).await? else { return Ok(Updated::Missing) };
    if before.is_as(fact) {
        return Ok(Updated::Done(before));
    }
    let same_statement = before.statement == fact.statement();
    let digest = digest_of(fact);
    if !same_statement
        && let Some(id) = find(&mut transaction.connection, &[&digest.0]).await?.into_values().next()
    {
        return Ok(Updated::Duplicate { id });
    }
    let updated_at = UnixMillis::now();
    let revision = transaction.position.revision.next();
    let sql = "UPDATE facts SET statement = $2, predicate = $3, negated = $4, context = $5, confidence = $6,
                      updated_at_ms = $7, revision = $8, digest = $9, entities = $10 WHERE id = $1";
    let values: [Value<'_>; 10] = [
        &int(id.0),
        &fact.statement(),
        &fact.predicate,
        &fact.negated,
        &text::kept(fact.context.as_str()),
        &fact.confidence.get(),
        &updated_at.0,
        &int(revision.0),
        &digest.0.as_slice(),
        &tokens(&fact.entity_tokens),
    ];
    transaction.connection.execute(sql, &values).await?;
    let now = before.changed(fact, updated_at, revision);
    let event = events::fact_updated(&before, &now, updated_at);
    transaction.append(&event, revision, origin, updated_at);
    Ok(Updated::Done(now))
}

/// Deletes the fact `id`; what it was, where there was one.
pub async fn delete(
    transaction: &mut Transaction,
    id: FactId,
    origin: &Origin,
) -> Result<Option<StoredFact>, Error> {
    let Some(before) = one(&mut transaction.connection, id).await? else { return Ok(None) };
    let revision = transaction.position.revision.next();
    transaction.connection.execute("DELETE FROM facts WHERE id = $1", &[&int(id.0)]).await?;
    note_removed(&mut transaction.connection, revision, CollectionId::FACTS, &[int(id.0)]).await?;
    transaction.position.fact_count -= 1;
    let deleted_at = UnixMillis::now();
    let event = events::fact_deleted(&before, deleted_at, revision);
    transaction.append(&event, revision, origin, deleted_at);
    Ok(Some(before))
}

/// Notes that rows are gone, for the indexes that follow.
pub async fn note_removed(
    connection: &mut Connection,
    revision: Revision,
    collection: CollectionId,
    ids: &[i64],
) -> Result<(), Error> {
    let sql = "INSERT INTO removed (revision, collection_id, id) SELECT $1, $2, unnest($3::bigint[])";
    connection.execute(sql, &[&int(revision.0), &int(collection.0), &ids]).await.map(drop)
}

async fn one(connection: &mut Connection, id: FactId) -> Result<Option<StoredFact>, Error> {
    let sql = format!("SELECT {} FROM facts f WHERE f.id = $1", queries::COLUMNS);
    let row = connection.query_opt(&sql, &[&int(id.0)]).await?;
    row.map(|row| queries::stored_fact(&row)).transpose()
}
