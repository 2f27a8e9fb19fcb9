//! What is decided when: tables, sequences, and what holds for any inputs.

use std::time::SystemTime;

use proptest::prelude::*;
use tokio::time::Instant;

use super::*;
use crate::engines::EngineName;

const STALE_AFTER: Duration = Duration::from_secs(30);
const COOLDOWN: Duration = Duration::from_secs(60);
const MAX_RUN: Duration = Duration::from_secs(300);

fn policy() -> Policy {
    Policy {
        load: Band { enter: 50.0, exit: 90.0 },
        growth: Band { enter: 100.0, exit: 1_000.0 },
        cooldown: COOLDOWN,
        starts_per_hour: 3,
        stale_after: STALE_AFTER,
    }
}

/// A clock whose zero is far enough from the platform's own for ages before it.
#[derive(Clone, Copy)]
struct Clock(Instant);

impl Clock {
    fn new() -> Self {
        Self(Instant::now() + Duration::from_secs(100_000))
    }

    fn at(self, second: u64) -> Moment {
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + second);
        Moment { instant: self.0 + Duration::from_secs(second), wall }
    }
}

fn reading(value: f64, now: Moment, age_s: u64) -> Option<Reading> {
    let heard_at = now.instant - Duration::from_secs(age_s);
    Some(Reading {
        value,
        text: format!("<{value}>"),
        observed_at: format!("{age_s} s ago"),
        heard_at,
        oldest_at: heard_at,
    })
}

/// Heard just now, with another node that has been silent for too long.
fn partly_silent(value: f64, now: Moment) -> Option<Reading> {
    let oldest_at = now.instant - STALE_AFTER - Duration::from_secs(1);
    reading(value, now, 0).map(|reading| Reading { oldest_at, ..reading })
}

fn engine(name: &str, running_since: Option<Moment>) -> EngineView {
    let running = running_since.map(|since| Running { since: since.instant, stopping: false });
    EngineView { name: name.into(), max_run: MAX_RUN, running }
}

/// Every input calm, host load the newest.
fn calm(now: Moment, engines: Vec<EngineView>) -> Inputs {
    Inputs {
        host_load: reading(10.0, now, 1),
        gpu_load: reading(20.0, now, 2),
        kb_growth: reading(0.0, now, 3),
        engines,
    }
}

fn enforcing() -> State {
    State::new(Mode::Enforce)
}

/// `action engine <- cause`, or `-`.
fn text(decision: Option<&Decision>) -> String {
    let Some(decision) = decision else { return "-".to_owned() };
    let engine = decision.action.engine().map(|engine| format!(" {engine}")).unwrap_or_default();
    format!("{}{engine} <- {} {}", decision.action.as_str(), decision.cause.name, decision.cause.value)
}

