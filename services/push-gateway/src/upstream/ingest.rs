//! One ordered consumer per stream. Before every start the stream's info is read: another epoch, a last sequence below
//! ours, or another time stamp at our sequence means that it is not the stream we knew.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::{DirectGetErrorKind, Info};
use chassis::{Nats, Shutdown, streams};
use futures_util::StreamExt;
use proto_schemas::{Stream, TopicKind};
use tokio::sync::mpsc;

use super::message::{self, Place};
use super::room::Room;
use super::sequencer::{Known, Upstream};
use crate::metrics::GatewayMetrics;
use crate::position::{Position, TimeBits, parse_epoch};

/// Pause before a consumer is made anew.
const RESTART_DELAY: Duration = Duration::from_millis(200);
/// The server says at least this often that a consumer lives.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// How long one pull waits for messages.
const PULL_EXPIRES: Duration = Duration::from_secs(20);
/// Messages asked for at once: bounds what the client library holds for this stream. A bound in bytes as well (2 MiB) made a
/// flood of 8 KiB events half as slow again.
const PULL_MESSAGES: usize = 512;
/// The server forgets a consumer that nobody pulls from.
const CONSUMER_IDLE: Duration = Duration::from_secs(60);

/// Follows `stream` until the stop, handing everything to the sequencer in order.
pub async fn run(
    stream: Stream,
    nats: Nats,
    sequencer: mpsc::Sender<Upstream>,
    room: Room,
    metrics: GatewayMetrics,
    shutdown: Shutdown,
) {
    let connection = nats.clone();
    let mut follower =
        StreamFollower { stream, nats, sequencer, room, metrics, place: None, was_missing: false };
    while let Some(generation) = connection.connected(&shutdown).await {
        tokio::select! {
            () = shutdown.requested() => return,
            () = connection.lost(generation) => {}
            result = follower.follow(generation, &shutdown) => match result {
                Ok(()) => return,
                Err(error) => tracing::debug!(stream = stream.spec().name, %error, "consumer ended; starting anew"),
            }
        }
        tokio::select! { () = shutdown.requested() => return, () = tokio::time::sleep(RESTART_DELAY) => {} }
    }
}

struct StreamFollower {
    stream: Stream,
    nats: Nats,
    sequencer: mpsc::Sender<Upstream>,
    /// In the sequencer's queue, shared with the other streams.
    room: Room,
    metrics: GatewayMetrics,
    /// Where this pod stands; `None` before the first start.
    place: Option<Position>,
    /// The stream was not there when this pod first looked: all of it is news.
    was_missing: bool,
}

type AnyError = Box<dyn std::error::Error + Send + Sync>;

impl StreamFollower {
    /// Over the connection of this generation. Returns only with an error, or `Ok` when the process stops.
    async fn follow(&mut self, generation: u64, shutdown: &Shutdown) -> Result<(), AnyError> {
        if self.place.is_none() && streams::info(&self.nats, self.stream).await?.is_none() {
            self.was_missing = true;
            // An error means that the process ends, which the wait below finds out.
            let _ = self.sequencer.send(Upstream::Known(self.stream, Known::Missing)).await;
        }
        let Some(info) = streams::wait_for(&self.nats, self.stream, shutdown).await else { return Ok(()) };
        let deliver = self.begin(&info).await?;
        let config = pull::Config {
            deliver_policy: deliver,
            ack_policy: AckPolicy::None,
            inactive_threshold: CONSUMER_IDLE,
            memory_storage: true,
            num_replicas: 1,
            ..Default::default()
        };
        let consumer =
            self.nats.jetstream().create_consumer_on_stream(config, self.stream.spec().name).await?;
        let mut messages = consumer
            .stream()
            .max_messages_per_batch(PULL_MESSAGES)
            .expires(PULL_EXPIRES)
            .heartbeat(HEARTBEAT)
            .messages()
            .await?;
        // The stream may have been made anew between the look at it and the consumer.
        let now = streams::info(&self.nats, self.stream).await?.ok_or("the stream is gone")?;
        if now.created != info.created || streams::epoch_of(&now) != streams::epoch_of(&info) {
            return Err("the stream was made anew meanwhile".into());
        }
        if self.sequencer.send(Upstream::Known(self.stream, Known::Followed(generation))).await.is_err() {
            return Ok(());
        }
        let is_state = self.stream.spec().kind == TopicKind::State;
        let mut expected = 1;
        while let Some(message) = messages.next().await {
            let message = message?;
            let info = message.info()?;
            if info.consumer_sequence != expected {
                return Err("the consumer skipped a message".into());
            }
            expected += 1;
            let place = Place {
                stream: self.stream,
                seq: info.stream_sequence,
                unix_nanos: info.published.unix_timestamp_nanos(),
            };
            let known = self.place.filter(|known| !is_state && place.seq > known.seq + 1);
            if let Some(known) = known {
                // The stream let messages go before this pod got them; starting anew tells the followers.
                let head = Position { seq: place.seq - 1, time: TimeBits::UNKNOWN, ..known };
                self.sequencer.send(Upstream::Start { stream: self.stream, head, load_to: 0 }).await?;
            }
            if !self.take(place, message.message).await {
                return Ok(());
            }
        }
        Err("the consumer ended".into())
    }

