//! A figure of a bench: what was measured, what it must reach, and what stands beside it. Pure, but for the report's file.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::{Map, Value, json};

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
    /// Of what is measured.
    pub value: f64,
    /// Unit of all numbers of this figure.
    pub unit: &'static str,
    /// What it must reach, in words and numbers.
    pub target: String,
    /// Whether it does.
    pub holds: bool,
    /// Everything else that was measured in the same run: each contestant's spread, its own included.
    pub beside: Map<String, Value>,
}

impl Spread {
    /// Of one value a round.
    pub fn of(values: &[f64]) -> Self {
        Self { value: median(values), min: minimum(values), max: maximum(values), rounds: values.len() }
    }
}

impl Figure {
    /// The median of one value a round, against a target that it reaches or not.
    pub fn new(name: &str, unit: &'static str, values: &[f64], target: String, holds: bool) -> Self {
        let value = Spread::of(values).value;
        Self { name: name.to_owned(), value, unit, target, holds, beside: Map::new() }
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
pub fn number(value: f64) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_the_median_of_its_rounds_and_keeps_what_stands_beside() {
        let figure = Figure::new("x", "ms", &[3.0, 1.0, 9.0], "<= 5".to_owned(), true)
            .with("other", Spread::of(&[2.0, 4.0]));
        assert_eq!((figure.value, figure.beside["other"]["value"].as_f64()), (3.0, Some(3.0)));
        assert_eq!(figure.beside["other"]["rounds"], 2);
    }
}
