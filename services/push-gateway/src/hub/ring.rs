//! The newest events of one stream, bounded in bytes.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::event::Event;
use crate::position::{Position, TimeBits};

/// Events in the order of their sequences, and where the stream stands.
#[derive(Debug)]
pub struct Ring {
    events: VecDeque<Arc<Event>>,
    size_bytes: usize,
    size_max: usize,
    /// Every event up to this sequence is not, or no longer, here.
    evicted_seq: u64,
    head: Position,
    known: bool,
}

impl Ring {
    /// Holds at most `size_max` bytes, but always the newest event.
    pub fn new(size_max: usize) -> Self {
        let head = Position::default();
        Self { events: VecDeque::new(), size_bytes: 0, size_max, evicted_seq: 0, head, known: false }
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
        self.size_bytes += event.size_bytes();
        self.events.push_back(event);
    }

    /// Takes the oldest event out while the ring is over its size.
    pub fn pop_excess(&mut self) -> Option<Arc<Event>> {
        if self.size_bytes <= self.size_max || self.events.len() == 1 {
            return None;
        }
        let event = self.events.pop_front()?;
        self.size_bytes -= event.size_bytes();
        self.evicted_seq = event.seq;
        Some(event)
    }

    /// From the oldest to the newest.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Event>> {
        self.events.iter()
    }

    /// The time bits of the message at `seq`, where they are known.
    pub fn time_bits_at(&self, seq: u64) -> Option<TimeBits> {
        if seq == self.head.seq {
            return Some(self.head.time);
        }
        let index = self.events.binary_search_by_key(&seq, |event| event.seq).ok()?;
        Some(self.events[index].time_bits)
    }
}
