//! Centrifugo's protocol through `centrifuge` (JavaScript) and `centrifuge-python`, as they are published, in JSON and
//! in Protobuf: all four do the same and must be told the same.

use bywash_tests::door::Door;
use bywash_tests::nats::Nats;
use bywash_tests::platform::{AddedFact, FACTS, Platform, set_up};
use bywash_tests::published::Published;
use bywash_tests::service::{Kind, Service};
use bywash_tests::sse::Sse;
use bywash_tests::wait::eventually;
use futures_util::future::join_all;
use serde_json::{Value, json};

/// Errors that Centrifugo's clients know.
const UNKNOWN_CHANNEL: u64 = 102;
const PERMISSION_DENIED: u64 = 103;
const METHOD_NOT_FOUND: u64 = 104;
/// Unsubscribes a client that comes back by itself.
const INSUFFICIENT_STATE: u64 = 2500;
/// Disconnects that let a client come back: `shutdown` and `force reconnect`.
const DRAIN: [u64; 2] = [3001, 3011];
/// A client's own codes: disconnected because it was asked to; connecting because no ping came.
const DISCONNECT_CALLED: u64 = 0;
const NO_PING: u64 = 2;

const SDKS: [(&str, &[&str]); 4] = [
    ("centrifuge.mjs", &[]),
    ("centrifuge.mjs", &["--protobuf"]),
    ("centrifuge_client.py", &[]),
    ("centrifuge_client.py", &["--protobuf"]),
];

#[tokio::test]
async fn every_sdk_connects_with_an_id_of_its_own_and_leaves() {
    let platform = Platform::facts_to_clients().await;
    let mut clients = connected(&platform).await;
    let mut ids = Vec::new();
    for client in &mut clients {
        ids.push(client.event("connected").await["client"].as_str().unwrap().to_owned());
        client.run("disconnect", json!({})).await;
        assert_eq!(client.event("disconnected").await["code"], DISCONNECT_CALLED);
        assert!(client.events("error").is_empty(), "{}: {:?}", client.name(), client.events("error"));
    }
    ids.sort_unstable();
    ids.dedup();
    assert!(ids.len() == SDKS.len() && ids.iter().all(|id| !id.is_empty()), "{ids:?}");
}

#[tokio::test]
async fn every_sdk_gets_a_posted_fact_with_its_revision_as_offset() {
    let platform = Platform::facts_to_clients().await;
    let clients = following(&platform).await;
    let fact = platform.add("Capital(france, paris).").await;
    for client in &clients {
        let publication = with_offset(client, fact.revision).await;
        assert_eq!(publication["channel"], FACTS);
        assert_eq!(publication["data"]["statement"], "Capital(france, paris).", "{publication}");
        let subscribed = client.event("subscribed").await;
        assert_eq!((&subscribed["recoverable"], &subscribed["positioned"]), (&json!(true), &json!(true)));
        assert_eq!(subscribed["position"]["epoch"], json!(fact.epoch), "{subscribed}");
        assert_eq!(subscribed["was_recovering"], false);
    }
}

#[tokio::test]
async fn an_ended_subscription_of_an_sdk_tells_nothing_and_a_new_one_goes_on() {
    let platform = Platform::facts_to_clients().await;
    let mut clients = following(&platform).await;
    for client in &mut clients {
        client.run("unsubscribe", json!({"channel": FACTS})).await;
        assert_eq!(client.event("unsubscribed").await["code"], 0);
    }
    let unseen = platform.add_fact().await;
    for client in &mut clients {
        client.run("subscribe", json!({"channel": "state.kb"})).await;
        let value = |line: &Value| line["event"] == "publication" && line["channel"] == "state.kb";
        client.first("the newest value of a state", value).await;
        assert!(!offsets(client).contains(&unseen.revision), "{}", client.name());
    }
}

