//! Gives all events of the pod one order and hands them to the workers in batches, each with its `process` span.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chassis::telemetry::TRACE_TARGET;
use chassis::trace_context;
use proto_schemas::{Stream, TopicKind};
use tokio::sync::mpsc;
use tracing::Span;
use tracing::field::Empty;

use super::intervals::MinIntervals;
use super::pace::StatePace;
use super::room::{Room, Share};
use crate::budget::{Budget, Level};
use crate::event::{Event, Message};
use crate::metrics::GatewayMetrics;
use crate::position::{Position, Positions};
use crate::worker::{Command, WorkerHandle};

/// Events in a batch at most, and so links of its span (OpenTelemetry's default limit for links is 128).
const BATCH_EVENTS_MAX: usize = 128;
/// Events waiting for the sequencer, and their bytes: enough to fill batches, small enough that NATS holds the rest.
pub const QUEUE_EVENTS_MAX: usize = 1_024;
/// See [`QUEUE_EVENTS_MAX`].
pub const QUEUE_SIZE_MAX: u32 = 8 * 1024 * 1024;
/// Bytes of batches that wait for a worker: a worker that is late by a turn or two delays nobody else.
const BATCHES_SIZE_MAX: u32 = 16 * 1024 * 1024;

/// What the stream followers tell.
#[derive(Debug)]
pub enum Upstream {
    /// The stream starts (anew) at `head` for this pod.
    Start {
        /// The stream.
        stream: Stream,
        /// Everything up to here is past.
        head: Position,
        /// For state: last sequence of the values that are there, which follow.
        load_to: u64,
    },
    /// Nothing of the stream passes this pod from here on.
    Known(Stream, Known),
    /// The next event of its stream, and its share of the queue's room.
    Message(Message, Share),
    /// NATS came or went.
    Connected {
        /// It is connected.
        up: bool,
        /// Which connection it is, or was.
        generation: u64,
    },
}

/// Why nothing of a stream passes the pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Its consumer runs, over the connection of this generation.
    Followed(u64),
    /// It is not there yet: all of it will be news.
    Missing,
}

/// Events that go through the workers together.
#[derive(Debug)]
pub struct Batch {
    /// In the pod's order.
    pub events: Vec<Arc<Event>>,
    /// `None` where tracing is off.
    pub trace: Option<BatchTrace>,
    /// Of the room for batches; free when the last worker has taken the batch in.
    _share: Share,
}

/// The `process` span of a batch. It ends when the last worker drops the batch.
#[derive(Debug)]
pub struct BatchTrace {
    span: Span,
    subscribers: AtomicU64,
    delivered: AtomicU64,
    conflated: AtomicU64,
    behind: AtomicU64,
    queue_wait_us: AtomicU64,
    write_us: AtomicU64,
}

/// What one worker did with a batch.
#[derive(Debug, Default, Clone, Copy)]
pub struct BatchStats {
    /// Followers of the events' topics, counted per event.
    pub subscribers: u64,
    /// Events that reached a socket's buffer.
    pub delivered: u64,
    /// Events that a newer value replaced before they were sent.
    pub conflated: u64,
    /// Followers that were behind already and will get to it.
    pub behind: u64,
    /// From the pod getting the batch to the first write.
    pub queue_wait: Duration,
    /// Spent in writes.
    pub write_time: Duration,
}

impl BatchTrace {
    fn begin(messages: &[Message]) -> Option<Self> {
        let span = tracing::info_span!(
            target: TRACE_TARGET,
            parent: None,
            "process",
            otel.kind = "consumer",
            messaging.system = "nats",
            messaging.operation.name = "process",
            messaging.batch.message_count = messages.len(),
            bywash.subscribers = Empty,
            bywash.delivered = Empty,
            bywash.conflated = Empty,
            bywash.behind = Empty,
            bywash.queue_wait_us = Empty,
            bywash.write_us = Empty,
        );
        if span.is_disabled() {
            return None;
        }
        for message in messages {
            if let Some(request) = message.trace {
                trace_context::link(&span, request);
            }
        }
        Some(Self {
            span,
            subscribers: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            conflated: AtomicU64::new(0),
            behind: AtomicU64::new(0),
            queue_wait_us: AtomicU64::new(0),
            write_us: AtomicU64::new(0),
        })
    }

    /// Adds one worker's part.
    pub fn add(&self, stats: &BatchStats) {
        let micros = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.subscribers.fetch_add(stats.subscribers, Ordering::Relaxed);
        self.delivered.fetch_add(stats.delivered, Ordering::Relaxed);
        self.conflated.fetch_add(stats.conflated, Ordering::Relaxed);
        self.behind.fetch_add(stats.behind, Ordering::Relaxed);
        self.queue_wait_us.fetch_max(micros(stats.queue_wait), Ordering::Relaxed);
        self.write_us.fetch_add(micros(stats.write_time), Ordering::Relaxed);
    }
}

