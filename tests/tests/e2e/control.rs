//! What operators and writers do over HTTP, on whichever pod they reach: publish, revoke, end connections, look at
//! them, and switch protocols off.

use std::time::Duration;

use bywash_tests::nats::Nats;
use bywash_tests::platform::{Platform, answer};
use bywash_tests::proof::open_stalled;
use bywash_tests::raw_ws::{RawWs, text};
use bywash_tests::service::{Kind, Service};
use bywash_tests::sse::Sse;
use bywash_tests::swarm::signed;
use bywash_tests::wait::eventually;
use bywash_tests::ws::Ws;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

const SECRET: &str = "an e2e secret of more than 32 bytes";
/// The year 2100.
const FAR_S: u64 = 4_102_444_800;
/// Largest value that is published, bytes.
const VALUE_SIZE_MAX: usize = 64 * 1024;
/// Values that fill every buffer between the gateway and a client that does not read.
const FLOOD_VALUES: u64 = 160;

/// A token of `user` with these roles; its id is `<user>-1`.
fn token(user: &str, roles: &[&str]) -> String {
    signed(SECRET, &json!({"sub": user, "jti": format!("{user}-1"), "roles": roles, "exp": FAR_S}))
}

async fn with_tokens(kinds: &[Kind]) -> Platform {
    let builder = kinds.iter().fold(Platform::builder(), |builder, kind| builder.with(*kind));
    builder.set_all("BYWASH_JWT_SECRET", SECRET).start().await
}

/// Another pod on the same NATS.
async fn pod(nats: &Nats, settings: &[(&str, &str)]) -> Service {
    let mut pod = Service::new(Kind::PushGateway, &nats.url());
    pod.set("BYWASH_INSTANCE", "another");
    for (name, value) in settings {
        pod.set(name, value);
    }
    pod.start().await;
    pod
}

/// Status and body of a request with a token.
async fn call(
    service: &Service,
    method: Method,
    path: &str,
    token: &str,
    body: &Value,
) -> (StatusCode, Value) {
    answer(Client::new().request(method, service.url(path)).bearer_auth(token).json(body)).await
}

fn code(body: &Value) -> &str {
    body["error"]["code"].as_str().unwrap_or_default()
}

/// A stream of `topics` that `token` opens, ready.
async fn stream(service: &Service, topics: &str, token: &str) -> Sse {
    let url = service.url(&format!("/api/events/stream?topics={topics}"));
    let sse = Sse::send(Client::new().get(url).bearer_auth(token)).await;
    sse.named("ready").await;
    sse
}

/// The one client of this protocol that a pod has.
async fn client_of(service: &Service, protocol: &str, token: &str) -> Value {
    eventually(&format!("a client of {protocol}"), || async {
        let (_, body) = call(service, Method::GET, "/debug/clients", token, &Value::Null).await;
        let clients = body["clients"].as_array().cloned().unwrap_or_default();
        clients.into_iter().find(|client| client["protocol"] == protocol).ok_or_else(|| body.to_string())
    })
    .await
}

