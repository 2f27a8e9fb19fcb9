//! Errors: what a client is told (`ApiError`), and why a service does not start (`StartError`).

use std::borrow::Cow;
use std::net::SocketAddr;
use std::path::PathBuf;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// How every refusal reads.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorAnswer {
    error: ErrorBody,
}

#[derive(Debug, Serialize, ToSchema)]
struct ErrorBody {
    /// Stable, for programs.
    code: &'static str,
    /// For people.
    message: Cow<'static, str>,
    /// Facts that a program can use, by the code.
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Value>,
}

/// An answer `{"error": {"code", "message", "details"}}`. Codes are stable; messages are for people.
#[derive(Debug, Clone)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: Cow<'static, str>,
    details: Option<Value>,
    retry_after_s: Option<u32>,
}

impl ApiError {
    /// An error with a status, a stable code and a message that says what to do.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, message: message.into(), details: None, retry_after_s: None }
    }

    /// 400: malformed.
    pub fn bad_request(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 404: there is no such thing.
    pub fn not_found(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    /// 422: well-formed, not valid.
    pub fn unprocessable(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, message)
    }

    /// 503 with `Retry-After`.
    pub fn unavailable(
        code: &'static str,
        message: impl Into<Cow<'static, str>>,
        retry_after_s: u32,
    ) -> Self {
        let mut error = Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message);
        error.retry_after_s = Some(retry_after_s);
        error
    }

    /// 500: ours, not the client's. The cause is logged where it is caught, never sent.
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "internal error; the log of the service has the cause",
        )
    }

    /// Adds facts that a program can use.
    #[must_use]
    pub fn with_details(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What went wrong, for people.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Facts that a program can use.
    pub fn details(&self) -> Option<&Value> {
        self.details.as_ref()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let error = ErrorBody { code: self.code, message: self.message, details: self.details };
        let mut response = (self.status, Json(ErrorAnswer { error })).into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// Why a service does not start or ends early: one line for the operator, with the next step.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port is taken or the address is not this machine's.
    #[error("cannot listen on {addr}; stop what uses it or choose another with --http-addr")]
    Bind {
        /// Address asked for.
        addr: SocketAddr,
        /// The kernel's word.
        source: std::io::Error,
    },
    /// No keys, and not loopback.
    #[error(
        "refusing to serve {0} without API keys or tokens; give --api-keys-file or a --jwt- setting, bind to \
         loopback, or say --insecure-open"
    )]
    OpenToAll(SocketAddr),
    /// The file of API keys cannot be used.
    #[error("API keys file {path}: {reason}")]
    ApiKeys {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An allowed origin is none.
    #[error("allowed origin {0:?} is not scheme://host[:port]")]
    Origin(String),
    /// The log filter does not parse.
    #[error("log filter {filter:?} does not parse")]
    LogFilter {
        /// The filter.
        filter: String,
        /// The parser's word.
        source: tracing_subscriber::filter::ParseError,
    },
    /// The exporter of traces cannot be made.
    #[error("trace exporter for {endpoint} cannot be made")]
    Telemetry {
        /// The endpoint.
        endpoint: String,
        /// The exporter's word.
        source: opentelemetry_otlp::ExporterBuildError,
    },
    /// NATS settings are unusable (a server that is away is not an error).
    #[error("NATS settings are unusable: {0}")]
    Nats(String),
    /// An operation of the system failed.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: String,
        /// The kernel's word.
        source: std::io::Error,
    },
    /// The service's own settings cannot work.
    #[error("{0}")]
    Settings(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The service's own reason.
    #[error("{0}")]
    Service(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl StartError {
    /// Wraps a service's word on settings that cannot work: a start with the same ones fails again.
    pub fn settings(reason: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Settings(Box::new(reason))
    }

    /// Wraps a service's own reason.
    pub fn service(reason: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Service(Box::new(reason))
    }

    /// Process exit status: 78 for settings that cannot work (EX_CONFIG), 69 for what is taken or away
    /// (EX_UNAVAILABLE), 1 for the rest.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Bind { .. } => 69,
            Self::OpenToAll(_)
            | Self::ApiKeys { .. }
            | Self::Origin(_)
            | Self::LogFilter { .. }
            | Self::Nats(_)
            | Self::Settings(_) => 78,
            Self::Telemetry { .. } | Self::Io { .. } | Self::Service(_) => 1,
        }
    }
}
