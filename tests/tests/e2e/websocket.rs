//! `/ws`: the envelope, its errors, and its authentication.

use std::io::Write;

use bywash_tests::platform::{FACTS, Platform};
use bywash_tests::scratch::Scratch;
use bywash_tests::service::Kind;
use bywash_tests::sse::Sse;
use bywash_tests::ws::{Incoming, Ws};
use serde_json::{Value, json};

/// Largest message that the gateway takes, bytes (`docs/clients.md`).
const MESSAGE_SIZE_MAX: usize = 8_192;

const KEY: &str = "a-key-that-reads-0001";

#[tokio::test]
async fn a_connection_is_welcomed_and_ping_and_echo_are_answered() {
    let platform = Platform::facts_to_clients().await;
    let mut ws = Ws::open(platform.service(Kind::PushGateway).addr()).await;
    let welcome = ws.of_type("system_message").await;
    assert_eq!(welcome["payload"]["event"], "connection_established");
    assert!(welcome["payload"]["connection_id"].is_string(), "{welcome}");
    ws.send_text(json!({"type": "ping", "payload": {}, "message_id": "m1"}).to_string()).await;
    ws.of_type("pong").await;
    ws.send("echo", json!({"hello": "world"})).await;
    let echo = ws.of_type("echo").await;
    assert!(echo["payload"].to_string().contains("world"), "{echo}");
    for message in [welcome, echo] {
        assert!(message["timestamp"].is_string() && message.get("message_id").is_some(), "{message}");
    }
}

#[tokio::test]
async fn every_bad_message_gets_its_code_and_the_connection_stays() {
    let platform = Platform::facts_to_clients().await;
    let mut ws = Ws::open(platform.service(Kind::PushGateway).addr()).await;
    ws.of_type("system_message").await;
    let too_large = json!({"type": "echo", "payload": "x".repeat(MESSAGE_SIZE_MAX)}).to_string();
    for (text, code) in [
        ("{".to_owned(), "FORMAT_ERROR"),
        (json!({"type": "dance", "payload": {}}).to_string(), "UNKNOWN_TYPE"),
        (too_large, "MESSAGE_TOO_LARGE"),
    ] {
        ws.send_text(text).await;
        let what = format!("the error {code}");
        ws.json(&what, |json| json["type"] == "error_message" && json["payload"]["code"] == code).await;
    }
    for (topic, code) in
        [("nope", "unknown_topic"), ("kb.>", "wildcard_above_catalogue"), ("a..b", "malformed_topic")]
    {
        ws.send("subscribe", json!({"topics": [topic]})).await;
        let what = format!("an error about {topic}");
        ws.json(&what, |json| {
            let told = json["payload"]["code"].as_str().unwrap_or("").to_lowercase();
            json["type"] == "error_message" && told == code
        })
        .await;
    }
    ws.send("ping", Value::Null).await;
    ws.of_type("pong").await;
}

#[tokio::test]
async fn a_subscription_since_a_revision_gives_what_came_after_it() {
    let platform = Platform::facts_to_clients().await;
    let before = platform.add_fact().await;
    let after = platform.add_fact().await;
    let witness =
        Sse::open(&platform.stream_url(&format!("topics=kb.facts&since=kb:{}:0", before.epoch))).await;
    witness.with_sequence(FACTS, after.revision).await;
    let mut ws = Ws::open(platform.service(Kind::PushGateway).addr()).await;
    let since = format!("kb:{}:{}", before.epoch, before.revision);
    ws.send("subscribe", json!({"topics": [FACTS], "since": since})).await;
    let subscribed = ws.of_type("subscribed").await;
    assert_eq!(subscribed["payload"]["topics"], json!([FACTS]));
    let message = ws.of_type("fact_added").await;
    assert_eq!(message["seq"], json!(after.revision), "the first event is the one after");

    ws.send("unsubscribe", json!({"topics": [FACTS]})).await;
    ws.of_type("unsubscribed").await;
    let unseen = platform.add_fact().await;
    ws.send("ping", Value::Null).await;
    ws.of_type("pong").await;
    let seen = ws.inbox.all();
    let told =
        |entry: &Incoming| matches!(entry, Incoming::Json(json) if json["seq"] == json!(unseen.revision));
    assert!(!seen.iter().any(told), "an ended subscription tells nothing: {seen:#?}");
}

