//! The values that a decision is made of.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::engines::EngineName;

/// Whether decisions are made, and whether they are carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing is decided.
    Off,
    /// Decisions are made and told, not carried out.
    DryRun,
    /// Decisions are carried out.
    Enforce,
}

impl Mode {
    /// The name in the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::DryRun => "dry_run",
            Self::Enforce => "enforce",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Not the name of a mode.
#[derive(Debug, thiserror::Error)]
#[error("a mode is off, dry_run or enforce")]
pub struct UnknownMode;

impl FromStr for Mode {
    type Err = UnknownMode;

    fn from_str(text: &str) -> Result<Self, UnknownMode> {
        [Self::Off, Self::DryRun, Self::Enforce]
            .into_iter()
            .find(|mode| mode.as_str() == text)
            .ok_or(UnknownMode)
    }
}

/// A start threshold and a stop threshold above it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    /// At or below it an engine may start.
    pub enter: f64,
    /// At or above it engines are stopped.
    pub exit: f64,
}

/// When engines start and stop. Constant for the life of the process.
#[derive(Debug, Clone)]
pub struct Policy {
    /// For host and GPU load, percent.
    pub load: Band,
    /// For the knowledge base's growth, facts a second.
    pub growth: Band,
    /// Nothing starts for this long after a start or a stop.
    pub cooldown: Duration,
    /// Most starts within an hour.
    pub starts_per_hour: usize,
    /// An input older than this says nothing.
    pub stale_after: Duration,
}

/// Now, by the clock that never steps and by the one people read.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// For durations.
    pub instant: Instant,
    /// For time stamps.
    pub wall: SystemTime,
}

impl Moment {
    /// This moment.
    pub fn now() -> Self {
        Self { instant: Instant::now(), wall: SystemTime::now() }
    }
}

/// What an input says.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The value that thresholds look at.
    pub value: f64,
    /// The value in words, with its unit and where it was seen.
    pub text: String,
    /// When it was seen, as its source wrote it; RFC 3339, UTC.
    pub observed_at: String,
    /// When it was heard.
    pub heard_at: Instant,
    /// When the most silent of its sources was heard: with one source the same.
    pub oldest_at: Instant,
}

impl Reading {
    /// Whether the value is too old to say anything.
    pub fn is_stale(&self, policy: &Policy, now: Moment) -> bool {
        now.instant.duration_since(self.heard_at) > policy.stale_after
    }

    /// Whether some source is too silent to say that nothing is higher than the value.
    pub fn is_partial(&self, policy: &Policy, now: Moment) -> bool {
        now.instant.duration_since(self.oldest_at) > policy.stale_after
    }
}

/// A run of an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Running {
    /// Since when.
    pub since: Instant,
    /// It was told to stop and has not ended yet.
    pub stopping: bool,
}

/// An engine as it is observed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineView {
    /// Its name.
    pub name: EngineName,
    /// It is stopped when it runs for longer.
    pub max_run: Duration,
    /// Its run, if it runs.
    pub running: Option<Running>,
}

impl EngineView {
    /// Whether it runs for longer than it may.
    pub fn overdue(&self, now: Moment) -> bool {
        self.running.is_some_and(|run| !run.stopping && now.instant.duration_since(run.since) > self.max_run)
    }
}

/// Everything that a decision may rest on.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// Highest CPU load of all hosts, percent. Needed.
    pub host_load: Option<Reading>,
    /// Highest utilisation of all GPUs, percent; absent where nobody has GPUs.
    pub gpu_load: Option<Reading>,
    /// Growth of the knowledge base, facts a second. Needed: without it there is nothing to improve.
    pub kb_growth: Option<Reading>,
    /// All engines, in the file's order.
    pub engines: Vec<EngineView>,
}

/// An input beside its thresholds.
#[derive(Debug, Clone, Copy)]
pub struct Weighed<'a> {
    /// The input's name.
    pub name: &'static str,
    /// What it says.
    pub reading: &'a Reading,
    /// Its thresholds.
    pub band: Band,
    /// The unit of both.
    pub unit: &'static str,
}

impl Weighed<'_> {
    /// The input as the cause of a decision.
    pub fn cause(&self) -> Cause {
        Cause {
            name: self.name,
            value: self.reading.text.clone(),
            observed_at: self.reading.observed_at.clone(),
        }
    }
}

