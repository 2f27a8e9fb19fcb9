//! What a stream lost is told, and from where on it is not known.

use super::*;

#[test]
fn a_trimmed_stream_and_a_slow_tail_say_what_is_lost() {
    let mut pod = Pod::new(2_000);
    (0..300).for_each(|_| pod.publish("kb.facts"));
    let mut positions = Positions::default();
    positions.set(Stream::Kb, Some(Position { epoch: EPOCH, seq: 10, time: TimeBits::UNKNOWN }));
    let mut cursors = Cursors::default();
    cursors.subscribe(0, &["kb.facts".parse().unwrap()], Some(&Ok(positions)), &mut pod.hub);
    let key = BlockKey::of(Stream::Kb, 11);
    assert_eq!(key.last_seq(), BLOCK_LENGTH);
    pod.blocks.insert(Arc::new(Block::new(key, EPOCH, Vec::new(), key.last_seq(), 280)));
    let told = match cursors.next(&pod.hub, &pod.blocks, &mut PlainText) {
        Next::Gap(reason, _) => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(told, GapReason::Trimmed);

    let mut slow = Cursors::default();
    slow.subscribe(1, &["logs.>".parse().unwrap()], None, &mut pod.hub);
    (0..50).for_each(|_| pod.publish("logs.kb.info"));
    assert!(matches!(slow.next(&pod.hub, &pod.blocks, &mut PlainText), Next::Gap(GapReason::Skipped, _)));
    assert!(matches!(slow.next(&pod.hub, &pod.blocks, &mut PlainText), Next::Event { .. }));
}

#[test]
fn a_place_that_the_stream_let_go_is_told_without_a_beginning() {
    let since = |seq, time| Ok(Positions::of(Stream::Kb, Position { epoch: EPOCH, seq, time }));
    for (since, trimmed_to, told) in [
        // What the client saw at its place cannot be compared any more.
        (since(10, TimeBits::of_unix_ms(10 * 7)), 12, "gap kb.facts none 12"),
        (since(10, TimeBits::of_unix_ms(10 * 7)), 10, "gap kb.facts none 10"),
        // It has seen nothing, and the first message is there.
        (since(0, TimeBits::of_unix_ms(7)), 0, "kb.facts 1"),
        // It names no time, so there is nothing to compare.
        (since(10, TimeBits::UNKNOWN), 12, "gap kb.facts 11 12"),
        (since(10, TimeBits::UNKNOWN), 10, "kb.facts 11"),
        (since(10, TimeBits::of_unix_ms(10 * 7)), 9, "kb.facts 11"),
    ] {
        let mut pod = Pod::new(2_000);
        (0..300).for_each(|_| pod.publish("kb.facts"));
        pod.trimmed_to = trimmed_to;
        let mut cursors = Cursors::default();
        cursors.subscribe(0, &["kb.facts".parse().unwrap()], Some(&since), &mut pod.hub);
        let Next::Wait(key) = cursors.next(&pod.hub, &pod.blocks, &mut PlainText) else {
            panic!("the place must be read back")
        };
        pod.read_back(key);
        match cursors.next(&pod.hub, &pod.blocks, &mut PlainText) {
            Next::Gap(GapReason::Trimmed, bytes) => {
                let text = std::str::from_utf8(&bytes).unwrap();
                assert!(text.starts_with(told), "{text}, not {told}");
                let Next::Event { event, .. } = cursors.next(&pod.hub, &pod.blocks, &mut PlainText) else {
                    panic!("what is left comes after it")
                };
                assert_eq!(event.seq, trimmed_to + 1);
            }
            Next::Event { event, .. } => assert_eq!(name(event), told),
            other => panic!("{other:?}, not {told}"),
        }
    }
}

#[test]
fn a_subscription_that_a_gap_ended_is_silent_until_the_client_subscribes_again_and_then_goes_on_after_it() {
    let mut pod = Pod::new(2_000);
    (0..300).for_each(|_| pod.publish("kb.facts"));
    pod.trimmed_to = 290;
    let since = Ok(Positions::of(Stream::Kb, Position { epoch: EPOCH, seq: 10, time: TimeBits::UNKNOWN }));
    let topics = ["kb.facts".parse().unwrap(), "kb.documents".parse().unwrap()];
    let (mut cursors, mut codec) = (Cursors::default(), EndsAtGaps);
    cursors.subscribe(0, &topics[..1], Some(&since), &mut pod.hub);
    cursors.subscribe(0, &topics[1..], None, &mut pod.hub);
    let mut told = Vec::new();
    let mut flush = |pod: &mut Pod, cursors: &mut Cursors| {
        loop {
            match cursors.next(&pod.hub, &pod.blocks, &mut codec) {
                Next::Event { event, .. } => told.push(name(event)),
                Next::Gap(reason, _) => told.push(reason.as_str().to_owned()),
                Next::Wait(key) => pod.read_back(key),
                Next::Notice(bytes) => panic!("{bytes:?}"),
                Next::Nothing => return std::mem::take(&mut told),
            }
        }
    };
    // Whether the socket takes the word or not.
    for is_taken in [false, true] {
        let mut saved = Saved::default();
        cursors.save(&mut saved);
        assert_eq!(flush(&mut pod, &mut cursors), ["trimmed"]);
        if !is_taken {
            cursors.restore(&saved);
        }
    }
    pod.publish("kb.facts");
    pod.publish("kb.documents");
    assert_eq!(flush(&mut pod, &mut cursors), ["kb.documents 302"], "of the other topic all comes");
    assert_eq!(cursors.place(&topics[0], &pod.hub).unwrap().seq, 290);
    assert_eq!((cursors.lag_events(&pod.hub), cursors.lag_seconds(&pod.hub, Instant::now())), (0, 0.0));

    assert!(!cursors.subscribe(0, &topics[..1], None, &mut pod.hub), "it is not what the client asked for");
    let left: Vec<String> = (291..=301).map(|seq| format!("kb.facts {seq}")).collect();
    assert_eq!(flush(&mut pod, &mut cursors), left);
}

/// A protocol in which gaps end subscriptions.
struct EndsAtGaps;

impl Codec for EndsAtGaps {
    fn protocol(&self) -> &'static str {
        PlainText.protocol()
    }
    fn endpoint(&self) -> &'static str {
        PlainText.endpoint()
    }
    fn form(&self) -> &'static Form {
        PlainText.form()
    }
    fn event(&self, event: &Event, followed: &TopicPattern, token: Option<&Positions>) -> Bytes {
        PlainText.event(event, followed, token)
    }
    fn notice(&mut self, notice: &Notice<'_>, token: Option<&Positions>) -> Option<Bytes> {
        PlainText.notice(notice, token)
    }
    fn ends_at_gap(&self, _: &TopicPattern) -> bool {
        true
    }
    fn receive(&mut self, _: &[u8], _: &mut Vec<crate::codec::Action>) {}
}
