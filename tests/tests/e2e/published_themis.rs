//! `/api/v3/ws/*` through Python's `websockets`, as it is published: what ThemisDB's clients send and read.

use bywash_tests::platform::Platform;
use bywash_tests::published::Published;
use bywash_tests::service::Kind;
use bywash_tests::sse::Sse;
use serde_json::{Value, json};

#[tokio::test]
async fn python_websockets_searches_and_gets_results_one_by_one() {
    let platform = Platform::facts_to_clients().await;
    for city in ["oslo", "bergen"] {
        platform.add(&format!("City(norway, {city}).")).await;
    }
    let mut client = opened(&platform, "/api/v3/ws/search?client_id=finder").await;
    send(&mut client, json!({"action": "search", "query": "norway", "top_k": 5})).await;
    let complete = message(&client, "search_complete").await;
    let started = message(&client, "search_started").await;
    assert_eq!(started["query"], "norway", "{started}");
    assert!(started["timestamp"].is_string() && started.get("adapter").is_some(), "{started}");
    let results = all(&client, "result");
    assert_eq!(results.len(), 2, "{results:?}");
    for (index, result) in results.iter().enumerate() {
        assert_eq!((&result["index"], &result["total"]), (&json!(index), &json!(2)), "{result}");
        assert!(result["data"].to_string().contains("norway") && result["score"].is_number(), "{result}");
    }
    assert_eq!(complete["total_results"], 2, "{complete}");
    assert!(complete["duration_ms"].is_number() && complete["adapter_used"].is_string(), "{complete}");
}

#[tokio::test]
async fn python_websockets_is_told_the_adapters_state_again_and_again_without_asking() {
    let platform = Platform::facts_to_clients().await;
    let mut client = opened(&platform, "/api/v3/ws/adapter/status?interval=1&client_id=watch").await;
    let twice = |all: &[Value]| {
        let updates: Vec<&Value> =
            all.iter().map(|line| &line["message"]).filter(|told| told["type"] == "status_update").collect();
        (updates.len() == 2).then(|| updates[1].clone())
    };
    let update = client.lines.wait("a second update", twice).await;
    for field in ["timestamp", "current_adapter", "active_websocket_connections"] {
        assert!(update.get(field).is_some(), "no {field}: {update}");
    }
    for adapter in ["themis", "uds3"] {
        assert!(update[adapter]["available"].is_boolean(), "{update}");
    }
    send(&mut client, json!({"action": "ping"})).await;
    message(&client, "pong").await;
}

#[tokio::test]
async fn python_websockets_follows_log_records_at_or_above_its_level() {
    let platform = Platform::facts_to_clients().await;
    let mut client = opened(&platform, "/api/v3/ws/logs?log_level=ERROR&client_id=logs").await;
    let witness = Sse::open(&platform.stream_url("topics=logs.%3E")).await;
    witness.named("ready").await;
    // Its answer says that the connection follows.
    send(&mut client, json!({"action": "ping"})).await;
    message(&client, "pong").await;
    let jetstream = async_nats::jetstream::new(platform.nats.client().await);
    for (level, text) in [("warn", "quiet"), ("error", "loud")] {
        let record = json!({"message": text, "logger": "test", "timestamp": "2026-01-01T00:00:00Z"});
        let subject = format!("logs.test.{level}");
        jetstream.publish(subject, record.to_string().into()).await.unwrap().await.unwrap();
    }
    let log = of_text(&client, "loud").await;
    assert_eq!((&log["level"], &log["logger"]), (&json!("ERROR"), &json!("test")), "{log}");
    for field in ["timestamp", "filename", "lineno"] {
        assert!(log.get(field).is_some(), "no {field}: {log}");
    }
    let quiet = |line: &Value| line["message"]["message"] == "quiet";
    assert!(!client.lines.all().iter().any(quiet), "below its level: {:?}", client.lines.all());

    send(&mut client, json!({"action": "set_level", "level": "WARNING"})).await;
    send(&mut client, json!({"action": "ping"})).await;
    let pongs = |all: &[Value]| {
        (all.iter().filter(|line| line["message"]["type"] == "pong").count() == 2).then_some(())
    };
    client.lines.wait("the second pong", pongs).await;
    let record = json!({"message": "now"}).to_string();
    jetstream.publish("logs.test.warn", record.into()).await.unwrap().await.unwrap();
    of_text(&client, "now").await;
}

