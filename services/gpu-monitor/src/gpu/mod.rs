//! Where GPU samples come from: one trait, a source each.

mod none;
mod simulator;

use proto_schemas::v1::Gpu;

use crate::config::{Config, GpuSourceKind};
use crate::sampler::SampleError;

/// A source of GPU samples. It has a thread of its own and may block there.
pub trait GpuSource: Send {
    /// What the samples' `source` says.
    fn name(&self) -> &'static str;

    /// The GPUs now, in index order; what the source does not know is absent. `tick` rises with each interval.
    fn sample(&mut self, tick: u64) -> Result<Vec<Gpu>, SampleError>;
}

/// The source that the settings name.
pub fn source(config: &Config) -> Box<dyn GpuSource> {
    match config.gpu_source {
        GpuSourceKind::None => Box::new(none::NoGpus),
        GpuSourceKind::Simulator => {
            Box::new(simulator::Simulator::new(config.simulator_seed, config.simulated_gpus))
        }
    }
}
