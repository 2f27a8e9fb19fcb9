//! What the findings measure about themselves.

use chassis::Metrics;
use chassis::metrics::duration_buckets;
use prometheus::{HistogramVec, IntCounterVec, IntGauge, IntGaugeVec};

use super::findings::Figures;
use crate::store::Revision;

/// Gauge: the revision that the findings have reached.
pub const METRIC_QUALITY_REVISION: &str = "bywash_kb_quality_revision";
/// Gauge: what was found, by `kind` (`duplicate`, `contradiction`, `functional`, `suspicious`).
pub const METRIC_QUALITY_FINDINGS: &str = "bywash_kb_quality_findings";
/// Histogram, seconds: questions to the findings, waiting included; by `question`.
pub const METRIC_QUALITY_SECONDS: &str = "bywash_kb_quality_question_duration_seconds";
/// Counter: questions to the findings, by `question` and `outcome` (`answered`, or the error's code).
pub const METRIC_QUALITY_QUESTIONS: &str = "bywash_kb_quality_questions_total";

/// The metrics. Cheap to clone.
#[derive(Debug, Clone)]
pub struct QualityMetrics {
    revision: IntGauge,
    findings: IntGaugeVec,
    pub(super) seconds: HistogramVec,
    pub(super) questions: IntCounterVec,
}

impl QualityMetrics {
    /// Registers them; once a registry.
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            revision: metrics.gauge(METRIC_QUALITY_REVISION, "The revision that the findings have reached."),
            findings: metrics.gauges(METRIC_QUALITY_FINDINGS, "What was found about the facts.", &["kind"]),
            seconds: metrics.histograms(
                METRIC_QUALITY_SECONDS,
                "Questions to the findings, waiting included.",
                &["question"],
                duration_buckets(),
            ),
            questions: metrics.counters(
                METRIC_QUALITY_QUESTIONS,
                "Questions to the findings.",
                &["question", "outcome"],
            ),
        }
    }

    /// Shows a state.
    pub(super) fn see(&self, revision: Revision, figures: &Figures) {
        self.revision.set(i64::try_from(revision.0).unwrap_or(i64::MAX));
        for (kind, count) in [
            ("duplicate", figures.duplicates),
            ("contradiction", figures.contradictions),
            ("functional", figures.functional),
            ("suspicious", figures.suspicious),
        ] {
            self.findings.with_label_values(&[kind]).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }
}
