//! A figure: what was measured, what it must reach, and what stands beside it. Pure.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::contest::Values;
use super::servers::Contestant;
use crate::proof::statistics::{maximum, median, minimum};

/// Median and spread of the rounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Median.
    pub value: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// How many rounds.
    pub rounds: usize,
}

/// What the report holds of one figure.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// Stable name.
    pub name: String,
    /// The gateway's.
    pub value: f64,
    /// Unit of all numbers of this figure.
    pub unit: &'static str,
    /// What it must reach, in words and numbers.
    pub target: String,
    /// Whether it does.
    pub holds: bool,
    /// Everything else that was measured in the same run: each contestant's spread, the gateway's own included.
    pub beside: Map<String, Value>,
}

impl Spread {
    /// Of one value a round.
    pub fn of(values: &[f64]) -> Self {
        Self { value: median(values), min: minimum(values), max: maximum(values), rounds: values.len() }
    }
}

impl Figure {
    /// A figure of the gateway among `values`; `judge` gives its target and whether it holds.
    ///
    /// # Errors
    /// When the gateway was not measured.
    pub fn judged(
        name: &str,
        unit: &'static str,
        values: &Values,
        judge: impl FnOnce(f64, &dyn Fn(Contestant) -> Option<f64>) -> (String, bool),
    ) -> Result<Self> {
        let ours = values
            .get(&Contestant::Bywash)
            .with_context(|| format!("{name}: the gateway was not measured"))?;
        let value = Spread::of(ours).value;
        let beside =
            values.iter().map(|(who, values)| (who.to_string(), json!(Spread::of(values)))).collect();
        let of = |who: Contestant| values.get(&who).map(|values| Spread::of(values).value);
        let (target, holds) = judge(value, &of);
        Ok(Self { name: name.to_owned(), value, unit, target, holds, beside })
    }

    /// Adds something that stands beside it.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Serialize) -> Self {
        self.beside.insert(name.to_owned(), json!(value));
        self
    }

    /// Prints it for people: one line for the verdict, one for each that stands beside.
    pub fn print(&self) {
        println!(
            "\n{:<7} {} = {} {}   target: {}",
            if self.holds { "holds" } else { "MISSES" },
            self.name,
            number(self.value),
            self.unit,
            self.target
        );
        for (name, beside) in &self.beside {
            match (beside["value"].as_f64(), beside["min"].as_f64(), beside["max"].as_f64()) {
                (Some(value), Some(min), Some(max)) => {
                    let share = 100.0 * value / self.value;
                    let (value, min, max) = (number(value), number(min), number(max));
                    println!(
                        "          {name:<28} {value:>12}   {min:>12} to {max:<12} {share:>7.1} % of ours"
                    );
                }
                _ => println!("          {name:<28} {beside}"),
            }
        }
    }
}

/// As few digits as tell something.
fn number(value: f64) -> String {
    match value.abs() {
        1000.0.. => format!("{value:.0}"),
        10.0..1000.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

/// Writes the report for programs: the figures and the state of the machine.
///
/// # Errors
/// When the file cannot be written.
pub fn write_report(path: &Path, machine: &Map<String, Value>, figures: &[Figure]) -> Result<()> {
    let mut report = machine.clone();
    report.insert("figures".to_owned(), json!(figures));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    let text = serde_json::to_string_pretty(&report).context("a report has a form in JSON")?;
    std::fs::write(path, text + "\n").with_context(|| format!("{} cannot be written", path.display()))
}

/// At least this share of the raw writer.
pub fn share_of_raw(share: f64) -> impl Fn(f64, &dyn Fn(Contestant) -> Option<f64>) -> (String, bool) {
    move |ours, of| {
        let raw = of(Contestant::Raw).unwrap_or(f64::INFINITY);
        let target = format!(">= {:.0} % of raw, {}", share * 100.0, number(share * raw));
        (target, ours >= share * raw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(ours: &[f64], raw: &[f64]) -> Values {
        Values::from([(Contestant::Bywash, ours.to_vec()), (Contestant::Raw, raw.to_vec())])
    }

    #[test]
    fn a_figure_is_the_median_and_is_judged_by_the_medians_of_others() {
        let raw = [90.0, 100.0, 400.0];
        for (ours, holds) in [([95.0, 80.0, 1.0], false), ([90.0, 91.0, 1.0], true)] {
            let figure = Figure::judged("x", "events", &values(&ours, &raw), share_of_raw(0.9)).unwrap();
            assert_eq!(
                (figure.holds, figure.beside["raw"]["max"].as_f64()),
                (holds, Some(400.0)),
                "{figure:?}"
            );
        }
        let alone = Values::from([(Contestant::Bywash, vec![1.0])]);
        assert!(
            !Figure::judged("x", "events", &alone, share_of_raw(0.9)).unwrap().holds,
            "nothing to compare with"
        );
    }
}
