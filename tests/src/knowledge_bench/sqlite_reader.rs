//! SQLite called directly, without a server, to read: the statements of the store's own readers.

use std::path::Path;

use anyhow::Result;
use knowledge_base::store::TextQuery;
use knowledge_base::store::sqlite::connections;
use rusqlite::{Connection, params};

/// A connection that reads, as the store's readers do: each read in a transaction that tells its revision as well.
pub struct Reader(Connection);

impl Reader {
    /// Opens the file of a store, which may be running.
    ///
    /// # Errors
    /// SQLite's.
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self(connections::open_reader(path)?))
    }

    /// One fact by its number: its statement.
    ///
    /// # Errors
    /// SQLite's, or where there is none.
    pub fn fact(&self, id: u64) -> Result<String> {
        let sql =
            "SELECT f.id, f.statement, f.context, f.confidence, f.created_at_ms, f.updated_at_ms, f.revision
                   FROM facts f WHERE f.id = ?1";
        self.in_transaction(|connection| {
            connection.prepare_cached(sql)?.query_row([id], |row| {
                let (_context, _confidence): (String, f64) = (row.get(2)?, row.get(3)?);
                let (_created_at, _updated_at): (i64, Option<i64>) = (row.get(4)?, row.get(5)?);
                row.get(1)
            })
        })
    }

    /// The best facts for a query: their numbers. All its words first; any of them where that finds too few.
    ///
    /// # Errors
    /// SQLite's.
    pub fn search(&self, query: &TextQuery, limit: usize) -> Result<Vec<u64>> {
        let sql = "SELECT f.id, f.statement, f.context, f.confidence, f.created_at_ms, f.updated_at_ms, f.revision,
                          t.rank, snippet(fact_text, 0, '', '', '…', 32)
                   FROM fact_text t JOIN facts f ON f.id = t.rowid WHERE fact_text MATCH ?1 ORDER BY t.rank LIMIT ?2";
        let words: Vec<String> =
            query.words().iter().map(|word| format!("\"{}\"", word.replace('"', "\"\""))).collect();
        let limit_rows = i64::try_from(limit).unwrap_or(i64::MAX);
        self.in_transaction(|connection| {
            let mut statement = connection.prepare_cached(sql)?;
            let mut run = |expression: String| -> rusqlite::Result<Vec<u64>> {
                let hit = |row: &rusqlite::Row<'_>| {
                    let (_statement, _context, _snippet): (String, String, String) =
                        (row.get(1)?, row.get(2)?, row.get(8)?);
                    row.get(0)
                };
                statement.query_map(params![expression, limit_rows], hit)?.collect()
            };
            let all = run(words.join(" "))?;
            if all.len() >= limit || words.len() == 1 { Ok(all) } else { run(words.join(" OR ")) }
        })
    }

    fn in_transaction<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let transaction = self.0.unchecked_transaction()?;
        let _seen: (String, u64) = transaction
            .prepare_cached("SELECT epoch, revision FROM meta")?
            .query_row((), |row| Ok((row.get(0)?, row.get(1)?)))?;
        let value = query(&transaction)?;
        transaction.finish()?;
        Ok(value)
    }
}
