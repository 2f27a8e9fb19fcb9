//! What a stranger can send to the gateway: each kind is refused in the protocol's own words, counted by its kind, and
//! written to no log as it came. `bad_input` has the requests, `websocket_conformance` the framing in full.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use async_nats::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bywash_tests::platform::{Platform, answer};
use bywash_tests::raw_ws::{Frame, RawWs, masked, text};
use bywash_tests::service::{Kind, Service};
use bywash_tests::sse::Sse;
use bywash_tests::swarm::signed;
use bywash_tests::wait::eventually;
use bywash_tests::ws::{Incoming, Ws};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const SECRET: &str = "an e2e secret of more than 32 bytes";
const TICKET_KEY: &str = "a ticket key of at least thirty-two bytes";
/// Longer than the gateway waits for a head (30 s), with the usual time for a loaded machine on top.
const HEAD_DEADLINE: Duration = Duration::from_secs(90);
/// Between two bytes of a head that never ends: often enough to show that progress does not buy time.
const BYTE_INTERVAL: Duration = Duration::from_millis(500);

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

async fn gateway() -> Platform {
    Platform::builder().with(Kind::PushGateway).start().await
}

/// How often this kind was counted.
async fn counted(gateway: &Service, kind: &str) -> f64 {
    gateway.metric(&format!("bywash_gateway_bad_input_total{{kind=\"{kind}\"}}")).await
}

