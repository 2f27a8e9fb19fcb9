//! `/api/v3/ws/*`, as ThemisDB's clients use it: with a plain WebSocket client, and with Python's `websockets`.

use std::collections::BTreeSet;

use bywash_tests::platform::{Platform, answer};
use bywash_tests::published::Published;
use bywash_tests::scratch::Scratch;
use bywash_tests::service::{Kind, Service};
use bywash_tests::wait::{DEADLINE, eventually};
use bywash_tests::ws::{Incoming, Ws};
use futures_util::StreamExt;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

const KEY: &str = "a-key-that-reads-0001";
/// [`KEY`] in base64 for URLs, no padding (RFC 4648, section 5).
const KEY_BASE64: &str = "YS1rZXktdGhhdC1yZWFkcy0wMDAx";
/// May read and control.
const OPERATOR_KEY: &str = "a-key-that-controls-1";

async fn open(platform: &Platform, path: &str) -> Ws {
    let addr = platform.service(Kind::PushGateway).addr();
    let opened = Ws::open_at(addr, &format!("/api/v3/ws/{path}"), &[]).await;
    opened.unwrap_or_else(|error| panic!("{path} refused the upgrade: {error}"))
}

async fn send(ws: &mut Ws, message: Value) {
    ws.send_text(message.to_string()).await;
}

/// Everything that the client was sent so far.
fn seen(ws: &Ws) -> Vec<Value> {
    let json = |entry| match entry {
        Incoming::Json(json) => Some(json),
        Incoming::Closed(..) => None,
    };
    ws.inbox.all().into_iter().filter_map(json).collect()
}

fn is_error(message: &Value, code: &str) -> bool {
    message["type"] == "error"
        && message["code"] == code
        && message["message"].is_string()
        && message["timestamp"].is_string()
}

#[tokio::test]
async fn a_search_gives_started_results_in_order_and_complete() {
    let platform = Platform::facts_to_clients().await;
    for number in 0..120 {
        platform.add(&format!("Likes(marmot{number}, clover).")).await;
    }
    let mut ws = open(&platform, "search?client_id=finder").await;
    send(&mut ws, json!({"action": "search", "query": "clover", "top_k": 100})).await;
    let complete = ws.of_type("search_complete").await;
    assert_eq!(complete["total_results"], 100, "{complete}");
    assert!(complete["duration_ms"].as_f64().unwrap() > 0.0, "{complete}");
    assert!(complete["adapter_used"].is_string(), "{complete}");

    let all = seen(&ws);
    assert_eq!(all.len(), 102, "one started, one message a result, one complete: {all:#?}");
    assert_eq!((&all[0]["type"], &all[0]["query"]), (&json!("search_started"), &json!("clover")));
    assert!(all[0]["adapter"].is_string() && all[0]["timestamp"].is_string(), "{}", all[0]);
    for (index, result) in all[1..101].iter().enumerate() {
        assert_eq!(result["type"], "result");
        assert_eq!((&result["index"], &result["total"]), (&json!(index), &json!(100)), "{result}");
        assert!(result["score"].as_f64().is_some_and(|score| (0.0..=1.0).contains(&score)), "{result}");
        assert!(result["data"]["id"].is_number(), "{result}");
        assert!(result["data"]["content"].as_str().is_some_and(|text| text.contains("clover")), "{result}");
    }
    let mut ids: Vec<_> = all[1..101].iter().map(|result| result["data"]["id"].as_u64()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 100, "no result comes twice");
}

