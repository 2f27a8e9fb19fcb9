//! SQLite called directly, without a server, to write: the same file, the same rows, and connections that the store itself
//! sets up. What a row needs that is no work of SQLite's (hashes, bodies of events, digests) is made before the clock runs.
//!
//! The statements are those of `services/knowledge-base/src/store/sqlite/`; the bench fails where `verify` of the
//! knowledge base finds the file other than the store would have left it.

use std::collections::HashSet;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use chassis::time::rfc3339;
use knowledge_base::grammar;
use knowledge_base::store::sqlite::{checkpoint, connections};
use knowledge_base::store::{Digest, FactId, Revision, UnixMillis, hex};
use proto_schemas::v1::{FactAdded, FactsImported};
use proto_schemas::{Event, json};
use rusqlite::{Connection, params};

/// What a commit waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// For the disk: the store's.
    Full,
    /// For nothing: a power cut loses what was committed. For the bench's check of itself.
    Off,
}

/// A fact as its rows need it.
struct Row {
    statement: String,
    predicate: String,
    negated: bool,
    hash: i64,
    entity_tokens: String,
}

/// A change with its facts.
struct Change {
    revision: Revision,
    event_type: &'static str,
    body: Vec<u8>,
    digest: Digest,
    created_at: UnixMillis,
    rows: Vec<Row>,
}

/// Changes that share a commit.
pub struct Commit(Vec<Change>);

/// The connection that writes, and where the file stands.
pub struct Writer {
    connection: Connection,
    revision: Revision,
    digest: Digest,
    fact_count: u64,
    next_fact: u64,
    checkpoints: Option<JoinHandle<()>>,
}

impl Writer {
    /// Opens a file that the knowledge base has made.
    ///
    /// # Errors
    /// SQLite's.
    pub fn open(path: &Path, durability: Durability) -> Result<Self> {
        let mut connection = connections::open_writer(path)?;
        let log = connections::open_checkpointer(path)?;
        if durability == Durability::Off {
            connection.pragma_update(None, "synchronous", "off")?;
            log.pragma_update(None, "synchronous", "off")?;
        }
        let mover = checkpoint::watch_log(&mut connection)?;
        let checkpoints = std::thread::spawn(move || mover.run(&log));
        let mut writer = Self {
            connection,
            revision: Revision(0),
            digest: Digest::EMPTY,
            fact_count: 0,
            next_fact: 0,
            checkpoints: Some(checkpoints),
        };
        writer.see()?;
        Ok(writer)
    }

    /// Reads where the file stands.
    fn see(&mut self) -> Result<()> {
        let position = "SELECT revision, fact_count, next_fact FROM meta";
        (self.revision, self.fact_count, self.next_fact) =
            self.connection
                .query_row(position, (), |row| Ok((Revision(row.get(0)?), row.get(1)?, row.get(2)?)))?;
        if self.revision > Revision(0) {
            let digest = "SELECT digest FROM changes WHERE revision = ?1";
            self.digest = Digest(self.connection.query_row(digest, [self.revision.0], |row| row.get(0))?);
        }
        Ok(())
    }

    /// `facts` as changes of `facts_per_change`, of which `changes_per_commit` on average share a commit.
    ///
    /// # Errors
    /// When one is no fact.
    pub fn prepare(
        &self,
        facts: &[String],
        facts_per_change: usize,
        changes_per_commit: f64,
    ) -> Result<Vec<Commit>> {
        let (mut revision, mut digest, mut id) = (self.revision, self.digest, self.next_fact);
        let mut changes = Vec::new();
        for facts in facts.chunks(facts_per_change) {
            let rows = facts.iter().map(|fact| Row::of(fact)).collect::<Result<Vec<_>>>()?;
            revision = revision.next();
            let created_at = UnixMillis::now();
            let (event_type, body) = event(&rows, facts_per_change == 1, id, revision, created_at);
            digest = digest.chain(revision, event_type, &body);
            id += rows.len() as u64;
            changes.push(Change { revision, event_type, body, digest, created_at, rows });
        }
        Ok(grouped(changes, changes_per_commit).into_iter().map(Commit).collect())
    }

    /// Carries out what [`Self::prepare`] gave, and says how long it took.
    ///
    /// # Errors
    /// SQLite's.
    pub fn carry_out(&mut self, commits: &[Commit]) -> Result<Duration> {
        let start = Instant::now();
        for Commit(changes) in commits {
            self.connection.execute_batch("BEGIN IMMEDIATE")?;
            for change in changes {
                self.write(change)?;
            }
            self.save()?;
            self.connection.execute_batch("COMMIT")?;
        }
        Ok(start.elapsed())
    }

