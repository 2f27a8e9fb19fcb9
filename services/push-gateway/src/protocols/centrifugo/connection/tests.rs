use serde_json::{Value, json};

use super::*;
use crate::codec::GapReason;
use crate::position::{Position, TimeBits};
use proto_schemas::Stream;

const EPOCH: u64 = 255;
const EPOCH_TEXT: &str = "00000000000000ff";

/// A client's text frame.
fn masked(text: &str) -> Vec<u8> {
    let length = text.len();
    let mut frame = vec![0x81];
    if length < 126 {
        frame.push(0x80 | u8::try_from(length).unwrap());
    } else {
        frame.extend([0x80 | 127]);
        frame.extend((length as u64).to_be_bytes());
    }
    // A mask of zeros leaves the bytes as they are.
    frame.extend([0; 4]);
    frame.extend(text.as_bytes());
    frame
}

/// What a server frame says: its JSON, or its close code.
fn said(frame: &[u8]) -> Value {
    let payload = super::super::wire::tests::payload_of(frame);
    match frame[0] {
        0x88 => json!({"closed": u16::from_be_bytes([payload[0], payload[1]])}),
        _ => serde_json::from_slice(payload).unwrap(),
    }
}

fn ends(seq: u64) -> Positions {
    let mut ends = Positions::default();
    ends.set(Stream::App, Some(Position { epoch: EPOCH, seq, time: TimeBits::UNKNOWN }));
    ends
}

struct Client(Connection);

impl Client {
    /// Everybody is let in.
    fn new() -> Self {
        Self(Connection::new(Auth::open(), Wire::Json, 15, None, BadInputs::unregistered()))
    }

    fn connected() -> Self {
        let mut client = Self::new();
        client.send(json!({"id": 1, "connect": {}}));
        client.ready(false, 10);
        client
    }

    /// What comes of a message.
    fn send_text(&mut self, text: &str) -> Vec<Action> {
        let mut actions = Vec::new();
        self.0.receive(&masked(text), &mut actions);
        actions
    }

    #[allow(clippy::needless_pass_by_value, reason = "what it is called with is always made on the spot")]
    fn send(&mut self, command: Value) -> Vec<Action> {
        self.send_text(&command.to_string())
    }

    /// The one reply to a command.
    fn reply(&mut self, command: Value) -> Value {
        let actions = self.send(command);
        let replies: Vec<Value> = replies(&actions);
        assert_eq!(replies.len(), 1, "{actions:?}");
        replies[0].clone()
    }

    /// The hub tells where the oldest subscription begins; the streams end at 500.
    fn ready(&mut self, resumed: bool, seq: u64) -> Value {
        let place = Position { epoch: EPOCH, seq, time: TimeBits::UNKNOWN };
        let notice = Notice::Ready { topics: &[], resumed, correlation_id: None, place };
        said(&self.0.notice(&notice, Some(&ends(500))).unwrap())
    }

    fn subscribed(&mut self, channel: &str) {
        self.send(json!({"id": 2, "subscribe": {"channel": channel}}));
        self.ready(false, 500);
    }

    fn gap(&mut self, topic: &str, to: Option<u64>, reason: GapReason) -> Option<Bytes> {
        let end = ends(500).get(topic.parse::<TopicPattern>().unwrap().stream()).unwrap_or_default();
        self.0.notice(&Notice::Gap { topic, from: None, to, reason, end }, None)
    }
}

fn replies(actions: &[Action]) -> Vec<Value> {
    let reply = |action: &Action| match action {
        Action::Reply(bytes) => Some(said(bytes)),
        _ => None,
    };
    actions.iter().filter_map(reply).collect()
}

fn error_code(reply: &Value) -> u64 {
    reply["error"]["code"].as_u64().unwrap_or_else(|| panic!("no error in {reply}"))
}

fn close_code(actions: &[Action]) -> u64 {
    assert!(matches!(actions.last(), Some(Action::Close(_))), "{actions:?}");
    replies(actions).last().unwrap()["closed"].as_u64().unwrap()
}

/// Where the hub is asked to begin: the place in the stream of what clients publish.
fn since(actions: &[Action]) -> Option<Position> {
    actions.iter().find_map(|action| match action {
        Action::Subscribe { since: Some(Ok(positions)), .. } => positions.get(Stream::App),
        _ => None,
    })
}

