//! W3C trace context: the header's value as a type, and its way into and out of spans.

use std::fmt;
use std::str::FromStr;

use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// A `traceparent`: trace id, span id and flags, all valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    trace_id: TraceId,
    span_id: SpanId,
    flags: TraceFlags,
}

/// Not a `traceparent` of version 00.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("malformed traceparent")]
pub struct TraceParentError;

impl TraceParent {
    /// The context of `span`; `None` where tracing is off.
    pub fn of(span: &Span) -> Option<Self> {
        let context = span.context();
        let span_context = context.span().span_context().clone();
        span_context.is_valid().then(|| Self {
            trace_id: span_context.trace_id(),
            span_id: span_context.span_id(),
            flags: span_context.trace_flags(),
        })
    }

    /// The context to link to or to continue from.
    pub fn span_context(self) -> SpanContext {
        SpanContext::new(self.trace_id, self.span_id, self.flags, true, TraceState::default())
    }

    /// The trace id in hex.
    pub fn trace_id(self) -> String {
        self.trace_id.to_string()
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace_id, self.span_id, self.flags.to_u8())
    }
}

impl FromStr for TraceParent {
    type Err = TraceParentError;

    fn from_str(text: &str) -> Result<Self, TraceParentError> {
        let mut parts = text.split('-');
        let mut hex = |length: usize| {
            let part = parts.next().filter(|part| part.len() == length)?;
            part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')).then_some(part)
        };
        let (version, trace_id, span_id, flags) =
            (|| Some((hex(2)?, hex(32)?, hex(16)?, hex(2)?)))().ok_or(TraceParentError)?;
        if version != "00" || parts.next().is_some() {
            return Err(TraceParentError);
        }
        let trace_id = TraceId::from_hex(trace_id).map_err(|_| TraceParentError)?;
        let span_id = SpanId::from_hex(span_id).map_err(|_| TraceParentError)?;
        let flags = u8::from_str_radix(flags, 16).map_err(|_| TraceParentError)?;
        if trace_id == TraceId::INVALID || span_id == SpanId::INVALID {
            return Err(TraceParentError);
        }
        Ok(Self { trace_id, span_id, flags: TraceFlags::new(flags) })
    }
}

/// Makes `span` the child of a request that came from outside. Call before the span is entered.
pub fn continue_from(span: &Span, parent: TraceParent) {
    let context = opentelemetry::Context::new().with_remote_span_context(parent.span_context());
    // Fails only where no tracer listens, and then there is nothing to continue.
    let _ = span.set_parent(context);
}

/// Links `span` (of a trace of its own) to a request. Call before the span is entered.
pub fn link(span: &Span, request: TraceParent) {
    span.add_link(request.span_context());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_valid_header_comes_back_and_all_else_is_refused() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(text.parse::<TraceParent>().unwrap().to_string(), text);
        for bad in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
        ] {
            assert_eq!(bad.parse::<TraceParent>(), Err(TraceParentError), "{bad}");
        }
    }
}
