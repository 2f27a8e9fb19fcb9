//! A query by words, in which nothing is syntax.

/// Most words of a search; each is a look-up.
pub const SEARCH_WORDS_MAX: usize = 32;

/// The words of a query, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextQuery(Vec<String>);

impl TextQuery {
    /// The words of `query`, cut at white space; `None` where none has a letter or a digit. Beyond
    /// [`SEARCH_WORDS_MAX`] the rest is left out.
    pub fn parse(query: &str) -> Option<Self> {
        let words: Vec<String> = query
            // NUL would end the text in SQLite.
            .split(|letter: char| letter.is_whitespace() || letter.is_control())
            .filter(|word| word.chars().any(char::is_alphanumeric))
            .take(SEARCH_WORDS_MAX)
            .map(str::to_owned)
            .collect();
        (!words.is_empty()).then_some(Self(words))
    }

    /// Its words.
    pub fn words(&self) -> &[String] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_its_words_up_to_the_limit() {
        let words = |query| TextQuery::parse(query).map(|query| query.words().join("|"));
        assert_eq!(words(" new\tyork "), Some("new|york".into()));
        assert_eq!(words("a\0b"), Some("a|b".into()));
        assert_eq!(words("AND * OR"), Some("AND|OR".into()));
        assert_eq!(words(" * \" () "), None);
        assert_eq!(TextQuery::parse(&"a ".repeat(100)).unwrap().words().len(), SEARCH_WORDS_MAX);
    }
}
