//! What a client says and hears, in each protocol: requests made, messages read, its place kept. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::sse::{Parser, SseEvent};
use crate::swarm::decode::{Decoder, Heard, head};
use crate::swarm::protocol::{HANDSHAKE_KEY, frame};

/// Opcodes of frames that clients send (RFC 6455, section 5.2).
const TEXT: u8 = 1;
const PONG: u8 = 10;

/// How a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `/api/events/stream`
    Sse,
    /// `/ws`
    Ws,
    /// `/connection/websocket`, JSON
    Centrifugo,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sse, Self::Ws, Self::Centrifugo];
}

/// One thing that a client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Topics are followed from here on; Centrifugo's clients are told so of each channel.
    Ready {
        /// As subscribed.
        topics: Vec<String>,
        /// Whether it continues where the client left off.
        resumed: bool,
        /// The channel's offset, where the protocol tells one.
        offset: Option<u64>,
    },
    /// An event.
    Event {
        /// Its subject.
        topic: String,
        /// Its sequence.
        seq: u64,
        /// The publisher's number: `n` of the payload, or a fact's revision.
        number: u64,
    },
    /// Events are lost to this client.
    Gap {
        /// The topic as subscribed.
        topic: String,
        /// First sequence lost, where known.
        from: Option<u64>,
        /// Last sequence lost, where known.
        to: Option<u64>,
        /// Why; `unrecovered` where the protocol has no word for it.
        reason: String,
    },
    /// Whether the gateway hears from NATS.
    Upstream(bool),
    /// The gateway asks the client to go elsewhere, after this time where it is told.
    Closing {
        /// Milliseconds.
        retry_ms: Option<u64>,
    },
    /// The close code of a WebSocket.
    Closed(u16),
}

/// How far a connection is.
#[derive(Debug)]
enum State {
    /// The head of the answer so far.
    Asked(Vec<u8>),
    Events(Parser),
    Messages(Decoder),
}

/// See the module.
#[derive(Debug)]
pub struct Conversation {
    kind: Kind,
    topics: Vec<String>,
    /// Resume token, or what the client was given as `since`.
    token: Option<String>,
    /// Centrifugo's: channel -> (epoch, offset).
    places: BTreeMap<String, (String, u64)>,
    state: State,
    /// Number of the newest command (Centrifugo), and the channels that were asked for.
    commands: u64,
    asked: BTreeMap<u64, String>,
    /// Channels that are subscribed to now; what comes of others after their end is none of ours (Centrifugo).
    followed: BTreeSet<String>,
}

impl Conversation {
    /// Follows `topics` from `since`, or from now. Centrifugo's clients begin now.
    pub fn new(kind: Kind, topics: Vec<String>, since: Option<String>) -> Self {
        Self {
            kind,
            topics,
            token: since,
            places: BTreeMap::new(),
            state: State::Asked(Vec::new()),
            commands: 0,
            asked: BTreeMap::new(),
            followed: BTreeSet::new(),
        }
    }

    /// The protocol.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What is followed.
    pub fn topics(&self) -> &[String] {
        &self.topics
    }

    /// A new connection: its request.
    pub fn begin(&mut self, host: SocketAddr) -> Vec<u8> {
        self.state = State::Asked(Vec::new());
        self.asked.clear();
        self.followed.clear();
        let path = match self.kind {
            // `>` has no place in an address.
            Kind::Sse => format!("/api/events/stream?topics={}", self.topics.join(",").replace('>', "%3E")),
            Kind::Ws => "/ws".to_owned(),
            Kind::Centrifugo => "/connection/websocket".to_owned(),
        };
        let mut request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n");
        if self.kind == Kind::Sse {
            if let Some(token) = &self.token {
                request.push_str(&format!("last-event-id: {token}\r\n"));
            }
        } else {
            request.push_str("connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n");
            request.push_str(&format!("sec-websocket-key: {HANDSHAKE_KEY}\r\n"));
        }
        request.push_str("\r\n");
        request.into_bytes()
    }

