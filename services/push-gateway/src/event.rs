//! One event in a pod: what came from NATS, its place in the pod's one order, and its wire forms, each made once.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use bytes::Bytes;
use chassis::TraceParent;
use proto_schemas::{Stream, TopicKind, TopicPattern};

use crate::codec::Form;
use crate::position::{Positions, TimeBits};

/// What an event costs in memory beyond its payload, topic and wire forms: the struct, its `Arc`, its places in rings and
/// channels.
const OVERHEAD_BYTES: usize = 512;
/// What a wire form costs beyond its bytes: where it is kept, and the count of those who hold them.
const FORM_OVERHEAD_BYTES: usize = size_of::<Made>() + 32;

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

impl Message {
    /// Bytes that it holds.
    pub fn size_bytes(&self) -> usize {
        size_bytes(&self.topic, &self.payload)
    }
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

    /// Bytes that it holds, with the wire forms made so far: it grows.
    pub fn size_bytes(&self) -> usize {
        size_bytes(&self.topic, &self.payload) + self.forms.size_bytes()
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

fn size_bytes(topic: &str, payload: &Bytes) -> usize {
    payload.len() + topic.len() + OVERHEAD_BYTES
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
    fn size_bytes(&self) -> usize {
        let made = std::iter::successors(self.0.get(), |made| made.next.0.get());
        made.map(|made| made.bytes.len() + FORM_OVERHEAD_BYTES).sum()
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    const FORMS: [Form; 2] = [
        Form { name: "one", carries_token: true, names_pattern: false },
        Form { name: "two", carries_token: false, names_pattern: true },
    ];

    #[test]
    fn an_event_counts_every_wire_form_that_it_holds_and_only_those() {
        let message = Message {
            stream: Stream::App,
            seq: 1,
            topic: "app.a".into(),
            event_type: "t".into(),
            time: "2026-01-01T00:00:00Z".into(),
            time_bits: TimeBits::UNKNOWN,
            trace: None,
            payload: Bytes::from(vec![b'1'; 1_000]),
            removed: false,
        };
        let bare = message.size_bytes();
        let event = Event::new(message, 1, Positions::default());
        assert_eq!(event.size_bytes(), bare);
        let encoded = || Bytes::from_static(&[0; 300]);
        let pattern: TopicPattern = "app.>".parse().unwrap();
        let mut size = bare;
        for (form, pattern) in [(&FORMS[0], None), (&FORMS[1], None), (&FORMS[1], Some(&pattern))] {
            size += 300 + FORM_OVERHEAD_BYTES;
            for _ in 0..2 {
                event.form(form, pattern, encoded);
                assert_eq!(event.size_bytes(), size, "{} {pattern:?}", form.name);
            }
        }
        for number in 0..FORMS_MAX {
            event.form(&FORMS[1], Some(&format!("app.{number}").parse().unwrap()), encoded);
        }
        let all = bare + FORMS_MAX * (300 + FORM_OVERHEAD_BYTES);
        assert_eq!(event.size_bytes(), all, "what is not kept is not counted");
    }
}
