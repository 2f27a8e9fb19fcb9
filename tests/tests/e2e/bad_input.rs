//! Bad input of every kind, each with its status and its code, end to end.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

use bywash_tests::nats::Nats;
use bywash_tests::platform::{FACTS, Platform, answer, unique_statement};
use bywash_tests::process::Process;
use bywash_tests::scratch::{Scratch, binary};
use bywash_tests::service::{Kind, Service};
use bywash_tests::sse::{Sse, SseEvent};
use reqwest::StatusCode;
use serde_json::{Value, json};

/// Far beyond what a request for one fact may have.
const BODY_SIZE_BYTES: usize = 2 * 1024 * 1024;

const READER: &str = "a-key-that-reads-0001";
const WRITER: &str = "a-key-that-writes-001";

const ALL: [Kind; 4] = [Kind::KnowledgeBase, Kind::Governor, Kind::GpuMonitor, Kind::PushGateway];

fn code(body: &Value) -> &str {
    assert!(body["error"]["message"].is_string(), "every error has a message for people: {body}");
    body["error"]["code"].as_str().unwrap_or("none")
}

#[tokio::test]
async fn an_unparsable_fact_is_refused_with_the_position_of_the_error() {
    let platform = Platform::builder().with(Kind::KnowledgeBase).start().await;
    let (status, body) =
        platform.post(Kind::KnowledgeBase, "/api/facts", &json!({"statement": "Capital(france, )."})).await;
    assert_eq!((status, code(&body)), (StatusCode::UNPROCESSABLE_ENTITY, "unparsable"), "{body}");
    let details = &body["error"]["details"];
    assert_eq!(details["position"], 16, "the closing parenthesis: {body}");
}

#[tokio::test]
async fn a_fact_that_is_there_already_is_a_conflict() {
    let platform = Platform::builder().with(Kind::KnowledgeBase).start().await;
    let fact = platform.add("Capital(france, paris).").await;
    let again = json!({"query": "Capital( france,paris )."});
    let (status, body) = platform.post(Kind::KnowledgeBase, "/api/facts", &again).await;
    assert_eq!((status, code(&body)), (StatusCode::CONFLICT, "duplicate"), "{body}");
    assert_eq!(body["error"]["details"]["revision"], json!(fact.revision));
}

