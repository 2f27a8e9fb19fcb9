//! Metrics of the governor.

use chassis::Metrics;
use prometheus::{IntCounterVec, IntGauge};

use crate::decide::Action;
use crate::engines::RunResult;

/// Counter; label `action`.
pub const METRIC_DECISIONS: &str = "bywash_governor_decisions_total";
/// Counter; label `input` (`host_load`, `gpu_load`, `kb_growth`, `refused`).
pub const METRIC_INPUTS: &str = "bywash_governor_inputs_total";
/// Gauge: decisions that are made and not yet in the stream.
pub const METRIC_OUTBOX: &str = "bywash_governor_outbox_decisions";
/// Counter; labels `engine` (a name of the engines file), `result` (`success`, `failure`, `stopped`).
pub const METRIC_RUNS: &str = "bywash_governor_engine_runs_total";

/// The governor's metrics. Cheap to clone.
#[derive(Debug, Clone)]
pub struct GovernorMetrics {
    decisions: IntCounterVec,
    inputs: IntCounterVec,
    runs: IntCounterVec,
    /// Decisions waiting for the stream.
    pub outbox: IntGauge,
}

impl GovernorMetrics {
    /// Registers them.
    pub fn new(metrics: &Metrics) -> Self {
        let decisions = metrics.counters(METRIC_DECISIONS, "Decisions made.", &["action"]);
        for action in ["start_engine", "stop_engine", "wait", "set_mode"] {
            // A series from the start, so that the first decision shows as an increase.
            decisions.with_label_values(&[action]);
        }
        Self {
            decisions,
            inputs: metrics.counters(METRIC_INPUTS, "States heard.", &["input"]),
            runs: metrics.counters(METRIC_RUNS, "Runs of engines that ended.", &["engine", "result"]),
            outbox: metrics.gauge(METRIC_OUTBOX, "Decisions that are not yet in the stream."),
        }
    }

    /// Counts a decision.
    pub fn decided(&self, action: &Action) {
        self.decisions.with_label_values(&[action.as_str()]).inc();
    }

    /// Counts a state that was heard.
    pub fn heard(&self, input: &str) {
        self.inputs.with_label_values(&[input]).inc();
    }

    /// Counts the end of a run.
    pub fn ran(&self, engine: &str, result: &RunResult) {
        let result = match result {
            RunResult::Success => "success",
            RunResult::Failure(_) => "failure",
            RunResult::Stopped => "stopped",
        };
        self.runs.with_label_values(&[engine, result]).inc();
    }
}
