//! The governor's loop: the one task that owns the state and the engines. It looks at the inputs, follows operators,
//! records each decision, hands it to the outbox, and only then carries it out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use chassis::{Shutdown, TraceParent, streams};
use proto_schemas::v1::{Decision as DecisionEvent, GovernorState};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;

use crate::decide::{self, Action, Command, Decision, Inputs, Mode, Moment, Policy, Refusal, State};
use crate::engines::{ENGINES_MAX, Ended, EngineName, EngineSpec, Engines, RunResult};
use crate::heard::Heard;
use crate::metrics::GovernorMetrics;
use crate::outbox::{Outbox, Outgoing};
use crate::snapshot::{self, DECISIONS_KEPT, InputShown, Snapshot};

/// Mode at start. The mode is not remembered over a restart until the governor's state lives in NATS, so a restart
/// always begins with the one that does no harm.
const START_MODE: Mode = Mode::DryRun;
/// Room that must be left in the outbox before anything is decided: a command stops every engine at worst.
const OUTBOX_ROOM_MIN: usize = ENGINES_MAX + 1;

/// What an operator asks for.
#[derive(Debug)]
pub struct Request {
    /// What to do.
    pub command: Command,
    /// Who asks.
    pub by: String,
    /// The request's trace context, for the decisions it makes.
    pub trace: Option<TraceParent>,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Result<Vec<Arc<DecisionEvent>>, Denied>>,
}

/// Why a request was not followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// It cannot be followed now.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Decisions cannot be told, so none is made.
    #[error("too many decisions wait for NATS; nothing is decided until they are told")]
    OutboxFull,
    /// The decision was made and told, but the program does not start.
    #[error("engine {engine} cannot be started: {reason}")]
    EngineFailed {
        /// Which one.
        engine: EngineName,
        /// The kernel's word.
        reason: String,
    },
}

/// What the loop is wired to.
#[derive(Debug)]
pub struct Wiring {
    /// What was heard.
    pub heard: watch::Receiver<Heard>,
    /// Operators' requests.
    pub requests: mpsc::Receiver<Request>,
    /// Where decisions go.
    pub outbox: Outbox,
    /// Counts.
    pub metrics: GovernorMetrics,
}

/// The loop and all it owns.
#[derive(Debug)]
pub struct Governor {
    policy: Policy,
    state: State,
    engines: Engines,
    ended: mpsc::Receiver<Ended>,
    wiring: Wiring,
    instance: Arc<str>,
    /// First part of the decisions' ids: this process's incarnation.
    epoch: String,
    decisions: VecDeque<Arc<DecisionEvent>>,
    snapshots: watch::Sender<Snapshot>,
    states: watch::Sender<Option<GovernorState>>,
}

impl Governor {
    /// A governor that has decided nothing, what it shows, and what it publishes.
    pub fn new(
        policy: Policy,
        specs: Vec<EngineSpec>,
        instance: &str,
        wiring: Wiring,
    ) -> (Self, watch::Receiver<Snapshot>, watch::Receiver<Option<GovernorState>>) {
        let (engines, ended) = Engines::new(specs);
        let first = Snapshot {
            instance: instance.into(),
            running: true,
            paused: false,
            mode: START_MODE,
            decisions_made: 0,
            decisions: VecDeque::new(),
            engines: engines.statuses(),
            inputs: Vec::new(),
            summary: String::new(),
            unpublished: 0,
        };
        let (snapshots, shown) = watch::channel(first);
        let (states, published) = watch::channel(None);
        let mut governor = Self {
            policy,
            state: State::new(START_MODE),
            engines,
            ended,
            wiring,
            instance: instance.into(),
            epoch: streams::new_epoch(),
            decisions: VecDeque::with_capacity(DECISIONS_KEPT),
            snapshots,
            states,
        };
        governor.show();
        (governor, shown, published)
    }

