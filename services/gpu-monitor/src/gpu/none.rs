//! The source of a node whose GPUs are not looked for: an empty list.

use proto_schemas::v1::Gpu;

use super::GpuSource;
use crate::sampler::SampleError;

/// No GPUs.
#[derive(Debug)]
pub struct NoGpus;

impl GpuSource for NoGpus {
    fn name(&self) -> &'static str {
        "none"
    }

    fn sample(&mut self, _: u64) -> Result<Vec<Gpu>, SampleError> {
        Ok(Vec::new())
    }
}
