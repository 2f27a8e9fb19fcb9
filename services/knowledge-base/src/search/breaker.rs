//! A circuit breaker: an adapter that failed again and again is left alone for a while, then tried once. Pure: the time
//! is an input.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Failures in a row that open the circuit: one may be a coincidence, and each costs its searcher a second attempt.
pub const FAILURES_MAX: u32 = 3;

/// How long an open circuit stays so before one search is let through.
pub const OPEN_FOR: Duration = Duration::from_secs(10);

/// Newest searches that the statistics are about.
const REMEMBERED: usize = 256;

/// Whether an adapter is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Circuit {
    /// It is.
    Closed,
    /// It is not, until the trial.
    Open,
    /// One search is trying it.
    HalfOpen,
}

impl Circuit {
    /// As clients are told.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// What an adapter did lately.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Statistics {
    /// Searches since the start.
    pub query_count: u64,
    /// Of the newest that succeeded; `None` before the first.
    pub average: Option<Duration>,
    /// Share of the newest that succeeded; `None` before the first.
    pub success_rate: Option<f64>,
}

/// The breaker of one adapter.
#[derive(Debug)]
pub struct Breaker {
    failures: u32,
    open_until: Option<Instant>,
    trying: bool,
    query_count: u64,
    /// Durations of the newest searches; `None` for one that failed.
    newest: VecDeque<Option<Duration>>,
}

impl Default for Breaker {
    fn default() -> Self {
        let newest = VecDeque::with_capacity(REMEMBERED);
        Self { failures: 0, open_until: None, trying: false, query_count: 0, newest }
    }
}

impl Breaker {
    /// Whether a search may use the adapter now. Who is let through tells how it went.
    pub fn admit(&mut self, now: Instant) -> bool {
        match self.circuit(now) {
            Circuit::Closed => true,
            Circuit::Open => false,
            Circuit::HalfOpen => !std::mem::replace(&mut self.trying, true),
        }
    }

    /// A search went well.
    pub fn succeeded(&mut self, took: Duration) {
        self.remember(Some(took));
        self.failures = 0;
        self.open_until = None;
        self.trying = false;
    }

    /// A search failed by the adapter's fault.
    pub fn failed(&mut self, now: Instant) {
        self.remember(None);
        self.failures = self.failures.saturating_add(1);
        self.trying = false;
        if self.failures >= FAILURES_MAX {
            self.open_until = Some(now + OPEN_FOR);
        }
    }

    /// A search ended without telling anything of the adapter: the client left, or there was too much to do.
    pub fn abandoned(&mut self) {
        self.trying = false;
    }

    /// Where the circuit stands.
    pub fn circuit(&self, now: Instant) -> Circuit {
        match self.open_until {
            None => Circuit::Closed,
            Some(until) if now < until => Circuit::Open,
            Some(_) => Circuit::HalfOpen,
        }
    }

    /// What it did lately.
    pub fn statistics(&self) -> Statistics {
        let good: Vec<Duration> = self.newest.iter().flatten().copied().collect();
        let count = |items: usize| u32::try_from(items).unwrap_or(u32::MAX);
        let average = (!good.is_empty()).then(|| good.iter().sum::<Duration>() / count(good.len()));
        let share = f64::from(count(good.len())) / f64::from(count(self.newest.len()).max(1));
        let success_rate = (!self.newest.is_empty()).then_some(share);
        Statistics { query_count: self.query_count, average, success_rate }
    }

    fn remember(&mut self, took: Option<Duration>) {
        self.query_count += 1;
        if self.newest.len() == REMEMBERED {
            self.newest.pop_front();
        }
        self.newest.push_back(took);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_adapter_that_fails_in_a_row_is_left_alone_and_then_tried_once() {
        let (mut breaker, start) = (Breaker::default(), Instant::now());
        for _ in 1..FAILURES_MAX {
            breaker.failed(start);
        }
        assert!(breaker.admit(start), "it may be a coincidence");
        breaker.succeeded(Duration::from_millis(1));
        for _ in 0..FAILURES_MAX {
            assert!(breaker.admit(start));
            breaker.failed(start);
        }
        assert!(!breaker.admit(start) && breaker.circuit(start) == Circuit::Open);
        let later = start + OPEN_FOR;
        assert_eq!(breaker.circuit(later), Circuit::HalfOpen);
        assert!(breaker.admit(later) && !breaker.admit(later), "one tries for all");
        breaker.failed(later);
        assert!(!breaker.admit(later + OPEN_FOR / 2));
        assert!(breaker.admit(later + OPEN_FOR), "one failed trial is enough to wait again");
        breaker.succeeded(Duration::from_millis(1));
        assert_eq!(breaker.circuit(later + OPEN_FOR), Circuit::Closed);
    }

    #[test]
    fn a_trial_that_was_given_up_lets_another_one_try() {
        let (mut breaker, start) = (Breaker::default(), Instant::now());
        for _ in 0..FAILURES_MAX {
            breaker.failed(start);
        }
        assert!(breaker.admit(start + OPEN_FOR));
        breaker.abandoned();
        assert!(breaker.admit(start + OPEN_FOR));
    }

    #[test]
    fn statistics_are_of_the_newest_and_the_count_of_all() {
        let (mut breaker, start) = (Breaker::default(), Instant::now());
        let none = Statistics { query_count: 0, average: None, success_rate: None };
        assert_eq!(breaker.statistics(), none, "what did not happen is not 0");
        breaker.succeeded(Duration::from_millis(2));
        breaker.succeeded(Duration::from_millis(4));
        breaker.failed(start);
        breaker.failed(start);
        let some = breaker.statistics();
        assert_eq!((some.query_count, some.average), (4, Some(Duration::from_millis(3))));
        assert_eq!(some.success_rate, Some(0.5));
        for _ in 0..REMEMBERED {
            breaker.succeeded(Duration::from_millis(1));
        }
        assert_eq!(breaker.statistics().success_rate, Some(1.0));
        assert_eq!(breaker.statistics().query_count, 4 + REMEMBERED as u64);
    }
}
