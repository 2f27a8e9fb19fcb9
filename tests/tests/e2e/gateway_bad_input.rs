//! What a stranger can send to the gateway: each kind is refused in the protocol's own words, counted by its kind, and
//! written to no log as it came. `bad_input` has the requests, `websocket_conformance` the framing in full,
//! `gateway_bad_credentials` what proves nothing, `gateway_silence` those who say too little.

use std::net::SocketAddr;
use std::time::Duration;

use async_nats::HeaderMap;
use bywash_tests::platform::{Platform, answer};
use bywash_tests::raw_ws::{RawWs, masked, text};
use bywash_tests::service::{Kind, Service};
use bywash_tests::sse::Sse;
use bywash_tests::wait::eventually;
use bywash_tests::ws::{Incoming, Ws};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longer than the gateway waits for a head (30 s), with the usual time for a loaded machine on top.
pub(super) const HEAD_DEADLINE: Duration = Duration::from_secs(90);
/// Every WebSocket, with what makes a connection of it that may speak.
const WEBSOCKETS: [&str; 5] = [
    "/ws",
    "/connection/websocket",
    "/connection/websocket?format=protobuf",
    "/api/v3/ws/search",
    "/socket.io/?EIO=4&transport=websocket",
];

/// Names that lead, or try to lead, out of what clients may follow.
const NOT_TOPICS: [&str; 16] = [
    ">",
    "*",
    "*.facts",
    "kb.>",
    "kb.*",
    "kb.facts>",
    "kb.facts.>.x",
    "$JS.API.>",
    "$JS.API.STREAM.DELETE.KB",
    "$KV.REVOKED.>",
    "$SYS.>",
    "_INBOX.>",
    "cmd.>",
    "audit.>",
    "kb.facts\r\ndata: {}",
    "app.\u{1b}[31m",
];

pub(super) async fn gateway() -> Platform {
    Platform::builder().with(Kind::PushGateway).start().await
}

/// How often this kind was counted.
pub(super) async fn counted(gateway: &Service, kind: &str) -> f64 {
    gateway.metric(&format!("bywash_gateway_bad_input_total{{kind=\"{kind}\"}}")).await
}

/// Text as it stands in an address (RFC 3986), every byte escaped.
fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Waits until a series has grown by `more` from `before`.
pub(super) async fn grown(gateway: &Service, series: &str, before: f64, more: f64) {
    eventually(&format!("{series} grows by {more}"), || async {
        let now = gateway.metric(series).await;
        if now >= before + more { Ok(()) } else { Err(format!("{before} -> {now}")) }
    })
    .await;
}

