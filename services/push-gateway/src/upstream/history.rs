//! Reads parts of streams back for sessions that are behind the rings. One read serves all who wait for the block;
//! few run at once, so that live delivery does not notice.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::message::StreamMessage;
use chassis::{Nats, streams};
use futures_util::{FutureExt, StreamExt};
use proto_schemas::Stream;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::block::{BLOCK_LENGTH, Block, BlockKey};
use super::message::{self, Place};
use crate::event::Event;
use crate::position::{Position, Positions, parse_epoch};
use crate::worker::{Command, WorkerHandle};

/// Reads under way at once.
const READS_MAX: usize = 2;
/// How long a read may take before the session asks again.
const READ_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of one answer of the server, so that a read does not fill the connection.
const READ_SIZE_MAX: usize = 1024 * 1024;
/// Requests waiting; a worker asks for each block once, so this is far more than distinct blocks in need.
pub const QUEUE_REQUESTS_MAX: usize = 256;

/// A worker needs a block.
#[derive(Debug)]
pub struct Request {
    /// Which.
    pub key: BlockKey,
    /// Index of the worker that needs it.
    pub worker: usize,
}

/// Why a block could not be read; the worker asks again later.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The stream is not there, or its info cannot be read.
    #[error("stream info: {0}")]
    Info(String),
    /// The request failed or took too long.
    #[error("direct get: {0}")]
    Get(String),
    /// The read ended in a panic, whose message is in the log.
    #[error("the read panicked")]
    Panicked,
}

/// Serves requests until the workers are gone.
pub async fn run(nats: Nats, mut requests: mpsc::Receiver<Request>, workers: Vec<WorkerHandle>) {
    let mut waiting: HashMap<BlockKey, Vec<usize>> = HashMap::new();
    let mut reads: JoinSet<(BlockKey, Result<Block, HistoryError>)> = JoinSet::new();
    loop {
        tokio::select! {
            request = requests.recv(), if reads.len() < READS_MAX => {
                let Some(Request { key, worker }) = request else { return };
                let waiters = waiting.entry(key).or_default();
                if waiters.is_empty() {
                    let nats = nats.clone();
                    reads.spawn(async move {
                        (key, settled(read(&nats, key)).await)
                    });
                }
                waiters.push(worker);
            }
            Some(done) = reads.join_next() => {
                let Ok((key, result)) = done else { continue };
                let waiters = waiting.remove(&key).unwrap_or_default();
                match result {
                    Ok(block) => {
                        let block = Arc::new(block);
                        for worker in waiters {
                            workers[worker].send(Command::Block(Arc::clone(&block))).await;
                        }
                    }
                    // Whoever still waits asks again.
                    Err(error) => {
                        tracing::debug!(stream = key.stream.spec().name, block = key.index, %error, "cannot be read back");
                    }
                }
            }
        }
    }
}

/// A read that ends in time, whatever becomes of it: without an answer nobody would ever ask for its block again.
async fn settled(read: impl Future<Output = Result<Block, HistoryError>>) -> Result<Block, HistoryError> {
    match AssertUnwindSafe(tokio::time::timeout(READ_TIMEOUT, read)).catch_unwind().await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(HistoryError::Get("timed out".to_owned())),
        Err(_) => Err(HistoryError::Panicked),
    }
}

/// One block: the stream's info, then batched direct gets (server 2.11 and later) until it is whole.
async fn read(nats: &Nats, key: BlockKey) -> Result<Block, HistoryError> {
    let info =
        streams::info(nats, key.stream).await.map_err(|error| HistoryError::Info(error.to_string()))?;
    let info = info.ok_or_else(|| HistoryError::Info("the stream is not there".to_owned()))?;
    let epoch =
        parse_epoch(streams::epoch_of(&info)).ok_or_else(|| HistoryError::Info("no epoch".to_owned()))?;
    let covers_to = key.last_seq().min(info.state.last_sequence);
    let mut first_seq = info.state.first_sequence;
    let mut events = Vec::new();
    let mut next_seq = key.first_seq().max(first_seq);
    while next_seq <= covers_to {
        let messages = read_from(nats, key.stream, next_seq).await?;
        // Ordered streams have no holes: what is missing at the front was let go since the info was read.
        let found_seq = messages.first().map_or(covers_to + 1, |message| message.sequence);
        if found_seq > next_seq {
            first_seq = found_seq;
        }
        next_seq = messages.last().map_or(covers_to, |message| message.sequence) + 1;
        for message in messages {
            let seq = message.sequence;
            let place = Place { stream: key.stream, seq, unix_nanos: message.time.unix_timestamp_nanos() };
            // What is no event was dropped and counted when it was live.
            if seq <= covers_to
                && let Ok(event) =
                    message::read(place, &message.subject, Some(&message.headers), message.payload)
            {
                let here = Position { epoch, seq, time: event.time_bits };
                events.push(Arc::new(Event::new(event, 0, Positions::of(key.stream, here))));
            }
        }
    }
    Ok(Block::new(key, epoch, events, covers_to, first_seq))
}

/// The messages from `seq` on, as many as one answer holds; none beyond the stream's end.
async fn read_from(nats: &Nats, stream: Stream, seq: u64) -> Result<Vec<StreamMessage>, HistoryError> {
    let failed = |error: &dyn std::fmt::Display| HistoryError::Get(error.to_string());
    let client = nats.client();
    let inbox = client.new_inbox();
    let mut replies = client.subscribe(inbox.clone()).await.map_err(|error| failed(&error))?;
    let request = json!({"seq": seq, "batch": BLOCK_LENGTH, "max_bytes": READ_SIZE_MAX, "next_by_subj": ">"});
    let subject = format!("$JS.API.DIRECT.GET.{}", stream.spec().name);
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
    Err(HistoryError::Get("the connection ended".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_read_that_hangs_or_panics_fails_and_can_be_asked_for_again() {
        let hanging = settled(std::future::pending()).await;
        assert!(matches!(hanging, Err(HistoryError::Get(_))), "{hanging:?}");
        let panicking = settled(async { panic!("as a message of another kind might do") }).await;
        assert!(matches!(panicking, Err(HistoryError::Panicked)), "{panicking:?}");
    }
}
