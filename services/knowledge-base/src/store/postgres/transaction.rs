//! A transaction of the writer: it holds the counter from its first look to its end. What it changes is noted in memory
//! and written in one go.

use proto_schemas::{Event, json};

use super::super::model::{Digest, Epoch, Origin, Revision, UnixMillis};
use super::connection::{Connection, Value};
use super::error::Error;
use super::position::{self, Position, int};
use super::text;

/// A change that is not written yet.
struct NewChange {
    revision: Revision,
    event_type: &'static str,
    body: Vec<u8>,
    traceparent: Option<String>,
    created_at: UnixMillis,
    digest: Digest,
    actor: String,
}

/// A transaction under way.
pub struct Transaction {
    /// Where the statements go.
    pub connection: Connection,
    /// Where the store will stand after the commit.
    pub position: Position,
    before: Position,
    changes: Vec<NewChange>,
}

impl Transaction {
    /// Waits for the counter and takes it.
    pub async fn begin(mut connection: Connection) -> Result<Self, Error> {
        let sql = format!("{} FOR NO KEY UPDATE", position::LOAD);
        let rows = connection.run_and_query("BEGIN", &sql).await?;
        let row = rows.first().ok_or(Error::Damaged("missing position"))?;
        let position = Position::from_row(row)?;
        Ok(Self { connection, before: position.clone(), position, changes: Vec::new() })
    }

    /// Notes the next change and moves the position on.
    pub fn append<E: Event>(
        &mut self,
        event: &E,
        revision: Revision,
        origin: &Origin,
        created_at: UnixMillis,
    ) {
        let body = json::to_vec(event);
        let digest = self.position.digest.chain(revision, E::TYPE, &body);
        self.changes.push(NewChange {
            revision,
            event_type: E::TYPE,
            body,
            traceparent: origin.traceparent.clone(),
            created_at,
            digest,
            actor: origin.actor.clone(),
        });
        self.position.revision = revision;
        self.position.digest = digest;
    }

    /// Begins a new history: the revisions go on, and clients are told that they cannot resume across.
    pub async fn begin_epoch(&mut self) -> Result<(), Error> {
        self.position.epoch = Epoch::random();
        let action = format!("epoch {}", self.position.epoch);
        let sql = "INSERT INTO audit (revision, actor, action, created_at_ms) VALUES ($1, 'relay', $2, $3)";
        let values: [Value<'_>; 3] = [&int(self.position.revision.0), &action, &UnixMillis::now().0];
        self.connection.execute(sql, &values).await.map(drop)
    }

    /// Whether the position moved.
    pub fn has_moved(&self) -> bool {
        self.position != self.before
    }

    /// Whether it has changes.
    pub fn is_revised(&self) -> bool {
        self.position.revision != self.before.revision
    }

    /// Writes the changes and the position in one round trip, and tells everybody who listens, at the commit.
    pub async fn write_down(&mut self) -> Result<(), Error> {
        if !self.has_moved() {
            return Ok(());
        }
        self.position.commits += 1;
        let (changes, position) = (std::mem::take(&mut self.changes), &self.position);
        let column = |value: fn(&NewChange) -> i64| changes.iter().map(value).collect::<Vec<_>>();
        let revisions = column(|change| int(change.revision.0));
        let times = column(|change| change.created_at.0);
        let types: Vec<_> = changes.iter().map(|change| change.event_type).collect();
        let bodies: Vec<_> = changes.iter().map(|change| change.body.as_slice()).collect();
        let traces: Vec<_> = changes.iter().map(|change| change.traceparent.as_deref()).collect();
        let digests: Vec<_> = changes.iter().map(|change| change.digest.0.as_slice()).collect();
        let actors: Vec<_> = changes.iter().map(|change| text::kept(&change.actor)).collect();
        let sql = "WITH written AS (
                       INSERT INTO changes (revision, type, body, traceparent, created_at_ms, digest)
                       SELECT * FROM unnest($1::bigint[], $2::text[], $3::bytea[], $4::text[], $5::bigint[],
                                            $6::bytea[])
                   ), audited AS (
                       INSERT INTO audit (revision, actor, action, created_at_ms)
                       SELECT * FROM unnest($1::bigint[], $7::text[], $2::text[], $5::bigint[])
                   ), told AS (
                       SELECT pg_notify('bywash_commits', '')
                   )
                   UPDATE meta SET epoch = $8, revision = $9, digest = $10, commits = $11, fact_count = $12,
                          next_fact = $13, document_count = $14, next_document = $15, next_collection = $16,
                          stream_created = $17
                   FROM told";
        let values: [Value<'_>; 17] = [
            &revisions,
            &types,
            &bodies,
            &traces,
            &times,
            &digests,
            &actors,
            &position.epoch.as_str(),
            &int(position.revision.0),
            &position.digest.0.as_slice(),
            &int(position.commits),
            &int(position.fact_count),
            &int(position.next_fact),
            &int(position.document_count),
            &int(position.next_document),
            &int(position.next_collection),
            &position.stream_created,
        ];
        self.connection.execute(sql, &values).await.map(drop)
    }
}