    /// Compares the stream with what this pod knew, tells the sequencer, and says where to continue.
    async fn begin(&mut self, info: &Info) -> Result<DeliverPolicy, AnyError> {
        let epoch = parse_epoch(streams::epoch_of(info)).ok_or("the stream's epoch is malformed")?;
        let state = &info.state;
        let is_state = self.stream.spec().kind == TopicKind::State;
        let last = Position {
            epoch,
            seq: state.last_sequence,
            time: bits(state.last_timestamp.unix_timestamp_nanos()),
        };
        if let Some(known) = self.place {
            if known.epoch == epoch && known.seq <= last.seq && !self.differs(known, last).await? {
                return Ok(DeliverPolicy::ByStartSequence { start_sequence: known.seq + 1 });
            }
            tracing::warn!(
                stream = self.stream.spec().name,
                "not the stream this pod knew; followers are told"
            );
        }
        // A new incarnation, or one that this pod saw begin, is news from its start.
        let is_new = self.place.map_or(self.was_missing, |known| known.epoch != epoch);
        let first = state.first_sequence.max(1);
        let head = match (is_state, is_new) {
            (true, _) => Position { seq: 0, time: TimeBits::UNKNOWN, ..last },
            (false, true) => Position { seq: first - 1, time: TimeBits::UNKNOWN, ..last },
            (false, false) => last,
        };
        let load_to = if state.messages == 0 { 0 } else { state.last_sequence };
        self.sequencer.send(Upstream::Start { stream: self.stream, head, load_to }).await?;
        self.place = Some(head);
        Ok(if is_state {
            DeliverPolicy::LastPerSubject
        } else {
            DeliverPolicy::ByStartSequence { start_sequence: head.seq + 1 }
        })
    }

    /// Whether the message at our sequence is another one than the one we saw.
    async fn differs(&self, known: Position, last: Position) -> Result<bool, AnyError> {
        if known.time == TimeBits::UNKNOWN {
            return Ok(false);
        }
        if known.seq == last.seq {
            return Ok(known.time.contradicts(last.time));
        }
        let stream = self.nats.jetstream().get_stream_no_info(self.stream.spec().name).await?;
        match stream.direct_get(known.seq).await {
            Ok(message) => Ok(known.time.contradicts(bits(message.time.unix_timestamp_nanos()))),
            // A message that is no longer there cannot contradict.
            Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Hands one message on; false when the sequencer is gone.
    async fn take(&mut self, place: Place, message: async_nats::Message) -> bool {
        let async_nats::Message { subject, headers, payload, .. } = message;
        self.metrics.ingested(self.stream);
        let is_handed_on = match message::read(place, &subject, headers.as_ref(), payload) {
            Ok(event) => {
                let share = self.room.take(event.size_bytes()).await;
                self.sequencer.send(Upstream::Message(event, share)).await.is_ok()
            }
            Err(error) => {
                // A publisher may put anything but white space into a subject.
                let subject = subject.escape_debug();
                tracing::warn!(%subject, seq = place.seq, %error, "an event is dropped");
                self.metrics.invalid();
                true
            }
        };
        // After the wait above: a lost connection ends it there, and what was not handed on must come again.
        if let Some(known) = &mut self.place {
            known.seq = place.seq;
            known.time = bits(place.unix_nanos);
        }
        is_handed_on
    }
}

fn bits(unix_nanos: i128) -> TimeBits {
    TimeBits::of_unix_ms(unix_nanos / 1_000_000)
}
