//! The newest events of one stream, bounded in bytes.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::event::Event;
use crate::position::{Position, TimeBits};

/// Events that are measured again with each that is added: wire forms are made after an event was added, mostly soon. All of
/// a full ring is measured several times before it is replaced.
const MEASURED_WITH_EACH: usize = 4;

/// Events in the order of their sequences, and where the stream stands.
#[derive(Debug)]
pub struct Ring {
    events: VecDeque<Measured>,
    /// As measured.
    size_bytes: usize,
    size_max: usize,
    /// Index of the event that is measured next.
    measured_next: usize,
    /// Every event up to this sequence is not, or no longer, here.
    evicted_seq: u64,
    head: Position,
    known: bool,
}

/// An event and its size when that was looked at last.
#[derive(Debug)]
struct Measured {
    event: Arc<Event>,
    size_bytes: usize,
}

impl Ring {
    /// Holds at most `size_max` bytes, but always the newest event.
    pub fn new(size_max: usize) -> Self {
        Self {
            events: VecDeque::new(),
            size_bytes: 0,
            size_max,
            measured_next: 0,
            evicted_seq: 0,
            head: Position::default(),
            known: false,
        }
    }

    /// Empty again, after `head`.
    pub fn restart(&mut self, head: Position) {
        self.events.clear();
        self.size_bytes = 0;
        self.evicted_seq = head.seq;
        self.head = head;
        self.known = true;
    }

    /// Whether the stream was ever there.
    pub fn is_known(&self) -> bool {
        self.known
    }

    /// The newest place.
    pub fn head(&self) -> Position {
        self.head
    }

    /// Every event up to this sequence is not here.
    pub fn evicted_seq(&self) -> u64 {
        self.evicted_seq
    }

    /// Notes the newest place. A value of state that was held back is none.
    pub fn advance(&mut self, event: &Event) {
        if event.seq > self.head.seq {
            self.head.seq = event.seq;
            self.head.time = event.time_bits;
        }
    }

    /// Adds the newest event.
    pub fn push(&mut self, event: Arc<Event>) {
        let size_bytes = event.size_bytes();
        self.size_bytes += size_bytes;
        self.events.push_back(Measured { event, size_bytes });
        self.measure(MEASURED_WITH_EACH);
    }

    /// Measures so many events again, from where the last call ended.
    pub fn measure(&mut self, count: usize) {
        for _ in 0..count.min(self.events.len()) {
            if self.measured_next >= self.events.len() {
                self.measured_next = 0;
            }
            let Measured { event, size_bytes } = &mut self.events[self.measured_next];
            self.size_bytes -= std::mem::replace(size_bytes, event.size_bytes());
            self.size_bytes += *size_bytes;
            self.measured_next += 1;
        }
    }

    /// Takes the oldest event out while the ring is over its size.
    pub fn pop_excess(&mut self) -> Option<Arc<Event>> {
        if self.size_bytes <= self.size_max || self.events.len() == 1 {
            return None;
        }
        let Measured { event, size_bytes } = self.events.pop_front()?;
        self.size_bytes -= size_bytes;
        self.measured_next = self.measured_next.saturating_sub(1);
        self.evicted_seq = event.seq;
        Some(event)
    }

    /// From the oldest to the newest.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Event>> {
        self.events.iter().map(|measured| &measured.event)
    }

    /// The time bits of the message at `seq`, where they are known.
    pub fn time_bits_at(&self, seq: u64) -> Option<TimeBits> {
        if seq == self.head.seq {
            return Some(self.head.time);
        }
        let index = self.events.binary_search_by_key(&seq, |measured| measured.event.seq).ok()?;
        Some(self.events[index].event.time_bits)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proto_schemas::Stream;

    use super::*;
    use crate::codec::Form;
    use crate::event::Message;
    use crate::position::Positions;

    const FORM: Form = Form { name: "test", carries_token: true, names_pattern: false };

    fn event(seq: u64) -> Arc<Event> {
        let message = Message {
            stream: Stream::App,
            seq,
            topic: "app.a".into(),
            event_type: "t".into(),
            time: "2026-01-01T00:00:00Z".into(),
            time_bits: TimeBits::UNKNOWN,
            trace: None,
            payload: Bytes::from_static(b"1"),
            removed: false,
        };
        Arc::new(Event::new(message, seq, Positions::default()))
    }

    fn held_bytes(ring: &Ring) -> usize {
        ring.iter().map(|event| event.size_bytes()).sum()
    }

    #[test]
    fn wire_forms_that_are_made_later_count_and_push_old_events_out() {
        let size_max = event(1).size_bytes() * 100;
        let mut ring = Ring::new(size_max);
        (1..=100).for_each(|seq| ring.push(event(seq)));
        assert!(ring.pop_excess().is_none());
        ring.iter().for_each(|event| drop(event.form(&FORM, None, || Bytes::from(vec![0; 2_000]))));
        assert!(held_bytes(&ring) > size_max);
        ring.measure(100);
        let mut gone = 0;
        while let Some(oldest) = ring.pop_excess() {
            gone += 1;
            assert_eq!((oldest.seq, ring.evicted_seq()), (gone, gone));
        }
        assert!(gone > 50 && held_bytes(&ring) <= size_max, "{gone} are gone");

        // Nobody calls for it: what is added measures what is there.
        for seq in 101..200 {
            ring.push(event(seq));
            while ring.pop_excess().is_some() {}
            ring.iter().for_each(|event| drop(event.form(&FORM, None, || Bytes::from(vec![0; 2_000]))));
        }
        ring.measure(usize::MAX);
        assert_eq!(ring.size_bytes, held_bytes(&ring));
        assert!(held_bytes(&ring) <= size_max * 2, "{} of {size_max}", held_bytes(&ring));
    }
}
