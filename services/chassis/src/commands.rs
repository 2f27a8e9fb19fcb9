//! Commands over NATS request and reply: what a request and a reply look like. `respond.rs` answers them,
//! `request.rs` asks. Subjects, headers and codes are the contract's (`proto_schemas::command`).
//!
//! Who may publish on `cmd.>` is a matter of NATS's permissions, and the headers that say who asks are believed: only
//! the gateway, which has authenticated its clients, and operators have credentials for it. Roles are still required in
//! each handler, so that a client without a role is refused by the service and not by the gateway's good will.

mod request;
mod respond;

use async_nats::HeaderMap;
use bytes::Bytes;
use proto_schemas::command::{code, header};
use proto_schemas::{json, names};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::error::Category;
use tokio::time::{Duration, Instant};

pub use request::{CommandError, request};
pub use respond::{CommandMetrics, Handler, Limits, Served, serve};

use crate::{ApiError, Identity, Role, TraceParent};

/// A command as its handler gets it.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The subject it came on.
    pub subject: String,
    /// The body, as it was sent.
    pub body: Bytes,
    /// Who asks, and the roles it has.
    pub by: Identity,
    /// Nobody waits after this.
    pub deadline: Instant,
    /// The trace context to hand on: the command's own span, or the asker's where tracing is off here.
    pub trace: Option<TraceParent>,
}

impl Asked {
    /// The body as the request's message. 400 `malformed_json`, 422 `invalid_body`.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        serde_json::from_slice(&self.body).map_err(|error| match error.classify() {
            Category::Data => ApiError::unprocessable(code::INVALID_BODY, error.to_string()),
            Category::Io | Category::Syntax | Category::Eof => {
                ApiError::bad_request(code::MALFORMED_JSON, error.to_string())
            }
        })
    }
}

/// The error of a subject that has no command.
pub fn unknown_command(subject: &str) -> ApiError {
    ApiError::not_found(code::UNKNOWN_COMMAND, "this service has no such command")
        .with_details(serde_json::json!({"subject": subject}))
}

/// The error of a command whose feature is not there. The message says what is missing.
pub fn not_available(message: &'static str) -> ApiError {
    ApiError::unprocessable(code::NOT_AVAILABLE, message)
}

/// An answer, as the bytes of `{"ok": ...}`.
#[derive(Debug, Clone)]
pub struct Answer(Bytes);

impl Answer {
    /// `value` as an answer.
    pub fn of<T: Serialize>(value: &T) -> Self {
        #[derive(Serialize)]
        struct Reply<'a, T> {
            ok: &'a T,
        }
        Self(json::to_vec(&Reply { ok: value }).into())
    }
}

/// The inner part of `{"error": ...}`.
#[derive(Debug, Serialize, Deserialize)]
struct ErrorBody {
    code: String,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Value>,
}

/// A reply as it is read.
#[derive(Debug, Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct Reply<T> {
    ok: Option<T>,
    error: Option<ErrorBody>,
}

/// The bytes of a reply.
fn encode(result: Result<&Answer, &ApiError>) -> Bytes {
    #[derive(Serialize)]
    struct Refused {
        error: ErrorBody,
    }
    match result {
        Ok(Answer(bytes)) => bytes.clone(),
        Err(error) => {
            let error = ErrorBody {
                code: error.code().to_owned(),
                message: error.message().to_owned(),
                details: error.details().cloned(),
            };
            json::to_vec(&Refused { error }).into()
        }
    }
}

/// What the headers of a request say.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    by: Identity,
    /// How long the asker waits; `None` where it does not say.
    time_left: Option<Duration>,
    trace: Option<TraceParent>,
}

/// The headers that tell.
fn write_headers(by: &Identity, time_left: Duration, trace: Option<TraceParent>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    // Encoded, so that no name can end the header.
    headers.insert(header::USER, names::encode(&by.id));
    let roles = [Role::Read, Role::Write, Role::Control].into_iter().filter(|role| by.may(*role));
    headers.insert(header::ROLES, roles.map(Role::name).collect::<Vec<_>>().join(","));
    headers.insert(header::DEADLINE_MS, time_left.as_millis().to_string());
    if let Some(trace) = trace {
        headers.insert(proto_schemas::event::header::TRACE_PARENT, trace.to_string());
    }
    headers
}