#[tokio::test]
async fn searches_in_a_row_are_answered_in_their_order() {
    let platform = Platform::facts_to_clients().await;
    for animal in ["marmot", "otter"] {
        platform.add(&format!("Likes({animal}, clover).")).await;
    }
    let mut ws = open(&platform, "search").await;
    for query in ["marmot", "otter", "nothing-of-that-name"] {
        send(&mut ws, json!({"action": "search", "query": query, "top_k": 5})).await;
    }
    ws.json("the end of the third", |json| json["type"] == "search_complete" && json["total_results"] == 0)
        .await;
    let told: Vec<_> = seen(&ws)
        .iter()
        .map(|message| match message["type"].as_str().unwrap() {
            "search_started" => message["query"].as_str().unwrap().to_owned(),
            "result" => "a result".to_owned(),
            kind => kind.to_owned(),
        })
        .collect();
    let answer = |query: &str| [query.to_owned(), "a result".to_owned(), "search_complete".to_owned()];
    let last = ["nothing-of-that-name".to_owned(), "search_complete".to_owned()];
    assert_eq!(told, [&answer("marmot")[..], &answer("otter")[..], &last[..]].concat());
}

#[tokio::test]
async fn a_walk_is_told_node_by_node_and_edge_by_edge_through_all_its_pages() {
    let platform = Platform::facts_to_clients().await;
    // Two levels with 600 edges in all, which is more than a page; a fact of another predicate leads elsewhere.
    let first = (0..30).map(|n| format!("Knows(hub, n{n}).\n"));
    let second = (0..570).map(|n| format!("Knows(n{}, m{n}).\n", n % 30));
    let facts: String = first.chain(second).chain(["Likes(hub, other).\n".to_owned()]).collect();
    let bulk = platform.http.post(platform.url(Kind::KnowledgeBase, "/api/facts/bulk"));
    let (_, report) = answer(bulk.header("content-type", "text/plain").body(facts)).await;
    let path = format!("/api/facts/stats?min_revision={}", report["revision"]);
    let (_, figures) = platform.get(Kind::KnowledgeBase, &path).await;
    assert_eq!(figures["edges"], 601, "{figures}");

    let mut ws = open(&platform, "graph/traverse").await;
    let walk = json!({
        "action": "traverse", "start_vertex": "hub", "edge_collection": "Knows", "direction": "outbound",
        "max_depth": 2,
    });
    send(&mut ws, walk).await;
    let complete = ws.of_type("traversal_complete").await;
    assert_eq!(complete, json!({"type": "traversal_complete", "total_nodes": 601, "total_edges": 600}));
    let all = seen(&ws);
    assert_eq!(all[0], json!({"type": "traversal_started", "start_vertex": "hub"}));
    let hub = json!({"type": "node", "data": {"_key": "hub", "label": "hub"}, "index": 0, "total": 601});
    assert_eq!(all[1], hub);
    let mut nodes = BTreeSet::new();
    let mut edges = 0;
    for told in &all[1..all.len() - 1] {
        if told["type"] == "node" {
            assert_eq!((&told["index"], &told["total"]), (&json!(nodes.len()), &json!(601)), "{told}");
            assert!(nodes.insert(told["data"]["_key"].as_str().unwrap()), "{told}: once");
        } else {
            assert_eq!((&told["type"], &told["data"]["type"]), (&json!("edge"), &json!("Knows")), "{told}");
            let ends = ["_from", "_to"].map(|end| told["data"][end].as_str().unwrap());
            assert!(ends.iter().all(|end| nodes.contains(end)), "{told}: both ends were told before");
            edges += 1;
        }
    }
    assert_eq!((nodes.len(), edges, nodes.contains("other")), (601, 600, false));

    let before = ws.inbox.len();
    send(&mut ws, json!({"action": "traverse", "start_vertex": "nobody"})).await;
    let told = ws.inbox.wait("the error", |all| all.get(before + 1).cloned()).await;
    assert!(matches!(&told, Incoming::Json(json) if is_error(json, "unknown_entity")), "{told:?}");
    send(&mut ws, json!({"action": "ping"})).await;
    ws.of_type("pong").await;
}

