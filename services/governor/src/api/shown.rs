//! The forms of answers, over HTTP and NATS alike: a snapshot with the ages that things have now.

use std::time::Duration;

use proto_schemas::v1::{Decision, EngineStatus as EngineShown, GovernorInput, GovernorStatus};
use tokio::time::Instant;

use crate::engines::{EngineStatus, RunResult};
use crate::snapshot::{InputShown, Snapshot, count};

/// An engine now.
pub fn engine(engine: &EngineStatus) -> EngineShown {
    EngineShown {
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

/// An input at `now`; without a value where it was not heard.
fn input(input: &InputShown, stale_after: Duration, now: Instant) -> GovernorInput {
    input.reading.as_ref().map_or_else(GovernorInput::default, |reading| {
        let age = now.duration_since(reading.oldest_at);
        GovernorInput {
            value: Some(reading.value),
            text: Some(reading.text.clone()),
            observed_at: Some(reading.observed_at.clone()),
            age_ms: Some((age.as_secs_f64() * 1e3).floor()),
            stale: age > stale_after,
        }
    })
}

/// The snapshot with the ages of now; inputs older than `stale_after` are stale.
pub fn status(snapshot: &Snapshot, stale_after: Duration) -> GovernorStatus {
    let now = Instant::now();
    let inputs = snapshot.inputs.iter().map(|one| (one.name.to_owned(), input(one, stale_after, now)));
    GovernorStatus {
        instance: snapshot.instance.to_string(),
        running: snapshot.running,
        paused: snapshot.paused,
        mode: snapshot.mode.as_str().to_owned(),
        decisions_made: count(snapshot.decisions_made),
        last_decision: snapshot.last_decision().map(|decision| Decision::clone(decision)),
        engines: snapshot.engines.iter().map(|one| (one.name.to_string(), engine(one))).collect(),
        inputs: inputs.collect(),
        unpublished_decisions: count(u64::try_from(snapshot.unpublished).unwrap_or(0)),
        summary: snapshot.summary.clone(),
        timestamp: chassis::time::now(),
    }
}
