//! A whole run: rounds of phases, then the verdict.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::RunArguments;
use super::lag::LagHistogram;
use super::load::{self, Endpoint, Outcome};
use super::machine::{self, Cores, data_folder};
use super::phases::Phase;
use super::plan::{POST_INTERVAL, Plan};
use super::report::{Report, SequentialCheck, Verdict};
use super::statistics::{maximum, mean};
use super::system::System;
use super::targets::{Observed, targets};
use super::verdict::{JUDGED, Samples};
use crate::scratch::binaries_folder;

/// Facts posted before the first round: stalled clients ask for them, and their buffers are full at once.
const BACKLOG_FACTS: usize = 1500;
/// Requests of the old systems' own check.
const SEQUENTIAL_REQUESTS: usize = 50;
/// Of the events that clients should receive in a phase, at least this share must arrive, or nobody followed.
const RECEIVED_SHARE_MIN: f64 = 0.98;
/// How long the last events of a phase may take to arrive at all clients.
const RECEIVE_TIMEOUT: Duration = Duration::from_secs(30);
/// A phase in which other programs used more than this share of a core says more about them than about us.
const DISTURBED_SHARE: f64 = 0.15;
/// How often a phase of a round is measured at most.
const ATTEMPTS_MAX: usize = 3;
/// Pause between two looks at what arrived.
const RECEIVE_LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// Runs the proof; true where it holds.
///
/// # Errors
/// When it cannot be run to its end.
pub fn main(arguments: &RunArguments) -> Result<bool> {
    let plan = Plan::of(arguments);
    let cores = Cores::choose()?;
    machine::raise_file_limit()?;
    let target = binaries_folder().parent().context("binaries lie in the target folder")?.join("proof");
    let wanted = arguments.data_dir.clone().unwrap_or_else(|| target.clone());
    let data = data_folder(&wanted)?;
    let mut header = vec![
        format!("machine: {}", machine::description()),
        format!(
            "core {}: API and measuring client; core {}: gateway, NATS and clients",
            cores.api, cores.fan_out
        ),
        format!(
            "load: {} clients ({} stalled in phases with stalled clients), {:.0} POST and as many count requests/s",
            plan.clients,
            plan.stalled,
            1.0 / POST_INTERVAL.as_secs_f64()
        ),
        format!(
            "rounds: {}, each with {} phases of {:.0} s (control {:.0} s), client gives up after {:?}",
            plan.rounds,
            Phase::ALL.len(),
            (POST_INTERVAL * plan.posts).as_secs_f64(),
            (POST_INTERVAL * plan.control_posts).as_secs_f64(),
            load::GIVE_UP
        ),
        format!("data of both sides: {}", data.reason),
    ];
    header.iter().for_each(|line| println!("{line}"));
    let printed = header.len();

    let start = Instant::now();
    // One thread for everything asynchronous: all of it is over before a measurement begins.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
    let system = runtime.block_on(System::start(cores, &data.path))?;
    let mut proof = Proof {
        system,
        plan,
        samples: Samples::default(),
        observed: Vec::new(),
        sequential: Vec::new(),
        broken: Vec::new(),
        label: run_label(),
        attempts: 0,
        start,
    };
    proof.fill_backlog()?;
    for round in 0..plan.rounds {
        for (place, phase) in Phase::order(round).into_iter().enumerate() {
            let phases_left = (plan.rounds - round) * Phase::ALL.len() - place - 1;
            proof.phase(phase, round, phases_left)?;
        }
    }
    let again = proof.attempts - plan.rounds * Phase::ALL.len();
    let others: Vec<f64> = proof.observed.iter().map(Observed::others_share).collect();
    header.push(format!(
        "other programs used {:.0} % of a core on average, {:.0} % at worst in a phase; above {:.0} % a phase is \
         measured again while there is time: {again} were",
        100.0 * mean(&others),
        100.0 * maximum(&others),
        100.0 * DISTURBED_SHARE
    ));
    header.push(format!(
        "took {:.0} s; load average now {}",
        start.elapsed().as_secs_f64(),
        machine::load_average()
    ));
    header.iter().skip(printed).for_each(|line| println!("{line}"));
    let report = proof.report(header);
    report.print();
    let path = arguments
        .report
        .clone()
        .unwrap_or_else(|| target.join(if arguments.quick { "quick-report.json" } else { "report.json" }));
    report.write(&path)?;
    println!("report: {}", path.display());
    Ok(report.holds())
}