#[tokio::test]
async fn python_websockets_is_told_each_mistake_on_every_endpoint_and_stays_connected() {
    let platform = Platform::facts_to_clients().await;
    for path in ["search", "adapter/status", "logs", "graph/traverse"] {
        let mut client = opened(&platform, &format!("/api/v3/ws/{path}?client_id=careless")).await;
        let mistakes = ["{", r#"{"action": "dance"}"#, "[]", "{}"];
        for text in mistakes {
            client.run("send_text", json!({"text": text})).await;
        }
        let errors = |all: &[Value]| {
            let errors: Vec<Value> = all
                .iter()
                .map(|line| line["message"].clone())
                .filter(|told| told["type"] == "error")
                .collect();
            (errors.len() >= mistakes.len()).then_some(errors)
        };
        for error in client.lines.wait("an error for each", errors).await {
            assert!(error["message"].is_string() && error["timestamp"].is_string(), "{path}: {error}");
        }
        send(&mut client, json!({"action": "ping"})).await;
        message(&client, "pong").await;
    }
}

#[tokio::test]
async fn open_connections_are_listed_by_the_names_that_clients_gave_themselves() {
    let platform = Platform::facts_to_clients().await;
    let first = opened(&platform, "/api/v3/ws/search?client_id=ann").await;
    let _second = opened(&platform, "/api/v3/ws/graph/traverse?client_id=bob").await;
    let (status, listed) = platform.get(Kind::PushGateway, "/api/v3/ws/connections").await;
    assert!(status.is_success(), "{status}: {listed}");
    assert_eq!((&listed["total_connections"], &listed["active_clients"]), (&json!(2), &json!(2)), "{listed}");
    assert_eq!(listed["clients"], json!(["ann", "bob"]));
    drop(first);
    bywash_tests::wait::eventually("the first is no longer listed", || async {
        let (_, listed) = platform.get(Kind::PushGateway, "/api/v3/ws/connections").await;
        if listed["clients"] == json!(["bob"]) { Ok(()) } else { Err(listed.to_string()) }
    })
    .await;
}

#[tokio::test]
async fn a_traversal_tells_nodes_and_edges_and_how_many_there_were() {
    let platform = Platform::facts_to_clients().await;
    platform.add("Likes(norway, fish).").await;
    let fact = platform.add("Borders(norway, sweden).").await;
    let path = format!("/api/facts/stats?min_revision={}", fact.revision);
    platform.get(Kind::KnowledgeBase, &path).await;
    let mut client = opened(&platform, "/api/v3/ws/graph/traverse?client_id=walker").await;
    let traverse = json!({
        "action": "traverse", "start_vertex": "norway", "edge_collection": "Borders",
        "direction": "outbound", "max_depth": 2,
    });
    send(&mut client, traverse).await;
    let end = message(&client, "traversal_complete").await;
    assert_eq!((&end["total_nodes"], &end["total_edges"]), (&json!(2), &json!(1)), "{end}");
    assert_eq!(message(&client, "traversal_started").await["start_vertex"], "norway");
    let edge = message(&client, "edge").await;
    assert_eq!(edge["data"], json!({"_from": "norway", "_to": "sweden", "type": "Borders"}));
    let nodes: Vec<_> = all(&client, "node").iter().map(|node| node["data"]["_key"].clone()).collect();
    assert_eq!(nodes, ["norway", "sweden"]);
    send(&mut client, json!({"action": "ping"})).await;
    message(&client, "pong").await;
}

/// A client that opened `path`.
async fn opened(platform: &Platform, path: &str) -> Published {
    let url = format!("ws://{}", platform.service(Kind::PushGateway).addr());
    let mut client = Published::start("websockets_client.py", &url, &[]);
    client.run("open", json!({"path": path})).await;
    client.event("open").await;
    client
}

async fn send(client: &mut Published, message: Value) {
    client.run("send", json!({"message": message})).await;
}

/// The first message of this type.
async fn message(client: &Published, kind: &str) -> Value {
    let wanted = |line: &Value| line["message"]["type"] == kind;
    client.first(&format!("a message {kind}"), wanted).await["message"].clone()
}

/// All messages of this type so far.
fn all(client: &Published, kind: &str) -> Vec<Value> {
    let messages = client.events("message").into_iter().map(|line| line["message"].clone());
    messages.filter(|told| told["type"] == kind).collect()
}

/// The first log record with this text.
async fn of_text(client: &Published, text: &str) -> Value {
    let wanted = |line: &Value| line["message"]["type"] == "log" && line["message"]["message"] == text;
    client.first(&format!("the record {text:?}"), wanted).await["message"].clone()
}
