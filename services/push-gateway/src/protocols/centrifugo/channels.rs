//! What one connection follows, and from where each channel can be continued. Pure: the worker's hub holds the cursors.
//!
//! A channel's position is (epoch, offset): the incarnation of its stream and a sequence there. A gap ends a subscription
//! with the request to subscribe anew; the position that led into the gap is remembered, so that the client, which names
//! it again, begins at the present instead of meeting the gap again.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use proto_schemas::{Stream, TopicKind, TopicPattern};

use super::messages::{SubscribeRequest, SubscribeResult};
use crate::codec::GapReason;
use crate::position::{Position, Positions, TimeBits, parse_epoch};

/// Channels that a connection follows at most: each is looked at for every frame.
pub const CHANNELS_MAX: usize = 128;

/// Who asked for a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The client did.
    Client,
    /// It came with the connection.
    Server,
}

/// A channel whose subscription ended by a gap.
#[derive(Debug)]
struct Lost {
    epoch: u64,
    /// Offsets that can still be continued from.
    held: RangeInclusive<u64>,
    /// Beats since then.
    beats: u8,
}

/// Where a client wants to continue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// `None`: none of ours.
    pub epoch: Option<u64>,
    /// Last offset seen.
    pub offset: u64,
}

impl Wanted {
    /// What the request asks for, if it does.
    pub fn of(request: &SubscribeRequest, topic: &TopicPattern) -> Option<Self> {
        let wanted = Self { epoch: parse_epoch(&request.epoch), offset: request.offset };
        (request.recover && is_recoverable(topic)).then_some(wanted)
    }

    /// As the hub takes it; the streams of state have no place among its positions.
    pub fn since(self, stream: Stream) -> Option<Positions> {
        let place = Position { epoch: self.epoch?, seq: self.offset, time: TimeBits::UNKNOWN };
        let mut positions = Positions::default();
        positions.set(stream, Some(place));
        Some(positions)
    }
}

/// Whether a client may come back to the channel with its position. What is kept for nobody cannot be continued.
pub fn is_recoverable(topic: &TopicPattern) -> bool {
    topic.stream().spec().kind != TopicKind::Tail
}

/// The epoch as clients store it.
pub fn epoch_text(epoch: u64) -> String {
    format!("{epoch:016x}")
}