#[tokio::test]
async fn every_sdk_recovers_all_it_missed_once_and_in_order_after_a_gateway_crashed() {
    let mut platform = Platform::facts_to_clients().await;
    let clients = following(&platform).await;
    let seen = platform.add_fact().await;
    for client in &clients {
        with_offset(client, seen.revision).await;
    }
    platform.service_mut(Kind::PushGateway).kill();
    let missed = [platform.add_fact().await, platform.add_fact().await, platform.add_fact().await];
    platform.service_mut(Kind::PushGateway).start().await;
    let live = platform.add_fact().await;
    for client in &clients {
        with_offset(client, live.revision).await;
        recovered(client);
        let mut expected = vec![seen.revision];
        expected.extend(missed.iter().map(|fact| fact.revision));
        expected.push(live.revision);
        assert_eq!(offsets(client), expected, "{}", client.name());
    }
}

#[tokio::test]
async fn every_sdk_moves_to_another_gateway_when_its_own_drains_and_misses_nothing() {
    let mut platform = Platform::facts_to_clients().await;
    let mut second = Service::new(Kind::PushGateway, &platform.nats.url());
    second.set("BYWASH_INSTANCE", "second");
    second.start().await;
    let door = Door::open(&[platform.service(Kind::PushGateway).addr()]).await;
    let clients = following_at(&endpoint(door.addr())).await;
    let seen = platform.add_fact().await;
    for client in &clients {
        with_offset(client, seen.revision).await;
    }

    door.lead_to(&[second.addr()]);
    assert!(platform.service_mut(Kind::PushGateway).terminate().await.success());
    let after = [platform.add_fact().await, platform.add_fact().await];
    for client in &clients {
        with_offset(client, after[1].revision).await;
        recovered(client);
        assert_eq!(
            offsets(client),
            [seen.revision, after[0].revision, after[1].revision],
            "{}",
            client.name()
        );
        let codes: Vec<Value> = client.events("connecting").iter().map(|line| line["code"].clone()).collect();
        let told = |code: &Value| DRAIN.iter().any(|drain| code == drain);
        assert!(codes.len() == 2 && told(&codes[1]), "{}: once, with the reason: {codes:?}", client.name());
    }
}

#[tokio::test]
async fn an_sdk_with_a_position_of_another_stream_is_told_that_nothing_was_recovered() {
    let platform = Platform::facts_to_clients().await;
    let fact = platform.add_fact().await;
    published(&platform, &fact).await;
    let here = json!({"offset": fact.revision, "epoch": fact.epoch});
    let mut clients = connected(&platform).await;
    for client in &mut clients {
        let states = json!([{"offset": 1, "epoch": "another"}, here]);
        client.run("subscribe", json!({"channel": FACTS, "recoverable": true, "states": states})).await;
    }
    for client in &clients {
        // An SDK that is given a position asks for error 112 in that case; it then asks its page for a newer one.
        let subscribed = client.event("subscribed").await;
        let asked = client.events("state_asked").len();
        let told_at_once = subscribed["was_recovering"] == true && subscribed["recovered"] == false;
        assert!(asked == 2 || told_at_once, "{}: asked {asked} times, then {subscribed}", client.name());
    }
    let live = platform.add_fact().await;
    for client in &clients {
        with_offset(client, live.revision).await;
        assert_eq!(offsets(client), [live.revision], "{}", client.name());
    }
}

#[tokio::test]
async fn every_sdk_is_told_when_its_stream_was_lost_and_goes_on_with_the_new_one() {
    let mut platform = Platform::facts_to_clients().await;
    let clients = following(&platform).await;
    let before = platform.add_fact().await;
    for client in &clients {
        with_offset(client, before.revision).await;
    }
    lose_everything(&mut platform.nats).await;
    let after = eventually("a new epoch", || async {
        let fact = platform.add_fact().await;
        if fact.epoch == before.epoch { Err(format!("{fact:?}")) } else { Ok(fact) }
    })
    .await;
    for client in &clients {
        let reset = |line: &Value| line["event"] == "subscribing" && line["code"] == INSUFFICIENT_STATE;
        client.first("an unsubscribe with code 2500", reset).await;
        let back = |line: &Value| line["event"] == "subscribed" && line["was_recovering"] == true;
        let subscribed = client.first("the subscription again", back).await;
        assert_eq!(subscribed["recovered"], false, "{}: {subscribed}", client.name());
        assert_eq!(subscribed["position"]["epoch"], json!(after.epoch), "{}: {subscribed}", client.name());
    }
    let live = platform.add_fact().await;
    for client in &clients {
        with_offset(client, live.revision).await;
    }
}