#[tokio::test]
async fn the_own_agent_events_continue_where_the_token_says_with_the_connection_or_a_subscription() {
    let platform = Platform::facts_to_clients().await;
    let addr = platform.service(Kind::PushGateway).addr();
    let jetstream = async_nats::jetstream::new(platform.nats.client().await);
    let publish = async || {
        let sent = jetstream.publish("agent.local.run", "{}".into()).await.unwrap();
        sent.await.unwrap().sequence
    };
    let event = async |ws: &Ws, sequence: u64| {
        ws.json(&format!("agent event {sequence}"), |json| json["seq"] == json!(sequence)).await
    };
    let first = Ws::open(addr).await;
    first.of_type("system_message").await;
    let seen = publish().await;
    let token = event(&first, seen).await["token"].as_str().unwrap().to_owned();
    drop(first);
    publish().await;
    publish().await;

    let by_address = Ws::open_at(addr, &format!("/ws?since={token}"), &[]).await.unwrap();
    let mut by_subscription = Ws::open(addr).await;
    by_subscription.send("subscribe", json!({"topics": ["app.any"], "since": token})).await;
    let subscribed = by_subscription.of_type("subscribed").await;
    assert_eq!(subscribed["payload"], json!({"topics": ["app.any"], "resumed": true}));
    event(&by_subscription, seen + 2).await;
    let live = publish().await;
    for ws in [&by_address, &by_subscription] {
        event(ws, live).await;
        let told = ws.inbox.all().into_iter().filter_map(|entry| match entry {
            Incoming::Json(json) if json["topic"] == "agent.local.run" => json["seq"].as_u64(),
            Incoming::Json(json) => {
                assert_ne!(json["type"], "gap", "{json}");
                None
            }
            Incoming::Closed(..) => None,
        });
        assert_eq!(told.collect::<Vec<_>>(), (seen + 1..=live).collect::<Vec<_>>(), "once and in order");
    }

    let mut late = Ws::open(addr).await;
    late.of_type("system_message").await;
    let newer = publish().await;
    event(&late, newer).await;
    late.send("subscribe", json!({"topics": ["app.any"], "since": token})).await;
    let gap = late.of_type("gap").await;
    assert_eq!(
        (&gap["payload"]["topic"], &gap["payload"]["reason"]),
        (&json!("agent.local.>"), &json!("skipped"))
    );
}

#[tokio::test]
async fn a_key_is_taken_from_a_header_a_subprotocol_or_the_first_message_and_from_nowhere_else() {
    let (platform, _file) = with_keys().await;
    let addr = platform.service(Kind::PushGateway).addr();
    let bearer = format!("Bearer {KEY}");
    let by_header = Ws::open_with(addr, &[("authorization", &bearer)]).await.unwrap();
    by_header.of_type("system_message").await;

    let offered = format!("jwt-auth, jwt.{}", base64_url(KEY));
    let by_protocol = Ws::open_with(addr, &[("sec-websocket-protocol", &offered)]).await.unwrap();
    assert_eq!(by_protocol.headers["sec-websocket-protocol"], "jwt-auth");
    by_protocol.of_type("system_message").await;

    let wrong = Ws::open_with(addr, &[("authorization", "Bearer not-a-key-of-this-one")]).await.unwrap();
    wrong.of_type("authentication_error").await;
    assert_eq!(wrong.closed().await.0, 1008);

    let mut silent = Ws::open(addr).await;
    silent.send("ping", Value::Null).await;
    silent.of_type("authentication_error").await;
    assert_eq!(silent.closed().await.0, 1008);
}

/// A gateway that asks for keys, and the file that holds them.
async fn with_keys() -> (Platform, Scratch) {
    let folder = Scratch::new();
    let path = folder.path().join("keys.json");
    let keys = json!({"keys": [{"id": "reader", "key": KEY, "roles": ["read"]}]});
    std::fs::File::create(&path).unwrap().write_all(keys.to_string().as_bytes()).unwrap();
    let platform = Platform::builder()
        .with(Kind::KnowledgeBase)
        .with(Kind::PushGateway)
        .set(Kind::PushGateway, "BYWASH_API_KEYS_FILE", &path.display().to_string())
        .start()
        .await;
    (platform, folder)
}

/// Base64 with the alphabet for URLs, no padding (RFC 4648, section 5).
fn base64_url(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for group in text.as_bytes().chunks(3) {
        let bits =
            group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for index in 0..=group.len() {
            out.push(char::from(ALPHABET[(bits >> (18 - 6 * index) & 63) as usize]));
        }
    }
    out
}
