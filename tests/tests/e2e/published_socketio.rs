//! Socket.IO through `socket.io-client`, as it is published: both transports, the names that existing front ends read,
//! and acknowledged commands.

use bywash_tests::platform::Platform;
use bywash_tests::published::Published;
use bywash_tests::service::Kind;
use serde_json::{Value, json};

const KEY: &str = "a-key-that-reads-0001";

/// How a client may connect: the names of its transports, or its default, which begins with polling and moves on.
fn ways() -> [Value; 3] {
    [json!({"transports": ["websocket"]}), json!({"transports": ["polling"]}), json!({})]
}

#[tokio::test]
async fn the_socket_io_client_connects_by_either_transport_and_by_its_default_moves_to_websocket() {
    let platform = Platform::facts_to_clients().await;
    for (way, transport) in ways().into_iter().zip(["websocket", "polling", "polling"]) {
        let mut client = connected(&platform, &way).await;
        assert_eq!(client.event("open").await["transport"], transport, "{way}");
        let connect = client.event("connect").await;
        assert!(connect["id"].as_str().is_some_and(|id| !id.is_empty()), "{connect}");
        if way == json!({}) {
            assert_eq!(client.event("upgrade").await["transport"], "websocket");
        }
        let answer = client.run("ask", json!({"name": "command", "values": [{"command": "status"}]})).await;
        assert!(answer["status"].is_string(), "{way}: it answers: {answer}");
        client.run("disconnect", json!({})).await;
        let gone = client.event("disconnect").await;
        assert_eq!(gone["reason"], "io client disconnect", "{way}: {gone}");
    }
}

#[tokio::test]
async fn the_socket_io_client_is_told_its_connection_and_the_initial_data_under_the_known_names() {
    let platform = Platform::facts_to_clients().await;
    for way in ways() {
        let mut client = connected(&platform, &way).await;
        let status = received(&client, "connection_status").await;
        assert_eq!(status["connected"], true);
        let port = platform.service(Kind::PushGateway).addr().port();
        assert_eq!(status["port"], json!(port), "{status}");
        has(&status, &["backend", "timestamp", "max_connections", "current_connections"]);
        let initial = received(&client, "initial_data").await;
        has(&initial, &["kb_metrics", "governor", "engines", "system_load", "gpu"]);
        assert_eq!(initial["llm_providers"], json!([]));
        let metrics =
            ["fact_count", "growth_rate", "connectivity", "entropy", "unique_predicates", "unique_entities"];
        has(&initial["kb_metrics"], &metrics);

        let mark = client.mark();
        client.run("emit", json!({"name": "request_initial_data"})).await;
        let again = |line: &Value| line["event"] == "received" && line["name"] == "initial_data";
        client.first_since(mark, "the initial data again", again).await;
    }
}

#[tokio::test]
async fn a_posted_fact_reaches_the_socket_io_client_under_every_name_that_front_ends_read() {
    let platform = Platform::facts_to_clients().await;
    let clients = [
        connected(&platform, &ways()[0]).await,
        connected(&platform, &ways()[1]).await,
        connected(&platform, &ways()[2]).await,
    ];
    for client in &clients {
        received(client, "initial_data").await;
    }
    platform.add("Capital(france, paris).").await;
    for client in &clients {
        let added = received(client, "fact_added").await;
        assert_eq!(
            (&added["statement"], &added["success"]),
            (&json!("Capital(france, paris)."), &json!(true))
        );
        has(&added, &["timestamp"]);
        for name in ["kb_update", "kb_metrics"] {
            let counted = |line: &Value| {
                line["event"] == "received" && line["name"] == name && line["values"][0]["fact_count"] == 1
            };
            let update = client.first(&format!("{name} with one fact"), counted).await["values"][0].clone();
            assert_eq!(update["factCount"], 1, "{update}");
            has(&update, &["vocabulary_size", "categories", "timestamp"]);
        }
        let wrapped = |line: &Value| {
            line["event"] == "received"
                && line["name"] == "update"
                && line["values"][0]["type"] == "fact_added"
                && line["values"][0]["data"]["statement"] == "Capital(france, paris)."
        };
        client.first("the fact as an update", wrapped).await;
        let facts = client.events("received").iter().filter(|line| line["name"] == "fact_added").count();
        assert_eq!(facts, 1, "{}: once", client.name());
    }
}

#[tokio::test]
async fn the_socket_io_client_gets_answers_by_acknowledgement_and_by_event() {
    let platform = Platform::facts_to_clients().await;
    platform.add("Capital(norway, oslo).").await;
    for way in ways() {
        let mut client = connected(&platform, &way).await;
        let search = json!({"name": "command", "values": [{"command": "search", "query": "oslo"}]});
        let found = client.run("ask", search).await;
        has(&found, &["status", "result", "message"]);
        assert!(found["result"].to_string().contains("Capital(norway, oslo)."), "{way}: {found}");

        let mark = client.mark();
        client
            .run("emit", json!({"name": "command", "values": [{"command": "search", "query": "oslo"}]}))
            .await;
        let response = |line: &Value| line["event"] == "received" && line["name"] == "command_response";
        let told = client.first_since(mark, "the answer as an event", response).await;
        assert_eq!(told["values"][0]["status"], found["status"], "{way}: {told}");

        client.run("emit", json!({"name": "get_status"})).await;
        has(
            &received(&client, "system_status").await,
            &["status", "fact_count", "connected_clients", "timestamp"],
        );
    }
}