#[tokio::test]
async fn mistakes_get_an_error_and_the_connection_stays() {
    let platform = Platform::builder().with(Kind::PushGateway).start().await;
    let mut ws = open(&platform, "search").await;
    for (text, code) in [
        ("{".to_owned(), "malformed_message"),
        (json!({"action": "dance"}).to_string(), "unknown_action"),
        (json!({"action": "search", "query": ""}).to_string(), "invalid_field"),
        (json!({"action": "search", "query": "a", "top_k": 101}).to_string(), "invalid_field"),
        (json!({"action": "ping", "more": "x".repeat(8_192)}).to_string(), "message_too_large"),
    ] {
        let before = ws.inbox.len();
        ws.send_text(text.clone()).await;
        let told = ws.inbox.wait(&format!("the answer to {text:.60}"), |all| all.get(before).cloned()).await;
        assert!(matches!(&told, Incoming::Json(json) if is_error(json, code)), "{text:.60}: {told:?}");
    }
    send(&mut ws, json!({"action": "ping"})).await;
    assert_eq!(ws.of_type("pong").await, json!({"type": "pong"}));
}

#[tokio::test]
async fn an_absent_service_is_an_error_and_the_connection_stays() {
    let platform = Platform::builder().with(Kind::PushGateway).start().await;
    let mut search = open(&platform, "search").await;
    send(&mut search, json!({"action": "search", "query": "clover"})).await;
    search.of_type("search_started").await;
    search.json("the error", |json| is_error(json, "not_available")).await;
    send(&mut search, json!({"action": "ping"})).await;
    search.of_type("pong").await;

    let mut walk = open(&platform, "graph/traverse").await;
    send(&mut walk, json!({"action": "traverse", "start_vertex": "cat", "max_depth": 2})).await;
    let started = walk.of_type("traversal_started").await;
    assert_eq!(started, json!({"type": "traversal_started", "start_vertex": "cat"}));
    walk.json("the error", |json| is_error(json, "not_available")).await;
    send(&mut walk, json!({"action": "traverse", "start_vertex": "cat", "direction": "up"})).await;
    walk.json("the error", |json| is_error(json, "invalid_field")).await;
    send(&mut walk, json!({"action": "ping"})).await;
    walk.of_type("pong").await;

    let status = open(&platform, "adapter/status").await;
    let update = status.of_type("status_update").await;
    assert_eq!(
        (&update["themis"]["available"], &update["error"]["code"]),
        (&json!(false), &json!("not_available"))
    );
}

#[tokio::test]
async fn adapter_status_is_told_at_once_and_again_and_counts_connections() {
    let platform = Platform::facts_to_clients().await;
    let mut ws = open(&platform, "adapter/status?interval=1&client_id=board").await;
    let first = ws.of_type("status_update").await;
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        names(&first),
        ["active_websocket_connections", "current_adapter", "themis", "timestamp", "type", "uds3"]
    );
    assert_eq!(names(&first["themis"]), ["available", "avg_latency_ms", "query_count", "success_rate"]);
    assert_eq!(names(&first["uds3"]), ["available"]);
    assert!(first["current_adapter"].is_string() && first["themis"]["query_count"].is_number(), "{first}");
    assert_eq!(first["active_websocket_connections"], 1, "{first}");

    let other = open(&platform, "logs").await;
    let two = |json: &Value| json["active_websocket_connections"] == 2;
    ws.json("an update that counts two connections", two).await;
    drop(other);
    let first_update = first.clone();
    let mut again = seen(&ws).len();
    let one = |all: &[Incoming]| {
        let later = all.get(again..)?;
        again = all.len();
        later.iter().find_map(|entry| match entry {
            Incoming::Json(json) if json["active_websocket_connections"] == 1 => Some(json.clone()),
            _ => None,
        })
    };
    let last = ws.inbox.wait("an update that counts one connection", one).await;
    assert_ne!(last["timestamp"], first_update["timestamp"], "it is a new one");
    send(&mut ws, json!({"action": "ping"})).await;
    ws.of_type("pong").await;
}

