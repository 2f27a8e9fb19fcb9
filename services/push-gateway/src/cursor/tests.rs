//! What a client received, in every interleaving of events, partial writes, history reads and reconnects, is exact.

mod again;
mod gaps;
mod state;

use std::collections::HashMap;

use proptest::prelude::*;
use proto_schemas::{TopicKind, TopicPattern};

use super::candidate::{LEAD_MAX, READS_DECIDE};
use super::*;
use crate::codec::Form;
use crate::event::Message;
use crate::upstream::block::{BLOCK_LENGTH, Block};

const EPOCH: u64 = 0xabcd;
const TOPICS: [&str; 6] =
    ["kb.facts", "kb.documents", "governor.decisions", "app.a.1", "state.kb", "state.gpu.n1"];

/// Says in plain text what it was asked to encode.
struct PlainText;

impl Codec for PlainText {
    fn protocol(&self) -> &'static str {
        "plain"
    }
    fn endpoint(&self) -> &'static str {
        "plain"
    }
    fn form(&self) -> &'static Form {
        &Form { name: "plain", carries_token: true, names_pattern: false }
    }
    fn event(&self, event: &Event, _: &TopicPattern, token: Option<&Positions>) -> Bytes {
        let token = token.map(ToString::to_string).unwrap_or_default();
        format!("{} {} {token}", event.topic, event.seq).into()
    }
    fn notice(&mut self, notice: &Notice<'_>, token: Option<&Positions>) -> Option<Bytes> {
        let token = token.map(ToString::to_string).unwrap_or_default();
        Some(match notice {
            Notice::Gap { topic, from, to: Some(to), .. } => {
                let from = from.map_or("none".to_owned(), |from| from.to_string());
                format!("gap {topic} {from} {to} {token}").into()
            }
            Notice::Gap { topic, reason, .. } => format!("gap {topic} {} {token}", reason.as_str()).into(),
            Notice::SnapshotEnd { topic, keys } => format!("end {topic} {} {token}", keys.join(",")).into(),
            _ => return None,
        })
    }
    fn receive(&mut self, _: &[u8], _: &mut Vec<crate::codec::Action>) {}
}

/// A pod with everything that ever was in its streams.
struct Pod {
    hub: Hub,
    blocks: BlockCache,
    log: Vec<Arc<Event>>,
    positions: Positions,
    next_seq: HashMap<Stream, u64>,
    /// What its streams let go.
    trimmed_to: u64,
}

impl Pod {
    fn new(ring_size: usize) -> Self {
        let mut pod = Self {
            hub: Hub::new(ring_size),
            blocks: BlockCache::default(),
            log: Vec::new(),
            positions: Positions::default(),
            next_seq: HashMap::new(),
            trimmed_to: 0,
        };
        for stream in Stream::ALL {
            let head = Position { epoch: EPOCH, seq: 0, time: TimeBits::UNKNOWN };
            pod.hub.start(stream, head, 0);
            pod.positions.set(stream, Some(head));
        }
        pod
    }

    fn publish(&mut self, topic: &str) {
        let next_seq = self.next_seq.entry(stream_of(topic)).or_insert(1);
        let seq = *next_seq;
        *next_seq += 1;
        self.tell(topic, seq);
    }

    /// The pod gets an event, whatever it got before.
    fn tell(&mut self, topic: &str, seq: u64) {
        let stream = stream_of(topic);
        let message = Message {
            stream,
            seq,
            topic: topic.into(),
            event_type: "test".into(),
            time: "2026-01-01T00:00:00Z".into(),
            time_bits: TimeBits::of_unix_ms(i128::from(seq) * 7),
            trace: None,
            payload: Bytes::from_static(b"{}"),
            removed: false,
        };
        self.positions
            .set(stream, Some(Position { epoch: EPOCH, seq: message.seq, time: message.time_bits }));
        let event = Arc::new(Event::new(message, self.log.len() as u64 + 1, self.positions));
        self.hub.append(&event, &mut Vec::new());
        self.log.push(event);
    }

    /// Reads a block back, as `history` does.
    fn read_back(&mut self, key: BlockKey) {
        let events = self.log.iter().filter(|event| event.stream == key.stream);
        let of_block = events.filter(|event| {
            (key.first_seq()..=key.last_seq()).contains(&event.seq) && event.seq > self.trimmed_to
        });
        let copies = of_block.map(|event| {
            let message = Message {
                stream: event.stream,
                seq: event.seq,
                topic: event.topic.clone(),
                event_type: event.event_type.clone(),
                time: event.time.clone(),
                time_bits: event.time_bits,
                trace: None,
                payload: event.payload.clone(),
                removed: false,
            };
            let here = Position { epoch: EPOCH, seq: message.seq, time: message.time_bits };
            Arc::new(Event::new(message, 0, Positions::of(key.stream, here)))
        });
        let covers_to = key.last_seq().min(self.hub.head(key.stream).seq);
        self.blocks.insert(Arc::new(Block::new(
            key,
            EPOCH,
            copies.collect(),
            covers_to,
            self.trimmed_to + 1,
        )));
    }

