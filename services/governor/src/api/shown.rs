//! The forms of answers: a snapshot with the ages that things have now.

use std::collections::BTreeMap;
use std::time::Duration;

use proto_schemas::v1::Decision;
use serde::Serialize;
use tokio::time::Instant;

use crate::engines::{EngineStatus, RunResult};
use crate::snapshot::{Snapshot, count};

/// An engine, with the names that existing front ends read.
#[derive(Debug, Serialize)]
pub struct EngineShown {
    running: bool,
    /// Starts since the governor's own.
    runs: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    /// Seconds since it was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    runtime: Option<f64>,
    /// How the last run ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_result: Option<String>,
}

impl EngineShown {
    /// The engine now.
    pub fn of(engine: &EngineStatus) -> Self {
        Self {
            running: engine.running.is_some(),
            runs: count(engine.runs),
            pid: engine.running.map(|(pid, _)| pid),
            runtime: engine.running.map(|(_, since)| (since.elapsed().as_secs_f64() * 1e3).round() / 1e3),
            last_result: engine.last_result.as_ref().map(|result| match result {
                RunResult::Success => "success".to_owned(),
                RunResult::Failure(why) => format!("failure: {why}"),
                RunResult::Stopped => "stopped".to_owned(),
            }),
        }
    }
}

/// An input; without a value where it was not heard.
#[derive(Debug, Default, Serialize)]
struct InputShown {
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed_at: Option<String>,
    /// Time since the most silent of its sources was heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    age_ms: Option<f64>,
    /// Some source is too silent for the value to be the highest for certain.
    stale: bool,
}

/// The governor.
#[derive(Debug, Serialize)]
pub struct StatusShown {
    instance: String,
    running: bool,
    paused: bool,
    mode: &'static str,
    decisions_made: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_decision: Option<Decision>,
    engines: BTreeMap<String, EngineShown>,
    inputs: BTreeMap<&'static str, InputShown>,
    /// Decisions that are not yet in the stream.
    unpublished_decisions: f64,
    summary: String,
    timestamp: String,
}

impl StatusShown {
    /// The snapshot with the ages of now; inputs older than `stale_after` are stale.
    pub fn of(snapshot: &Snapshot, stale_after: Duration) -> Self {
        let now = Instant::now();
        let inputs = snapshot.inputs.iter().map(|input| {
            let shown = input.reading.as_ref().map_or_else(InputShown::default, |reading| {
                let age = now.duration_since(reading.oldest_at);
                InputShown {
                    value: Some(reading.value),
                    text: Some(reading.text.clone()),
                    observed_at: Some(reading.observed_at.clone()),
                    age_ms: Some((age.as_secs_f64() * 1e3).floor()),
                    stale: age > stale_after,
                }
            });
            (input.name, shown)
        });
        Self {
            instance: snapshot.instance.to_string(),
            running: snapshot.running,
            paused: snapshot.paused,
            mode: snapshot.mode.as_str(),
            decisions_made: count(snapshot.decisions_made),
            last_decision: snapshot.last_decision().map(|decision| Decision::clone(decision)),
            engines: snapshot
                .engines
                .iter()
                .map(|engine| (engine.name.to_string(), EngineShown::of(engine)))
                .collect(),
            inputs: inputs.collect(),
            unpublished_decisions: count(u64::try_from(snapshot.unpublished).unwrap_or(0)),
            summary: snapshot.summary.clone(),
            timestamp: chassis::time::now(),
        }
    }
}
