//! The index for search by words: a file of SQLite's FTS5 beside this process, built from the database and thrown away
//! without harm. PostgreSQL ranks by no BM25 of its own, and this one is that of the other store. Asking it is here;
//! `search_follower.rs` keeps it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags, ToSql, params};
use tokio::sync::{Semaphore, watch};

use super::super::documents::{CollectionId, DocumentId, MetadataFilter};
use super::super::error::ReadError;
use super::super::model::{Confidence, FactId, Revision};
use super::super::sqlite::fts;
use super::super::text::TextQuery;
use super::search_follower::Follower;

/// Name of the file in the data directory.
const FILE: &str = "search.sqlite";

/// Searches at once: each takes a processor for its time.
const SEARCHES_AT_ONCE: usize = 4;

/// Why the index cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the directory, or it cannot be made.
    #[error("it cannot be locked")]
    Lock(#[source] super::super::sqlite::OpenError),
    /// The file cannot be made.
    #[error("the index for search cannot be made")]
    Index(#[from] rusqlite::Error),
}

/// What was found, and at which revision.
pub struct Found<Id> {
    /// The index held exactly this.
    pub revision: Revision,
    /// Number, score and snippet, best first.
    pub hits: Vec<(Id, f64, String)>,
}

/// The index, as it is asked.
pub struct SearchIndex {
    path: PathBuf,
    revision: watch::Receiver<Revision>,
    // Protects the list of those that nobody uses; never held over an await.
    idle: Arc<Mutex<Vec<Connection>>>,
    turns: Arc<Semaphore>,
}

impl SearchIndex {
    /// Opens the index where there is one, and makes it anew where that fails.
    pub fn open(data_dir: &Path) -> Result<(Self, Follower), OpenError> {
        let lock = super::super::sqlite::lock(data_dir).map_err(OpenError::Lock)?;
        let path = data_dir.join(FILE);
        let (follower, revision) = Follower::open(&path, lock)?;
        let (idle, turns) = (Arc::default(), Arc::new(Semaphore::new(SEARCHES_AT_ONCE)));
        Ok((Self { path, revision, idle, turns }, follower))
    }

    /// Waits until it holds the state of `revision`.
    pub async fn reaches(&self, revision: Revision) -> Result<(), ReadError> {
        let mut followed = self.revision.clone();
        followed.wait_for(|followed| *followed >= revision).await.map(drop).map_err(|_| ReadError::Closed)
    }

    /// Waits until nobody keeps it any more.
    pub async fn failed(&self) {
        let mut followed = self.revision.clone();
        while followed.changed().await.is_ok() {}
    }

    /// The best facts for a query.
    pub async fn facts(
        &self,
        query: TextQuery,
        min_confidence: Option<Confidence>,
        limit: usize,
    ) -> Result<Found<FactId>, ReadError> {
        self.ask(0, move |connection| {
            // Only a condition on the confidence makes its column be read.
            let (condition, confidence) = match min_confidence {
                Some(confidence) => ("AND confidence >= ?2", confidence.get()),
                None => ("AND ?2 = 0", 0.0),
            };
            let sql = format!(
                "SELECT rowid, rank, {} FROM fact_text WHERE fact_text MATCH ?1 {condition} ORDER BY rank LIMIT ?3",
                fts::snippet("fact_text")
            );
            let rows = i64::try_from(limit).unwrap_or(i64::MAX);
            let mut statement = connection.prepare_cached(&sql)?;
            fts::best(&query, limit, |expression| {
                let hit = |row: &rusqlite::Row<'_>| {
                    Ok((FactId(row.get(0)?), -row.get::<_, f64>(1)?, row.get(2)?))
                };
                statement.query_map(params![expression, confidence, rows], hit)?.collect()
            })
        })
        .await
    }

    /// The best documents of a collection for a query.
    pub async fn documents(
        &self,
        collection: CollectionId,
        query: TextQuery,
        filter: MetadataFilter,
        limit: usize,
    ) -> Result<Found<DocumentId>, ReadError> {
        self.ask(1, move |connection| {
            let condition = if filter.is_empty() {
                ""
            } else {
                "AND rowid IN (SELECT rowid FROM document_pairs WHERE document_pairs MATCH ?)"
            };
            let sql = format!(
                "SELECT rowid, rank, {} FROM document_text WHERE document_text MATCH ? AND collection = ? {condition}
                 ORDER BY rank LIMIT ?",
                fts::snippet("document_text")
            );
            let (pairs, rows) = (filter.tokens().join(" "), i64::try_from(limit).unwrap_or(i64::MAX));
            let mut statement = connection.prepare_cached(&sql)?;
            fts::best(&query, limit, |expression| {
                let mut values: Vec<&dyn ToSql> = vec![&expression, &collection.0];
                if !filter.is_empty() {
                    values.push(&pairs);
                }
                values.push(&rows);
                let hit = |row: &rusqlite::Row<'_>| {
                    Ok((DocumentId(row.get(0)?), -row.get::<_, f64>(1)?, row.get(2)?))
                };
                statement.query_map(values.as_slice(), hit)?.collect()
            })
        })
        .await
    }

    /// Runs a search on a thread of its own, in a transaction.
    async fn ask<Id: Send + 'static>(
        &self,
        kind: u8,
        search: impl FnOnce(&Connection) -> rusqlite::Result<Vec<(Id, f64, String)>> + Send + 'static,
    ) -> Result<Found<Id>, ReadError> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| ReadError::Closed)?;
        let (path, idle) = (self.path.clone(), Arc::clone(&self.idle));
        let searched = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let kept = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = match kept {
                Some(connection) => connection,
                None => Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?,
            };
            let transaction = connection.unchecked_transaction()?;
            let upto = "SELECT upto FROM followed WHERE kind = ?1";
            let revision = transaction.query_row(upto, [kind], |row| row.get(0).map(Revision))?;
            let hits = search(&transaction)?;
            transaction.finish()?;
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            Ok(Found { revision, hits })
        });
        let searched: rusqlite::Result<_> = searched.await.map_err(|_| ReadError::Closed)?;
        searched.map_err(|error| ReadError::Failed(Arc::new(error)))
    }
}
