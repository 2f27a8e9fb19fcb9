//! From samples to a verdict. Pure functions.

use std::collections::BTreeMap;

use serde::Serialize;

use super::load::{Endpoint, Outcome};
use super::phases::Phase;
use super::statistics::{maximum, mean, median, minimum, percentile, sorted};

/// A phase may be slower than its reference by this share...
const SHARE_MAX: f64 = 0.05;
/// ...and this much more, milliseconds.
const EXTRA_MAX_MS: f64 = 1.0;
/// The endpoints that are judged.
pub const JUDGED: [Endpoint; 2] = [Endpoint::PostFact, Endpoint::Count];

/// All samples of a run: by phase and endpoint, one list a round.
#[derive(Debug, Default)]
pub struct Samples(BTreeMap<(Phase, Endpoint), Vec<Vec<Outcome>>>);

/// What one phase was like for one endpoint. Latencies are over all rounds; `p99_ms` is the median of the rounds'.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// Phase.
    pub name: &'static str,
    /// Method and path.
    pub endpoint: &'static str,
    /// Requests in all.
    pub requests: usize,
    /// Of them, given up or answered without success.
    pub failed: usize,
    /// Mean latency.
    pub mean_ms: f64,
    /// Median latency.
    pub p50_ms: f64,
    /// 95 of 100 were not slower.
    pub p95_ms: f64,
    /// Median over the rounds of what 99 of 100 did not exceed.
    pub p99_ms: f64,
    /// That of each round, in order.
    pub p99_rounds_ms: Vec<f64>,
    /// The slowest.
    pub max_ms: f64,
}

/// One comparison of the verdict.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// Method and path.
    pub endpoint: &'static str,
    /// Phase that is judged.
    pub phase: &'static str,
    /// Phase that it is compared with.
    pub reference: &'static str,
    /// Its p99.
    pub p99_ms: f64,
    /// What it may be.
    pub limit_ms: f64,
    /// Whether it is within.
    pub passed: bool,
}

impl Samples {
    /// Adds one round of a phase.
    pub fn add(&mut self, phase: Phase, outcomes: &[Outcome]) {
        let mut by_endpoint: BTreeMap<Endpoint, Vec<Outcome>> = BTreeMap::new();
        for outcome in outcomes {
            by_endpoint.entry(outcome.endpoint).or_default().push(*outcome);
        }
        for (endpoint, outcomes) in by_endpoint {
            self.0.entry((phase, endpoint)).or_default().push(outcomes);
        }
    }

    /// Every phase and endpoint that was measured.
    pub fn summaries(&self) -> Vec<Summary> {
        self.0.iter().map(|((phase, endpoint), rounds)| summarise(*phase, *endpoint, rounds)).collect()
    }

    fn summary(&self, phase: Phase, endpoint: Endpoint) -> Option<Summary> {
        self.0.get(&(phase, endpoint)).map(|rounds| summarise(phase, endpoint, rounds))
    }

    /// Each of `phases` against `reference`, for each judged endpoint. What was not measured does not pass.
    pub fn compare(&self, reference: Phase, phases: &[Phase]) -> Vec<Comparison> {
        let mut comparisons = Vec::new();
        for endpoint in JUDGED {
            let limit_ms = self.summary(reference, endpoint).map_or(0.0, |summary| limit_ms(summary.p99_ms));
            for phase in phases {
                let p99_ms = self.summary(*phase, endpoint).map_or(f64::INFINITY, |summary| summary.p99_ms);
                comparisons.push(Comparison {
                    endpoint: endpoint.name(),
                    phase: phase.name(),
                    reference: reference.name(),
                    p99_ms,
                    limit_ms,
                    passed: p99_ms <= limit_ms,
                });
            }
        }
        comparisons
    }
}

/// What a p99 may be beside a reference.
fn limit_ms(reference_ms: f64) -> f64 {
    reference_ms * (1.0 + SHARE_MAX) + EXTRA_MAX_MS
}

fn summarise(phase: Phase, endpoint: Endpoint, rounds: &[Vec<Outcome>]) -> Summary {
    let latencies =
        |outcomes: &[Outcome]| sorted(outcomes.iter().map(|outcome| outcome.latency_ms).collect());
    let all: Vec<Outcome> = rounds.iter().flatten().copied().collect();
    let all_ms = latencies(&all);
    let p99_rounds_ms: Vec<f64> = rounds.iter().map(|round| percentile(&latencies(round), 99.0)).collect();
    Summary {
        name: phase.name(),
        endpoint: endpoint.name(),
        requests: all.len(),
        failed: all.iter().filter(|outcome| !outcome.succeeded).count(),
        mean_ms: mean(&all_ms),
        p50_ms: percentile(&all_ms, 50.0),
        p95_ms: percentile(&all_ms, 95.0),
        p99_ms: median(&p99_rounds_ms),
        p99_rounds_ms,
        max_ms: maximum(&all_ms),
    }
}

impl Summary {
    /// Smallest and largest p99 of its rounds, milliseconds.
    pub fn p99_spread_ms(&self) -> (f64, f64) {
        (minimum(&self.p99_rounds_ms), maximum(&self.p99_rounds_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(latency_ms: f64) -> Vec<Outcome> {
        let outcome = |endpoint| Outcome { endpoint, latency_ms, succeeded: true };
        JUDGED.map(outcome).to_vec()
    }

    fn verdict(stalled_ms: &[f64]) -> bool {
        let mut samples = Samples::default();
        for latency_ms in [2.0, 2.0, 2.0] {
            samples.add(Phase::Clients, &round(latency_ms));
        }
        for latency_ms in stalled_ms {
            samples.add(Phase::StalledClients, &round(*latency_ms));
        }
        let comparisons = samples.compare(Phase::Clients, &[Phase::StalledClients]);
        assert_eq!(comparisons.len(), JUDGED.len());
        comparisons.iter().all(|comparison| comparison.passed)
    }

    #[test]
    fn a_phase_passes_within_five_percent_and_a_millisecond_of_its_reference() {
        assert!(verdict(&[3.1, 3.1, 3.1]));
        assert!(!verdict(&[3.11, 3.11, 3.11]));
        assert!(verdict(&[900.0, 2.0, 2.0]), "one wild round does not decide");
        assert!(!verdict(&[900.0, 900.0, 2.0]));
        assert!(!verdict(&[]), "what was not measured does not pass");
    }
}
