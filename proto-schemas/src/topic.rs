//! What a client may follow: a subject or a pattern of the catalogue, parsed once.

use std::fmt;
use std::str::FromStr;

use crate::contract::{CATALOGUE, CatalogueEntry, Shape, Stream};

/// Longest topic a client may name, bytes; NATS subjects of ours are far shorter.
pub const TOPIC_SIZE_MAX: usize = 256;

/// Why a topic cannot be followed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TopicError {
    /// Not a subject: empty tokens, white space, control characters, `>` not at the end, too long.
    #[error("topic {0:?} is malformed")]
    Malformed(String),
    /// The catalogue has no such entry.
    #[error("topic {0:?} is unknown; the catalogue is {list}", list = catalogue_text())]
    Unknown(String),
    /// A wildcard above the catalogue's entries.
    #[error("topic {0:?} has a wildcard above the catalogue; wildcards stand only below {list}", list = catalogue_text())]
    WildcardAbove(String),
}

impl TopicError {
    /// Stable code for clients.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed_topic",
            Self::Unknown(_) => "unknown_topic",
            Self::WildcardAbove(_) => "wildcard_above_catalogue",
        }
    }
}

fn catalogue_text() -> String {
    CATALOGUE
        .iter()
        .map(|entry| match entry.shape {
            Shape::SubjectAndBelow => entry.prefix.to_owned(),
            Shape::Below => format!("{}.>", entry.prefix),
            Shape::BelowName => format!("{}.<user>.>", entry.prefix),
        })
        .collect::<Vec<_>>()
        .join(", ")
}

/// A subject or pattern that lies within the catalogue, and so within one stream.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPattern {
    text: String,
    stream: Stream,
}

impl TopicPattern {
    /// The pattern as the client wrote it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The stream that carries it.
    pub fn stream(&self) -> Stream {
        self.stream
    }

    /// Whether it can match more than one subject.
    pub fn has_wildcard(&self) -> bool {
        self.text.split('.').any(is_wildcard)
    }

    /// Whether `subject` (without wildcards) is one of the pattern's.
    pub fn matches(&self, subject: &str) -> bool {
        let mut tokens = subject.split('.');
        for wanted in self.text.split('.') {
            match (wanted, tokens.next()) {
                (">", Some(_)) => return true,
                ("*", Some(_)) => {}
                (wanted, Some(token)) if wanted == token => {}
                _ => return false,
            }
        }
        tokens.next().is_none()
    }

    /// Whether every subject that `other` matches is one of this pattern's.
    pub fn covers(&self, other: &Self) -> bool {
        let mut tokens = other.text.split('.');
        for mine in self.text.split('.') {
            match (mine, tokens.next()) {
                (">", Some(_)) => return true,
                // `>` stands for any number of tokens, of which only `>` covers all.
                ("*", Some(token)) if token != ">" => {}
                (mine, Some(token)) if mine == token => {}
                _ => return false,
            }
        }
        tokens.next().is_none()
    }

    /// Parses a comma-separated list; an empty list is `Ok(vec![])`. Repeated topics are kept once.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, TopicError> {
        let mut patterns = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let pattern: Self = part.parse()?;
            if !patterns.contains(&pattern) {
                patterns.push(pattern);
            }
        }
        Ok(patterns)
    }
}

impl fmt::Display for TopicPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn is_wildcard(token: &str) -> bool {
    token == "*" || token == ">"
}

/// Tokens of `entry` that must stand literally before the first wildcard.
fn literal_tokens(entry: &CatalogueEntry) -> usize {
    entry.prefix.split('.').count() + usize::from(entry.shape == Shape::BelowName)
}

impl FromStr for TopicPattern {
    type Err = TopicError;

