//! A client that stops to read: nobody else waits for it, and it gets everything when it reads again.

use std::io::Read;
use std::time::Duration;

use bywash_tests::platform::{FACTS, Platform};
use bywash_tests::proof::open_stalled;
use bywash_tests::service::Kind;
use bywash_tests::sse::{Parser, Sse, SseEvent};
use bywash_tests::wait::{DEADLINE, eventually};
use serde_json::{Value, json};

/// Facts posted in one request: more than every buffer between the gateway and a stalled client holds.
const FACTS_POSTED: usize = 1200;
/// A context that makes each of them large, bytes.
const CONTEXT_SIZE_BYTES: usize = 900;

/// What `/debug/clients` says of the client whose socket takes nothing.
async fn blocked_client(platform: &Platform) -> Result<Value, String> {
    let (_, body) = platform.get(Kind::PushGateway, "/debug/clients").await;
    let clients = body["clients"].as_array().ok_or_else(|| body.to_string())?;
    clients.iter().find(|client| client["state"] == "blocked").cloned().ok_or_else(|| body.to_string())
}

#[tokio::test]
async fn a_stalled_client_delays_nobody_and_gets_everything_when_it_reads_again() {
    let platform = Platform::facts_to_clients().await;
    let addr = platform.service(Kind::PushGateway).addr();
    let mut stalled = open_stalled(addr, "/api/events/stream?topics=kb.facts").unwrap();
    let reader = Sse::open(&platform.stream_url("topics=kb.facts")).await;
    reader.named("ready").await;
    // The stalled client must be there before the first fact.
    eventually("two clients", || async {
        let (_, body) = platform.get(Kind::PushGateway, "/debug/clients").await;
        (body["clients"].as_array().map_or(0, Vec::len) == 2).then_some(()).ok_or_else(|| body.to_string())
    })
    .await;

    let mut last = 0;
    for index in 0..FACTS_POSTED {
        let fact =
            json!({"statement": format!("Is(n{index}, large)."), "context": "x".repeat(CONTEXT_SIZE_BYTES)});
        let (status, body) = platform.post(Kind::KnowledgeBase, "/api/facts", &fact).await;
        assert!(status.is_success(), "{body}");
        last = body["revision"].as_u64().unwrap();
    }
    reader.with_sequence(FACTS, last).await;
    let expected: Vec<u64> = (1..=last).collect();
    assert_eq!(reader.sequences(FACTS), expected, "the other client has everything while one is stalled");
    let client =
        eventually("/debug/clients shows the stalled client's lag", || blocked_client(&platform)).await;
    assert!(client["lag_events"].as_u64().is_some_and(|lag| lag > 0), "{client}");

    let events = tokio::task::spawn_blocking(move || read_until(&mut stalled, last)).await.unwrap();
    let sequences: Vec<u64> =
        events.iter().filter(|event| event.is_of(FACTS)).map(SseEvent::sequence).collect();
    assert_eq!(sequences, expected, "the stalled client has everything once it reads");
}

/// Reads the answer's head and then events until the one with sequence `last`.
fn read_until(socket: &mut std::net::TcpStream, last: u64) -> Vec<SseEvent> {
    socket.set_read_timeout(Some(Duration::from_secs(DEADLINE.as_secs()))).unwrap();
    let (mut parser, mut events, mut head) = (Parser::default(), Vec::new(), Some(Vec::new()));
    let mut piece = [0; 16 * 1024];
    while events.last().is_none_or(|event: &SseEvent| event.sequence() < last) {
        let count =
            socket.read(&mut piece).unwrap_or_else(|error| panic!("{error} after {} events", events.len()));
        assert!(count > 0, "the gateway closed after {} events", events.len());
        let mut bytes = &piece[..count];
        if let Some(mut begun) = head.take() {
            begun.extend_from_slice(bytes);
            let Some(end) = begun.windows(4).position(|four| four == b"\r\n\r\n") else {
                head = Some(begun);
                continue;
            };
            assert!(
                !begun[..end].to_ascii_lowercase().windows(7).any(|word| word == b"chunked"),
                "read as it is"
            );
            let rest = begun.split_off(end + 4);
            events.extend(parser.feed(&rest));
            bytes = &[];
        }
        events.extend(parser.feed(bytes));
    }
    events
}