#[tokio::test]
async fn what_is_published_reaches_every_follower_on_every_pod_as_it_was_and_nothing_else_may_be() {
    let platform = with_tokens(&[Kind::PushGateway]).await;
    let gateway = platform.service(Kind::PushGateway);
    let other = pod(&platform.nats, &[("BYWASH_JWT_SECRET", SECRET)]).await;
    let (reader, writer) = (token("ada", &["read"]), token("bob", &["write"]));
    let followers =
        [stream(gateway, "app.room.%3E", &reader).await, stream(&other, "app.room.1", &reader).await];
    let bearer = format!("Bearer {reader}");
    let mut ws = Ws::open_with(other.addr(), &[("authorization", &bearer)]).await.unwrap();
    ws.send("subscribe", json!({"topics": ["app.room.1"]})).await;
    ws.of_type("subscribed").await;

    let data = json!({"text": "line\nend \u{1f30a} \u{0}", "n": 1.5, "nothing": null, "list": [1, {}]});
    let publish = json!({"topic": "app.room.1", "data": data});
    let (status, body) = call(gateway, Method::POST, "/api/publish", &writer, &publish).await;
    assert_eq!((status, &body["topic"]), (StatusCode::CREATED, &json!("app.room.1")), "{body}");
    let seq = body["seq"].as_u64().unwrap();
    for follower in &followers {
        let event = follower.with_sequence("app.room.1", seq).await;
        assert_eq!((&event.data["data"], &event.data["type"]), (&data, &json!("message")), "{event:?}");
        assert!(event.data["time"].is_string(), "{event:?}");
    }
    let message = ws.json("the value", |json| json["seq"] == json!(seq)).await;
    assert_eq!(message["payload"], data, "{message}");

    let value_of = |size: usize| Value::String("x".repeat(size - 2));
    let whole = "x".repeat(300 * 1024);
    for (what, who, body, status, expected) in [
        ("a reader", &reader, publish.clone(), 403, "missing_role"),
        (
            "as large as it may be",
            &writer,
            json!({"topic": "app.a", "data": value_of(VALUE_SIZE_MAX)}),
            201,
            "",
        ),
        (
            "too large",
            &writer,
            json!({"topic": "app.a", "data": value_of(VALUE_SIZE_MAX + 1)}),
            413,
            "value_too_large",
        ),
        ("far too large", &writer, json!({"topic": "app.a", "data": whole}), 413, "body_too_large"),
        ("all of app", &writer, json!({"topic": "app.>", "data": 1}), 400, "malformed_topic"),
        ("some of app", &writer, json!({"topic": "app.*", "data": 1}), 400, "malformed_topic"),
        ("app itself", &writer, json!({"topic": "app", "data": 1}), 400, "unknown_topic"),
        ("the knowledge base", &writer, json!({"topic": "kb.facts", "data": 1}), 403, "topic_not_allowed"),
        ("the state", &writer, json!({"topic": "state.kb", "data": 1}), 403, "topic_not_allowed"),
        ("no value", &writer, json!({"topic": "app.a"}), 422, "invalid_body"),
        ("a field too many", &writer, json!({"topic": "app.a", "data": 1, "x": 1}), 422, "invalid_body"),
    ] {
        let (seen, answer) = call(gateway, Method::POST, "/api/publish", who, &body).await;
        assert_eq!((seen.as_u16(), code(&answer)), (status, expected), "{what}: {answer}");
    }
    let narrow = json!({"sub": "cleo", "roles": ["write"], "exp": FAR_S, "topics": ["app.cleo.>"]});
    let narrow = signed(SECRET, &narrow);
    for (topic, status) in [("app.cleo.x", 201), ("app.room.1", 403)] {
        let (seen, answer) =
            call(gateway, Method::POST, "/api/publish", &narrow, &json!({"topic": topic, "data": 1})).await;
        assert_eq!(seen.as_u16(), status, "{topic}: {answer}");
    }
    assert_eq!(followers[0].sequences("app.room.1"), [seq], "refused values reach nobody");
}

