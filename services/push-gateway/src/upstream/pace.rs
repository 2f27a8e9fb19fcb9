//! How often state is told: the first value after a quiet time goes out at once, what follows within the interval is
//! held until its end, and of each key only the newest. Flushing later is sending less.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::event::Message;

/// Keys held at most; one more ends the interval early.
const HELD_KEYS_MAX: usize = 4_096;

/// See the module.
#[derive(Debug)]
pub struct StatePace {
    interval: Duration,
    released_at: Option<Instant>,
    /// In the order of their sequences; `None` where a newer value of the key came.
    held: Vec<Option<Message>>,
    by_key: HashMap<Box<str>, usize>,
    /// Values up to this sequence are those that were there already: they are not held.
    load_to: u64,
    conflated: u64,
}

impl StatePace {
    /// Tells a key at most once in `interval`; zero holds nothing.
    pub fn new(interval: Duration) -> Self {
        let (held, by_key) = (Vec::new(), HashMap::new());
        Self { interval, released_at: None, held, by_key, load_to: 0, conflated: 0 }
    }

    /// The stream starts anew: what is held is loaded again.
    pub fn restart(&mut self, load_to: u64) {
        self.held.clear();
        self.by_key.clear();
        self.load_to = load_to;
    }

    /// From now on with this interval.
    pub fn set_interval(&mut self, interval: Duration) {
        self.interval = interval;
    }

    /// Takes a value in; pushes what is to be told now.
    pub fn take(&mut self, message: Message, now: Instant, out: &mut Vec<Message>) {
        if message.seq <= self.load_to {
            return out.push(message);
        }
        if let Some(older) = self.by_key.insert(message.topic.clone(), self.held.len()) {
            self.held[older] = None;
            self.conflated += 1;
        }
        self.held.push(Some(message));
        if self.due().is_none_or(|due| due <= now) || self.by_key.len() > HELD_KEYS_MAX {
            self.release(now, out);
        }
    }

    /// When the held values are to be told; `None` when there are none, or none was told yet.
    pub fn due(&self) -> Option<Instant> {
        self.released_at.filter(|_| !self.held.is_empty()).map(|at| at + self.interval)
    }

    /// Pushes the held values in order.
    pub fn release(&mut self, now: Instant, out: &mut Vec<Message>) {
        if !self.held.is_empty() {
            self.released_at = Some(now);
        }
        out.extend(self.held.drain(..).flatten());
        self.by_key.clear();
    }

    /// Values that newer ones replaced, since the last call.
    pub fn take_conflated(&mut self) -> u64 {
        std::mem::take(&mut self.conflated)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proto_schemas::Stream;

    use super::*;
    use crate::position::TimeBits;

    const INTERVAL: Duration = Duration::from_millis(100);

    fn value(key: &str, seq: u64) -> Message {
        Message {
            stream: Stream::State,
            seq,
            topic: key.into(),
            event_type: "t".into(),
            time: "2026-01-01T00:00:00Z".into(),
            time_bits: TimeBits::UNKNOWN,
            trace: None,
            payload: Bytes::from_static(b"1"),
            removed: false,
        }
    }

    fn told(out: &mut Vec<Message>) -> Vec<u64> {
        out.drain(..).map(|message| message.seq).collect()
    }

    #[test]
    fn a_fast_key_is_told_once_an_interval_and_its_newest_value_is_never_lost() {
        let (mut pace, start, mut out) = (StatePace::new(INTERVAL), Instant::now(), Vec::new());
        pace.take(value("state.a", 1), start, &mut out);
        assert_eq!(told(&mut out), [1], "the first goes out at once");
        for (seq, key) in [(2, "state.a"), (3, "state.b"), (4, "state.a")] {
            pace.take(value(key, seq), start + INTERVAL / 2, &mut out);
        }
        assert!(out.is_empty());
        assert_eq!(pace.due(), Some(start + INTERVAL));
        pace.release(start + INTERVAL, &mut out);
        assert_eq!((told(&mut out), pace.take_conflated(), pace.due()), (vec![3, 4], 1, None));
        pace.take(value("state.a", 5), start + INTERVAL * 3, &mut out);
        assert_eq!(told(&mut out), [5], "after a quiet time nothing waits");
    }

    #[test]
    fn what_was_there_at_the_start_is_not_held_and_a_restart_forgets_what_is() {
        let (mut pace, start, mut out) = (StatePace::new(INTERVAL), Instant::now(), Vec::new());
        pace.restart(3);
        for seq in 1..=3 {
            pace.take(value("state.a", seq), start, &mut out);
        }
        assert_eq!(told(&mut out), [1, 2, 3]);
        pace.take(value("state.a", 4), start, &mut out);
        pace.take(value("state.a", 5), start, &mut out);
        assert_eq!(told(&mut out), [4]);
        pace.restart(5);
        pace.release(start, &mut out);
        assert!(out.is_empty());
    }

    #[test]
    fn many_keys_end_the_interval_early() {
        let (mut pace, start, mut out) = (StatePace::new(INTERVAL), Instant::now(), Vec::new());
        for seq in 1..=HELD_KEYS_MAX as u64 + 2 {
            pace.take(value(&format!("state.{seq}"), seq), start, &mut out);
        }
        assert_eq!(out.len(), HELD_KEYS_MAX + 2);
    }

    #[test]
    fn without_an_interval_nothing_is_held() {
        let (mut pace, start, mut out) = (StatePace::new(Duration::ZERO), Instant::now(), Vec::new());
        for seq in 1..=3 {
            pace.take(value("state.a", seq), start, &mut out);
        }
        assert_eq!(told(&mut out), [1, 2, 3]);
    }
}
