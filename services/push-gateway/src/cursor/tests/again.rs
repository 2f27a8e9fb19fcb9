//! A topic that is followed already is asked for again, with a place.

use super::*;

/// A pod with five facts, and a follower of what comes after them.
fn follower() -> (Pod, Cursors) {
    let mut pod = Pod::new(100_000);
    (0..5).for_each(|_| pod.publish("kb.facts"));
    let mut cursors = Cursors::default();
    cursors.subscribe(0, &[facts()], None, &mut pod.hub);
    pod.publish("kb.facts");
    (pod, cursors)
}

fn facts() -> TopicPattern {
    "kb.facts".parse().unwrap()
}

fn again(pod: &mut Pod, cursors: &mut Cursors, epoch: u64, seq: u64) -> bool {
    let since = Ok(Positions::of(Stream::Kb, Position { epoch, seq, time: TimeBits::UNKNOWN }));
    cursors.subscribe(0, &[facts()], Some(&since), &mut pod.hub)
}

fn told(pod: &Pod, cursors: &mut Cursors) -> Vec<String> {
    let mut told = Vec::new();
    loop {
        match cursors.next(&pod.hub, &pod.blocks, &mut PlainText) {
            Next::Event { event, .. } => told.push(name(event)),
            Next::Gap(reason, _) => told.push(reason.as_str().to_owned()),
            Next::Nothing => return told,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn where_nothing_was_sent_yet_it_begins_there() {
    let (mut pod, mut cursors) = follower();
    assert!(again(&mut pod, &mut cursors, EPOCH, 3));
    assert_eq!(told(&pod, &mut cursors), ["kb.facts 4", "kb.facts 5", "kb.facts 6"]);
    assert_eq!(cursors.token(&pod.hub), Some(pod.hub.head_positions()));
}

#[test]
fn where_later_ones_were_sent_a_gap_is_told_and_nothing_twice() {
    let (mut pod, mut cursors) = follower();
    assert_eq!(told(&pod, &mut cursors), ["kb.facts 6"]);
    assert!(!again(&mut pod, &mut cursors, EPOCH, 3));
    pod.publish("kb.facts");
    assert_eq!(told(&pod, &mut cursors), ["skipped", "kb.facts 7"]);
}

#[test]
fn a_place_that_the_subscription_had_itself_changes_nothing() {
    let (mut pod, mut cursors) = follower();
    assert_eq!(told(&pod, &mut cursors), ["kb.facts 6"]);
    for seq in [5, 6] {
        assert!(again(&mut pod, &mut cursors, EPOCH, seq));
    }
    assert!(cursors.subscribe(0, &[facts()], Some(&Ok(Positions::default())), &mut pod.hub));
    assert!(told(&pod, &mut cursors).is_empty());
}

#[test]
fn a_place_of_another_stream_is_told_and_what_is_due_comes_all_the_same() {
    let (mut pod, mut cursors) = follower();
    assert!(!again(&mut pod, &mut cursors, 1, 3));
    assert_eq!(told(&pod, &mut cursors), ["reset", "kb.facts 6"]);
}
