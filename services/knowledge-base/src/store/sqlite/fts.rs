//! Queries by words in the language of FTS5.

use super::super::text::TextQuery;

/// Words around the best fit that a snippet has.
const SNIPPET_TOKENS: u32 = 32;

/// The best results for a query: those that have all its words; where there are fewer than `limit`, those that have any.
pub fn best<T>(
    query: &TextQuery,
    limit: usize,
    mut run: impl FnMut(&str) -> rusqlite::Result<Vec<T>>,
) -> rusqlite::Result<Vec<T>> {
    let quoted: Vec<String> = query.words().iter().map(|word| quote(word)).collect();
    let all = run(&quoted.join(" "))?;
    if all.len() >= limit || quoted.len() == 1 {
        return Ok(all);
    }
    run(&quoted.join(" OR "))
}

/// A word as a phrase, in which nothing is syntax.
fn quote(word: &str) -> String {
    format!("\"{}\"", word.replace('"', "\"\""))
}

/// The expression that gives the best part of the text of a row of `table`.
pub fn snippet(table: &str) -> String {
    format!("snippet({table}, 0, '', '', '…', {SNIPPET_TOKENS})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_of_the_search_language_are_data_and_any_word_does_where_all_find_too_little() {
        let expressions = |query: &str, found: usize| {
            let mut seen = Vec::new();
            let run = |expression: &str| {
                seen.push(expression.to_owned());
                Ok(vec![(); found])
            };
            best(&TextQuery::parse(query).unwrap(), 2, run).unwrap();
            seen
        };
        assert_eq!(expressions("new york", 2), [r#""new" "york""#]);
        assert_eq!(expressions("new york", 1), [r#""new" "york""#, r#""new" OR "york""#]);
        assert_eq!(expressions("york", 0), [r#""york""#]);
        assert_eq!(expressions(r#"a" OR b*"#, 2), [r#""a""" "OR" "b*""#]);
        assert_eq!(expressions("NEAR(a b)", 2), [r#""NEAR(a" "b)""#]);
    }
}