    fn from_str(text: &str) -> Result<Self, TopicError> {
        let tokens: Vec<&str> = text.split('.').collect();
        let last = tokens.len() - 1;
        let well_formed = text.len() <= TOPIC_SIZE_MAX
            && tokens.iter().enumerate().all(|(index, token)| {
                !token.is_empty()
                    && !token.chars().any(|c| c.is_whitespace() || c.is_control())
                    && (is_wildcard(token) || !token.contains(['*', '>']))
                    && (*token != ">" || index == last)
            });
        if !well_formed {
            return Err(TopicError::Malformed(text.to_owned()));
        }
        let first_wildcard = tokens.iter().position(|token| is_wildcard(token)).unwrap_or(tokens.len());
        for entry in &CATALOGUE {
            let prefix: Vec<&str> = entry.prefix.split('.').collect();
            if !tokens.starts_with(&prefix) {
                continue;
            }
            let literal = literal_tokens(entry);
            if first_wildcard < tokens.len() && first_wildcard < literal {
                return Err(TopicError::WildcardAbove(text.to_owned()));
            }
            let below_only = entry.shape != Shape::SubjectAndBelow;
            if tokens.len() < literal + usize::from(below_only) {
                return Err(TopicError::Unknown(text.to_owned()));
            }
            return Ok(Self { text: text.to_owned(), stream: entry.stream });
        }
        if first_wildcard < tokens.len() {
            return Err(TopicError::WildcardAbove(text.to_owned()));
        }
        Err(TopicError::Unknown(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn code(text: &str) -> &'static str {
        text.parse::<TopicPattern>().map_or_else(|error| error.code(), |_| "ok")
    }

    #[test]
    fn wildcards_stand_only_below_the_catalogue() {
        for text in
            ["kb.facts", "kb.facts.>", "state.>", "state.gpu.*", "agent.ada.>", "agent.ada.run1", "app.a.b"]
        {
            assert_eq!(code(text), "ok", "{text}");
        }
        for text in [">", "*", "kb.>", "kb.*", "*.facts", "agent.>", "agent.*.run", "governor.>", "audit.>"] {
            assert_eq!(code(text), "wildcard_above_catalogue", "{text}");
        }
        for text in ["kb", "kb.fact", "state", "app", "agent", "agent.ada", "cmd.kb.search", "$JS.API"] {
            assert_eq!(code(text), "unknown_topic", "{text}");
        }
        for text in ["", ".", "kb..facts", "kb.facts.", "state.>.x", "state.a*", "state.a b", "state.\u{7}"] {
            assert_eq!(code(text), "malformed_topic", "{text:?}");
        }
        assert_eq!(code(&format!("app.{}", "a".repeat(TOPIC_SIZE_MAX))), "malformed_topic");
    }

    #[test]
    fn a_pattern_matches_as_nats_does() {
        let matches = |pattern: &str, subject| pattern.parse::<TopicPattern>().unwrap().matches(subject);
        assert!(matches("state.>", "state.kb") && matches("state.>", "state.gpu.n1"));
        assert!(!matches("state.*", "state.gpu.n1") && matches("state.*", "state.kb"));
        assert!(matches("kb.facts", "kb.facts") && !matches("kb.facts", "kb.facts.x"));
        assert!(!matches("kb.facts.>", "kb.facts"));
    }

    #[test]
    fn a_list_keeps_each_topic_once_and_names_the_bad_one() {
        let list = TopicPattern::parse_list("kb.facts, state.>,kb.facts,").unwrap();
        assert_eq!(list.iter().map(TopicPattern::as_str).collect::<Vec<_>>(), ["kb.facts", "state.>"]);
        let error = TopicPattern::parse_list("kb.facts,nope").unwrap_err();
        assert_eq!(error, TopicError::Unknown("nope".into()));
    }

    /// Every subject below `state` of up to three tokens out of three: `c`, which no pattern of the test names, stands
    /// for all others, and three tokens are one more than the longest pattern has.
    fn subjects() -> Vec<String> {
        let mut all = Vec::new();
        let mut longest = vec!["state".to_owned()];
        for _ in 0..3 {
            longest = longest
                .iter()
                .flat_map(|subject| ["a", "b", "c"].map(|token| format!("{subject}.{token}")))
                .collect();
            all.extend(longest.iter().cloned());
        }
        all
    }

    proptest! {
        #[test]
        fn a_pattern_covers_another_exactly_when_it_matches_all_that_the_other_does(
            one in "state(\\.[ab*]){0,1}\\.[ab*>]",
            other in "state(\\.[ab*]){0,1}\\.[ab*>]",
        ) {
            let (one, other): (TopicPattern, TopicPattern) = (one.parse().unwrap(), other.parse().unwrap());
            let all = subjects().iter().all(|subject| !other.matches(subject) || one.matches(subject));
            prop_assert_eq!(one.covers(&other), all, "{} and {}", one, other);
        }
    }
}
