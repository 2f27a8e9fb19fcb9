//! What is asked of the store, as functions of a connection. Each runs inside the caller's read transaction.

use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};

use super::apply;
use super::model::{
    Change, Confidence, Digest, Epoch, FactId, NewFact, Revision, StoredFact, UnixMillis, entity_token,
};

/// Most words of a search; each is a look-up.
pub const SEARCH_WORDS_MAX: usize = 32;

const COLUMNS: &str = "f.id, f.statement, f.context, f.confidence, f.created_at_ms, f.revision";

/// Which facts a list holds; all that is given must hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// The name of the fact's term.
    pub predicate: Option<String>,
    /// A word or string among the arguments.
    pub entity: Option<String>,
    /// The change that added it.
    pub revision: Option<Revision>,
}

/// A fact that a search found.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// Okapi BM25 over all facts; greater is better.
    pub score: f64,
    /// The fact.
    pub fact: StoredFact,
}

fn stored_fact(row: &Row<'_>) -> rusqlite::Result<StoredFact> {
    Ok(StoredFact {
        id: FactId(row.get(0)?),
        statement: row.get(1)?,
        context: row.get(2)?,
        confidence: row.get(3)?,
        created_at: UnixMillis(row.get(4)?),
        revision: Revision(row.get(5)?),
    })
}

/// The epoch and revision that this transaction sees.
pub fn position(connection: &Connection) -> rusqlite::Result<(Epoch, Revision)> {
    connection.prepare_cached("SELECT epoch, revision FROM meta")?.query_row((), |row| {
        let epoch: String = row.get(0)?;
        Ok((Epoch::kept(&epoch), Revision(row.get(1)?)))
    })
}

/// The fact of that number.
pub fn fact(connection: &Connection, id: FactId) -> rusqlite::Result<Option<StoredFact>> {
    let sql = format!("SELECT {COLUMNS} FROM facts f WHERE f.id = ?1");
    connection.prepare_cached(&sql)?.query_row([id.0], stored_fact).optional()
}

/// At most `limit` facts after the number `after`, in the order of their numbers.
///
/// The planner has no statistics here, so the text says which index leads: entity, else revision, else predicate (a `+`
/// keeps a column's index out of the choice).
pub fn list(
    connection: &Connection,
    filter: &Filter,
    after: FactId,
    limit: usize,
) -> rusqlite::Result<Vec<StoredFact>> {
    let entity = filter.entity.as_deref().map(entity_token);
    let revision = filter.revision.map(|revision| revision.0);
    let mut sql = format!("SELECT {COLUMNS} FROM ");
    let mut values: Vec<&dyn ToSql> = Vec::with_capacity(5);
    if let Some(token) = &entity {
        sql += "fact_entities e JOIN facts f ON f.id = e.rowid WHERE fact_entities MATCH ? AND e.rowid > ?";
        values.extend([token as &dyn ToSql, &after.0]);
    } else {
        sql += "facts f WHERE f.id > ?";
        values.push(&after.0);
    }
    if let Some(revision) = &revision {
        sql += if entity.is_some() { " AND +f.revision = ?" } else { " AND f.revision = ?" };
        values.push(revision);
    }
    if let Some(predicate) = &filter.predicate {
        sql += if values.len() > 1 { " AND +f.predicate = ?" } else { " AND f.predicate = ?" };
        values.push(predicate);
    }
    sql += if entity.is_some() { " ORDER BY e.rowid LIMIT ?" } else { " ORDER BY f.id LIMIT ?" };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    values.push(&limit);
    connection.prepare_cached(&sql)?.query_map(values.as_slice(), stored_fact)?.collect()
}

