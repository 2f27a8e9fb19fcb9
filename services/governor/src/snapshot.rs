//! What the governor shows of itself: a snapshot that its loop replaces and answers read, and the contract's forms.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::SystemTime;

use proto_schemas::v1::{Decision as DecisionEvent, DecisionInput, GovernorState};

use crate::decide::{Decision, Mode, Reading};
use crate::engines::EngineStatus;

/// Decisions that are kept for answers; older ones are in the stream.
pub const DECISIONS_KEPT: usize = 256;

/// An input as the last look saw it.
#[derive(Debug, Clone)]
pub struct InputShown {
    /// Its name.
    pub name: &'static str,
    /// What it says; `None` where it was not heard.
    pub reading: Option<Reading>,
}

/// The governor at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The process that speaks.
    pub instance: Arc<str>,
    /// Whether it decides.
    pub running: bool,
    /// Whether it is paused.
    pub paused: bool,
    /// Its mode.
    pub mode: Mode,
    /// Decisions since the process started.
    pub decisions_made: u64,
    /// The newest decisions, oldest first.
    pub decisions: VecDeque<Arc<DecisionEvent>>,
    /// All engines.
    pub engines: Vec<EngineStatus>,
    /// All inputs.
    pub inputs: Vec<InputShown>,
    /// What it waits for.
    pub summary: String,
    /// Decisions that are not yet in the stream.
    pub unpublished: i64,
}

impl Snapshot {
    /// The newest decision.
    pub fn last_decision(&self) -> Option<&Arc<DecisionEvent>> {
        self.decisions.back()
    }

    /// The snapshot as it is published.
    pub fn state(&self, at: SystemTime) -> GovernorState {
        GovernorState {
            instance: self.instance.to_string(),
            running: self.running,
            mode: self.mode.as_str().to_owned(),
            decisions_made: count(self.decisions_made),
            last_decision: self.last_decision().map(|decision| DecisionEvent::clone(decision)),
            engines: self.engines.iter().map(|engine| engine.name.to_string()).collect(),
            summary: self.summary.clone(),
            time: chassis::time::rfc3339(at),
        }
    }
}

/// Whether two published states say the same, whenever they say it.
pub fn same_state(one: &GovernorState, other: &GovernorState) -> bool {
    let timeless = |state: &GovernorState| GovernorState { time: String::new(), ..state.clone() };
    timeless(one) == timeless(other)
}

/// A decision as it is published: `<epoch>-<number>` is its id.
pub fn event(decision: Decision, epoch: &str, at: SystemTime) -> DecisionEvent {
    DecisionEvent {
        id: format!("{epoch}-{}", decision.number),
        action: decision.action.as_str().to_owned(),
        engine: decision.action.engine().map(ToString::to_string),
        mode: decision.mode.as_str().to_owned(),
        reasoning: decision.reasoning,
        input: Some(DecisionInput {
            name: decision.cause.name.to_owned(),
            value: decision.cause.value,
            observed_at: decision.cause.observed_at,
        }),
        timestamp: chassis::time::rfc3339(at),
    }
}

/// A count as the contract's number.
#[allow(clippy::cast_precision_loss, reason = "no process decides 2^53 times")]
pub fn count(count: u64) -> f64 {
    count as f64
}
