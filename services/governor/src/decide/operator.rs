//! What an operator's command does. Pure, like `decide`. A command that changes something is an input like any other:
//! it makes a decision that names `operator`.

use super::{Action, Cause, Decision, Inputs, Mode, Moment, State};
use crate::engines::EngineName;

/// What an operator may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Decide again after a stop.
    Start,
    /// Decide nothing more, and stop every engine.
    Stop,
    /// Start nothing more; what runs goes on.
    Pause,
    /// End the pause.
    Resume,
    /// Change the mode; leaving `enforce` stops every engine.
    SetMode(Mode),
    /// Start an engine now, also within the cooldown; an input at its stop threshold still ends it.
    StartEngine(EngineName),
    /// Stop an engine now.
    StopEngine(EngineName),
}

impl Command {
    /// The command in words.
    fn text(&self) -> String {
        match self {
            Self::Start => "start".to_owned(),
            Self::Stop => "stop".to_owned(),
            Self::Pause => "pause".to_owned(),
            Self::Resume => "resume".to_owned(),
            Self::SetMode(mode) => format!("set_mode {mode}"),
            Self::StartEngine(engine) => format!("start_engine {engine}"),
            Self::StopEngine(engine) => format!("stop_engine {engine}"),
        }
    }
}

/// Why a command cannot be followed now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Engines start in `enforce` only.
    #[error("the mode is {0}; engines run in enforce only (set_mode first)")]
    NotEnforcing(Mode),
    /// Nobody would watch it.
    #[error("the governor is stopped; start it first")]
    Stopped,
    /// It runs already, and never twice.
    #[error("engine {0} runs already")]
    EngineRuns(EngineName),
    /// There is nothing to stop.
    #[error("engine {0} does not run")]
    EngineDoesNotRun(EngineName),
}

/// Follows a command of `by`. No decisions mean that nothing had to change.
pub fn operate(
    mut state: State,
    inputs: &Inputs,
    command: &Command,
    by: &str,
    now: Moment,
) -> Result<(State, Vec<Decision>), Refusal> {
    let cause = Cause {
        name: "operator",
        value: format!("{} by {by}", command.text()),
        observed_at: chassis::time::rfc3339(now.wall),
    };
    let run = |name: &EngineName| inputs.engines.iter().find(|engine| engine.name == *name)?.running;
    let mut decisions = Vec::new();
    match command {
        Command::Start if !state.running => {
            state.running = true;
            decisions.push(state.record(
                Action::SetMode,
                vec!["the governor decides again".to_owned()],
                cause,
            ));
        }
        Command::Stop if state.running => {
            let reason = "the governor decides nothing until it is started".to_owned();
            decisions.push(state.record(Action::SetMode, vec![reason], cause.clone()));
            decisions.extend(stop_all(&mut state, inputs, &cause, now));
            state.running = false;
        }
        Command::Pause if !state.paused => {
            state.paused = true;
            let reason = "nothing starts until the governor is resumed".to_owned();
            decisions.push(state.record(Action::SetMode, vec![reason], cause));
        }
        Command::Resume if state.paused => {
            state.paused = false;
            decisions.push(state.record(Action::SetMode, vec!["the pause is over".to_owned()], cause));
        }
        Command::SetMode(mode) if *mode != state.mode => {
            let reason = format!("the mode changes from {} to {mode}", state.mode);
            decisions.push(state.record(Action::SetMode, vec![reason], cause.clone()));
            if state.mode == Mode::Enforce {
                decisions.extend(stop_all(&mut state, inputs, &cause, now));
            }
            state.mode = *mode;
            state.assumed.clear();
            state.waiting = false;
        }
        Command::Start | Command::Stop | Command::Pause | Command::Resume | Command::SetMode(_) => {}
        Command::StartEngine(engine) => {
            if run(engine).is_some() {
                return Err(Refusal::EngineRuns(engine.clone()));
            }
            if !state.running {
                return Err(Refusal::Stopped);
            }
            if state.mode != Mode::Enforce {
                return Err(Refusal::NotEnforcing(state.mode));
            }
            state.note_start(engine, now);
            let reason = vec![format!("{by} asked for it")];
            decisions.push(state.record(Action::StartEngine(engine.clone()), reason, cause));
        }
        Command::StopEngine(engine) => {
            let run = run(engine).ok_or_else(|| Refusal::EngineDoesNotRun(engine.clone()))?;
            if !run.stopping {
                state.changed_at = Some(now.instant);
                let reason = vec![format!("{by} asked for it")];
                decisions.push(state.record(Action::StopEngine(engine.clone()), reason, cause));
            }
        }
    }
    Ok((state, decisions))
}

/// Stops every engine because the process ends.
pub fn shut_down(mut state: State, inputs: &Inputs, now: Moment) -> (State, Vec<Decision>) {
    let cause = Cause {
        name: "shutdown",
        value: "this process was told to end".to_owned(),
        observed_at: chassis::time::rfc3339(now.wall),
    };
    let decisions = stop_all(&mut state, inputs, &cause, now);
    state.running = false;
    (state, decisions)
}

fn stop_all(state: &mut State, inputs: &Inputs, cause: &Cause, now: Moment) -> Vec<Decision> {
    let running = inputs.engines.iter().filter(|engine| engine.running.is_some_and(|run| !run.stopping));
    running
        .map(|engine| {
            state.changed_at = Some(now.instant);
            let reason = vec![format!("{} does not run without the governor", engine.name)];
            state.record(Action::StopEngine(engine.name.clone()), reason, cause.clone())
        })
        .collect()
}