fn unsubscribed(actions: &[Action]) -> Vec<(String, usize)> {
    let left = |action: &Action| match action {
        Action::Unsubscribe { topics, reply } => Some((topics[0].to_string(), reply.len())),
        _ => None,
    };
    actions.iter().filter_map(left).collect()
}

#[test]
fn a_client_is_told_who_it_is_how_pings_come_and_what_it_follows_already() {
    let mut client = Client::new();
    assert!(client.0.awaits_authentication());
    let actions = client.send(json!({"id": 1, "connect": {"name": "js", "data": {"any": 1}}}));
    assert!(matches!(&actions[0], Action::Authenticated(identity) if identity.id == "local"));
    let connect = client.ready(false, 10);
    let result = &connect["connect"];
    assert_eq!((connect["id"].as_u64(), result["pong"].as_bool()), (Some(1), Some(true)));
    assert_eq!(result["ping"], 15);
    assert_eq!(result["client"].as_str().map(str::len), Some(32));
    assert_eq!(result.get("expires"), None, "nothing expires where nothing is asked");
    assert_eq!(
        result["subs"],
        json!({"agent.local.>": {"recoverable": true, "positioned": true, "epoch": EPOCH_TEXT, "offset": 10}})
    );
    assert!(!client.0.awaits_authentication());
}

#[test]
fn the_first_command_must_connect_and_only_the_first() {
    for text in
        ["{\"id\":1,\"subscribe\":{\"channel\":\"app.a\"}}", "{\"connect\":{}}", "{\"id\":1}", "{", ""]
    {
        assert_eq!(close_code(&Client::new().send_text(text)), 3501, "{text}");
    }
    assert_eq!(close_code(&Client::connected().send(json!({"id": 2, "connect": {}}))), 3501);
    assert_eq!(close_code(&Client::connected().send(json!({"send": {"data": 1}}))), 3508);
    assert_eq!(close_code(&Client::connected().send(json!({"subscribe": {"channel": "app.a"}}))), 3501);
    let large = "x".repeat(MESSAGE_SIZE_MAX + 1);
    assert_eq!(close_code(&Client::connected().send_text(&large)), 1009);
}