/// A run under way.
struct Proof {
    system: System,
    plan: Plan,
    samples: Samples,
    observed: Vec<Observed>,
    sequential: Vec<SequentialCheck>,
    broken: Vec<String>,
    /// Makes the facts of this run unlike all others.
    label: String,
    /// Phases measured so far, those measured again included.
    attempts: usize,
    start: Instant,
}

impl Proof {
    fn fill_backlog(&self) -> Result<()> {
        for phase in [Phase::NoClients, Phase::ControlClients] {
            let label = format!("{}_backlog", self.label);
            let outcomes =
                load::sequential(self.system.api(phase), Endpoint::PostFact, BACKLOG_FACTS, &label);
            let failed = outcomes.iter().filter(|outcome| !outcome.succeeded).count();
            anyhow::ensure!(failed == 0, "{failed} of {BACKLOG_FACTS} facts of the backlog were not taken");
        }
        self.system.wait_for_relay().map(|_| ())
    }

    /// One phase of a round. Measured again where other programs disturbed it: that depends on their CPU time alone,
    /// not on any latency, so it favours no phase.
    fn phase(&mut self, phase: Phase, round: usize, phases_left: usize) -> Result<()> {
        let (mut outcomes, mut observed) = self.attempt(phase, round)?;
        for _ in 1..ATTEMPTS_MAX {
            if observed.others_share() <= DISTURBED_SHARE || !self.has_time_for_another(phases_left) {
                break;
            }
            let (again, seen) = self.attempt(phase, round)?;
            if seen.others_share() < observed.others_share() {
                (outcomes, observed) = (again, seen);
            }
        }
        self.samples.add(phase, &outcomes);
        self.observed.push(observed);
        Ok(())
    }

    #[allow(clippy::cast_possible_truncation, reason = "a run has some dozen phases")]
    fn has_time_for_another(&self, phases_left: usize) -> bool {
        let elapsed = self.start.elapsed();
        let one = elapsed / self.attempts.max(1) as u32;
        elapsed + one * (phases_left as u32 + 1) < self.plan.time_max
    }

    /// Brings a phase's condition about, measures, and goes back.
    fn attempt(&mut self, phase: Phase, round: usize) -> Result<(Vec<Outcome>, Observed)> {
        self.attempts += 1;
        let stalled = if phase.has_stalled_clients() { self.plan.stalled } else { 0 };
        let reading = if phase == Phase::NoClients { 0 } else { self.plan.clients - stalled };
        self.system.connect(phase, reading, stalled)?;
        self.system.wait_until_blocked(phase, stalled)?;
        self.system.freeze(phase);
        let measured = self.measure(phase, round, reading);
        // Whatever the measurement said, nothing stays stopped.
        self.system.thaw(phase);
        let measured = measured?;
        if stalled > 0 && self.system.blocked(phase)? < stalled {
            let name = phase.name();
            self.broken
                .push(format!("{name} round {}: not all stalled clients blocked the server", round + 1));
        }
        let checked = self.sequential.iter().any(|check| check.phase == phase.name());
        if round + 1 == self.plan.rounds && phase.is_checked_sequentially() && !checked {
            self.check_sequentially(phase);
        }
        self.system.disconnect()?;
        Ok(measured)
    }

    fn measure(&mut self, phase: Phase, round: usize, reading: usize) -> Result<(Vec<Outcome>, Observed)> {
        let api = self.system.api(phase);
        let label = format!("{}_{}", self.label, self.attempts);
        let before = self.system.received()?.events;
        // The control with stalled clients answers no post at all: its warm-up would only wait.
        let mut posted = 0;
        if phase != Phase::ControlStalledClients {
            let warm_up = self.plan.series(self.plan.warm_up_posts);
            posted += posts_taken(&load::run(api, &warm_up, &format!("{label}_warm"))?);
        }
        let (cpu, lag) = (self.system.cpu(phase)?, LagHistogram::of(&self.system.scrape(phase)?));
        let begin = Instant::now();
        let outcomes = load::run(api, &self.plan.series(self.plan.posts_in(phase)), &label)?;
        let wall_s = begin.elapsed().as_secs_f64();
        let cpu = self.system.cpu(phase)?.since(cpu);
        let lag = LagHistogram::of(&self.system.scrape(phase)?).since(&lag);
        self.system.thaw(phase);
        let relay_drain = if phase.is_control() { Duration::ZERO } else { self.system.wait_for_relay()? };
        posted += posts_taken(&outcomes);
        let received_share = self.received_share(before, posted * reading)?;
        if let Some(share) = received_share.filter(|share| *share < RECEIVED_SHARE_MIN) {
            let (name, percent) = (phase.name(), share * 100.0);
            self.broken
                .push(format!("{name} round {}: clients received {percent:.1} % of the events", round + 1));
        }
        let observed = Observed {
            phase,
            round,
            wall_s,
            cpu,
            lag_p99_ms: lag.bound_ms(99.0),
            lag_max_ms: lag.bound_ms(100.0),
            relay_drain_s: relay_drain.as_secs_f64(),
            received_share,
        };
        println!("round {} {:<24} {}", round + 1, phase.name(), observed.line(&outcomes));
        Ok((outcomes, observed))
    }