#[test]
fn one_look_decides_what_the_table_says() {
    let now = Clock::new().at(1_000);
    let idle = || vec![engine("one", None), engine("two", None)];
    let busy_engine = || vec![engine("one", Some(now)), engine("two", None)];
    type Change = fn(&mut Inputs, &mut State, Moment);
    let table: [(&str, Vec<EngineView>, Change, &str); 21] = [
        ("all calm", idle(), |_, _, _| {}, "start_engine one <- host_load <10>"),
        ("one runs", busy_engine(), |_, _, _| {}, "start_engine two <- host_load <10>"),
        ("no engine", vec![], |_, _, _| {}, "-"),
        ("no engine, busy", vec![], |i, _, now| i.host_load = reading(99.0, now, 1), "-"),
        (
            "at the start threshold",
            idle(),
            |i, _, now| i.host_load = reading(50.0, now, 1),
            "start_engine one <- host_load <50>",
        ),
        ("between", idle(), |i, _, now| i.host_load = reading(50.1, now, 1), "-"),
        ("between, one runs", busy_engine(), |i, _, now| i.host_load = reading(89.9, now, 1), "-"),
        (
            "at the stop threshold",
            busy_engine(),
            |i, _, now| i.gpu_load = reading(90.0, now, 1),
            "stop_engine one <- gpu_load <90>",
        ),
        (
            "busy with nothing to stop",
            idle(),
            |i, _, now| i.kb_growth = reading(1_000.0, now, 1),
            "wait <- kb_growth <1000>",
        ),
        (
            "busy and said so",
            idle(),
            |i, s, now| {
                i.host_load = reading(95.0, now, 1);
                s.waiting = true;
            },
            "-",
        ),
        (
            "newest input named",
            idle(),
            |i, _, now| i.kb_growth = reading(3.0, now, 0),
            "start_engine one <- kb_growth <3>",
        ),
        ("nobody has GPUs", idle(), |i, _, _| i.gpu_load = None, "start_engine one <- host_load <10>"),
        ("host load missing", idle(), |i, _, _| i.host_load = None, "-"),
        ("growth missing", idle(), |i, _, _| i.kb_growth = None, "-"),
        ("GPU load stale", idle(), |i, _, now| i.gpu_load = reading(20.0, now, 31), "-"),
        ("a stale input stops nothing", busy_engine(), |i, _, now| i.host_load = reading(99.0, now, 31), "-"),
        (
            "a fresh one does, whatever else is stale",
            busy_engine(),
            |i, _, now| {
                i.host_load = reading(99.0, now, 30);
                i.kb_growth = None;
            },
            "stop_engine one <- host_load <99>",
        ),
        (
            "a silent node hides no busy one",
            busy_engine(),
            |i, _, now| i.host_load = partly_silent(99.0, now),
            "stop_engine one <- host_load <99>",
        ),
        ("a silent node may be busy", idle(), |i, _, now| i.host_load = partly_silent(10.0, now), "-"),
        ("off", idle(), |_, s, _| s.mode = Mode::Off, "-"),
        ("stopped", idle(), |_, s, _| s.running = false, "-"),
    ];
    for (case, engines, change, expected) in table {
        let (mut inputs, mut state) = (calm(now, engines), enforcing());
        change(&mut inputs, &mut state, now);
        let (_, decision) = decide(&policy(), state, &inputs, now);
        assert_eq!(text(decision.as_ref()), expected, "{case}");
    }
}

#[test]
fn a_start_gives_every_reason_and_the_mode_it_was_made_under() {
    let now = Clock::new().at(0);
    let inputs = calm(now, vec![engine("one", None)]);
    let (state, decision) = decide(&policy(), enforcing(), &inputs, now);
    let decision = decision.unwrap();
    assert_eq!((decision.number, state.decisions, decision.mode), (1, 1, Mode::Enforce));
    assert_eq!(decision.cause.observed_at, "1 s ago");
    assert_eq!(
        decision.reasoning,
        [
            "host_load is <10>, at or below 50 %",
            "gpu_load is <20>, at or below 50 %",
            "kb_growth is <0>, at or below 100 facts/s",
            "one has not run yet",
        ]
    );
}

#[test]
fn starts_keep_the_cooldown_take_turns_and_stay_within_the_hours_limit() {
    let (clock, mut state, mut started) = (Clock::new(), enforcing(), Vec::new());
    for second in 0..4_000 {
        let now = clock.at(second);
        // Each engine ends at once, so only the policy holds back.
        let inputs = calm(now, vec![engine("one", None), engine("two", None)]);
        let (next, decision) = decide(&policy(), state, &inputs, now);
        state = next;
        if let Some(decision) = decision {
            started.push((second, decision.action.engine().unwrap().to_string()));
        }
    }
    let expected = [(0, "one"), (60, "two"), (120, "one"), (3_600, "two"), (3_660, "one"), (3_720, "two")];
    assert_eq!(started, expected.map(|(second, name)| (second, name.to_owned())));
}

#[test]
fn an_engine_that_was_stopped_for_load_starts_again_only_when_all_is_calm() {
    let clock = Clock::new();
    let mut state = enforcing();
    let steps = [
        (0, 10.0, false, "start_engine one <- host_load <10>"),
        (100, 70.0, true, "-"),
        (101, 90.0, true, "stop_engine one <- host_load <90>"),
        (102, 91.0, false, "-"),
        (200, 70.0, false, "-"),
        (201, 50.0, false, "start_engine one <- host_load <50>"),
    ];
    for (second, load, runs, expected) in steps {
        let now = clock.at(second);
        let mut inputs = calm(now, vec![engine("one", runs.then(|| clock.at(second - 1)))]);
        inputs.host_load = reading(load, now, 1);
        let (next, decision) = decide(&policy(), state, &inputs, now);
        state = next;
        assert_eq!(text(decision.as_ref()), expected, "second {second}");
    }
}