#[test]
fn a_key_that_is_not_known_ends_for_good_and_one_that_expired_is_asked_for_anew() {
    let file = std::env::temp_dir().join(format!("bywash-centrifugo-keys-{}.json", std::process::id()));
    let keys = json!({"keys": [
        {"id": "reader", "key": "a-key-that-reads-0001", "roles": ["read"]},
        {"id": "writer", "key": "a-key-that-writes-001", "roles": ["write"]},
        {"id": "old", "key": "a-key-that-is-old-001", "roles": ["read"], "expires_at": "2020-01-01T00:00:00Z"},
    ]});
    std::fs::write(&file, keys.to_string()).unwrap();
    let auth = Auth::from_file(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    let with = |connect: Value, known| {
        let mut client =
            Client(Connection::new(auth.clone(), Wire::Json, 15, known, BadInputs::unregistered()));
        let actions = client.send(json!({"id": 1, "connect": connect}));
        (client, actions)
    };
    let is_in = |actions: &[Action]| matches!(&actions[0], Action::Authenticated(who) if who.id == "reader");
    let key = "a-key-that-reads-0001";
    assert!(is_in(&with(json!({"token": key}), None).1));
    assert!(is_in(&with(json!({"headers": {"authorization": format!("Bearer {key}")}}), None).1));
    assert!(is_in(&with(json!({}), Some(auth.identify(key))).1), "the head of the upgrade said it");
    for connect in [json!({}), json!({"token": "a-key-of-nobody-00001"})] {
        assert_eq!(close_code(&with(connect, None).1), 3500);
    }
    assert_eq!(close_code(&with(json!({"token": "a-key-that-writes-001"}), None).1), 3507);

    let (mut client, actions) = with(json!({"token": "a-key-that-is-old-001"}), None);
    assert_eq!(error_code(&replies(&actions)[0]), 109);
    let sent_along = client.send(json!({"id": 2, "subscribe": {"channel": "app.a"}}));
    assert!(sent_along.is_empty() && client.0.awaits_authentication(), "the client closes by itself");

    let (mut client, _) = with(json!({"token": key}), None);
    client.ready(false, 1);
    assert_eq!(
        client.reply(json!({"id": 2, "refresh": {"token": "a-key-that-is-old-001"}}))["error"]["temporary"],
        true
    );
    let refreshed = client.reply(json!({"id": 3, "refresh": {"token": key}}));
    assert_eq!(refreshed["refresh"]["client"], client.0.client);
    let other = client.send(json!({"id": 4, "refresh": {"token": "a-key-that-writes-001"}}));
    assert_eq!(close_code(&other), 3500, "another user's");
}

#[test]
fn a_token_is_asked_for_ahead_of_its_end() {
    let mut client = Client::connected();
    let mut lasting = |left_s| {
        let mut identity = Identity::local();
        identity.expires_at = Some(SystemTime::now() + Duration::from_secs(left_s));
        client.0.identity = Some(identity);
        client.0.lifetime()
    };
    for (left_s, least, most) in [(3_600, 3_569, 3_570), (10, 7, 8), (1, 1, 1)] {
        let (expires, ttl) = lasting(left_s);
        assert!(expires && (least..=most).contains(&ttl), "{ttl} of {left_s}");
    }
}

#[test]
fn a_subscription_begins_at_the_present_or_where_the_client_left_off() {
    let mut client = Client::connected();
    let actions = client.send(json!({"id": 2, "subscribe": {"channel": "app.a"}}));
    assert_eq!(since(&actions), None);
    assert_eq!(
        client.ready(false, 500),
        json!({"id": 2, "subscribe": {"recoverable": true, "positioned": true, "epoch": EPOCH_TEXT, "offset": 500}})
    );
    let recover = json!({"channel": "app.b", "recover": true, "epoch": EPOCH_TEXT, "offset": 480});
    let actions = client.send(json!({"id": 3, "subscribe": recover}));
    assert_eq!(since(&actions).map(|place| (place.epoch, place.seq)), Some((EPOCH, 480)));
    assert_eq!(
        client.ready(true, 480)["subscribe"],
        json!({"recoverable": true, "positioned": true, "epoch": EPOCH_TEXT, "offset": 480, "recovered": true,
            "was_recovering": true})
    );
    for (id, epoch) in [(4, "00000000000000fe"), (5, "nonsense"), (6, "")] {
        let channel = format!("app.c{id}");
        let recover = json!({"channel": channel, "recover": true, "epoch": epoch, "offset": 480});
        let actions = client.send(json!({"id": id, "subscribe": recover}));
        assert_eq!(since(&actions), None, "{epoch}");
        let result = client.ready(false, 500)["subscribe"].clone();
        assert_eq!(
            (&result["was_recovering"], result.get("recovered"), &result["offset"]),
            (&json!(true), None, &json!(500))
        );
    }
}

#[test]
fn what_cannot_be_followed_has_a_code_each() {
    let mut client = Client::connected();
    for (channel, code) in
        [("nowhere", 102), (">", 102), ("kb.>", 102), ("app. a", 107), ("", 107), ("$JS.API", 102)]
    {
        let reply = client.reply(json!({"id": 2, "subscribe": {"channel": channel}}));
        assert_eq!(error_code(&reply), code, "{channel}");
    }
    client.0.identity = Some(Identity::new("ada".to_owned(), [Role::Read]));
    assert_eq!(error_code(&client.reply(json!({"id": 2, "subscribe": {"channel": "agent.bob.run"}}))), 103);
    client.subscribed("app.a");
    assert_eq!(error_code(&client.reply(json!({"id": 3, "subscribe": {"channel": "app.a"}}))), 105);
    for number in client.0.channels.count()..super::super::channels::CHANNELS_MAX {
        client.subscribed(&format!("app.n{number}"));
    }
    assert_eq!(error_code(&client.reply(json!({"id": 4, "subscribe": {"channel": "app.more"}}))), 106);
    let left = client.send(json!({"id": 5, "unsubscribe": {"channel": "app.a"}}));
    assert_eq!(unsubscribed(&left).len(), 1);
    assert_eq!(client.reply(json!({"id": 6, "unsubscribe": {"channel": "app.a"}}))["unsubscribe"], json!({}));
}

#[test]
fn a_gap_ends_the_subscription_and_the_next_one_does_not_meet_it_again() {
    let mut client = Client::connected();
    client.subscribed("app.a");
    let told = client.gap("app.a", Some(300), GapReason::Trimmed).unwrap();
    assert_eq!(
        said(&told),
        json!({"push": {"channel": "app.a", "unsubscribe": {"code": 2500, "reason": "insufficient state"}}})
    );
    assert_eq!(
        client.gap("app.a", Some(300), GapReason::Trimmed),
        Some(told),
        "it may be undone and told again"
    );

    let again = json!({"channel": "app.a", "recover": true, "epoch": EPOCH_TEXT, "offset": 200});
    let actions = client.send(json!({"id": 7, "subscribe": again}));
    assert_eq!(
        (unsubscribed(&actions), since(&actions)),
        (Vec::new(), None),
        "it goes on where the gap ends"
    );
    let result = client.ready(false, 300)["subscribe"].clone();
    assert_eq!(
        (&result["was_recovering"], result.get("recovered"), &result["offset"]),
        (&json!(true), None, &json!(300))
    );
}

#[test]
fn only_what_the_client_asked_for_ends_at_a_gap_and_what_is_not_kept_begins_at_the_present() {
    let mut client = Client::connected();
    client.subscribed("logs.>");
    let ends = |client: &Client, topic: &str| client.0.ends_at_gap(&topic.parse().unwrap());
    assert_eq!((ends(&client, "logs.>"), ends(&client, "agent.local.>")), (true, false));
    client.gap("logs.>", Some(300), GapReason::Skipped).unwrap();
    let actions = client.send(json!({"id": 7, "subscribe": {"channel": "logs.>"}}));
    assert_eq!(unsubscribed(&actions), [("logs.>".to_owned(), 0)], "the hub's old one, without a word");
}

#[test]
fn a_client_that_wants_an_error_gets_one_until_it_names_a_position_that_is_held() {
    let mut client = Client::connected();
    client.subscribed("app.a");
    client.gap("app.a", Some(300), GapReason::Trimmed).unwrap();
    let from = |offset| json!({"channel": "app.a", "recover": true, "epoch": EPOCH_TEXT, "offset": offset, "flag": 3});
    assert_eq!(error_code(&client.reply(json!({"id": 3, "subscribe": from(200)}))), 112);
    let actions = client.send(json!({"id": 4, "subscribe": from(400)}));
    assert_eq!(since(&actions).map(|place| place.seq), Some(400));
    assert_eq!(error_code(&client.ready(false, 500)), 112, "the hub found that it cannot");
    let actions = client.send(json!({"id": 5, "subscribe": from(450)}));
    assert_eq!(unsubscribed(&actions).len(), 1);
    assert_eq!(client.ready(true, 450)["subscribe"]["recovered"], true);
}

#[test]
fn a_client_that_does_not_come_back_after_a_gap_is_not_served_for_ever() {
    let mut client = Client::connected();
    client.subscribed("app.a");
    client.gap("app.a", None, GapReason::Reset).unwrap();
    let mut beat = || {
        let mut actions = Vec::new();
        client.0.beat(&mut actions);
        client.0.pinged_at = None;
        unsubscribed(&actions).len()
    };
    assert_eq!((beat(), beat(), beat()), (0, 1, 0));
}

#[test]
fn the_own_agent_events_begin_anew_after_a_gap_and_yield_to_a_subscription_of_the_client() {
    let mut client = Client::connected();
    let told = client.gap("agent.local.>", Some(40), GapReason::Trimmed).unwrap();
    let first = 2 + usize::from(told[1]);
    assert_eq!(said(&told[..first])["push"]["unsubscribe"]["code"], 2500);
    assert_eq!(said(&told[first..])["push"]["subscribe"]["offset"], 40);

    let actions = client.send(json!({"id": 2, "subscribe": {"channel": "agent.local.run1"}}));
    let Action::Unsubscribe { topics, reply } = &actions[0] else { panic!("{actions:?}") };
    assert_eq!(topics[0].as_str(), "agent.local.>");
    assert_eq!(said(reply)["push"]["unsubscribe"]["code"], 2000);

    let mut client = Client::connected();
    let actions = client.send(json!({"id": 2, "subscribe": {"channel": "agent.local.>"}}));
    assert_eq!(unsubscribed(&actions), [("agent.local.>".to_owned(), 0)], "the client takes it over");
}

#[test]
fn server_side_subscriptions_continue_too() {
    let mut client = Client::new();
    let had = json!({"agent.local.>": {"recover": true, "epoch": EPOCH_TEXT, "offset": 7}});
    client.send(json!({"id": 1, "connect": {"subs": had}}));
    let sub = client.ready(true, 7)["connect"]["subs"]["agent.local.>"].clone();
    assert_eq!(
        (&sub["recovered"], &sub["was_recovering"], &sub["offset"]),
        (&json!(true), &json!(true), &json!(7))
    );
}

#[test]
fn pings_must_be_answered_in_time() {
    let mut client = Client::connected();
    let mut actions = Vec::new();
    client.0.beat(&mut actions);
    client.0.beat(&mut actions);
    assert_eq!(replies(&actions), [json!({}), json!({})], "the second comes before the time is up");
    client.send_text("{}");
    assert_eq!(client.0.pinged_at, None);
    client.0.pinged_at = Instant::now().checked_sub(PONG_TIMEOUT);
    actions.clear();
    client.0.beat(&mut actions);
    assert_eq!(close_code(&actions), 3012);
}

#[test]
fn several_commands_of_a_frame_are_answered_in_order() {
    let mut client = Client::connected();
    let actions = client.send_text(
        "{\"id\":2,\"ping\":{}}\n{\"id\":3,\"presence\":{\"channel\":\"app.a\"}}\n{\"id\":4,\"sub_refresh\":{\"channel\":\"app.a\"}}",
    );
    let replies = replies(&actions);
    assert_eq!(replies[0], json!({"id": 2, "ping": {}}));
    assert_eq!((replies[1]["id"].as_u64(), error_code(&replies[1])), (Some(3), 108));
    assert_eq!((replies[2]["id"].as_u64(), error_code(&replies[2])), (Some(4), 103));
    client.subscribed("app.a");
    assert_eq!(client.reply(json!({"id": 5, "sub_refresh": {"channel": "app.a"}}))["sub_refresh"], json!({}));
}

#[test]
fn a_flood_of_commands_is_refused_and_one_without_ids_ends() {
    let mut client = Client::connected();
    client.0.rate = MessageRate::new(0, Instant::now());
    let refused = client.reply(json!({"id": 9, "ping": {}}));
    assert_eq!((error_code(&refused), &refused["error"]["temporary"]), (111, &json!(true)));
    assert_eq!(close_code(&client.send_text("{}")), 3013);
    assert!(client.send(json!({"id": 10, "ping": {}})).is_empty(), "after our close nothing is answered");
}

#[test]
fn the_end_is_said_with_the_protocols_code() {
    let mut client = Client::connected();
    let notice = Notice::Closing { reason: CloseReason::Draining, retry_ms: 500 };
    assert_eq!(said(&client.0.notice(&notice, None).unwrap())["closed"], 3001);
    let mut actions = Vec::new();
    client.0.beat(&mut actions);
    assert!(actions.is_empty());
}

#[test]
fn protobuf_is_spoken_the_same() {
    let mut connection = Connection::new(Auth::open(), Wire::Protobuf, 15, None, BadInputs::unregistered());
    let mut actions = Vec::new();
    // Binary, masked with zeros: {id: 1, connect: {}}.
    connection.receive(b"\x82\x85\0\0\0\0\x04\x08\x01\x22\x00", &mut actions);
    assert!(matches!(actions[0], Action::Authenticated(_)));
    let place = Position { epoch: EPOCH, seq: 1, time: TimeBits::UNKNOWN };
    let notice = Notice::Ready { topics: &[], resumed: false, correlation_id: None, place };
    let frame = connection.notice(&notice, None).unwrap();
    assert_eq!(frame[0], 0x82);
    let payload = super::super::wire::tests::payload_of(&frame);
    let reply = <Reply as prost::Message>::decode_length_delimited(payload).unwrap();
    let connect = reply.connect.unwrap();
    assert_eq!((reply.id, connect.subs["agent.local.>"].epoch.as_str()), (1, EPOCH_TEXT));
}
