//! What the rounds gave: for each side and thing measured, a value a round.

use std::collections::BTreeMap;

use crate::figure::{Figure, Spread};
use crate::proof::statistics::median;

/// Values by their name, one a round.
#[derive(Debug, Default)]
pub struct Samples(BTreeMap<String, Vec<f64>>);

impl Samples {
    /// One more.
    pub fn add(&mut self, name: &str, value: f64) {
        self.0.entry(name.to_owned()).or_default().push(value);
    }

    /// All of that name.
    pub fn of(&self, name: &str) -> &[f64] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// Their median; endless where there is none, so that nothing holds beside what was not measured.
    pub fn median(&self, name: &str) -> f64 {
        match self.of(name) {
            [] => f64::INFINITY,
            values => median(values),
        }
    }

    /// A figure of `name` that nothing is asked of, with the rest beside it.
    pub fn shown(&self, figure: &str, unit: &'static str, name: &str, beside: &[&str]) -> Figure {
        self.beside(Figure::new(figure, unit, self.of(name), "shown".to_owned(), true), beside)
    }

    /// The same with a target: `judge` says it, and whether the median reaches it.
    pub fn judged(
        &self,
        figure: &str,
        unit: &'static str,
        name: &str,
        beside: &[&str],
        judge: impl FnOnce(f64) -> (String, bool),
    ) -> Figure {
        let (target, holds) = judge(self.median(name));
        self.beside(Figure::new(figure, unit, self.of(name), target, holds), beside)
    }

    fn beside(&self, figure: Figure, names: &[&str]) -> Figure {
        names.iter().fold(figure, |figure, name| figure.with(name, Spread::of(self.of(name))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_holds_beside_what_was_not_measured() {
        let mut samples = Samples::default();
        samples.add("ours", 5.0);
        let figure = samples.judged("x", "facts/s", "ours", &[], |ours| {
            (String::new(), ours >= 0.7 * samples.median("never measured"))
        });
        assert!(!figure.holds, "{figure:?}");
    }
}
