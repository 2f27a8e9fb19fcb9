//! What a topic carried, for those who ask: one read of its stream, forward or backward, bounded in events and bytes.
//! Sessions that follow a topic do not need it; see `upstream/history.rs`.

use async_nats::jetstream::message::StreamMessage;
use chassis::{Nats, streams};
use futures_util::StreamExt;
use proto_schemas::TopicPattern;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Semaphore;

use super::{Answer, CommandError};
use crate::position::parse_epoch;
use crate::upstream::message::{self, Place};

/// Events of one answer.
pub const EVENTS_MAX: usize = 1_000;
/// Payloads of one answer, bytes; an answer has at least one event.
pub const ANSWER_SIZE_MAX: usize = 1024 * 1024;
/// Histories that are read at once: each may hold an answer, and live delivery shares the connection to NATS.
static READS: Semaphore = Semaphore::const_new(4);
/// Questions to the server for one answer. Backward, a topic may be so rare in its stream that its events lie further
/// back than these reach; the answer then has fewer events than asked for.
const GETS_MAX: usize = 32;
/// Sequences that the first look backward covers, at least; each further one covers four times as many.
const WINDOW_MIN: u64 = 64;

/// What is asked.
#[derive(Debug, Clone)]
pub struct Request {
    /// Of these subjects.
    pub topic: TopicPattern,
    /// Without this event: forward what comes after it, backward what comes before. `None`: from the stream's ends.
    pub start: Option<Start>,
    /// As many events at most; 0 asks for the position only.
    pub limit: usize,
    /// Newest first.
    pub reverse: bool,
}

/// A place in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// The incarnation; `None`: whichever it is.
    pub epoch: Option<u64>,
    /// Sequence.
    pub seq: u64,
}

/// The answer.
#[derive(Debug, Serialize, Deserialize)]
pub struct Page {
    /// The stream's incarnation.
    pub epoch: u64,
    /// Its last sequence.
    pub end_seq: u64,
    /// In the order asked for.
    pub events: Vec<Kept>,
}

/// An event of the answer.
#[derive(Debug, Serialize, Deserialize)]
pub struct Kept {
    /// Sequence in the stream.
    pub seq: u64,
    /// Subject.
    pub topic: String,
    /// Event type.
    pub event_type: String,
    /// RFC 3339, UTC.
    pub time: String,
    /// Trace id of the request that made it.
    pub trace: Option<String>,
    /// The JSON text as it was published.
    pub data: String,
}

/// Reads the events.
///
/// # Errors
/// `not_available`: the stream cannot be read. `unrecoverable_position`: the place is none of this stream.
pub async fn read(nats: &Nats, request: &Request) -> Answer {
    let stream = request.topic.stream();
    let away = |cause: String| CommandError::new("not_available", cause);
    if !nats.is_connected() {
        return Err(away("NATS is away".to_owned()));
    }
    let _turn = READS.acquire().await.map_err(|_| away("the gateway stops".to_owned()))?;
    let info = streams::info(nats, stream).await.map_err(|error| away(error.to_string()))?;
    let info = info.ok_or_else(|| away("the stream is not there".to_owned()))?;
    let epoch =
        parse_epoch(streams::epoch_of(&info)).ok_or_else(|| away("the stream has no epoch".to_owned()))?;
    let (first_seq, end_seq) = (info.state.first_sequence, info.state.last_sequence);
    if request.start.is_some_and(|start| {
        start.epoch.is_some_and(|wanted| wanted != epoch) || !request.reverse && start.seq > end_seq
    }) {
        return Err(CommandError::new("unrecoverable_position", "the position is none of this stream"));
    }
    let mut reader = Reader { nats, topic: &request.topic, gets_left: GETS_MAX };
    let events = match (request.limit, request.reverse) {
        (0, _) => Vec::new(),
        (limit, false) => {
            let from = request.start.map_or(0, |start| start.seq.saturating_add(1)).max(first_seq);
            reader.forward(from, end_seq, limit, ANSWER_SIZE_MAX).await?.0
        }
        (limit, true) => {
            let before = request.start.map_or(u64::MAX, |start| start.seq).min(end_seq.saturating_add(1));
            reader.backward(before, first_seq, limit).await?
        }
    };
    Ok(json!(Page { epoch, end_seq, events }))
}

struct Reader<'a> {
    nats: &'a Nats,
    topic: &'a TopicPattern,
    gets_left: usize,
}

