//! The decision: a pure function of policy, state, inputs and now. It starts nothing and stops nothing; `governor.rs`
//! carries out what it says. Operators' commands are in `operator.rs`, the words for people in `words.rs`.

mod model;
mod operator;
mod words;

use std::time::Duration;

pub use self::model::{
    Action, Band, Cause, Decision, EngineView, Inputs, Mode, Moment, Policy, Reading, Running, State, Weighed,
};
pub use self::operator::{Command, Refusal, operate, shut_down};
pub use self::words::summary;

/// Starts are counted over this time.
const RATE_WINDOW: Duration = Duration::from_secs(3_600);

/// What the inputs say together.
#[derive(Debug)]
enum Outlook<'a> {
    /// Some input reached its stop threshold.
    Busy(Weighed<'a>),
    /// Some input that is needed is missing or stale: nobody can say.
    Inconclusive(String),
    /// Between the thresholds: what runs goes on, nothing starts.
    Between(Weighed<'a>),
    /// Every input is at or below its start threshold; the newest of them completed it.
    Calm(Weighed<'a>),
}

/// Decides on the next thing to do, if an input makes one necessary.
///
/// Hysteresis: engines start only when every input is at or below its start threshold, and are stopped only when one
/// reaches its stop threshold. Call it again with refreshed inputs until it decides nothing.
pub fn decide(policy: &Policy, mut state: State, inputs: &Inputs, now: Moment) -> (State, Option<Decision>) {
    if state.mode == Mode::Off || !state.running {
        return (state, None);
    }
    let overdue = inputs.engines.iter().find(|engine| engine.overdue(now));
    if let Some(engine) = overdue {
        let decision = stop_overdue(&mut state, engine, now);
        return (state, Some(decision));
    }
    if state.paused || inputs.engines.is_empty() {
        return (state, None);
    }
    let decision = match outlook(policy, inputs, now) {
        Outlook::Inconclusive(_) | Outlook::Between(_) => None,
        Outlook::Busy(reached) => yield_to(&mut state, inputs, &reached, now),
        Outlook::Calm(newest) => {
            state.waiting = false;
            start_next(policy, &mut state, inputs, &newest, now)
        }
    };
    (state, decision)
}

fn outlook<'a>(policy: &Policy, inputs: &'a Inputs, now: Moment) -> Outlook<'a> {
    let weighed = inputs.weighed(policy);
    let fresh = |one: &&Weighed| !one.reading.is_stale(policy, now);
    // One source is enough to be busy; all of them are needed to be calm.
    let reached = weighed.iter().filter(fresh).find(|one| one.reading.value >= one.band.exit);
    if let Some(reached) = reached {
        return Outlook::Busy(*reached);
    }
    if let Some(missing) = inputs.missing() {
        return Outlook::Inconclusive(format!("{missing} was not heard"));
    }
    if let Some(stale) = weighed.iter().find(|one| one.reading.is_partial(policy, now)) {
        return Outlook::Inconclusive(format!("{} is stale", stale.name));
    }
    if let Some(above) = weighed.iter().find(|one| one.reading.value > one.band.enter) {
        return Outlook::Between(*above);
    }
    match weighed.into_iter().max_by_key(|one| one.reading.heard_at) {
        Some(newest) => Outlook::Calm(newest),
        None => Outlook::Inconclusive("no input was heard".to_owned()),
    }
}

fn stop_overdue(state: &mut State, engine: &EngineView, now: Moment) -> Decision {
    let limit_s = engine.max_run.as_secs();
    let cause = Cause {
        name: "engine_runtime",
        value: format!("{} runs for longer than {limit_s} s", engine.name),
        observed_at: chassis::time::rfc3339(now.wall),
    };
    state.changed_at = Some(now.instant);
    state.record(
        Action::StopEngine(engine.name.clone()),
        vec![format!("{} reached its time limit of {limit_s} s", engine.name)],
        cause,
    )
}

/// Stops one engine that runs; with none running, says once that the governor waits.
fn yield_to(state: &mut State, inputs: &Inputs, reached: &Weighed, now: Moment) -> Option<Decision> {
    let reason = format!(
        "{} is {}, at or above the limit of {} {}",
        reached.name, reached.reading.text, reached.band.exit, reached.unit
    );
    let already_waiting = std::mem::replace(&mut state.waiting, true);
    let running = inputs.engines.iter().find(|engine| state.can_be_stopped(engine, now));
    if let Some(engine) = running {
        state.assumed.remove(&engine.name);
        state.changed_at = Some(now.instant);
        let reasons = vec![reason, format!("{} gives way", engine.name)];
        return Some(state.record(Action::StopEngine(engine.name.clone()), reasons, reached.cause()));
    }
    (!already_waiting).then(|| state.record(Action::Wait, vec![reason], reached.cause()))
}

/// Starts the engine whose last start is longest ago, unless cooldown or rate limit forbid it.
fn start_next(
    policy: &Policy,
    state: &mut State,
    inputs: &Inputs,
    newest: &Weighed,
    now: Moment,
) -> Option<Decision> {
    if cooling_down(policy, state, now) || starts_within_the_hour(state, now) >= policy.starts_per_hour {
        return None;
    }
    let idle = inputs.engines.iter().filter(|engine| !state.occupied(engine, now));
    let engine = idle.min_by_key(|engine| state.last_start.get(&engine.name).copied())?;
    let mut reasons: Vec<String> = inputs
        .weighed(policy)
        .iter()
        .map(|one| {
            format!("{} is {}, at or below {} {}", one.name, one.reading.text, one.band.enter, one.unit)
        })
        .collect();
    reasons.push(match state.last_start.get(&engine.name) {
        None => format!("{} has not run yet", engine.name),
        Some(_) => format!("{} ran longest ago", engine.name),
    });
    state.starts.retain(|at| now.instant.duration_since(*at) < RATE_WINDOW);
    state.starts.push(now.instant);
    state.note_start(&engine.name, now);
    Some(state.record(Action::StartEngine(engine.name.clone()), reasons, newest.cause()))
}

fn cooling_down(policy: &Policy, state: &State, now: Moment) -> bool {
    state.changed_at.is_some_and(|at| now.instant.duration_since(at) < policy.cooldown)
}

fn starts_within_the_hour(state: &State, now: Moment) -> usize {
    state.starts.iter().filter(|at| now.instant.duration_since(**at) < RATE_WINDOW).count()
}

#[cfg(test)]
mod tests;
