//! Packets of Socket.IO (protocol 5) inside messages of Engine.IO (protocol 4): read from text, and put into the words
//! of a transport. No sockets and no meaning here.

use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;
use serde_json::Value;

use crate::codec::frame::{self, Opcode};

/// Stands between the packets of a polling payload (the ASCII record separator), and here after each of them.
pub const SEPARATOR: u8 = 0x1e;
/// The namespace that has no name on the wire; the only one there is.
pub const DEFAULT_NAMESPACE: &str = "/";

/// What carries packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Each packet is a text frame.
    WebSocket,
    /// Each packet is followed by a [`SEPARATOR`]; `polling.rs` makes payloads of them.
    Polling,
}

impl Transport {
    /// Adds a packet.
    pub fn put(self, out: &mut BytesMut, packet: &str) {
        match self {
            Self::WebSocket => out.put_slice(&frame::encode(Opcode::Text, packet.as_bytes())),
            Self::Polling => {
                out.put_slice(packet.as_bytes());
                out.put_u8(SEPARATOR);
            }
        }
    }

    /// One packet.
    pub fn packet(self, packet: &str) -> Bytes {
        let mut out = BytesMut::with_capacity(packet.len() + 10);
        self.put(&mut out, packet);
        out.freeze()
    }
}

/// What a message of Engine.IO is (its first character).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnginePacket<'a> {
    /// The client leaves.
    Close,
    /// `probe` or nothing.
    Ping(&'a str),
    /// The answer to our ping.
    Pong,
    /// A packet of Socket.IO.
    Message(&'a str),
    /// The client moves to this transport.
    Upgrade,
    /// Nothing.
    Noop,
    /// Bytes in base64: one attachment of a binary packet.
    Binary,
}

impl<'a> EnginePacket<'a> {
    /// `None` for what is no packet that a client sends.
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut rest = text.chars();
        let packet_type = rest.next()?;
        let rest = rest.as_str();
        Some(match packet_type {
            '1' => Self::Close,
            '2' => Self::Ping(rest),
            '3' => Self::Pong,
            '4' => Self::Message(rest),
            '5' => Self::Upgrade,
            '6' => Self::Noop,
            'b' => Self::Binary,
            _ => return None,
        })
    }
}

/// Types of Socket.IO's packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Join a namespace.
    Connect = 0,
    /// Leave it.
    Disconnect = 1,
    /// `[name, values...]`.
    Event = 2,
    /// Values for an event that asked for them.
    Ack = 3,
    /// The namespace cannot be joined.
    ConnectError = 4,
    /// An event with attachments.
    BinaryEvent = 5,
    /// An ack with attachments.
    BinaryAck = 6,
}

/// A packet of Socket.IO: `<type>[<attachments>-][<namespace>,][<ack id>][<JSON>]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Packet<'a> {
    /// What it is.
    pub kind: Kind,
    /// Binary messages that follow it.
    pub attachments: u32,
    /// With its leading slash.
    pub namespace: &'a str,
    /// Number under which an answer is wanted, or given.
    pub ack: Option<u64>,
    /// `null` where there is none.
    pub data: Value,
}

/// The text is no packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// The first character is no type.
    #[error("the packet has no known type")]
    UnknownType,
    /// A number is missing or too large.
    #[error("a number in the packet's head does not parse")]
    Number,
    /// What follows the head is no JSON.
    #[error("the packet's data is no JSON")]
    Json,
    /// The data does not suit the type.
    #[error("the packet's data does not suit its type")]
    Data,
}

impl<'a> Packet<'a> {
    /// Reads one.
    ///
    /// # Errors
    /// Where the text is no packet that clients send.
    pub fn parse(text: &'a str) -> Result<Self, PacketError> {
        let mut rest = text.chars();
        let kind = match rest.next() {
            Some('0') => Kind::Connect,
            Some('1') => Kind::Disconnect,
            Some('2') => Kind::Event,
            Some('3') => Kind::Ack,
            Some('4') => Kind::ConnectError,
            Some('5') => Kind::BinaryEvent,
            Some('6') => Kind::BinaryAck,
            _ => return Err(PacketError::UnknownType),
        };
        let mut rest = rest.as_str();
        let mut attachments = 0;
        if matches!(kind, Kind::BinaryEvent | Kind::BinaryAck) {
            let (number, after) = rest.split_once('-').ok_or(PacketError::Number)?;
            attachments = number.parse().map_err(|_| PacketError::Number)?;
            rest = after;
        }
        let mut namespace = DEFAULT_NAMESPACE;
        if rest.starts_with('/') {
            (namespace, rest) = rest.split_once(',').unwrap_or((rest, ""));
        }
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = rest.split_at(digits);
        let ack =
            if number.is_empty() { None } else { Some(number.parse().map_err(|_| PacketError::Number)?) };
        let data = if rest.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(rest).map_err(|_| PacketError::Json)?
        };
        let packet = Self { kind, attachments, namespace, ack, data };
        if packet.is_sound() { Ok(packet) } else { Err(PacketError::Data) }
    }

    fn is_sound(&self) -> bool {
        let named = || self.data.get(0).is_some_and(Value::is_string);
        match self.kind {
            Kind::Connect => self.data.is_null() || self.data.is_object(),
            Kind::Disconnect => self.data.is_null(),
            Kind::Event | Kind::BinaryEvent => named(),
            Kind::Ack | Kind::BinaryAck => self.data.is_array() && self.ack.is_some(),
            Kind::ConnectError => self.data.is_object() || self.data.is_string(),
        }
    }
}

