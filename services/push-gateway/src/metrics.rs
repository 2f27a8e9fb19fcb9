//! The gateway's metrics, each named once here.

use chassis::Metrics;
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};
use proto_schemas::Stream;

use crate::codec::{CloseReason, GapReason};

/// All of them; cheap to clone.
#[derive(Debug, Clone)]
pub struct GatewayMetrics {
    /// Open connections by protocol.
    pub connections: IntGaugeVec,
    /// Events that reached a socket's buffer, by protocol.
    pub delivered: IntCounterVec,
    /// Sessions that wait for their socket or for history.
    pub behind: IntGauge,
    /// From the pod getting an event to the write that took it.
    pub event_to_socket: Histogram,
    /// Connections opened, by endpoint (a name that older dashboards know).
    pub opened: IntCounterVec,
    /// Messages by endpoint and direction (likewise).
    pub messages: IntCounterVec,
    /// How long connections last (likewise).
    pub connection_duration: HistogramVec,
    /// Connections turned away.
    pub refused: IntCounterVec,
    /// Bytes written to sockets.
    pub written_bytes: IntCounter,
    ingested: IntCounterVec,
    invalid: IntCounter,
    closed: IntCounterVec,
    gaps: IntCounterVec,
    resumes: IntCounterVec,
}

impl GatewayMetrics {
    /// Registers them.
    pub fn new(metrics: &Metrics) -> Self {
        let latency =
            vec![0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];
        let lifetime = vec![0.1, 1.0, 10.0, 60.0, 300.0, 1_800.0, 3_600.0, 14_400.0, 86_400.0];
        Self {
            connections: metrics.gauges("bywash_gateway_connections", "Open connections.", &["protocol"]),
            delivered: metrics.counters(
                "bywash_gateway_delivered_events_total",
                "Events that reached a socket's buffer.",
                &["protocol"],
            ),
            behind: metrics.gauge(
                "bywash_gateway_sessions_behind",
                "Sessions that wait for their socket or for history.",
            ),
            event_to_socket: metrics.histogram(
                "bywash_gateway_event_to_socket_seconds",
                "From the pod getting an event to the write that took it.",
                latency,
            ),
            opened: metrics.counters("websocket_connections_total", "Connections opened.", &["endpoint"]),
            messages: metrics.counters(
                "websocket_messages_total",
                "Messages and events, by direction.",
                &["endpoint", "direction"],
            ),
            connection_duration: metrics.histograms(
                "websocket_connection_duration_seconds",
                "How long connections lasted.",
                &["endpoint"],
                lifetime,
            ),
            refused: metrics.counters(
                "bywash_gateway_refused_total",
                "Connections turned away.",
                &["reason"],
            ),
            written_bytes: metrics.counter("bywash_gateway_written_bytes_total", "Bytes written to sockets."),
            ingested: metrics.counters(
                "bywash_gateway_ingested_events_total",
                "Events that came from NATS.",
                &["stream"],
            ),
            invalid: metrics.counter(
                "bywash_gateway_invalid_events_total",
                "Events dropped because they are not one JSON value in one line.",
            ),
            closed: metrics.counters("bywash_gateway_closed_total", "Connections ended.", &["reason"]),
            gaps: metrics.counters("bywash_gateway_gaps_total", "Gaps told to clients.", &["reason"]),
            resumes: metrics.counters(
                "bywash_gateway_resumes_total",
                "Subscriptions with a token.",
                &["outcome"],
            ),
        }
    }

    /// One message came from NATS.
    pub fn ingested(&self, stream: Stream) {
        self.ingested.with_label_values(&[stream.spec().name]).inc();
    }

    /// One message was no event.
    pub fn invalid(&self) {
        self.invalid.inc();
    }

    /// A connection ended.
    pub fn closed(&self, reason: CloseReason) {
        self.closed.with_label_values(&[reason.as_str()]).inc();
    }

    /// A gap was told.
    pub fn gap(&self, reason: GapReason) {
        self.gaps.with_label_values(&[reason.as_str()]).inc();
    }

    /// A client came with a token.
    pub fn resumed(&self, exactly: bool) {
        self.resumes.with_label_values(&[if exactly { "resumed" } else { "gap" }]).inc();
    }
}