#[tokio::test]
async fn a_revocation_ends_connections_on_other_pods_and_is_honoured_by_every_service() {
    let platform = with_tokens(&[Kind::KnowledgeBase, Kind::PushGateway]).await;
    let gateway = platform.service(Kind::PushGateway);
    let other = pod(&platform.nats, &[("BYWASH_JWT_SECRET", SECRET)]).await;
    let (ada, bob, eve) =
        (token("ada", &["read"]), token("bob", &["read"]), token("eve", &["read", "control"]));
    let sse = stream(&other, "app.x", &ada).await;
    let spared = stream(&other, "app.x", &bob).await;
    let bearer = format!("Bearer {ada}");
    let ws = Ws::open_with(other.addr(), &[("authorization", &bearer)]).await.unwrap();
    ws.of_type("system_message").await;
    let mut centrifugo = RawWs::open(other.addr(), "/connection/websocket", "").await;
    centrifugo.send(&text(&json!({"id": 1, "connect": {"token": ada}}).to_string())).await;
    centrifugo.wanted("the answer to connect", |frame| frame.text().contains("\"connect\"")).await;
    let mut socketio = RawWs::open(other.addr(), "/socket.io/?EIO=4&transport=websocket", "").await;
    socketio.send(&text(&format!("40{{\"token\":\"{ada}\"}}"))).await;
    socketio.wanted("the namespace", |frame| frame.text().starts_with("40{")).await;

    let revoke = json!({"id": "ada-1"});
    let (status, body) = call(gateway, Method::POST, "/api/revocations", &bob, &revoke).await;
    assert_eq!((status, code(&body)), (StatusCode::FORBIDDEN, "missing_role"), "{body}");
    for (bad, status, expected) in [
        (json!({"id": ""}), 422, "invalid_revocation_id"),
        (json!({"id": "x".repeat(5_000)}), 422, "invalid_revocation_id"),
        (json!({"id": "x", "until": "tomorrow"}), 400, "malformed_time"),
        (json!({}), 422, "invalid_body"),
    ] {
        let (seen, body) = call(gateway, Method::POST, "/api/revocations", &eve, &bad).await;
        assert_eq!((seen.as_u16(), code(&body)), (status, expected), "{bad}: {body}");
    }
    let (status, body) = call(gateway, Method::POST, "/api/revocations", &eve, &revoke).await;
    assert_eq!((status, &body["id"]), (StatusCode::CREATED, &json!("ada-1")), "{body}");

    sse.closed().await;
    let last = sse.events.all().pop().expect("its end is told");
    assert!(last.is_named("closing") && last.data["reason"] == "token_revoked", "{last:?}");
    assert_eq!(ws.closed().await.0, 1008);
    assert_eq!(centrifugo.closed().await, Some(3500), "the published clients stay away");
    socketio.wanted("Socket.IO's disconnect", |frame| frame.text() == "41").await;

    let services = [
        (gateway, "/api/events/stream?topics=app.x"),
        (&other, "/api/events/stream?topics=app.x"),
        (platform.service(Kind::KnowledgeBase), "/api/facts/count"),
    ];
    for (service, path) in services {
        eventually(&format!("{path} refuses"), || async {
            let (status, body) = call(service, Method::GET, path, &ada, &Value::Null).await;
            if (status, code(&body)) == (StatusCode::UNAUTHORIZED, "token_revoked") {
                Ok(())
            } else {
                Err(body.to_string())
            }
        })
        .await;
    }
    assert!(!spared.events.all().iter().any(|event| event.is_named("closing")), "nobody else's ends");
    stream(gateway, "app.x", &bob).await;
}

#[tokio::test]
async fn a_connection_is_ended_by_whichever_pod_is_asked() {
    let platform = with_tokens(&[Kind::PushGateway]).await;
    let gateway = platform.service(Kind::PushGateway);
    let other = pod(&platform.nats, &[("BYWASH_JWT_SECRET", SECRET)]).await;
    let (ada, eve) = (token("ada", &["read"]), token("eve", &["control"]));
    let sse = stream(&other, "app.x", &ada).await;
    let spared = stream(gateway, "app.x", &ada).await;
    let id = client_of(&other, "sse", &eve).await["id"].as_str().unwrap().to_owned();
    let path = format!("/api/connections/{id}");
    let (status, body) = call(gateway, Method::DELETE, &path, &ada, &Value::Null).await;
    assert_eq!((status, code(&body)), (StatusCode::FORBIDDEN, "missing_role"), "{body}");
    let (status, _) = call(gateway, Method::DELETE, &path, &eve, &Value::Null).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    sse.closed().await;
    let last = sse.events.all().pop().expect("its end is told");
    assert!(last.is_named("closing") && last.data["reason"] == "removed", "{last:?}");
    for gone in [path.as_str(), "/api/connections/0000000000000000", "/api/connections/nobody"] {
        eventually("it is gone", || async {
            let (status, body) = call(gateway, Method::DELETE, gone, &eve, &Value::Null).await;
            if (status, code(&body)) == (StatusCode::NOT_FOUND, "no_such_connection") {
                Ok(())
            } else {
                Err(body.to_string())
            }
        })
        .await;
    }
    assert!(!spared.events.all().iter().any(|event| event.is_named("closing")), "no other ends");
}

