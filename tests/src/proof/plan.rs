//! How much is measured: rates, numbers and times of a run.

use std::time::Duration;

use super::RunArguments;
use super::load::{Endpoint, Series};
use super::phases::Phase;

/// Posts a second, and as many counts: the events that clients receive are these facts.
pub const POST_INTERVAL: Duration = Duration::from_millis(20);
/// Between two requests of the short sets.
const SHORT_SET_INTERVAL: Duration = Duration::from_millis(200);
/// One of fifty clients stalls.
const STALLED_PER_CLIENTS: usize = 50;
/// A run must end within ten minutes; measuring again stops early enough for that.
const RUN_TIME_MAX: Duration = Duration::from_secs(540);

/// How much is measured in a round.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Rounds; each has every phase once.
    pub rounds: usize,
    /// Clients that follow, the stalled ones included.
    pub clients: usize,
    /// Of them, those that never read in the phases with stalled clients.
    pub stalled: usize,
    /// Posts, and as many counts, of a phase in a round.
    pub posts: u32,
    /// The same of the control: its phases are shorter, at the same rate.
    pub control_posts: u32,
    /// Requests of each short set.
    short_set: u32,
    /// Posts of the warm-up of each phase.
    pub warm_up_posts: u32,
    /// Until when a phase may be measured again, from the start.
    pub time_max: Duration,
}

impl Plan {
    /// What the command line asks for.
    pub fn of(arguments: &RunArguments) -> Self {
        let clients = if arguments.quick { arguments.clients.min(200) } else { arguments.clients };
        Self {
            rounds: if arguments.quick { 2 } else { usize::from(arguments.rounds) },
            clients,
            stalled: (clients / STALLED_PER_CLIENTS).max(1),
            posts: if arguments.quick { 100 } else { 500 },
            control_posts: if arguments.quick { 100 } else { 250 },
            short_set: if arguments.quick { 5 } else { 25 },
            warm_up_posts: 50,
            time_max: if arguments.quick { Duration::ZERO } else { RUN_TIME_MAX },
        }
    }

    /// Posts, and as many counts, of this phase in a round.
    pub fn posts_in(&self, phase: Phase) -> u32 {
        if phase.is_control() { self.control_posts } else { self.posts }
    }

    /// The load: posts and counts take turns, and the short sets fall between them.
    pub fn series(&self, posts: u32) -> Vec<Series> {
        let judged = |endpoint, offset_ms| Series {
            endpoint,
            requests: posts,
            interval: POST_INTERVAL,
            offset: Duration::from_millis(offset_ms),
        };
        let mut series = vec![judged(Endpoint::PostFact, 0), judged(Endpoint::Count, 10)];
        for (endpoint, offset_ms) in [(Endpoint::Health, 5), (Endpoint::Status, 65), (Endpoint::Search, 125)]
        {
            series.push(Series {
                endpoint,
                requests: self.short_set.min(posts / 10),
                interval: SHORT_SET_INTERVAL,
                offset: Duration::from_millis(offset_ms),
            });
        }
        series
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_run_sends_five_thousand_judged_requests_in_each_phase_of_ours() {
        let arguments = RunArguments { quick: false, rounds: 5, clients: 1000, data_dir: None, report: None };
        let plan = Plan::of(&arguments);
        for phase in Phase::ALL.into_iter().filter(|phase| !phase.is_control()) {
            let series = plan.series(plan.posts_in(phase));
            let judged = |one: &&Series| matches!(one.endpoint, Endpoint::PostFact | Endpoint::Count);
            let requests: u32 = series.iter().filter(judged).map(|one| one.requests).sum();
            assert_eq!(requests as usize * plan.rounds, 5000);
        }
        assert_eq!(plan.stalled, 20);
    }
}
