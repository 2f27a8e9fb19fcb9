//! What the governor waits for, in words. No numbers that move: the summary is part of a published state, and changes
//! only when something did.

use super::{Inputs, Mode, Moment, Outlook, Policy, State, cooling_down, outlook, starts_within_the_hour};

/// One sentence on what the governor does or waits for.
pub fn summary(policy: &Policy, state: &State, inputs: &Inputs, now: Moment) -> String {
    if inputs.engines.is_empty() {
        return "no engine is configured: there is nothing to start".to_owned();
    }
    if !state.running {
        return "stopped: decides nothing until it is started".to_owned();
    }
    let text = match (state.mode, state.paused) {
        (Mode::Off, _) => return "off: decides nothing".to_owned(),
        (_, true) => return "paused: starts nothing until it is resumed".to_owned(),
        _ => waits_for(policy, state, inputs, now),
    };
    if state.mode == Mode::DryRun { format!("dry run, nothing is carried out: {text}") } else { text }
}

fn waits_for(policy: &Policy, state: &State, inputs: &Inputs, now: Moment) -> String {
    match outlook(policy, inputs, now) {
        Outlook::Inconclusive(why) => format!("inconclusive: {why}"),
        Outlook::Busy(reached) => {
            format!("waits: {} is at or above {} {}", reached.name, reached.band.exit, reached.unit)
        }
        Outlook::Between(above) => format!(
            "starts nothing: {} is between {} and {} {}",
            above.name, above.band.enter, above.band.exit, above.unit
        ),
        Outlook::Calm(_) if inputs.engines.iter().all(|engine| state.occupied(engine, now)) => {
            "every engine runs".to_owned()
        }
        Outlook::Calm(_) if cooling_down(policy, state, now) => {
            format!("cools down for {} s after the last start or stop", policy.cooldown.as_secs())
        }
        Outlook::Calm(_) if starts_within_the_hour(state, now) >= policy.starts_per_hour => {
            format!("has used its {} starts of this hour", policy.starts_per_hour)
        }
        Outlook::Calm(_) => "about to start an engine".to_owned(),
    }
}
