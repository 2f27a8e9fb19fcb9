//! The endpoints as their clients see them: what is sent comes back as these messages and asks these questions.

use std::sync::Arc;
use std::time::Duration;

use prometheus::IntGauge;
use proto_schemas::Stream;
use serde_json::json;

use super::adapter_status::Status;
use super::graph::Walks;
use super::logs::{Level, Logs};
use super::paged::Questions;
use super::search::Searches;
use super::*;
use crate::commands::{Command, CommandError};
use crate::event::Message as EventMessage;
use crate::position::{Position, TimeBits};

fn connection<E: Endpoint>(endpoint: E) -> Connection<E> {
    Connection::new("test".to_owned(), endpoint, BadInputs::unregistered())
}

fn searches() -> Connection<Searches> {
    connection(Searches { adapters: Arc::default(), questions: Questions::default() })
}

/// A client's frame: the mask is zero.
fn frame_of(text: &str) -> Vec<u8> {
    let frame = frame::encode(Opcode::Text, text.as_bytes());
    let (head, payload) = frame.split_at(frame.len() - text.len());
    let mut bytes = head.to_vec();
    bytes[1] |= 0x80;
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

fn json_of(frame: &[u8]) -> Value {
    let head = match frame[1] {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    let mut json: Value = serde_json::from_slice(&frame[head..]).unwrap();
    if let Some(object) = json.as_object_mut() {
        for measured in ["timestamp", "duration_ms"] {
            object.entry(measured).and_modify(|value| *value = json!("measured"));
        }
    }
    json
}

/// What is sent to the client, and what is asked of services: `["ask", tag, subject, body]`.
fn told(actions: Vec<Action>) -> Vec<Value> {
    let tell = |action| match action {
        Action::Reply(bytes) => json_of(&bytes),
        Action::Ask(tag, Command::Service { subject, body }) => json!(["ask", tag, subject, body]),
        Action::AskWhenDrained(tag, Command::Service { subject, body }) => {
            json!(["when drained", tag, subject, body])
        }
        Action::WakeAfter(delay) => json!(["wake after", delay.as_secs()]),
        other => json!([format!("{other:?}")]),
    };
    actions.into_iter().map(tell).collect()
}

fn sent<E: Endpoint>(connection: &mut Connection<E>, text: &str) -> Vec<Value> {
    let mut actions = Vec::new();
    connection.receive(&frame_of(text), &mut actions);
    told(actions)
}

fn answered<E: Endpoint>(connection: &mut Connection<E>, tag: u64, answer: Answer) -> Vec<Value> {
    let mut actions = Vec::new();
    Codec::answer(connection, tag, answer, &mut actions);
    told(actions)
}

fn error(code: &str, message: &str) -> Vec<Value> {
    vec![json!({"type": "error", "code": code, "message": message, "timestamp": "measured"})]
}

#[test]
fn a_ping_is_answered_and_what_is_no_request_gets_an_error() {
    let mut connection = searches();
    assert_eq!(sent(&mut connection, r#"{"action":"ping"}"#), [json!({"type": "pong"})]);
    assert_eq!(sent(&mut connection, "[]"), error("malformed_message", "send a JSON object"));
    assert_eq!(sent(&mut connection, "{")[0]["code"], "malformed_message");
    assert_eq!(sent(&mut connection, "{}"), error("unknown_action", "name an action: search, ping"));
    assert_eq!(
        sent(&mut connection, r#"{"action":"dance\n"}"#),
        error("unknown_action", r#"there is no action "dance\n" here; there are search, ping"#)
    );
    assert_eq!(sent(&mut connection, r#"{"action":7}"#), error("invalid_field", "action must be a string"));
    let large = json!({"action": "ping", "more": "x".repeat(MESSAGE_SIZE_MAX)}).to_string();
    assert_eq!(sent(&mut connection, &large), error("message_too_large", "messages have at most 8192 bytes"));
    let binary = {
        let mut frame = frame_of("{}");
        frame[0] = 0x82;
        frame
    };
    let mut actions = Vec::new();
    connection.receive(&binary, &mut actions);
    assert_eq!(told(actions), error("malformed_message", "send text frames with JSON"));
    assert_eq!(sent(&mut connection, r#"{"action":"ping"}"#), [json!({"type": "pong"})], "it is still open");
}

#[test]
fn messages_beyond_the_rate_are_refused() {
    let mut connection = searches();
    for _ in 0..MESSAGES_PER_MINUTE_MAX {
        assert_eq!(sent(&mut connection, r#"{"action":"ping"}"#), [json!({"type": "pong"})]);
    }
    assert_eq!(
        sent(&mut connection, r#"{"action":"ping"}"#),
        error("rate_limited", "more than 600 messages a minute")
    );
}

#[test]
fn a_search_is_told_result_by_result_and_pages_are_asked_for_as_the_client_drains() {
    let mut connection = searches();
    let request = json!({
        "action": "search", "query": "cats", "top_k": 3, "collection": "facts", "threshold": 0.25,
    });
    let arguments = json!({"query": "cats", "limit": 3, "collection": "facts", "threshold": 0.25});
    assert_eq!(
        sent(&mut connection, &request.to_string()),
        [
            json!({"type": "search_started", "query": "cats", "adapter": "unknown", "timestamp": "measured"}),
            json!(["ask", 1, "cmd.kb.search", arguments]),
        ]
    );
    let item = |id: u32, score: f64| json!({"id": id, "content": format!("fact {id}"), "score": score});
    let result = |index: u32, id: u32, score: f64| {
        let data = json!({"id": id, "content": format!("fact {id}")});
        json!({"type": "result", "data": data, "index": index, "total": 3, "score": score})
    };
    let page = json!({
        "items": [item(7, 1.0), item(9, 0.5)], "total": 3, "adapter": "text", "instance": "kb.0", "next": "c2",
    });
    assert_eq!(
        answered(&mut connection, 1, Ok(page)),
        [
            result(0, 7, 1.0),
            result(1, 9, 0.5),
            json!(["when drained", 2, "cmd.kb.kb=2E0.next", {"cursor": "c2"}]),
        ]
        .map(|told| whole_numbers(&told))
    );
    let last = json!({"items": [item(11, 0.25)], "total": 3, "adapter": "text", "instance": "kb.0"});
    assert_eq!(answered(&mut connection, 1, Ok(last.clone())), Vec::<Value>::new(), "of an older question");
    let complete = json!({
        "type": "search_complete", "total_results": 3, "duration_ms": "measured", "adapter_used": "text",
    });
    assert_eq!(answered(&mut connection, 2, Ok(last)), [result(2, 11, 0.25), complete]);
}

/// `1.0` as it stands on the wire.
fn whole_numbers(value: &Value) -> Value {
    serde_json::from_slice(&proto_schemas::json::to_vec(value)).unwrap()
}

#[test]
fn searches_are_answered_one_after_the_other_and_a_failed_one_ends_with_its_error() {
    let mut connection = searches();
    let search = |query: usize| json!({"action": "search", "query": query.to_string()}).to_string();
    assert_eq!(sent(&mut connection, &search(0)).len(), 2);
    for query in 1..=8 {
        assert_eq!(sent(&mut connection, &search(query)), Vec::<Value>::new(), "it waits for its turn");
    }
    assert_eq!(
        sent(&mut connection, &search(9)),
        error("too_many_requests", "8 requests wait for their turn; wait for one")
    );
    let refused = Err(CommandError::new("not_available", "nobody answers cmd.kb.search"));
    let said = answered(&mut connection, 1, refused);
    assert_eq!(said[..1], error("not_available", "nobody answers cmd.kb.search"));
    assert_eq!((&said[1]["type"], &said[1]["query"]), (&json!("search_started"), &json!("1")));
    assert_eq!(said[2], json!(["ask", 2, "cmd.kb.search", {"query": "1", "limit": 5}]));
    let said = answered(&mut connection, 2, Ok(json!({"total": 0})));
    assert_eq!(said[..1], error("bad_answer", "the service answered without items"));
}

#[test]
fn a_search_that_is_not_well_formed_says_which_field() {
    let mut connection = searches();
    for (fields, message) in [
        (json!({}), "query must be a string that is not empty"),
        (json!({"query": " "}), "query must be a string that is not empty"),
        (json!({"query": "a", "top_k": 0}), "top_k must be a whole number from 1 to 100"),
        (json!({"query": "a", "top_k": 101}), "top_k must be a whole number from 1 to 100"),
        (json!({"query": "a", "top_k": "5"}), "top_k must be a whole number from 1 to 100"),
        (json!({"query": "a", "threshold": 1.5}), "threshold must be a number from 0 to 1"),
        (json!({"query": "a", "collection": 3}), "collection must be a string"),
    ] {
        let mut request = fields;
        request["action"] = json!("search");
        assert_eq!(sent(&mut connection, &request.to_string()), error("invalid_field", message));
    }
}

#[test]
fn a_search_names_the_adapter_that_the_knowledge_base_told_of() {
    let mut connection = searches();
    let mut actions = Vec::new();
    connection.endpoint.opened(&Identity::local(), &mut actions).unwrap();
    assert_eq!(told(actions), [json!(["ask", 0, "cmd.kb.status", {}])]);
    assert_eq!(answered(&mut connection, 0, Ok(json!({"adapter": "text"}))), Vec::<Value>::new());
    assert_eq!(sent(&mut connection, r#"{"action":"search","query":"a"}"#)[0]["adapter"], "text");
}

#[test]
fn a_walk_is_told_node_by_node_and_edge_by_edge() {
    let mut connection = connection(Walks::default());
    let request = json!({
        "action": "traverse", "start_vertex": "cat", "edge_collection": "IsA", "direction": "any", "max_depth": 2,
    });
    let mut arguments = request.clone();
    arguments.as_object_mut().unwrap().remove("action");
    assert_eq!(
        sent(&mut connection, &request.to_string()),
        [
            json!({"type": "traversal_started", "start_vertex": "cat"}),
            json!(["ask", 1, "cmd.kb.traverse", arguments]),
        ]
    );
    let node = |key: &str, depth: u32| json!({"node": {"key": key, "label": key, "depth": depth}});
    let edge = json!({"edge": {"from": "cat", "to": "animal", "type": "IsA", "fact_id": 7}});
    let page = json!({
        "items": [node("cat", 0), node("animal", 1), edge], "total": 4, "total_nodes": 3, "total_edges": 1,
        "instance": "kb-0", "next": "c3",
    });
    let told = |key: &str, index: u32| json!({"type": "node", "data": {"_key": key, "label": key}, "index": index, "total": 3});
    assert_eq!(
        answered(&mut connection, 1, Ok(page)),
        [
            told("cat", 0),
            told("animal", 1),
            json!({"type": "edge", "data": {"_from": "cat", "_to": "animal", "type": "IsA"}}),
            json!(["when drained", 2, "cmd.kb.kb-0.next", {"cursor": "c3"}]),
        ]
    );
    let last = json!({
        "items": [node("life", 2)], "total": 4, "total_nodes": 3, "total_edges": 1, "instance": "kb-0",
        "truncated": "steps",
    });
    let complete =
        json!({"type": "traversal_complete", "total_nodes": 3, "total_edges": 1, "truncated": "steps"});
    assert_eq!(answered(&mut connection, 2, Ok(last)), [told("life", 2), complete]);
    for (fields, message) in [
        (json!({}), "start_vertex must be a string that is not empty"),
        (json!({"start_vertex": "a", "direction": "up"}), "direction must be outbound, inbound, any"),
        (json!({"start_vertex": "a", "max_depth": 11}), "max_depth must be a whole number from 1 to 10"),
        (json!({"start_vertex": "a", "edge_collection": 1}), "edge_collection must be a string"),
    ] {
        let mut request = fields;
        request["action"] = json!("traverse");
        assert_eq!(sent(&mut connection, &request.to_string()), error("invalid_field", message));
    }
    let defaults = sent(&mut connection, r#"{"action":"traverse","start_vertex":"a"}"#);
    assert_eq!(defaults[1][3], json!({"start_vertex": "a", "direction": "outbound", "max_depth": 3}));
}

#[test]
fn status_is_told_at_once_and_at_every_interval_with_one_question_for_all() {
    let connections = IntGauge::new("connections", "of these endpoints").unwrap();
    connections.set(2);
    let adapters: Arc<Adapters> = Arc::default();
    let status = || {
        let (adapters, connections) = (Arc::clone(&adapters), connections.clone());
        connection(Status { adapters, interval: Duration::from_secs(7), connections, is_asking: false })
    };
    let (mut first, mut second) = (status(), status());
    let mut actions = Vec::new();
    first.endpoint.opened(&Identity::local(), &mut actions).unwrap();
    assert_eq!(told(actions), [json!(["wake after", 7]), json!(["ask", 0, "cmd.kb.status", {}])]);
    let update = json!({
        "type": "status_update", "timestamp": "measured", "current_adapter": "text",
        "themis": {"available": false, "query_count": 0, "avg_latency_ms": 0, "success_rate": 0},
        "uds3": {"available": false}, "active_websocket_connections": 2,
    });
    let said = answered(&mut first, 0, Ok(json!({"adapter": "text"})));
    assert_eq!(said, std::slice::from_ref(&update));
    for connection in [&mut second, &mut first] {
        let mut actions = Vec::new();
        Codec::wake(connection, &mut actions);
        assert_eq!(told(actions), [json!(["wake after", 7]), update.clone()], "what was told is fresh");
    }
    let said = sent(&mut first, r#"{"action":"search"}"#);
    assert_eq!(said, error("unknown_action", r#"there is no action "search" here; there are ping"#));
}

fn record(level: &str, payload: &Value) -> Event {
    let message = EventMessage {
        stream: Stream::Logs,
        seq: 7,
        topic: format!("logs.governor.{level}").into(),
        event_type: "log".into(),
        time: "2026-01-01T00:00:00Z".into(),
        time_bits: TimeBits::UNKNOWN,
        trace: None,
        payload: payload.to_string().into(),
        removed: false,
    };
    Event::new(message, 1, Positions::default())
}

#[test]
fn records_at_or_above_the_level_are_told_and_the_level_can_be_changed() {
    let mut connection = connection(Logs { level: Level::Warning });
    let payload = json!({
        "level": "WARN", "message": "again \"x\"\n", "timestamp": "2026-01-01T00:00:00Z", "logger": "governor::loop",
        "filename": "loop.rs", "lineno": 7, "service": "governor", "instance": "g-0", "fields": {"a": "b"},
    });
    let topic: TopicPattern = "logs.>".parse().unwrap();
    let told = |connection: &Connection<Logs>, level: &str| {
        let bytes = connection.event(&record(level, &payload), &topic, None);
        (!bytes.is_empty()).then(|| json_of(&bytes))
    };
    assert_eq!(
        told(&connection, "warn"),
        Some(json!({
            "type": "log", "level": "WARNING", "message": "again \"x\"\n", "timestamp": "measured",
            "logger": "governor::loop", "filename": "loop.rs", "lineno": 7,
        }))
    );
    let levels = ["trace", "debug", "info", "warn", "error"];
    let seen = |connection: &Connection<Logs>| levels.map(|level| told(connection, level).is_some());
    assert_eq!(seen(&connection), [false, false, false, true, true]);
    let before = connection.form();
    assert_eq!(sent(&mut connection, r#"{"action":"set_level","level":"debug"}"#), Vec::<Value>::new());
    assert_eq!(seen(&connection), [false, true, true, true, true]);
    assert_ne!(connection.form(), before, "frames of one level are not another's");
    assert_eq!(
        sent(&mut connection, r#"{"action":"set_level","level":"LOUD"}"#),
        error("invalid_field", "level must be one of TRACE, DEBUG, INFO, WARNING, ERROR, CRITICAL")
    );
    assert_eq!(seen(&connection), [false, true, true, true, true], "the level stays");
    let bare = connection.event(&record("error", &json!({"message": "no"})), &topic, None);
    assert_eq!(json_of(&bare)["filename"], Value::Null, "what is not known is there");
    assert!(connection.event(&record("error", &json!(7)), &topic, None).is_empty());
}

#[test]
fn forms_differ_and_every_level_has_its_names() {
    let names: std::collections::BTreeSet<_> = ["TRACE", "debug", "Info", "WARN", "error", "CRITICAL"]
        .map(|name| connection(Logs { level: Level::by_name(name).unwrap() }).form().name)
        .into();
    assert_eq!(names.len(), 6);
    assert_eq!(Level::by_name("warning"), Level::by_name("WARN"));
    assert_eq!(Level::by_name("verbose"), None);
}

#[test]
fn a_log_client_is_told_how_many_it_lost_and_that_nothing_comes() {
    let mut logs = connection(Logs { level: Level::Info });
    let told = |logs: &mut Connection<Logs>, notice| logs.notice(&notice, None).map(|bytes| json_of(&bytes));
    let gap = Notice::Gap {
        topic: "logs.>",
        from: Some(3),
        to: Some(5),
        reason: GapReason::Skipped,
        end: Position::default(),
    };
    let text = "3 log records of any level are lost here: this connection reads more slowly than they come";
    assert_eq!(told(&mut logs, gap), error("skipped", text).pop());
    let lost = told(&mut logs, Notice::Upstream { connected: false }).unwrap();
    assert_eq!(lost["code"], "upstream_lost");
    assert_eq!(told(&mut logs, Notice::Upstream { connected: true }), None);
    assert_eq!(told(&mut logs, Notice::Checkpoint), None);
}

#[test]
fn a_connection_that_ends_is_told_why_before_its_close() {
    let closing = Notice::Closing { reason: CloseReason::Draining, retry_ms: 700 };
    let bytes = searches().notice(&closing, None).unwrap();
    let close = frame::encode_close(1001, "draining");
    let told = json_of(bytes.strip_suffix(&close[..]).unwrap());
    let text = "the gateway ends this connection; come back after 700 ms";
    assert_eq!([told], error("draining", text)[..]);
}

#[test]
fn a_client_names_itself_within_bounds_or_gets_a_name() {
    assert_eq!(checked(Some("dashboard 7".to_owned())).unwrap(), "dashboard 7");
    let given = checked(None).unwrap();
    assert!(given.starts_with("client-") && given != checked(Some(String::new())).unwrap(), "{given}");
    for bad in ["x".repeat(CLIENT_ID_SIZE_MAX + 1), "a\nb".to_owned()] {
        assert_eq!(checked(Some(bad)).unwrap_err().code(), "invalid_client_id");
    }
}

#[test]
fn a_quiet_connection_is_kept_open_by_pings() {
    let mut actions = Vec::new();
    searches().beat(&mut actions);
    let [Action::Reply(bytes)] = &actions[..] else { panic!("one reply: {actions:?}") };
    assert_eq!(bytes[..], [0x89, 0]);
}
