//! What the indexes of vectors measure about themselves.

use chassis::Metrics;
use prometheus::IntGauge;

/// Gauge: the revision that the indexes of vectors have reached; `of` is `facts` or `documents`.
pub const METRIC_VECTORS_REVISION: &str = "bywash_kb_vectors_revision";

/// How far the indexes are. Cheap to clone.
#[derive(Debug, Clone)]
pub struct VectorMetrics {
    /// That of the facts.
    pub facts: IntGauge,
    /// Those of the documents.
    pub documents: IntGauge,
}

impl VectorMetrics {
    /// Registers them; once a registry.
    pub fn new(metrics: &Metrics) -> Self {
        let help = "The revision that the indexes of vectors have reached.";
        let reached = metrics.gauges(METRIC_VECTORS_REVISION, help, &["of"]);
        let of = |name| reached.with_label_values(&[name]);
        Self { facts: of("facts"), documents: of("documents") }
    }
}