/// What a client is told of a subscription that begins, or continues, at `place`.
pub fn begun(
    topic: &TopicPattern,
    wanted: Option<Wanted>,
    resumed: bool,
    place: Position,
) -> SubscribeResult {
    let is_kept = is_recoverable(topic);
    let recovered = wanted.is_some_and(|wanted| match topic.stream().spec().kind {
        // The values of now follow whatever the client has seen.
        TopicKind::State => wanted.epoch == Some(place.epoch) && wanted.offset <= place.seq,
        _ => resumed,
    });
    let offset = match wanted {
        Some(wanted) if recovered => wanted.offset,
        _ => place.seq,
    };
    SubscribeResult {
        recoverable: is_kept,
        positioned: is_kept,
        epoch: if is_kept { epoch_text(place.epoch) } else { String::new() },
        offset: if is_kept { offset } else { 0 },
        recovered,
        was_recovering: wanted.is_some(),
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Channels {
    followed: BTreeMap<TopicPattern, Option<Lost>>,
    by_server: Option<TopicPattern>,
    /// Positions that led into a gap, of channels that are not followed any more.
    ended: BTreeMap<TopicPattern, Lost>,
    /// The streams' ends as the gateway told them last.
    ends: Positions,
}

impl Channels {
    /// How many are followed.
    pub fn count(&self) -> usize {
        self.followed.len() + usize::from(self.by_server.is_some())
    }

    /// Who asked for the subscription, where the channel is followed.
    pub fn side(&self, topic: &TopicPattern) -> Option<Side> {
        if self.by_server.as_ref() == Some(topic) {
            return Some(Side::Server);
        }
        self.followed.contains_key(topic).then_some(Side::Client)
    }

    /// Whether the client has been told that its subscription ended, and the hub still has it.
    pub fn is_lost(&self, topic: &TopicPattern) -> bool {
        self.followed.get(topic).is_some_and(Option::is_some)
    }

    /// The server-side subscription, where it has all that `topic` has.
    pub fn server_side_over(&self, topic: &TopicPattern) -> Option<&TopicPattern> {
        self.by_server.as_ref().filter(|own| own.covers(topic))
    }

    /// The client follows it from now on.
    pub fn follow(&mut self, topic: TopicPattern, side: Side) {
        self.ended.remove(&topic);
        match side {
            Side::Client => {
                self.followed.insert(topic, None);
            }
            Side::Server => self.by_server = Some(topic),
        }
    }

    /// The client follows it no more. Returns whether it did, by its own wish.
    pub fn leave(&mut self, topic: &TopicPattern) -> bool {
        self.ended.remove(topic);
        self.followed.remove(topic).is_some()
    }

    /// The server-side subscription ended.
    pub fn leave_server_side(&mut self) -> Option<TopicPattern> {
        self.by_server.take()
    }

    /// Notes the streams' ends, as far as the client's token tells them.
    pub fn note_ends(&mut self, ends: Option<&Positions>) {
        for stream in Stream::ALL {
            if let Some(end) = ends.and_then(|ends| ends.get(stream)) {
                self.note_end(stream, end);
            }
        }
    }

    /// Notes a stream's end.
    pub fn note_end(&mut self, stream: Stream, end: Position) {
        self.ends.set(stream, Some(end));
    }

    /// The end of the stream, as far as it is known.
    pub fn end(&self, stream: Stream) -> Option<Position> {
        self.ends.get(stream)
    }

    /// Whether a subscription may begin there, as far as can be said before the hub is asked.
    pub fn may_continue(&self, topic: &TopicPattern, wanted: Wanted) -> bool {
        let Some(epoch) = wanted.epoch else { return false };
        let lost = self.followed.get(topic).and_then(Option::as_ref).or_else(|| self.ended.get(topic));
        // Epoch 0 is that of a stream that the gateway has not seen yet.
        let is_of_stream = self.end(topic.stream()).is_none_or(|end| end.epoch == 0 || end.epoch == epoch);
        is_of_stream && lost.is_none_or(|lost| lost.epoch == epoch && lost.held.contains(&wanted.offset))
    }

    /// Events of a channel are lost to this client. Telling it may be undone, so this may come twice.
    pub fn note_gap(&mut self, topic: &TopicPattern, to: Option<u64>, reason: GapReason) {
        let end = self.end(topic.stream()).unwrap_or_default();
        let held = match (reason, to) {
            (GapReason::Trimmed | GapReason::Skipped, Some(to)) => to..=u64::MAX,
            _ => 0..=end.seq,
        };
        if let Some(lost) = self.followed.get_mut(topic) {
            *lost = Some(Lost { epoch: end.epoch, held, beats: 0 });
        }
    }

    /// Channels that a client was told to subscribe to anew and has not: the hub need not follow them any more.
    pub fn give_up(&mut self) -> Vec<TopicPattern> {
        let mut over = Vec::new();
        for (topic, lost) in &mut self.followed {
            if let Some(lost) = lost {
                lost.beats += 1;
                if lost.beats > 1 {
                    over.push(topic.clone());
                }
            }
        }
        for topic in &over {
            if self.ended.len() >= CHANNELS_MAX {
                self.ended.pop_first();
            }
            if let Some(Some(lost)) = self.followed.remove(topic) {
                self.ended.insert(topic.clone(), lost);
            }
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(text: &str) -> TopicPattern {
        text.parse().unwrap()
    }

    fn wanted(epoch: u64, offset: u64) -> Wanted {
        Wanted { epoch: Some(epoch), offset }
    }

    fn with_end(epoch: u64, seq: u64) -> Channels {
        let mut channels = Channels::default();
        let mut ends = Positions::default();
        ends.set(Stream::App, Some(Position { epoch, seq, time: TimeBits::UNKNOWN }));
        channels.note_ends(Some(&ends));
        channels
    }

    #[test]
    fn a_position_of_another_epoch_is_not_continued() {
        let channels = with_end(7, 100);
        let room = topic("app.room");
        assert!(channels.may_continue(&room, wanted(7, 90)));
        assert!(!channels.may_continue(&room, wanted(8, 90)));
        assert!(!channels.may_continue(&room, Wanted { epoch: None, offset: 90 }));
        assert!(channels.may_continue(&topic("kb.facts"), wanted(8, 90)), "of that stream nothing is known");
        assert!(with_end(0, 0).may_continue(&room, wanted(8, 90)), "the gateway has not seen the stream yet");
    }

    #[test]
    fn the_position_that_led_into_a_gap_is_not_continued_again_but_later_ones_are() {
        let mut channels = with_end(7, 100);
        let room = topic("app.room");
        channels.follow(room.clone(), Side::Client);
        for _ in 0..2 {
            channels.note_gap(&room, Some(60), GapReason::Trimmed);
            assert!(channels.is_lost(&room));
            assert!(!channels.may_continue(&room, wanted(7, 59)));
            assert!(channels.may_continue(&room, wanted(7, 60)));
        }
        assert!(channels.give_up().is_empty(), "the client has a beat to come back");
        assert_eq!(channels.give_up(), std::slice::from_ref(&room));
        assert_eq!(channels.side(&room), None);
        assert!(!channels.may_continue(&room, wanted(7, 59)), "it is still remembered");
        channels.follow(room.clone(), Side::Client);
        assert!(!channels.is_lost(&room));
    }

    #[test]
    fn a_stream_that_lost_its_end_is_continued_only_from_what_it_still_has() {
        let mut channels = with_end(7, 100);
        let room = topic("app.room");
        channels.follow(room.clone(), Side::Client);
        channels.note_gap(&room, None, GapReason::Reset);
        assert!(channels.may_continue(&room, wanted(7, 100)));
        assert!(!channels.may_continue(&room, wanted(7, 101)));
    }

    #[test]
    fn what_is_said_of_a_beginning_depends_on_the_kind_of_topic() {
        let place = Position { epoch: 255, seq: 40, time: TimeBits::UNKNOWN };
        let room = begun(&topic("app.room"), Some(wanted(255, 12)), true, place);
        assert_eq!((room.recovered, room.was_recovering, room.offset), (true, true, 12));
        assert_eq!(room.epoch, "00000000000000ff");
        let room = begun(&topic("app.room"), Some(wanted(254, 12)), false, place);
        assert_eq!((room.recovered, room.was_recovering, room.offset), (false, true, 40));
        let fresh = begun(&topic("app.room"), None, false, place);
        assert_eq!((fresh.recovered, fresh.was_recovering, fresh.offset), (false, false, 40));

        for (offset, epoch, recovered) in [(39, 255, true), (40, 255, true), (41, 255, false), (39, 9, false)]
        {
            let state = begun(&topic("state.>"), Some(wanted(epoch, offset)), true, place);
            assert_eq!(state.recovered, recovered, "{offset} in {epoch}");
        }
        let logs = begun(&topic("logs.>"), None, false, place);
        assert_eq!(
            (logs.recoverable, logs.positioned, logs.offset, logs.epoch.as_str()),
            (false, false, 0, "")
        );
    }

    #[test]
    fn the_server_side_subscription_is_told_apart() {
        let mut channels = Channels::default();
        channels.follow(topic("agent.ada.>"), Side::Server);
        assert_eq!(channels.side(&topic("agent.ada.>")), Some(Side::Server));
        assert!(channels.server_side_over(&topic("agent.ada.run1")).is_some());
        assert!(channels.server_side_over(&topic("app.a")).is_none());
        assert!(!channels.leave(&topic("agent.ada.>")), "a client leaves only what it asked for");
        assert_eq!(
            (channels.count(), channels.leave_server_side().is_some(), channels.count()),
            (1, true, 0)
        );
    }
}
