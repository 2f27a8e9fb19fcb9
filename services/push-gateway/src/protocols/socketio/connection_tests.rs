//! A connection in memory: what it says to what a client sends.

use chassis::Metrics;
use proto_schemas::Stream;

use super::*;
use crate::codec::GapReason;
use crate::event::Message as EventMessage;
use crate::position::{Position, TimeBits};

fn connection(transport: Transport, auth: Auth) -> SocketIo {
    let gateway = Gateway {
        auth,
        metrics: GatewayMetrics::new(&Metrics::new()),
        connections_max: 7,
        figures: Figures::default(),
    };
    SocketIo::new(Arc::new(gateway), transport, None, 8000)
}

/// A polling connection that has joined the namespace.
fn joined() -> SocketIo {
    let mut connection = connection(Transport::Polling, Auth::open());
    connection.receive(b"40\x1e", &mut Vec::new());
    assert!(!connection.awaits_authentication());
    connection
}

fn acted(connection: &mut SocketIo, bytes: &[u8]) -> Vec<Action> {
    let mut actions = Vec::new();
    connection.receive(bytes, &mut actions);
    actions
}

/// All packets replied with.
fn replies(actions: &[Action]) -> Vec<String> {
    let replied = actions.iter().filter_map(|action| match action {
        Action::Reply(bytes) => Some(std::str::from_utf8(bytes).unwrap()),
        _ => None,
    });
    replied.flat_map(|text| text.split_terminator('\x1e').map(str::to_owned)).collect()
}

fn end(actions: &[Action]) -> Option<CloseReason> {
    actions.iter().find_map(|action| match action {
        Action::Close(reason) => Some(*reason),
        _ => None,
    })
}

/// The codes of all `command_response` errors.
fn codes(actions: &[Action]) -> Vec<String> {
    let packets = replies(actions);
    let events =
        packets.iter().filter_map(|text| serde_json::from_str::<Value>(text.strip_prefix("42")?).ok());
    events.filter_map(|event| event[1]["code"].as_str().map(str::to_owned)).collect()
}

#[test]
fn whoever_joins_is_told_so_then_the_status_then_everything_is_followed_and_asked_for() {
    let mut connection = connection(Transport::Polling, Auth::open());
    let actions = acted(&mut connection, b"40{\"apiKey\":\"whatever\"}\x1e");
    assert!(matches!(&actions[0], Action::Authenticated(identity) if identity.id == "local"), "{actions:?}");
    let packets = replies(&actions);
    assert!(packets[0].starts_with("40{\"sid\":\""), "{packets:?}");
    let status: Value = serde_json::from_str(packets[1].strip_prefix("42").unwrap()).unwrap();
    assert_eq!(status[0], "connection_status");
    let names: Vec<_> = status[1].as_object().unwrap().keys().cloned().collect();
    assert_eq!(
        names,
        ["backend", "connected", "current_connections", "max_connections", "port", "timestamp"]
    );
    assert_eq!((&status[1]["port"], &status[1]["max_connections"]), (&json!(8000), &json!(7)));
    assert!(packets[2].starts_with("42[\"update\",{\"type\":\"connection_status\""), "{packets:?}");
    let Action::Subscribe { topics, .. } = &actions[2] else { panic!("{actions:?}") };
    assert_eq!(topics.iter().map(TopicPattern::as_str).collect::<Vec<_>>(), TOPICS);
    assert!(matches!(actions[3], Action::Ask(_, Command::Status)), "{actions:?}");
}

#[test]
fn a_token_of_a_few_topics_follows_those() {
    let mut identity = Identity::new("ada".to_owned(), [Role::Read]);
    identity.topics = Some(["state.gpu.>".parse().unwrap(), "kb.facts".parse().unwrap()].into());
    let names: Vec<_> = topics(&identity).iter().map(|topic| topic.as_str().to_owned()).collect();
    assert_eq!(names, ["kb.facts", "state.gpu.>"]);
}