/// The words of `query` as an expression of FTS5 in which nothing is syntax; `None` where there is no word.
///
/// All words must occur. Beyond [`SEARCH_WORDS_MAX`] the rest is left out.
pub fn match_expression(query: &str) -> Option<String> {
    let words: Vec<String> = query
        .split(|letter: char| letter.is_whitespace() || letter.is_control())
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .take(SEARCH_WORDS_MAX)
        .map(|word| format!("\"{}\"", word.replace('"', "\"\"")))
        .collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// The `limit` best facts for an expression of [`match_expression`], best first.
pub fn search(
    connection: &Connection,
    expression: &str,
    min_confidence: Option<Confidence>,
    limit: usize,
) -> rusqlite::Result<Vec<Hit>> {
    let hit = |row: &Row<'_>| {
        let rank: f64 = row.get(6)?;
        Ok(Hit { score: -rank, fact: stored_fact(row)? })
    };
    // FTS5 sorts without looking at the facts; only a condition on them makes the join come first.
    let (condition, confidence) = match min_confidence {
        Some(confidence) => ("AND f.confidence >= ?2", confidence.get()),
        None => ("AND ?2 = 0", 0.0),
    };
    let sql = format!(
        "SELECT {COLUMNS}, t.rank FROM fact_text t JOIN facts f ON f.id = t.rowid
         WHERE fact_text MATCH ?1 {condition} ORDER BY t.rank LIMIT ?3"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    connection.prepare_cached(&sql)?.query_map(params![expression, confidence, limit], hit)?.collect()
}

/// For each fact, whether the store has it.
pub fn known(connection: &Connection, facts: &[NewFact]) -> rusqlite::Result<Vec<bool>> {
    facts.iter().map(|fact| Ok(apply::find(connection, fact)?.is_some())).collect()
}

/// Changes from `from` on, in order: at most `rows_max` of them, and no more once `bytes_max` is reached.
pub fn changes(
    connection: &Connection,
    from: Revision,
    rows_max: usize,
    bytes_max: usize,
) -> rusqlite::Result<Vec<Change>> {
    let mut statement = connection.prepare_cached(
        "SELECT revision, type, body, traceparent, created_at_ms, digest FROM changes WHERE revision >= ?1
         ORDER BY revision LIMIT ?2",
    )?;
    let mut rows = statement.query(params![from.0, i64::try_from(rows_max).unwrap_or(i64::MAX)])?;
    let (mut changes, mut bytes) = (Vec::new(), 0);
    while bytes < bytes_max
        && let Some(row) = rows.next()?
    {
        let body: Vec<u8> = row.get(2)?;
        bytes += body.len();
        changes.push(Change {
            revision: Revision(row.get(0)?),
            event_type: row.get(1)?,
            body,
            traceparent: row.get(3)?,
            created_at: UnixMillis(row.get(4)?),
            digest: Digest(row.get(5)?),
        });
    }
    Ok(changes)
}

/// The digest of the change `revision`, while its row is kept.
pub fn digest(connection: &Connection, revision: Revision) -> rusqlite::Result<Option<Digest>> {
    let mut statement = connection.prepare_cached("SELECT digest FROM changes WHERE revision = ?1")?;
    statement.query_row([revision.0], |row| row.get(0).map(Digest)).optional()
}

/// The oldest change that is kept from `from` on, and when it was committed.
pub fn oldest_change(
    connection: &Connection,
    from: Revision,
) -> rusqlite::Result<Option<(Revision, UnixMillis)>> {
    let mut statement = connection.prepare_cached(
        "SELECT revision, created_at_ms FROM changes WHERE revision >= ?1 ORDER BY revision LIMIT 1",
    )?;
    statement.query_row([from.0], |row| Ok((Revision(row.get(0)?), UnixMillis(row.get(1)?)))).optional()
}

/// The last change before `from` that was committed before `moment`: everything up to it is old.
pub fn last_change_before(
    connection: &Connection,
    from: Revision,
    moment: UnixMillis,
) -> rusqlite::Result<Option<Revision>> {
    // Revisions rise with time, so the first row that is too young ends the old ones.
    let mut statement = connection.prepare_cached(
        "SELECT max(revision) FROM (SELECT revision, created_at_ms FROM changes WHERE revision < ?1
         ORDER BY revision LIMIT 5000) WHERE created_at_ms < ?2",
    )?;
    statement.query_row(params![from.0, moment.0], |row| Ok(row.get::<_, Option<u64>>(0)?.map(Revision)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_of_the_search_language_are_data() {
        assert_eq!(match_expression("new york").as_deref(), Some(r#""new" "york""#));
        assert_eq!(match_expression(r#"a" OR b*"#).as_deref(), Some(r#""a""" "OR" "b*""#));
        assert_eq!(match_expression("NEAR(a b)").as_deref(), Some(r#""NEAR(a" "b)""#));
        assert_eq!(
            match_expression("a\0b").as_deref(),
            Some(r#""a" "b""#),
            "NUL would end the text in SQLite"
        );
        assert_eq!(match_expression(" * \" () "), None);
        assert_eq!(match_expression(&"a ".repeat(100)).unwrap().matches('a').count(), SEARCH_WORDS_MAX);
    }
}
