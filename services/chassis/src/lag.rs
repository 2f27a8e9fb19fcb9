//! The event-loop-lag probe: how late a timer of the runtime fires.

use std::time::{Duration, Instant};

use prometheus::Histogram;

use crate::Metrics;
use crate::metrics::METRIC_EVENT_LOOP_LAG;

/// How often the probe looks. Cheap enough to leave on, often enough to see a stall of tens of milliseconds.
const PROBE_INTERVAL: Duration = Duration::from_millis(20);

/// Spawns the probe on the current runtime; it lives as long as the runtime.
pub fn spawn(metrics: &Metrics) {
    let buckets = vec![0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
    let lag: Histogram =
        metrics.histogram(METRIC_EVENT_LOOP_LAG, "How late a timer of the event loop fires.", buckets);
    tokio::spawn(async move {
        loop {
            let due = Instant::now() + PROBE_INTERVAL;
            tokio::time::sleep_until(due.into()).await;
            lag.observe(due.elapsed().as_secs_f64());
        }
    });
}
