//! Where a subscription starts, and what it can give next: from the ring, from a part that was read back, or a word
//! about what is missing.

use std::sync::Arc;

use proto_schemas::contract::Owner;
use proto_schemas::{Stream, TopicKind, TopicPattern};

use crate::codec::GapReason;
use crate::event::Event;
use crate::hub::{Channel, Hub};
use crate::position::{BadToken, Position, Positions, TimeBits, is_resumable};
use crate::upstream::block::{Block, BlockCache, BlockKey};

/// Everything that changes while a subscription is served; small, so that a flush can be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Matching events up to this sequence were sent; of state, up to this rank.
    pub(super) seq: u64,
    /// Nothing after this sequence was sent; lower than `seq` where what lies between does not match.
    pub(super) sent: u64,
    /// Of the message at `seq`, where known.
    pub(super) time: TimeBits,
    /// The channel's generation that `seq` belongs to.
    pub(super) generation: u32,
    /// The client was told that the subscription ended: nothing comes until it subscribes again.
    pub(super) ended: bool,
    /// A gap to tell before anything else.
    pub(super) gap: Option<GapReason>,
    /// State: a snapshot is under way that ends at this rank.
    pub(super) snapshot_to: Option<u64>,
    /// The message at `seq` is still to be compared with `time`.
    pub(super) verify: bool,
    /// How often the part around `seq` was read back for that.
    pub(super) reads: u8,
    /// Where the client wants to continue in a stream that this pod does not know yet.
    pub(super) wanted: Option<Position>,
}

/// A client may be this far ahead of the pod: its snapshot came straight from the store, or another pod was faster.
pub(super) const LEAD_MAX: u64 = 10_000;

/// A stream whose end, read twice, lies before the client's place has lost its end: the second read began after the
/// client came.
pub(super) const READS_DECIDE: u8 = 2;

