//! The gateway's metrics, each named once here.

use chassis::Metrics;
use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};
use proto_schemas::Stream;

use crate::codec::{CloseReason, GapReason};

/// What clients send and should not, by kind: few, so that no flood of it makes new series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadInput {
    /// A topic that is malformed, unknown, or wider than the catalogue.
    Topic,
    /// A message or value beyond its limit.
    TooLarge,
    /// A message that cannot be read, or of no known type.
    Message,
    /// Frames that break RFC 6455, or text that is not UTF-8.
    Framing,
    /// An opening handshake that is none.
    Handshake,
    /// More messages or topics than one connection may have.
    Flood,
    /// A long-lived token in an address.
    TokenInUrl,
    /// A ticket in a cookie of which no browser says where it comes from.
    CookieWithoutOrigin,
}

impl BadInput {
    /// Label in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Topic => "topic",
            Self::TooLarge => "too_large",
            Self::Message => "message",
            Self::Framing => "framing",
            Self::Handshake => "handshake",
            Self::Flood => "flood",
            Self::TokenInUrl => "token_in_url",
            Self::CookieWithoutOrigin => "cookie_without_origin",
        }
    }
}

/// Counts bad input. As small as a pointer, for codecs keep one a connection.
#[derive(Debug, Clone)]
pub struct BadInputs(IntCounterVec);

impl BadInputs {
    /// One more.
    pub fn count(&self, kind: BadInput) {
        self.0.with_label_values(&[kind.as_str()]).inc();
    }

    /// Of no registry.
    #[cfg(test)]
    pub fn unregistered() -> Self {
        GatewayMetrics::new(&Metrics::new()).bad_input
    }
}

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
    /// What clients send and should not.
    pub bad_input: BadInputs,
    /// Bytes written to sockets.
    pub written_bytes: IntCounter,
    /// Memory in use, as the kernel counts it.
    pub memory_used: IntGauge,
    /// Memory that may be used.
    pub memory_budget: IntGauge,
    /// What the use of memory asks for, 0 to 3.
    pub budget_level: IntGauge,
    /// From a session being put on the ready list to its turn.
    pub ready_wait: Histogram,
    /// Time of one write to a socket.
    pub write_time: Histogram,
    /// State values that a newer one replaced before anybody was sent them.
    pub conflated: IntCounter,
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
                latency.clone(),
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
            bad_input: BadInputs(metrics.counters(
                "bywash_gateway_bad_input_total",
                "Requests, messages and frames that were refused for what they say, by kind.",
                &["kind"],
            )),
            written_bytes: metrics.counter("bywash_gateway_written_bytes_total", "Bytes written to sockets."),
            memory_used: metrics.gauge(
                "bywash_gateway_memory_used_bytes",
                "Memory in use, with what the kernel holds for sockets.",
            ),
            memory_budget: metrics.gauge("bywash_gateway_memory_budget_bytes", "Memory that may be used."),
            budget_level: metrics.gauge(
                "bywash_gateway_budget_level",
                "0 normal, 1 state is told less often, 2 connections are refused, 3 those furthest behind are closed.",
            ),
            ready_wait: metrics.histogram(
                "bywash_gateway_ready_wait_seconds",
                "From a session being put on the ready list to its turn.",
                latency.clone(),
            ),
            write_time: metrics.histogram(
                "bywash_gateway_write_seconds",
                "Time of one write to a socket.",
                vec![0.000_005, 0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_5, 0.001, 0.01],
            ),
            conflated: metrics.counter(
                "bywash_gateway_conflated_events_total",
                "State values that a newer one replaced before they were sent on.",
            ),
            ingested: metrics.counters(
                "bywash_gateway_ingested_events_total",
                "Events that came from NATS.",
                &["stream"],
            ),
            invalid: metrics.counter(
                "bywash_gateway_invalid_events_total",
                "Events dropped because they are not one JSON value in one line, or their type is no word.",
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

    /// Connections open now, of all protocols.
    pub fn open_connections(&self) -> i64 {
        let families = self.connections.collect();
        let of_all = families.iter().flat_map(MetricFamily::get_metric);
        #[allow(clippy::cast_possible_truncation, reason = "a gauge of whole numbers")]
        of_all.map(|metric| metric.get_gauge().get_value() as i64).sum()
    }

    /// Events delivered so far, by all protocols.
    pub fn delivered_events(&self) -> u64 {
        let families = self.delivered.collect();
        let of_all = families.iter().flat_map(MetricFamily::get_metric);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a counter of whole numbers"
        )]
        of_all.map(|metric| metric.get_counter().get_value() as u64).sum()
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
