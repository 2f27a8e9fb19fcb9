//! An OTLP collector: a real gRPC receiver that keeps the spans it gets.

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span as WireSpan;
use tokio::task::JoinHandle;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use crate::wait::Inbox;

/// A span as the tests look at it; ids are lower-case hex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// `service.name` of the process that made it.
    pub service: String,
    /// Its name.
    pub name: String,
    /// Its trace.
    pub trace_id: String,
    /// Its own id.
    pub span_id: String,
    /// Its parent's id; empty for a root.
    pub parent_id: String,
    /// (trace id, span id) of what it links to.
    pub links: Vec<(String, String)>,
    /// Its attributes, as text.
    pub attributes: Vec<(String, String)>,
    /// When it began, nanoseconds since 1970.
    pub start_ns: u64,
    /// When it ended, nanoseconds since 1970.
    pub end_ns: u64,
}

impl Span {
    /// Whether it has no parent.
    pub fn is_root(&self) -> bool {
        self.parent_id.is_empty()
    }

    /// Whether it links to `other`.
    pub fn links_to(&self, other: &Self) -> bool {
        self.links.iter().any(|(trace, span)| *trace == other.trace_id && *span == other.span_id)
    }

    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// The running collector.
#[derive(Debug)]
pub struct Collector {
    /// What arrived.
    pub spans: Inbox<Span>,
    endpoint: String,
    server: JoinHandle<()>,
}

impl Collector {
    /// Listens on a free loopback port.
    ///
    /// # Panics
    /// When it cannot listen.
    pub async fn start() -> Self {
        let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into()).expect("a loopback port is free");
        let endpoint = format!("http://{}", incoming.local_addr().expect("a bound socket has an address"));
        let spans = Inbox::default();
        let service = TraceServiceServer::new(Receiver { spans: spans.clone() });
        let server = tokio::spawn(async move {
            let served = Server::builder().add_service(service).serve_with_incoming(incoming).await;
            served.expect("the collector serves until the test ends");
        });
        Self { spans, endpoint, server }
    }

    /// For `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The first span that `wanted` accepts.
    ///
    /// # Panics
    /// When it does not come within the deadline.
    pub async fn span(&self, what: &str, wanted: impl FnMut(&Span) -> bool) -> Span {
        self.spans.first(what, wanted).await
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.server.abort();
    }
}

struct Receiver {
    spans: Inbox<Span>,
}

#[tonic::async_trait]
impl TraceService for Receiver {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for resource in request.into_inner().resource_spans {
            let attributes = resource.resource.map(|resource| text(&resource.attributes)).unwrap_or_default();
            let service = attributes.into_iter().find(|(key, _)| key == "service.name");
            let service = service.map(|(_, value)| value).unwrap_or_default();
            for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                self.spans.push(kept(&service, &span));
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn kept(service: &str, span: &WireSpan) -> Span {
    Span {
        service: service.to_owned(),
        name: span.name.clone(),
        trace_id: hex(&span.trace_id),
        span_id: hex(&span.span_id),
        parent_id: hex(&span.parent_span_id),
        links: span.links.iter().map(|link| (hex(&link.trace_id), hex(&link.span_id))).collect(),
        attributes: text(&span.attributes),
        start_ns: span.start_time_unix_nano,
        end_ns: span.end_time_unix_nano,
    }
}

fn text(attributes: &[KeyValue]) -> Vec<(String, String)> {
    attributes
        .iter()
        .map(|attribute| {
            let value = attribute.value.as_ref().and_then(|value| value.value.as_ref());
            let value = match value {
                Some(any_value::Value::StringValue(text)) => text.clone(),
                Some(any_value::Value::IntValue(number)) => number.to_string(),
                Some(any_value::Value::DoubleValue(number)) => number.to_string(),
                Some(any_value::Value::BoolValue(flag)) => flag.to_string(),
                other => format!("{other:?}"),
            };
            (attribute.key.clone(), value)
        })
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
