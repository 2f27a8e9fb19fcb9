//! A NATS message as an event: its headers read, its payload checked once.

use async_nats::{HeaderMap, HeaderValue};
use bytes::Bytes;
use chassis::time;
use proto_schemas::Stream;
use proto_schemas::event::header;
use serde::de::IgnoredAny;

use crate::event::Message;
use crate::position::TimeBits;

/// Header of a state key's end, set by the server (`MaxAge`, `Remove` or `Purge`).
const MARKER_REASON: &str = "Nats-Marker-Reason";

/// Why a message is no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMessage {
    /// Not UTF-8, or not exactly one JSON value.
    #[error("payload is not one JSON value")]
    Json,
    /// A raw line break would end a server-sent event early.
    #[error("payload has a raw line break")]
    LineBreak,
    /// It stands in a line of its own in a server-sent event, and in logs.
    #[error("event type has control characters")]
    EventType,
}

/// Where a message stood in its stream.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// The stream.
    pub stream: Stream,
    /// Its sequence.
    pub seq: u64,
    /// When the stream took it, Unix nanoseconds.
    pub unix_nanos: i128,
}

/// Reads a message; the payload is checked, then copied as it is.
pub fn read(
    place: Place,
    subject: &str,
    headers: Option<&HeaderMap>,
    payload: Bytes,
) -> Result<Message, InvalidMessage> {
    let get = |name: &str| headers.and_then(|headers| headers.get(name)).map(HeaderValue::as_str);
    let removed = get(MARKER_REASON).is_some();
    let payload = if removed { Bytes::from_static(b"null") } else { payload };
    check(&payload)?;
    let event_type = if removed { "removed" } else { get(header::TYPE).unwrap_or("message") };
    if event_type.chars().any(char::is_control) {
        return Err(InvalidMessage::EventType);
    }
    let time = get(header::TIME).filter(|text| time::parse(text).is_some()).map(Into::into);
    let time = time.unwrap_or_else(|| taken_at(place.unix_nanos).into());
    Ok(Message {
        stream: place.stream,
        seq: place.seq,
        topic: subject.into(),
        event_type: event_type.into(),
        time,
        time_bits: TimeBits::of_unix_ms(place.unix_nanos / 1_000_000),
        trace: get(header::TRACE_PARENT).and_then(|text| text.parse().ok()),
        payload,
        removed,
    })
}

fn taken_at(unix_nanos: i128) -> String {
    let since = std::time::Duration::from_nanos(u64::try_from(unix_nanos).unwrap_or_default());
    time::rfc3339(std::time::UNIX_EPOCH + since)
}

fn check(payload: &[u8]) -> Result<(), InvalidMessage> {
    if payload.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
        return Err(InvalidMessage::LineBreak);
    }
    // Parses from bytes and so checks UTF-8 in strings; outside of strings JSON is ASCII.
    serde_json::from_slice::<IgnoredAny>(payload).map_err(|_| InvalidMessage::Json)?;
    std::str::from_utf8(payload).map_err(|_| InvalidMessage::Json)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { stream: Stream::State, seq: 3, unix_nanos: 1_700_000_000_123_456_789 };

    #[test]
    fn only_one_json_value_without_line_breaks_passes() {
        for (payload, result) in [
            (&b"{\"a\":[1,null]}"[..], Ok(())),
            (b"null", Ok(())),
            (b"{}{}", Err(InvalidMessage::Json)),
            (b"", Err(InvalidMessage::Json)),
            (b"\"\xff\"", Err(InvalidMessage::Json)),
            (b"{\n}", Err(InvalidMessage::LineBreak)),
            (b"{\"a\":\"\\n\"}", Ok(())),
        ] {
            assert_eq!(check(payload), result, "{payload:?}");
        }
    }

    #[test]
    fn a_type_with_control_characters_is_refused() {
        let mut headers = HeaderMap::new();
        headers.insert(header::TYPE, "note\u{1b}[31m");
        let read = read(PLACE, "app.a", Some(&headers), Bytes::from_static(b"{}"));
        assert_eq!(read.unwrap_err(), InvalidMessage::EventType);
    }

    #[test]
    fn the_end_of_a_key_is_an_event_without_data() {
        let mut headers = HeaderMap::new();
        headers.insert(MARKER_REASON, "MaxAge");
        let message = read(PLACE, "state.kb", Some(&headers), Bytes::new()).unwrap();
        assert!(message.removed);
        assert_eq!((message.event_type.as_ref(), message.payload.as_ref()), ("removed", &b"null"[..]));
        assert_eq!(message.time.as_ref(), "2023-11-14T22:13:20.123456Z");
    }
}
