//! Event streams over SSE: what is posted arrives, in order, and a client that was away misses nothing.

use bywash_tests::platform::{FACTS, Platform};
use bywash_tests::service::Kind;
use bywash_tests::sse::Sse;
use bywash_tests::ws::Ws;
use serde_json::json;

const FACTS_QUERY: &str = "topics=kb.facts";

#[tokio::test]
async fn a_posted_fact_arrives_on_sse_and_on_ws_with_the_same_revision() {
    let platform = Platform::facts_to_clients().await;
    let sse = Sse::open(&platform.stream_url(FACTS_QUERY)).await;
    sse.named("ready").await;
    let mut ws = Ws::open(platform.service(Kind::PushGateway).addr()).await;
    ws.send("subscribe", json!({"topics": [FACTS]})).await;
    ws.of_type("subscribed").await;

    let fact = platform.add("Capital(france, paris).").await;

    let event = sse.with_sequence(FACTS, fact.revision).await;
    assert_eq!(event.data["type"], "fact_added");
    assert_eq!(event.data["data"]["statement"], "Capital(france, paris).");
    assert_eq!(event.data["data"]["revision"], json!(fact.revision));
    assert!(event.id.is_some(), "a data event carries a resume token: {event:?}");
    let message = ws.of_type("fact_added").await;
    assert_eq!(message["topic"], FACTS);
    assert_eq!(message["seq"], json!(fact.revision));
    assert_eq!(message["payload"], event.data["data"], "both protocols carry the same data");
    assert_eq!(message["token"].as_str(), event.id.as_deref(), "the resume token is the same on both");
}

#[tokio::test]
async fn a_stream_answers_with_the_headers_that_keep_proxies_from_holding_it_back() {
    let platform = Platform::facts_to_clients().await;
    let sse = Sse::open(&platform.stream_url("")).await;
    let header = |name: &str| sse.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("none");
    assert!(header("content-type").starts_with("text/event-stream"), "{:?}", sse.headers);
    assert_eq!(header("cache-control"), "no-cache, no-transform");
    assert_eq!(header("x-accel-buffering"), "no");
    let ready = sse.named("ready").await;
    assert_eq!(
        ready.data["topics"],
        json!(["kb.facts", "governor.decisions", "state.>"]),
        "the default topics"
    );
    assert_eq!(ready.data["resumed"], false);
}

#[tokio::test]
async fn a_client_that_comes_back_gets_exactly_what_it_missed() {
    let platform = Platform::facts_to_clients().await;
    let url = platform.stream_url(FACTS_QUERY);
    let first = Sse::open(&url).await;
    first.named("ready").await;
    let seen = platform.add_fact().await;
    first.with_sequence(FACTS, seen.revision).await;
    let token = first.token();
    drop(first);
    let missed = [platform.add_fact().await, platform.add_fact().await, platform.add_fact().await];

    let second = Sse::resume(&url, &token).await;
    assert_eq!(second.named("ready").await.data["resumed"], true);
    let live = platform.add_fact().await;
    second.with_sequence(FACTS, live.revision).await;
    let mut expected: Vec<u64> = missed.iter().map(|fact| fact.revision).collect();
    expected.push(live.revision);
    assert_eq!(second.sequences(FACTS), expected, "what was missed, once and in order, then what is new");

    let by_query = Sse::open(&format!("{url}&last_event_id={token}")).await;
    by_query.with_sequence(FACTS, live.revision).await;
    assert_eq!(by_query.sequences(FACTS), expected, "the query does what the header does");
}

#[tokio::test]
async fn a_client_resumes_after_the_gateway_was_restarted() {
    let mut platform = Platform::facts_to_clients().await;
    let url = platform.stream_url(FACTS_QUERY);
    let first = Sse::open(&url).await;
    first.named("ready").await;
    let seen = platform.add_fact().await;
    first.with_sequence(FACTS, seen.revision).await;
    let token = first.token();

    platform.service_mut(Kind::PushGateway).kill();
    first.closed().await;
    let missed = [platform.add_fact().await, platform.add_fact().await];
    platform.service_mut(Kind::PushGateway).start().await;

    let second = Sse::resume(&url, &token).await;
    let live = platform.add_fact().await;
    second.with_sequence(FACTS, live.revision).await;
    assert_eq!(second.sequences(FACTS), [missed[0].revision, missed[1].revision, live.revision]);
    assert!(!second.events.all().iter().any(|event| event.is_named("gap")), "nothing was lost");
}

