//! What the load program says in each protocol: the request that opens, the subscription, a ping. Pure; what it hears is
//! `decode.rs`'s business. A new protocol is a variant of [`Protocol`] and its arms here.

use std::net::SocketAddr;
use std::ops::Range;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::token::Credential;

/// The key of every opening handshake: 16 bytes in base64. Servers cannot tell it from a random one.
pub(crate) const HANDSHAKE_KEY: &str = "YnlXYXNoU3dhcm0wMDAwMA==";
/// Mask of every frame: RFC 6455 asks for a random one against caches on the way; loopback has none.
const MASK: [u8; 4] = [0x5a, 0x13, 0xc7, 0x2e];

/// How clients speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// The gateway's `/ws`
    Ws,
    /// The gateway's `/api/events/stream`
    Sse,
    /// Centrifugo's client protocol in JSON, `/connection/websocket`
    Centrifugo,
    /// WebSocket of a server that takes the topics from the path and needs no word
    PlainWs,
    /// Server-sent events of such a server
    PlainSse,
}

/// Where and how clients connect.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Target {
    /// The server.
    pub addr: SocketAddr,
    /// Another server, to which every second client goes: it shows what the one before it shows.
    pub second_addr: Option<SocketAddr>,
    /// How they speak.
    pub protocol: Protocol,
    /// What clients show, if anything.
    pub credential: Option<Credential>,
}

impl Target {
    /// Where this client connects.
    pub fn addr_of(&self, client: u32) -> SocketAddr {
        self.second_addr.filter(|_| client % 2 == 1).unwrap_or(self.addr)
    }

    /// What this client shows.
    pub fn token_of(&self, client: u32) -> Option<String> {
        let holder = if self.second_addr.is_some() { client / 2 } else { client };
        self.credential.as_ref().map(|credential| credential.of(holder))
    }
}

/// Which topics clients follow. Topic `n` is called `<prefix>.<n>`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Topics {
    /// What their names begin with; `app.bench` lies in the stream `APP`.
    pub prefix: String,
    /// Topics that each client follows.
    pub per_client: u32,
    /// Each client has topics of its own; else all follow the same.
    pub own: bool,
}

impl Topics {
    /// Numbers of a client's topics.
    pub fn of(&self, client: u32) -> Range<u32> {
        let first = if self.own { client * self.per_client } else { 0 };
        first..first + self.per_client
    }

    /// Name of a topic.
    pub fn name(&self, number: u32) -> String {
        format!("{}.{number}", self.prefix)
    }

    fn names(&self, client: u32) -> Vec<String> {
        self.of(client).map(|number| self.name(number)).collect()
    }
}

impl Protocol {
    /// Whether messages are WebSocket frames; else they are server-sent events.
    pub fn is_websocket(self) -> bool {
        !matches!(self, Self::Sse | Self::PlainSse)
    }

    /// Whether a client is ready once the server has taken its request; else a word of the server says so.
    pub fn is_ready_at_once(self) -> bool {
        matches!(self, Self::PlainWs | Self::PlainSse)
    }
}

/// The request of client number `client`, with the resume token of a connection before.
pub fn request(target: &Target, topics: &Topics, client: u32, resume: Option<&str>) -> String {
    let names = topics.names(client).join(",");
    let path = match target.protocol {
        Protocol::Ws => "/ws".to_owned(),
        Protocol::Sse => format!("/api/events/stream?topics={names}"),
        Protocol::Centrifugo => "/connection/websocket".to_owned(),
        Protocol::PlainWs => format!("/ws?topics={names}"),
        Protocol::PlainSse => format!("/sse?topics={names}"),
    };
    let mut head = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n", target.addr);
    if let Some(token) = target.token_of(client) {
        head.push_str(&format!("authorization: Bearer {token}\r\n"));
    }
    if target.protocol.is_websocket() {
        head.push_str("connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n");
        head.push_str(&format!("sec-websocket-key: {HANDSHAKE_KEY}\r\n"));
    } else {
        head.push_str("accept: text/event-stream\r\n");
        if let Some(resume) = resume {
            head.push_str(&format!("last-event-id: {resume}\r\n"));
        }
    }
    head.push_str("\r\n");
    head
}

/// What a client sends once its connection is open; empty where the request says all.
pub fn subscription(target: &Target, topics: &Topics, client: u32, resume: Option<&str>) -> Vec<u8> {
    match target.protocol {
        Protocol::Ws => {
            let payload = json!({"topics": topics.names(client), "since": resume});
            frame(1, json!({"type": "subscribe", "payload": payload}).to_string().as_bytes())
        }
        Protocol::Centrifugo => {
            let token = target.token_of(client).unwrap_or_default();
            let connect = json!({"id": 1, "connect": {"token": token}});
            let mut commands = vec![connect.to_string()];
            for (id, name) in (2..).zip(topics.names(client)) {
                let mut subscribe = json!({"channel": name});
                if let Some((epoch, offset)) = resume.and_then(|text| text.split_once(' ')) {
                    subscribe["recover"] = json!(true);
                    subscribe["epoch"] = json!(epoch);
                    subscribe["offset"] = json!(offset.parse::<u64>().unwrap_or_default());
                }
                commands.push(json!({"id": id, "subscribe": subscribe}).to_string());
            }
            frame(1, commands.join("\n").as_bytes())
        }
        Protocol::Sse | Protocol::PlainWs | Protocol::PlainSse => Vec::new(),
    }
}

/// A WebSocket ping.
pub fn ping() -> Vec<u8> {
    frame(9, b"swarm")
}

/// The answer to a ping of Centrifugo's protocol, which is a message.
pub fn centrifugo_pong() -> Vec<u8> {
    frame(1, b"{}")
}

/// The answer to a WebSocket ping.
pub fn pong(payload: &[u8]) -> Vec<u8> {
    frame(10, payload)
}

/// One masked frame; payloads of a client here are short.
pub(crate) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0x80 | opcode];
    match u16::try_from(payload.len()) {
        Ok(length @ 0..=125) => out.push(0x80 | length.to_be_bytes()[1]),
        Ok(length) => {
            out.push(0x80 | 126);
            out.extend(length.to_be_bytes());
        }
        Err(_) => {
            out.push(0x80 | 127);
            out.extend((payload.len() as u64).to_be_bytes());
        }
    }
    out.extend(MASK);
    out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_topics_are_nobody_elses() {
        let topics = Topics { prefix: "app.bench".to_owned(), per_client: 5, own: true };
        assert_eq!((topics.of(0), topics.of(9_999)), (0..5, 49_995..50_000));
        let shared = Topics { own: false, ..topics };
        assert_eq!((shared.of(0), shared.of(9_999)), (0..5, 0..5));
        assert_eq!(shared.name(3), "app.bench.3");
    }

    #[test]
    fn a_frame_is_masked_and_tells_its_length() {
        let short = frame(1, b"hi");
        assert_eq!(short[..2], [0x81, 0x82]);
        assert_eq!(short[6..], [b'h' ^ MASK[0], b'i' ^ MASK[1]]);
        let long = frame(1, &[b'x'; 300]);
        assert_eq!((long[1], u16::from_be_bytes([long[2], long[3]])), (0x80 | 126, 300));
    }
}
