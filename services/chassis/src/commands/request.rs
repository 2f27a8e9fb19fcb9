//! Asking: one request, one answer within its deadline, or an error that says why there is none.

use std::borrow::Cow;

use async_nats::{RequestError, RequestErrorKind};
use bytes::Bytes;
use proto_schemas::command::{self, code};
use proto_schemas::json;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Duration;
use tracing::field::Empty;
use tracing::{Instrument, Span};

use super::{Reply, write_headers};
use crate::telemetry::TRACE_TARGET;
use crate::{Identity, Nats, TraceParent, observe};

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct CommandError {
    code: Cow<'static, str>,
    message: Cow<'static, str>,
    details: Option<Value>,
}

impl CommandError {
    fn new(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code: code.into(), message: message.into(), details: None }
    }

    /// The stable code: one of [`command::code`], or the service's own.
    pub fn code(&self) -> &str {
        &self.code
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

/// Asks on `subject` for `identity` and waits at most `deadline`.
///
/// `T` is what the answer is read as: its message, `Value`, or `Box<RawValue>` for the bytes as they came.
///
/// # Errors
/// `not_available` at once where nobody answers or NATS is away (a command under way when NATS goes may have been
/// carried out), `deadline_exceeded`, `body_too_large`, `malformed_answer`, or the service's own error.
pub async fn request<T: DeserializeOwned>(
    nats: &Nats,
    subject: &str,
    body: &(impl Serialize + ?Sized),
    identity: &Identity,
    deadline: Duration,
) -> Result<T, CommandError> {
    let name = command::name_of(subject);
    let span = tracing::info_span!(
        target: TRACE_TARGET,
        "command",
        otel.name = format!("ask {name}"),
        otel.kind = "client",
        otel.status_code = Empty,
        messaging.system = "nats",
        bywash.command = name,
        bywash.outcome = Empty,
    );
    let trace = TraceParent::of(&span).or_else(observe::request_context);
    let headers = write_headers(identity, deadline, trace);
    let request = async_nats::Request::new()
        .headers(headers)
        .payload(json::to_vec(body).into())
        .timeout(None)
        // The client's shared inbox keeps an entry for each request that is never answered, for ever. This inbox ends
        // with the request.
        .inbox(nats.client().new_inbox());
    let result = match ask(nats, subject, request, deadline).instrument(span.clone()).await {
        Ok(reply) => read(&reply),
        Err(error) => Err(error),
    };
    finish(&span, &result);
    result
}

async fn ask(
    nats: &Nats,
    subject: &str,
    request: async_nats::Request,
    deadline: Duration,
) -> Result<Bytes, CommandError> {
    let connection = *nats.watch().borrow();
    if !connection.up {
        // The client would keep it and send it when nobody waits any more.
        return Err(CommandError::new(code::NOT_AVAILABLE, "NATS is away; try again"));
    }
    let answered = async {
        tokio::select! {
            reply = nats.client().send_request(subject.to_owned(), request) => {
                reply.map(|message| message.payload).map_err(|error| told(&error, subject))
            }
            () = nats.lost(connection.generation) => Err(CommandError::new(
                code::NOT_AVAILABLE,
                "NATS went away before the answer; the command may have been carried out",
            )),
        }
    };
    tokio::time::timeout(deadline, answered).await.unwrap_or_else(|_| {
        let message = format!("no answer to {subject} within {} ms", deadline.as_millis());
        Err(CommandError::new(code::DEADLINE_EXCEEDED, message))
    })
}

fn told(error: &RequestError, subject: &str) -> CommandError {
    match error.kind() {
        RequestErrorKind::NoResponders => {
            CommandError::new(code::NOT_AVAILABLE, format!("nobody answers {subject} now"))
        }
        RequestErrorKind::MaxPayloadExceeded => {
            CommandError::new(code::BODY_TOO_LARGE, "the body is larger than a message of NATS")
        }
        // The request itself has no limit of time here, and its subject is the contract's.
        RequestErrorKind::TimedOut | RequestErrorKind::InvalidSubject | RequestErrorKind::Other => {
            CommandError::new(code::NOT_AVAILABLE, format!("{subject} cannot be asked: {error}"))
        }
    }
}

/// The answer, or the service's error, that a reply has.
fn read<T: DeserializeOwned>(reply: &[u8]) -> Result<T, CommandError> {
    match serde_json::from_slice(reply) {
        Ok(Reply { ok: Some(answer), error: None }) => Ok(answer),
        Ok(Reply { ok: None, error: Some(error) }) => Err(CommandError {
            code: error.code.into(),
            message: error.message.into(),
            details: error.details,
        }),
        Ok(Reply { .. }) => {
            Err(CommandError::new(code::MALFORMED_ANSWER, "the answer has not one of ok and error"))
        }
        Err(error) => {
            Err(CommandError::new(code::MALFORMED_ANSWER, format!("the answer is not as agreed: {error}")))
        }
    }
}

fn finish<T>(span: &Span, result: &Result<T, CommandError>) {
    let outcome = result.as_ref().map_or_else(CommandError::code, |_| "ok");
    span.record("bywash.outcome", outcome);
    if result.is_err() {
        span.record("otel.status_code", "ERROR");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn a_service_s_error_passes_through_and_what_is_no_reply_says_so() {
        assert_eq!(read::<Value>(br#"{"ok":{"a":1}}"#), Ok(json!({"a": 1})));
        let bytes = read::<Box<RawValue>>(br#"{"ok":{"a": 1.50}}"#).unwrap();
        assert_eq!(bytes.get(), r#"{"a": 1.50}"#, "as they came");
        let error = read::<Value>(br#"{"error":{"code":"x","message":"y","details":{"z":1}}}"#).unwrap_err();
        assert_eq!((error.code(), error.message(), error.details()), ("x", "y", Some(&json!({"z": 1}))));
        for bad in ["", "[]", "{}", r#"{"ok":{},"error":{"code":"x","message":"y"}}"#, r#"{"error":{}}"#] {
            assert_eq!(read::<Value>(bad.as_bytes()).unwrap_err().code(), code::MALFORMED_ANSWER, "{bad}");
        }
    }
}
