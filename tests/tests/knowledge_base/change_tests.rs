//! Facts that change and go, exports that come back byte for byte, and the log of changes that consumers pull.

use std::fmt::Write;
use std::time::Duration;

use bywash_tests::platform::answer;
use bywash_tests::service::{Kind, Service};
use bywash_tests::wait::eventually;
use reqwest::{Client, Method, StatusCode};
use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::log::get;

async fn started() -> Service {
    let mut service = Service::new(Kind::KnowledgeBase, "nats://127.0.0.1:9");
    service.start().await;
    service
}

async fn send(service: &Service, method: Method, path: &str, body: &Value) -> (StatusCode, Value) {
    answer(Client::new().request(method, service.url(path)).json(body)).await
}

async fn add(service: &Service, statement: &str) -> Value {
    let (status, body) = send(service, Method::POST, "/api/facts", &json!({"statement": statement})).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    body
}

fn code(answer: &(StatusCode, Value)) -> (u16, &str) {
    (answer.0.as_u16(), answer.1["error"]["code"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn a_fact_is_changed_whole_and_deleted_once() {
    let service = started().await;
    add(&service, "Knows(ada, bob)").await;
    add(&service, "Knows(ada, eve)").await;
    let new = json!({"statement": "Likes( ada,bob )", "confidence": 0.5});
    let (status, fact) = send(&service, Method::PUT, "/api/facts/1", &new).await;
    assert_eq!(status, StatusCode::OK, "{fact}");
    assert_eq!((&fact["statement"], &fact["changed_in"]), (&json!("Likes(ada, bob)."), &json!(3)));
    assert_eq!((&fact["confidence"], &fact["revision"]), (&json!(0.5), &json!(3)));
    assert!(fact["updated_at"].is_string() && fact["context"] == "", "{fact}");

    let taken = send(&service, Method::PUT, "/api/facts/1", &json!({"fact": "Knows(ada, eve)"})).await;
    assert_eq!((code(&taken), &taken.1["error"]["details"]["id"]), ((409, "duplicate"), &json!(2)));
    let bad = send(&service, Method::PUT, "/api/facts/1", &json!({"statement": "P("})).await;
    assert_eq!(code(&bad), (422, "unparsable"));
    assert_eq!(code(&send(&service, Method::PUT, "/api/facts/9", &new).await), (404, "no_such_fact"));

    let (status, gone) = send(&service, Method::DELETE, "/api/facts/2", &Value::Null).await;
    assert_eq!((status, &gone["statement"]), (StatusCode::OK, &json!("Knows(ada, eve).")), "{gone}");
    assert_eq!(
        code(&send(&service, Method::DELETE, "/api/facts/2", &Value::Null).await),
        (404, "no_such_fact")
    );
    let count = get(&service, "/api/facts/count?min_revision=4").await;
    assert_eq!((&count["count"], &count["revision"]), (&json!(1), &json!(4)));
}

/// Text that an import must carry through unharmed.
const ODD: [&str; 6] = [
    r#"P("a \"quoted\" \\ text", -1.50e3)"#,
    r#"-Größe(Ω, "tab\tnew\nline \u0000 \ud83d\ude00")"#,
    "P(\"e\u{301} é\", x)",
    "P(Q(7.342e22, kg), a_b_1)",
    r#"P("[1, 2]\r", "{}")"#,
    "P(\"\u{2028}\", \"\")",
];

async fn export(service: &Service, format: &str) -> String {
    let url = service.url(&format!("/api/facts/export?format={format}"));
    let answer = reqwest::get(url).await.expect("the service is reachable");
    assert!(answer.status().is_success());
    let count = get(service, "/api/facts/count").await;
    assert_eq!(answer.headers()["bywash-revision"], count["revision"].to_string().as_str());
    assert_eq!(answer.headers()["bywash-epoch"], count["epoch"].as_str().unwrap_or_default());
    answer.text().await.expect("the body is whole")
}

#[tokio::test]
async fn what_is_exported_and_imported_is_exported_again_byte_for_byte() {
    let service = started().await;
    assert_eq!(export(&service, "json").await, "[]\n");
    assert_eq!(
        (export(&service, "text").await, export(&service, "jsonl").await),
        (String::new(), String::new())
    );
    for (number, statement) in ODD.iter().enumerate() {
        let confidence = [1.0, 0.1, 0.30000000000000004, 0.0, 1e-9, 0.5][number];
        let body = json!({"statement": statement, "context": format!("line\n{number}\t\"é\""), "confidence": confidence});
        let (status, body) = send(&service, Method::POST, "/api/facts", &body).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
    }
    let lines: String = (0..2500).map(|number| format!("N(n{number}, {number})\n")).collect();
    let bulk = |service: &Service, media_type: &'static str, body: String| {
        answer(
            Client::new().post(service.url("/api/facts/bulk")).header("content-type", media_type).body(body),
        )
    };
    bulk(&service, "text/plain", lines).await;
    send(&service, Method::DELETE, "/api/facts/20", &Value::Null).await;
    for (format, media_type) in
        [("json", "application/json"), ("jsonl", "application/jsonl"), ("text", "text/plain")]
    {
        let exported = export(&service, format).await;
        let other = started().await;
        let (status, report) = bulk(&other, media_type, exported.clone()).await;
        assert_eq!((status, &report["added"]), (StatusCode::OK, &json!(2505)), "{format}: {report}");
        assert_eq!(report["rejected"], 0, "{report}");
        assert!(export(&other, format).await == exported, "{format} came back different");
    }
}

/// An export that nobody reads on: its head is here, and what lies between is full.
async fn stalled_export(service: &Service) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small one");
    let mut stream = socket.connect(service.addr()).await.expect("the service is reachable");
    let request = format!("GET /api/facts/export?format=jsonl HTTP/1.1\r\nhost: {}\r\n\r\n", service.addr());
    stream.write_all(request.as_bytes()).await.expect("a request is sent");
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.expect("an answer begins");
    assert_eq!(&head, b"HTTP/1.1 200");
    stream
}

#[tokio::test]
async fn exports_that_are_read_slowly_hold_up_neither_indexes_nor_reads() {
    let service = started().await;
    let mut facts = String::new();
    let context = "x".repeat(1000);
    for number in 0..10_000 {
        writeln!(facts, r#"{{"statement": "Number(n{number}, {number}).", "context": "{context}"}}"#)
            .expect("a string takes all");
    }
    let bulk = Client::new().post(service.url("/api/facts/bulk")).header("content-type", "application/jsonl");
    assert_eq!(answer(bulk.body(facts)).await.1["added"], 10_000);

    let stalled = [stalled_export(&service).await, stalled_export(&service).await];
    let third = answer(Client::new().get(service.url("/api/facts/export"))).await;
    assert_eq!(code(&third), (503, "overloaded"), "it waits for a bounded time");
    let revision = add(&service, "Knows(ada, bob)").await["revision"].as_u64().expect("a number");
    let neighbours = format!("/api/graph/neighbours?entity=ada&min_revision={revision}");
    assert_eq!(get(&service, &neighbours).await["revision"], revision, "the graph follows");
    let search = json!({"query": "ada knows bob", "mode": "vector", "limit": 1});
    let path = format!("/api/search?min_revision={revision}");
    let (_, found) = send(&service, Method::POST, &path, &search).await;
    assert_eq!(found["results"][0]["statement"], "Knows(ada, bob).", "so do the vectors: {found}");
    drop(stalled);
    let whole = eventually("a place for an export", || async {
        match answer(Client::new().get(service.url("/api/facts/export?format=json"))).await {
            (StatusCode::OK, facts) => Ok(facts),
            (status, error) => Err(format!("{status}: {error}")),
        }
    });
    assert_eq!(whole.await.as_array().map(Vec::len), Some(10_001));
}

#[tokio::test]
async fn a_long_import_tells_how_far_it_is_and_ends_with_its_report() {
    let service = started().await;
    let url = service.url("/api/facts/bulk?progress=true");
    let lines: String = (0..3000).map(|number| format!("N({number})\n")).collect();
    let sent = Client::new().post(url).header("content-type", "text/plain").body(lines).send().await;
    let sent = sent.expect("the service is reachable");
    assert_eq!(sent.headers()["content-type"], "application/x-ndjson");
    let text = sent.text().await.expect("the body is whole");
    let lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON lines")).collect();
    let report = &lines.last().expect("there is a report")["report"];
    assert_eq!((&report["added"], &report["revision"]), (&json!(3000), &json!(3)), "{text}");

    let url = service.url("/api/facts/bulk?progress=true");
    let broken = Client::new().post(url).header("content-type", "application/json").body("[\"P(a)\", ");
    let text = broken.send().await.expect("the service is reachable").text().await.expect("whole");
    let last: Value = serde_json::from_str(text.lines().last().unwrap_or_default()).expect("JSON lines");
    assert_eq!(last["error"]["code"], "malformed_json", "{text}");
    assert_eq!(last["error"]["details"]["added"], 1, "{text}");
}

#[tokio::test]
async fn changes_are_pulled_in_order_waited_for_and_told_when_they_are_trimmed() {
    let mut service = started().await;
    add(&service, "P(a)").await;
    send(&service, Method::PUT, "/api/facts/1", &json!({"statement": "P(b)"})).await;
    send(&service, Method::DELETE, "/api/facts/1", &Value::Null).await;
    let page = get(&service, "/api/kb/changes?from_revision=1&limit=2").await;
    let changes = page["changes"].as_array().expect("a list");
    let types: Vec<_> = changes.iter().map(|change| change["type"].as_str()).collect();
    assert_eq!(types, [Some("fact_added"), Some("fact_updated")], "{page}");
    assert_eq!(
        (&changes[1]["topic"], &changes[1]["data"]["previous_statement"]),
        (&json!("kb.facts"), &json!("P(a)."))
    );
    assert_eq!((&page["next_revision"], &page["revision"]), (&json!(3), &json!(3)));
    let rest = get(&service, "/api/kb/changes?from_revision=3").await;
    assert_eq!((&rest["changes"][0]["type"], &rest["next_revision"]), (&json!("fact_deleted"), &json!(4)));
    let none = get(&service, "/api/kb/changes?from_revision=4").await;
    assert_eq!((&none["changes"], &none["next_revision"]), (&json!([]), &json!(4)));

    let waiting = get(&service, "/api/kb/changes?from_revision=4&wait_ms=20000");
    let (told, _) = tokio::join!(waiting, add(&service, "P(c)"));
    assert_eq!(told["changes"][0]["data"]["statement"], "P(c).", "{told}");

    service.terminate().await;
    // What the relay does to changes that the stream has kept for a week.
    let store = Connection::open(service.data().join("facts.sqlite")).expect("the store is there");
    store.execute("DELETE FROM changes WHERE revision < 3", ()).expect("the log can be trimmed");
    drop(store);
    service.start().await;
    let gone = answer(Client::new().get(service.url("/api/kb/changes?from_revision=2"))).await;
    assert_eq!((code(&gone), &gone.1["error"]["details"]["oldest"]), ((410, "revision_trimmed"), &json!(3)));
    assert_eq!(get(&service, "/api/kb/changes?from_revision=3").await["next_revision"], 5);
}

#[tokio::test]
async fn a_stop_does_not_wait_for_who_waits_for_a_change() {
    let mut service = started().await;
    let url = service.url("/api/kb/changes?from_revision=1&wait_ms=25000");
    let waiting = tokio::spawn(answer(Client::new().get(url)));
    eventually("the request is there", || async {
        let open = service.metric("bywash_http_requests_in_flight").await;
        // That question itself is not counted.
        if open >= 1.0 { Ok(()) } else { Err(format!("{open} are under way")) }
    })
    .await;
    let stopping = tokio::time::timeout(Duration::from_secs(20), service.terminate());
    assert!(stopping.await.expect("it waits for the request").success());
    let (status, page) = waiting.await.expect("the request is answered");
    assert_eq!((status, &page["changes"]), (StatusCode::OK, &json!([])), "{page}");
}

#[tokio::test]
async fn a_read_waits_for_the_revision_it_is_asked_for() {
    let service = started().await;
    let added = add(&service, "P(a)").await;
    let epoch = added["epoch"].as_str().expect("an epoch");
    let fact = get(&service, &format!("/api/facts/1?min_revision={epoch}:1")).await;
    assert_eq!(fact["revision"], 1);
    let later = get(&service, "/api/facts?min_revision=2");
    let (page, _) = tokio::join!(later, add(&service, "P(b)"));
    assert_eq!((&page["revision"], page["facts"].as_array().map(Vec::len)), (&json!(2), Some(2)));
    let never = answer(Client::new().get(service.url("/api/facts?min_revision=9"))).await;
    assert_eq!(code(&never), (503, "revision_not_reached"));
    assert_eq!(never.1["error"]["details"], json!({"min_revision": 9, "revision": 2}));
}