/// Reads what [`write_headers`] wrote. 400 `invalid_header`; a malformed `traceparent` is left out, as HTTP does.
fn read_headers(headers: &HeaderMap) -> Result<Told, ApiError> {
    let text = |name: &'static str| headers.get(name).map(async_nats::HeaderValue::as_str);
    let invalid = |name: &'static str| {
        ApiError::bad_request(code::INVALID_HEADER, format!("header {name} is missing or malformed"))
            .with_details(serde_json::json!({"header": name}))
    };
    let user = text(header::USER).and_then(|user| names::decode(user).ok()).filter(|user| !user.is_empty());
    let user = user.ok_or_else(|| invalid(header::USER))?;
    let roles = text(header::ROLES).unwrap_or("").split(',').filter(|role| !role.is_empty());
    let roles: Option<Vec<Role>> = roles.map(Role::by_name).collect();
    let roles = roles.ok_or_else(|| invalid(header::ROLES))?;
    let time_left = text(header::DEADLINE_MS)
        .map(|text| text.parse().map(Duration::from_millis).map_err(|_| invalid(header::DEADLINE_MS)))
        .transpose()?;
    let trace = text(proto_schemas::event::header::TRACE_PARENT).and_then(|text| text.parse().ok());
    Ok(Told { by: Identity::new(user, roles), time_left, trace })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_and_how_long_it_waits_arrives_as_it_was_sent() {
        let by = Identity::new("ada@example.org\r\nBywash-Roles: control".to_owned(), [Role::Read]);
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().ok();
        let headers = write_headers(&by, Duration::from_millis(1_500), trace);
        let told = read_headers(&headers).unwrap();
        assert_eq!(told, Told { by, time_left: Some(Duration::from_millis(1_500)), trace });
        assert!(told.by.require(Role::Control).is_err());
    }

    #[test]
    fn headers_that_do_not_say_who_asks_are_refused() {
        type Edit = fn(&mut HeaderMap);
        let refused = |edit: Edit| {
            let by = Identity::new("ada".to_owned(), [Role::Read]);
            let mut headers = write_headers(&by, Duration::from_secs(1), None);
            edit(&mut headers);
            read_headers(&headers).err().map(|error| (error.code(), error.details().cloned()))
        };
        assert_eq!(refused(|_| {}), None);
        let table: [(&str, Edit); 4] = [
            (header::USER, |headers| headers.insert(header::USER, "a b")),
            (header::USER, |headers| headers.insert(header::USER, "=")),
            (header::ROLES, |headers| headers.insert(header::ROLES, "read,root")),
            (header::DEADLINE_MS, |headers| headers.insert(header::DEADLINE_MS, "-1")),
        ];
        for (name, edit) in table {
            let details = serde_json::json!({"header": name});
            assert_eq!(refused(edit), Some((code::INVALID_HEADER, Some(details))), "{name}");
        }
        assert_eq!(read_headers(&HeaderMap::new()).unwrap_err().code(), code::INVALID_HEADER);
    }

    #[test]
    fn a_reply_has_either_an_answer_or_an_error() {
        let answer = encode(Ok(&Answer::of(&serde_json::json!({"total": 7.0}))));
        assert_eq!(answer, r#"{"ok":{"total":7}}"#);
        let error = ApiError::unprocessable("empty_query", "no word");
        assert_eq!(encode(Err(&error)), r#"{"error":{"code":"empty_query","message":"no word"}}"#);
        let error = error.with_details(serde_json::json!({"max": 1}));
        let text = r#"{"error":{"code":"empty_query","message":"no word","details":{"max":1}}}"#;
        assert_eq!(encode(Err(&error)), text);
    }
}
