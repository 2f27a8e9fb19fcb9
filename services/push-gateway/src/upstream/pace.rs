//! How often state is told: the first value of a key and the first after a quiet time go out at once, what follows within the interval is
//! held until its end, and of each key only the newest. Flushing later is sending less.
//!
//! Each rule of [`MinIntervals`] has a lane of its own, so that a topic with a long interval holds no other back. Values
//! of different lanes therefore leave in another order than they came.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use proto_schemas::TopicPattern;

use super::intervals::MinIntervals;
use crate::event::Message;

/// Keys held at most in a lane, and their bytes; more end the interval early.
const HELD_KEYS_MAX: usize = 4_096;
/// See [`HELD_KEYS_MAX`].
const HELD_SIZE_MAX: usize = 4 * 1024 * 1024;
/// Places of replaced values that may stay, beside as many as there are keys.
const PLACES_MIN: usize = 64;

/// See the module.
#[derive(Debug)]
pub struct StatePace {
    /// In the order of the rules; the first that matches takes a value, the last one all that is left.
    lanes: Vec<Lane>,
    /// Values up to this sequence are those that were there already: they are not held.
    load_to: u64,
    /// Keys that have a value here. The first of each is not held, or a snapshot would lack a key that exists.
    told: HashSet<Box<str>>,
}

impl StatePace {
    /// Tells each key at most once in its interval; zero holds nothing.
    pub fn new(intervals: MinIntervals) -> Self {
        let rules = intervals.rules.into_iter().map(|(topic, interval)| Lane::new(Some(topic), interval));
        let lanes = rules.chain([Lane::new(None, intervals.otherwise)]).collect();
        Self { lanes, load_to: 0, told: HashSet::new() }
    }

    /// The stream starts anew: what is held is loaded again.
    pub fn restart(&mut self, load_to: u64) {
        self.load_to = load_to;
        self.told.clear();
        self.lanes.iter_mut().for_each(Lane::forget);
    }

    /// From now on with so many times each interval.
    pub fn set_factor(&mut self, factor: u32) {
        self.lanes.iter_mut().for_each(|lane| lane.factor = factor);
    }

    /// Takes a value in; pushes what is to be told now.
    pub fn take(&mut self, message: Message, now: Instant, out: &mut Vec<Message>) {
        let is_new = if message.removed {
            self.told.remove(&message.topic);
            false
        } else {
            !self.told.contains(&message.topic) && self.told.insert(message.topic.clone())
        };
        if message.seq <= self.load_to {
            return out.push(message);
        }
        let Some(lane) = self.lanes.iter_mut().find(|lane| lane.takes(&message.topic)) else { return };
        if is_new {
            lane.released_at.get_or_insert(now);
            return out.push(message);
        }
        lane.take(message, now, out);
    }

    /// When the first held values are to be told; `None` when there are none, or none was told yet.
    pub fn due(&self) -> Option<Instant> {
        self.lanes.iter().filter_map(Lane::due).min()
    }

    /// Pushes the held values that are due, in order within a lane.
    pub fn release(&mut self, now: Instant, out: &mut Vec<Message>) {
        let due = self.lanes.iter_mut().filter(|lane| lane.due().is_some_and(|due| due <= now));
        due.for_each(|lane| lane.release(now, out));
    }

    /// Values that newer ones replaced, since the last call.
    pub fn take_conflated(&mut self) -> u64 {
        self.lanes.iter_mut().map(|lane| std::mem::take(&mut lane.conflated)).sum()
    }
}

/// The keys of one rule.
#[derive(Debug)]
struct Lane {
    /// `None`: every key.
    topic: Option<TopicPattern>,
    interval: Duration,
    factor: u32,
    released_at: Option<Instant>,
    /// In the order of their sequences; `None` where a newer value of the key came.
    held: Vec<Option<Message>>,
    by_key: HashMap<Box<str>, usize>,
    held_bytes: usize,
    conflated: u64,
}

impl Lane {
    fn new(topic: Option<TopicPattern>, interval: Duration) -> Self {
        let (held, by_key) = (Vec::new(), HashMap::new());
        Self { topic, interval, factor: 1, released_at: None, held, by_key, held_bytes: 0, conflated: 0 }
    }

    fn takes(&self, key: &str) -> bool {
        self.topic.as_ref().is_none_or(|topic| topic.matches(key))
    }

    fn forget(&mut self) {
        self.released_at = None;
        self.held.clear();
        self.by_key.clear();
        self.held_bytes = 0;
    }

    fn take(&mut self, message: Message, now: Instant, out: &mut Vec<Message>) {
        if let Some(older) = self.by_key.insert(message.topic.clone(), self.held.len()) {
            self.held_bytes -= self.held[older].take().map_or(0, |older| older.size_bytes());
            self.conflated += 1;
        }
        self.held_bytes += message.size_bytes();
        self.held.push(Some(message));
        if self.held.len() > 2 * self.by_key.len() + PLACES_MIN {
            self.close_up();
        }
        let is_full = self.by_key.len() > HELD_KEYS_MAX || self.held_bytes > HELD_SIZE_MAX;
        if is_full || self.due().is_none_or(|due| due <= now) {
            self.release(now, out);
        }
    }

    /// Takes out the places of values that were replaced.
    fn close_up(&mut self) {
        self.held.retain(Option::is_some);
        for (place, message) in self.held.iter().enumerate() {
            if let Some(known) = message.as_ref().and_then(|message| self.by_key.get_mut(&message.topic)) {
                *known = place;
            }
        }
    }

    fn due(&self) -> Option<Instant> {
        self.released_at.filter(|_| !self.held.is_empty()).map(|at| at + self.interval * self.factor)
    }