    fn write(&mut self, change: &Change) -> Result<()> {
        for row in &change.rows {
            self.insert(row, change)?;
        }
        let connection = &self.connection;
        connection.prepare_cached("INSERT INTO changes VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(
            params![
                change.revision.0,
                change.event_type,
                change.body,
                None::<String>,
                change.created_at.0,
                change.digest.0
            ],
        )?;
        connection
            .prepare_cached(
                "INSERT INTO audit (revision, actor, action, created_at_ms) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![change.revision.0, "local", change.event_type, change.created_at.0])?;
        (self.revision, self.digest) = (change.revision, change.digest);
        Ok(())
    }

    fn insert(&mut self, row: &Row, change: &Change) -> Result<()> {
        let connection = &self.connection;
        // None of them is there; the store must look as well.
        let mut same = connection.prepare_cached("SELECT fact_id FROM statements WHERE hash = ?1")?;
        anyhow::ensure!(!same.exists([row.hash])?, "{} is there already", row.statement);
        let id = self.next_fact;
        connection
            .prepare_cached(
                "INSERT INTO facts (id, statement, predicate, negated, context, confidence, created_at_ms, revision)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                id,
                row.statement,
                row.predicate,
                row.negated,
                "",
                1.0,
                change.created_at.0,
                change.revision.0
            ])?;
        connection
            .prepare_cached("INSERT INTO statements VALUES (?1, ?2)")?
            .execute(params![row.hash, id])?;
        connection
            .prepare_cached("INSERT INTO fact_text (rowid, statement) VALUES (?1, ?2)")?
            .execute(params![id, row.statement])?;
        if !row.entity_tokens.is_empty() {
            connection
                .prepare_cached("INSERT INTO fact_entities (rowid, entities) VALUES (?1, ?2)")?
                .execute(params![id, row.entity_tokens])?;
        }
        self.next_fact += 1;
        self.fact_count += 1;
        Ok(())
    }

    fn save(&self) -> Result<()> {
        let sql = "UPDATE meta SET revision = ?1, fact_count = ?2, next_fact = ?3";
        let values = [self.revision.0, self.fact_count, self.next_fact];
        self.connection.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Cannot fail: the connection is this thread's own. The thread ends with the hook, which held its channel.
        let _ = checkpoint::unwatch_log(&mut self.connection);
        if let Some(thread) = self.checkpoints.take() {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

impl Row {
    fn of(statement: &str) -> Result<Self> {
        let fact = grammar::parse(statement).with_context(|| format!("{statement} is no fact"))?;
        let (mut named, mut tokens) = (HashSet::new(), Vec::new());
        fact.each_entity(&mut |entity| {
            if named.insert(entity.to_owned()) {
                tokens.push(hex(&hash64(entity).to_be_bytes()));
            }
        });
        let statement = fact.to_string();
        Ok(Self {
            predicate: fact.predicate().to_owned(),
            negated: fact.negated,
            hash: hash64(&statement),
            entity_tokens: tokens.join(" "),
            statement,
        })
    }
}

/// What is told of a change.
fn event(
    rows: &[Row],
    is_single: bool,
    id: u64,
    revision: Revision,
    at: UnixMillis,
) -> (&'static str, Vec<u8>) {
    let (id, created_at, revision) = (FactId(id).as_f64(), rfc3339(at.to_system()), revision.as_f64());
    if is_single {
        let (statement, context) = (rows[0].statement.clone(), String::new());
        let event = FactAdded { id, statement, context, confidence: 1.0, created_at, revision };
        return (FactAdded::TYPE, json::to_vec(&event));
    }
    let count = FactId(rows.len() as u64).as_f64();
    let event = FactsImported { count, first_id: id, last_id: id + count - 1.0, created_at, revision };
    (FactsImported::TYPE, json::to_vec(&event))
}

/// Groups of `size` on average: one of 2.5 gives groups of 2 and 3.
fn grouped<T>(all: Vec<T>, size: f64) -> Vec<Vec<T>> {
    let mut groups: Vec<Vec<T>> = Vec::new();
    let (mut taken, mut end) = (0.0, 0.0);
    for one in all {
        if taken >= end {
            groups.push(Vec::new());
            end += size.max(1.0);
        }
        if let Some(group) = groups.last_mut() {
            group.push(one);
        }
        taken += 1.0;
    }
    groups
}

/// 64 bits of the SHA-256 of a text.
fn hash64(text: &str) -> i64 {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    let (first, _) = digest.as_ref().split_first_chunk().expect("SHA-256 has 32 bytes");
    i64::from_be_bytes(*first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_have_the_size_on_average_and_hold_everything_in_order() {
        for (size, expected) in [(1.0, vec![1; 10]), (2.5, vec![3, 2, 3, 2]), (64.0, vec![10])] {
            let groups = grouped((0..10).collect(), size);
            assert_eq!(groups.iter().map(Vec::len).collect::<Vec<_>>(), expected, "{size}");
            assert_eq!(groups.concat(), (0..10).collect::<Vec<_>>());
        }
    }
}
