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