#[tokio::test]
async fn log_records_come_at_or_above_the_level_that_the_client_set() {
    let platform = Platform::builder().with(Kind::PushGateway).start().await;
    let mut all = open(&platform, "logs?log_level=info").await;
    let mut warnings = open(&platform, "logs?log_level=WARNING").await;
    for ws in [&mut all, &mut warnings] {
        send(ws, json!({"action": "ping"})).await;
        ws.of_type("pong").await;
    }
    let mut governor = Service::new(Kind::Governor, &platform.nats.url());
    governor.set("BYWASH_NO_SUCH_SETTING", "1").start().await;
    let of = |level: &'static str, text: &'static str| {
        move |json: &Value| {
            json["type"] == "log"
                && json["level"] == level
                && json["message"].as_str().is_some_and(|message| message.contains(text))
        }
    };
    let warning = warnings.json("the warning", of("WARNING", "BYWASH_NO_SUCH_SETTING")).await;
    assert_eq!(
        warning.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["filename", "level", "lineno", "logger", "message", "timestamp", "type"]
    );
    all.json("the warning", of("WARNING", "BYWASH_NO_SUCH_SETTING")).await;
    all.json("a record of the start", of("INFO", "listening")).await;
    let info = |ws: &Ws| seen(ws).iter().any(|json| json["level"] == "INFO");
    assert!(!info(&warnings), "{:#?}", seen(&warnings));

    send(&mut warnings, json!({"action": "set_level", "level": "LOUD"})).await;
    warnings.json("the error", |json| is_error(json, "invalid_field")).await;
    send(&mut warnings, json!({"action": "set_level", "level": "INFO"})).await;
    send(&mut all, json!({"action": "set_level", "level": "ERROR"})).await;
    for ws in [&mut all, &mut warnings] {
        let before = ws.inbox.len();
        send(ws, json!({"action": "ping"})).await;
        let pong = |all: &[Incoming]| {
            all.get(before..)?.contains(&Incoming::Json(json!({"type": "pong"}))).then_some(())
        };
        ws.inbox.wait("the pong", pong).await;
    }
    assert!(governor.terminate().await.success());
    warnings.json("a record of the end", of("INFO", "stopped")).await;
    assert!(!seen(&all).iter().any(|json| of("INFO", "stopped")(json)), "{:#?}", seen(&all));
}

#[tokio::test]
async fn a_client_that_reads_no_logs_is_told_how_many_it_lost() {
    const RECORDS: u64 = 6_000;
    let platform = Platform::builder()
        .with(Kind::PushGateway)
        .set(Kind::PushGateway, "BYWASH_RING_BYTES", "262144")
        .start()
        .await;
    let addr = platform.service(Kind::PushGateway).addr();
    let request = format!("ws://{addr}/api/v3/ws/logs").into_client_request().unwrap();
    // Nothing is read from it until it is asked for.
    let (mut stalled, _) = client_async(request, TcpStream::connect(addr).await.unwrap()).await.unwrap();
    let mut reader = open(&platform, "logs").await;
    send(&mut reader, json!({"action": "ping"})).await;
    reader.of_type("pong").await;

    let nats = platform.nats.client().await;
    for number in 1..=RECORDS {
        let record = json!({"message": number.to_string(), "logger": "flood", "filename": "x".repeat(900)});
        nats.publish("logs.test.info", record.to_string().into()).await.unwrap();
    }
    nats.flush().await.unwrap();
    let last = RECORDS.to_string();
    let is_last = |json: &Value| json["logger"] == "flood" && json["message"] == last;
    reader.json("the last record", is_last).await;

    let (mut numbers, mut lost) = (Vec::new(), 0);
    while numbers.last() != Some(&RECORDS) {
        let message = timeout(DEADLINE, stalled.next()).await.expect("records come").unwrap().unwrap();
        let Ok(text) = message.to_text() else { continue };
        let Ok(json) = serde_json::from_str::<Value>(text) else { continue };
        if json["logger"] == "flood" {
            numbers.push(json["message"].as_str().unwrap().parse::<u64>().unwrap());
        } else if is_error(&json, "skipped") {
            let count = json["message"].as_str().unwrap().split(' ').next().unwrap();
            lost += count.parse::<u64>().unwrap_or_else(|error| panic!("{json}: {error}"));
        }
    }
    assert!(numbers.is_sorted(), "in their order");
    let missing = RECORDS - numbers.len() as u64;
    // The services' own records are among those that it lost.
    assert!(
        missing > 0 && (missing..missing + 100).contains(&lost),
        "{missing} did not come, {lost} were told"
    );
}