    /// Decides every `interval` until the stop, then ends every engine.
    pub async fn run(mut self, interval: Duration, shutdown: Shutdown) {
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.requested() => break,
                _ = ticks.tick() => self.decide(),
                Some(request) = self.wiring.requests.recv() => self.follow(request),
                Some(ended) = self.ended.recv() => self.note(ended),
            }
            self.show();
        }
        self.end().await;
    }

    fn inputs(&self, now: Moment) -> Inputs {
        let heard = self.wiring.heard.borrow();
        Inputs {
            host_load: heard.host_load(now.instant, self.policy.stale_after),
            gpu_load: heard.gpu_load(now.instant, self.policy.stale_after),
            kb_growth: heard.kb_growth(),
            engines: self.engines.views(),
        }
    }

    fn decide(&mut self) {
        // Each decision is about one engine, or says once that the governor waits.
        for _ in 0..=ENGINES_MAX {
            let now = Moment::now();
            if self.wiring.outbox.room() < OUTBOX_ROOM_MIN {
                return;
            }
            let (state, decision) = decide::decide(&self.policy, self.state.clone(), &self.inputs(now), now);
            self.state = state;
            let Some(decision) = decision else { return };
            // An error is already logged, and shown as the engine's last result.
            let _ = self.carry_out(decision, now, None);
        }
    }

    fn follow(&mut self, request: Request) {
        let Request { command, by, trace, reply } = request;
        let now = Moment::now();
        let result = if self.wiring.outbox.room() < OUTBOX_ROOM_MIN {
            Err(Denied::OutboxFull)
        } else {
            decide::operate(self.state.clone(), &self.inputs(now), &command, &by, now)
                .map_err(Denied::from)
                .and_then(|(state, decisions)| {
                    self.state = state;
                    let carried: Vec<_> =
                        decisions.into_iter().map(|decision| self.carry_out(decision, now, trace)).collect();
                    // Only now: one that fails keeps none of the others from being carried out.
                    carried.into_iter().collect()
                })
        };
        self.show();
        // An error means that the caller went away.
        let _ = reply.send(result);
    }

    /// Records a decision, hands it on to be told, and then does what it says; an error where that fails.
    fn carry_out(
        &mut self,
        decision: Decision,
        now: Moment,
        trace: Option<TraceParent>,
    ) -> Result<Arc<DecisionEvent>, Denied> {
        let (action, mode) = (decision.action.clone(), decision.mode);
        let event = Arc::new(snapshot::event(decision, &self.epoch, now.wall));
        let input = event.input.as_ref().map_or("", |input| input.value.as_str());
        tracing::info!(id = %event.id, action = action.as_str(), engine = event.engine.as_deref(), %mode, input,
            "decided");
        self.wiring.metrics.decided(&action);
        if self.decisions.len() == DECISIONS_KEPT {
            self.decisions.pop_front();
        }
        self.decisions.push_back(Arc::clone(&event));
        self.wiring.outbox.put(Outgoing { decision: DecisionEvent::clone(&event), request: trace });
        match action {
            Action::StartEngine(engine) if mode == Mode::Enforce => {
                if let Err(error) = self.engines.start(&engine) {
                    tracing::error!(%engine, %error, "the engine cannot be started");
                    self.wiring.metrics.ran(engine.as_str(), &RunResult::Failure(String::new()));
                    return Err(Denied::EngineFailed { engine, reason: error.to_string() });
                }
            }
            // In a dry run none of ours runs, so this stops nothing then.
            Action::StopEngine(engine) => self.engines.stop(&engine),
            Action::StartEngine(_) | Action::Wait | Action::SetMode => {}
        }
        Ok(event)
    }

    fn note(&mut self, ended: Ended) {
        if let Some((engine, result, runtime)) = self.engines.note(ended) {
            tracing::info!(%engine, ?result, ?runtime, "the engine ended");
            self.wiring.metrics.ran(engine.as_str(), &result);
        }
    }

    fn show(&mut self) {
        let now = Moment::now();
        let inputs = self.inputs(now);
        let snapshot = Snapshot {
            instance: Arc::clone(&self.instance),
            running: self.state.running,
            paused: self.state.paused,
            mode: self.state.mode,
            decisions_made: self.state.decisions,
            decisions: self.decisions.clone(),
            engines: self.engines.statuses(),
            summary: decide::summary(&self.policy, &self.state, &inputs, now),
            inputs: inputs
                .named()
                .map(|(name, reading)| InputShown { name, reading: reading.cloned() })
                .into(),
            unpublished: self.wiring.outbox.waiting(),
        };
        self.states.send_replace(Some(snapshot.state(now.wall)));
        self.snapshots.send_replace(snapshot);
    }

    /// Engines do not outlive the governor: each is asked to end, and killed after its grace.
    async fn end(&mut self) {
        let now = Moment::now();
        let (state, decisions) = decide::shut_down(self.state.clone(), &self.inputs(now), now);
        self.state = state;
        for decision in decisions {
            // A stop cannot fail.
            let _ = self.carry_out(decision, now, None);
        }
        while self.engines.any_runs() {
            let Some(ended) = self.ended.recv().await else { return };
            self.note(ended);
        }
    }
}

#[cfg(test)]
mod tests;