impl Reader<'_> {
    /// Events from `from` to `to`, both included, and whether they are all.
    async fn forward(
        &mut self,
        from: u64,
        to: u64,
        limit: usize,
        size_max: usize,
    ) -> Result<(Vec<Kept>, bool), CommandError> {
        let (mut events, mut size, mut next) = (Vec::new(), 0, from);
        while next <= to {
            if events.len() >= limit || size >= size_max || self.gets_left == 0 {
                return Ok((events, false));
            }
            let messages = self.get(next, limit - events.len(), size_max - size).await?;
            let Some(last) = messages.last() else { break };
            next = last.sequence + 1;
            for message in messages {
                let length = message.payload.len();
                let seq = message.sequence;
                // What is no event was dropped and counted when it was live.
                if seq <= to
                    && let Some(event) = self.event(message)
                {
                    if !events.is_empty() && size + length > size_max {
                        return Ok((events, false));
                    }
                    size += length;
                    events.push(event);
                }
            }
        }
        Ok((events, true))
    }

    /// Events before `before`, newest first. JetStream reads forward only, so this looks at ever larger parts.
    async fn backward(&mut self, before: u64, first: u64, limit: usize) -> Result<Vec<Kept>, CommandError> {
        let mut events: Vec<Kept> = Vec::new();
        let (mut end, mut window, mut size) = (before, WINDOW_MIN.max(limit as u64), 0);
        while end > first && events.len() < limit && size < ANSWER_SIZE_MAX {
            let from = end.saturating_sub(window).max(first);
            let (part, is_whole) = self.forward(from, end - 1, EVENTS_MAX, ANSWER_SIZE_MAX).await?;
            if !is_whole {
                if self.gets_left == 0 {
                    break;
                }
                // Its newest events did not fit: look at less.
                window = (window / 4).max(1);
                if end - from == 1 {
                    break;
                }
                continue;
            }
            for event in part.into_iter().rev() {
                if events.len() == limit || !events.is_empty() && size + event.data.len() > ANSWER_SIZE_MAX {
                    return Ok(events);
                }
                size += event.data.len();
                events.push(event);
            }
            end = from;
            window = window.saturating_mul(4);
        }
        Ok(events)
    }

    fn event(&self, message: StreamMessage) -> Option<Kept> {
        let (seq, unix_nanos) = (message.sequence, message.time.unix_timestamp_nanos());
        let place = Place { stream: self.topic.stream(), seq, unix_nanos };
        let event = message::read(place, &message.subject, Some(&message.headers), message.payload).ok()?;
        Some(Kept {
            seq,
            topic: event.topic.into(),
            event_type: event.event_type.into(),
            time: event.time.into(),
            trace: event.trace.map(chassis::TraceParent::trace_id),
            data: String::from_utf8(event.payload.into()).ok()?,
        })
    }

    /// The first messages of the topic from `seq` on (batched direct get, server 2.11 and later).
    async fn get(
        &mut self,
        seq: u64,
        batch: usize,
        size_max: usize,
    ) -> Result<Vec<StreamMessage>, CommandError> {
        self.gets_left = self.gets_left.saturating_sub(1);
        let failed = |error: &dyn std::fmt::Display| CommandError::new("not_available", error.to_string());
        let client = self.nats.client();
        let inbox = client.new_inbox();
        let mut replies = client.subscribe(inbox.clone()).await.map_err(|error| failed(&error))?;
        let batch = batch.min(EVENTS_MAX);
        let request =
            json!({"seq": seq, "batch": batch, "max_bytes": size_max, "next_by_subj": self.topic.as_str()});
        let subject = format!("$JS.API.DIRECT.GET.{}", self.topic.stream().spec().name);
        let sent = client.publish_with_reply(subject, inbox, request.to_string().into()).await;
        sent.map_err(|error| failed(&error))?;
        let mut messages = Vec::new();
        while let Some(reply) = replies.next().await {
            match reply.status.map(|status| status.as_u16()) {
                None => messages.push(StreamMessage::try_from(reply).map_err(|error| failed(&error))?),
                // The end of the answer; nothing there.
                Some(204 | 404) => return Ok(messages),
                Some(_) => return Err(failed(&reply.description.unwrap_or_default())),
            }
        }
        Err(failed(&"the connection ended"))
    }
}