impl Inputs {
    /// Each input by name, absent ones included.
    pub fn named(&self) -> [(&'static str, Option<&Reading>); 3] {
        [
            ("host_load", self.host_load.as_ref()),
            ("gpu_load", self.gpu_load.as_ref()),
            ("kb_growth", self.kb_growth.as_ref()),
        ]
    }

    /// The inputs that are there, beside their thresholds.
    pub fn weighed(&self, policy: &Policy) -> Vec<Weighed<'_>> {
        let bands = [(policy.load, "%"), (policy.load, "%"), (policy.growth, "facts/s")];
        self.named()
            .into_iter()
            .zip(bands)
            .filter_map(|((name, reading), (band, unit))| {
                Some(Weighed { name, reading: reading?, band, unit })
            })
            .collect()
    }

    /// The first needed input that is not there.
    pub fn missing(&self) -> Option<&'static str> {
        let is_missing =
            |(name, reading): &(&str, Option<&Reading>)| reading.is_none() && *name != "gpu_load";
        self.named().into_iter().find(is_missing).map(|(name, _)| name)
    }
}

/// What a decision says to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Start an engine.
    StartEngine(EngineName),
    /// Stop an engine.
    StopEngine(EngineName),
    /// Do nothing for now.
    Wait,
    /// Change what the governor itself does: its mode, whether it runs, whether it is paused.
    SetMode,
}

impl Action {
    /// The name in the contract.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::StartEngine(_) => "start_engine",
            Self::StopEngine(_) => "stop_engine",
            Self::Wait => "wait",
            Self::SetMode => "set_mode",
        }
    }

    /// The engine it is about.
    pub fn engine(&self) -> Option<&EngineName> {
        match self {
            Self::StartEngine(engine) | Self::StopEngine(engine) => Some(engine),
            Self::Wait | Self::SetMode => None,
        }
    }
}

/// The input that made a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Its name.
    pub name: &'static str,
    /// What was seen.
    pub value: String,
    /// When; RFC 3339, UTC.
    pub observed_at: String,
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// 1 for the first of this process.
    pub number: u64,
    /// What to do.
    pub action: Action,
    /// Mode under which it was made.
    pub mode: Mode,
    /// Why, one reason each.
    pub reasoning: Vec<String>,
    /// What made it.
    pub cause: Cause,
}

/// What the governor remembers from decision to decision.
#[derive(Debug, Clone)]
pub struct State {
    /// Whether decisions are made and carried out.
    pub mode: Mode,
    /// Whether it decides at all; an operator's `stop` ends that.
    pub running: bool,
    /// Paused: starts nothing, stops only what runs too long.
    pub paused: bool,
    /// It has said that it waits and not started anything since.
    pub waiting: bool,
    /// Decisions made.
    pub decisions: u64,
    /// Last start or stop, for the cooldown.
    pub changed_at: Option<Instant>,
    /// Own starts within the last hour; never more than the rate limit.
    pub starts: Vec<Instant>,
    /// Last start by engine.
    pub last_start: BTreeMap<EngineName, Instant>,
    /// Dry run only: engines that would run, and since when.
    pub assumed: BTreeMap<EngineName, Instant>,
}

impl State {
    /// A governor that has decided nothing yet.
    pub fn new(mode: Mode) -> Self {
        Self {
            mode,
            running: true,
            paused: false,
            waiting: false,
            decisions: 0,
            changed_at: None,
            starts: Vec::new(),
            last_start: BTreeMap::new(),
            assumed: BTreeMap::new(),
        }
    }

    /// Whether the engine runs or, in a dry run, would run.
    pub fn occupied(&self, engine: &EngineView, now: Moment) -> bool {
        engine.running.is_some() || self.would_run(engine, now)
    }

    /// Whether the engine runs, or would run, and was not told to stop.
    pub fn can_be_stopped(&self, engine: &EngineView, now: Moment) -> bool {
        engine.running.is_some_and(|run| !run.stopping) || self.would_run(engine, now)
    }

    /// An assumed run ends by itself at the engine's time limit.
    fn would_run(&self, engine: &EngineView, now: Moment) -> bool {
        let since = self.assumed.get(&engine.name);
        since.is_some_and(|since| now.instant.duration_since(*since) <= engine.max_run)
    }

    /// Remembers a start.
    pub fn note_start(&mut self, engine: &EngineName, now: Moment) {
        self.changed_at = Some(now.instant);
        self.last_start.insert(engine.clone(), now.instant);
        if self.mode == Mode::DryRun {
            self.assumed.insert(engine.clone(), now.instant);
        }
    }

    /// Makes the next decision.
    pub fn record(&mut self, action: Action, reasoning: Vec<String>, cause: Cause) -> Decision {
        self.decisions += 1;
        Decision { number: self.decisions, action, mode: self.mode, reasoning, cause }
    }
}