#[tokio::test]
async fn every_sdk_reads_history_from_the_start_from_a_position_and_from_the_end() {
    let platform = Platform::facts_to_clients().await;
    let mut facts = Vec::new();
    for _ in 0..5 {
        facts.push(platform.add_fact().await);
    }
    published(&platform, &facts[4]).await;
    let revisions: Vec<u64> = facts.iter().map(|fact| fact.revision).collect();
    let since = json!({"offset": revisions[1], "epoch": facts[1].epoch});
    for client in &mut connected(&platform).await {
        let found = client.run("history", json!({"channel": FACTS, "limit": 3})).await;
        assert_eq!(history_offsets(&found), revisions[..3], "{}: the oldest first", client.name());
        assert_eq!((&found["offset"], &found["epoch"]), (&json!(revisions[4]), &json!(facts[4].epoch)));
        assert_eq!(found["publications"][0]["data"]["statement"], json!(facts[0].statement), "{found}");

        let after = json!({"channel": FACTS, "limit": 2, "since": since});
        assert_eq!(
            history_offsets(&client.run("history", after).await),
            revisions[2..4],
            "{}",
            client.name()
        );
        let newest = json!({"channel": FACTS, "limit": 2, "reverse": true});
        let newest = history_offsets(&client.run("history", newest).await);
        assert_eq!(newest, [revisions[4], revisions[3]], "{}: the newest first", client.name());
        let position = client.run("history", json!({"channel": FACTS})).await;
        assert!(history_offsets(&position).is_empty(), "{}: no limit, only the position", client.name());
        assert_eq!(position["offset"], json!(revisions[4]));
    }
}

#[tokio::test]
async fn every_sdk_counts_who_follows_a_channel() {
    let platform = Platform::facts_to_clients().await;
    let mut clients = following(&platform).await;
    for client in &mut clients {
        let counted = client.run("presence_stats", json!({"channel": FACTS})).await;
        assert_eq!(counted, json!({"clients": SDKS.len(), "users": 1}), "{}", client.name());
    }
}

#[tokio::test]
async fn every_sdk_asks_for_status_searches_and_walks_and_an_unknown_method_is_refused() {
    let platform = Platform::facts_to_clients().await;
    let fact = platform.add("Capital(norway, oslo).").await;
    let path = format!("/api/facts/stats?min_revision={}", fact.revision);
    platform.get(Kind::KnowledgeBase, &path).await;
    for client in &mut connected(&platform).await {
        let status = client.run("rpc", json!({"method": "get_status", "data": {}})).await;
        assert!(status["knowledge_base"].is_object(), "{}: {status}", client.name());
        let found = client.run("rpc", json!({"method": "search", "data": {"query": "oslo"}})).await;
        assert!(found.to_string().contains("Capital(norway, oslo)."), "{}: {found}", client.name());
        let start = json!({"start_vertex": "oslo", "direction": "inbound"});
        let walked = client.run("rpc", json!({"method": "traverse", "data": start})).await;
        assert_eq!(walked["items"][1]["node"]["key"], "norway", "{}: {walked}", client.name());
        let refused = client.refused("rpc", json!({"method": "dance", "data": {}})).await;
        assert_eq!(refused["code"], METHOD_NOT_FOUND, "{}: {refused}", client.name());
    }
}