/// A connection of Centrifugo's protocol, connected.
async fn centrifugo(addr: SocketAddr) -> RawWs {
    let mut client = RawWs::open(addr, "/connection/websocket", "").await;
    client.send(&text(r#"{"id":1,"connect":{}}"#)).await;
    client.wanted("the answer to connect", |frame| frame.text().contains("\"connect\"")).await;
    client
}

/// The answer to one command of Centrifugo's protocol.
async fn asked(client: &mut RawWs, id: u32, command: Value) -> Value {
    let mut command = command;
    command["id"] = json!(id);
    client.send(&text(&command.to_string())).await;
    let own = format!("\"id\":{id},");
    let frame = client.wanted(&format!("the answer to {command}"), |frame| frame.text().contains(&own)).await;
    serde_json::from_slice(&frame.payload).unwrap()
}

#[tokio::test]
async fn frames_that_break_the_protocol_end_every_kind_of_websocket_and_are_counted() {
    let platform = gateway().await;
    let gateway = platform.service(Kind::PushGateway);
    let mut unmasked = masked(0x81, b"");
    unmasked[1] &= 0x7f;
    let rows = [
        ("unmasked", unmasked, 1002),
        ("a reserved bit", masked(0xc1, b"x"), 1002),
        ("an opcode that means nothing", masked(0x83, b"x"), 1002),
        ("a ping that is too long", masked(0x89, &[0; 126]), 1002),
        ("not UTF-8", masked(0x81, b"\xff\x1b[31m"), 1007),
    ];
    for path in WEBSOCKETS {
        for (what, frame, code) in &rows {
            let before = counted(gateway, "framing").await;
            let mut client = RawWs::open(gateway.addr(), path, "").await;
            client.send(frame).await;
            assert_eq!(client.closed().await, Some(*code), "{path}: {what}");
            assert!(
                (counted(gateway, "framing").await - before - 1.0).abs() < 0.5,
                "{path}: {what} counts once"
            );
        }
    }
}

#[tokio::test]
async fn a_message_too_large_is_told_by_every_kind_of_websocket_and_held_by_none() {
    let platform = gateway().await;
    let gateway = platform.service(Kind::PushGateway);
    // One byte more than each takes; then one whose length alone is too much for anybody.
    let sizes = [("/ws", 8_193), ("/connection/websocket", 65_537), ("/api/v3/ws/search", 8_193)];
    for (path, size) in sizes {
        let before = counted(gateway, "too_large").await;
        let mut client = RawWs::open(gateway.addr(), path, "").await;
        client.send(&masked(0x81, &vec![b'x'; size])).await;
        let told = |text: &str| text.contains("MESSAGE_TOO_LARGE") || text.contains("at most");
        let frame = client
            .wanted("a word on the size", |frame| frame.close_code() == Some(1009) || told(&frame.text()))
            .await;
        assert!(counted(gateway, "too_large").await > before, "{path}: {frame:?}");
    }
    let memory = "bywash_gateway_memory_used_bytes";
    let mut clients = Vec::new();
    for path in WEBSOCKETS {
        let mut client = RawWs::open(gateway.addr(), path, "").await;
        // 2^62 bytes are announced, and some of them sent.
        client.send(&[0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]).await;
        client.send(&vec![0; 256 * 1024]).await;
        clients.push(client);
    }
    let (status, profile) = platform.get(Kind::PushGateway, "/api/profile").await;
    assert_eq!(status, StatusCode::OK, "it goes on: {profile}; {} bytes", gateway.metric(memory).await);
}

#[tokio::test]
async fn messages_that_cannot_be_read_are_told_and_counted_by_every_protocol() {
    let platform = gateway().await;
    let gateway = platform.service(Kind::PushGateway);
    for (path, sent, told) in [
        ("/ws", "{", "FORMAT_ERROR"),
        ("/ws", r#"{"type":"\u001b[31mdance\n"}"#, "UNKNOWN_TYPE"),
        ("/ws", r#"{"type":"subscribe","payload":{"topics":[7]}}"#, "FORMAT_ERROR"),
        ("/api/v3/ws/search", "[]", "send a JSON object"),
        ("/api/v3/ws/search", r#"{"action":"dance\n"}"#, "there is no action"),
        ("/api/v3/ws/search", r#"{"action":"search","query":"x","top_k":101}"#, "top_k"),
    ] {
        let before = counted(gateway, "message").await;
        let mut client = RawWs::open(gateway.addr(), path, "").await;
        client.send(&text(sent)).await;
        client.wanted(told, |frame| frame.text().contains(told)).await;
        assert!(counted(gateway, "message").await > before, "{path}: {sent}");
    }
    let socketio = "/socket.io/?EIO=4&transport=websocket";
    for (path, sent, code) in [
        ("/connection/websocket", "hello", 3501),
        ("/connection/websocket", r#"{"id":1,"subscribe":{"channel":"app.a"}}"#, 3501),
        (socketio, "nothing that Engine.IO knows", 1002),
        (socketio, "42[\"before it joined\"]", 1002),
    ] {
        let before = counted(gateway, "message").await;
        let mut client = RawWs::open(gateway.addr(), path, "").await;
        client.send(&text(sent)).await;
        assert_eq!(client.closed().await, Some(code), "{path}: {sent}");
        assert!(counted(gateway, "message").await > before, "{path}: {sent}");
    }
}

#[tokio::test]
async fn topics_that_try_to_escape_are_refused_by_name_in_every_protocol_and_reach_no_stream() {
    let platform = gateway().await;
    let gateway = platform.service(Kind::PushGateway);
    let codes = ["malformed_topic", "unknown_topic", "wildcard_above_catalogue"];
    let mut ws = Ws::open(gateway.addr()).await;
    let mut client = centrifugo(gateway.addr()).await;
    for (n, topic) in (0..).zip(NOT_TOPICS) {
        let before = counted(gateway, "topic").await;
        let url = platform.stream_url(&format!("topics={}", percent_encoded(topic)));
        let (status, body) = answer(platform.http.get(url)).await;
        let code = body["error"]["code"].as_str().unwrap_or_default();
        assert!(status == StatusCode::BAD_REQUEST && codes.contains(&code), "SSE {topic:?}: {status} {body}");

        let id = format!("m{n}");
        let subscribe = json!({"type": "subscribe", "payload": {"topics": [topic]}, "message_id": id});
        ws.send_text(subscribe.to_string()).await;
        let told = ws.json(topic, |json| json["correlation_id"] == json!(id)).await;
        let told_code = told["payload"]["code"].as_str().unwrap_or_default().to_lowercase();
        assert!(told["type"] == "error_message" && told_code == code, "/ws {topic:?}: {told}");

        for (place, command) in [
            (0, json!({"subscribe": {"channel": topic}})),
            (1, json!({"history": {"channel": topic, "limit": 1}})),
            (2, json!({"presence_stats": {"channel": topic}})),
            (3, json!({"publish": {"channel": topic, "data": {}}})),
        ] {
            let told = asked(&mut client, 10 + n * 4 + place, command.clone()).await;
            let number = told["error"]["code"].as_u64().unwrap_or_default();
            assert!([102, 107].contains(&number), "{command}: {told}");
        }
        let publish = json!({"topic": topic, "data": {}});
        let (status, body) = platform.post(Kind::PushGateway, "/api/publish", &publish).await;
        assert_eq!(
            (status, &body["error"]["code"]),
            (StatusCode::BAD_REQUEST, &json!(code)),
            "{topic:?}: {body}"
        );
        let more = counted(gateway, "topic").await - before;
        assert!((more - 7.0).abs() < 0.5, "{topic:?}: all seven are counted, {more} were");
    }
    // Somebody else's subjects are well-formed and refused all the same.
    for topic in ["kb.facts", "state.kb", "governor.decisions", "logs.x.info", "agent.local.run"] {
        let (status, body) =
            platform.post(Kind::PushGateway, "/api/publish", &json!({"topic": topic, "data": {}})).await;
        assert_eq!(
            (status, &body["error"]["code"]),
            (StatusCode::FORBIDDEN, &json!("topic_not_allowed")),
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_flood_of_topics_or_messages_is_refused_with_its_limit_and_counted() {
    let platform = gateway().await;
    let gateway = platform.service(Kind::PushGateway);
    let topics = |from: usize, count: usize| {
        (from..from + count).map(|n| format!("app.flood.{n}")).collect::<Vec<_>>()
    };
    let before = counted(gateway, "flood").await;
    let url = platform.stream_url(&format!("topics={}", topics(0, 65).join(",")));
    let (status, body) = answer(platform.http.get(url)).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (StatusCode::BAD_REQUEST, &json!("too_many_topics")),
        "{body}"
    );

    let mut ws = Ws::open(gateway.addr()).await;
    let is_told =
        |json: &Value, id: &str| json["correlation_id"] == id && json["payload"]["code"] == "TOO_MANY_TOPICS";
    for (id, from, count) in [("one", 0, 65), ("a", 0, 64), ("b", 64, 64), ("c", 128, 1)] {
        let payload = json!({"topics": topics(from, count)});
        ws.send_text(json!({"type": "subscribe", "payload": payload, "message_id": id}).to_string()).await;
    }
    ws.json("more than a message may name", |json| is_told(json, "one")).await;
    ws.json("more than a connection may follow", |json| is_told(json, "c")).await;
    let seen = ws.inbox.all();
    let is_refused = |id| seen.iter().any(|entry| matches!(entry, Incoming::Json(json) if is_told(json, id)));
    assert!(!is_refused("a") && !is_refused("b"), "as many as one may: {seen:#?}");

    let mut client = centrifugo(gateway.addr()).await;
    let mut refused = Value::Null;
    for (id, topic) in (2..).zip(topics(0, 129)) {
        refused = asked(&mut client, id, json!({"subscribe": {"channel": topic}})).await;
        if !refused["error"].is_null() {
            break;
        }
    }
    assert_eq!(refused["error"]["code"], 106, "{refused}");

    // Without waiting for answers: 601 of them, and the last is one too many.
    let pings: Vec<u8> = (0..601).flat_map(|_| text(r#"{"type":"ping","payload":{}}"#)).collect();
    let mut flood = RawWs::open(gateway.addr(), "/ws", "").await;
    flood.send(&pings).await;
    flood.wanted("the limit", |frame| frame.text().contains("RATE_LIMITED")).await;
    assert!(counted(gateway, "flood").await >= before + 5.0, "each is counted");
}

#[tokio::test]
async fn events_that_are_not_one_json_value_in_one_line_are_dropped_counted_and_seen_by_nobody() {
    let platform = gateway().await;
    let gateway = platform.service(Kind::PushGateway);
    let sse = Sse::open(&platform.stream_url("topics=app.%3E&named=1")).await;
    sse.named("ready").await;
    let mut ws = Ws::open(gateway.addr()).await;
    ws.send("subscribe", json!({"topics": ["app.>"]})).await;
    ws.of_type("subscribed").await;
    let mut client = centrifugo(gateway.addr()).await;
    asked(&mut client, 2, json!({"subscribe": {"channel": "app.>"}})).await;

    let jetstream = async_nats::jetstream::new(platform.nats.client().await);
    let payloads: [&[u8]; 9] = [
        b"{\n}",
        b"{}\r",
        b"1\n\ndata: {\"forged\":true}",
        b"{",
        b"",
        b"{}{}",
        b"\"\xff\"",
        b"\xef\xbb\xbf{}",
        b"NaN",
    ];
    let before = gateway.metric("bywash_gateway_invalid_events_total").await;
    for payload in payloads {
        jetstream.publish("app.bad", payload.into()).await.unwrap().await.unwrap();
    }
    let mut headers = HeaderMap::new();
    headers.insert("ce-type", "forged\u{1b}[2J");
    jetstream.publish_with_headers("app.bad", headers, "{}".into()).await.unwrap().await.unwrap();
    let last = jetstream.publish("app.good", "{\"good\":true}".into()).await.unwrap().await.unwrap();

    sse.events.first("the good one", |event| event.sequence() == last.sequence).await;
    ws.json("the good one", |json| json["seq"] == json!(last.sequence)).await;
    let first = client.wanted("a publication", |frame| frame.text().contains("\"pub\"")).await;
    assert!(first.text().contains("\"good\":true"), "the good one comes first: {first:?}");
    let events = sse.events.all();
    let topics: Vec<&str> = events.iter().filter_map(|event| event.data["topic"].as_str()).collect();
    assert_eq!(topics, ["app.good"], "{events:#?}");
    let seen = ws.inbox.all();
    let bad = |entry: &Incoming| matches!(entry, Incoming::Json(json) if json["topic"] == "app.bad");
    assert!(!seen.iter().any(bad), "{seen:#?}");
    grown(gateway, "bywash_gateway_invalid_events_total", before, 10.0).await;
}

/// What is answered to these bytes, to the end of the connection.
pub(super) async fn answered(addr: SocketAddr, bytes: &[u8]) -> String {
    let mut socket = TcpStream::connect(addr).await.unwrap();
    // It may answer before it has read all.
    let _ = socket.write_all(bytes).await;
    let mut text = Vec::new();
    // What came before a reset counts.
    let _ = tokio::time::timeout(HEAD_DEADLINE, socket.read_to_end(&mut text)).await.expect("it closes");
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn nothing_that_is_sent_reaches_a_log_line_unescaped() {
    for format in ["json", "pretty"] {
        let platform = Platform::builder()
            .with(Kind::PushGateway)
            .set_all("BYWASH_LOG_FORMAT", format)
            .set_all("BYWASH_LOG", "trace")
            .start()
            .await;
        let gateway = platform.service(Kind::PushGateway);
        send_escapes(&platform, gateway).await;
        let output = gateway.process().output();
        assert!(output.contains("an event is dropped"), "{format}: the log tells of bad events: {output}");
        for line in output.lines() {
            assert!(!line.chars().any(char::is_control), "{format}: a control character in {line:?}");
            let is_ours = if format == "json" { line.starts_with('{') } else { line.starts_with("20") };
            assert!(is_ours, "{format}: a line that somebody else began: {line:?}");
        }
    }
}

/// Everything that a client or a publisher names, each with a line end, a forged line and a terminal's escapes.
async fn send_escapes(platform: &Platform, gateway: &Service) {
    const EVIL: &str =
        "\r\n2026-01-01T00:00:00Z ERROR forged: \u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\u{0}\u{7f}";
    let http = &platform.http;
    for path in ["/%0d%0a%1b[31m", "/api/nothing%0aforged", "/%ff%00", "/socket.io/?EIO=%0a&transport=%1b"] {
        http.get(gateway.url(path)).send().await.unwrap();
    }
    for (path, name) in [
        ("/api/events/stream", "topics"),
        ("/api/events/stream", "since"),
        ("/api/events/stream", "ticket"),
        ("/api/v3/ws/search", "client_id"),
    ] {
        let url = gateway.url(&format!("{path}?{name}={}", percent_encoded(EVIL)));
        // One that is a stream all the same has begun when its head is there.
        http.get(url).send().await.unwrap();
    }
    http.delete(gateway.url("/api/connections/%0a%1b[31m")).send().await.unwrap();
    http.post(gateway.url("/api/revocations")).json(&json!({"id": EVIL})).send().await.unwrap();
    http.post(gateway.url("/api/publish")).json(&json!({"topic": EVIL, "data": EVIL})).send().await.unwrap();
    http.post(gateway.url("/api/publish"))
        .json(&json!({"topic": "app.x", "data": EVIL}))
        .send()
        .await
        .unwrap();
    for head in [
        &b"GET /\x1b[31m HTTP/1.1\r\n\r\n"[..],
        b"GET /livez HTTP/1.1\r\nhost: localhost\r\nx-a: \x1b[31m\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nhost: \xff\xfe\r\norigin: \x9b31m\r\n\r\n",
        b"\x16\x03\x01\x00\x05hello",
    ] {
        answered(gateway.addr(), &[head, b"GET /livez HTTP/1.1\r\nconnection: close\r\n\r\n"].concat()).await;
    }
    for message in [
        json!({"type": EVIL}),
        json!({"type": "subscribe", "payload": {"topics": [EVIL], "since": EVIL}}),
        json!({"type": "run_command", "payload": {"command": EVIL}}),
        json!({"type": "echo", "payload": EVIL, "message_id": EVIL}),
    ] {
        let mut ws = RawWs::open(gateway.addr(), "/ws", "").await;
        ws.send(&text(&message.to_string())).await;
        ws.wanted("an answer", |frame| !frame.text().contains("connection_established")).await;
    }
    let mut client = centrifugo(gateway.addr()).await;
    asked(&mut client, 2, json!({"rpc": {"method": EVIL, "data": EVIL}})).await;
    asked(&mut client, 3, json!({"subscribe": {"channel": EVIL}})).await;
    for packet in ["40{\"apiKey\":\"\u{1b}[31m\"}", "42[\"\u{1b}[31m\\n\",\"\u{1b}\"]", "4\u{1b}"] {
        let mut client = RawWs::open(gateway.addr(), "/socket.io/?EIO=4&transport=websocket", "").await;
        client.send(&text(packet)).await;
        client.wanted("an answer", |frame| !frame.text().starts_with('0')).await;
    }
    // A publisher of NATS: subjects hold everything but white space.
    let jetstream = async_nats::jetstream::new(platform.nats.client().await);
    let mut headers = HeaderMap::new();
    headers.insert("ce-type", "\u{1b}[31mforged");
    let subject = "app.\u{1b}[2J\u{9b}31m";
    jetstream.publish_with_headers(subject, headers, "{}".into()).await.unwrap().await.unwrap();
    jetstream.publish(subject, "{\n\u{1b}".into()).await.unwrap().await.unwrap();
    grown(gateway, "bywash_gateway_invalid_events_total", 0.0, 2.0).await;
}
