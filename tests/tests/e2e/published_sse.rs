//! The event stream through `eventsource`, the EventSource of browsers for Node, as it is published.

use bywash_tests::platform::{FACTS, Platform};
use bywash_tests::published::Published;
use bywash_tests::service::Kind;
use serde_json::{Value, json};

const QUERY: &str = "topics=kb.facts";

#[tokio::test]
async fn the_published_event_source_gets_ready_then_data_without_a_name_then_checkpoints() {
    let platform = Platform::builder()
        .with(Kind::KnowledgeBase)
        .with(Kind::PushGateway)
        .set(Kind::PushGateway, "BYWASH_CHECKPOINT_INTERVAL_S", "1")
        .start()
        .await;
    let source = opened(&platform, &[]).await;
    let ready = source.event("ready").await;
    assert_eq!(ready["data"], json!({"topics": [FACTS], "resumed": false}));

    let fact = platform.add("Capital(france, paris).").await;
    let message = source.event("message").await;
    assert_eq!(message["data"]["topic"], FACTS);
    assert_eq!(message["data"]["type"], "fact_added");
    assert_eq!(message["data"]["seq"], json!(fact.revision));
    assert_eq!(message["data"]["data"]["statement"], "Capital(france, paris).");
    let mark = source.mark();
    let checkpoint = source.first_since(mark, "a checkpoint", |line| line["event"] == "checkpoint").await;
    assert!(checkpoint["id"].as_str().is_some_and(|id| !id.is_empty()), "it carries a token: {checkpoint}");
}

#[tokio::test]
async fn the_published_event_source_gets_named_events_by_their_names() {
    let platform = Platform::facts_to_clients().await;
    let mut source = Published::start(
        "eventsource.mjs",
        &platform.stream_url("topics=kb.facts,state.kb&named=1"),
        &["fact_added", "kb_update"],
    );
    source.run("open", json!({})).await;
    let end = source.event("snapshot_end").await;
    assert_eq!(end["data"]["topic"], "state.kb");
    let fact = platform.add_fact().await;
    let event = source.event("fact_added").await;
    assert_eq!(event["data"]["seq"], json!(fact.revision));
}

#[tokio::test]
async fn the_published_event_source_comes_back_by_itself_after_a_crash_and_misses_nothing() {
    let mut platform = Platform::facts_to_clients().await;
    let source = opened(&platform, &[]).await;
    source.event("ready").await;
    let seen = platform.add_fact().await;
    let last = sequence(&source, seen.revision).await;

    platform.service_mut(Kind::PushGateway).kill();
    source.event("error").await;
    let missed = [platform.add_fact().await, platform.add_fact().await, platform.add_fact().await];
    platform.service_mut(Kind::PushGateway).start().await;
    let live = platform.add_fact().await;
    sequence(&source, live.revision).await;

    let mut expected = vec![seen.revision];
    expected.extend(missed.iter().map(|fact| fact.revision));
    expected.push(live.revision);
    assert_eq!(sequences(&source), expected, "each once and in order");
    let requests = source.events("request");
    assert_eq!(requests[0]["last_event_id"], Value::Null);
    assert_eq!(requests.last().unwrap()["last_event_id"], last["id"], "it says what it had");
    let readies = source.events("ready");
    assert_eq!(readies.last().unwrap()["data"]["resumed"], true, "{readies:?}");
    assert!(source.events("gap").is_empty(), "nothing was lost");
}

#[tokio::test]
async fn the_published_event_source_is_told_when_the_gateway_drains_and_resumes() {
    let mut platform = Platform::facts_to_clients().await;
    let source = opened(&platform, &[]).await;
    source.event("ready").await;
    let seen = platform.add_fact().await;
    sequence(&source, seen.revision).await;

    assert!(platform.service_mut(Kind::PushGateway).terminate().await.success());
    source.event("closing").await;
    let missed = platform.add_fact().await;
    platform.service_mut(Kind::PushGateway).start().await;
    sequence(&source, missed.revision).await;
    assert_eq!(sequences(&source), [seen.revision, missed.revision]);
    assert!(source.events("error").iter().all(|error| error["for_ever"] == false), "it never gave up");
}

#[tokio::test]
async fn the_published_event_source_waits_for_a_place_and_gets_it_when_one_is_free() {
    let platform = Platform::builder()
        .with(Kind::PushGateway)
        .set(Kind::PushGateway, "BYWASH_MAX_CONNECTIONS", "1")
        .start()
        .await;
    let mut holder = opened(&platform, &[]).await;
    holder.event("ready").await;
    let waiting = opened(&platform, &[]).await;
    let refused = waiting.event("error").await;
    assert_eq!(refused["for_ever"], false, "{refused}");
    holder.run("close", json!({})).await;
    waiting.event("ready").await;
}

/// An EventSource that follows the facts; `names` are those of further events to tell.
async fn opened(platform: &Platform, names: &[&str]) -> Published {
    let mut source = Published::start("eventsource.mjs", &platform.stream_url(QUERY), names);
    source.run("open", json!({})).await;
    source
}

/// The message with this sequence.
async fn sequence(source: &Published, sequence: u64) -> Value {
    let wanted = |line: &Value| line["event"] == "message" && line["data"]["seq"] == json!(sequence);
    source.first(&format!("the fact of revision {sequence}"), wanted).await
}

/// The sequences of all messages so far.
fn sequences(source: &Published) -> Vec<u64> {
    source.events("message").iter().filter_map(|message| message["data"]["seq"].as_u64()).collect()
}