#[tokio::test]
async fn connections_of_all_pods_are_counted_with_the_names_that_clients_gave_themselves() {
    let platform = Platform::builder().with(Kind::PushGateway).start().await;
    let (addr, path) = (platform.service(Kind::PushGateway).addr(), "/api/v3/ws/connections");
    let first = open(&platform, "search?client_id=ada").await;
    let _second = open(&platform, "logs?client_id=ada").await;
    let _third = open(&platform, "adapter/status?client_id=bob").await;
    let _elsewhere = Ws::open(addr).await;
    let counted = |total: u32| {
        let platform = &platform;
        eventually("the connections are counted", move || async move {
            let (status, body) = platform.get(Kind::PushGateway, path).await;
            assert_eq!(status, StatusCode::OK, "{body}");
            if body["total_connections"] == total { Ok(body) } else { Err(body.to_string()) }
        })
    };
    let body = counted(3).await;
    assert_eq!((&body["active_clients"], &body["clients"]), (&json!(2), &json!(["ada", "bob"])), "{body}");
    assert!(body["timestamp"].is_string() && body["clients_truncated"] == false, "{body}");
    drop(first);
    let body = counted(2).await;
    assert_eq!(body["clients"], json!(["ada", "bob"]), "{body}");

    let mut other_pod = Service::new(Kind::PushGateway, &platform.nats.url());
    other_pod.set("BYWASH_INSTANCE", "other").start().await;
    let there = Ws::open_at(other_pod.addr(), "/api/v3/ws/logs?client_id=cleo", &[]).await;
    let body = counted(3).await;
    assert_eq!(body["clients"], json!(["ada", "bob", "cleo"]), "of both pods: {body}");
    drop(there);

    let long = format!("search?client_id={}", "x".repeat(129));
    for (path, code) in [
        (long.as_str(), "invalid_client_id"),
        ("adapter/status?interval=61", "invalid_interval"),
        ("logs?log_level=LOUD", "invalid_level"),
    ] {
        let opened = Ws::open_at(addr, &format!("/api/v3/ws/{path}"), &[]).await;
        assert_eq!(refusal(opened), (422, code.to_owned()));
    }
}

