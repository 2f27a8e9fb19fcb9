//! The proof's result as a table for people and as JSON for programs.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::Value;

use super::verdict::{Comparison, Summary};

/// `pass` or `fail`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// All within the limits.
    Pass,
    /// Something not.
    Fail,
}

impl Verdict {
    /// Pass only where everything holds.
    pub fn of(holds: bool) -> Self {
        if holds { Self::Pass } else { Self::Fail }
    }

    /// As a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
        }
    }
}

/// A target of the field, printed beside the verdict and no part of it.
#[derive(Debug, Clone, Serialize)]
pub struct Target {
    /// What was aimed at.
    pub name: String,
    /// What was measured, with its unit.
    pub measured: String,
    /// Whether it was met.
    pub met: bool,
}

/// The old systems' own check: 50 sequential requests.
#[derive(Debug, Clone, Serialize)]
pub struct SequentialCheck {
    /// Phase in which it ran.
    pub phase: &'static str,
    /// Method and path.
    pub endpoint: &'static str,
    /// Requests.
    pub requests: usize,
    /// Mean latency.
    pub mean_ms: f64,
    /// The slowest.
    pub max_ms: f64,
}

/// Everything that a run gave.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Machine, cores, load, durations and rounds, one line each.
    pub header: Vec<String>,
    /// Every phase and endpoint.
    pub phases: Vec<Summary>,
    /// Bywash's comparisons.
    pub comparisons: Vec<Comparison>,
    /// The control's comparisons.
    pub control_comparisons: Vec<Comparison>,
    /// Conditions without which a phase proves nothing, that did not hold; empty in a sound run.
    pub broken_conditions: Vec<String>,
    /// The field's targets.
    pub targets: Vec<Target>,
    /// 50 sequential requests each.
    pub sequential: Vec<SequentialCheck>,
    /// What else was seen in each phase and round.
    pub observations: Vec<Value>,
    /// Bywash.
    pub verdict: Verdict,
    /// The control; it must fail.
    pub negative_control_verdict: Verdict,
}

impl Report {
    /// Whether the proof holds: Bywash passes, the control fails, and nothing was broken.
    pub fn holds(&self) -> bool {
        self.verdict == Verdict::Pass && self.negative_control_verdict == Verdict::Fail
    }

    /// Prints it for people.
    pub fn print(&self) {
        println!(
            "\n{:<24}{:<22}{:>9}{:>8}{:>9}{:>9}{:>9}{:>9}   p99 of the rounds, ms",
            "phase", "endpoint", "requests", "failed", "mean ms", "p50 ms", "p95 ms", "p99 ms"
        );
        for row in &self.phases {
            let (low, high) = row.p99_spread_ms();
            println!(
                "{:<24}{:<22}{:>9}{:>8}{:>9.2}{:>9.2}{:>9.2}{:>9.2}   {low:.2} to {high:.2}",
                row.name,
                row.endpoint,
                row.requests,
                row.failed,
                row.mean_ms,
                row.p50_ms,
                row.p95_ms,
                row.p99_ms
            );
        }
        println!("\n50 sequential requests each, as the old systems checked themselves:");
        for row in &self.sequential {
            println!(
                "  {:<24}{:<22} mean {:.2} ms, max {:.2} ms",
                row.phase, row.endpoint, row.mean_ms, row.max_ms
            );
        }
        println!("\nThe field's targets (beside the verdict):");
        for target in &self.targets {
            println!(
                "  {:<8}{:<58} {}",
                if target.met { "met" } else { "missed" },
                target.name,
                target.measured
            );
        }
        println!("\nBywash, p99 against {}:", self.comparisons.first().map_or("", |one| one.reference));
        print_comparisons(&self.comparisons);
        println!("Negative control, which must fail:");
        print_comparisons(&self.control_comparisons);
        for condition in &self.broken_conditions {
            println!("BROKEN CONDITION: {condition}");
        }
        println!("\nverdict: {}", self.verdict.word());
        println!("negative control: {} (must be fail)", self.negative_control_verdict.word());
    }

    /// Writes it for programs.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self).context("a report has a form in JSON")?;
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("{} cannot be made", folder.display()))?;
        }
        std::fs::write(path, text + "\n").with_context(|| format!("{} cannot be written", path.display()))
    }
}

fn print_comparisons(comparisons: &[Comparison]) {
    for one in comparisons {
        println!(
            "  {:<8}{:<22}{:<24} {:>9.2} ms, limit {:.2} ms",
            if one.passed { "within" } else { "BEYOND" },
            one.endpoint,
            one.phase,
            one.p99_ms,
            one.limit_ms
        );
    }
}
