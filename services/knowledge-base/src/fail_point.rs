//! Named places where a test may make the process die, to prove that nothing is lost or told twice.
//!
//! `BYWASH_FAIL_POINT=<name>[:<count>]` aborts the process when it comes to the place for the count-th time (default
//! 1). Without the variable a place costs one load of a pointer.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The variable that arms a fail point.
pub const VARIABLE: &str = "BYWASH_FAIL_POINT";

/// A place in the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailPoint {
    /// The relay is about to publish a change.
    RelayBeforePublish,
    /// The relay has sent a change and flushed it, and has not yet seen its acknowledgement.
    RelayPublishedNoAck,
    /// A change is acknowledged and the next one, already committed, is not yet published.
    RelayBetweenRows,
    /// All rows of a transaction are written; it is not yet committed.
    StoreMidCommit,
}

impl FailPoint {
    /// Every fail point.
    pub const ALL: [Self; 4] =
        [Self::RelayBeforePublish, Self::RelayPublishedNoAck, Self::RelayBetweenRows, Self::StoreMidCommit];

    /// Its name in the environment.
    pub fn name(self) -> &'static str {
        match self {
            Self::RelayBeforePublish => "relay_before_publish",
            Self::RelayPublishedNoAck => "relay_published_no_ack",
            Self::RelayBetweenRows => "relay_between_rows",
            Self::StoreMidCommit => "store_mid_commit",
        }
    }
}

/// A fail point and how many passes it lets through.
#[derive(Debug)]
pub struct Armed {
    point: FailPoint,
    passes_left: AtomicU64,
}

/// The variable does not say `<name>[:<count>]` with a known name and a count from 1.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{VARIABLE} is {0:?}; it must be a name and optionally `:` and a count from 1; the names are {names}", names = names())]
pub struct UnknownFailPoint(String);

fn names() -> String {
    FailPoint::ALL.map(FailPoint::name).join(", ")
}

impl Armed {
    /// Reads `<name>[:<count>]`.
    ///
    /// # Errors
    /// [`UnknownFailPoint`] for anything else.
    pub fn parse(text: &str) -> Result<Self, UnknownFailPoint> {
        let unknown = || UnknownFailPoint(text.to_owned());
        let (name, count) = text.split_once(':').unwrap_or((text, "1"));
        let point = FailPoint::ALL.into_iter().find(|point| point.name() == name).ok_or_else(unknown)?;
        let count: u64 = count.parse().ok().filter(|count| *count > 0).ok_or_else(unknown)?;
        Ok(Self { point, passes_left: AtomicU64::new(count) })
    }

    /// True on the count-th pass of the armed point, and only then.
    fn fires(&self, point: FailPoint) -> bool {
        self.point == point && self.passes_left.fetch_sub(1, Ordering::Relaxed) == 1
    }
}

static ARMED: OnceLock<Armed> = OnceLock::new();

/// Arms what [`VARIABLE`] names, once for the process.
///
/// # Errors
/// [`UnknownFailPoint`] when the variable is set and says nothing known.
pub fn arm_from_environment() -> Result<(), UnknownFailPoint> {
    if let Ok(text) = std::env::var(VARIABLE) {
        let armed = Armed::parse(&text)?;
        tracing::warn!(fail_point = armed.point.name(), "this process will abort at a fail point");
        // A second call finds the same variable.
        let _ = ARMED.set(armed);
    }
    Ok(())
}

/// Whether this point is the armed one, for places that must order things to be hit exactly.
pub fn is_armed(point: FailPoint) -> bool {
    ARMED.get().is_some_and(|armed| armed.point == point)
}

/// Aborts the process here if this point is armed and its turn has come.
pub fn reach(point: FailPoint) {
    if ARMED.get().is_some_and(|armed| armed.fires(point)) {
        eprintln!("fail point {} reached", point.name());
        std::process::abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_armed_point_fires_once_on_its_count() {
        let armed = Armed::parse("store_mid_commit:2").unwrap();
        let fired: Vec<bool> = (0..4).map(|_| armed.fires(FailPoint::StoreMidCommit)).collect();
        assert_eq!(fired, [false, true, false, false]);
        assert!(!armed.fires(FailPoint::RelayBetweenRows));
    }

    #[test]
    fn every_name_is_known_and_anything_else_is_refused_by_name() {
        for point in FailPoint::ALL {
            assert_eq!(Armed::parse(point.name()).unwrap().point, point);
        }
        for text in ["", "nowhere", "store_mid_commit:0", "store_mid_commit:x", "store_mid_commit:1:1"] {
            let error = Armed::parse(text).unwrap_err().to_string();
            assert!(
                error.contains("relay_before_publish") && error.contains(&format!("{text:?}")),
                "{error}"
            );
        }
    }
}
