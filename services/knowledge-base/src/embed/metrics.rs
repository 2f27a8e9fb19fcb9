//! What an embedder that asks others measures about itself.

use chassis::Metrics;
use chassis::metrics::duration_buckets;
use prometheus::{Histogram, IntCounterVec};

/// Counter: requests to the endpoint; label `outcome` (`ok`, or the code of the error that this attempt alone would be).
pub const METRIC_EMBEDDER_REQUESTS: &str = "bywash_kb_embedder_requests_total";
/// Histogram, seconds: requests to the endpoint, whatever came of them.
pub const METRIC_EMBEDDER_DURATION: &str = "bywash_kb_embedder_request_duration_seconds";

/// The embedder's metrics. Cheap to clone.
#[derive(Debug, Clone)]
pub struct EmbedderMetrics {
    pub(super) requests: IntCounterVec,
    pub(super) request_seconds: Histogram,
}

impl EmbedderMetrics {
    /// Registers them; once a registry.
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            requests: metrics.counters(METRIC_EMBEDDER_REQUESTS, "Requests to the embedder.", &["outcome"]),
            request_seconds: metrics.histogram(
                METRIC_EMBEDDER_DURATION,
                "Requests to the embedder, whatever came of them.",
                duration_buckets(),
            ),
        }
    }
}