    fn release(&mut self, now: Instant, out: &mut Vec<Message>) {
        self.released_at = Some(now);
        out.extend(self.held.drain(..).flatten());
        self.by_key.clear();
        self.held_bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proto_schemas::Stream;

    use super::*;
    use crate::position::TimeBits;

    const INTERVAL: Duration = Duration::from_millis(100);

    fn paced(otherwise: Duration) -> StatePace {
        StatePace::new(MinIntervals::parse("", otherwise).unwrap())
    }

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
        let (mut pace, start, mut out) = (paced(INTERVAL), Instant::now(), Vec::new());
        pace.take(value("state.a", 1), start, &mut out);
        assert_eq!(told(&mut out), [1], "the first goes out at once");
        for (seq, key) in [(2, "state.a"), (3, "state.b"), (4, "state.a"), (5, "state.b")] {
            pace.take(value(key, seq), start + INTERVAL / 2, &mut out);
        }
        assert_eq!(told(&mut out), [3], "so does the first of another key");
        assert_eq!(pace.due(), Some(start + INTERVAL));
        pace.release(start + INTERVAL, &mut out);
        assert_eq!((told(&mut out), pace.take_conflated(), pace.due()), (vec![4, 5], 1, None));
        pace.take(value("state.a", 6), start + INTERVAL * 3, &mut out);
        assert_eq!(told(&mut out), [6], "after a quiet time nothing waits");
    }

    #[test]
    fn what_was_there_at_the_start_is_not_held_and_a_restart_forgets_what_is() {
        let (mut pace, start, mut out) = (paced(INTERVAL), Instant::now(), Vec::new());
        pace.restart(3);
        for seq in 1..=3 {
            pace.take(value("state.a", seq), start, &mut out);
        }
        assert_eq!(told(&mut out), [1, 2, 3]);
        pace.take(value("state.a", 4), start, &mut out);
        pace.take(value("state.a", 5), start, &mut out);
        assert_eq!(told(&mut out), [4]);
        pace.restart(5);
        pace.release(start + INTERVAL, &mut out);
        assert!(out.is_empty());
    }

    #[test]
    fn a_topic_with_an_interval_of_its_own_is_told_by_that_and_holds_no_other_back() {
        let intervals = MinIntervals::parse("state.gpu.n1=0,state.gpu.>=300", INTERVAL).unwrap();
        let (mut pace, start, mut out) = (StatePace::new(intervals), Instant::now(), Vec::new());
        let keys = ["state.gpu.n2", "state.gpu.n1", "state.kb"];
        for (seq, key) in (1..).zip(keys.repeat(2)) {
            pace.take(value(key, seq), start, &mut out);
        }
        assert_eq!(told(&mut out), [1, 2, 3, 5], "the first of each, and all of the one without a rest");
        assert_eq!(pace.due(), Some(start + INTERVAL));
        pace.release(start + INTERVAL, &mut out);
        assert_eq!(told(&mut out), [6]);
        pace.take(value("state.kb", 7), start + INTERVAL * 2, &mut out);
        assert_eq!(told(&mut out), [7], "the one that is held meanwhile was published before");
        assert_eq!(pace.due(), Some(start + INTERVAL * 3));
        pace.set_factor(4);
        assert_eq!(pace.due(), Some(start + INTERVAL * 12), "memory is short");
        pace.release(start + INTERVAL * 12, &mut out);
        assert_eq!((told(&mut out), pace.due(), pace.take_conflated()), (vec![4], None, 0));
    }

    #[test]
    fn many_keys_end_the_interval_early() {
        let (mut pace, start, mut out) = (paced(INTERVAL), Instant::now(), Vec::new());
        let keys = HELD_KEYS_MAX as u64 + 2;
        for seq in 1..=2 * keys {
            pace.take(value(&format!("state.{}", seq % keys), seq), start, &mut out);
        }
        let held = |seq: &u64| *seq > keys;
        assert_eq!(told(&mut out).iter().filter(|seq| held(seq)).count(), HELD_KEYS_MAX + 1);
    }

    #[test]
    fn large_values_end_the_interval_early_unless_newer_ones_replace_them() {
        let (mut pace, start, mut out) = (paced(INTERVAL), Instant::now(), Vec::new());
        let mut take = |key: &str, seq| {
            let payload = Bytes::from(vec![b'1'; HELD_SIZE_MAX / 2]);
            pace.take(Message { payload, ..value(key, seq) }, start, &mut out);
            told(&mut out)
        };
        assert_eq!((take("state.a", 1), take("state.b", 2)), (vec![1], vec![2]));
        for seq in 3..10 {
            assert!(take("state.a", seq).is_empty(), "only the newest is held");
        }
        assert_eq!(take("state.b", 10), [9, 10]);
    }

    #[test]
    fn a_hot_key_takes_no_more_room_than_its_newest_value() {
        let (mut pace, start, mut out) = (paced(INTERVAL), Instant::now(), Vec::new());
        for seq in 1..10_000 {
            let key = if seq % 100 == 0 { "state.b" } else { "state.a" };
            pace.take(value(key, seq), start, &mut out);
        }
        assert!(pace.lanes[0].held.len() <= 2 * 2 + PLACES_MIN);
        out.clear();
        pace.release(start + INTERVAL, &mut out);
        assert_eq!(told(&mut out), [9_900, 9_999]);
    }

    #[test]
    fn without_an_interval_nothing_is_held() {
        let (mut pace, start, mut out) = (paced(Duration::ZERO), Instant::now(), Vec::new());
        for seq in 1..=3 {
            pace.take(value("state.a", seq), start, &mut out);
        }
        assert_eq!(told(&mut out), [1, 2, 3]);
    }
}
