//! The hub of one worker: a byte-bounded ring per stream, and channels that index it. Pure: no sockets, no encoding,
//! no clock; see `session.rs` and `worker/`.
//!
//! A *channel* is a pattern that at least one session of this worker follows. It lists the ring's events that match,
//! in order, and its followers. A follower is served from its own cursor, so a slow one costs a cursor and nothing
//! else; what the ring no longer holds is read back from the stream (see `upstream/history.rs`).

mod channel;
mod ring;
mod state_table;

use std::collections::HashMap;
use std::sync::Arc;

use proto_schemas::{Stream, TopicKind, TopicPattern};
use slab::Slab;

pub use channel::{Channel, Follower};
use ring::Ring;
use state_table::StateTable;

use crate::event::Event;
use crate::position::{Position, Positions, RESUMABLE, TimeBits};

/// Events of each ring that are measured at once: some 0.1 ms.
const MEASURED_AT_ONCE: usize = 1_024;

/// Index of a channel in its hub.
pub type ChannelId = usize;

/// See the module.
#[derive(Debug)]
pub struct Hub {
    rings: [Ring; Stream::ALL.len()],
    state: StateTable,
    state_load_to: u64,
    /// Of the newest value.
    state_rank: u64,
    channels: Slab<Channel>,
    /// Text of the pattern -> channel; a subject without wildcards is a pattern of its own.
    by_pattern: HashMap<Box<str>, ChannelId>,
    /// Channels with a wildcard, by stream: an event is matched against each of its stream's.
    wildcards: [Vec<ChannelId>; Stream::ALL.len()],
    /// Place in the pod's order of the newest event.
    head_order: u64,
}

impl Hub {
    /// An empty hub whose rings hold `ring_size_max` bytes each.
    pub fn new(ring_size_max: usize) -> Self {
        Self {
            rings: std::array::from_fn(|_| Ring::new(ring_size_max)),
            state: StateTable::default(),
            state_load_to: 0,
            state_rank: 0,
            channels: Slab::new(),
            by_pattern: HashMap::new(),
            wildcards: Default::default(),
            head_order: 0,
        }
    }

    /// The channel.
    pub fn channel(&self, id: ChannelId) -> &Channel {
        &self.channels[id]
    }

    /// The newest place in `stream`.
    pub fn head(&self, stream: Stream) -> Position {
        self.rings[stream as usize].head()
    }

    /// The highest rank of `stream` so far.
    pub fn head_rank(&self, stream: Stream) -> u64 {
        match stream.spec().kind {
            TopicKind::State => self.state_rank,
            TopicKind::Ordered | TopicKind::Tail => self.head(stream).seq,
        }
    }

    /// The rank up to which a snapshot of the state goes: what the pod has, or any while it is told what is there.
    pub fn snapshot_rank(&self) -> u64 {
        if self.is_loading_state() { u64::MAX } else { self.state_rank }
    }

    /// Whether the pod is still being told the values that are there.
    pub fn is_loading_state(&self) -> bool {
        self.head(Stream::State).seq < self.state_load_to
    }

    /// Where a client stands that has seen everything. A stream that is not known has epoch 0, which no stream has.
    pub fn head_positions(&self) -> Positions {
        let mut positions = Positions::default();
        for stream in RESUMABLE {
            let ring = &self.rings[stream as usize];
            positions.set(stream, Some(ring.head()));
        }
        positions
    }

    /// Last place in the pod's order.
    pub fn head_order(&self) -> u64 {
        self.head_order
    }

    /// The stream starts at `head` for this pod, in the incarnation of its epoch. Whatever was held of another
    /// incarnation is dropped; followers find out by their channel's generation.
    ///
    /// `load_to` is the last sequence of the values that are there, for state; they follow as events.
    pub fn start(&mut self, stream: Stream, head: Position, load_to: u64) {
        let ring = &mut self.rings[stream as usize];
        let is_another = ring.is_known();
        ring.restart(head);
        if stream.spec().kind == TopicKind::State {
            self.state = StateTable::default();
            self.state_load_to = load_to;
        }
        for (_, channel) in
            self.channels.iter_mut().filter(|(_, channel)| channel.pattern().stream() == stream)
        {
            channel.restart(head.seq, is_another);
        }
    }