#[tokio::test]
async fn each_client_is_shown_with_what_it_follows_and_how_far_it_is_behind() {
    let platform = Platform::builder().with(Kind::PushGateway).start().await;
    let gateway = platform.service(Kind::PushGateway);
    // Nobody asks for keys here; the token says nothing.
    let nobody = "";
    let reader = stream(gateway, "app.flood,state.%3E", nobody).await;
    let idle = eventually("all that there was is written to it", || async {
        let client = client_of(gateway, "sse", nobody).await;
        if client["state"] == "idle" { Ok(client) } else { Err(client.to_string()) }
    })
    .await;
    assert_eq!(idle["topics"], json!(["app.flood", "state.>"]), "{idle}");
    assert_eq!([&idle["user"], &idle["blocked_s"]], [&json!("local"), &Value::Null]);
    assert!(idle["id"].as_str().is_some_and(|id| id.len() == 16), "{idle}");
    assert!(idle["peer"].as_str().is_some_and(|peer| peer.starts_with("127.0.0.1:")), "{idle}");
    for number in ["connected_s", "lag_events", "lag_s", "queued_bytes", "delivered", "last_write_s"] {
        assert!(idle[number].as_f64().is_some_and(|value| value >= 0.0), "{number} in {idle}");
    }

    let stalled = open_stalled(gateway.addr(), "/api/events/stream?topics=app.flood").unwrap();
    eventually("both are there", || async {
        let (_, body) = platform.get(Kind::PushGateway, "/debug/clients").await;
        if body["total"] == 2 { Ok(()) } else { Err(body.to_string()) }
    })
    .await;
    let mut last = 0;
    for _ in 0..FLOOD_VALUES {
        let publish = json!({"topic": "app.flood", "data": "x".repeat(VALUE_SIZE_MAX - 2)});
        let (status, body) = platform.post(Kind::PushGateway, "/api/publish", &publish).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
        last = body["seq"].as_u64().unwrap();
    }
    reader.with_sequence("app.flood", last).await;
    let body = eventually("the one that does not read is behind, and first", || async {
        let (_, body) = platform.get(Kind::PushGateway, "/debug/clients").await;
        let (first, second) = (&body["clients"][0], &body["clients"][1]);
        let is_behind = first["state"] == "blocked" && first["lag_events"].as_u64() > Some(0);
        if is_behind && second["state"] == "idle" { Ok(body) } else { Err(body.to_string()) }
    })
    .await;
    let (first, second) = (&body["clients"][0], &body["clients"][1]);
    assert_eq!(
        [&body["total"], &body["listed"], &body["blocked"]],
        [&json!(2), &json!(2), &json!(1)],
        "{body}"
    );
    assert_eq!(first["topics"], json!(["app.flood"]), "{body}");
    assert!(first["lag_s"].as_f64() > Some(0.0) && first["blocked_s"].as_f64() > Some(0.0), "{first}");
    assert!(first["queued_bytes"].as_u64() > Some(0), "the rest of a frame: {first}");
    assert!(first["queued_bytes"].as_u64() < Some(3 * VALUE_SIZE_MAX as u64), "and not its backlog: {first}");
    assert!(first["delivered"].as_u64() < second["delivered"].as_u64(), "{body}");
    assert_eq!(second["lag_events"], json!(0), "{second}");
    drop(stalled);
    eventually("it is gone from the list", || async {
        let (_, body) = platform.get(Kind::PushGateway, "/debug/clients").await;
        if body["total"] == 1 { Ok(()) } else { Err(body.to_string()) }
    })
    .await;

    let keyed = with_tokens(&[Kind::PushGateway]).await;
    let gateway = keyed.service(Kind::PushGateway);
    let reader = token("ada", &["read", "write"]);
    let (status, body) = call(gateway, Method::GET, "/debug/clients", &reader, &Value::Null).await;
    assert_eq!(
        (status, code(&body)),
        (StatusCode::FORBIDDEN, "missing_role"),
        "who follows what is not for readers"
    );
}

/// Where streams of each kind are reached.
const STREAMS: [&str; 2] = ["/api/events/stream?topics=app.x", "/api/stream?topics=app.x"];
const WEBSOCKETS: [&str; 7] = [
    "/ws",
    "/connection/websocket",
    "/api/v3/ws/search",
    "/api/v3/ws/adapter/status",
    "/api/v3/ws/logs",
    "/api/v3/ws/graph/traverse",
    "/socket.io/?EIO=4&transport=websocket",
];
const POLLING: &str = "/socket.io/?EIO=4&transport=polling";

