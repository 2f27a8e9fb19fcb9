//! What clients publish: JSON values below `app.`, and nowhere else.

use async_nats::jetstream::context::PublishErrorKind;
use bytes::Bytes;
use chassis::{Identity, Nats, Role, TraceParent, time};
use proto_schemas::{TopicError, TopicPattern};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::metrics::{BadInput, BadInputs};

/// Largest value, bytes: what fits a client's frame with its head.
pub const VALUE_SIZE_MAX: usize = 64 * 1024;
/// Event type of what clients publish.
const EVENT_TYPE: &str = "message";

/// Where a value went.
#[derive(Debug, Serialize, ToSchema)]
pub struct Published {
    /// Subject.
    pub topic: String,
    /// Its sequence in the stream.
    pub seq: u64,
}

/// Why a value was not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The client may not write at all.
    #[error("this key or token lacks the role write")]
    Role,
    /// Not a subject of the catalogue.
    #[error(transparent)]
    Topic(TopicError),
    /// More than one subject.
    #[error("publish to one subject, without wildcards")]
    Wildcard,
    /// Somebody else's subject.
    #[error("this key or token may not publish there; clients publish below app, within their topics")]
    NotAllowed,
    /// Over the limit.
    #[error("a value has at most {VALUE_SIZE_MAX} bytes")]
    TooLarge,
    /// NATS did not take it.
    #[error("the value was not published: {0}")]
    Unavailable(String),
}

impl PublishError {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Role => "missing_role",
            Self::Topic(error) => error.code(),
            Self::Wildcard => "malformed_topic",
            Self::NotAllowed => "topic_not_allowed",
            Self::TooLarge => "value_too_large",
            Self::Unavailable(_) => "not_available",
        }
    }
}

/// Publishes `value` on `topic` for `identity` and waits until the stream has it. Counts what is wrong with either.
///
/// # Errors
/// [`PublishError`].
pub async fn publish(
    nats: &Nats,
    bad_input: &BadInputs,
    identity: &Identity,
    topic: &str,
    value: &RawValue,
    request: Option<TraceParent>,
) -> Result<Published, PublishError> {
    if !identity.may(Role::Write) {
        return Err(PublishError::Role);
    }
    let pattern: TopicPattern = topic.parse().map_err(|error| {
        bad_input.count(BadInput::Topic);
        PublishError::Topic(error)
    })?;
    if pattern.has_wildcard() {
        bad_input.count(BadInput::Topic);
        return Err(PublishError::Wildcard);
    }
    if !identity.may_publish(topic) {
        return Err(PublishError::NotAllowed);
    }
    if value.get().len() > VALUE_SIZE_MAX {
        bad_input.count(BadInput::TooLarge);
        return Err(PublishError::TooLarge);
    }
    if !nats.is_connected() {
        return Err(PublishError::Unavailable("NATS is away".to_owned()));
    }
    let id = format!("{:016x}", fastrand::u64(..));
    let mut headers = nats.headers(EVENT_TYPE, EVENT_TYPE, &id, &time::now(), request);
    // A repeat by the client library after a lost answer is the same message.
    headers.insert(async_nats::header::NATS_MESSAGE_ID, id.as_str());
    let sent = nats.jetstream().publish_with_headers(topic.to_owned(), headers, one_line(value)).await;
    let stored = match sent {
        Ok(stored) => stored.await,
        Err(error) => Err(error),
    };
    match stored {
        Ok(ack) => Ok(Published { topic: topic.to_owned(), seq: ack.sequence }),
        Err(error) if error.kind() == PublishErrorKind::StreamNotFound => {
            Err(PublishError::Unavailable("there is no stream for it".to_owned()))
        }
        Err(error) => Err(PublishError::Unavailable(error.to_string())),
    }
}

/// Line breaks in JSON stand only between values, where a space means the same.
fn one_line(value: &RawValue) -> Bytes {
    value.get().replace(['\r', '\n'], " ").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_over_several_lines_becomes_one_line_with_the_same_meaning() {
        let text = "{\r\n \"a\": \"x\\ny\",\n \"b\": 1\n}";
        let value: Box<RawValue> = serde_json::from_str(text).unwrap();
        let line = one_line(&value);
        assert!(!line.contains(&b'\n') && !line.contains(&b'\r'));
        let parse = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).unwrap();
        assert_eq!(parse(&line), parse(text.as_bytes()));
    }
}