/// What a subscription can give.
pub(super) enum Candidate<'a> {
    Nothing,
    Ring(&'a Arc<Event>),
    History(&'a Arc<Event>),
    Wait(BlockKey),
    /// The session has seen more of the stream than this pod.
    Ahead,
    Gap {
        from: Option<u64>,
        to: Option<u64>,
        reason: GapReason,
    },
    SnapshotEnd,
}

impl Cursor {
    /// Sees what comes after `head`.
    fn at(head: Position) -> Self {
        Self {
            seq: head.seq,
            sent: head.seq,
            time: head.time,
            generation: 0,
            ended: false,
            gap: None,
            snapshot_to: None,
            verify: false,
            reads: 0,
            wanted: None,
        }
    }

    /// Sees what comes after `head`, and nothing was sent before: a token may lie there, where the session is behind with
    /// another topic of the stream.
    fn now(head: Position) -> Self {
        Self { sent: 0, ..Self::at(head) }
    }

    /// Whether the client may have seen more of its stream than this pod has.
    pub(super) fn is_ahead(&self, stream: Stream, hub: &Hub) -> bool {
        self.wanted.is_some() || self.seq > hub.head_rank(stream)
    }

    fn with_gap(self, reason: GapReason) -> Self {
        Self { gap: Some(reason), ..self }
    }
}

/// Where a new subscription starts.
pub(super) fn start(stream: Stream, since: Option<&Result<Positions, BadToken>>, hub: &Hub) -> Cursor {
    let now = Cursor::now(hub.head(stream));
    match stream.spec().kind {
        TopicKind::State => return snapshot(hub),
        TopicKind::Tail => return now,
        TopicKind::Ordered => {}
    }
    match since {
        None => now,
        Some(Err(BadToken)) => now.with_gap(GapReason::BadToken),
        Some(Ok(positions)) => match positions.get(stream) {
            None => now,
            Some(wanted) if hub.is_known(stream) => resume(stream, wanted, hub),
            Some(wanted) => Cursor { wanted: Some(wanted), ..now },
        },
    }
}

/// Every key's newest value, then what changes.
fn snapshot(hub: &Hub) -> Cursor {
    Cursor { snapshot_to: Some(hub.snapshot_rank()), ..Cursor::at(Position::default()) }
}

/// Continues at `wanted`, or now, with a word, where that is no place in this stream.
fn resume(stream: Stream, wanted: Position, hub: &Hub) -> Cursor {
    let head = hub.head(stream);
    let known = hub.time_bits_at(stream, wanted.seq);
    let is_foreign = wanted.epoch != head.epoch
        || wanted.seq > head.seq + LEAD_MAX
        || known.is_some_and(|known| known.contradicts(wanted.time));
    if is_foreign {
        return Cursor::now(head).with_gap(GapReason::Reset);
    }
    // A store is ahead of its stream until it has told it all; any other place was in the stream once.
    let is_beyond = wanted.seq > head.seq && stream.spec().owner != Owner::KnowledgeBase;
    // Who stands before the first message has seen none that could be another one now.
    let verify = wanted.seq > 0 && known.is_none() && (wanted.time != TimeBits::UNKNOWN || is_beyond);
    Cursor { verify, ..Cursor::at(wanted) }
}

/// A topic that is followed since `began` is asked for again, from `since`. After a gap that ended the subscription it
/// goes on; where nothing was sent it begins there. Returns whether the client misses nothing that it asks for.
pub(super) fn ask_again(
    cursor: &mut Cursor,
    began: u64,
    channel: &Channel,
    since: Option<&Result<Positions, BadToken>>,
    hub: &Hub,
) -> bool {
    let generation = channel.generation();
    if cursor.ended && cursor.generation != generation {
        // The client is being told already that it does not continue where it left off.
        *cursor = Cursor { generation, gap: None, ..start_anew(cursor, channel, hub) };
    }
    cursor.ended = false;
    let stream = channel.pattern().stream();
    let Some(since) = since.filter(|_| is_resumable(stream)) else { return true };
    let is_seen = |wanted: Position| wanted.epoch == hub.head(stream).epoch && wanted.seq >= began;
    if since.is_ok_and(|positions| positions.get(stream).is_none_or(is_seen)) {
        return true;
    }
    let again = start(stream, Some(since), hub);
    if cursor.sent == 0 && cursor.gap.is_none() && again.gap.is_none() {
        *cursor = Cursor { generation, ..again };
    } else {
        // Going back now would tell events after later ones, and some of them twice.
        cursor.gap = cursor.gap.or(again.gap).or(Some(GapReason::Skipped));
    }
    cursor.gap.is_none()
}

/// What comes next for a subscription to `channel`; moves `cursor` over what does not match.
pub(super) fn candidate<'a>(
    cursor: &mut Cursor,
    channel: &'a Channel,
    hub: &Hub,
    blocks: &'a BlockCache,
) -> Candidate<'a> {
    if cursor.ended {
        return Candidate::Nothing;
    }
    let stream = channel.pattern().stream();
    let kind = stream.spec().kind;
    if cursor.generation != channel.generation() {
        *cursor = Cursor { generation: channel.generation(), ..start_anew(cursor, channel, hub) };
    }
    if let Some(reason) = cursor.gap {
        return Candidate::Gap { from: None, to: None, reason };
    }
    match kind {
        TopicKind::State => state_candidate(cursor, channel, hub),
        TopicKind::Tail if cursor.seq < channel.evicted_seq() => Candidate::Gap {
            from: Some(cursor.seq + 1),
            to: Some(channel.evicted_seq()),
            reason: GapReason::Skipped,
        },
        TopicKind::Tail => in_ring(cursor, channel),
        TopicKind::Ordered => ordered_candidate(cursor, channel, hub, blocks),
    }
}

/// The stream started (anew) for this pod.
fn start_anew(cursor: &Cursor, channel: &Channel, hub: &Hub) -> Cursor {
    let stream = channel.pattern().stream();
    if stream.spec().kind == TopicKind::State {
        return snapshot(hub);
    }
    let from_its_start = Cursor::now(Position { seq: channel.evicted_seq(), ..Position::default() });
    match cursor.wanted {
        _ if channel.is_another() => from_its_start.with_gap(GapReason::Reset),
        Some(wanted) => resume(stream, wanted, hub),
        None => from_its_start,
    }
}

fn in_ring<'a>(cursor: &Cursor, channel: &'a Channel) -> Candidate<'a> {
    channel.next_after(cursor.seq).map_or(Candidate::Nothing, Candidate::Ring)
}