/// The status of a GET, with an opening handshake or without, and the error's code if there is one.
async fn opened(gateway: &Service, path: &str, is_websocket: bool) -> (u16, String) {
    let mut request = Client::new().get(gateway.url(path));
    if is_websocket {
        let key = "dGhlIHNhbXBsZSBub25jZQ==";
        request = request.header("connection", "Upgrade").header("upgrade", "websocket");
        request = request.header("sec-websocket-version", "13").header("sec-websocket-key", key);
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    if status < 400 {
        return (status, String::new());
    }
    let body: Value = response.json().await.unwrap();
    assert!(body["error"]["message"].as_str().is_some_and(|text| text.contains("/api/profile")), "{body}");
    (status, code(&body).to_owned())
}

#[tokio::test]
async fn what_is_switched_off_answers_404_with_a_reason_and_everything_else_works() {
    let nats = Nats::start().await;
    bywash_tests::platform::set_up(&nats).await;
    for (settings, profile, sse, websocket, control) in [
        (&[][..], "HYBRID", true, true, true),
        (&[("APP_PROFILE", "WEBSOCKET")], "WEBSOCKET", false, true, true),
        (&[("APP_PROFILE", "sse")], "SSE", true, false, true),
        (&[("APP_PROFILE", "OFF")], "OFF", false, false, true),
        (&[("APP_PROFILE", "OFF"), ("ENABLE_SSE", "1")], "OFF", true, false, true),
        (&[("ENABLE_SSE", "false")], "HYBRID", false, true, true),
        (&[("ENABLE_WS_SPECIAL", "false")], "HYBRID", true, false, true),
        (&[("APP_PROFILE", "SSE"), ("ENABLE_WS_SPECIAL", "true")], "SSE", true, true, true),
        (&[("DISABLE_WEBSOCKET", "please"), ("ENABLE_WS_SPECIAL", "true")], "HYBRID", true, false, true),
        (&[("DISABLE_WEBSOCKET", "0"), ("ENABLE_CONTROL_HTTP", "false")], "HYBRID", true, true, false),
    ] {
        let gateway = pod(&nats, settings).await;
        let (status, told) = answer(Client::new().get(gateway.url("/api/profile"))).await;
        assert_eq!(status, StatusCode::OK);
        let wanted = [json!(profile), json!(sse), json!(websocket), json!(control), json!(false)];
        let names = ["profile", "sse", "websocket", "control_http", "sign_in"];
        assert_eq!(names.map(|name| told[name].clone()), wanted, "{settings:?}: {told}");

        let expected =
            |is_on: bool, on: u16| if is_on { (on, String::new()) } else { (404, "switched_off".to_owned()) };
        for path in STREAMS {
            assert_eq!(opened(&gateway, path, false).await, expected(sse, 200), "{settings:?}: {path}");
            let head = Client::new().head(gateway.url(path)).send().await.unwrap().status().as_u16();
            assert_eq!(head, expected(sse, 200).0, "{settings:?}: HEAD {path}");
        }
        for path in WEBSOCKETS {
            assert_eq!(opened(&gateway, path, true).await, expected(websocket, 101), "{settings:?}: {path}");
        }
        assert_eq!(
            opened(&gateway, POLLING, false).await,
            expected(websocket, 200),
            "{settings:?}: {POLLING}"
        );
        let posted = Client::new()
            .post(gateway.url(&format!("{POLLING}&sid=nobody")))
            .body("40")
            .send()
            .await
            .unwrap();
        assert_eq!(
            posted.status().as_u16(),
            if websocket { 400 } else { 404 },
            "{settings:?}: POST {POLLING}"
        );

        // Live updates off must leave every request working.
        let publish = json!({"topic": "app.x", "data": 1});
        let (status, body) = answer(Client::new().post(gateway.url("/api/publish")).json(&publish)).await;
        assert_eq!(status, StatusCode::CREATED, "{settings:?}: {body}");
        let (status, _) = answer(Client::new().get(gateway.url("/debug/clients"))).await;
        assert_eq!(status, StatusCode::OK, "{settings:?}");
        let log = gateway.process().output();
        let switches =
            log.lines().find(|line| line.contains("\"switches\"")).unwrap_or_else(|| panic!("{log}"));
        assert!(
            switches.contains(&format!("\"websocket\":{websocket}")),
            "the log says so at start: {switches}"
        );
    }
}

#[tokio::test]
async fn a_publish_that_no_stream_can_take_says_so_and_when_to_come_again() {
    let mut platform = Platform::builder().with(Kind::PushGateway).start().await;
    platform.nats.kill();
    let url = platform.url(Kind::PushGateway, "/api/publish");
    let response = eventually("the loss of NATS is seen", || async {
        let request = platform.http.post(&url).json(&json!({"topic": "app.x", "data": 1}));
        let response =
            request.timeout(Duration::from_secs(20)).send().await.map_err(|error| error.to_string())?;
        if response.status() == 503 { Ok(response) } else { Err(response.status().to_string()) }
    })
    .await;
    assert!(response.headers().contains_key("retry-after"));
    let body: Value = response.json().await.unwrap();
    assert_eq!(code(&body), "not_available", "{body}");
}