/// Text as it stands in an address (RFC 3986), every byte escaped.
fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Waits until a series has grown by `more` from `before`.
async fn grown(gateway: &Service, series: &str, before: f64, more: f64) {
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

#[tokio::test]
async fn a_head_that_does_not_end_is_cut_however_slowly_it_comes_and_a_head_without_end_at_once() {
    let platform = gateway().await;
    let gateway = platform.service(Kind::PushGateway);
    let bad_heads = |reason| format!("bywash_http_bad_heads_total{{reason=\"{reason}\"}}");
    let head = "GET /ws HTTP/1.1\r\nhost: localhost\r\nx-slow: ";

    // Each in its way sends no whole head; the first has nothing at all to say and is only idle.
    let silent = TcpStream::connect(gateway.addr()).await.unwrap();
    let mut half = TcpStream::connect(gateway.addr()).await.unwrap();
    half.write_all(head.as_bytes()).await.unwrap();
    let drip = TcpStream::connect(gateway.addr()).await.unwrap();
    let (mut drip, mut drip_out) = drip.into_split();
    let dripping = tokio::spawn(async move {
        let bytes = head.bytes().chain(std::iter::repeat(b'x'));
        for byte in bytes {
            if drip_out.write_all(&[byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(BYTE_INTERVAL).await;
        }
    });

    // Meanwhile: too many fields, too many bytes, and what is no HTTP.
    let many = (0..200).map(|n| format!("x-{n}: y\r\n")).collect::<String>();
    let long = format!("x-long: {}\r\n", "y".repeat(128 * 1024));
    for (what, bytes, status, reason) in [
        ("fields", format!("GET /livez HTTP/1.1\r\nhost: localhost\r\n{many}\r\n"), "431", "too_large"),
        ("bytes", format!("GET /livez HTTP/1.1\r\nhost: localhost\r\n{long}\r\n"), "431", "too_large"),
        ("an address", format!("GET /{} HTTP/1.1\r\n\r\n", "y".repeat(70_000)), "414", "too_large"),
        ("no HTTP", "\u{1b}[31m hello\r\n\r\n".to_owned(), "400", "malformed"),
    ] {
        let before = gateway.metric(&bad_heads(reason)).await;
        let answer = answered(gateway.addr(), bytes.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{what}: {answer}");
        grown(gateway, &bad_heads(reason), before, 1.0).await;
    }

    for (what, socket) in [("silent", silent), ("half a head", half)] {
        ended(what, socket).await;
    }
    let mut rest = Vec::new();
    let read = tokio::time::timeout(HEAD_DEADLINE, drip.read_to_end(&mut rest)).await;
    assert!(read.is_ok(), "a byte now and then buys no time");
    dripping.await.unwrap();
    grown(gateway, &bad_heads("slow"), 0.0, 2.0).await;
    assert!((gateway.metric(&bad_heads("slow")).await - 2.0).abs() < 0.5, "the silent one was only idle");
}

/// What is answered to these bytes, to the end of the connection.
async fn answered(addr: SocketAddr, bytes: &[u8]) -> String {
    let mut socket = TcpStream::connect(addr).await.unwrap();
    // It may answer before it has read all.
    let _ = socket.write_all(bytes).await;
    let mut text = Vec::new();
    // What came before a reset counts.
    let _ = tokio::time::timeout(HEAD_DEADLINE, socket.read_to_end(&mut text)).await.expect("it closes");
    String::from_utf8_lossy(&text).into_owned()
}

/// Waits for the other end to close a connection that is not used.
async fn ended(what: &str, mut socket: TcpStream) {
    let mut rest = Vec::new();
    let read = tokio::time::timeout(HEAD_DEADLINE, socket.read_to_end(&mut rest)).await;
    assert!(read.is_ok(), "{what}: still open after {HEAD_DEADLINE:?}");
}

#[tokio::test]
async fn a_client_that_goes_without_a_word_is_asked_after_by_the_kernel() {
    let platform = gateway().await;
    let gateway = platform.service(Kind::PushGateway);
    let mut stream = TcpStream::connect(gateway.addr()).await.unwrap();
    stream
        .write_all(b"GET /api/events/stream?topics=app.x HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut begin = [0; 12];
    stream.read_exact(&mut begin).await.unwrap();
    assert_eq!(&begin, b"HTTP/1.1 200");
    let websocket = RawWs::open(gateway.addr(), "/ws", "").await;
    for client in [stream.local_addr().unwrap(), websocket.local_addr()] {
        let (kind, left) = eventually("a timer of keep-alive on the gateway's socket", || async {
            // 1 is a retransmission: the gateway's last bytes are still on their way.
            kernel_timer(gateway.addr(), client)
                .filter(|(kind, _)| *kind == 2)
                .ok_or_else(|| format!("{client}"))
        })
        .await;
        assert_eq!(kind, 2);
        assert!(
            left <= Duration::from_secs(60),
            "it asks within a minute, not in {left:?} (default: two hours)"
        );
    }
}

/// The timer of the kernel on the socket from `local` to `remote`: its kind, and when it is due.
fn kernel_timer(local: SocketAddr, remote: SocketAddr) -> Option<(u8, Duration)> {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let ends = |addr: SocketAddr| format!(":{:04X}", addr.port());
    let row = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).find(|fields| {
        fields.get(1).is_some_and(|field| field.ends_with(&ends(local)))
            && fields.get(2).is_some_and(|field| field.ends_with(&ends(remote)))
    })?;
    let (kind, due) = row.get(5)?.split_once(':')?;
    // In hundredths of a second, on every Linux.
    let due = u64::from_str_radix(due, 16).ok()? * 10;
    Some((kind.parse().ok()?, Duration::from_millis(due)))
}

/// A gateway that asks for tokens of one issuer and audience.
async fn with_tokens() -> Platform {
    Platform::builder()
        .with(Kind::PushGateway)
        .set_all("BYWASH_JWT_SECRET", SECRET)
        .set_all("BYWASH_JWT_AUDIENCE", "bywash")
        .set_all("BYWASH_JWT_ISSUER", "https://issuer.example")
        .set_all("BYWASH_TICKET_KEY", TICKET_KEY)
        .start()
        .await
}

/// Claims that are accepted, with changes; a change to null removes the claim.
fn claims(changes: &Value) -> Value {
    let mut all = json!({"sub": "ada", "jti": "j1", "roles": ["read", "write"], "exp": 4_102_444_800_u64,
        "aud": "bywash", "iss": "https://issuer.example"});
    for (name, value) in changes.as_object().unwrap() {
        all[name] = value.clone();
    }
    all.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    all
}

#[tokio::test]
async fn tokens_that_prove_nothing_are_refused_alike_by_every_protocol_and_counted_by_reason() {
    let platform = with_tokens().await;
    let gateway = platform.service(Kind::PushGateway);
    let part = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let good = signed(SECRET, &claims(&json!({})));
    let (status, _) = answer(platform.http.post(gateway.url("/api/events/ticket")).bearer_auth(&good)).await;
    assert_eq!(status, StatusCode::CREATED, "the token that all others are changed from");
    let unsigned =
        |alg: &str| format!("{}.{}.", part(json!({"alg": alg, "typ": "JWT"})), part(claims(&json!({}))));
    let (_, signature) = good.rsplit_once('.').unwrap();
    let reheaded = format!("{}{signature}", unsigned("none"));
    let rows = [
        ("alg none", unsigned("none"), "token_algorithm"),
        ("alg None", unsigned("None"), "token_algorithm"),
        ("alg none with a signature", reheaded, "token_algorithm"),
        ("no signature", unsigned("HS256"), "token_signature"),
        (
            "another key",
            signed("another secret of more than 32 bytes", &claims(&json!({}))),
            "token_signature",
        ),
        ("expired", signed(SECRET, &claims(&json!({"exp": 1_577_836_800}))), "token_expired"),
        ("not yet", signed(SECRET, &claims(&json!({"nbf": 4_102_444_700_u64}))), "token_not_yet_valid"),
        ("another audience", signed(SECRET, &claims(&json!({"aud": "other"}))), "token_audience"),
        ("no audience", signed(SECRET, &claims(&json!({"aud": null}))), "token_audience"),
        ("another issuer", signed(SECRET, &claims(&json!({"iss": "https://evil.example"}))), "token_issuer"),
        ("no end", signed(SECRET, &claims(&json!({"exp": null}))), "token_claims"),
        ("topics of no catalogue", signed(SECRET, &claims(&json!({"topics": [">"]}))), "token_topics"),
    ];
    let mut wanted = BTreeMap::new();
    for (what, token, code) in &rows {
        let (status, body) =
            answer(platform.http.get(platform.stream_url("topics=app.x")).bearer_auth(token)).await;
        assert_eq!(
            (status, &body["error"]["code"]),
            (StatusCode::UNAUTHORIZED, &json!(code)),
            "{what}: {body}"
        );

        let bearer = format!("Bearer {token}");
        let ws = Ws::open_with(gateway.addr(), &[("authorization", &bearer)]).await.unwrap();
        let told = ws.of_type("authentication_error").await;
        assert_eq!(told["payload"]["code"], json!(code), "{what}: {told}");
        assert_eq!(ws.closed().await.0, 1008, "{what}");

        let mut client = RawWs::open(gateway.addr(), "/connection/websocket", "").await;
        client.send(&text(&json!({"id": 1, "connect": {"token": token}}).to_string())).await;
        let frame = client.frame().await.expect("it is told");
        let is_expired = frame.text().contains("\"code\":109") && *code == "token_expired";
        assert!(is_expired || frame.close_code() == Some(3500), "{what}: {frame:?}");
        *wanted.entry(*code).or_insert(0.0) += 3.0;
    }
    for (code, count) in wanted {
        let series = format!("bywash_auth_refused_total{{reason=\"{code}\"}}");
        assert!((gateway.metric(&series).await - count).abs() < 0.5, "{code}: each is counted once");
    }
}

#[tokio::test]
async fn a_ticket_in_a_cookie_counts_only_from_our_own_pages_and_for_nothing_but_streams() {
    let platform = with_tokens().await;
    let gateway = platform.service(Kind::PushGateway);
    let token = signed(SECRET, &claims(&json!({})));
    let (_, body) = answer(platform.http.post(gateway.url("/api/events/ticket")).bearer_auth(&token)).await;
    let cookie = format!("bywash_ticket={}", body["ticket"].as_str().unwrap());
    let stream = || platform.http.get(platform.stream_url("topics=app.x")).header("cookie", &cookie);
    let own = format!("http://{}", gateway.addr());

    let before = counted(gateway, "cookie_without_origin").await;
    for (what, request, code) in [
        ("no origin", stream(), "cookie_without_origin"),
        (
            "cross-site by its own word",
            stream().header("sec-fetch-site", "cross-site"),
            "cookie_without_origin",
        ),
        ("a page of the same site", stream().header("sec-fetch-site", "same-site"), "cookie_without_origin"),
        ("another site", stream().header("origin", "https://evil.example"), "origin_not_allowed"),
        ("another port", stream().header("origin", "http://127.0.0.1:1"), "origin_not_allowed"),
        ("no origin that has a name", stream().header("origin", "null"), "origin_not_allowed"),
        (
            "another site that says it is ours",
            stream().header("origin", "https://evil.example").header("sec-fetch-site", "same-origin"),
            "origin_not_allowed",
        ),
    ] {
        let (status, body) = answer(request).await;
        assert_eq!((status, &body["error"]["code"]), (StatusCode::FORBIDDEN, &json!(code)), "{what}: {body}");
    }
    assert!((counted(gateway, "cookie_without_origin").await - before - 3.0).abs() < 0.5);

    // From our own page it opens streams, and nothing that changes anything.
    let sse = Sse::send(stream().header("origin", &own)).await;
    sse.named("ready").await;
    let by_fetch = Sse::send(stream().header("sec-fetch-site", "same-origin")).await;
    by_fetch.named("ready").await;
    for (path, body) in [
        ("/api/publish", json!({"topic": "app.x", "data": {}})),
        ("/api/revocations", json!({"id": "x"})),
        ("/api/events/ticket", json!({})),
    ] {
        for origin in [own.as_str(), "https://evil.example"] {
            let request =
                platform.http.post(gateway.url(path)).header("cookie", &cookie).header("origin", origin);
            let (status, answer) = answer(request.json(&body)).await;
            let wanted = if origin == own { StatusCode::UNAUTHORIZED } else { StatusCode::FORBIDDEN };
            assert_eq!(status, wanted, "{path} from {origin}: {answer}");
        }
    }
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

#[tokio::test]
async fn a_client_that_does_not_say_who_it_is_in_time_is_told_so_and_closed() {
    let platform = with_tokens().await;
    let gateway = platform.service(Kind::PushGateway);
    let before = gateway.metric("bywash_gateway_closed_total{reason=\"unauthenticated\"}").await;
    for (path, told, code) in [
        ("/ws", "authentication_timeout", 1008),
        ("/socket.io/?EIO=4&transport=websocket", "authentication_timeout", 1008),
        // Its close code says so.
        ("/connection/websocket", "stale", 3502),
    ] {
        let mut client = RawWs::open(gateway.addr(), path, "").await;
        // A ping is no word on who one is.
        client.send(&masked(0x89, b"")).await;
        let mut frames = Vec::new();
        while let Some(frame) = client.frame().await {
            frames.push(frame);
        }
        assert!(frames.iter().any(|frame| frame.text().contains(told)), "{path}: {frames:?}");
        assert_eq!(frames.last().and_then(Frame::close_code), Some(code), "{path}: {frames:?}");
    }
    grown(gateway, "bywash_gateway_closed_total{reason=\"unauthenticated\"}", before, 3.0).await;
}