    /// Takes what was read; adds what it tells, and what is to be answered. False when the gateway refused or closes.
    ///
    /// # Panics
    /// When the bytes are not of the protocol.
    pub fn hear(&mut self, bytes: &[u8], told: &mut Vec<Told>, answers: &mut Vec<u8>) -> bool {
        match &mut self.state {
            State::Asked(waiting) => {
                waiting.extend_from_slice(bytes);
                let Some(head) = head(waiting).unwrap_or_else(|error| panic!("{error}")) else { return true };
                let expected = if self.kind == Kind::Sse { 200 } else { 101 };
                if head.status != expected {
                    return false;
                }
                let rest = waiting.split_off(head.size);
                self.state = match self.kind {
                    Kind::Sse => State::Events(Parser::default()),
                    Kind::Ws | Kind::Centrifugo => State::Messages(Decoder::websocket()),
                };
                answers.extend(self.subscription());
                rest.is_empty() || self.hear(&rest, told, answers)
            }
            State::Events(parser) => {
                let events = parser.feed(bytes);
                let retry_ms = parser.retry_ms;
                for event in events {
                    self.event(event, retry_ms, told);
                }
                true
            }
            State::Messages(_) => self.messages(bytes, told, answers),
        }
    }

    /// What is said once the connection is open.
    fn subscription(&mut self) -> Vec<u8> {
        match self.kind {
            Kind::Sse => Vec::new(),
            Kind::Ws => {
                let payload = json!({"topics": self.topics, "since": self.token});
                frame(TEXT, json!({"type": "subscribe", "payload": payload}).to_string().as_bytes())
            }
            Kind::Centrifugo => {
                self.commands += 1;
                let mut lines = vec![json!({"id": self.commands, "connect": {}}).to_string()];
                for channel in self.topics.clone() {
                    lines.push(self.subscribe(&channel));
                }
                frame(TEXT, lines.join("\n").as_bytes())
            }
        }
    }

    /// Centrifugo's command to follow a channel from its place.
    fn subscribe(&mut self, channel: &str) -> String {
        self.commands += 1;
        self.asked.insert(self.commands, channel.to_owned());
        let mut subscribe = json!({"channel": channel});
        if let Some((epoch, offset)) = self.places.get(channel) {
            subscribe["recover"] = json!(true);
            subscribe["epoch"] = json!(epoch);
            subscribe["offset"] = json!(offset);
        }
        json!({"id": self.commands, "subscribe": subscribe}).to_string()
    }

    fn event(&mut self, event: SseEvent, retry_ms: Option<u64>, told: &mut Vec<Told>) {
        let SseEvent { name, id, data } = event;
        told.extend(match name.as_deref() {
            Some("closing") => Some(Told::Closing { retry_ms }),
            name => notice(name, &data, &data),
        });
        if id.is_some() {
            self.token = id;
        }
    }

    fn messages(&mut self, bytes: &[u8], told: &mut Vec<Told>, answers: &mut Vec<u8>) -> bool {
        let State::Messages(decoder) = &mut self.state else { return false };
        let (mut texts, mut close) = (Vec::new(), None);
        decoder
            .read(bytes, |heard| {
                match heard {
                    Heard::Message(text) => texts.push(text.to_vec()),
                    Heard::Ping(payload) => answers.extend(frame(PONG, payload)),
                    Heard::Pong => {}
                    Heard::Close(code) => close = Some(code),
                }
                Ok(())
            })
            .unwrap_or_else(|error| panic!("not a WebSocket: {error}"));
        for text in texts {
            for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                let json: Value = serde_json::from_slice(line)
                    .unwrap_or_else(|error| panic!("{} is no JSON: {error}", String::from_utf8_lossy(line)));
                match self.kind {
                    Kind::Centrifugo => self.reply(&json, told, answers),
                    Kind::Sse | Kind::Ws => self.envelope(&json, told),
                }
            }
        }
        told.extend(close.map(Told::Closed));
        close.is_none()
    }

    fn envelope(&mut self, json: &Value, told: &mut Vec<Told>) {
        let is_event = json.get("topic").is_some();
        let name = json["type"].as_str().filter(|_| !is_event);
        assert!(!name.is_some_and(|name| name.contains("error")), "the gateway says {json}");
        told.extend(notice(name, json, &json["payload"]));
        if let Some(token) = json["token"].as_str() {
            self.token = Some(token.to_owned());
        }
    }

    fn reply(&mut self, json: &Value, told: &mut Vec<Told>, answers: &mut Vec<u8>) {
        if json.as_object().is_some_and(serde_json::Map::is_empty) {
            return answers.extend(frame(TEXT, b"{}"));
        }
        assert!(json.get("error").is_none(), "the gateway says {json}");
        if let Some(subscribed) = json.get("subscribe") {
            let channel = json["id"].as_u64().and_then(|id| self.asked.remove(&id));
            let channel = channel.unwrap_or_else(|| panic!("an answer to no command: {json}"));
            let place = (
                subscribed["epoch"].as_str().unwrap_or_default().to_owned(),
                subscribed["offset"].as_u64().unwrap_or(0),
            );
            let (wanted, resumed) = (subscribed["was_recovering"] == true, subscribed["recovered"] == true);
            if wanted && !resumed {
                let reason = "unrecovered".to_owned();
                told.push(Told::Gap { topic: channel.clone(), from: None, to: None, reason });
            }
            told.push(Told::Ready { topics: vec![channel.clone()], resumed, offset: Some(place.1) });
            self.followed.insert(channel.clone());
            self.places.insert(channel, place);
            return;
        }
        let push = &json["push"];
        let Some(channel) = push["channel"].as_str() else { return };
        if let Some(publication) = push.get("pub").filter(|_| self.followed.contains(channel)) {
            let topic = publication["tags"]["topic"].as_str().unwrap_or(channel).to_owned();
            let seq = publication["offset"].as_u64().unwrap_or(0);
            told.push(Told::Event { topic, seq, number: number(&publication["data"]) });
            if let Some((_, offset)) = self.places.get_mut(channel) {
                *offset = seq;
            }
        }
        // The end of a subscription that the client did not ask for: it may subscribe anew.
        if push.get("unsubscribe").is_some() && self.followed.remove(channel) {
            answers.extend(frame(TEXT, self.subscribe(channel).as_bytes()));
        }
    }
}