#[test]
fn a_run_beyond_its_limit_is_stopped_even_while_paused() {
    let clock = Clock::new();
    let (since, at_limit, beyond) = (clock.at(0), clock.at(300), clock.at(301));
    let mut paused = enforcing();
    paused.paused = true;
    let inputs = |now| calm(now, vec![engine("one", Some(since))]);
    let (_, decision) = decide(&policy(), paused.clone(), &inputs(at_limit), at_limit);
    assert_eq!(text(decision.as_ref()), "-");
    let (_, decision) = decide(&policy(), paused, &inputs(beyond), beyond);
    assert_eq!(text(decision.as_ref()), "stop_engine one <- engine_runtime one runs for longer than 300 s");
}

#[test]
fn a_dry_run_decides_as_if_the_engine_ran() {
    let clock = Clock::new();
    let mut state = State::new(Mode::DryRun);
    for (second, load, expected) in [
        (0, 10.0, "start_engine one <- host_load <10>"),
        (200, 10.0, "-"),
        (201, 95.0, "stop_engine one <- host_load <95>"),
        (202, 95.0, "-"),
        (270, 10.0, "start_engine one <- host_load <10>"),
        (570, 10.0, "-"),
        (571, 10.0, "start_engine one <- host_load <10>"),
    ] {
        let now = clock.at(second);
        let mut inputs = calm(now, vec![engine("one", None)]);
        inputs.host_load = reading(load, now, 1);
        let (next, decision) = decide(&policy(), state, &inputs, now);
        state = next;
        assert_eq!(text(decision.as_ref()), expected, "second {second}");
    }
}

#[test]
fn an_operators_command_decides_what_the_table_says() {
    let now = Clock::new().at(0);
    let inputs = calm(now, vec![engine("one", Some(now)), engine("two", None)]);
    let (one, two): (EngineName, EngineName) = ("one".into(), "two".into());
    let by = |what: &str| format!("<- operator {what} by ada");
    let run = |state: State, command: Command| match operate(state, &inputs, &command, "ada", now) {
        Ok((_, decisions)) => decisions.iter().map(|one| text(Some(one))).collect::<Vec<_>>().join("; "),
        Err(refusal) => refusal.to_string(),
    };
    let dry = || State::new(Mode::DryRun);
    let stopped = || State { running: false, ..enforcing() };
    let table = [
        (run(enforcing(), Command::Start), String::new()),
        (run(stopped(), Command::Start), format!("set_mode {}", by("start"))),
        (run(enforcing(), Command::Stop), format!("set_mode {0}; stop_engine one {0}", by("stop"))),
        (run(enforcing(), Command::Pause), format!("set_mode {}", by("pause"))),
        (run(enforcing(), Command::Resume), String::new()),
        (run(dry(), Command::SetMode(Mode::DryRun)), String::new()),
        (run(dry(), Command::SetMode(Mode::Enforce)), format!("set_mode {}", by("set_mode enforce"))),
        (
            run(enforcing(), Command::SetMode(Mode::Off)),
            format!("set_mode {0}; stop_engine one {0}", by("set_mode off")),
        ),
        (run(enforcing(), Command::StartEngine(one.clone())), "engine one runs already".to_owned()),
        (
            run(enforcing(), Command::StartEngine(two.clone())),
            format!("start_engine two {}", by("start_engine two")),
        ),
        (
            run(dry(), Command::StartEngine(two.clone())),
            "the mode is dry_run; engines run in enforce only (set_mode first)".to_owned(),
        ),
        (
            run(stopped(), Command::StartEngine(two.clone())),
            "the governor is stopped; start it first".to_owned(),
        ),
        (run(dry(), Command::StopEngine(one)), format!("stop_engine one {}", by("stop_engine one"))),
        (run(enforcing(), Command::StopEngine(two)), "engine two does not run".to_owned()),
    ];
    for (number, (seen, expected)) in table.into_iter().enumerate() {
        assert_eq!(seen, expected, "row {number}");
    }
}