/// A message of Engine.IO with a packet of Socket.IO; `data` is written as the contract writes JSON.
pub fn message(kind: Kind, namespace: &str, ack: Option<u64>, data: Option<&impl Serialize>) -> String {
    let mut text = format!("4{}", kind as u8);
    if namespace != DEFAULT_NAMESPACE {
        text.push_str(namespace);
        text.push(',');
    }
    if let Some(ack) = ack {
        text.push_str(&ack.to_string());
    }
    if let Some(data) = data {
        text.push_str(&json(data));
    }
    text
}

/// An event with one value, which is JSON already.
pub fn event(name: &str, data: &str) -> String {
    let name = json(name);
    format!("42[{name},{data}]")
}

/// JSON as the contract writes it (`7`, not `7.0`).
pub fn json(value: &(impl Serialize + ?Sized)) -> String {
    String::from_utf8(proto_schemas::json::to_vec(value)).expect("JSON is UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn parsed(text: &str) -> Packet<'_> {
        Packet::parse(text).unwrap()
    }

    #[test]
    fn what_the_published_client_sends_is_read() {
        assert_eq!(EnginePacket::parse("40"), Some(EnginePacket::Message("0")));
        assert_eq!(EnginePacket::parse("2probe"), Some(EnginePacket::Ping("probe")));
        assert_eq!(EnginePacket::parse("5"), Some(EnginePacket::Upgrade));
        let connect = parsed("0{\"apiKey\":\"k\"}");
        assert_eq!((connect.kind, connect.namespace), (Kind::Connect, "/"));
        assert_eq!(connect.data, json!({"apiKey": "k"}));
        assert_eq!(parsed("0/admin,").namespace, "/admin");
        assert_eq!(parsed("0/admin").namespace, "/admin");
        let asked = parsed("2/admin,12[\"get_status\",{\"a\":1}]");
        assert_eq!((asked.ack, asked.data), (Some(12), json!(["get_status", {"a": 1}])));
        let binary = parsed("52-3[\"upload\",{\"_placeholder\":true,\"num\":0}]");
        assert_eq!((binary.kind, binary.attachments, binary.ack), (Kind::BinaryEvent, 2, Some(3)));
        assert_eq!(parsed("1").kind, Kind::Disconnect);
    }

    #[test]
    fn what_is_no_packet_says_why() {
        for (text, why) in [
            ("", PacketError::UnknownType),
            ("9", PacketError::UnknownType),
            ("é", PacketError::UnknownType),
            ("5[\"a\"]", PacketError::Number),
            ("5x-[\"a\"]", PacketError::Number),
            ("599999999999-[\"a\"]", PacketError::Number),
            ("299999999999999999999999[\"a\"]", PacketError::Number),
            ("2[\"a\"", PacketError::Json),
            ("2", PacketError::Data),
            ("2[]", PacketError::Data),
            ("2[1]", PacketError::Data),
            ("2{\"0\":\"a\"}", PacketError::Data),
            ("3[1]", PacketError::Data),
            ("0[]", PacketError::Data),
            ("1{}", PacketError::Data),
        ] {
            assert_eq!(Packet::parse(text), Err(why), "{text:?}");
        }
        for text in ["", "0", "7", "x", "é"] {
            assert_eq!(EnginePacket::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn packets_are_frames_or_end_in_the_separator() {
        assert_eq!(&Transport::Polling.packet("2")[..], b"2\x1e");
        assert_eq!(&Transport::WebSocket.packet("2")[..], [0x81, 1, b'2']);
        assert_eq!(event("fact_added", "{\"a\":1}"), "42[\"fact_added\",{\"a\":1}]");
        assert_eq!(message(Kind::Ack, "/", Some(3), Some(&json!([7.0]))), "433[7]");
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_again(
            namespace in "/[a-z]{0,8}",
            ack in proptest::option::of(any::<u64>()),
            name in ".{0,20}",
            value in ".{0,40}",
        ) {
            let data = json!([name, {"value": value}]);
            let text = message(Kind::Event, &namespace, ack, Some(&data));
            prop_assert!(!text.as_bytes().contains(&SEPARATOR), "it would end a packet of a payload");
            let expected = Packet { kind: Kind::Event, attachments: 0, namespace: &namespace, ack, data };
            prop_assert_eq!(Packet::parse(&text[1..]), Ok(expected));
        }

        #[test]
        fn no_text_breaks_the_reader(text in ".{0,60}") {
            let _ = (EnginePacket::parse(&text), Packet::parse(&text));
        }
    }
}