#[tokio::test]
async fn malformed_json_a_body_too_large_and_a_wrong_type_are_told_apart() {
    let platform = Platform::builder().with(Kind::KnowledgeBase).start().await;
    let url = platform.url(Kind::KnowledgeBase, "/api/facts");
    let post = |body: String| platform.http.post(&url).header("content-type", "application/json").body(body);
    let (status, body) = answer(post("{\"statement\": ".to_owned())).await;
    assert_eq!((status, code(&body)), (StatusCode::BAD_REQUEST, "malformed_json"));
    let (status, body) = answer(post("{\"statement\": 7}".to_owned())).await;
    assert_eq!((status, code(&body)), (StatusCode::UNPROCESSABLE_ENTITY, "invalid_body"));
    let (status, body) = answer(post(" ".repeat(BODY_SIZE_BYTES))).await;
    assert_eq!((status, code(&body)), (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"));
    let (status, body) = answer(platform.http.post(&url).body("Capital(france, paris).")).await;
    assert_eq!((status, code(&body)), (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"));
    let (status, body) = platform.get(Kind::KnowledgeBase, "/api/nothing").await;
    assert_eq!((status, code(&body)), (StatusCode::NOT_FOUND, "not_found"));
    let (status, body) = platform.get(Kind::KnowledgeBase, "/api/facts?limit=many").await;
    assert_eq!((status, code(&body)), (StatusCode::BAD_REQUEST, "invalid_query"));
}

#[tokio::test]
async fn a_bulk_line_that_fails_is_reported_by_number_and_the_others_are_stored() {
    let platform = Platform::facts_to_clients().await;
    let sse = Sse::open(&platform.stream_url("topics=kb.facts")).await;
    sse.named("ready").await;
    let lines = "Is(a, b).\nnot a fact\nIs(c, d).\nIs(a, b).\nIs(e,).\n";
    let request = platform
        .http
        .post(platform.url(Kind::KnowledgeBase, "/api/facts/bulk"))
        .header("content-type", "text/plain")
        .body(lines);
    let (status, report) = answer(request).await;
    assert_eq!(status, StatusCode::OK, "{report}");
    assert_eq!(
        [&report["added"], &report["duplicate"], &report["rejected"]],
        [&json!(2), &json!(1), &json!(2)],
        "{report}"
    );
    let numbers: Vec<&Value> =
        report["errors"].as_array().unwrap().iter().map(|error| &error["line"]).collect();
    assert_eq!(numbers, [&json!(2), &json!(5)], "{report}");
    let (_, count) = platform.get(Kind::KnowledgeBase, "/api/facts/count").await;
    assert_eq!(count["count"], 2);
    let event = sse.with_sequence(FACTS, report["revision"].as_u64().unwrap()).await;
    assert_eq!((&event.data["type"], &event.data["data"]["count"]), (&json!("facts_imported"), &json!(2)));
}

#[tokio::test]
async fn unknown_topics_and_wildcards_above_the_catalogue_are_refused_by_name() {
    let platform = Platform::builder().with(Kind::PushGateway).start().await;
    for (topics, expected) in [
        ("nope", "unknown_topic"),
        ("kb.fact", "unknown_topic"),
        ("kb.>", "wildcard_above_catalogue"),
        (">", "wildcard_above_catalogue"),
        ("kb..facts", "malformed_topic"),
    ] {
        let (status, body) =
            answer(platform.http.get(platform.stream_url(&format!("topics={topics}")))).await;
        assert_eq!((status, code(&body)), (StatusCode::BAD_REQUEST, expected), "{topics}");
        assert!(body.to_string().contains(topics), "the error names the topic: {body}");
    }
}

#[tokio::test]
async fn a_bad_or_foreign_resume_token_is_told_and_then_the_stream_is_live() {
    let (platform, other) = tokio::join!(Platform::facts_to_clients(), Platform::facts_to_clients());
    let foreign_stream = Sse::open(&other.stream_url("topics=kb.facts")).await;
    foreign_stream.named("ready").await;
    let elsewhere = other.add_fact().await;
    foreign_stream.with_sequence(FACTS, elsewhere.revision).await;
    let foreign = foreign_stream.token();
    let url = platform.stream_url("topics=kb.facts");
    let witness = Sse::open(&url).await;
    witness.named("ready").await;
    let before = platform.add_fact().await;
    witness.with_sequence(FACTS, before.revision).await;

    for (token, reason) in [("no token of ours", "bad_token"), (foreign.as_str(), "reset")] {
        let sse = Sse::resume(&url, token).await;
        let gap = sse.named("gap").await;
        assert_eq!(gap.data["reason"], reason, "{token}: {gap:?}");
        let ready = sse.named("ready").await;
        assert_eq!(ready.data["resumed"], false, "{token}");
        let live = platform.add_fact().await;
        sse.with_sequence(FACTS, live.revision).await;
        let events = sse.events.all();
        let first = |wanted: &dyn Fn(&SseEvent) -> bool| events.iter().position(wanted);
        let told = first(&|event| event.is_named("gap"));
        assert!(told < first(&|event| event.is_of(FACTS)), "told first, then live: {events:#?}");
    }
    let since = Sse::open(&format!("{url}&since=kb:0123456789abcdef:1")).await;
    assert_eq!(since.named("gap").await.data["reason"], "reset");
}

#[tokio::test]
async fn a_wrong_key_is_401_and_a_missing_role_403_on_every_service() {
    let folder = Scratch::new();
    let path = folder.path().join("keys.json");
    let keys = json!({"keys": [
        {"id": "reader", "key": READER, "roles": ["read"]},
        {"id": "writer", "key": WRITER, "roles": ["write"]},
    ]});
    std::fs::write(&path, keys.to_string()).unwrap();
    let builder = ALL.into_iter().fold(Platform::builder(), bywash_tests::platform::Builder::with);
    let platform = builder.set_all("BYWASH_API_KEYS_FILE", &path.display().to_string()).start().await;

    for (kind, path) in [
        (Kind::KnowledgeBase, "/api/facts/count"),
        (Kind::Governor, "/api/governor/status"),
        (Kind::GpuMonitor, "/api/system/load"),
        (Kind::PushGateway, "/api/events/stream"),
    ] {
        let url = platform.url(kind, path);
        let (status, body) = answer(platform.http.get(&url)).await;
        assert_eq!((status, code(&body)), (StatusCode::UNAUTHORIZED, "missing_key"), "{url}");
        let (status, body) = answer(platform.http.get(&url).bearer_auth("nobody's key at all")).await;
        assert_eq!((status, code(&body)), (StatusCode::UNAUTHORIZED, "wrong_key"), "{url}");
        let (status, body) = answer(platform.http.get(&url).header("x-api-key", WRITER)).await;
        assert_eq!((status, code(&body)), (StatusCode::FORBIDDEN, "missing_role"), "{url}");
        assert_eq!(body["error"]["details"]["role"], "read");
        let (status, _) = platform.get(kind, "/health").await;
        assert_eq!(status, StatusCode::OK, "health asks for no key");
    }
    let facts = platform.url(Kind::KnowledgeBase, "/api/facts");
    let fact = json!({"statement": unique_statement()});
    let (status, body) = answer(platform.http.post(&facts).bearer_auth(READER).json(&fact)).await;
    assert_eq!((status, code(&body)), (StatusCode::FORBIDDEN, "missing_role"));
    let (status, _) = answer(platform.http.post(&facts).bearer_auth(WRITER).json(&fact)).await;
    assert_eq!(status, StatusCode::CREATED);
    for (kind, path) in [(Kind::Governor, "/api/governor/control"), (Kind::PushGateway, "/debug/clients")] {
        let url = platform.url(kind, path);
        let control = json!({"action": "set_mode", "mode": "off"});
        let request = if kind == Kind::Governor {
            platform.http.post(&url).json(&control)
        } else {
            platform.http.get(&url)
        };
        let (status, body) = answer(request.bearer_auth(READER)).await;
        assert_eq!((status, code(&body)), (StatusCode::FORBIDDEN, "missing_role"), "{url}");
    }
}

#[tokio::test]
async fn a_service_that_finds_no_nats_serves_and_connects_when_nats_comes() {
    let mut nats = Nats::start().await;
    nats.kill();
    let mut knowledge_base = Service::new(Kind::KnowledgeBase, &nats.url());
    knowledge_base.start().await;
    let mut gateway = Service::new(Kind::PushGateway, &nats.url());
    gateway.listen().await;
    let http = reqwest::Client::new();
    let post = async |statement: String| {
        answer(http.post(knowledge_base.url("/api/facts")).json(&json!({"statement": statement}))).await
    };
    let (status, first) = post(unique_statement()).await;
    assert_eq!(status, StatusCode::CREATED, "a write needs no NATS: {first}");
    assert_eq!(http.get(gateway.url("/livez")).send().await.unwrap().status(), StatusCode::OK);
    let ready = http.get(gateway.url("/readyz")).send().await.unwrap().status();
    assert_eq!(ready, StatusCode::SERVICE_UNAVAILABLE, "a gateway that never had NATS has nothing to serve");

    nats.restart().await;
    bywash_tests::platform::set_up(&nats).await;
    gateway.ready().await;
    let since = format!("kb:{}:0", first["epoch"].as_str().unwrap());
    let sse = Sse::open(&gateway.url(&format!("/api/events/stream?topics=kb.facts&since={since}"))).await;
    sse.with_sequence(FACTS, first["revision"].as_u64().unwrap()).await;

    // Once it served, an outage shows in the body and to its clients, and does not take the pod away.
    nats.kill();
    let told = sse.named("upstream").await;
    assert_eq!(told.data["connected"], false, "{told:?}");
    let answer = http.get(gateway.url("/readyz")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["conditions"]["nats"], false, "{body}");
}

#[tokio::test]
async fn a_port_in_use_is_one_line_and_exit_status_69_for_every_service() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    for kind in ALL {
        let (status, line) = refused(kind, &["--http-addr", &addr]).await;
        assert_eq!(status, Some(69), "{kind:?}: {line}");
        assert!(line.contains(&addr) && line.contains("--http-addr"), "{kind:?}: {line}");
    }
}

#[tokio::test]
async fn a_service_without_keys_refuses_to_serve_beyond_loopback_with_exit_status_78() {
    for kind in ALL {
        let (status, line) = refused(kind, &["--http-addr", "0.0.0.0:0"]).await;
        assert_eq!(status, Some(78), "{kind:?}: {line}");
        assert!(line.contains("--api-keys-file") && line.contains("--insecure-open"), "{kind:?}: {line}");
    }
}

#[tokio::test]
async fn an_interval_that_would_lose_events_keeps_the_gateway_from_starting_with_a_code_and_exit_status_78() {
    let (status, line) =
        refused(Kind::PushGateway, &["--min-intervals", "state.gpu.>=250,app.cursor.>=100"]).await;
    assert_eq!(status, Some(78), "{line}");
    assert!(line.contains("min_interval_of_ordered_topic: ") && line.contains("app.cursor.>=100"), "{line}");
}

/// Starts a service that must not start; gives its exit status and the one line it wrote.
async fn refused(kind: Kind, arguments: &[&str]) -> (Option<i32>, String) {
    let folder = Scratch::new();
    let output: PathBuf = folder.path().join("output");
    let mut command = Command::new(binary(kind.program()));
    // No service listens on port 1, so NATS is away, which must not matter here.
    command.env_clear().env("BYWASH_NATS_URL", "nats://127.0.0.1:1").env("BYWASH_LOG", "error");
    command.env("BYWASH_DATA_DIR", folder.path()).current_dir(folder.path()).args(arguments);
    let mut process = Process::spawn(kind.program(), &mut command, &output);
    let status = process.ended().await;
    let text = process.output();
    assert_eq!(text.lines().count(), 1, "{kind:?} says in one line what is wrong:\n{text}");
    (status.code(), text)
}