/// What an event (`name` is none, `json` its object) or a notice (`payload` its fields) tells.
fn notice(name: Option<&str>, json: &Value, payload: &Value) -> Option<Told> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Some(match name {
        None => {
            let data = json.get("data").unwrap_or(payload);
            Told::Event {
                topic: text(&json["topic"]),
                seq: json["seq"].as_u64().unwrap_or(0),
                number: number(data),
            }
        }
        Some("ready" | "subscribed") => Told::Ready {
            topics: payload["topics"].as_array().into_iter().flatten().map(text).collect(),
            resumed: payload["resumed"] == true,
            offset: None,
        },
        Some("gap") => Told::Gap {
            topic: text(&payload["topic"]),
            from: payload["from"].as_u64(),
            to: payload["to"].as_u64(),
            reason: text(&payload["reason"]),
        },
        Some("upstream") => Told::Upstream(payload["connected"] == true),
        Some("closing") => Told::Closing { retry_ms: payload["retry_ms"].as_u64() },
        // Checkpoints and welcomes.
        Some(_) => return None,
    })
}

/// The publisher's number in a payload.
fn number(data: &Value) -> u64 {
    data["n"].as_u64().or_else(|| data["revision"].as_u64()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "HTTP/1.1 101 Switching Protocols\r\n\r\n";

    fn unmasked(text: &str) -> Vec<u8> {
        let length = u16::try_from(text.len()).unwrap();
        let [high, low] = length.to_be_bytes();
        let head = if length < 126 { vec![0x81, low] } else { vec![0x81, 126, high, low] };
        [head, text.as_bytes().to_vec()].concat()
    }

    fn heard(kind: Kind, bytes: &[u8], piece: usize) -> (Conversation, Vec<Told>) {
        let mut conversation = Conversation::new(kind, vec!["app.a".to_owned()], None);
        conversation.begin(SocketAddr::from(([127, 0, 0, 1], 1)));
        let mut told = Vec::new();
        for piece in bytes.chunks(piece) {
            assert!(conversation.hear(piece, &mut told, &mut Vec::new()));
        }
        (conversation, told)
    }

    fn expected(offset: Option<u64>) -> [Told; 3] {
        let gap =
            Told::Gap { topic: "app.a".into(), from: Some(3), to: Some(5), reason: "trimmed".to_owned() };
        let event = Told::Event { topic: "app.a".into(), seq: 7, number: 9 };
        [Told::Ready { topics: vec!["app.a".to_owned()], resumed: false, offset }, event, gap]
    }

    #[test]
    fn an_event_stream_is_understood_and_its_token_kept_however_it_is_cut() {
        let text = "HTTP/1.1 200 OK\r\n\r\nretry: 1\n\nevent: ready\nid: a\ndata: {\"topics\":[\"app.a\"],\"resumed\":false}\n\nid: b\n\
                    data: {\"topic\":\"app.a\",\"seq\":7,\"data\":{\"n\":9}}\n\nevent: gap\n\
                    data: {\"topic\":\"app.a\",\"from\":3,\"to\":5,\"reason\":\"trimmed\"}\n\n";
        for piece in 1..text.len() {
            let (mut conversation, told) = heard(Kind::Sse, text.as_bytes(), piece);
            assert_eq!(told, expected(None), "pieces of {piece}");
            let again = conversation.begin(SocketAddr::from(([127, 0, 0, 1], 1)));
            assert!(String::from_utf8(again).unwrap().contains("last-event-id: b\r\n"));
        }
    }

    #[test]
    fn envelopes_are_understood_and_their_token_kept() {
        let bytes = [
            HEAD.as_bytes().to_vec(),
            unmasked(r#"{"type":"subscribed","payload":{"topics":["app.a"],"resumed":false},"token":"a"}"#),
            unmasked(r#"{"type":"message","topic":"app.a","seq":7,"token":"b","payload":{"n":9}}"#),
            unmasked(r#"{"type":"gap","payload":{"topic":"app.a","from":3,"to":5,"reason":"trimmed"}}"#),
        ]
        .concat();
        let (conversation, told) = heard(Kind::Ws, &bytes, bytes.len());
        assert_eq!(told, expected(None));
        assert_eq!(conversation.token.as_deref(), Some("b"));
    }

    #[test]
    fn a_pod_that_stops_says_so_in_the_words_of_each_protocol() {
        let stream = "HTTP/1.1 200 OK\r\n\r\nretry: 1\n\nevent: closing\nretry: 700\ndata: {}\n\n";
        let (_, told) = heard(Kind::Sse, stream.as_bytes(), 5);
        assert_eq!(told, [Told::Closing { retry_ms: Some(700) }]);
        let close = |code: u16| [vec![0x88, 2], code.to_be_bytes().to_vec()].concat();
        let closing = unmasked(r#"{"type":"closing","payload":{"retry_ms":700}}"#);
        for (kind, bytes, expected) in [
            (
                Kind::Ws,
                [closing, close(1001)].concat(),
                vec![Told::Closing { retry_ms: Some(700) }, Told::Closed(1001)],
            ),
            (Kind::Centrifugo, close(3001), vec![Told::Closed(3001)]),
        ] {
            let (mut conversation, _) = heard(kind, HEAD.as_bytes(), HEAD.len());
            let mut told = Vec::new();
            assert!(!conversation.hear(&bytes, &mut told, &mut Vec::new()), "the connection is over");
            assert_eq!(told, expected);
        }
    }

    #[test]
    fn centrifugos_replies_are_understood_and_a_position_that_is_gone_is_a_gap() {
        let first = [
            HEAD.as_bytes().to_vec(),
            unmasked("{\"id\":1,\"connect\":{}}\n{\"id\":2,\"subscribe\":{\"epoch\":\"e\",\"offset\":4}}"),
            unmasked(
                r#"{"push":{"channel":"app.a","pub":{"data":{"n":9},"offset":7,"tags":{"topic":"app.a"}}}}"#,
            ),
        ]
        .concat();
        let (mut conversation, told) = heard(Kind::Centrifugo, &first, first.len());
        assert_eq!(told, expected(Some(4))[..2]);
        assert_eq!(conversation.places["app.a"], ("e".to_owned(), 7));
        let (mut told, mut answers) = (Vec::new(), Vec::new());
        let ended = unmasked(
            "{\"push\":{\"channel\":\"app.a\",\"unsubscribe\":{\"code\":2500}}}\n\
             {\"push\":{\"channel\":\"app.a\",\"pub\":{\"data\":{\"n\":12},\"offset\":9}}}",
        );
        assert!(conversation.hear(&ended, &mut told, &mut answers));
        assert!(!answers.is_empty(), "it subscribes anew");
        assert!(told.is_empty(), "what comes of a subscription that has ended is not heard");
        let lost = r#"{"id":3,"subscribe":{"epoch":"f","offset":8,"was_recovering":true}}"#;
        assert!(conversation.hear(&unmasked(lost), &mut told, &mut answers));
        assert!(matches!(&told[0], Told::Gap { reason, .. } if reason == "unrecovered"), "{told:?}");
        assert_eq!(conversation.places["app.a"], ("f".to_owned(), 8));
    }
}
