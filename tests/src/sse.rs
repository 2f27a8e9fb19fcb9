//! A client of the event stream: a parser of `text/event-stream`, and an inbox of what it read.

use std::pin::pin;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use reqwest::header::HeaderMap;
use reqwest::{RequestBuilder, StatusCode};
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::wait::{Inbox, eventually};

/// One event of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SseEvent {
    /// `event:`; `None` where the line is missing, which browsers call `message`.
    pub name: Option<String>,
    /// `id:`; `None` where the line is missing.
    pub id: Option<String>,
    /// `data:` as JSON.
    pub data: Value,
}

impl SseEvent {
    /// Whether it is an event of `topic` (and not one that the gateway makes itself).
    pub fn is_of(&self, topic: &str) -> bool {
        self.name.is_none() && self.data["topic"] == topic
    }

    /// Whether it is named `name`.
    pub fn is_named(&self, name: &str) -> bool {
        self.name.as_deref() == Some(name)
    }

    /// Its `seq`; 0 where there is none.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "sequences are whole numbers below 2^53"
    )]
    pub fn sequence(&self) -> u64 {
        self.data["seq"].as_f64().map_or(0, |sequence| sequence as u64)
    }
}

/// Cuts a byte stream into events. Comments and fields of no event are passed over.
#[derive(Debug, Default)]
pub struct Parser {
    buffer: Vec<u8>,
    /// The newest `retry:`, milliseconds.
    pub retry_ms: Option<u64>,
}

impl Parser {
    /// Takes bytes and gives the events that are complete now.
    ///
    /// # Panics
    /// When an event's data is not JSON: no service of Bywash sends such.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<SseEvent> {
        self.buffer.extend_from_slice(bytes);
        let mut events = Vec::new();
        while let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
            let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
            events.extend(self.block(&String::from_utf8(block).expect("event streams are UTF-8")));
        }
        events
    }

    fn block(&mut self, block: &str) -> Option<SseEvent> {
        let (mut name, mut id, mut data) = (None, None, None::<String>);
        for line in block.lines() {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => name = Some(value.to_owned()),
                "id" => id = Some(value.to_owned()),
                "data" => match &mut data {
                    Some(data) => {
                        data.push('\n');
                        data.push_str(value);
                    }
                    None => data = Some(value.to_owned()),
                },
                "retry" => self.retry_ms = value.parse().ok(),
                _ => {}
            }
        }
        let text = data?;
        let data =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("data {text:?} is no JSON: {error}"));
        Some(SseEvent { name, id, data })
    }
}

/// An open stream. Reading ends when it is dropped.
#[derive(Debug)]
pub struct Sse {
    /// What arrived.
    pub events: Inbox<SseEvent>,
    /// Headers of the answer.
    pub headers: HeaderMap,
    reader: JoinHandle<()>,
}

impl Sse {
    /// Opens `url` and reads until the other end closes.
    ///
    /// # Panics
    /// When the answer is not a 200.
    pub async fn open(url: &str) -> Self {
        Self::send(reqwest::Client::new().get(url)).await
    }

    /// Opens `url` with `Last-Event-ID`.
    ///
    /// # Panics
    /// As [`Self::open`].
    pub async fn resume(url: &str, last_event_id: &str) -> Self {
        Self::send(reqwest::Client::new().get(url).header("last-event-id", last_event_id)).await
    }

    /// Sends a request of any form and reads its answer.
    ///
    /// # Panics
    /// As [`Self::open`].
    pub async fn send(request: RequestBuilder) -> Self {
        let response = request.send().await.expect("the gateway is reachable");
        let status = response.status();
        if status != StatusCode::OK {
            panic!("the stream answered {status}: {}", response.text().await.unwrap_or_default());
        }
        let headers = response.headers().clone();
        Self::reading(headers, response.bytes_stream())
    }

    /// Reads a body that came with these headers, until it ends.
    pub fn reading<E>(
        headers: HeaderMap,
        bytes: impl Stream<Item = Result<Bytes, E>> + Send + 'static,
    ) -> Self {
        let events = Inbox::default();
        let inbox = events.clone();
        let reader = tokio::spawn(async move {
            let mut parser = Parser::default();
            let mut bytes = pin!(bytes);
            while let Some(Ok(bytes)) = bytes.next().await {
                parser.feed(&bytes).into_iter().for_each(|event| inbox.push(event));
            }
        });
        Self { events, headers, reader }
    }

    /// The first event named `name`.
    ///
    /// # Panics
    /// When it does not come within the deadline.
    pub async fn named(&self, name: &str) -> SseEvent {
        self.events.first(&format!("an event {name}"), |event| event.is_named(name)).await
    }

    /// The first event on `topic` with this sequence.
    ///
    /// # Panics
    /// When it does not come within the deadline.
    pub async fn with_sequence(&self, topic: &str, sequence: u64) -> SseEvent {
        let wanted = |event: &SseEvent| event.is_of(topic) && event.sequence() == sequence;
        self.events.first(&format!("event {sequence} of {topic}"), wanted).await
    }

    /// Sequences of the events on `topic` so far, in the order of arrival.
    pub fn sequences(&self, topic: &str) -> Vec<u64> {
        self.events.all().iter().filter(|event| event.is_of(topic)).map(SseEvent::sequence).collect()
    }

    /// The newest resume token.
    ///
    /// # Panics
    /// When none has arrived.
    pub fn token(&self) -> String {
        let events = self.events.all();
        events.iter().rev().find_map(|event| event.id.clone()).expect("an event with an id arrived")
    }

    /// Waits for the other end to close the stream.
    ///
    /// # Panics
    /// When it does not within the deadline.
    pub async fn closed(&self) {
        eventually("the stream ends", || async {
            self.reader.is_finished().then_some(()).ok_or_else(|| "it is open".to_owned())
        })
        .await;
    }
}

impl Drop for Sse {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_out_whole_whatever_the_pieces() {
        let text = b": hello\n\nretry: 1500\nid: a1\ndata: {\"topic\":\"kb.facts\",\"seq\":7}\n\nevent: gap\ndata: {\n\
                     data: \"from\":1}\n\n";
        for size in 1..text.len() {
            let mut parser = Parser::default();
            let events: Vec<_> = text.chunks(size).flat_map(|piece| parser.feed(piece)).collect();
            assert_eq!(events.len(), 2, "pieces of {size}");
            assert!(events[0].is_of("kb.facts") && events[0].sequence() == 7);
            assert_eq!(events[0].id.as_deref(), Some("a1"));
            assert!(events[1].is_named("gap") && events[1].data["from"] == 1);
            assert_eq!(parser.retry_ms, Some(1500));
        }
    }
}
