//! How long a key of state rests between two values that are told, by topic. Only state has such an interval: of an
//! ordered topic every event counts (see `docs/decisions/013-minimum-intervals.md`).

use std::time::Duration;

use proto_schemas::{TopicError, TopicKind, TopicPattern};

/// Longest interval: publishers of state repeat themselves more often, and a client takes silence for a fault.
const INTERVAL_MAX_MS: u64 = 60_000;

/// Why `--min-intervals` cannot be used. Each text begins with a stable code.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadIntervals {
    /// No topic, no number, or nothing between them.
    #[error("malformed_min_interval: --min-intervals has {0:?}, which is not TOPIC=MILLISECONDS")]
    Malformed(String),
    /// The part before the number is no topic that clients may follow.
    #[error("unknown_min_interval_topic: --min-intervals has {rule:?}: {source}")]
    Topic {
        /// As it was given.
        rule: String,
        /// What is wrong with it.
        source: TopicError,
    },
    /// It would lose events that clients are promised.
    #[error(
        "min_interval_of_ordered_topic: --min-intervals has {0:?}; only topics of state have intervals, of others every \
         event counts"
    )]
    NotState(String),
    /// Nobody would wait that long.
    #[error("min_interval_too_long: --min-intervals has {0:?}; at most {INTERVAL_MAX_MS} ms")]
    TooLong(String),
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MinIntervals {
    /// The first that matches a key counts.
    pub rules: Vec<(TopicPattern, Duration)>,
    /// Of a key that no rule matches.
    pub otherwise: Duration,
}

impl MinIntervals {
    /// Reads `TOPIC=MILLISECONDS,...`.
    ///
    /// # Errors
    /// The first part that cannot be used.
    pub fn parse(text: &str, otherwise: Duration) -> Result<Self, BadIntervals> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        Ok(Self { rules: parts.map(rule).collect::<Result<_, _>>()?, otherwise })
    }
}

fn rule(text: &str) -> Result<(TopicPattern, Duration), BadIntervals> {
    let malformed = || BadIntervals::Malformed(text.to_owned());
    let (topic, interval_ms) = text.rsplit_once('=').ok_or_else(malformed)?;
    let interval_ms: u64 = interval_ms.trim().parse().map_err(|_| malformed())?;
    let topic: TopicPattern =
        topic.trim().parse().map_err(|source| BadIntervals::Topic { rule: text.to_owned(), source })?;
    if topic.stream().spec().kind != TopicKind::State {
        return Err(BadIntervals::NotState(text.to_owned()));
    }
    if interval_ms > INTERVAL_MAX_MS {
        return Err(BadIntervals::TooLong(text.to_owned()));
    }
    Ok((topic, Duration::from_millis(interval_ms)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OTHERWISE: Duration = Duration::from_millis(100);

    #[test]
    fn rules_are_kept_in_their_order_and_an_empty_text_has_none() {
        let intervals = MinIntervals::parse("state.gpu.>=250, state.kb = 0,", OTHERWISE).unwrap();
        let rules: Vec<_> = intervals.rules.iter().map(|(topic, time)| (topic.as_str(), *time)).collect();
        assert_eq!(rules, [("state.gpu.>", Duration::from_millis(250)), ("state.kb", Duration::ZERO)]);
        assert_eq!(MinIntervals::parse("", OTHERWISE).unwrap().rules, []);
    }

    #[test]
    fn what_cannot_be_used_is_told_by_a_code() {
        for (text, code) in [
            ("state.kb", "malformed_min_interval"),
            ("state.kb=", "malformed_min_interval"),
            ("state.kb=-1", "malformed_min_interval"),
            ("state.kb=1.5", "malformed_min_interval"),
            ("=100", "unknown_min_interval_topic"),
            ("stat.kb=100", "unknown_min_interval_topic"),
            (">=100", "unknown_min_interval_topic"),
            ("app.cursor.>=100", "min_interval_of_ordered_topic"),
            ("logs.>=100", "min_interval_of_ordered_topic"),
            ("state.kb=60001", "min_interval_too_long"),
        ] {
            let error = MinIntervals::parse(&format!("state.gpu.>=250,{text}"), OTHERWISE).unwrap_err();
            assert!(error.to_string().starts_with(&format!("{code}: ")), "{text}: {error}");
        }
    }
}