fn state_candidate<'a>(cursor: &mut Cursor, channel: &'a Channel, hub: &Hub) -> Candidate<'a> {
    if cursor.snapshot_to.is_none() && cursor.seq < channel.evicted_seq() {
        cursor.seq = 0;
        cursor.snapshot_to = Some(hub.snapshot_rank());
    }
    // Where it ends is known only once the pod has been told the values that are there.
    cursor.snapshot_to = cursor.snapshot_to.map(|to| to.min(hub.snapshot_rank()));
    loop {
        let next = channel.next_after(cursor.seq);
        match (next, cursor.snapshot_to) {
            (Some(event), Some(to)) if event.rank <= to && event.removed => cursor.seq = event.rank,
            (Some(event), Some(to)) if event.rank <= to => return Candidate::Ring(event),
            (None, Some(_)) if hub.is_loading_state() => return Candidate::Nothing,
            (_, Some(_)) => return Candidate::SnapshotEnd,
            (Some(event), None) => return Candidate::Ring(event),
            (None, None) => return Candidate::Nothing,
        }
    }
}

fn ordered_candidate<'a>(
    cursor: &mut Cursor,
    channel: &'a Channel,
    hub: &Hub,
    blocks: &'a BlockCache,
) -> Candidate<'a> {
    let stream = channel.pattern().stream();
    if cursor.wanted.is_some() && !hub.is_known(stream) {
        return Candidate::Ahead;
    }
    let head = hub.head(stream);
    if cursor.verify {
        match verify(cursor, stream, hub, blocks) {
            Verified::Same => cursor.verify = false,
            Verified::Gone { to } => {
                cursor.verify = false;
                return Candidate::Gap { from: None, to: Some(to), reason: GapReason::Trimmed };
            }
            Verified::Unknown(key) => return Candidate::Wait(key),
            Verified::Another => {
                let generation = cursor.generation;
                *cursor = Cursor { generation, ..Cursor::now(head).with_gap(GapReason::Reset) };
                return Candidate::Gap { from: None, to: None, reason: GapReason::Reset };
            }
        }
    }
    if cursor.seq > head.seq {
        return Candidate::Ahead;
    }
    while cursor.seq < channel.evicted_seq() {
        let needed = cursor.seq + 1;
        let key = BlockKey::of(stream, needed);
        let Some(block) = blocks.get(key, needed) else { return Candidate::Wait(key) };
        if let Some(lost_to) = block.lost_to(needed) {
            return Candidate::Gap { from: Some(needed), to: Some(lost_to), reason: GapReason::Trimmed };
        }
        match next_in(block, cursor.seq, channel.pattern()) {
            // The stream may have got further than the pod; what is beyond the head comes by the ring, in its order.
            Some(event) if event.seq <= head.seq => return Candidate::History(event),
            _ => {
                cursor.seq = block.covers_to().min(head.seq);
                cursor.time = TimeBits::UNKNOWN;
            }
        }
    }
    in_ring(cursor, channel)
}

/// Whether the message at a client's place is the one that the client saw.
enum Verified {
    Same,
    /// The stream let it go, with everything up to `to`. It may have been another one, after a lost end, and so may what
    /// came before it: nobody knows where the loss begins.
    Gone {
        to: u64,
    },
    Another,
    Unknown(BlockKey),
}

fn verify(cursor: &Cursor, stream: Stream, hub: &Hub, blocks: &BlockCache) -> Verified {
    let key = BlockKey::of(stream, cursor.seq);
    let there = match hub.time_bits_at(stream, cursor.seq) {
        Some(there) => Some(there),
        None => match blocks.get(key, cursor.seq) {
            Some(block) => {
                if let Some(to) = block.lost_to(cursor.seq) {
                    return Verified::Gone { to };
                }
                block.time_bits_at(cursor.seq)
            }
            None if cursor.seq > hub.head(stream).seq && cursor.reads >= READS_DECIDE => {
                return Verified::Another;
            }
            None => return Verified::Unknown(key),
        },
    };
    if there.is_some_and(|there| there.contradicts(cursor.time)) { Verified::Another } else { Verified::Same }
}

fn next_in<'a>(block: &'a Block, seq: u64, pattern: &TopicPattern) -> Option<&'a Arc<Event>> {
    block.after(seq).iter().find(|event| pattern.matches(&event.topic))
}