    /// Whether `stream` was ever there.
    pub fn is_known(&self, stream: Stream) -> bool {
        self.rings[stream as usize].is_known()
    }

    /// Takes an event in and returns the channels that it is listed in now.
    ///
    /// Cost: O(wildcard patterns of the stream).
    pub fn append(&mut self, event: &Arc<Event>, matched: &mut Vec<ChannelId>) {
        self.head_order = event.order;
        self.matching(event, matched);
        let kind = event.stream.spec().kind;
        for id in matched.iter() {
            self.channels[*id].push(Arc::clone(event), kind);
        }
        let ring = &mut self.rings[event.stream as usize];
        ring.advance(event);
        if kind == TopicKind::State {
            self.state_rank = event.rank;
            if let Some(forgotten) = self.state.insert(Arc::clone(event)) {
                for (_, channel) in self.channels.iter_mut() {
                    channel.forget_removed(&forgotten);
                }
            }
        } else {
            ring.push(Arc::clone(event));
            self.evict(event.stream);
        }
    }

    /// Looks at the size of some events again: their wire forms are made when they are sent, which may be late.
    pub fn measure(&mut self) {
        for stream in Stream::ALL {
            self.rings[stream as usize].measure(MEASURED_AT_ONCE);
            self.evict(stream);
        }
    }

    fn evict(&mut self, stream: Stream) {
        let mut listed = Vec::new();
        while let Some(event) = self.rings[stream as usize].pop_excess() {
            self.matching(&event, &mut listed);
            for id in listed.drain(..) {
                self.channels[id].evict(&event);
            }
        }
    }

    fn matching(&self, event: &Event, out: &mut Vec<ChannelId>) {
        out.clear();
        if let Some(id) = self.by_pattern.get(event.topic.as_ref()) {
            out.push(*id);
        }
        let wildcards = &self.wildcards[event.stream as usize];
        out.extend(wildcards.iter().filter(|id| self.channels[**id].pattern().matches(&event.topic)));
    }

    /// Adds a follower and returns its channel and its slot there.
    pub fn follow(&mut self, pattern: &TopicPattern, follower: Follower) -> (ChannelId, usize) {
        let id = match self.by_pattern.get(pattern.as_str()) {
            Some(id) => *id,
            None => self.create(pattern),
        };
        (id, self.channels[id].add(follower))
    }

    fn create(&mut self, pattern: &TopicPattern) -> ChannelId {
        let ring = &self.rings[pattern.stream() as usize];
        let mut channel = Channel::new(pattern.clone(), ring.evicted_seq());
        if pattern.stream().spec().kind == TopicKind::State {
            channel.fill_state(&self.state);
        } else {
            channel.fill(ring.iter());
        }
        let id = self.channels.insert(channel);
        self.by_pattern.insert(pattern.as_str().into(), id);
        if pattern.has_wildcard() {
            self.wildcards[pattern.stream() as usize].push(id);
        }
        id
    }

    /// Removes a follower; returns the follower that moved into its slot, if any. A channel without followers goes.
    pub fn unfollow(&mut self, id: ChannelId, slot: usize) -> Option<Follower> {
        let moved = self.channels[id].remove(slot);
        if self.channels[id].followers().is_empty() {
            let channel = self.channels.remove(id);
            self.by_pattern.remove(channel.pattern().as_str());
            self.wildcards[channel.pattern().stream() as usize].retain(|other| *other != id);
        }
        moved
    }

    /// A follower's subscription has a new index in its session.
    pub fn renumber(&mut self, id: ChannelId, slot: usize, follower: Follower) {
        self.channels[id].set_follower(slot, follower);
    }

    /// Who follows exactly `pattern`.
    pub fn followers_of(&self, pattern: &TopicPattern) -> &[Follower] {
        self.by_pattern.get(pattern.as_str()).map_or(&[], |id| self.channels[*id].followers())
    }

    /// The time bits of the message at `seq`, where this pod knows them.
    pub fn time_bits_at(&self, stream: Stream, seq: u64) -> Option<TimeBits> {
        self.rings[stream as usize].time_bits_at(seq)
    }
}