/// Status and code of a refused upgrade.
fn refusal(opened: Result<Ws, Error>) -> (u16, String) {
    match opened {
        Err(Error::Http(response)) => {
            let body: Value = serde_json::from_slice(response.body().as_deref().unwrap_or_default())
                .unwrap_or_else(|error| panic!("a refusal has a JSON body: {error}"));
            (response.status().as_u16(), body["error"]["code"].as_str().unwrap_or_default().to_owned())
        }
        other => panic!("the upgrade should have been refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_switched_off_endpoint_answers_404_with_a_reason() {
    let platform = Platform::builder()
        .with(Kind::PushGateway)
        .set(Kind::PushGateway, "ENABLE_WS_SPECIAL", "false")
        .start()
        .await;
    let addr = platform.service(Kind::PushGateway).addr();
    for path in ["search", "adapter/status", "logs", "graph/traverse"] {
        let opened = Ws::open_at(addr, &format!("/api/v3/ws/{path}"), &[]).await;
        assert_eq!(refusal(opened), (404, "switched_off".to_owned()), "{path}");
    }
    let (status, body) = platform.get(Kind::PushGateway, "/api/v3/ws/connections").await;
    assert_eq!((status, &body["error"]["code"]), (StatusCode::NOT_FOUND, &json!("switched_off")));
}

#[tokio::test]
async fn a_key_is_taken_from_a_header_or_a_subprotocol_and_a_client_without_one_is_told_and_closed() {
    let folder = Scratch::new();
    let file = folder.path().join("keys.json");
    let keys = json!({"keys": [
        {"id": "reader", "key": KEY, "roles": ["read"]},
        {"id": "operator", "key": OPERATOR_KEY, "roles": ["read", "control"]},
    ]});
    std::fs::write(&file, keys.to_string()).unwrap();
    let platform = Platform::builder()
        .with(Kind::PushGateway)
        .set(Kind::PushGateway, "BYWASH_API_KEYS_FILE", &file.display().to_string())
        .start()
        .await;
    let addr = platform.service(Kind::PushGateway).addr();
    let (search, offered) = ("/api/v3/ws/search", format!("jwt-auth, jwt.{KEY_BASE64}"));
    for header in [("x-api-key", KEY), ("sec-websocket-protocol", &offered)] {
        let mut ws = Ws::open_at(addr, search, &[header]).await.unwrap();
        send(&mut ws, json!({"action": "ping"})).await;
        ws.of_type("pong").await;
    }
    for headers in [&[][..], &[("authorization", "Bearer not-a-key-of-this-one")]] {
        let ws = Ws::open_at(addr, search, headers).await.unwrap();
        let error = ws.of_type("error").await;
        assert!(error["code"].is_string() && error["message"].is_string(), "{error}");
        assert_eq!(ws.closed().await.0, 1008);
    }
    let url = platform.url(Kind::PushGateway, "/api/v3/ws/connections");
    for (key, status) in [(KEY, StatusCode::FORBIDDEN), (OPERATOR_KEY, StatusCode::OK)] {
        let answer = platform.http.get(&url).header("x-api-key", key).send().await.unwrap();
        assert_eq!(answer.status(), status);
    }
}

#[tokio::test]
async fn python_websockets_searches_and_is_told_of_adapters() {
    let platform = Platform::facts_to_clients().await;
    platform.add("Likes(marmot, clover).").await;
    let url = format!("ws://{}", platform.service(Kind::PushGateway).addr());
    let mut client = Published::start("websockets_client.py", &url, &[]);
    client.run("open", json!({"path": "/api/v3/ws/search?client_id=py", "connection": "search"})).await;
    let search = json!({"action": "search", "query": "clover", "top_k": 5});
    client.run("send", json!({"connection": "search", "message": search})).await;
    let complete = of_connection(&client, "search", "search_complete").await;
    assert_eq!(complete["total_results"], 1, "{complete}");
    let result = of_connection(&client, "search", "result").await;
    assert_eq!((&result["index"], &result["total"]), (&json!(0), &json!(1)), "{result}");

    let status = json!({"path": "/api/v3/ws/adapter/status?interval=1", "connection": "status"});
    client.run("open", status).await;
    of_connection(&client, "status", "status_update").await;
    let updates = |all: &[Value]| {
        let count = all.iter().filter(|line| line["message"]["type"] == "status_update").count();
        (count >= 2).then_some(())
    };
    client.lines.wait("a second update", updates).await;
    client.run("send", json!({"connection": "status", "message": {"action": "ping"}})).await;
    of_connection(&client, "status", "pong").await;
    client.run("close", json!({"connection": "search"})).await;
    let closed = |line: &Value| line["event"] == "closed" && line["connection"] == "search";
    assert_eq!(client.first("the close", closed).await["code"], 1000);
}

async fn of_connection(client: &Published, connection: &str, kind: &str) -> Value {
    let wanted = |line: &Value| line["connection"] == connection && line["message"]["type"] == kind;
    client.first(&format!("a message {kind} on {connection}"), wanted).await["message"].clone()
}