#[tokio::test]
async fn the_socket_io_client_walks_the_graph_and_is_told_its_figures() {
    let platform = Platform::facts_to_clients().await;
    let fact = platform.add("Capital(norway, oslo).").await;
    let path = format!("/api/facts/stats?min_revision={}", fact.revision);
    platform.get(Kind::KnowledgeBase, &path).await;
    for way in ways() {
        let mut client = connected(&platform, &way).await;
        let metrics = received(&client, "initial_data").await["kb_metrics"].clone();
        assert_eq!((&metrics["fact_count"], &metrics["connectivity"]), (&json!(1), &json!(0.5)), "{metrics}");
        assert_eq!((&metrics["unique_predicates"], &metrics["unique_entities"]), (&json!(1), &json!(2)));
        assert!(metrics["entropy"] == 0 && metrics["growth_rate"].is_number(), "{metrics}");

        let traverse = json!({"command": "traverse", "arguments": {"start_vertex": "norway"}});
        let walked = client.run("ask", json!({"name": "run_command", "values": [traverse]})).await;
        let keys: Vec<_> = walked["result"]["items"].as_array().into_iter().flatten().collect();
        assert_eq!((keys.len(), &walked["is_last"]), (3, &json!(true)), "{way}: {walked}");
        assert_eq!(keys[2]["edge"]["type"], "Capital", "{way}: {walked}");
    }
}

#[tokio::test]
async fn the_socket_io_client_is_told_that_a_command_is_unknown_and_stays_connected() {
    let platform = Platform::facts_to_clients().await;
    for way in ways() {
        let mut client = connected(&platform, &way).await;
        for name in ["command", "run_command"] {
            let ask = json!({"name": name, "values": [{"command": "rm -rf /"}]});
            let refused = client.run("ask", ask).await;
            assert_eq!(refused["status"], "error", "{way}: {refused}");
            assert!(refused["message"].as_str().is_some_and(|message| !message.is_empty()), "{refused}");
        }
        assert!(client.events("disconnect").is_empty(), "{way}");
    }
}

#[tokio::test]
async fn the_socket_io_client_comes_back_after_the_gateway_was_replaced() {
    let mut platform = Platform::facts_to_clients().await;
    let clients = [connected(&platform, &ways()[0]).await, connected(&platform, &ways()[1]).await];
    for client in &clients {
        received(client, "initial_data").await;
    }
    assert!(platform.service_mut(Kind::PushGateway).terminate().await.success());
    for client in &clients {
        client.event("disconnect").await;
    }
    platform.service_mut(Kind::PushGateway).start().await;
    for client in &clients {
        let twice = |all: &[Value]| {
            let initial = |line: &&Value| line["event"] == "received" && line["name"] == "initial_data";
            (all.iter().filter(initial).count() == 2).then_some(())
        };
        client.lines.wait("the initial data of the second connection", twice).await;
    }
    let fact = platform.add_fact().await;
    for client in &clients {
        assert_eq!(received(client, "fact_added").await["statement"], json!(fact.statement));
    }
}

#[tokio::test]
async fn the_socket_io_client_gives_its_key_in_auth_or_a_header_and_is_refused_without_one() {
    let keys = json!([{"id": "reader", "key": KEY, "roles": ["read"]}]);
    let platform = Platform::builder().with(Kind::PushGateway).keyed(&keys).start().await;
    for mut way in ways() {
        let mut stranger = client(&platform);
        stranger.run("connect", way.clone()).await;
        stranger.event("connect_error").await;
        assert!(stranger.events("received").is_empty(), "{way}: nothing is told to a stranger");

        let mut by_header = way.clone();
        by_header["headers"] = json!({"X-API-Key": KEY});
        way["auth"] = json!({"apiKey": KEY});
        for options in [way, by_header] {
            received(&connected(&platform, &options).await, "connection_status").await;
        }
    }
}

fn client(platform: &Platform) -> Published {
    Published::start("socketio.mjs", &platform.url(Kind::PushGateway, ""), &[])
}

async fn connected(platform: &Platform, options: &Value) -> Published {
    let mut client = client(platform);
    client.run("connect", options.clone()).await;
    client.event("connect").await;
    client
}

/// The payload of the first event of this name.
async fn received(client: &Published, name: &str) -> Value {
    let wanted = |line: &Value| line["event"] == "received" && line["name"] == name;
    client.first(&format!("the event {name}"), wanted).await["values"][0].clone()
}

/// Insists that an object has these fields, whatever they hold.
fn has(object: &Value, fields: &[&str]) {
    let missing: Vec<&&str> = fields.iter().filter(|field| object.get(field).is_none()).collect();
    assert!(missing.is_empty(), "{missing:?} missing in {object}");
}