#[test]
fn an_engine_that_is_stopping_is_not_stopped_again() {
    let now = Clock::new().at(0);
    let mut inputs = calm(now, vec![engine("one", Some(now))]);
    inputs.engines[0].running = Some(Running { since: now.instant, stopping: true });
    let (state, decisions) =
        operate(enforcing(), &inputs, &Command::StopEngine("one".into()), "ada", now).unwrap();
    assert_eq!((decisions, state.decisions, state.changed_at), (Vec::new(), 0, None));
}

#[test]
fn the_summary_says_what_it_waits_for() {
    let now = Clock::new().at(0);
    let inputs = |load, age_s| {
        let mut inputs = calm(now, vec![engine("one", None)]);
        inputs.host_load = reading(load, now, age_s);
        inputs
    };
    let dry_run = "dry run, nothing is carried out: ";
    let say = |state: &State, inputs: &Inputs| summary(&policy(), state, inputs, now);
    let dry = State::new(Mode::DryRun);
    assert_eq!(say(&dry, &calm(now, vec![])), "no engine is configured: there is nothing to start");
    assert_eq!(say(&dry, &inputs(10.0, 31)), format!("{dry_run}inconclusive: host_load is stale"));
    assert_eq!(
        say(&dry, &Inputs { host_load: None, ..inputs(1.0, 1) }),
        format!("{dry_run}inconclusive: host_load was not heard")
    );
    assert_eq!(say(&enforcing(), &inputs(95.0, 1)), "waits: host_load is at or above 90 %");
    assert_eq!(say(&enforcing(), &inputs(60.0, 1)), "starts nothing: host_load is between 50 and 90 %");
    assert_eq!(say(&enforcing(), &inputs(1.0, 1)), "about to start an engine");
    let (state, _) = decide(&policy(), enforcing(), &inputs(1.0, 1), now);
    assert_eq!(say(&state, &inputs(1.0, 1)), "cools down for 60 s after the last start or stop");
}

proptest! {
    /// Whatever is heard, in whatever order: each decision names an input that was there and fresh, nothing starts
    /// above a start threshold or within the cooldown, and the hour's limit holds.
    #[test]
    fn every_decision_names_a_fresh_input_and_keeps_the_policy(
        steps in prop::collection::vec((1_u64..200, 0.0..110.0_f64, 0.0..110.0_f64, 0.0..1_200.0_f64,
            0_u64..40, prop::bool::ANY), 1..120)
    ) {
        let (clock, policy) = (Clock::new(), policy());
        let (mut state, mut second, mut starts) = (enforcing(), 0, Vec::new());
        for (pause, host, gpu, growth, age_s, runs) in steps {
            second += pause;
            let now = clock.at(second);
            let inputs = Inputs {
                host_load: reading(host, now, age_s),
                gpu_load: (gpu < 100.0).then(|| reading(gpu, now, 0)).flatten(),
                kb_growth: reading(growth, now, 0),
                engines: vec![engine("one", runs.then_some(now)), engine("two", None)],
            };
            let (next, decision) = decide(&policy, state, &inputs, now);
            state = next;
            let Some(decision) = decision else { continue };
            let named = inputs.named().into_iter().find(|(name, _)| *name == decision.cause.name);
            let named = named.and_then(|(_, reading)| reading).expect("the input was there");
            prop_assert_eq!(&named.text, &decision.cause.value);
            prop_assert!(!named.is_stale(&policy, now));
            if matches!(decision.action, Action::StartEngine(_)) {
                prop_assert!(inputs.weighed(&policy).iter().all(|one| one.reading.value <= one.band.enter));
                prop_assert!(starts.last().is_none_or(|last| second - last >= COOLDOWN.as_secs()));
                starts.push(second);
                let within = starts.iter().filter(|at| second - **at < 3_600).count();
                prop_assert!(within <= policy.starts_per_hour);
            }
        }
    }
}
