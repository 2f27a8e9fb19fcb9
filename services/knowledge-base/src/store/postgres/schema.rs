//! The tables and their versions. No reading or writing of facts here.

use tokio_postgres::Row;

use super::super::model::Epoch;
use super::connection::Connection;
use super::error::Error;

/// Statements that lead from each version to the next; the version is kept in `version`.
///
/// - `meta` has one row, the counter of all replicas: who writes holds it from its first look to its commit, so numbers
///   and revisions rise in the order of commits and have no holes. It has room for newer versions of itself on its page.
/// - `facts.digest` is unique: a part of the SHA-256 of the statement, for an index on the text would end at 2,700 bytes.
/// - `facts.entities` and `documents.pairs` are hashes, found by inverted indexes.
/// - `changes` is what the relay publishes; `revision` has no holes. `digest` covers the row and all rows before it.
/// - `removed` tells the indexes that follow which rows are gone (`collection_id` 0 = facts); it is kept for ever.
/// - `swept` names deleted collections whose documents are still to be freed.
///
/// Append only: a version that ever was committed stays as it is.
const MIGRATIONS: [&str; 1] = ["
    CREATE TABLE meta (
        only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
        epoch text NOT NULL,
        revision bigint NOT NULL DEFAULT 0,
        digest bytea NOT NULL,
        commits bigint NOT NULL DEFAULT 0,
        fact_count bigint NOT NULL DEFAULT 0,
        next_fact bigint NOT NULL DEFAULT 1,
        document_count bigint NOT NULL DEFAULT 0,
        next_document bigint NOT NULL DEFAULT 1,
        next_collection bigint NOT NULL DEFAULT 1,
        stream_created boolean NOT NULL DEFAULT false
    ) WITH (fillfactor = 10);
    CREATE TABLE facts (
        id bigint PRIMARY KEY,
        statement text NOT NULL,
        predicate text NOT NULL,
        negated boolean NOT NULL,
        context text NOT NULL,
        confidence double precision NOT NULL,
        created_at_ms bigint NOT NULL,
        updated_at_ms bigint,
        revision bigint NOT NULL,
        digest bytea NOT NULL,
        entities bigint[] NOT NULL
    );
    CREATE UNIQUE INDEX facts_by_digest ON facts (digest);
    CREATE INDEX facts_by_predicate ON facts (predicate, id);
    CREATE INDEX facts_by_revision ON facts (revision, id);
    CREATE INDEX facts_by_entity ON facts USING gin (entities);
    CREATE TABLE changes (
        revision bigint PRIMARY KEY,
        type text NOT NULL,
        body bytea NOT NULL,
        traceparent text,
        created_at_ms bigint NOT NULL,
        digest bytea NOT NULL
    );
    CREATE TABLE audit (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        revision bigint NOT NULL,
        actor text NOT NULL,
        action text NOT NULL,
        created_at_ms bigint NOT NULL
    );
    CREATE TABLE removed (
        revision bigint NOT NULL,
        collection_id bigint NOT NULL,
        id bigint NOT NULL,
        PRIMARY KEY (revision, collection_id, id)
    );
    CREATE TABLE collections (
        id bigint PRIMARY KEY,
        name text NOT NULL UNIQUE,
        embedder text NOT NULL,
        model text NOT NULL,
        dimension bigint NOT NULL,
        document_count bigint NOT NULL,
        created_at_ms bigint NOT NULL
    );
    CREATE TABLE swept (collection_id bigint PRIMARY KEY);
    CREATE TABLE documents (
        id bigint PRIMARY KEY,
        collection_id bigint NOT NULL,
        key text NOT NULL,
        content text NOT NULL,
        metadata text NOT NULL,
        created_at_ms bigint NOT NULL,
        updated_at_ms bigint,
        revision bigint NOT NULL,
        vector bytea,
        pairs bigint[] NOT NULL,
        UNIQUE (collection_id, key)
    );
    CREATE INDEX documents_by_number ON documents (collection_id, id);
    CREATE INDEX documents_by_revision ON documents (revision, id);
    CREATE INDEX documents_by_pair ON documents USING gin (pairs);
"];

/// The advisory lock under which the tables are made: the letters `BYWA`, and 1.
const MIGRATION_LOCK: i64 = 0x4259_5741_0000_0001;

/// Oldest server that this program is tested with; the number is that of `server_version_num`.
const SERVER_VERSION_MIN: i32 = 150_000;

/// Why the tables cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// PostgreSQL refused.
    #[error("PostgreSQL refused the tables")]
    Refused(#[from] Error),
    /// A newer program has written them.
    #[error("the store has schema version {found}, this program knows versions up to {known}")]
    Newer {
        /// Version in the database.
        found: usize,
        /// Newest version this program knows.
        known: usize,
    },
    /// The server is too old.
    #[error("the server's version is {0}; 15 or newer is needed")]
    OldServer(String),
    /// The database cannot hold all texts.
    #[error("the database has the encoding {0}; UTF8 is needed")]
    Encoding(String),
    /// Rows contradict each other.
    #[error("the store is damaged: {0}")]
    Damaged(String),
}

/// Makes the tables or brings them to the newest version. Replicas that start together wait for each other.
pub async fn bring_up_to_date(connection: &mut Connection) -> Result<(), SchemaError> {
    check_server(connection).await?;
    connection.run("BEGIN").await?;
    connection.query("SELECT pg_advisory_xact_lock($1)", &[&MIGRATION_LOCK]).await?;
    // Where it exists, a user who may not make schemas can go on.
    let exists = connection.query("SELECT FROM pg_namespace WHERE nspname = 'bywash'", &[]).await?;
    if exists.is_empty() {
        connection.run("CREATE SCHEMA bywash").await?;
    }
    connection.run("CREATE TABLE IF NOT EXISTS version (version integer NOT NULL)").await?;
    let found = connection.query_opt("SELECT version FROM version", &[]).await?;
    let found = found.map(|row| row.try_get::<_, i32>(0).map_err(Error::from)).transpose()?;
    let version = usize::try_from(found.unwrap_or(0)).unwrap_or(usize::MAX);
    if version > MIGRATIONS.len() {
        return Err(SchemaError::Newer { found: version, known: MIGRATIONS.len() });
    }
    for (done, statements) in MIGRATIONS.iter().enumerate().skip(version) {
        connection.run(statements).await?;
        if done == 0 {
            let first = "INSERT INTO meta (epoch, digest) VALUES ($1, $2)";
            connection.execute(first, &[&Epoch::random().as_str(), &[0_u8; 16].as_slice()]).await?;
            connection.run("INSERT INTO version VALUES (0)").await?;
        }
        connection.run(&format!("UPDATE version SET version = {}", done + 1)).await?;
    }
    connection.run("COMMIT").await?;
    check_rows(connection).await
}

async fn check_server(connection: &mut Connection) -> Result<(), SchemaError> {
    let sql = "SELECT current_setting('server_version_num')::integer, current_setting('server_version'),
                      current_setting('server_encoding')";
    let row = connection.query_opt(sql, &[]).await?.ok_or(Error::Damaged("missing server version"))?;
    let text = |column| -> Result<String, Error> { Ok(row.try_get(column)?) };
    if row.try_get::<_, i32>(0).map_err(Error::from)? < SERVER_VERSION_MIN {
        return Err(SchemaError::OldServer(text(1)?));
    }
    match text(2)? {
        encoding if encoding == "UTF8" => Ok(()),
        encoding => Err(SchemaError::Encoding(encoding)),
    }
}

/// What must agree in any store.
async fn check_rows(connection: &mut Connection) -> Result<(), SchemaError> {
    let sql = "SELECT revision, (SELECT coalesce(max(revision), 0) FROM changes) FROM meta";
    let row: Row =
        connection.query_opt(sql, &[]).await?.ok_or(SchemaError::Damaged("meta has no row".to_owned()))?;
    let number = |column| -> Result<i64, Error> { Ok(row.try_get(column)?) };
    let (revision, newest) = (number(0)?, number(1)?);
    if revision == newest {
        Ok(())
    } else {
        Err(SchemaError::Damaged(format!("revision {revision}, but the newest change has {newest}")))
    }
}
