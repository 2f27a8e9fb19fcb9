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
