//! Facts and their indexes, written inside the writer's transaction. Each change is logged in the same.

use rusqlite::types::Type;
use rusqlite::{Connection, params};

use super::super::backend::{Added, BatchAdded, Updated};
use super::super::documents::CollectionId;
use super::super::events;
use super::super::model::{Confidence, Context, FactId, NewFact, Origin, Revision, StoredFact, UnixMillis};
use super::fact_queries as queries;
use super::log;
use super::position::Position;
use crate::grammar;

/// Adds one fact as one change; a duplicate makes none.
pub fn add_one(
    connection: &Connection,
    position: &mut Position,
    fact: &NewFact,
    origin: &Origin,
) -> rusqlite::Result<Added> {
    if let Some(id) = queries::find(connection, fact)? {
        return Ok(Added::Duplicate { id });
    }
    let created_at = UnixMillis::now();
    let revision = position.revision.next();
    let id = insert(connection, position, fact, revision, created_at)?;
    let event = events::fact_added(id, fact, created_at, revision);
    log::append(connection, position, &event, revision, origin, created_at)?;
    Ok(Added::New { id, created_at })
}

/// Adds the new ones of `facts` as one change with consecutive numbers; where none is new there is no change.
pub fn add_batch(
    connection: &Connection,
    position: &mut Position,
    facts: &[NewFact],
    origin: &Origin,
) -> rusqlite::Result<BatchAdded> {
    let created_at = UnixMillis::now();
    let revision = position.revision.next();
    let first_id = FactId(position.next_fact);
    let mut outcome = BatchAdded::default();
    for fact in facts {
        if queries::find(connection, fact)?.is_some() {
            outcome.duplicates += 1;
        } else {
            insert(connection, position, fact, revision, created_at)?;
            outcome.added += 1;
        }
    }
    if outcome.added > 0 {
        let event = events::facts_imported(first_id, outcome.added, created_at, revision);
        log::append(connection, position, &event, revision, origin, created_at)?;
    }
    Ok(outcome)
}

/// Makes the fact `id` what `fact` says; where it is so already there is no change.
pub fn update(
    connection: &Connection,
    position: &mut Position,
    id: FactId,
    fact: &NewFact,
    origin: &Origin,
) -> rusqlite::Result<Updated> {
    let Some(before) = queries::fact(connection, id)? else { return Ok(Updated::Missing) };
    if before.is_as(fact) {
        return Ok(Updated::Done(before));
    }
    let same_statement = before.statement == fact.statement();
    if !same_statement {
        if let Some(id) = queries::find(connection, fact)? {
            return Ok(Updated::Duplicate { id });
        }
        unindex(connection, &before)?;
        index(connection, id, fact)?;
    }
    let updated_at = UnixMillis::now();
    let revision = position.revision.next();
    connection
        .prepare_cached(
            "UPDATE facts SET statement = ?2, predicate = ?3, negated = ?4, context = ?5, confidence = ?6,
                    updated_at_ms = ?7, revision = ?8 WHERE id = ?1",
        )?
        .execute(params![
            id.0,
            fact.statement(),
            fact.predicate,
            fact.negated,
            fact.context.as_str(),
            fact.confidence.get(),
            updated_at.0,
            revision.0,
        ])?;
    let now = before.changed(fact, updated_at, revision);
    let event = events::fact_updated(&before, &now, updated_at);
    log::append(connection, position, &event, revision, origin, updated_at)?;
    Ok(Updated::Done(now))
}

/// Deletes the fact `id`; what it was, where there was one.
pub fn delete(
    connection: &Connection,
    position: &mut Position,
    id: FactId,
    origin: &Origin,
) -> rusqlite::Result<Option<StoredFact>> {
    let Some(before) = queries::fact(connection, id)? else { return Ok(None) };
    let revision = position.revision.next();
    unindex(connection, &before)?;
    connection.prepare_cached("DELETE FROM facts WHERE id = ?1")?.execute([id.0])?;
    note_removed(connection, revision, CollectionId::FACTS, id.0)?;
    position.fact_count -= 1;
    let deleted_at = UnixMillis::now();
    let event = events::fact_deleted(&before, deleted_at, revision);
    log::append(connection, position, &event, revision, origin, deleted_at)?;
    Ok(Some(before))
}

/// Notes that a row is gone, for the indexes that follow.
pub fn note_removed(
    connection: &Connection,
    revision: Revision,
    collection: CollectionId,
    id: u64,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO removed (revision, collection_id, id) VALUES (?1, ?2, ?3)")?
        .execute([revision.0, collection.0, id])
        .map(drop)
}

fn insert(
    connection: &Connection,
    position: &mut Position,
    fact: &NewFact,
    revision: Revision,
    created_at: UnixMillis,
) -> rusqlite::Result<FactId> {
    let id = FactId(position.next_fact);
    connection
        .prepare_cached(
            "INSERT INTO facts (id, statement, predicate, negated, context, confidence, created_at_ms, revision)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            id.0,
            fact.statement(),
            fact.predicate,
            fact.negated,
            fact.context.as_str(),
            fact.confidence.get(),
            created_at.0,
            revision.0,
        ])?;
    index(connection, id, fact)?;
    position.next_fact += 1;
    position.fact_count += 1;
    Ok(id)
}

/// Makes a fact findable by its statement, its words and its entities.
fn index(connection: &Connection, id: FactId, fact: &NewFact) -> rusqlite::Result<()> {
    connection.prepare_cached("INSERT INTO statements VALUES (?1, ?2)")?.execute(params![fact.hash, id.0])?;
    connection
        .prepare_cached("INSERT INTO fact_text (rowid, statement) VALUES (?1, ?2)")?
        .execute(params![id.0, fact.statement()])?;
    if !fact.entity_tokens.is_empty() {
        connection
            .prepare_cached("INSERT INTO fact_entities (rowid, entities) VALUES (?1, ?2)")?
            .execute(params![id.0, fact.entity_tokens])?;
    }
    Ok(())
}

/// Takes back what [`index`] did. These indexes hold no text of their own: they must be told what was put in.
fn unindex(connection: &Connection, before: &StoredFact) -> rusqlite::Result<()> {
    let parsed = grammar::parse_kept(&before.statement)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(1, Type::Text, Box::new(error)))?;
    let fact = NewFact::new(&parsed, Context::default(), Confidence::DEFAULT);
    connection
        .prepare_cached("DELETE FROM statements WHERE hash = ?1 AND fact_id = ?2")?
        .execute(params![fact.hash, before.id.0])?;
    connection
        .prepare_cached("INSERT INTO fact_text (fact_text, rowid, statement) VALUES ('delete', ?1, ?2)")?
        .execute(params![before.id.0, before.statement])?;
    if !fact.entity_tokens.is_empty() {
        connection
            .prepare_cached(
                "INSERT INTO fact_entities (fact_entities, rowid, entities) VALUES ('delete', ?1, ?2)",
            )?
            .execute(params![before.id.0, fact.entity_tokens])?;
    }
    Ok(())
}