    /// What a client that follows `topics` must get of the ordered events after `from` (an index of the log).
    fn expected(&self, topics: &[TopicPattern], from: usize) -> Vec<String> {
        let wanted = |event: &&Arc<Event>| topics.iter().any(|topic| topic.matches(&event.topic));
        let ordered = |event: &&Arc<Event>| event.stream.spec().kind == TopicKind::Ordered;
        self.log[from..].iter().filter(wanted).filter(ordered).map(name).collect()
    }
}

fn name(event: &Arc<Event>) -> String {
    format!("{} {}", event.topic, event.seq)
}

fn stream_of(topic: &str) -> Stream {
    topic.parse::<TopicPattern>().unwrap().stream()
}

/// A client: what it received, and its newest token.
#[derive(Default)]
struct Client {
    received: Vec<String>,
    token: Option<Positions>,
    /// Received after the newest token: what a reconnect would bring again if it were not for exact tokens.
    since_token: usize,
}

impl Client {
    fn take(&mut self, frame: &Bytes) {
        let text = std::str::from_utf8(frame).unwrap();
        let parts: Vec<_> = text.split(' ').collect();
        let token = parts.last().and_then(|token| token.parse().ok());
        if parts[0] != "end" && parts[0] != "gap" && !parts[0].starts_with("state.") {
            self.received.push(format!("{} {}", parts[0], parts[1]));
            self.since_token += 1;
        }
        assert_ne!(parts[0], "gap", "{text}");
        if let Some(token) = token {
            self.token = Some(token);
            self.since_token = 0;
        }
    }
}

/// Sends up to `frames` frames; the last one is not taken by the socket when `cut` says so.
fn flush(pod: &mut Pod, cursors: &mut Cursors, client: &mut Client, frames: usize, cut: bool) -> bool {
    let mut saved = Saved::default();
    for number in 0..frames {
        cursors.save(&mut saved);
        match cursors.next(&pod.hub, &pod.blocks, &mut PlainText) {
            Next::Event { bytes, .. } | Next::Gap(_, bytes) | Next::Notice(bytes) => {
                if cut && number + 1 == frames {
                    cursors.restore(&saved);
                    return true;
                }
                client.take(&bytes);
            }
            Next::Wait(key) => pod.read_back(key),
            Next::Nothing => return false,
        }
    }
    true
}

#[derive(Debug, Clone)]
enum Step {
    Publish(usize, usize),
    Flush(usize, bool),
    Reconnect,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..TOPICS.len(), 1_usize..40).prop_map(|(topic, count)| Step::Publish(topic, count)),
        4 => (1_usize..30, any::<bool>()).prop_map(|(frames, cut)| Step::Flush(frames, cut)),
        1 => Just(Step::Reconnect),
    ]
}

