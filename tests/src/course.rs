//! Courses of events that a seed decides: which of them run, and what a failed one tells.

use std::ops::RangeInclusive;

/// One course, and what happened on it so far; printed where its test fails.
#[derive(Debug)]
pub struct Course {
    name: &'static str,
    /// Decides everything that is left to chance.
    pub seed: u64,
    steps: Vec<String>,
}

impl Course {
    /// The courses called `name`: that of the seed `<name>_SEED` of the environment, or else the first `<name>_SEEDS`; the
    /// first `usual` where it says neither.
    ///
    /// # Panics
    /// When a variable is no number.
    pub fn all(name: &'static str, usual: u64) -> impl Iterator<Item = Self> {
        let number = |what: &str| {
            let variable = format!("{name}_{what}");
            let text = std::env::var(&variable).ok()?;
            Some(text.parse::<u64>().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
        };
        let seeds: RangeInclusive<u64> = match number("SEED") {
            Some(seed) => seed..=seed,
            None => 1..=number("SEEDS").unwrap_or(usual),
        };
        seeds.map(move |seed| Self { name, seed, steps: Vec::new() })
    }

    /// The next thing that happened.
    pub fn note(&mut self, step: impl Into<String>) {
        self.steps.push(step.into());
    }
}

impl Drop for Course {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}_SEED={} took this course:\n{}", self.name, self.seed, self.steps.join("\n"));
        }
    }
}