#[tokio::test]
async fn since_continues_from_the_revision_of_a_snapshot() {
    let platform = Platform::facts_to_clients().await;
    platform.add_fact().await;
    let (_, snapshot) = platform.get(Kind::KnowledgeBase, "/api/facts/count").await;
    let (epoch, revision) = (snapshot["epoch"].as_str().unwrap(), snapshot["revision"].as_u64().unwrap());
    let after = [platform.add_fact().await.revision, platform.add_fact().await.revision];

    let sse = Sse::open(&platform.stream_url(&format!("{FACTS_QUERY}&since=kb:{epoch}:{revision}"))).await;
    sse.with_sequence(FACTS, after[1]).await;
    assert_eq!(sse.sequences(FACTS), after, "everything after the snapshot and nothing of it");
}

#[tokio::test]
async fn a_stream_tells_ready_then_each_snapshot_then_checkpoints() {
    let platform = Platform::builder()
        .with(Kind::KnowledgeBase)
        .with(Kind::PushGateway)
        .set(Kind::PushGateway, "BYWASH_CHECKPOINT_INTERVAL_S", "1")
        .start()
        .await;
    let (epoch_seen, state) = {
        // The knowledge base tells its state by itself; the snapshot can hold it only then.
        let early = Sse::open(&platform.stream_url("topics=state.kb")).await;
        let state =
            early.events.first("the state of the knowledge base", |event| event.is_of("state.kb")).await;
        (state.data["data"]["epoch"].clone(), state)
    };
    assert_eq!(state.data["type"], "kb_state");
    assert_eq!(epoch_seen, platform.add_fact().await.epoch);

    let sse = Sse::open(&platform.stream_url("topics=kb.facts,state.kb")).await;
    let end = sse.named("snapshot_end").await;
    assert_eq!(end.data["topic"], "state.kb");
    assert_eq!(end.data["keys"], json!(["state.kb"]));
    let checkpoint = sse.named("checkpoint").await;
    assert!(checkpoint.id.is_some(), "a checkpoint refreshes the resume token: {checkpoint:?}");
    let events = sse.events.all();
    let position = |name: &str| events.iter().position(|event| event.is_named(name));
    let value = events.iter().position(|event| event.is_of("state.kb"));
    assert_eq!(position("ready"), Some(0), "{events:#?}");
    assert!(value.is_some() && value < position("snapshot_end"), "the value, then its end: {events:#?}");
}

#[tokio::test]
async fn named_events_carry_the_names_that_older_clients_know() {
    let platform = Platform::facts_to_clients().await;
    let sse = Sse::open(&platform.stream_url("topics=kb.facts&named=1")).await;
    sse.named("ready").await;
    let fact = platform.add_fact().await;
    let event = sse.named("fact_added").await;
    assert_eq!(event.data["seq"], json!(fact.revision));
}

#[tokio::test]
async fn a_gateway_that_drains_tells_its_clients_and_they_resume_elsewhere() {
    let mut platform = Platform::facts_to_clients().await;
    let url = platform.stream_url(FACTS_QUERY);
    let sse = Sse::open(&url).await;
    sse.named("ready").await;
    let seen = platform.add_fact().await;
    sse.with_sequence(FACTS, seen.revision).await;
    let token = sse.token();

    assert!(platform.service_mut(Kind::PushGateway).terminate().await.success());
    sse.named("closing").await;
    sse.closed().await;
    let missed = platform.add_fact().await;
    platform.service_mut(Kind::PushGateway).start().await;
    let second = Sse::resume(&url, &token).await;
    second.with_sequence(FACTS, missed.revision).await;
    assert_eq!(second.sequences(FACTS), [missed.revision]);
}