#[tokio::test]
async fn what_an_sdk_publishes_reaches_every_follower_as_it_is() {
    let platform = Platform::facts_to_clients().await;
    let mut clients = connected(&platform).await;
    for client in &mut clients {
        client.run("subscribe", json!({"channel": "app.room"})).await;
    }
    for client in &clients {
        client.event("subscribed").await;
    }
    for (from, client) in clients.iter_mut().enumerate() {
        client.run("publish", json!({"channel": "app.room", "data": {"from": from, "text": "grüße"}})).await;
    }
    for client in &clients {
        let last = |line: &Value| line["event"] == "publication" && line["data"]["from"] == SDKS.len() - 1;
        client.first("the last message", last).await;
        let texts: Vec<Value> =
            client.events("publication").into_iter().map(|publication| publication["data"].clone()).collect();
        let expected: Vec<Value> =
            (0..SDKS.len()).map(|from| json!({"from": from, "text": "grüße"})).collect();
        assert_eq!(texts, expected, "{}", client.name());
        let offsets = offsets_of(client, "app.room");
        assert!(offsets.len() == SDKS.len() && offsets.is_sorted_by(|a, b| a < b), "{offsets:?} rise");
    }
}

#[tokio::test]
async fn an_sdk_may_publish_nowhere_but_below_app() {
    let platform = Platform::facts_to_clients().await;
    for client in &mut connected(&platform).await {
        for channel in [FACTS, "state.kb", "governor.decisions"] {
            let refused = client.refused("publish", json!({"channel": channel, "data": {}})).await;
            assert_eq!(refused["code"], PERMISSION_DENIED, "{}: {channel}: {refused}", client.name());
        }
        for channel in ["app.>", "app.*", "app.", "app"] {
            client.refused("publish", json!({"channel": channel, "data": {}})).await;
        }
    }
}

#[tokio::test]
async fn a_channel_that_there_is_not_is_refused_for_good_and_the_connection_stays() {
    let platform = Platform::facts_to_clients().await;
    let mut clients = connected(&platform).await;
    for client in &mut clients {
        client.run("subscribe", json!({"channel": "nothing.at.all"})).await;
        let refused = client.event("unsubscribed").await;
        assert_eq!(refused["code"], UNKNOWN_CHANNEL, "{}: {refused}", client.name());
        for channel in [">", "kb.>", "$JS.API.>", "kb..facts"] {
            client.run("subscribe", json!({"channel": channel})).await;
            let wanted = |line: &Value| line["event"] == "unsubscribed" && line["channel"] == channel;
            client.first(&format!("the refusal of {channel}"), wanted).await;
        }
        client.run("rpc", json!({"method": "get_status", "data": {}})).await;
        assert!(client.events("disconnected").is_empty(), "{}", client.name());
    }
}

