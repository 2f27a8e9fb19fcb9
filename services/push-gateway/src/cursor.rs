//! What one session has seen, and the next frame for it: a merge over its subscriptions in the pod's order. Pure: no
//! sockets, no clock.
//!
//! While a session has seen everything in order, it gets each event's shared wire form, whose token is the pod's. So
//! does one that catches up, where that token is right for it: it mostly is while the ring has what is missing. Else its
//! frames carry a token of its own, made from its cursors, or none where its cursors within one stream differ so that no
//! single place says what it has seen.

mod candidate;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use candidate::{Candidate, Cursor, ask_again, candidate, start};
use proto_schemas::{Stream, TopicKind, TopicPattern};
use smallvec::SmallVec;

use crate::codec::{Codec, GapReason, Notice};
use crate::event::Event;
use crate::hub::{ChannelId, Follower, Hub};
use crate::position::{BadToken, Position, Positions, RESUMABLE, TimeBits, is_resumable};
use crate::upstream::block::{BlockCache, BlockKey};

#[derive(Debug)]
struct Subscription {
    channel: ChannelId,
    slot: usize,
    /// Where it began: what came before was never sent.
    began: u64,
    cursor: Cursor,
}

/// All subscriptions of one session.
#[derive(Debug, Default)]
pub struct Cursors {
    /// Most sessions follow one topic or two, and every flush reads them: in place, they are where the session is.
    subscriptions: SmallVec<[Subscription; 2]>,
    /// Highest place in the pod's order of what was sent, or where the session began.
    order: u64,
    /// The client may have seen more of a stream than the pod had when it came: the pod's tokens could lead it back.
    may_be_ahead: bool,
}

/// A copy of [`Cursors`]' changing part.
#[derive(Debug, Default)]
pub struct Saved {
    cursors: Vec<Cursor>,
    order: u64,
}

/// What comes next for a session.
#[derive(Debug)]
pub enum Next<'a> {
    /// An event.
    Event {
        /// It.
        event: &'a Arc<Event>,
        /// Its frame.
        bytes: Bytes,
        /// It came while the session was there; else it is made up for.
        is_live: bool,
        /// Nothing is after it; else nobody has looked.
        is_last: bool,
    },
    /// A gap, with its reason.
    Gap(GapReason, Bytes),
    /// Another notice.
    Notice(Bytes),
    /// This part of a stream must be read back first.
    Wait(BlockKey),
    /// Nothing: the session has seen everything.
    Nothing,
}

impl Cursors {
    /// Reads what [`Self::next`] needs, and nothing else.
    pub fn touch(&self) {
        for subscription in &self.subscriptions {
            black_box((subscription.channel, subscription.cursor.seq, subscription.cursor.wanted.is_some()));
        }
    }

    /// Follows `topics` from `since`, or from now. Returns whether it continues exactly where the client left off.
    ///
    /// Topics that are followed already go on; one of which nothing was sent yet begins at `since`.
    pub fn subscribe(
        &mut self,
        session: usize,
        topics: &[TopicPattern],
        since: Option<&Result<Positions, BadToken>>,
        hub: &mut Hub,
    ) -> bool {
        let mut resumed = matches!(since, Some(Ok(_)));
        if self.subscriptions.is_empty() {
            self.order = hub.head_order();
        }
        for topic in topics {
            if let Some(index) = self.find(topic, hub) {
                let Subscription { channel, began, cursor, .. } = &mut self.subscriptions[index];
                resumed &= ask_again(cursor, *began, hub.channel(*channel), since, hub);
                self.may_be_ahead |= cursor.is_ahead(topic.stream(), hub);
                continue;
            }
            let cursor = start(topic.stream(), since, hub);
            resumed &= cursor.gap.is_none();
            self.may_be_ahead |= cursor.is_ahead(topic.stream(), hub);
            let follower = Follower { session, subscription: self.subscriptions.len() };
            let (channel, slot) = hub.follow(topic, follower);
            let cursor = Cursor { generation: hub.channel(channel).generation(), ..cursor };
            self.subscriptions.push(Subscription { channel, slot, began: cursor.seq, cursor });
        }
        resumed
    }

    /// Follows `topic` no more. Calls `moved` for each follower whose slot changed: (session, subscription, slot).
    pub fn unsubscribe(
        &mut self,
        session: usize,
        topic: &TopicPattern,
        hub: &mut Hub,
        moved: impl FnMut(Follower, usize),
    ) {
        if let Some(index) = self.find(topic, hub) {
            self.remove(session, index, hub, moved);
        }
    }