fn patterns() -> impl Strategy<Value = Vec<TopicPattern>> {
    let choices =
        ["kb.facts", "kb.documents", "governor.decisions", "app.>", "app.a.1", "state.>", "state.kb"];
    proptest::sample::subsequence(choices.to_vec(), 1..=choices.len())
        .prop_map(|list| list.into_iter().map(|text| text.parse().unwrap()).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_client_gets_every_ordered_event_once_and_in_order_whatever_happens(
        topics in patterns(),
        ring_size in 1_000_usize..40_000,
        before in 0_usize..20,
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let mut pod = Pod::new(ring_size);
        for index in 0..before {
            pod.publish(TOPICS[index % TOPICS.len()]);
        }
        let (mut cursors, mut client) = (Cursors::default(), Client::default());
        cursors.subscribe(0, &topics, None, &mut pod.hub);
        client.token = cursors.token(&pod.hub);
        for step in steps {
            match step {
                Step::Publish(topic, count) => (0..count).for_each(|_| pod.publish(TOPICS[topic])),
                Step::Flush(frames, cut) => {
                    flush(&mut pod, &mut cursors, &mut client, frames, cut);
                }
                Step::Reconnect => {
                    cursors.clear(0, &mut pod.hub, |_, _| {});
                    cursors = Cursors::default();
                    // Received beyond the newest token comes again; an exact gateway leaves nothing there.
                    prop_assert_eq!(client.since_token, 0, "an event without a token");
                    let since = client.token.map(Ok);
                    prop_assert!(cursors.subscribe(0, &topics, since.as_ref(), &mut pod.hub));
                }
            }
        }
        while flush(&mut pod, &mut cursors, &mut client, 1_000, false) {}
        prop_assert_eq!(&client.received, &sorted_like(&client.received, pod.expected(&topics, before)));
        prop_assert_eq!(cursors.token(&pod.hub), Some(pod.hub.head_positions()), "a quiet client is at the head");
    }
}

/// `expected` in the client's interleaving of streams, if within each stream the order is the same.
fn sorted_like(received: &[String], expected: Vec<String>) -> Vec<String> {
    let stream = |entry: &String| stream_of(entry.split(' ').next().unwrap());
    let mut by_stream: HashMap<Stream, std::collections::VecDeque<String>> = HashMap::new();
    let count = expected.len();
    for entry in expected {
        by_stream.entry(stream(&entry)).or_default().push_back(entry);
    }
    let mut result: Vec<String> = received
        .iter()
        .filter_map(|entry| by_stream.get_mut(&stream(entry)).and_then(std::collections::VecDeque::pop_front))
        .collect();
    result.extend(by_stream.into_values().flatten());
    assert_eq!(result.len(), count);
    result
}

#[test]
fn a_token_of_another_incarnation_or_time_is_told_and_then_live() {
    let mut pod = Pod::new(100_000);
    (0..5).for_each(|_| pod.publish("kb.facts"));
    let foreign = |position: Position| {
        let mut positions = Positions::default();
        positions.set(Stream::Kb, Some(position));
        Ok(positions)
    };
    let right_time = TimeBits::of_unix_ms(3 * 7);
    for (since, gap) in [
        (Err(BadToken), Some("bad_token")),
        (foreign(Position { epoch: 1, seq: 3, time: right_time }), Some("reset")),
        (foreign(Position { epoch: EPOCH, seq: 6 + LEAD_MAX, time: TimeBits::UNKNOWN }), Some("reset")),
        (foreign(Position { epoch: EPOCH, seq: 3, time: TimeBits::of_unix_ms(9) }), Some("reset")),
        (foreign(Position { epoch: EPOCH, seq: 5, time: TimeBits::UNKNOWN }), None),
    ] {
        let mut cursors = Cursors::default();
        let resumed = cursors.subscribe(0, &["kb.facts".parse().unwrap()], Some(&since), &mut pod.hub);
        assert_eq!(resumed, gap.is_none(), "{since:?}");
        let next = cursors.next(&pod.hub, &pod.blocks, &mut PlainText);
        match (gap, next) {
            (Some(reason), Next::Gap(told, _)) => assert_eq!(told.as_str(), reason),
            (None, Next::Nothing) => {}
            (gap, next) => panic!("{since:?}: wanted {gap:?}, got {next:?}"),
        }
        assert!(matches!(cursors.next(&pod.hub, &pod.blocks, &mut PlainText), Next::Nothing));
        cursors.clear(0, &mut pod.hub, |_, _| {});
    }
}

#[test]
fn a_place_ahead_of_the_pod_is_waited_for_or_turns_out_to_be_lost() {
    let mut pod = Pod::new(100_000);
    (0..5).for_each(|_| pod.publish("kb.facts"));
    let ahead = |time| {
        let mut positions = Positions::default();
        positions.set(Stream::Kb, Some(Position { epoch: EPOCH, seq: 7, time }));
        positions
    };
    let topics: [TopicPattern; 2] = ["kb.facts".parse().unwrap(), "governor.decisions".parse().unwrap()];

    // A snapshot from the store: what the relay has not told yet is in it already.
    let (mut fresh, since) = (Cursors::default(), ahead(TimeBits::UNKNOWN));
    assert!(fresh.subscribe(0, &topics, Some(&Ok(since)), &mut pod.hub));
    assert!(matches!(fresh.next(&pod.hub, &pod.blocks, &mut PlainText), Next::Nothing));
    assert_eq!(fresh.token(&pod.hub).unwrap().get(Stream::Kb), since.get(Stream::Kb));
    pod.publish("governor.decisions");
    let Next::Event { bytes, .. } = fresh.next(&pod.hub, &pod.blocks, &mut PlainText) else {
        panic!("the decision")
    };
    let token: Positions = std::str::from_utf8(&bytes).unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    assert_eq!(token.get(Stream::Kb).unwrap().seq, 7, "a token never goes back before the snapshot");

    // A token from another pod, or of a tail that is gone: the stream's own end decides, read after the client came.
    let (mut other, since) = (Cursors::default(), ahead(TimeBits::of_unix_ms(7 * 7)));
    other.subscribe(1, &topics[..1], Some(&Ok(since)), &mut pod.hub);
    let mut lost = Cursors::default();
    lost.subscribe(2, &topics[..1], Some(&Ok(since)), &mut pod.hub);
    for read in 0..READS_DECIDE {
        let Next::Wait(key) = lost.next(&pod.hub, &pod.blocks, &mut PlainText) else { panic!("read {read}") };
        pod.read_back(key);
        lost.note_read(key, &pod.hub);
    }
    assert!(matches!(lost.next(&pod.hub, &pod.blocks, &mut PlainText), Next::Gap(GapReason::Reset, _)));

    (0..3).for_each(|_| pod.publish("kb.facts"));
    for cursors in [&mut fresh, &mut other] {
        let Next::Event { event, .. } = cursors.next(&pod.hub, &pod.blocks, &mut PlainText) else {
            panic!("the eighth")
        };
        assert_eq!(event.seq, 8);
    }
}

#[test]
fn a_client_that_came_from_a_faster_pod_is_not_led_back_by_this_one() {
    let mut pod = Pod::new(100_000);
    (0..5).for_each(|_| pod.publish("kb.facts"));
    let mut positions = pod.hub.head_positions();
    positions.set(Stream::Kb, Some(Position { epoch: EPOCH, seq: 7, time: TimeBits::UNKNOWN }));
    let topics = ["kb.facts".parse().unwrap(), "governor.decisions".parse().unwrap()];
    let mut cursors = Cursors::default();
    cursors.subscribe(0, &topics, Some(&Ok(positions)), &mut pod.hub);
    // In this pod's order the decision comes before what the client has seen elsewhere.
    pod.publish("governor.decisions");
    (0..3).for_each(|_| pod.publish("kb.facts"));
    for seen in [7, 8] {
        let Next::Event { event, bytes, .. } = cursors.next(&pod.hub, &pod.blocks, &mut PlainText) else {
            panic!("an event")
        };
        let text = std::str::from_utf8(&bytes).unwrap();
        let token: Positions = text.rsplit(' ').next().unwrap().parse().unwrap();
        assert_eq!(token.get(Stream::Kb).unwrap().seq, seen, "{} {}", event.topic, event.seq);
    }
}

#[test]
fn a_topic_that_begins_now_leaves_the_place_of_one_that_is_behind_in_the_token() {
    let mut pod = Pod::new(2_000);
    (0..50).for_each(|_| pod.publish("kb.facts"));
    let mut positions = pod.hub.head_positions();
    let place = Position { epoch: EPOCH, seq: 3, time: TimeBits::UNKNOWN };
    positions.set(Stream::Kb, Some(place));
    let mut cursors = Cursors::default();
    cursors.subscribe(0, &["kb.documents".parse().unwrap()], None, &mut pod.hub);
    let topics = ["kb.facts".parse().unwrap(), "app.a.1".parse().unwrap()];
    cursors.subscribe(0, &topics, Some(&Ok(positions)), &mut pod.hub);
    pod.publish("app.a.1");
    assert!(matches!(cursors.next(&pod.hub, &pod.blocks, &mut PlainText), Next::Event { .. }));
    assert_eq!(cursors.token(&pod.hub).unwrap().get(Stream::Kb), Some(place));
}

#[test]
fn a_position_beyond_the_end_of_a_stream_that_nobody_fills_up_is_lost() {
    let mut pod = Pod::new(100_000);
    (0..5).for_each(|_| pod.publish("app.a.1"));
    let mut positions = Positions::default();
    positions.set(Stream::App, Some(Position { epoch: EPOCH, seq: 7, time: TimeBits::UNKNOWN }));
    let mut cursors = Cursors::default();
    cursors.subscribe(0, &["app.a.1".parse().unwrap()], Some(&Ok(positions)), &mut pod.hub);
    for read in 0..READS_DECIDE {
        let Next::Wait(key) = cursors.next(&pod.hub, &pod.blocks, &mut PlainText) else {
            panic!("read {read}")
        };
        pod.read_back(key);
        cursors.note_read(key, &pod.hub);
    }
    assert!(matches!(cursors.next(&pod.hub, &pod.blocks, &mut PlainText), Next::Gap(GapReason::Reset, _)));
}

#[test]
fn who_leaves_between_two_gaps_of_a_stream_is_told_the_second_one_later() {
    let mut pod = Pod::new(100_000);
    (0..5).for_each(|_| pod.publish("kb.facts"));
    let topics: [TopicPattern; 2] = ["kb.facts".parse().unwrap(), "kb.documents".parse().unwrap()];
    let mut positions = Positions::default();
    positions.set(Stream::Kb, Some(Position { epoch: 1, seq: 3, time: TimeBits::UNKNOWN }));
    for last in [false, true] {
        let mut cursors = Cursors::default();
        cursors.subscribe(0, &topics, Some(&Ok(positions)), &mut pod.hub);
        for topic in &topics[..if last { 2 } else { 1 }] {
            let Next::Gap(_, bytes) = cursors.next(&pod.hub, &pod.blocks, &mut PlainText) else {
                panic!("a gap of {}", topic.as_str())
            };
            let text = std::str::from_utf8(&bytes).unwrap();
            assert!(text.starts_with(&format!("gap {} reset ", topic.as_str())), "{text}");
            positions = text.rsplit(' ').next().unwrap().parse().unwrap();
        }
        cursors.clear(0, &mut pod.hub, |_, _| {});
    }
    assert_eq!(positions, pod.hub.head_positions(), "told of both, it stands at the present");
}

#[test]
fn a_place_in_a_stream_that_the_pod_does_not_know_yet_is_kept() {
    let mut hub = Hub::new(100_000);
    let place = Position { epoch: EPOCH, seq: 3, time: TimeBits::UNKNOWN };
    let mut positions = Positions::default();
    positions.set(Stream::Kb, Some(place));
    let (mut cursors, blocks) = (Cursors::default(), BlockCache::default());
    cursors.subscribe(0, &["kb.facts".parse().unwrap()], Some(&Ok(positions)), &mut hub);
    assert!(matches!(cursors.next(&hub, &blocks, &mut PlainText), Next::Nothing));
    assert_eq!(cursors.token(&hub).unwrap().get(Stream::Kb), Some(place));
    hub.start(Stream::Kb, Position { seq: 9, ..place }, 0);
    let Next::Wait(key) = cursors.next(&hub, &blocks, &mut PlainText) else {
        panic!("4 to 9 must be read back")
    };
    assert_eq!(key, BlockKey::of(Stream::Kb, 4));
    assert_eq!(
        hub.head_positions().get(Stream::App).unwrap().epoch,
        0,
        "a stream that is not known has no epoch"
    );
}

#[test]
fn a_token_is_compared_with_the_stream_even_when_the_ring_has_moved_on() {
    let mut pod = Pod::new(2_000);
    (0..50).for_each(|_| pod.publish("kb.facts"));
    let mut positions = Positions::default();
    positions.set(Stream::Kb, Some(Position { epoch: EPOCH, seq: 3, time: TimeBits::of_unix_ms(1) }));
    let mut cursors = Cursors::default();
    cursors.subscribe(0, &["kb.facts".parse().unwrap()], Some(&Ok(positions)), &mut pod.hub);
    let Next::Wait(key) = cursors.next(&pod.hub, &pod.blocks, &mut PlainText) else {
        panic!("must read back")
    };
    pod.read_back(key);
    assert!(matches!(cursors.next(&pod.hub, &pod.blocks, &mut PlainText), Next::Gap(GapReason::Reset, _)));
    assert!(matches!(cursors.next(&pod.hub, &pod.blocks, &mut PlainText), Next::Nothing));
}

#[test]
fn what_the_stream_has_and_the_pod_has_not_comes_in_the_pods_order() {
    let (mut pod, mut faster) = (Pod::new(2_000), Pod::new(2_000));
    for pod in [&mut pod, &mut faster] {
        (0..50).for_each(|_| pod.publish("kb.facts"));
    }
    faster.publish("kb.documents");
    faster.read_back(BlockKey::of(Stream::Kb, 1));
    pod.blocks = faster.blocks;
    let since = Positions::of(Stream::Kb, Position { epoch: EPOCH, seq: 3, time: TimeBits::UNKNOWN });
    let mut cursors = Cursors::default();
    cursors.subscribe(0, &["kb.documents".parse().unwrap()], Some(&Ok(since)), &mut pod.hub);
    assert!(matches!(cursors.next(&pod.hub, &pod.blocks, &mut PlainText), Next::Nothing));
    pod.publish("kb.documents");
    let Next::Event { event, .. } = cursors.next(&pod.hub, &pod.blocks, &mut PlainText) else {
        panic!("the document")
    };
    assert_eq!((event.seq, event.order), (51, 51));
    assert!(matches!(cursors.next(&pod.hub, &pod.blocks, &mut PlainText), Next::Nothing));
}
