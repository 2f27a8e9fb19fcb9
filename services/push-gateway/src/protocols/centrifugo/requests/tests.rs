use bytes::BytesMut;
use chassis::{Auth, Identity, Role};
use serde_json::json;

use super::super::wire::Wire;
use super::*;
use crate::codec::Codec;
use crate::metrics::BadInputs;

fn connection() -> Connection {
    let mut connection = Connection::new(Auth::open(), Wire::Json, 15, None, BadInputs::unregistered());
    connection.identity = Some(Identity::local());
    connection
}

fn said(action: &Action) -> Value {
    let Action::Reply(frame) = action else { panic!("{action:?}") };
    serde_json::from_slice(super::super::wire::tests::payload_of(frame)).unwrap()
}

fn asked(action: Action) -> (u64, Command) {
    match action {
        Action::Ask(tag, command) | Action::AskWhenDrained(tag, command) => (tag, command),
        other => panic!("{other:?}"),
    }
}

fn rpc(method: &str, data: &str) -> RpcRequest {
    RpcRequest { method: method.to_owned(), data: Bytes::copy_from_slice(data.as_bytes()) }
}

fn answered(connection: &mut Connection, tag: u64, answer: Answer) -> Vec<Action> {
    let mut actions = Vec::new();
    connection.answer(tag, answer, &mut actions);
    actions
}

#[test]
fn an_rpc_is_a_command_of_the_closed_list_and_its_answer_is_the_result() {
    let mut one = connection();
    for (method, data) in [
        ("get_status", ""),
        ("search", "{\"query\":\"x\"}"),
        ("traverse", "{}"),
        ("user_message", "{\"content\":\"hi\"}"),
        ("run_command", "{\"command\":\"engine.start\",\"arguments\":{\"engine_id\":\"e\"}}"),
        ("next_page", "{\"instance\":\"kb-0\",\"next\":\"c1\"}"),
    ] {
        let (tag, _) = asked(one.rpc(5, &rpc(method, data)));
        let actions = answered(&mut one, tag, Ok(json!({"n": 1})));
        assert_eq!(said(&actions[0]), json!({"id": 5, "rpc": {"data": {"n": 1}}}), "{method}");
    }
    let page = asked(one.rpc(5, &rpc("next_page", "{\"instance\":\"kb-0\",\"next\":\"c1\"}"))).1;
    assert!(matches!(page, Command::Service { subject, .. } if subject.starts_with("cmd.kb.kb-0")));
}

#[test]
fn an_rpc_that_cannot_be_asked_has_a_code() {
    let mut one = connection();
    for (method, data, code) in [
        ("rm", "{}", 104),
        ("run_command", "{\"command\":\"sh\"}", 104),
        ("run_command", "{}", 107),
        ("search", "[]", 107),
        ("search", "{", 107),
        ("next_page", "{}", 107),
    ] {
        assert_eq!(said(&one.rpc(1, &rpc(method, data)))["error"]["code"], code, "{method} {data}");
    }
    one.identity = Some(Identity::new("reader".to_owned(), [Role::Read]));
    assert_eq!(said(&one.rpc(1, &rpc("user_message", "{}")))["error"]["code"], 103);
}

#[test]
fn a_service_that_says_no_is_an_error_with_its_own_code_in_the_text() {
    let mut one = connection();
    for (code, number) in [("not_available", 108), ("deadline_exceeded", 100), ("invalid_body", 107)] {
        let (tag, _) = asked(one.rpc(3, &rpc("search", "{}")));
        let actions = answered(&mut one, tag, Err(CommandError::new(code, "why")));
        let error = &said(&actions[0])["error"];
        assert_eq!(error["code"], number);
        assert!(error["message"].as_str().unwrap().ends_with(&format!("{code}: why")), "{error}");
    }
    assert!(answered(&mut one, 99, Ok(Value::Null)).is_empty(), "nobody asked for it");
}

#[test]
fn what_is_published_is_json_and_goes_out_as_it_came() {
    let mut one = connection();
    let request =
        |data: &'static [u8]| PublishRequest { channel: "app.a".to_owned(), data: Bytes::from_static(data) };
    let (tag, command) = asked(one.publish(2, &request(b"{\"b\":1.0,\"a\":2}")));
    let Command::Publish { topic, value } = command else { panic!("{command:?}") };
    assert_eq!((topic.as_str(), value.get()), ("app.a", "{\"b\":1.0,\"a\":2}"));
    let actions = answered(&mut one, tag, Ok(json!({"topic": "app.a", "seq": 7})));
    assert_eq!(said(&actions[0]), json!({"id": 2, "publish": {}}));
    for data in [&b""[..], b"\xff", b"{}{}"] {
        assert_eq!(said(&one.publish(2, &request(data)))["error"]["code"], 107);
    }
}