    /// Follows nothing any more.
    pub fn clear(&mut self, session: usize, hub: &mut Hub, mut moved: impl FnMut(Follower, usize)) {
        while !self.subscriptions.is_empty() {
            self.remove(session, self.subscriptions.len() - 1, hub, &mut moved);
        }
    }

    fn remove(
        &mut self,
        session: usize,
        index: usize,
        hub: &mut Hub,
        mut moved: impl FnMut(Follower, usize),
    ) {
        let gone = self.subscriptions.remove(index);
        if let Some(follower) = hub.unfollow(gone.channel, gone.slot) {
            moved(follower, gone.slot);
        }
        // Later subscriptions of this session have a new index; their channels must know it.
        for (place, subscription) in self.subscriptions.iter().enumerate().skip(index) {
            hub.renumber(subscription.channel, subscription.slot, Follower { session, subscription: place });
        }
    }

    /// A follower's slot in its channel changed.
    pub fn set_slot(&mut self, subscription: usize, slot: usize) {
        self.subscriptions[subscription].slot = slot;
    }

    fn find(&self, topic: &TopicPattern, hub: &Hub) -> Option<usize> {
        self.subscriptions.iter().position(|one| hub.channel(one.channel).pattern() == topic)
    }

    /// Where the subscription to `topic` stands.
    pub fn place(&self, topic: &TopicPattern, hub: &Hub) -> Option<Position> {
        let Cursor { seq, time, wanted, .. } = self.subscriptions[self.find(topic, hub)?].cursor;
        let head = hub.head(topic.stream());
        let is_state = topic.stream().spec().kind == TopicKind::State;
        let place = if is_state { head } else { Position { epoch: head.epoch, seq, time } };
        Some(wanted.unwrap_or(place))
    }

    /// Topics followed, as subscribed.
    pub fn topics<'a>(&'a self, hub: &'a Hub) -> impl Iterator<Item = &'a TopicPattern> {
        self.subscriptions.iter().map(|one| hub.channel(one.channel).pattern())
    }

    /// A part that the session waits for was read back.
    pub fn note_read(&mut self, key: BlockKey, hub: &Hub) {
        for subscription in &mut self.subscriptions {
            let stream = hub.channel(subscription.channel).pattern().stream();
            let cursor = &mut subscription.cursor;
            if cursor.verify && BlockKey::of(stream, cursor.seq) == key {
                cursor.reads = cursor.reads.saturating_add(1);
            }
        }
    }

    /// Copies what [`Cursors::next`] changes.
    pub fn save(&self, into: &mut Saved) {
        into.cursors.clear();
        into.cursors.extend(self.subscriptions.iter().map(|one| one.cursor));
        into.order = self.order;
    }

    /// Undoes what [`Cursors::next`] changed since `saved`. No subscription may have come or gone in between.
    pub fn restore(&mut self, saved: &Saved) {
        for (subscription, cursor) in self.subscriptions.iter_mut().zip(&saved.cursors) {
            subscription.cursor = *cursor;
        }
        self.order = saved.order;
    }

    /// Ranks between the cursors and the newest events, summed over streams: how far the session is behind.
    pub fn lag_events(&self, hub: &Hub) -> u64 {
        Stream::ALL
            .into_iter()
            .map(|stream| {
                let of_stream = self.subscriptions.iter().filter_map(|one| {
                    let channel = hub.channel(one.channel);
                    let is_pending = channel.pattern().stream() == stream && self.is_pending(one, hub);
                    is_pending.then(|| hub.head_rank(stream).saturating_sub(one.cursor.seq))
                });
                of_stream.max().unwrap_or(0)
            })
            .sum()
    }

    /// Age of the oldest event that is held here and was not sent: how far the session is behind in time.
    pub fn lag_seconds(&self, hub: &Hub, now: Instant) -> f64 {
        let oldest = self.subscriptions.iter().filter(|one| !one.cursor.ended).filter_map(|one| {
            let next = hub.channel(one.channel).next_after(one.cursor.seq)?;
            Some(now.saturating_duration_since(next.received_at).as_secs_f64())
        });
        oldest.fold(0.0, f64::max)
    }

    fn is_pending(&self, subscription: &Subscription, hub: &Hub) -> bool {
        let Cursor { seq, generation, ended, gap, snapshot_to, verify, .. } = subscription.cursor;
        let channel = hub.channel(subscription.channel);
        let is_behind = || {
            gap.is_some()
                || snapshot_to.is_some()
                || verify
                || seq > hub.head_rank(channel.pattern().stream())
                || generation != channel.generation()
                || seq < channel.evicted_seq()
                || channel.next_after(seq).is_some()
        };
        !ended && is_behind()
    }

