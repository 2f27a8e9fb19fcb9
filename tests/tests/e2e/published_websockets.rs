//! `/ws` through Python's `websockets`, as it is published.

use bywash_tests::platform::{FACTS, Platform};
use bywash_tests::published::Published;
use bywash_tests::service::Kind;
use serde_json::{Value, json};

/// Largest message that the gateway takes, bytes (`docs/clients.md`).
const MESSAGE_SIZE_MAX: usize = 8_192;

const KEY: &str = "a-key-that-reads-0001";
/// [`KEY`] in base64 for URLs, no padding (RFC 4648, section 5).
const KEY_BASE64: &str = "YS1rZXktdGhhdC1yZWFkcy0wMDAx";

#[tokio::test]
async fn python_websockets_is_welcomed_answered_and_told_of_facts() {
    let platform = Platform::facts_to_clients().await;
    let mut client = client(&platform);
    client.run("open", json!({"path": "/ws"})).await;
    let welcome = message(&client, "system_message").await;
    assert_eq!(welcome["payload"]["event"], "connection_established");
    assert!(welcome["payload"]["connection_id"].is_string(), "{welcome}");

    client.run("ping_frame", json!({})).await;
    send(&mut client, json!({"type": "ping", "payload": {"n": 7}, "message_id": "m1"})).await;
    let pong = message(&client, "pong").await;
    assert_eq!((&pong["payload"], &pong["correlation_id"]), (&json!({"n": 7}), &json!("m1")));
    send(&mut client, json!({"type": "echo", "payload": {"text": "grüße, 世界"}})).await;
    assert_eq!(message(&client, "echo").await["payload"]["text"], "grüße, 世界");

    send(&mut client, json!({"type": "subscribe", "payload": {"topics": [FACTS]}})).await;
    let subscribed = message(&client, "subscribed").await;
    assert_eq!(subscribed["payload"]["topics"], json!([FACTS]));
    let facts = [platform.add_fact().await, platform.add_fact().await];
    let second = |line: &Value| line["message"]["seq"] == json!(facts[1].revision);
    client.first("the second fact", second).await;
    let told: Vec<Value> = client
        .events("message")
        .into_iter()
        .filter(|line| line["message"]["type"] == "fact_added")
        .map(|line| line["message"]["payload"]["statement"].clone())
        .collect();
    assert_eq!(told, [facts[0].statement.as_str(), facts[1].statement.as_str()]);

    client.run("close", json!({})).await;
    let closed = client.event("closed").await;
    assert_eq!(closed["code"], 1000, "the close is answered: {closed}");
}

#[tokio::test]
async fn python_websockets_gets_a_code_for_each_mistake_and_stays_connected() {
    let platform = Platform::facts_to_clients().await;
    let mut client = client(&platform);
    client.run("open", json!({"path": "/ws"})).await;
    let too_large = json!({"type": "echo", "payload": "x".repeat(MESSAGE_SIZE_MAX)}).to_string();
    let nowhere = json!({"type": "subscribe", "payload": {"topics": ["kb.nothing"]}}).to_string();
    for (text, code) in [
        ("{", "FORMAT_ERROR"),
        (r#"{"type": "dance"}"#, "UNKNOWN_TYPE"),
        (&too_large, "MESSAGE_TOO_LARGE"),
        (&nowhere, "UNKNOWN_TOPIC"),
    ] {
        client.run("send_text", json!({"text": text})).await;
        let is_it = |line: &Value| line["message"]["payload"]["code"] == code;
        let error = client.first(&format!("the error {code}"), is_it).await;
        assert_eq!(error["message"]["type"], "error_message", "{error}");
    }
    send(&mut client, json!({"type": "ping"})).await;
    message(&client, "pong").await;
}

#[tokio::test]
async fn python_websockets_gives_its_key_by_header_or_subprotocol_and_a_wrong_one_is_told_and_closed() {
    let keys = json!([{"id": "reader", "key": KEY, "roles": ["read"]}]);
    let platform = Platform::builder().with(Kind::PushGateway).keyed(&keys).start().await;
    let mut client = client(&platform);
    let bearer = |key: &str| json!({"Authorization": format!("Bearer {key}")});
    let protocols = json!(["jwt-auth", format!("jwt.{KEY_BASE64}")]);

    client.run("open", json!({"path": "/ws", "connection": "header", "headers": bearer(KEY)})).await;
    of_connection(&client, "header", "system_message").await;
    client.run("open", json!({"path": "/ws", "connection": "protocol", "subprotocols": protocols})).await;
    of_connection(&client, "protocol", "system_message").await;
    let opened = |line: &Value| line["event"] == "open" && line["connection"] == "protocol";
    assert_eq!(client.first("the upgrade", opened).await["subprotocol"], "jwt-auth");

    let wrong = bearer("not-a-key-of-this-one");
    client.run("open", json!({"path": "/ws", "connection": "wrong", "headers": wrong})).await;
    of_connection(&client, "wrong", "authentication_error").await;
    let closed = |line: &Value| line["event"] == "closed" && line["connection"] == "wrong";
    assert_eq!(client.first("the close", closed).await["code"], 1008);
}

#[tokio::test]
async fn python_websockets_continues_with_its_token_after_the_gateway_was_restarted() {
    let mut platform = Platform::facts_to_clients().await;
    let mut client = client(&platform);
    client.run("open", json!({"path": "/ws"})).await;
    send(&mut client, json!({"type": "subscribe", "payload": {"topics": [FACTS]}})).await;
    message(&client, "subscribed").await;
    platform.add_fact().await;
    let token = message(&client, "fact_added").await["token"].clone();
    assert!(token.is_string(), "an event says how to continue after it");

    assert!(platform.service_mut(Kind::PushGateway).terminate().await.success());
    assert_eq!(client.event("closed").await["code"], 1001);
    let missed = [platform.add_fact().await, platform.add_fact().await];
    platform.service_mut(Kind::PushGateway).start().await;
    client.run("open", json!({"path": "/ws", "connection": "again"})).await;
    let subscribe = json!({"type": "subscribe", "payload": {"topics": [FACTS], "since": token}});
    client.run("send", json!({"connection": "again", "message": subscribe})).await;
    let subscribed = of_connection(&client, "again", "subscribed").await;
    assert_eq!(subscribed["payload"]["resumed"], true, "{subscribed}");
    let last = |line: &Value| line["message"]["seq"] == json!(missed[1].revision);
    client.first("the last missed fact", last).await;
    let sequences: Vec<Value> = client
        .events("message")
        .into_iter()
        .filter(|line| line["connection"] == "again" && line["message"]["type"] == "fact_added")
        .map(|line| line["message"]["seq"].clone())
        .collect();
    assert_eq!(sequences, [json!(missed[0].revision), json!(missed[1].revision)]);
}

fn client(platform: &Platform) -> Published {
    let url = format!("ws://{}", platform.service(Kind::PushGateway).addr());
    Published::start("websockets_client.py", &url, &[])
}

async fn send(client: &mut Published, message: Value) {
    client.run("send", json!({"message": message})).await;
}

/// The first message of this type on the connection that has no name of its own.
async fn message(client: &Published, kind: &str) -> Value {
    of_connection(client, "first", kind).await
}

async fn of_connection(client: &Published, connection: &str, kind: &str) -> Value {
    let wanted = |line: &Value| line["connection"] == connection && line["message"]["type"] == kind;
    client.first(&format!("a message {kind} on {connection}"), wanted).await["message"].clone()
}