#[test]
fn presence_is_two_counts() {
    let mut one = connection();
    let request = ChannelRequest { channel: "app.a".to_owned() };
    let (tag, command) = asked(one.presence_stats(2, &request));
    assert!(matches!(command, Command::Presence { topic } if topic == "app.a"));
    let actions = answered(&mut one, tag, Ok(json!({"num_clients": 3, "num_users": 2})));
    assert_eq!(said(&actions[0])["presence_stats"], json!({"num_clients": 3, "num_users": 2}));
    let nowhere = ChannelRequest { channel: "nowhere".to_owned() };
    assert_eq!(said(&one.presence_stats(2, &nowhere))["error"]["code"], 102);
}

fn history(connection: &mut Connection, id: u32, request: &HistoryRequest) -> Vec<Action> {
    let mut actions = Vec::new();
    connection.history(id, request, &mut actions);
    actions
}

fn of(channel: &str, limit: i32) -> HistoryRequest {
    HistoryRequest { channel: channel.to_owned(), limit, ..HistoryRequest::default() }
}

#[test]
fn a_history_is_bounded_and_its_start_is_of_this_stream_or_refused() {
    let mut one = connection();
    for (limit, wanted) in [(0, 0), (5, 5), (-1, history::EVENTS_MAX), (i32::MAX, history::EVENTS_MAX)] {
        match one.history_command(&of("app.a", limit)).unwrap() {
            Command::History(request) => assert_eq!((request.limit, request.start), (wanted, None)),
            other => panic!("{other:?}"),
        }
    }
    let since =
        |epoch: &str| Some(super::super::messages::StreamPosition { offset: 9, epoch: epoch.to_owned() });
    let request = HistoryRequest { since: since("00000000000000ff"), ..of("app.a", 1) };
    let Command::History(request) = one.history_command(&request).unwrap() else { panic!() };
    assert_eq!(request.start, Some(Start { epoch: Some(255), seq: 9 }));
    let request = HistoryRequest { since: since("other"), ..of("app.a", 1) };
    assert_eq!(said(&history(&mut one, 4, &request)[0])["error"]["code"], 112);
}

#[test]
fn histories_are_read_one_after_the_other_and_their_events_are_publications() {
    let mut one = connection();
    let (tag, _) = asked(history(&mut one, 1, &of("app.a", 2)).remove(0));
    for id in 0..HISTORIES_WAITING_MAX {
        let id = u32::try_from(id + 2).unwrap();
        assert!(history(&mut one, id, &of("app.a", 2)).is_empty(), "it waits");
    }
    let refused = history(&mut one, 99, &of("app.a", 2));
    assert_eq!(said(&refused[0])["error"]["code"], 111);

    let event = json!({"seq": 8, "topic": "app.a", "event_type": "message", "time": "2026-01-01T00:00:00Z",
        "trace": null, "data": "{\"b\":1.0,\"a\":2}"});
    let mut actions = answered(&mut one, tag, Ok(json!({"epoch": 255, "end_seq": 9, "events": [event]})));
    let text = {
        let Action::Reply(frame) = &actions[0] else { panic!() };
        BytesMut::from(super::super::wire::tests::payload_of(frame))
    };
    assert_eq!(
        std::str::from_utf8(&text).unwrap(),
        "{\"id\":1,\"history\":{\"publications\":[{\"data\":{\"b\":1.0,\"a\":2},\"offset\":8,\"tags\":{\
         \"time\":\"2026-01-01T00:00:00Z\",\"topic\":\"app.a\",\"type\":\"message\"}}],\
         \"epoch\":\"00000000000000ff\",\"offset\":9}}"
    );
    assert!(matches!(actions[1], Action::AskWhenDrained(..)));
    let (tag, _) = asked(actions.remove(1));
    let failed = answered(&mut one, tag, Err(CommandError::new("unrecoverable_position", "no")));
    assert_eq!(said(&failed[0])["error"]["code"], 112);
    assert!(matches!(failed[1], Action::AskWhenDrained(..)), "the next one is read all the same");
}
