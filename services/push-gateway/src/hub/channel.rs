//! A pattern that sessions follow: the ring's events that match it, and the followers.

use std::collections::VecDeque;
use std::sync::Arc;

use proto_schemas::{TopicKind, TopicPattern};

use super::state_table::StateTable;
use crate::event::Event;

/// A session that follows a channel, and which of its subscriptions does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Follower {
    /// Index of the session in its worker.
    pub session: usize,
    /// Index of the subscription in its session.
    pub subscription: usize,
}

/// An event with its rank beside it: a search touches the list and no event.
#[derive(Debug)]
struct Listed {
    rank: u64,
    event: Arc<Event>,
}

impl Listed {
    fn new(event: Arc<Event>) -> Self {
        Self { rank: event.rank, event }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Channel {
    pattern: TopicPattern,
    entries: VecDeque<Listed>,
    /// Matching events up to this sequence are not, or no longer, listed. For state it is a rank, and 0 until ended keys
    /// are forgotten: every key's newest value is listed.
    evicted_seq: u64,
    /// Rises when the stream starts anew for this pod.
    generation: u32,
    /// Whether the last start was of another incarnation, which followers must be told.
    is_another: bool,
    followers: Vec<Follower>,
    /// State entries listed; when twice as many as are current, the others are taken out.
    compact_at: usize,
}

const COMPACT_MIN: usize = 32;

impl Channel {
    /// Lists nothing yet; events up to `evicted_seq` are not to be had here.
    pub fn new(pattern: TopicPattern, evicted_seq: u64) -> Self {
        let is_state = pattern.stream().spec().kind == TopicKind::State;
        Self {
            pattern,
            entries: VecDeque::new(),
            evicted_seq: if is_state { 0 } else { evicted_seq },
            generation: 0,
            is_another: false,
            followers: Vec::new(),
            compact_at: COMPACT_MIN,
        }
    }

    /// What is followed.
    pub fn pattern(&self) -> &TopicPattern {
        &self.pattern
    }

    /// Matching events up to this sequence are not listed.
    pub fn evicted_seq(&self) -> u64 {
        self.evicted_seq
    }

    /// Rises when the stream starts anew for this pod.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Whether the last start was of another incarnation, which followers must be told.
    pub fn is_another(&self) -> bool {
        self.is_another
    }

    /// Who follows.
    pub fn followers(&self) -> &[Follower] {
        &self.followers
    }

    /// The first listed event after `rank` (see [`Event::rank`]) that still counts.
    ///
    /// Cost: O(1) where the channel lists all that its stream has; else O(log of how far `rank` is behind the newest):
    /// most sessions lack the last one or none, and the middle of a long list would be looked at for nothing.
    pub fn next_after(&self, rank: u64) -> Option<&Arc<Event>> {
        let is_seen = |index: usize| self.entries[index].rank <= rank;
        let length = self.entries.len();
        // No more events than ranks are after it.
        let ahead = self.entries.back()?.rank.saturating_sub(rank);
        let lowest = length.saturating_sub(usize::try_from(ahead).unwrap_or(usize::MAX));
        let first = if lowest < length && !is_seen(lowest) { lowest } else { self.search(lowest, is_seen) };
        self.entries.range(first..).map(|listed| &listed.event).find(|event| !event.is_superseded())
    }

    /// Index of the first that is not seen; it is not before `lowest`.
    fn search(&self, lowest: usize, is_seen: impl Fn(usize) -> bool) -> usize {
        let length = self.entries.len();
        let mut step = 1;
        while step < length && !is_seen(length - step) {
            step *= 2;
        }
        // What is before `low` is seen, and nothing from `high` on.
        let (mut low, mut high) = (length.saturating_sub(step).max(lowest), length - step / 2);
        while low < high {
            let middle = low.midpoint(high);
            if is_seen(middle) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Subjects that have a value now (state only).
    pub fn keys(&self) -> Vec<&str> {
        let events = self.entries.iter().map(|listed| &listed.event);
        let current = events.filter(|event| !event.is_superseded() && !event.removed);
        let mut keys: Vec<_> = current.map(|event| event.topic.as_ref()).collect();
        keys.sort_unstable();
        keys
    }

    pub(super) fn push(&mut self, event: Arc<Event>, kind: TopicKind) {
        self.entries.push_back(Listed::new(event));
        if kind == TopicKind::State && self.entries.len() >= self.compact_at {
            self.entries.retain(|listed| !listed.event.is_superseded());
            self.compact_at = COMPACT_MIN.max(self.entries.len() * 2);
        }
    }

    pub(super) fn fill<'a>(&mut self, events: impl Iterator<Item = &'a Arc<Event>>) {
        let matching = events.filter(|event| self.pattern.matches(&event.topic)).cloned();
        self.entries.extend(matching.map(Listed::new));
    }

    pub(super) fn fill_state(&mut self, state: &StateTable) {
        self.fill(state.iter());
        self.entries.make_contiguous().sort_unstable_by_key(|listed| listed.rank);
    }

    pub(super) fn evict(&mut self, event: &Event) {
        if self.entries.front().is_some_and(|oldest| oldest.event.seq == event.seq) {
            self.entries.pop_front();
        }
        self.evicted_seq = event.seq;
    }

    /// An ended key is forgotten: who has not seen its end needs a new snapshot.
    pub(super) fn forget_removed(&mut self, event: &Event) {
        if self.pattern.stream() == event.stream && self.pattern.matches(&event.topic) {
            self.evicted_seq = self.evicted_seq.max(event.rank);
        }
    }

    pub(super) fn restart(&mut self, evicted_seq: u64, is_another: bool) {
        self.entries.clear();
        let is_state = self.pattern.stream().spec().kind == TopicKind::State;
        self.evicted_seq = if is_state { 0 } else { evicted_seq };
        self.generation += 1;
        self.is_another = is_another;
    }

    pub(super) fn add(&mut self, follower: Follower) -> usize {
        self.followers.push(follower);
        self.followers.len() - 1
    }

    pub(super) fn set_follower(&mut self, slot: usize, follower: Follower) {
        self.followers[slot] = follower;
    }

    pub(super) fn remove(&mut self, slot: usize) -> Option<Follower> {
        self.followers.swap_remove(slot);
        self.followers.get(slot).copied()
    }
}
