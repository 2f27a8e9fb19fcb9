//! Logs and traces. Logs go to stderr, and by `log_records` to NATS. Traces go out by OTLP over gRPC when an endpoint
//! is named (`OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`), and are off without one.

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::config::{CommonConfig, LogFormat};
use crate::error::StartError;
use crate::log_records::LogRecords;

/// Target of spans that exist to be traced; logs leave them out, whatever their filter.
pub const TRACE_TARGET: &str = "bywash::trace";

/// Keeps the exporter alive; [`Telemetry::finish_records`] and [`Telemetry::flush`] send what is left.
#[derive(Debug)]
pub struct Telemetry {
    provider: Option<SdkTracerProvider>,
    records: Option<LogRecords>,
}

impl Telemetry {
    /// Installs logs and, with an endpoint, traces. Call once, inside the runtime (the exporter needs it).
    pub fn install(service: &'static str, config: &CommonConfig) -> Result<Self, StartError> {
        // What the client library logs of connections is said once more, and better, in `nats.rs`.
        let filter = EnvFilter::try_new(format!("async_nats=warn,{}", config.log))
            .map_err(|source| StartError::LogFilter { filter: config.log.clone(), source })?;
        let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
        let lines = match config.log_format {
            LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).boxed(),
            LogFormat::Pretty => {
                use std::io::IsTerminal;
                lines.with_ansi(std::io::stderr().is_terminal()).boxed()
            }
        };
        let provider = provider(service, &config.instance())?;
        let traces = provider.as_ref().map(|provider| {
            tracing_opentelemetry::layer()
                .with_tracer(provider.tracer("bywash"))
                .with_location(false)
                .with_threads(false)
                .with_tracked_inactivity(false)
                .with_level(false)
                .with_target(false)
                .with_filter(
                    tracing_subscriber::filter::filter_fn(|metadata| metadata.target() == TRACE_TARGET)
                        .with_max_level_hint(tracing::level_filters::LevelFilter::INFO),
                )
        });
        let pushed = LogRecords::from_filter(&config.log_push)?;
        let records = pushed.as_ref().map(|(records, _)| records.clone());
        tracing_subscriber::registry()
            .with(lines.with_filter(filter))
            .with(traces)
            .with(pushed.map(|(records, filter)| records.layer(filter)))
            .init();
        Ok(Self { provider, records })
    }

    /// Gives NATS the log records that are still here, within a short time.
    pub async fn finish_records(&self) {
        if let Some(records) = &self.records {
            records.finish().await;
        }
    }

    /// Sends the spans that are still here; blocks for at most the exporter's own time-out.
    pub fn flush(self) {
        if let Some(provider) = self.provider
            && let Err(error) = provider.shutdown()
        {
            tracing::warn!(%error, "the last spans could not be exported");
        }
    }
}

fn provider(service: &'static str, instance: &str) -> Result<Option<SdkTracerProvider>, StartError> {
    let endpoint = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    let Some(endpoint) = endpoint else { return Ok(None) };
    if std::env::var("OTEL_SDK_DISABLED").is_ok_and(|value| value.eq_ignore_ascii_case("true")) {
        return Ok(None);
    }
    let exporter = SpanExporter::builder()
        .with_tonic()
        .build()
        .map_err(|source| StartError::Telemetry { endpoint: endpoint.clone(), source })?;
    // Detectors read OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES; without them the service names itself.
    let mut resource = Resource::builder()
        .with_attribute(opentelemetry::KeyValue::new("service.instance.id", instance.to_owned()))
        .with_attribute(opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
        resource = resource.with_service_name(format!("bywash-{service}"));
    }
    let provider =
        SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build()).build();
    Ok(Some(provider))
}
