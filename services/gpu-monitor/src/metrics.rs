//! Metrics of the GPU monitor. What is not known has no series.

use chassis::Metrics;
use prometheus::{GaugeVec, IntCounter, IntCounterVec};
use proto_schemas::v1::SystemState;

/// Counter; label `source` (`host`, or the GPU source).
pub const METRIC_SAMPLES: &str = "bywash_gpu_monitor_samples_total";
/// Counter; label `source`.
pub const METRIC_FAILURES: &str = "bywash_gpu_monitor_sample_failures_total";
/// Counter; label `result` (`kept`, or why not).
pub const METRIC_HEARD: &str = "bywash_gpu_monitor_heard_states_total";

/// Reads one measure of the host.
type Measure = fn(&SystemState) -> Option<f64>;

/// Gauges of the host: name, help, and where the value is. Shares are 0 to 1, as metrics have them.
const HOST: [(&str, &str, Measure); 9] = [
    ("bywash_host_cpu_ratio", "Share of all cores that was busy.", |s| Some(s.cpu_percent? / 100.0)),
    ("bywash_host_cpu_pressure_ratio", "Share of time in which some task waited for a core.", |s| {
        Some(s.cpu_pressure_percent? / 100.0)
    }),
    ("bywash_host_load1", "Run queue average over one minute.", |s| s.load_1m),
    ("bywash_host_memory_used_bytes", "Memory in use.", |s| s.memory_used_bytes),
    ("bywash_host_memory_total_bytes", "Memory in all.", |s| s.memory_total_bytes),
    ("bywash_host_disk_used_bytes", "Used on the data folder's file system.", |s| s.disk_used_bytes),
    ("bywash_host_disk_total_bytes", "Size of the data folder's file system.", |s| s.disk_total_bytes),
    ("bywash_host_network_receive_bytes_per_second", "Received, loopback left out.", |s| {
        s.network_receive_bytes_per_second
    }),
    ("bywash_host_network_transmit_bytes_per_second", "Sent, loopback left out.", |s| {
        s.network_transmit_bytes_per_second
    }),
];

/// The monitor's metrics. Cheap to clone.
#[derive(Debug, Clone)]
pub struct MonitorMetrics {
    samples: IntCounterVec,
    failures: IntCounterVec,
    heard: IntCounterVec,
    host: Vec<(GaugeVec, Measure)>,
}

impl MonitorMetrics {
    /// Registers them.
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            samples: metrics.counters(METRIC_SAMPLES, "Samples taken.", &["source"]),
            failures: metrics.counters(METRIC_FAILURES, "Samples that a source failed to give.", &["source"]),
            heard: metrics.counters(METRIC_HEARD, "States of other nodes heard on NATS.", &["result"]),
            host: HOST.map(|(name, help, value)| (metrics.float_gauges(name, help, &["node"]), value)).into(),
        }
    }

    /// Samples taken from `source`.
    pub fn samples(&self, source: &str) -> IntCounter {
        self.samples.with_label_values(&[source])
    }

    /// Samples that `source` failed to give.
    pub fn failures(&self, source: &str) -> IntCounter {
        self.failures.with_label_values(&[source])
    }

    /// Counts a state heard from another node.
    pub fn heard(&self, result: &str) {
        self.heard.with_label_values(&[result]).inc();
    }

    /// Shows the host's sample.
    pub fn show(&self, state: &SystemState) {
        for (gauge, value) in &self.host {
            match value(state) {
                Some(value) => gauge.with_label_values(&[&state.node]).set(value),
                // An error means that there was no series, which is what is wanted.
                None => drop(gauge.remove_label_values(&[&state.node])),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_longer_known_loses_its_series() {
        let registry = Metrics::new();
        let metrics = MonitorMetrics::new(&registry);
        let known = SystemState { node: "n".to_owned(), cpu_percent: Some(25.0), ..SystemState::default() };
        metrics.show(&known);
        let text = registry.text().unwrap();
        assert!(text.contains("bywash_host_cpu_ratio{node=\"n\"} 0.25"), "{text}");
        assert!(!text.contains("bywash_host_load1"), "{text}");
        metrics.show(&SystemState { cpu_percent: None, ..known });
        assert!(!registry.text().unwrap().contains("bywash_host_cpu_ratio{"));
    }
}
