//! One event in a pod: what came from NATS, its place in the pod's one order, and its wire forms, each made once.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use bytes::Bytes;
use chassis::TraceParent;
use proto_schemas::{Stream, TopicKind, TopicPattern};

use crate::codec::Form;
use crate::position::{Positions, TimeBits};

/// What an event costs in memory beyond its payload and topic: the struct, its `Arc`, two wire forms' overhead.
const OVERHEAD_BYTES: usize = 512;

/// An event as all sessions of a pod share it.
#[derive(Debug)]
pub struct Event {
    /// Place in the pod's order, from 1; 0 for one that was read back from its stream.
    pub order: u64,
    /// Stream that carries it.
    pub stream: Stream,
    /// Its sequence there.
    pub seq: u64,
    /// What cursors count by within its stream: the sequence; of state the pod's order, since a value that was held back
    /// leaves after later ones of other keys.
    pub rank: u64,
    /// Subject.
    pub topic: Box<str>,
    /// Event type; `removed` for a state key that ended.
    pub event_type: Box<str>,
    /// RFC 3339, UTC.
    pub time: Box<str>,
    /// Of the message's time in its stream.
    pub time_bits: TimeBits,
    /// The request that made it.
    pub trace: Option<TraceParent>,
    /// One JSON value; the pod copies it.
    pub payload: Bytes,
    /// A state key that ended.
    pub removed: bool,
    /// Where a client stands that has seen everything up to this event in the pod's order.
    pub positions: Positions,
    /// When the pod got it.
    pub received_at: Instant,
    superseded: AtomicBool,
    forms: Forms,
}

/// What an event is made from.
#[derive(Debug)]
pub struct Message {
    /// Stream that carries it.
    pub stream: Stream,
    /// Its sequence there.
    pub seq: u64,
    /// Subject.
    pub topic: Box<str>,
    /// Event type.
    pub event_type: Box<str>,
    /// RFC 3339, UTC.
    pub time: Box<str>,
    /// Of the message's time in its stream.
    pub time_bits: TimeBits,
    /// The request that made it.
    pub trace: Option<TraceParent>,
    /// One JSON value.
    pub payload: Bytes,
    /// A state key that ended.
    pub removed: bool,
}

impl Event {
    /// Gives a message its place.
    pub fn new(message: Message, order: u64, positions: Positions) -> Self {
        let Message { stream, seq, topic, event_type, time, time_bits, trace, payload, removed } = message;
        let rank = if stream.spec().kind == TopicKind::State { order } else { seq };
        Self {
            order,
            stream,
            seq,
            rank,
            topic,
            event_type,
            time,
            time_bits,
            trace,
            payload,
            removed,
            positions,
            received_at: Instant::now(),
            superseded: AtomicBool::new(false),
            forms: Forms::default(),
        }
    }

    /// Bytes that it holds in a ring.
    pub fn size_bytes(&self) -> usize {
        self.payload.len() * 2 + self.topic.len() + OVERHEAD_BYTES
    }

    /// The wire form with the pod's token, made by `encode` the first time; `pattern` where the form names it.
    pub fn form(
        &self,
        form: &'static Form,
        pattern: Option<&TopicPattern>,
        encode: impl FnOnce() -> Bytes,
    ) -> Bytes {
        self.forms.get(form, pattern.map(TopicPattern::as_str), encode)
    }

    /// A newer value of the same state key is in the pod.
    pub fn supersede(&self) {
        self.superseded.store(true, Ordering::Relaxed);
    }

    /// Whether a newer value of the same state key is in the pod; only ever true for state.
    pub fn is_superseded(&self) -> bool {
        self.superseded.load(Ordering::Relaxed)
    }
}

/// Wire forms kept with an event; one more is made for each session anew. Clients of one pod speak few protocols, but
/// may follow any number of patterns.
const FORMS_MAX: usize = 8;

/// The wire forms made so far, in the order of their making: most events have one or two.
#[derive(Debug, Default)]
struct Forms(OnceLock<Box<Made>>);

#[derive(Debug)]
struct Made {
    form: &'static Form,
    pattern: Option<Box<str>>,
    bytes: Bytes,
    next: Forms,
}

impl Forms {
    fn get(&self, form: &'static Form, pattern: Option<&str>, encode: impl FnOnce() -> Bytes) -> Bytes {
        let mut place = self;
        let mut encode = Some(encode);
        for _ in 0..FORMS_MAX {
            let made = place.0.get_or_init(|| {
                // Only the last place is empty, and it is found once.
                let bytes = encode.take().map(|encode| encode()).unwrap_or_default();
                Box::new(Made { form, pattern: pattern.map(Into::into), bytes, next: Self::default() })
            });
            if made.form.name == form.name && made.pattern.as_deref() == pattern {
                return made.bytes.clone();
            }
            place = &made.next;
        }
        encode.take().map(|encode| encode()).unwrap_or_default()
    }
}
