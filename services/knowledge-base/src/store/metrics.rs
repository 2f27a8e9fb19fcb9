//! What the store measures about itself.

use chassis::Metrics;
use chassis::metrics::duration_buckets;
use prometheus::{Histogram, IntGauge};

use super::model::Snapshot;

/// Gauge: facts in the store.
pub const METRIC_FACTS: &str = "bywash_kb_facts";
/// Gauge: the last committed revision.
pub const METRIC_REVISION: &str = "bywash_kb_revision";
/// Histogram, seconds: commits with their flush to disk.
pub const METRIC_COMMIT_DURATION: &str = "bywash_kb_commit_duration_seconds";
/// Histogram: jobs that shared a commit.
pub const METRIC_COMMIT_BATCH: &str = "bywash_kb_commit_batch_size";
/// Gauge: jobs that wait for the writer.
pub const METRIC_WRITER_QUEUE: &str = "bywash_kb_writer_queue_jobs";

/// The store's metrics. Cheap to clone.
#[derive(Debug, Clone)]
pub struct StoreMetrics {
    facts: IntGauge,
    revision: IntGauge,
    pub(super) commit_seconds: Histogram,
    pub(super) commit_jobs: Histogram,
    pub(super) queue_jobs: IntGauge,
}

impl StoreMetrics {
    /// Registers them; once a registry.
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            facts: metrics.gauge(METRIC_FACTS, "Facts in the store."),
            revision: metrics.gauge(METRIC_REVISION, "The last committed revision."),
            commit_seconds: metrics.histogram(
                METRIC_COMMIT_DURATION,
                "Commits with their flush to disk.",
                duration_buckets(),
            ),
            commit_jobs: metrics.histogram(
                METRIC_COMMIT_BATCH,
                "Jobs that shared a commit.",
                vec![1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0],
            ),
            queue_jobs: metrics.gauge(METRIC_WRITER_QUEUE, "Jobs that wait for the writer."),
        }
    }

    /// Shows the state after a commit.
    pub(super) fn see(&self, snapshot: &Snapshot) {
        self.facts.set(i64::try_from(snapshot.fact_count).unwrap_or(i64::MAX));
        self.revision.set(i64::try_from(snapshot.revision.0).unwrap_or(i64::MAX));
    }
}