    /// The share of `expected` events that arrived since `before`, once all are there or the time is over; `None` where
    /// there was nothing to receive.
    #[allow(clippy::cast_precision_loss, reason = "counts of events are far below 2^52")]
    fn received_share(&mut self, before: u64, expected: usize) -> Result<Option<f64>> {
        if expected == 0 {
            return Ok(None);
        }
        let start = Instant::now();
        loop {
            let share = (self.system.received()?.events.saturating_sub(before)) as f64 / expected as f64;
            if share >= 1.0 || start.elapsed() > RECEIVE_TIMEOUT {
                return Ok(Some(share));
            }
            std::thread::sleep(RECEIVE_LOOK_INTERVAL);
        }
    }

    fn check_sequentially(&mut self, phase: Phase) {
        for endpoint in Endpoint::ALL {
            let label = format!("{}_{}_seq", self.label, phase.name());
            let outcomes = load::sequential(self.system.api(phase), endpoint, SEQUENTIAL_REQUESTS, &label);
            let latencies: Vec<f64> = outcomes.iter().map(|outcome| outcome.latency_ms).collect();
            self.sequential.push(SequentialCheck {
                phase: phase.name(),
                endpoint: endpoint.name(),
                requests: latencies.len(),
                mean_ms: mean(&latencies),
                max_ms: maximum(&latencies),
            });
        }
    }

    fn report(self, header: Vec<String>) -> Report {
        let judged = [Phase::StalledClients, Phase::GatewayStopped, Phase::NatsStopped];
        let comparisons = self.samples.compare(Phase::Clients, &judged);
        let control = self.samples.compare(Phase::ControlClients, &[Phase::ControlStalledClients]);
        let phases = self.samples.summaries();
        let mut broken = self.broken;
        for row in phases.iter().filter(|row| !row.name.starts_with("control") && row.failed > 0) {
            broken.push(format!("{} {}: {} requests failed", row.name, row.endpoint, row.failed));
        }
        let control_failed = |phase: Phase| {
            let rows = phases.iter().filter(|row| {
                row.name == phase.name() && JUDGED.iter().any(|one| one.name() == row.endpoint)
            });
            rows.map(|row| (row.requests, row.failed)).fold((0, 0), |sum, row| (sum.0 + row.0, sum.1 + row.1))
        };
        // A control that does not work at all would "fail" for the wrong reason.
        let (requests, failed) = control_failed(Phase::ControlClients);
        if requests == 0 || failed > 0 {
            broken.push(format!("the control with healthy clients: {failed} of {requests} requests failed"));
        }
        if control_failed(Phase::ControlStalledClients).0 == 0 {
            broken.push("the control was not measured with stalled clients".to_owned());
        }
        let holds = comparisons.iter().all(|one| one.passed) && broken.is_empty();
        Report {
            header,
            targets: targets(&phases, &self.observed),
            verdict: Verdict::of(holds),
            negative_control_verdict: Verdict::of(control.iter().all(|one| one.passed)),
            phases,
            comparisons,
            control_comparisons: control,
            broken_conditions: broken,
            sequential: self.sequential,
            observations: self.observed.iter().map(|one| json!(one)).collect::<Vec<Value>>(),
        }
    }
}

fn posts_taken(outcomes: &[Outcome]) -> usize {
    outcomes.iter().filter(|one| one.endpoint == Endpoint::PostFact && one.succeeded).count()
}

/// A word that no other run has.
fn run_label() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("run{:x}", since.as_secs())
}
