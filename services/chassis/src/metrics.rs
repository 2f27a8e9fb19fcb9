//! One registry a process, and the names of the chassis' own metrics.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus::core::Collector;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};

use crate::endpoints::{Endpoints, Operation};

/// Histogram, seconds; labels `method`, `route`, `status`.
pub const METRIC_HTTP_DURATION: &str = "bywash_http_request_duration_seconds";
/// Gauge: requests under way.
pub const METRIC_HTTP_IN_FLIGHT: &str = "bywash_http_requests_in_flight";
/// Counter: requests of which no head could be read; label `reason` (`slow`, `too_large`, `malformed`).
pub const METRIC_HTTP_BAD_HEADS: &str = "bywash_http_bad_heads_total";
/// Counter: TLS handshakes; label `outcome` (`ok`, `failed`, `timeout`, `not_tls`).
pub const METRIC_TLS_HANDSHAKES: &str = "bywash_http_tls_handshakes_total";
/// Counter: changed TLS files; label `outcome` (`ok`, `failed`).
pub const METRIC_TLS_RELOADS: &str = "bywash_http_tls_reloads_total";
/// Counter: commands over NATS; labels `command`, `outcome` (`ok` or the error's code).
pub const METRIC_COMMANDS: &str = "bywash_commands_total";
/// Histogram, seconds; label `command`.
pub const METRIC_COMMAND_DURATION: &str = "bywash_command_duration_seconds";
/// Histogram, seconds.
pub const METRIC_EVENT_LOOP_LAG: &str = "bywash_event_loop_lag_seconds";
/// Gauge: 1 while NATS is connected.
pub const METRIC_NATS_CONNECTED: &str = "bywash_nats_connected";
/// Counter: keys and tokens refused; label `reason`, the error's code.
pub const METRIC_AUTH_REFUSED: &str = "bywash_auth_refused_total";
/// Gauge, seconds: time since the keys of the JWKS URL were fetched.
pub const METRIC_JWKS_AGE: &str = "bywash_auth_jwks_age_seconds";

/// Buckets for durations of requests and their stages, seconds.
pub fn duration_buckets() -> Vec<f64> {
    vec![
        0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    ]
}

/// The process's registry. Metrics are made once at start; a name that is taken or malformed is a bug and panics there.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// A registry with the metrics of the process itself (CPU, memory, files).
    pub fn new() -> Self {
        let metrics = Self { registry: Registry::new() };
        metrics.register(prometheus::process_collector::ProcessCollector::for_self())
    }

    fn register<C: Collector + 'static>(self, collector: C) -> Self {
        self.registry.register(Box::new(collector)).expect("names of metrics are constants, each used once");
        self
    }

    fn registered<C: Collector + Clone + 'static>(&self, collector: prometheus::Result<C>) -> C {
        let collector = collector.expect("names and labels of metrics are constants and well-formed");
        self.registry
            .register(Box::new(collector.clone()))
            .expect("each metric is registered once a process");
        collector
    }

    /// A counter.
    pub fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.registered(IntCounter::new(name, help))
    }

    /// Counters by label; labels must be bounded.
    pub fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.registered(IntCounterVec::new(Opts::new(name, help), labels))
    }

    /// A whole-number gauge.
    pub fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.registered(IntGauge::new(name, help))
    }

    /// Whole-number gauges by label.
    pub fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.registered(IntGaugeVec::new(Opts::new(name, help), labels))
    }

    /// A gauge of seconds or another measure.
    pub fn float_gauge(&self, name: &str, help: &str) -> Gauge {
        self.registered(Gauge::new(name, help))
    }

    /// Gauges of a measure by label.
    pub fn float_gauges(&self, name: &str, help: &str, labels: &[&str]) -> GaugeVec {
        self.registered(GaugeVec::new(Opts::new(name, help), labels))
    }

    /// A histogram with its upper bounds.
    pub fn histogram(&self, name: &str, help: &str, buckets: Vec<f64>) -> Histogram {
        self.registered(Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets)))
    }

    /// Histograms by label.
    pub fn histograms(&self, name: &str, help: &str, labels: &[&str], buckets: Vec<f64>) -> HistogramVec {
        self.registered(HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets), labels))
    }

    /// What a scrape sees.
    pub fn text(&self) -> prometheus::Result<String> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }

    /// `GET /metrics`.
    pub fn endpoints(&self) -> Endpoints {
        let metrics = self.clone();
        let scraped =
            Operation::get("What a scrape sees").gives_text(200, prometheus::TEXT_FORMAT, "Metrics");
        Endpoints::new().route("/metrics", get(async move || scrape(&metrics)), [scraped])
    }
}

fn scrape(metrics: &Metrics) -> Response {
    match metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "metrics cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
