//! Topics of state: a snapshot, then the newest value of each key.

use super::*;

/// All that the session can be given now: events by their names, notices as they are told.
fn drain(pod: &Pod, cursors: &mut Cursors) -> Vec<String> {
    let mut told = Vec::new();
    loop {
        match cursors.next(&pod.hub, &pod.blocks, &mut PlainText) {
            Next::Event { event, .. } => told.push(name(event)),
            Next::Notice(bytes) => told.push(String::from_utf8(bytes.to_vec()).unwrap().trim().to_owned()),
            Next::Nothing => return told,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_slow_follower_of_state_gets_the_newest_value_of_each_key() {
    let mut pod = Pod::new(100_000);
    pod.publish("state.kb");
    let mut cursors = Cursors::default();
    cursors.subscribe(0, &["state.>".parse().unwrap()], None, &mut pod.hub);
    (0..100).for_each(|_| ["state.kb", "state.gpu.n1"].iter().for_each(|topic| pod.publish(topic)));
    let seen = drain(&pod, &mut cursors);
    let token = pod.hub.head_positions();
    let end = format!("end state.> state.gpu.n1,state.kb {token}");
    assert_eq!(seen, [end.as_str(), "state.kb 200", "state.gpu.n1 201"]);
}

#[test]
fn a_value_that_was_held_back_is_told_although_later_ones_of_other_keys_were() {
    let mut pod = Pod::new(100_000);
    let mut cursors = Cursors::default();
    cursors.subscribe(0, &["state.>".parse().unwrap()], None, &mut pod.hub);
    drain(&pod, &mut cursors);
    for (key, seq) in [("state.gpu.n1", 1), ("state.kb", 3), ("state.gpu.n1", 2)] {
        pod.tell(key, seq);
    }
    assert_eq!(drain(&pod, &mut cursors), ["state.kb 3", "state.gpu.n1 2"]);
    pod.tell("state.kb", 4);
    assert_eq!(drain(&pod, &mut cursors), ["state.kb 4"]);
    assert_eq!(pod.hub.head(Stream::State).seq, 4, "the stream has not gone back");

    let mut late = Cursors::default();
    late.subscribe(1, &["state.>".parse().unwrap()], None, &mut pod.hub);
    let told = drain(&pod, &mut late);
    assert_eq!(told[..2], ["state.gpu.n1 2", "state.kb 4"]);
    assert!(told[2].starts_with("end state.> state.gpu.n1,state.kb "), "{told:?}");
}

#[test]
fn a_snapshot_ends_when_the_pod_was_told_what_is_there() {
    let mut pod = Pod::new(100_000);
    pod.hub.start(Stream::State, Position { epoch: EPOCH, seq: 0, time: TimeBits::UNKNOWN }, 7);
    let mut cursors = Cursors::default();
    cursors.subscribe(0, &["state.>".parse().unwrap()], None, &mut pod.hub);
    pod.tell("state.kb", 5);
    assert_eq!(drain(&pod, &mut cursors), ["state.kb 5"], "one is still to come");
    pod.tell("state.gpu.n1", 7);
    let told = drain(&pod, &mut cursors);
    assert_eq!(told[0], "state.gpu.n1 7");
    assert!(told[1].starts_with("end state.> state.gpu.n1,state.kb "), "{told:?}");
    pod.tell("state.kb", 8);
    assert_eq!(drain(&pod, &mut cursors), ["state.kb 8"]);
}