    /// The place that says exactly what this session has seen; `None` where no place does.
    pub fn token(&self, hub: &Hub) -> Option<Positions> {
        let mut positions = hub.head_positions();
        for stream in RESUMABLE {
            if self.has_untold_gap(stream, hub) {
                // No place of any stream: who comes back with it is told then.
                positions.set(stream, Some(Position::default()));
                continue;
            }
            let (mut seen_to, mut sent_to) = (None::<(u64, TimeBits)>, 0);
            for subscription in &self.subscriptions {
                let channel = hub.channel(subscription.channel);
                if channel.pattern().stream() != stream {
                    continue;
                }
                let Cursor { seq, sent, time, wanted, .. } = subscription.cursor;
                if let Some(wanted) = wanted {
                    positions.set(stream, Some(wanted));
                    continue;
                }
                sent_to = sent_to.max(sent);
                if !self.is_pending(subscription, hub) {
                    continue;
                }
                let place = match channel.next_after(seq) {
                    Some(next) if seq >= channel.evicted_seq() && next.seq > seq + 1 => {
                        (next.seq - 1, hub.time_bits_at(stream, next.seq - 1).unwrap_or_default())
                    }
                    _ => (seq, time),
                };
                if seen_to.is_none_or(|(lowest, _)| place.0 < lowest) {
                    seen_to = Some(place);
                }
            }
            if let Some((seq, time)) = seen_to {
                if seq < sent_to {
                    return None;
                }
                positions.set(stream, Some(Position { epoch: hub.head(stream).epoch, seq, time }));
            }
        }
        Some(positions)
    }

    /// Whether a subscription of the stream has yet to be told of what it lost.
    fn has_untold_gap(&self, stream: Stream, hub: &Hub) -> bool {
        self.subscriptions.iter().any(|one| {
            let Cursor { gap, generation, wanted, .. } = one.cursor;
            let channel = hub.channel(one.channel);
            // The stream started anew, and this subscription has not been looked at since.
            let is_of_another = generation != channel.generation() && wanted.is_none();
            (gap.is_some() || is_of_another) && channel.pattern().stream() == stream
        })
    }

