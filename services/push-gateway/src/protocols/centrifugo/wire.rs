//! The two forms of the protocol: JSON lines in text frames and length-delimited Protobuf in binary frames.

use bytes::Bytes;

use super::messages::{Command, Publication, Push, Reply};
use super::{json, protobuf};
use crate::codec::Form;
use crate::codec::frame::{self, Message, Opcode};
use crate::event::Event;

/// Event type of the publication that closes a snapshot of state.
const SNAPSHOT_END: &str = "snapshot_end";

const JSON_FORM: Form = Form { name: "centrifugo json", carries_token: false, names_pattern: true };
const PROTOBUF_FORM: Form = Form { name: "centrifugo protobuf", ..JSON_FORM };

/// A message that holds no commands of this protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not commands of the protocol")]
pub struct BadCommands;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// Commands and replies are lines.
    Json,
    /// Each has its length in front.
    Protobuf,
}

impl Wire {
    /// Under which the hub keeps its events.
    pub fn form(self) -> &'static Form {
        match self {
            Self::Json => &JSON_FORM,
            Self::Protobuf => &PROTOBUF_FORM,
        }
    }

    /// All commands of a message of the client's.
    ///
    /// # Errors
    /// [`BadCommands`]: it is of the other form, holds none, or one that cannot be read.
    pub fn commands(self, message: &Message) -> Result<Vec<Command>, BadCommands> {
        let commands = match (self, message) {
            (Self::Json, Message::Text(text)) => json::commands(text)?,
            // The Protobuf clients may have been told apart from their frames only; the form was agreed before.
            (Self::Protobuf, Message::Binary(bytes)) => protobuf::commands(bytes)?,
            _ => return Err(BadCommands),
        };
        if commands.is_empty() { Err(BadCommands) } else { Ok(commands) }
    }

    /// A frame with one reply.
    pub fn frame(self, reply: &Reply) -> Bytes {
        match self {
            Self::Json => frame::encode(Opcode::Text, &json::reply(reply)),
            Self::Protobuf => frame::encode(Opcode::Binary, &protobuf::reply(reply)),
        }
    }

    /// A frame with a push.
    pub fn push(self, push: Push) -> Bytes {
        self.frame(&Reply { push: Some(push), ..Reply::default() })
    }

    /// A frame with an event for those who follow `channel`.
    pub fn event(self, channel: &str, event: &Event) -> Bytes {
        match self {
            Self::Json => frame::encode(Opcode::Text, &json::event(channel, event)),
            Self::Protobuf => {
                let publication = Publication {
                    data: event.payload.clone(),
                    offset: event.seq,
                    tags: tags(
                        &event.topic,
                        &event.event_type,
                        &event.time,
                        event.trace.map(chassis::TraceParent::trace_id),
                    ),
                };
                self.push(Push {
                    channel: channel.to_owned(),
                    publication: Some(publication),
                    ..Push::default()
                })
            }
        }
    }

    /// The end of a snapshot as a publication without an offset, which moves nobody's position.
    pub fn snapshot_end(self, channel: &str, keys: &[&str]) -> Bytes {
        let data = serde_json::json!({"topic": channel, "keys": keys}).to_string();
        let tags = [("topic", channel), ("type", SNAPSHOT_END)];
        let publication = Publication {
            data: data.into(),
            offset: 0,
            tags: tags.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        };
        self.push(Push { channel: channel.to_owned(), publication: Some(publication), ..Push::default() })
    }
}

/// What a publication says beside its data.
pub fn tags(
    topic: &str,
    event_type: &str,
    time: &str,
    trace: Option<String>,
) -> std::collections::BTreeMap<String, String> {
    let known = [("topic", topic), ("type", event_type), ("time", time)];
    let mut tags: std::collections::BTreeMap<_, _> =
        known.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    if let Some(trace) = trace {
        tags.insert("trace".to_owned(), trace);
    }
    tags
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::event;
    use crate::position::{Positions, TimeBits};
    use prost::Message as _;
    use proto_schemas::Stream;

    /// An event of the stream of what clients publish.
    pub fn app_event(event_type: &str, payload: &'static str) -> Event {
        let message = event::Message {
            stream: Stream::App,
            seq: 300,
            topic: "app.room".into(),
            event_type: event_type.into(),
            time: "2026-01-01T00:00:00Z".into(),
            time_bits: TimeBits::UNKNOWN,
            trace: None,
            payload: Bytes::from_static(payload.as_bytes()),
            removed: event_type == "removed",
        };
        Event::new(message, 1, Positions::default())
    }

    /// What is in an unmasked frame of less than 64 KiB.
    pub fn payload_of(frame: &[u8]) -> &[u8] {
        if frame[1] == 126 { &frame[4..] } else { &frame[2..] }
    }

    #[test]
    fn an_event_has_the_payload_as_it_is_and_names_the_followed_channel_in_both_forms() {
        let event = app_event("message", "{\"n\":1.0,\"a\":[]}");
        let frame = Wire::Json.event("app.>", &event);
        assert_eq!(frame[0], 0x81, "text");
        assert_eq!(
            std::str::from_utf8(payload_of(&frame)).unwrap(),
            "{\"push\":{\"channel\":\"app.>\",\"pub\":{\"data\":{\"n\":1.0,\"a\":[]},\"offset\":300,\"tags\":{\
             \"topic\":\"app.room\",\"type\":\"message\",\"time\":\"2026-01-01T00:00:00Z\"}}}}"
        );

        let frame = Wire::Protobuf.event("app.>", &event);
        assert_eq!(frame[0], 0x82, "binary");
        let push = Reply::decode_length_delimited(payload_of(&frame)).unwrap().push.unwrap();
        let publication = push.publication.unwrap();
        assert_eq!((push.channel.as_str(), publication.offset), ("app.>", 300));
        assert_eq!(publication.data, event.payload);
        assert_eq!(publication.tags["topic"], "app.room");
        assert!(!publication.tags.contains_key("trace"));
    }

    #[test]
    fn the_end_of_a_state_key_is_a_publication_that_says_so() {
        let frame = Wire::Json.event("app.room", &app_event("removed", "null"));
        let text = std::str::from_utf8(payload_of(&frame)).unwrap();
        assert!(text.contains("\"data\":null") && text.contains("\"type\":\"removed\""), "{text}");
    }

    #[test]
    fn the_end_of_a_snapshot_moves_no_position() {
        let frame = Wire::Json.snapshot_end("state.>", &["state.kb"]);
        assert_eq!(
            std::str::from_utf8(payload_of(&frame)).unwrap(),
            "{\"push\":{\"channel\":\"state.>\",\"pub\":{\"data\":{\"keys\":[\"state.kb\"],\"topic\":\"state.>\"},\
             \"tags\":{\"topic\":\"state.>\",\"type\":\"snapshot_end\"}}}}"
        );
    }

    #[test]
    fn a_ping_is_an_empty_reply_in_both_forms() {
        assert_eq!(Wire::Json.frame(&Reply::default()).as_ref(), b"\x81\x02{}");
        assert_eq!(Wire::Protobuf.frame(&Reply::default()).as_ref(), b"\x82\x01\x00");
    }

    #[test]
    fn a_frame_of_the_other_form_or_without_commands_is_refused() {
        for message in [Message::Binary(b"{}".to_vec()), Message::Text(String::new())] {
            assert_eq!(Wire::Json.commands(&message), Err(BadCommands), "{message:?}");
        }
        for message in [Message::Text("{}".to_owned()), Message::Binary(Vec::new())] {
            assert_eq!(Wire::Protobuf.commands(&message), Err(BadCommands), "{message:?}");
        }
    }
}