#[tokio::test]
async fn every_sdk_is_told_what_the_agents_of_its_user_do_without_subscribing() {
    let platform = Platform::facts_to_clients().await;
    let clients = connected(&platform).await;
    for client in &clients {
        assert_eq!(client.event("server_subscribed").await["channel"], "agent.local.>", "{}", client.name());
    }
    let jetstream = async_nats::jetstream::new(platform.nats.client().await);
    jetstream.publish("agent.local.run1", r#"{"step":1}"#.into()).await.unwrap().await.unwrap();
    for client in &clients {
        let publication = client.event("server_publication").await;
        assert_eq!(publication["channel"], "agent.local.>", "{publication}");
        assert_eq!(publication["tags"]["topic"], "agent.local.run1", "{publication}");
        assert_eq!(publication["data"], json!({"step": 1}));
    }
}

#[tokio::test]
async fn pings_keep_an_sdk_connected_and_their_absence_makes_it_connect_anew() {
    let platform = Platform::builder()
        .with(Kind::KnowledgeBase)
        .with(Kind::PushGateway)
        .set(Kind::PushGateway, "BYWASH_CHECKPOINT_INTERVAL_S", "1")
        .start()
        .await;
    let url = endpoint(platform.service(Kind::PushGateway).addr());
    let clients = connected_at(&url, json!({"max_ping_delay_ms": 1_000})).await;
    // A clock that the gateway keeps: an SDK that hears no ping gives up after two of its ticks.
    let clock = Sse::open(&platform.stream_url("topics=kb.facts")).await;
    clock
        .events
        .wait("five checkpoints", |all| {
            (all.iter().filter(|e| e.is_named("checkpoint")).count() >= 5).then_some(())
        })
        .await;
    for client in &clients {
        assert_eq!(client.events("connecting").len(), 1, "{}: {:?}", client.name(), client.lines.all());
    }
    platform.service(Kind::PushGateway).process().freeze();
    for client in &clients {
        let silent = |line: &Value| line["event"] == "connecting" && line["code"] == NO_PING;
        client.first("that no ping came", silent).await;
    }
    platform.service(Kind::PushGateway).process().thaw();
    for client in &clients {
        client
            .lines
            .wait("the second connection", |all| {
                (all.iter().filter(|line| line["event"] == "connected").count() == 2).then_some(())
            })
            .await;
    }
}

/// All SDKs, connected to the platform's gateway.
pub(crate) async fn connected(platform: &Platform) -> Vec<Published> {
    connected_at(&endpoint(platform.service(Kind::PushGateway).addr()), json!({})).await
}

/// All SDKs, connected with these options.
pub(crate) async fn connected_at(url: &str, options: Value) -> Vec<Published> {
    let clients = SDKS.map(|(driver, arguments)| {
        let options = options.clone();
        async move {
            let mut client = Published::start(driver, url, arguments);
            client.run("connect", options).await;
            client.event("connected").await;
            client
        }
    });
    join_all(clients).await
}

/// All SDKs, following the facts with recovery.
async fn following(platform: &Platform) -> Vec<Published> {
    following_at(&endpoint(platform.service(Kind::PushGateway).addr())).await
}

async fn following_at(url: &str) -> Vec<Published> {
    let mut clients = connected_at(url, json!({})).await;
    for client in &mut clients {
        follow(client).await;
    }
    clients
}

/// Follows the facts with recovery.
pub(crate) async fn follow(client: &mut Published) {
    client.run("subscribe", json!({"channel": FACTS, "recoverable": true, "positioned": true})).await;
    client.event("subscribed").await;
}

/// Where the SDKs connect.
pub(crate) fn endpoint(addr: std::net::SocketAddr) -> String {
    format!("ws://{addr}/connection/websocket")
}

/// The fact with this offset.
pub(crate) async fn with_offset(client: &Published, offset: u64) -> Value {
    let wanted =
        |line: &Value| line["event"] == "publication" && line["channel"] == FACTS && line["offset"] == offset;
    client.first(&format!("the fact with offset {offset}"), wanted).await
}

/// The offsets of all facts so far.
fn offsets(client: &Published) -> Vec<u64> {
    offsets_of(client, FACTS)
}

fn offsets_of(client: &Published, channel: &str) -> Vec<u64> {
    let publications = client.events("publication").into_iter().filter(|line| line["channel"] == channel);
    publications.filter_map(|publication| publication["offset"].as_u64()).collect()
}

fn history_offsets(found: &Value) -> Vec<u64> {
    let publications = found["publications"].as_array().unwrap_or_else(|| panic!("no publications: {found}"));
    publications.iter().filter_map(|publication| publication["offset"].as_u64()).collect()
}

/// Insists that the newest subscription recovered all.
fn recovered(client: &Published) {
    let subscriptions = client.events("subscribed");
    let newest = subscriptions.last().unwrap();
    assert!(subscriptions.len() > 1, "{}: it subscribed again: {subscriptions:?}", client.name());
    let told = (&newest["was_recovering"], &newest["recovered"]);
    assert_eq!(told, (&json!(true), &json!(true)), "{}: {newest}", client.name());
}

/// Waits until the gateway has this fact.
async fn published(platform: &Platform, fact: &AddedFact) {
    let since = format!("topics=kb.facts&since=kb:{}:{}", fact.epoch, fact.revision - 1);
    Sse::open(&platform.stream_url(&since)).await.with_sequence(FACTS, fact.revision).await;
}

/// NATS comes back with nothing.
async fn lose_everything(nats: &mut Nats) {
    nats.kill();
    nats.wipe();
    nats.restart().await;
    set_up(nats).await;
}