    /// The next frame, with the cursors moved past it.
    pub fn next<'a>(&mut self, hub: &'a Hub, blocks: &'a BlockCache, codec: &mut dyn Codec) -> Next<'a> {
        // Within a stream the lowest rank comes first, and nothing passes a part that must be read back; between
        // streams the pod's order decides.
        let mut of_stream: [Option<(&'a Arc<Event>, usize)>; Stream::ALL.len()] = Default::default();
        let mut waits: [Option<BlockKey>; Stream::ALL.len()] = Default::default();
        let (mut caught_up, mut may_have_more) = (true, false);
        for index in 0..self.subscriptions.len() {
            let subscription = &mut self.subscriptions[index];
            let event =
                match candidate(&mut subscription.cursor, hub.channel(subscription.channel), hub, blocks) {
                    Candidate::Nothing => continue,
                    Candidate::Ahead => {
                        caught_up = false;
                        continue;
                    }
                    Candidate::Wait(key) => {
                        caught_up = false;
                        waits[key.stream as usize] = Some(key);
                        continue;
                    }
                    Candidate::Gap { from, to, reason } => {
                        match self.gap(index, from, to, reason, hub, codec) {
                            Some(gap) => return gap,
                            None => {
                                may_have_more = true;
                                continue;
                            }
                        }
                    }
                    Candidate::SnapshotEnd => match self.snapshot_end(index, hub, codec) {
                        Some(bytes) => return Next::Notice(bytes),
                        None => {
                            may_have_more = true;
                            continue;
                        }
                    },
                    Candidate::History(event) => {
                        caught_up = false;
                        event
                    }
                    Candidate::Ring(event) => event,
                };
            may_have_more |= self.subscriptions[index].cursor.snapshot_to.is_some();
            let best = &mut of_stream[event.stream as usize];
            if best.as_ref().is_none_or(|(best, _)| event.rank < best.rank) {
                *best = Some((event, index));
            }
        }
        // Events read back have order 0 and so come before those of other streams.
        let free = of_stream.into_iter().zip(&waits).filter(|(_, wait)| wait.is_none());
        let next = free.filter_map(|(event, _)| event).min_by_key(|(event, _)| event.order);
        let Some((event, index)) = next else {
            return waits.into_iter().flatten().next().map_or(Next::Nothing, Next::Wait);
        };
        self.advance(event, hub);
        if self.may_be_ahead && event.order > 0 {
            self.may_be_ahead = self.is_ahead_of(&event.positions, hub);
        }
        let in_order = caught_up && !self.may_be_ahead && event.order > self.order;
        let is_last = in_order && !may_have_more && event.order == hub.head_order();
        // An event that was read back stood somewhere up to the head.
        self.order = self.order.max(if event.order == 0 { hub.head_order() } else { event.order });
        let form = codec.form();
        let followed = hub.channel(self.subscriptions[index].channel).pattern();
        let bytes = if in_order || !form.carries_token || self.is_told_by(event, hub) {
            let named = (form.names_pattern && followed.has_wildcard()).then_some(followed);
            event.form(form, named, || codec.event(event, followed, Some(&event.positions)))
        } else {
            codec.event(event, followed, self.token(hub).as_ref())
        };
        Next::Event { event, bytes, is_live: in_order, is_last }
    }

    /// Whether the event's own token, the pod's when the event came, says exactly what this session has seen: in each
    /// stream nothing that it follows lies between that place and its own.
    fn is_told_by(&self, event: &Event, hub: &Hub) -> bool {
        self.subscriptions.iter().all(|subscription| {
            let channel = hub.channel(subscription.channel);
            let stream = channel.pattern().stream();
            if !is_resumable(stream) {
                return true;
            }
            let Some(place) = event.positions.get(stream) else { return false };
            let Cursor { seq, generation, gap, verify, wanted, .. } = subscription.cursor;
            let is_settled =
                gap.is_none() && !verify && wanted.is_none() && generation == channel.generation();
            let (low, high, head) = (seq.min(place.seq), seq.max(place.seq), hub.head(stream));
            // Of what is no longer listed here, or not yet, nobody knows.
            let has_nothing_between = || {
                low >= channel.evicted_seq()
                    && high <= head.seq
                    && channel.next_after(low).is_none_or(|next| next.seq > high)
            };
            is_settled && place.epoch == head.epoch && (low == high || has_nothing_between())
        })
    }

    /// Whether the session has seen more of a stream than there is up to `positions`.
    fn is_ahead_of(&self, positions: &Positions, hub: &Hub) -> bool {
        self.subscriptions.iter().any(|one| {
            let stream = hub.channel(one.channel).pattern().stream();
            positions.get(stream).is_some_and(|place| one.cursor.seq > place.seq)
        })
    }

    /// Moves every subscription of the event's stream up to it: nothing of theirs lies before it, unless they are ended.
    fn advance(&mut self, event: &Event, hub: &Hub) {
        for subscription in &mut self.subscriptions {
            let is_of_stream = hub.channel(subscription.channel).pattern().stream() == event.stream;
            let cursor = &mut subscription.cursor;
            if is_of_stream && !cursor.ended && cursor.seq < event.rank {
                cursor.seq = event.rank;
                cursor.sent = event.rank;
                cursor.time = event.time_bits;
            }
        }
    }

    fn gap(
        &mut self,
        index: usize,
        from: Option<u64>,
        to: Option<u64>,
        reason: GapReason,
        hub: &Hub,
        codec: &mut dyn Codec,
    ) -> Option<Next<'static>> {
        let subscription = &mut self.subscriptions[index];
        subscription.cursor.gap = None;
        if let Some(to) = to {
            subscription.cursor.seq = to;
            subscription.cursor.sent = to;
            subscription.cursor.time = TimeBits::UNKNOWN;
        }
        let pattern = hub.channel(subscription.channel).pattern();
        let end = hub.head(pattern.stream());
        let notice = Notice::Gap { topic: pattern.as_str(), from, to, reason, end };
        let bytes = codec.notice(&notice, self.token(hub).as_ref())?;
        self.subscriptions[index].cursor.ended = codec.ends_at_gap(pattern);
        Some(Next::Gap(reason, bytes))
    }

    fn snapshot_end(&mut self, index: usize, hub: &Hub, codec: &mut dyn Codec) -> Option<Bytes> {
        let subscription = &mut self.subscriptions[index];
        let to = subscription.cursor.snapshot_to.take().unwrap_or_default();
        subscription.cursor.seq = subscription.cursor.seq.max(to);
        let channel = hub.channel(subscription.channel);
        let notice = Notice::SnapshotEnd { topic: channel.pattern().as_str(), keys: channel.keys() };
        codec.notice(&notice, self.token(hub).as_ref())
    }
}

#[cfg(test)]
mod tests;