#[tokio::test]
async fn log_records_are_followed_as_they_come_and_a_state_key_that_ends_is_told() {
    let platform = Platform::facts_to_clients().await;
    let sse = Sse::open(&platform.stream_url("topics=logs.%3E,state.%3E")).await;
    sse.named("ready").await;
    let jetstream = async_nats::jetstream::new(platform.nats.client().await);
    let record = r#"{"message":"a record"}"#;
    jetstream.publish("logs.test.warn", record.into()).await.unwrap().await.unwrap();
    let told = sse.events.first("the record", |event| event.is_of("logs.test.warn")).await;
    assert_eq!(told.data["data"]["message"], "a record");

    let mut lives_a_second = async_nats::HeaderMap::new();
    lives_a_second.insert("Nats-TTL", "1s");
    let state = r#"{"value":7}"#;
    jetstream.publish_with_headers("state.test", lives_a_second, state.into()).await.unwrap().await.unwrap();
    let begun = sse.events.first("the key", |event| event.is_of("state.test")).await;
    assert_eq!(begun.data["data"]["value"], 7);
    let ended =
        |event: &bywash_tests::sse::SseEvent| event.is_of("state.test") && event.data["type"] == "removed";
    let ended = sse.events.first("the key's end", ended).await;
    assert!(ended.data["data"].is_null(), "{ended:?}");
}

#[tokio::test]
async fn a_state_topic_with_an_interval_of_its_own_is_told_by_that_and_holds_no_other_back() {
    let platform = Platform::builder()
        .with(Kind::PushGateway)
        .set(Kind::PushGateway, "BYWASH_MIN_INTERVALS", "state.test.rare=60000,state.test.some=250")
        .start()
        .await;
    let sse = Sse::open(&platform.stream_url("topics=state.test.%3E")).await;
    sse.named("snapshot_end").await;
    let jetstream = async_nats::jetstream::new(platform.nats.client().await);
    let [rare, some, other] = ["state.test.rare", "state.test.some", "state.test.other"];
    let publish = async |topic: &'static str| {
        jetstream.publish(topic, "{}".into()).await.unwrap().await.unwrap().sequence
    };
    let first = publish(rare).await;
    sse.with_sequence(rare, first).await;
    publish(rare).await;
    publish(some).await;
    let last = [(some, publish(some).await), (other, publish(other).await)];
    for (topic, sequence) in last {
        sse.with_sequence(topic, sequence).await;
    }
    assert_eq!(sse.sequences(rare), [first], "its second value waits for the end of the minute");

    let late = Sse::open(&platform.stream_url("topics=state.test.%3E")).await;
    late.named("snapshot_end").await;
    assert_eq!(late.sequences(rare), [first], "the same for those who come meanwhile");
}

#[tokio::test]
async fn a_snapshot_that_is_newer_than_the_gateway_continues_without_a_reset() {
    let platform = Platform::facts_to_clients().await;
    let witness = Sse::open(&platform.stream_url(FACTS_QUERY)).await;
    witness.named("ready").await;
    let seen = platform.add_fact().await;
    witness.with_sequence(FACTS, seen.revision).await;

    // The store answers at once; what it tells goes through NATS, which stands still.
    platform.nats.process().freeze();
    let snapshot = platform.add_fact().await;
    let since = format!("{FACTS_QUERY}&since=kb:{}:{}", snapshot.epoch, snapshot.revision);
    let sse = Sse::open(&platform.stream_url(&since)).await;
    let ready = sse.named("ready").await;
    platform.nats.process().thaw();
    let next = platform.add_fact().await;
    sse.with_sequence(FACTS, next.revision).await;
    assert_eq!(sse.sequences(FACTS), [next.revision], "what the snapshot had is not told again");
    assert!(!sse.events.all().iter().any(|event| event.is_named("gap")), "{:#?}", sse.events.all());
    assert_eq!(ready.data["resumed"], true);
}
