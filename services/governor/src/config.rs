//! Settings of the governor.

use std::path::PathBuf;
use std::time::Duration;

use chassis::CommonConfig;
use chassis::process::ServiceConfig;
use clap::builder::BoolishValueParser;
use clap::{Args, Parser};

use crate::decide::{Band, Policy};
use crate::error::GovernorError;

/// Where to listen unless told otherwise.
pub const DEFAULT_PORT: u16 = 5002;

/// Decides when engines run, from what the monitors and the knowledge base tell.
#[derive(Debug, Clone, Parser)]
#[command(name = "bywash-governor", version)]
pub struct Config {
    /// What every service has.
    #[command(flatten)]
    pub common: CommonConfig,

    /// Time between two looks at the inputs, 50 to 4,500 ms
    ///
    /// Each look feeds the published state, which is repeated every 10 s: more would make it late.
    #[arg(long, env = "BYWASH_DECIDE_INTERVAL_MS", value_name = "MS", default_value_t = 1_000,
        value_parser = clap::value_parser!(u64).range(50..=4_500))]
    pub decide_interval_ms: u64,

    /// JSON list of engines: [{"name","command":["/program","argument"],"env":{},"max_run_s","stop_grace_s"}]
    ///
    /// Without it there is nothing to start.
    #[arg(long, env = "BYWASH_ENGINES_FILE", value_name = "FILE")]
    pub engines_file: Option<PathBuf>,

    /// Whether POST of governor and engines is answered; `false` switches it off, and leaves commands over NATS alone
    #[arg(long, env = "ENABLE_CONTROL_HTTP", value_name = "BOOL", default_value = "true",
        action = clap::ArgAction::Set, value_parser = BoolishValueParser::new())]
    pub enable_control_http: bool,

    /// When engines start and stop.
    #[command(flatten)]
    pub policy: PolicyConfig,
}

/// The policy's settings.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Policy")]
pub struct PolicyConfig {
    /// Engines start only while host and GPU load are at or below this, percent
    #[arg(long, env = "BYWASH_START_LOAD_PERCENT", value_name = "PERCENT", default_value_t = 50.0)]
    pub start_load_percent: f64,

    /// Engines are stopped when host or GPU load reach this, percent
    #[arg(long, env = "BYWASH_STOP_LOAD_PERCENT", value_name = "PERCENT", default_value_t = 90.0)]
    pub stop_load_percent: f64,

    /// Engines start only while the knowledge base grows by no more than this, facts a second
    #[arg(long, env = "BYWASH_START_GROWTH", value_name = "FACTS_PER_SECOND", default_value_t = 100.0)]
    pub start_growth: f64,

    /// Engines are stopped when the knowledge base grows by this, facts a second: an import is under way
    #[arg(long, env = "BYWASH_STOP_GROWTH", value_name = "FACTS_PER_SECOND", default_value_t = 1_000.0)]
    pub stop_growth: f64,

    /// Nothing starts for this long after a start or a stop, 1 or more
    #[arg(long, env = "BYWASH_COOLDOWN_S", value_name = "SECONDS", default_value_t = 60,
        value_parser = clap::value_parser!(u64).range(1..))]
    pub cooldown_s: u64,

    /// Most starts an hour that the governor decides on by itself
    #[arg(long, env = "BYWASH_STARTS_PER_HOUR", value_name = "COUNT", default_value_t = 12,
        value_parser = clap::value_parser!(u32).range(1..=3_600))]
    pub starts_per_hour: u32,

    /// An input older than this says nothing, 15 to 60 s: sources repeat theirs every 10 s
    #[arg(long, env = "BYWASH_STALE_AFTER_S", value_name = "SECONDS", default_value_t = 30,
        value_parser = clap::value_parser!(u64).range(15..=60))]
    pub stale_after_s: u64,
}

impl Config {
    /// Time between two looks at the inputs.
    pub fn decide_interval(&self) -> Duration {
        Duration::from_millis(self.decide_interval_ms)
    }
}

impl PolicyConfig {
    /// The policy; an error where a start threshold is not below its stop threshold.
    pub fn policy(&self) -> Result<Policy, GovernorError> {
        let band = |name, enter: f64, exit: f64| {
            let sound = enter.is_finite() && exit.is_finite() && 0.0 <= enter && enter < exit;
            sound.then_some(Band { enter, exit }).ok_or(GovernorError::Band { name, enter, exit })
        };
        Ok(Policy {
            load: band("load", self.start_load_percent, self.stop_load_percent)?,
            growth: band("growth", self.start_growth, self.stop_growth)?,
            cooldown: Duration::from_secs(self.cooldown_s),
            starts_per_hour: self.starts_per_hour as usize,
            stale_after: Duration::from_secs(self.stale_after_s),
        })
    }
}

impl ServiceConfig for Config {
    const SERVICE: &'static str = "governor";

    fn common(&self) -> &CommonConfig {
        &self.common
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_without_hysteresis_are_refused() {
        let parse = |args: &[&str]| Config::try_parse_from(["x"].iter().chain(args)).unwrap().policy.policy();
        assert!(parse(&[]).is_ok());
        assert!(parse(&["--start-load-percent", "90"]).is_err());
        assert!(parse(&["--stop-growth", "NaN"]).is_err());
    }

    #[test]
    fn times_that_cannot_work_are_refused() {
        for (flag, bad, good) in [
            ("--stale-after-s", "14", "15"),
            ("--decide-interval-ms", "4501", "4500"),
            ("--cooldown-s", "0", "1"),
        ] {
            assert!(Config::try_parse_from(["x", flag, bad]).is_err(), "{flag} {bad}");
            assert!(Config::try_parse_from(["x", flag, good]).is_ok(), "{flag} {good}");
        }
    }

    #[test]
    fn control_is_on_unless_switched_off() {
        let on =
            |args: &[&str]| Config::try_parse_from(["x"].iter().chain(args)).unwrap().enable_control_http;
        assert!(on(&[]) && on(&["--enable-control-http", "1"]) && !on(&["--enable-control-http", "false"]));
    }
}