impl Drop for BatchTrace {
    fn drop(&mut self) {
        self.span.record("bywash.subscribers", self.subscribers.load(Ordering::Relaxed));
        self.span.record("bywash.delivered", self.delivered.load(Ordering::Relaxed));
        self.span.record("bywash.conflated", self.conflated.load(Ordering::Relaxed));
        self.span.record("bywash.behind", self.behind.load(Ordering::Relaxed));
        self.span.record("bywash.queue_wait_us", self.queue_wait_us.load(Ordering::Relaxed));
        self.span.record("bywash.write_us", self.write_us.load(Ordering::Relaxed));
    }
}

/// How often state is told while memory is short, against the usual.
const SHORT_OF_MEMORY_FACTOR: u32 = 4;

/// Runs until every follower is gone.
pub async fn run(
    mut input: mpsc::Receiver<Upstream>,
    workers: Vec<WorkerHandle>,
    intervals: MinIntervals,
    budget: Budget,
    metrics: GatewayMetrics,
    mut on_known: impl FnMut(Stream, Known),
) {
    let room = Room::new(BATCHES_SIZE_MAX);
    let mut sequencer = Sequencer { workers, room, positions: Positions::unknown(), order: 0 };
    let mut pace = StatePace::new(intervals);
    let mut items = Vec::with_capacity(BATCH_EVENTS_MAX);
    loop {
        let mut messages = Vec::new();
        let is_over = tokio::select! {
            count = input.recv_many(&mut items, BATCH_EVENTS_MAX) => count == 0,
            () = until(pace.due()) => {
                pace.release(Instant::now(), &mut messages);
                false
            }
        };
        if is_over {
            return;
        }
        let factor = if budget.level() >= Level::Conflate { SHORT_OF_MEMORY_FACTOR } else { 1 };
        pace.set_factor(factor);
        for item in items.drain(..) {
            let command = match item {
                Upstream::Message(message, share) => {
                    // It has left the queue.
                    drop(share);
                    if message.stream.spec().kind == TopicKind::State {
                        pace.take(message, Instant::now(), &mut messages);
                    } else {
                        messages.push(message);
                    }
                    continue;
                }
                Upstream::Known(stream, known) => {
                    on_known(stream, known);
                    let Known::Followed(generation) = known else { continue };
                    Command::Followed(stream, generation)
                }
                Upstream::Start { stream, head, load_to } => {
                    sequencer.batches(std::mem::take(&mut messages)).await;
                    sequencer.positions.set(stream, Some(head));
                    if stream.spec().kind == TopicKind::State {
                        pace.restart(load_to);
                    }
                    Command::Start { stream, head, load_to }
                }
                Upstream::Connected { up, generation } => {
                    sequencer.batches(std::mem::take(&mut messages)).await;
                    Command::Upstream { up, generation }
                }
            };
            sequencer.send(&command).await;
        }
        sequencer.batches(messages).await;
        metrics.conflated.inc_by(pace.take_conflated());
    }
}

/// Waits until `due`; for ever where nothing is.
async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

struct Sequencer {
    workers: Vec<WorkerHandle>,
    /// In the workers' queues.
    room: Room,
    positions: Positions,
    order: u64,
}

impl Sequencer {
    async fn batches(&mut self, messages: Vec<Message>) {
        let mut rest = messages.into_iter();
        while rest.len() > 0 {
            self.batch(rest.by_ref().take(BATCH_EVENTS_MAX).collect()).await;
        }
    }

    async fn batch(&mut self, messages: Vec<Message>) {
        let share = self.room.take(messages.iter().map(Message::size_bytes).sum()).await;
        let trace = BatchTrace::begin(&messages);
        let events = messages.into_iter().map(|message| Arc::new(self.place(message))).collect();
        self.send(&Command::Batch(Arc::new(Batch { events, trace, _share: share }))).await;
    }

    fn place(&mut self, message: Message) -> Event {
        self.order += 1;
        if let Some(before) = self.positions.get(message.stream) {
            let here = Position { seq: message.seq, time: message.time_bits, ..before };
            self.positions.set(message.stream, Some(here));
        }
        Event::new(message, self.order, self.positions)
    }

    async fn send(&self, command: &Command) {
        for worker in &self.workers {
            worker.send(command.clone()).await;
        }
    }
}
