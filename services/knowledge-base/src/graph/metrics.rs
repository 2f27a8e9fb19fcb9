//! What the graph measures about itself.

use chassis::Metrics;
use chassis::metrics::duration_buckets;
use prometheus::{HistogramVec, IntCounterVec, IntGauge};

use super::adjacency::Figures;
use crate::store::Revision;

/// Gauge: the revision that the graph has reached.
pub const METRIC_GRAPH_REVISION: &str = "bywash_kb_graph_revision";
/// Gauge: edges of the graph.
pub const METRIC_GRAPH_EDGES: &str = "bywash_kb_graph_edges";
/// Gauge: entities of the graph.
pub const METRIC_GRAPH_ENTITIES: &str = "bywash_kb_graph_entities";
/// Histogram, seconds: questions to the graph, waiting included; by `question`.
pub const METRIC_GRAPH_SECONDS: &str = "bywash_kb_graph_question_duration_seconds";
/// Counter: questions to the graph, by `question` and `outcome` (`answered`, or the error's code).
pub const METRIC_GRAPH_QUESTIONS: &str = "bywash_kb_graph_questions_total";

/// The graph's metrics. Cheap to clone.
#[derive(Debug, Clone)]
pub struct GraphMetrics {
    revision: IntGauge,
    edges: IntGauge,
    entities: IntGauge,
    pub(super) seconds: HistogramVec,
    pub(super) questions: IntCounterVec,
}

impl GraphMetrics {
    /// Registers them; once a registry.
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            revision: metrics.gauge(METRIC_GRAPH_REVISION, "The revision that the graph has reached."),
            edges: metrics.gauge(METRIC_GRAPH_EDGES, "Edges of the graph."),
            entities: metrics.gauge(METRIC_GRAPH_ENTITIES, "Entities of the graph."),
            seconds: metrics.histograms(
                METRIC_GRAPH_SECONDS,
                "Questions to the graph, waiting included.",
                &["question"],
                duration_buckets(),
            ),
            questions: metrics.counters(
                METRIC_GRAPH_QUESTIONS,
                "Questions to the graph.",
                &["question", "outcome"],
            ),
        }
    }

    /// Shows a state.
    pub(super) fn see(&self, revision: Revision, figures: &Figures) {
        self.revision.set(i64::try_from(revision.0).unwrap_or(i64::MAX));
        self.edges.set(i64::try_from(figures.edges).unwrap_or(i64::MAX));
        self.entities.set(i64::try_from(figures.entities).unwrap_or(i64::MAX));
    }
}
