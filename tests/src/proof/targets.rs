//! What was seen beside the latencies, and the field's targets. They are printed and decide nothing.

use serde::Serialize;

use super::load::{Endpoint, Outcome};
use super::phases::Phase;
use super::report::Target;
use super::statistics::{maximum, mean, percentile, sorted};
use super::system::{BACKLOG_TIMEOUT, CpuTimes};
use super::verdict::Summary;

/// Bywash's API must use this much less CPU than the control's.
const CPU_SAVING_MIN: f64 = 0.3;

/// One phase of one round, seen from outside.
#[derive(Debug, Clone, Serialize)]
pub struct Observed {
    /// Which.
    #[serde(serialize_with = "phase_name")]
    pub phase: Phase,
    /// From 0.
    pub round: usize,
    /// How long the load ran.
    pub wall_s: f64,
    /// CPU time of each process meanwhile.
    pub cpu: CpuTimes,
    /// 99 of 100 probes of the API's event loop were not later.
    pub lag_p99_ms: f64,
    /// No probe was later.
    pub lag_max_ms: f64,
    /// How long the relay took to publish the rest afterwards.
    pub relay_drain_s: f64,
    /// Events that arrived at clients, of those that should; absent where there was nothing to receive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received_share: Option<f64>,
}

fn phase_name<S: serde::Serializer>(phase: &Phase, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(phase.name())
}

impl Observed {
    /// What other programs used meanwhile, of one core.
    pub fn others_share(&self) -> f64 {
        self.cpu.others_s() / self.wall_s
    }

    /// One line of progress.
    pub fn line(&self, outcomes: &[Outcome]) -> String {
        let p99 = |endpoint| {
            let of = outcomes.iter().filter(|outcome| outcome.endpoint == endpoint);
            let latencies = sorted(of.map(|outcome| outcome.latency_ms).collect());
            if latencies.is_empty() { 0.0 } else { percentile(&latencies, 99.0) }
        };
        let share = |seconds: f64| 100.0 * seconds / self.wall_s;
        format!(
            "p99 post {:8.2} ms, count {:8.2} ms | CPU % api {:3.0} gateway {:3.0} nats {:3.0} clients {:3.0} others {:3.0} | {}",
            p99(Endpoint::PostFact),
            p99(Endpoint::Count),
            share(self.cpu.api_s),
            share(self.cpu.gateway_s),
            share(self.cpu.nats_s),
            share(self.cpu.clients_s),
            100.0 * self.others_share(),
            self.received_share.map_or(String::new(), |share| format!("received {:.1} %", 100.0 * share)),
        )
    }
}

/// CPU of the API a second of load, mean over the rounds of a phase.
fn api_cpu(observed: &[Observed], phase: Phase) -> f64 {
    let of = observed.iter().filter(|one| one.phase == phase);
    mean(&of.map(|one| one.cpu.api_s / one.wall_s).collect::<Vec<_>>())
}

/// Our phases in which clients follow.
fn ours_with_clients() -> [Phase; 4] {
    [Phase::Clients, Phase::StalledClients, Phase::GatewayStopped, Phase::NatsStopped]
}

/// The field's targets against what was seen in all phases with clients: healthy, stalled, gateway and NATS stopped.
pub fn targets(phases: &[Summary], observed: &[Observed]) -> Vec<Target> {
    let ours: Vec<&Observed> = observed.iter().filter(|one| !one.phase.is_control()).collect();
    let row = |phase: Phase, endpoint: Endpoint| {
        phases.iter().find(|row| row.name == phase.name() && row.endpoint == endpoint.name())
    };
    let over_ours = |value: fn(&Summary) -> f64, endpoints: &[Endpoint]| {
        let rows = ours_with_clients().into_iter();
        let values =
            rows.flat_map(|phase| endpoints.iter().filter_map(move |one| row(phase, *one))).map(value);
        maximum(&values.collect::<Vec<_>>())
    };
    let below = |name: &str, measured_ms: f64, limit_ms: f64| Target {
        name: format!("{name} < {limit_ms:.0} ms"),
        measured: format!("{measured_ms:.2} ms"),
        met: measured_ms < limit_ms,
    };
    let mut targets = vec![
        below("health, p99", over_ours(|row| row.p99_ms, &[Endpoint::Health]), 10.0),
        below("mean of every endpoint", over_ours(|row| row.mean_ms, &Endpoint::ALL), 50.0),
        below("p95 of every endpoint", over_ours(|row| row.p95_ms, &Endpoint::ALL), 150.0),
        below(
            "status, which control panels read, p95",
            over_ours(|row| row.p95_ms, &[Endpoint::Status]),
            50.0,
        ),
    ];
    let lag_p99_ms = maximum(&ours.iter().map(|one| one.lag_p99_ms).collect::<Vec<_>>());
    let lag_max_ms = maximum(&ours.iter().map(|one| one.lag_max_ms).collect::<Vec<_>>());
    targets.push(Target {
        name: "event-loop lag of the API < 30 ms, 99 of 100 probes".to_owned(),
        measured: format!("at most {lag_p99_ms} ms (all probes: at most {lag_max_ms} ms)"),
        met: lag_p99_ms < 30.0,
    });
    let drain_s = maximum(&ours.iter().map(|one| one.relay_drain_s).collect::<Vec<_>>());
    targets.push(Target {
        name: format!("no backlog older than {} s after a phase", BACKLOG_TIMEOUT.as_secs()),
        measured: format!("published within {drain_s:.2} s"),
        met: drain_s < BACKLOG_TIMEOUT.as_secs_f64(),
    });
    let (bywash, control) = (api_cpu(observed, Phase::Clients), api_cpu(observed, Phase::ControlClients));
    targets.push(Target {
        name: "API CPU at least 30 % below the control's, healthy clients".to_owned(),
        measured: format!("{:.1} % of a core against {:.1} %", 100.0 * bywash, 100.0 * control),
        met: bywash <= (1.0 - CPU_SAVING_MIN) * control,
    });
    targets
}
