//! How fast the facts grow: the difference to a minute ago. Pure: the time is an input.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::adjacency::as_f64;

/// What the rate is the mean of.
const WINDOW: Duration = Duration::from_secs(60);

/// Counts that follow each other sooner are one, so that a window has some sixty.
const SAMPLE_INTERVAL_MIN: Duration = Duration::from_secs(1);

/// Counts of the last minute, each with the moment from which it held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Growth {
    samples: VecDeque<(Instant, usize)>,
}

impl Growth {
    /// With so many facts at the beginning, which did not grow.
    pub fn from(facts: usize, now: Instant) -> Self {
        Self { samples: VecDeque::from([(now, facts)]) }
    }

    /// There are so many facts now.
    pub fn see(&mut self, facts: usize, now: Instant) {
        // One that is older than the window stays: it says how many there were when the window began.
        while self.samples.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= WINDOW) {
            self.samples.pop_front();
        }
        let is_first = self.samples.len() == 1;
        match self.samples.back_mut() {
            Some((at, count)) if !is_first && now.duration_since(*at) < SAMPLE_INTERVAL_MIN => *count = facts,
            _ => self.samples.push_back((now, facts)),
        }
    }

    /// Facts added a second, less those removed: the mean of the last minute, or of the time since the beginning.
    pub fn per_second(&self, now: Instant) -> f64 {
        let before = self.samples.iter().rev().find(|(at, _)| now.duration_since(*at) >= WINDOW);
        let (Some((begun, at_first)), Some((_, at_last))) =
            (before.or(self.samples.front()), self.samples.back())
        else {
            return 0.0;
        };
        let elapsed = now.duration_since(*begun).min(WINDOW).max(SAMPLE_INTERVAL_MIN);
        (as_f64(*at_last) - as_f64(*at_first)) / elapsed.as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_the_mean_of_the_last_minute_and_ends_with_it() {
        let start = Instant::now();
        let at = |seconds: f64| start + Duration::from_secs_f64(seconds);
        let mut growth = Growth::from(1_000, start);
        assert_eq!(growth.per_second(at(0.1)), 0.0);
        growth.see(1_050, at(0.5));
        assert_eq!(growth.per_second(at(0.5)), 50.0, "of one second, at least");
        growth.see(1_100, at(0.9));
        growth.see(1_200, at(10.0));
        assert_eq!(growth.per_second(at(20.0)), 10.0);
        assert_eq!(growth.per_second(at(65.0)), 100.0 / 60.0, "the first hundred are older than a minute");
        assert_eq!(growth.per_second(at(71.0)), 0.0);
        growth.see(1_140, at(80.0));
        assert_eq!(growth.per_second(at(80.0)), -1.0, "it shrinks");
        for second in 100..1_000 {
            growth.see(second, at(f64::from(u16::try_from(second).unwrap())));
        }
        assert!(growth.samples.len() <= 62, "{}", growth.samples.len());
    }
}
