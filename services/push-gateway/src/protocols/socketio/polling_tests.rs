use super::*;
use std::io::{Read, Write};

fn session() -> (Arc<Polled>, StdUnixStream) {
    let (near, far) = pair().unwrap();
    (Arc::new(Polled::new(SessionRef::nowhere(), far)), near)
}

#[test]
fn a_payload_is_whole_packets_between_separators() {
    let mut buffer = BytesMut::from(&b"42[\"a\"]\x1e2\x1e42[\"b"[..]);
    assert_eq!(take_payload(&mut buffer).as_deref(), Some(&b"42[\"a\"]\x1e2"[..]));
    assert_eq!(take_payload(&mut buffer), None, "the rest is the beginning of a packet");
    buffer.extend_from_slice(b"\"]\x1e");
    assert_eq!(take_payload(&mut buffer).as_deref(), Some(&b"42[\"b\"]"[..]));
    assert_eq!(buffer.capacity(), 0);
}

#[test]
fn a_posted_payload_is_text_within_the_limit() {
    assert!(is_payload(b"40\x1e42[\"a\"]"));
    assert!(is_payload(&vec![b'4'; PACKET_SIZE_MAX]));
    for body in [&b""[..], b"4\xff", &vec![b'4'; PACKET_SIZE_MAX + 1]] {
        assert!(!is_payload(body));
    }
}

#[tokio::test]
async fn a_poll_waits_for_packets_and_a_second_one_is_refused() {
    let (polled, mut near) = session();
    let first = tokio::spawn({
        let polled = Arc::clone(&polled);
        async move { polled.poll().await }
    });
    while polled.reading.try_lock().is_ok() {
        tokio::task::yield_now().await;
    }
    assert_eq!(polled.poll().await, Err(Refused::Overlapping));
    near.write_all(b"2\x1e").unwrap();
    assert_eq!(first.await.unwrap(), Ok(Some(Bytes::from_static(b"2"))));
}

#[tokio::test]
async fn what_is_posted_reaches_the_session_packet_by_packet() {
    let (polled, mut near) = session();
    polled.post(b"40\x1e3").await.unwrap();
    let mut read = [0; 16];
    let length = near.read(&mut read).unwrap();
    assert_eq!(&read[..length], b"40\x1e3\x1e");
}

#[tokio::test]
async fn a_session_that_ended_gives_its_last_packets_and_then_none() {
    let (polled, mut near) = session();
    near.write_all(b"1\x1e").unwrap();
    drop(near);
    assert_eq!(polled.poll().await, Ok(Some(Bytes::from_static(b"1"))));
    assert_eq!(polled.poll().await, Ok(None));
    assert_eq!(polled.post(b"3").await, Err(Refused::UnknownSession));
}

#[tokio::test]
async fn a_poll_ends_with_nothing_when_the_client_looks_at_another_transport() {
    let (polled, mut near) = session();
    assert!(polled.begin_upgrade());
    assert!(!polled.begin_upgrade(), "one at a time");
    polled.release_polls();
    let noop = Ok(Some(Bytes::from_static(b"6")));
    assert_eq!(polled.poll().await, noop);
    near.write_all(b"2\x1e42[\"a").unwrap();
    let mut payload = polled.poll().await;
    while payload == noop {
        // Until the runtime has heard of the bytes.
        tokio::task::yield_now().await;
        payload = polled.poll().await;
    }
    assert_eq!(payload, Ok(Some(Bytes::from_static(b"2"))));
    let taken = polled.take().await.unwrap();
    assert_eq!(&taken.unread[..], b"42[\"a");
    assert_eq!(polled.poll().await, Err(Refused::UnknownSession));
}

#[tokio::test]
async fn what_nobody_reads_stays_within_the_pair() {
    let (_polled, mut near) = session();
    let written = near.write(&vec![b'x'; 4 * 1024 * 1024]).unwrap();
    assert!(written <= 4 * PAIR_BUFFER_BYTES, "{written} bytes hide in the kernel");
}

#[tokio::test(start_paused = true)]
async fn posts_that_nobody_takes_end_and_reach_the_session_whole_or_not_at_all() {
    let (polled, mut near) = session();
    let payload = vec![b'4'; PACKET_SIZE_MAX];
    let (mut taken, mut refused) = (0, Ok(()));
    while refused.is_ok() && taken < 8 {
        refused = polled.post(&payload).await;
        taken += usize::from(refused.is_ok());
    }
    assert_eq!(refused, Err(Refused::Busy), "after {taken}");
    // A client that goes away while it waits changes nothing.
    let left = tokio::time::timeout(POST_TIMEOUT / 2, polled.post(b"2"));
    assert!(left.await.is_err());

    let last = tokio::spawn({
        let polled = Arc::clone(&polled);
        async move { polled.post(b"3").await }
    });
    let mut expected = [&payload[..], &[SEPARATOR]].concat().repeat(taken);
    expected.extend_from_slice(b"3\x1e");
    let (mut read, mut piece) = (Vec::new(), vec![0; READ_SIZE]);
    while read.len() < expected.len() {
        match near.read(&mut piece) {
            Ok(length) => read.extend_from_slice(&piece[..length]),
            // The clock stands still, so nothing times out meanwhile.
            Err(_) => tokio::task::yield_now().await,
        }
    }
    assert!(read == expected, "{} bytes of {}", read.len(), expected.len());
    assert_eq!(last.await.unwrap(), Ok(()));
}

#[tokio::test]
async fn sessions_are_bounded_and_forgotten_after_the_silence() {
    let sessions = Arc::new(Sessions::new(Duration::ZERO, 8));
    assert_eq!(sessions.get("a").err(), Some(Refused::UnknownSession));
    let mut ends = Vec::new();
    for number in 0..8 {
        sessions.has_room().unwrap();
        let (polled, near) = session();
        ends.push(near);
        sessions.insert(number.to_string(), polled);
    }
    assert_eq!(sessions.has_room(), Err(Refused::TooMany));
    let polled = sessions.get("7").unwrap();
    assert!(!polled.is_left(Duration::from_secs(60)));
    assert!(polled.is_left(Duration::ZERO));
    sessions.remove("7");
    assert_eq!(sessions.has_room(), Ok(()));
}
