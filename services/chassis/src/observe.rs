//! The server span, the metrics of requests, and `Server-Timing`: what every request of every service leaves behind.

use std::cell::RefCell;
use std::fmt::Write;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use prometheus::{HistogramVec, IntGauge};
use tracing::field::Empty;
use tracing::{Instrument, Span};

use crate::metrics::{METRIC_HTTP_DURATION, METRIC_HTTP_IN_FLIGHT, duration_buckets};
use crate::telemetry::TRACE_TARGET;
use crate::trace_context::continue_from;
use crate::{Metrics, TraceParent};

tokio::task_local! {
    static STAGES: RefCell<Vec<(&'static str, Duration)>>;
}

/// Adds the duration of a stage to the answer's `Server-Timing`. Outside a request it does nothing.
pub fn record_stage(stage: &'static str, duration: Duration) {
    // An error means that no request is under way here.
    let _ = STAGES.try_with(|stages| stages.borrow_mut().push((stage, duration)));
}

/// Runs `work` and records its duration as a stage.
pub async fn stage<T>(name: &'static str, work: impl Future<Output = T>) -> T {
    let start = Instant::now();
    let value = work.await;
    record_stage(name, start.elapsed());
    value
}

/// The trace context to hand on: the current span's, or, where tracing is off here, the caller's own.
pub fn request_context() -> Option<TraceParent> {
    TraceParent::of(&Span::current()).or_else(|| CALLER.try_with(|caller| *caller).ok().flatten())
}

tokio::task_local! {
    static CALLER: Option<TraceParent>;
}

/// Metrics of requests.
#[derive(Debug, Clone)]
pub struct RequestMetrics {
    duration: HistogramVec,
    in_flight: IntGauge,
}

impl RequestMetrics {
    /// Registers them.
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            duration: metrics.histograms(
                METRIC_HTTP_DURATION,
                "Time from a request's head to its answer's.",
                &["method", "route", "status"],
                duration_buckets(),
            ),
            in_flight: metrics.gauge(METRIC_HTTP_IN_FLIGHT, "Requests under way."),
        }
    }
}

/// Counts a request as under way until it is dropped, even when its connection is.
struct InFlight(IntGauge);

impl InFlight {
    fn new(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// The method as a bounded label.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Middleware around every route.
pub async fn observe(State(metrics): State<RequestMetrics>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let _in_flight = InFlight::new(&metrics.in_flight);
    let method = method_label(request.method());
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let caller: Option<TraceParent> =
        request.headers().get("traceparent").and_then(|value| value.to_str().ok()?.parse().ok());
    let span = tracing::info_span!(
        target: TRACE_TARGET,
        parent: None,
        "request",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method,
        http.route = route,
        url.path = request.uri().path(),
        http.response.status_code = Empty,
    );
    if let Some(caller) = caller {
        continue_from(&span, caller);
    }
    let work = async {
        let handler_start = Instant::now();
        let response = next.run(request).await;
        let mut stages = STAGES.with(RefCell::take);
        if stages.is_empty() {
            // A handler that answers from memory has one stage: itself.
            stages.push(("handler", handler_start.elapsed()));
        }
        (response, stages)
    };
    let (mut response, stages) =
        CALLER.scope(caller, STAGES.scope(RefCell::default(), work)).instrument(span.clone()).await;

    let status = response.status();
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    let elapsed = start.elapsed();
    metrics
        .duration
        .with_label_values(&[method, route.as_str(), status.as_str()])
        .observe(elapsed.as_secs_f64());
    if let Ok(value) = HeaderValue::from_str(&server_timing(&stages, elapsed)) {
        response.headers_mut().insert(HeaderName::from_static("server-timing"), value);
    }
    response
}

/// `stage;dur=MILLISECONDS, ..., total;dur=MILLISECONDS` (W3C Server Timing).
fn server_timing(stages: &[(&'static str, Duration)], total: Duration) -> String {
    let mut text = String::new();
    for (stage, duration) in stages.iter().copied().chain([("total", total)]) {
        let separator = if text.is_empty() { "" } else { ", " };
        // Writing to a string does not fail.
        let _ = write!(text, "{separator}{stage};dur={:.3}", duration.as_secs_f64() * 1e3);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_timing_names_each_stage_in_milliseconds() {
        let stages = [("parse", Duration::from_micros(12)), ("commit", Duration::from_micros(1500))];
        assert_eq!(
            server_timing(&stages, Duration::from_millis(2)),
            "parse;dur=0.012, commit;dur=1.500, total;dur=2.000"
        );
    }
}
