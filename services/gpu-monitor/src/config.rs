//! Settings of the GPU monitor.

use std::path::PathBuf;
use std::time::Duration;

use chassis::CommonConfig;
use chassis::config::host_name;
use chassis::process::ServiceConfig;
use clap::{Parser, ValueEnum};
use proto_schemas::contract::STATE_REPEAT_INTERVAL;

/// Where to listen unless told otherwise.
pub const DEFAULT_PORT: u16 = 5003;
/// Most simulated GPUs: more than any real node has.
const SIMULATED_GPUS_MAX: i64 = 64;

/// Where GPU samples come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GpuSourceKind {
    /// No GPUs are looked for; the list is empty.
    None,
    /// Invented GPUs, labelled so, to try dashboards without hardware.
    Simulator,
}

/// Samples the GPUs and the load of its node and publishes them as state.
#[derive(Debug, Clone, Parser)]
#[command(name = "bywash-gpu-monitor", version)]
pub struct Config {
    /// What every service has.
    #[command(flatten)]
    pub common: CommonConfig,

    /// Where GPU samples come from
    #[arg(long, env = "BYWASH_GPU_SOURCE", value_name = "SOURCE", default_value = "none")]
    pub gpu_source: GpuSourceKind,

    /// How many GPUs the simulator invents
    #[arg(long, env = "BYWASH_SIMULATED_GPUS", value_name = "COUNT", default_value_t = 2,
        value_parser = clap::value_parser!(u32).range(0..=SIMULATED_GPUS_MAX))]
    pub simulated_gpus: u32,

    /// What the simulator's values derive from; the same seed gives the same values
    #[arg(long, env = "BYWASH_SIMULATOR_SEED", value_name = "NUMBER", default_value_t = 1)]
    pub simulator_seed: u64,

    /// Name of the node that is sampled; default: the host's name
    #[arg(long, env = "BYWASH_NODE", value_name = "NAME")]
    pub node: Option<String>,

    /// Time between two samples, 100 to 10,000 ms (states repeat at least every 10 s)
    #[arg(long, env = "BYWASH_SAMPLE_INTERVAL_MS", value_name = "MS", default_value_t = 1_000,
        value_parser = clap::value_parser!(u64).range(100..=STATE_REPEAT_INTERVAL.as_millis() as u64))]
    pub sample_interval_ms: u64,

    /// Folder whose file system is reported as the node's disk; it need not exist yet
    #[arg(long, env = "BYWASH_DATA_DIR", value_name = "DIR", default_value = ".bywash")]
    pub data_dir: PathBuf,
}

impl Config {
    /// The node that is sampled.
    pub fn node(&self) -> String {
        self.node.clone().filter(|node| !node.is_empty()).unwrap_or_else(host_name)
    }

    /// Time between two samples.
    pub fn sample_interval(&self) -> Duration {
        Duration::from_millis(self.sample_interval_ms)
    }
}

impl ServiceConfig for Config {
    const SERVICE: &'static str = "gpu-monitor";

    fn common(&self) -> &CommonConfig {
        &self.common
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_gpu_is_invented_unless_asked_for() {
        let config = Config::try_parse_from(["x", "--node", ""]).unwrap();
        assert_eq!((config.gpu_source, config.node()), (GpuSourceKind::None, host_name()));
    }

    #[test]
    fn an_interval_beyond_the_repeat_of_states_is_refused() {
        for bad in ["0", "99", "10001", "x"] {
            assert!(Config::try_parse_from(["x", "--sample-interval-ms", bad]).is_err(), "{bad}");
        }
    }
}
