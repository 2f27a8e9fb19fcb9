//! What the knowledge base last said of its search adapters. The connections of a pod share it, so that a wall of
//! dashboards costs the knowledge base one question a second.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::commands::{Answer, Command};

/// An answer is as good as new for this long.
const FRESH: Duration = Duration::from_secs(1);
/// An answer that is older than this is not told without asking again, whoever else is asking.
const AGE_MAX: Duration = Duration::from_secs(5);
/// The tag of the question; the codecs' own begin at 1.
pub const STATUS_TAG: u64 = 0;
/// The adapter's name while nobody has told it: clients expect a text.
const UNKNOWN: &str = "unknown";

/// The question.
pub fn status_command() -> Command {
    Command::Service { subject: "cmd.kb.status".to_owned(), body: json!({}) }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Adapters {
    // Protects the newest answer and the times beside it; held for a look at them, never over an await.
    newest: Mutex<Newest>,
}

#[derive(Debug, Default)]
struct Newest {
    status: Value,
    answered_at: Option<Instant>,
    asked_at: Option<Instant>,
}

impl Adapters {
    /// Whether whoever wants to tell of the adapters asks first; it then does.
    pub fn must_ask(&self, now: Instant) -> bool {
        let mut newest = self.newest();
        let age = |at: Option<Instant>| at.map_or(Duration::MAX, |at| now.saturating_duration_since(at));
        let answer_age = age(newest.answered_at);
        let must = answer_age >= AGE_MAX || answer_age >= FRESH && age(newest.asked_at) >= FRESH;
        if must {
            newest.asked_at = Some(now);
        }
        must
    }

    /// Keeps an answer. No answer is one as well: it is told, and not asked for by everybody.
    pub fn answered(&self, answer: Answer, now: Instant) {
        let status =
            answer.unwrap_or_else(|error| json!({"error": {"code": error.code, "message": error.message}}));
        let mut newest = self.newest();
        newest.status = status;
        newest.answered_at = Some(now);
    }

    /// The name of the adapter that searches now.
    pub fn current(&self) -> String {
        self.newest().status["adapter"].as_str().unwrap_or(UNKNOWN).to_owned()
    }

    /// The fields of `status_update` that are about adapters, in the words of its clients: `themis` is the primary
    /// adapter, `uds3` the fallback.
    ///
    /// Of an adapter that the knowledge base does not tell of, `available` is false and the numbers are 0: existing
    /// clients do arithmetic with them, and an adapter that is not there has answered nothing. Why nothing is known is
    /// in `error`.
    pub fn told(&self) -> Value {
        let newest = self.newest();
        let status = &newest.status;
        let (primary, fallback) = (&status["adapters"]["primary"], &status["adapters"]["fallback"]);
        let is_available = |adapter: &Value| adapter["available"].as_bool().unwrap_or(false);
        let number =
            |name: &str| primary.get(name).filter(|value| value.is_number()).cloned().unwrap_or(json!(0));
        let mut told = json!({
            "current_adapter": status["adapter"].as_str().unwrap_or(UNKNOWN),
            "themis": {
                "available": is_available(primary),
                "query_count": number("query_count"),
                "avg_latency_ms": number("avg_latency_ms"),
                "success_rate": number("success_rate"),
            },
            "uds3": {"available": is_available(fallback)},
        });
        if let Some(error) = status.get("error") {
            told["error"] = error.clone();
        }
        told
    }

    fn newest(&self) -> MutexGuard<'_, Newest> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::CommandError;

    #[test]
    fn one_asks_for_all_and_nobody_tells_what_is_old() {
        let (adapters, start) = (Adapters::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        assert!(adapters.must_ask(at(0)), "nothing is known");
        assert!(adapters.must_ask(at(1)), "still nothing to tell");
        adapters.answered(Ok(json!({})), at(2));
        assert!(!adapters.must_ask(at(900)), "it is fresh");
        assert!(adapters.must_ask(at(1_100)));
        assert!(!adapters.must_ask(at(1_200)), "another one is asking, and there is something to tell");
        assert!(adapters.must_ask(at(5_100)), "too old");
    }

    #[test]
    fn what_is_known_is_told_and_what_is_not_is_not_available() {
        let adapters = Adapters::default();
        let nothing = json!({
            "current_adapter": "unknown",
            "themis": {"available": false, "query_count": 0, "avg_latency_ms": 0, "success_rate": 0},
            "uds3": {"available": false},
        });
        assert_eq!((adapters.told(), adapters.current()), (nothing.clone(), "unknown".to_owned()));
        adapters.answered(Err(CommandError::new("not_available", "nobody answers")), Instant::now());
        let mut expected = nothing;
        expected["error"] = json!({"code": "not_available", "message": "nobody answers"});
        assert_eq!(adapters.told(), expected);

        let primary =
            json!({"available": true, "query_count": 7, "avg_latency_ms": 1.5, "success_rate": 0.99});
        let status = json!({
            "adapter": "primary", "adapters": {"primary": primary, "fallback": {"available": true, "query_count": 1}},
        });
        adapters.answered(Ok(status), Instant::now());
        assert_eq!(
            adapters.told(),
            json!({"current_adapter": "primary", "themis": primary, "uds3": {"available": true}})
        );
    }
}
