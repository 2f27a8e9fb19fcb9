//! Sends events into a server under load: through NATS for the gateway, by `POST` for its peers, as finished frames for
//! the raw writer. One blocking socket, so that an event leaves when it is due.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::event::{Stamp, Template, now_ns};

/// A server that takes no event for this long is broken.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// Number in the raw writer's protocol that means every client.
pub const TO_ALL: u32 = u32::MAX;

/// How events get in.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum Entrance {
    /// A subject of NATS, `<prefix>.<topic>`, whose stream the gateway follows
    Nats {
        /// Of the NATS server.
        addr: SocketAddr,
        /// What subjects begin with.
        prefix: String,
    },
    /// `POST <path>?topic=<prefix>.<topic>`
    Http {
        /// Of the server.
        addr: SocketAddr,
        /// Path without a query.
        path: String,
        /// What topics begin with.
        prefix: String,
        /// A message with an event, as the gateway sends it: the peers send the same bytes.
        message: String,
    },
    /// Frames for [`super::peers::raw`].
    Frames {
        /// Its control port.
        addr: SocketAddr,
        /// A whole frame, bytes as Latin-1 so that it can travel in JSON.
        frame: String,
        /// Clients per topic: with one, a frame goes to the client that follows its topic alone.
        topics_per_client: Option<u32>,
    },
}

/// An entrance with its connection.
#[derive(Debug)]
pub struct Publisher {
    entrance: Entrance,
    socket: TcpStream,
    template: Template,
    /// Events of each topic so far.
    counters: Vec<u64>,
    out: Vec<u8>,
    input: Vec<u8>,
}

/// Bytes as a string of characters up to 255.
pub fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

impl Publisher {
    /// Connects.
    ///
    /// # Errors
    /// When the server is not there, or the message holds no event.
    pub fn connect(entrance: Entrance, topics: u32) -> Result<Self> {
        let (addr, template) = match &entrance {
            Entrance::Nats { addr, .. } => (*addr, Template::payload()),
            Entrance::Http { addr, message, .. } => (*addr, Template::of(message.clone().into_bytes())?),
            Entrance::Frames { addr, frame, .. } => {
                let bytes = frame.chars().map(|char| u8::try_from(u32::from(char)));
                (
                    *addr,
                    Template::of(bytes.collect::<Result<_, _>>().context("a frame of other characters")?)?,
                )
            }
        };
        let socket = TcpStream::connect(addr).with_context(|| format!("no entrance for events at {addr}"))?;
        socket.set_nodelay(true)?;
        socket.set_write_timeout(Some(SEND_TIMEOUT))?;
        let mut publisher = Self {
            entrance,
            socket,
            template,
            counters: vec![0; topics as usize],
            out: Vec::new(),
            input: vec![0; 64 * 1024],
        };
        if matches!(publisher.entrance, Entrance::Nats { .. }) {
            publisher.greet_nats()?;
        }
        Ok(publisher)
    }

    fn greet_nats(&mut self) -> Result<()> {
        self.socket.set_read_timeout(Some(SEND_TIMEOUT))?;
        let options = "{\"verbose\":false,\"pedantic\":false,\"headers\":true,\"name\":\"bywash-swarm\"}";
        self.socket.write_all(format!("CONNECT {options}\r\nPING\r\n").as_bytes())?;
        let mut heard = Vec::new();
        while !heard.ends_with(b"PONG\r\n") {
            let count = self.socket.read(&mut self.input).context("NATS does not greet")?;
            if count == 0 || heard.len() > self.input.len() {
                bail!("NATS does not greet: {}", String::from_utf8_lossy(&heard));
            }
            heard.extend_from_slice(&self.input[..count]);
        }
        Ok(())
    }