#[test]
fn another_namespace_is_refused_and_the_connection_stays() {
    let mut connection = joined();
    let actions = acted(&mut connection, b"40/admin,\x1e");
    assert_eq!(
        replies(&actions),
        [r#"44/admin,{"data":{"code":"unknown_namespace"},"message":"there is only the default namespace"}"#]
    );
    assert_eq!(end(&actions), None);
}

#[test]
fn what_is_not_understood_is_answered_with_its_code_and_the_connection_stays() {
    for (packet, code) in [
        ("42[\"shell\"]", "unknown_event"),
        ("42[\"run_command\",{\"command\":\"sh\"}]", "unknown_command"),
        ("42[\"command\"]", "malformed_arguments"),
        ("42{\"a\":1}", "malformed_packet"),
        ("42[", "malformed_packet"),
        ("49", "malformed_packet"),
        ("44{\"message\":\"no\"}", "malformed_packet"),
        ("40", "already_connected"),
        ("451-[\"upload\",{\"_placeholder\":true,\"num\":0}]", "binary_not_supported"),
        ("bAAAA", "binary_not_supported"),
    ] {
        let actions = acted(&mut joined(), format!("{packet}\x1e").as_bytes());
        assert_eq!((codes(&actions), end(&actions)), (vec![code.to_owned()], None), "{packet}");
    }
}

#[test]
fn an_event_with_attachments_is_refused_once_through_its_ack_too_and_they_are_dropped() {
    let mut connection = joined();
    let upload = b"452-7[\"upload\",{\"_placeholder\":true,\"num\":0}]\x1ebAAAA\x1ebAAAA\x1e";
    let actions = acted(&mut connection, upload);
    assert_eq!(codes(&actions), ["binary_not_supported"]);
    assert!(replies(&actions)[1].starts_with("437[{"), "{actions:?}");
    assert_eq!(codes(&acted(&mut connection, b"bAAAA\x1e")), ["binary_not_supported"], "this one is of none");
}

#[test]
fn what_breaks_the_protocol_ends_the_connection() {
    for packets in ["7\x1e", "\x1e", "42[\"get_status\"]\x1e", "4\x1e", "bAAAA\x1e"] {
        let actions = acted(&mut connection(Transport::Polling, Auth::open()), packets.as_bytes());
        assert_eq!(end(&actions), Some(CloseReason::ProtocolError), "{packets:?}");
        assert_eq!(replies(&actions), ["1"], "{packets:?}");
    }
    for packets in ["1\x1e", "41\x1e"] {
        assert_eq!(
            end(&acted(&mut joined(), packets.as_bytes())),
            Some(CloseReason::ClientGone),
            "{packets:?}"
        );
    }
}

#[test]
fn packets_in_pieces_are_packets() {
    let mut connection = connection(Transport::Polling, Auth::open());
    assert!(acted(&mut connection, b"4").is_empty());
    assert!(!acted(&mut connection, b"0\x1e42[\"get_st").is_empty());
    let actions = acted(&mut connection, b"atus\"]\x1e");
    assert!(matches!(actions[..], [Action::Ask(_, Command::Status)]), "{actions:?}");
}

#[test]
fn too_many_messages_a_minute_are_refused_and_pongs_do_not_count() {
    let mut connection = joined();
    for _ in 1..MESSAGES_PER_MINUTE_MAX {
        assert!(
            acted(&mut connection, b"3\x1e43[1]\x1e").iter().all(|action| matches!(action, Action::Reply(_)))
        );
    }
    let actions = acted(&mut connection, b"423[\"get_status\"]\x1e");
    assert_eq!((codes(&actions), end(&actions)), (vec!["rate_limited".to_owned()], None));
    assert!(replies(&actions)[1].starts_with("433[{"), "its ack is answered: {actions:?}");
}

#[test]
fn a_packet_beyond_the_limit_is_refused_and_the_next_is_read() {
    let mut connection = connection(Transport::WebSocket, Auth::open());
    let mut frame = vec![0x81, 0xff];
    frame.extend_from_slice(&(PACKET_SIZE_MAX as u64 + 1).to_be_bytes());
    frame.extend_from_slice(&[0; 4]);
    frame.resize(frame.len() + PACKET_SIZE_MAX + 1, b'4');
    acted(&mut connection, &[0x81, 0x82, 0, 0, 0, 0, b'4', b'0']);
    let actions = acted(&mut connection, &frame);
    let [Action::Reply(bytes)] = &actions[..] else { panic!("{actions:?}") };
    assert!(bytes.windows(16).any(|part| part == b"packet_too_large"), "{bytes:?}");
    assert!(acted(&mut connection, &[0x81, 0x81, 0, 0, 0, 0, b'6']).is_empty());
}

#[test]
fn the_server_pings_and_closes_a_client_that_does_not_answer() {
    let mut connection = joined();
    let beat = |connection: &mut SocketIo| {
        let mut actions = Vec::new();
        connection.beat(&mut actions);
        actions
    };
    assert_eq!(replies(&beat(&mut connection)), ["2"]);
    assert!(beat(&mut connection).is_empty(), "one is on its way");
    acted(&mut connection, b"3\x1e");
    assert_eq!(replies(&beat(&mut connection)), ["2"]);
    connection.pinged_at = Instant::now().checked_sub(PING_TIMEOUT);
    assert_eq!(end(&beat(&mut connection)), Some(CloseReason::NoPong));
}

#[test]
fn an_event_is_all_its_packets_in_one_piece() {
    let connection = connection(Transport::Polling, Auth::open());
    let told = EventMessage {
        stream: Stream::Kb,
        seq: 7,
        topic: "kb.facts".into(),
        event_type: "fact_added".into(),
        time: "2026-01-01T00:00:00Z".into(),
        time_bits: TimeBits::UNKNOWN,
        trace: None,
        payload: Bytes::from_static(b"{\"statement\":\"A(b, c).\",\"created_at\":\"t\"}"),
        removed: false,
    };
    let event = Event::new(told, 1, Positions::default());
    let bytes = connection.event(&event, &"kb.facts".parse().unwrap(), None);
    let data = r#"{"statement":"A(b, c).","success":true,"timestamp":"t"}"#;
    let expected = format!(
        "42[\"fact_added\",{data}]\x1e42[\"update\",{{\"type\":\"fact_added\",\"data\":{data}}}]\x1e"
    );
    assert_eq!(std::str::from_utf8(&bytes).unwrap(), expected);
}

#[test]
fn losses_and_the_end_of_a_snapshot_are_told() {
    let gap = Notice::Gap {
        topic: "kb.facts",
        from: Some(3),
        to: Some(5),
        reason: GapReason::Trimmed,
        end: Position::default(),
    };
    let text = joined().notice(&gap, None).unwrap();
    let expected = "42[\"gap\",{\"from\":3,\"reason\":\"trimmed\",\"to\":5,\"topic\":\"kb.facts\"}]\x1e";
    assert_eq!(&text[..], expected.as_bytes());
    let end = Notice::SnapshotEnd { topic: "state.>", keys: vec!["state.kb"] };
    let expected = "42[\"snapshot_end\",{\"keys\":[\"state.kb\"],\"topic\":\"state.>\"}]\x1e";
    assert_eq!(&joined().notice(&end, None).unwrap()[..], expected.as_bytes());
    let unknown = &mut connection(Transport::Polling, Auth::open());
    assert_eq!(unknown.notice(&Notice::Upstream { connected: false }, None), None, "it has not joined");
}

#[test]
fn who_is_sent_away_for_good_is_told_in_the_namespace_and_others_only_by_the_transport() {
    let closing = |connection: &mut SocketIo, reason| {
        let bytes = connection.notice(&Notice::Closing { reason, retry_ms: 1_000 }, None).unwrap();
        replies(&[Action::Reply(bytes)])
    };
    for reason in [CloseReason::Draining, CloseReason::Expired, CloseReason::Stalled, CloseReason::Overloaded]
    {
        assert_eq!(closing(&mut joined(), reason), ["1"], "{reason:?}");
    }
    for reason in [CloseReason::Revoked, CloseReason::Removed] {
        assert_eq!(closing(&mut joined(), reason), ["41", "1"], "{reason:?}");
    }
    let unknown = &mut connection(Transport::Polling, Auth::open());
    for (reason, code) in [
        (CloseReason::Unauthenticated, "authentication_timeout"),
        (CloseReason::TooManyOfUser, "too_many_connections_of_user"),
    ] {
        let packets = closing(unknown, reason);
        assert!(packets[0].starts_with(&format!("44{{\"data\":{{\"code\":\"{code}\"}}")), "{packets:?}");
    }
    assert_eq!(closing(unknown, CloseReason::Draining), ["1"]);
}

#[test]
fn what_was_not_read_by_polling_goes_on_in_frames_and_so_does_the_rest() {
    let mut connection = joined();
    let words = connection.moved(b"2\x1e42[\"a\",1]\x1e");
    let expected = [Transport::WebSocket.packet("2"), Transport::WebSocket.packet("42[\"a\",1]")].concat();
    assert_eq!(&words[..], &expected[..]);
    assert_eq!(connection.form(), &WEBSOCKET_FORM);
    let actions = acted(&mut connection, &[0x81, 0x86, 0, 0, 0, 0, b'2', b'p', b'r', b'o', b'b', b'e']);
    let [Action::Reply(bytes)] = &actions[..] else { panic!("{actions:?}") };
    assert_eq!(bytes, &Transport::WebSocket.packet("3probe"));
}