    /// Sends one event to each of these topics, all in one write, stamped with `sent_ns` or with now.
    ///
    /// # Errors
    /// When the server takes nothing.
    pub fn publish(&mut self, topics: impl Iterator<Item = u32> + Clone, sent_ns: Option<u64>) -> Result<()> {
        let sent_ns = sent_ns.unwrap_or_else(now_ns);
        self.out.clear();
        if let Entrance::Frames { topics_per_client, .. } = &self.entrance {
            let target = match (topics_per_client, topics.clone().next()) {
                (Some(per_client), Some(topic)) => topic / per_client,
                _ => TO_ALL,
            };
            self.out.extend(u32::try_from(topics.clone().count())?.to_be_bytes());
            self.out.extend(target.to_be_bytes());
        }
        for topic in topics {
            let counter = self.counters.get_mut(topic as usize).context("a topic beyond those announced")?;
            *counter += 1;
            let stamp = Stamp { topic, counter: *counter, sent_ns };
            write_event(&self.entrance, &mut self.template, stamp, &mut self.out)?;
        }
        self.socket.write_all(&self.out).context("the server takes no event")?;
        self.drain()
    }

    /// Reads what the server answers, so that it is never blocked on this socket; answers NATS when it asks.
    fn drain(&mut self) -> Result<()> {
        self.socket.set_nonblocking(true)?;
        let read = self.socket.read(&mut self.input);
        self.socket.set_nonblocking(false)?;
        match read {
            Ok(0) => bail!("the server closed the entrance for events"),
            Ok(count) => self.check(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error).context("the entrance for events broke"),
        }
    }

    fn check(&mut self, count: usize) -> Result<()> {
        let heard = &self.input[..count];
        let refused = match &self.entrance {
            Entrance::Nats { .. } if heard.starts_with(b"PING") => {
                self.socket.write_all(b"PONG\r\n")?;
                false
            }
            Entrance::Nats { .. } => heard.starts_with(b"-ERR"),
            Entrance::Http { .. } => heard.starts_with(b"HTTP/1.1 4") || heard.starts_with(b"HTTP/1.1 5"),
            Entrance::Frames { .. } => false,
        };
        if refused { bail!("an event was refused: {:.300}", String::from_utf8_lossy(heard)) } else { Ok(()) }
    }
}

fn write_event(entrance: &Entrance, template: &mut Template, stamp: Stamp, out: &mut Vec<u8>) -> Result<()> {
    let body = template.stamped(stamp);
    match entrance {
        Entrance::Nats { prefix, .. } => {
            let head = nats_headers(stamp);
            let (head_size, all) = (head.len(), head.len() + body.len());
            write!(out, "HPUB {prefix}.{} {head_size} {all}\r\n{head}", stamp.topic)?;
            out.extend_from_slice(body);
            out.extend_from_slice(b"\r\n");
        }
        Entrance::Http { addr, path, prefix, .. } => {
            write!(
                out,
                "POST {path}?topic={prefix}.{} HTTP/1.1\r\nhost: {addr}\r\ncontent-type: application/json\r\n\
                 content-length: {}\r\n\r\n",
                stamp.topic,
                body.len()
            )?;
            out.extend_from_slice(body);
        }
        Entrance::Frames { .. } => {
            out.extend(u32::try_from(body.len())?.to_be_bytes());
            out.extend_from_slice(body);
        }
    }
    Ok(())
}

/// The headers of a real event, the request's trace included: clients get them, so they are part of the frame's size.
fn nats_headers(stamp: Stamp) -> String {
    let Stamp { topic, counter, sent_ns } = stamp;
    format!(
        "NATS/1.0\r\nce-specversion: 1.0\r\nce-id: bench:{topic}:{counter}\r\nce-type: bench.event\r\n\
         ce-source: /bench/swarm\r\nce-time: 2026-01-01T00:00:00.000000Z\r\n\
         traceparent: 00-{:032x}-{:016x}-00\r\n\r\n",
        u128::from(sent_ns) << 64 | u128::from(counter),
        counter
    )
}
