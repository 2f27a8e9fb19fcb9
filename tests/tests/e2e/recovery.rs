//! What survives what: a knowledge base that dies at each fail point, NATS killed, emptied and set back, an older
//! store. Every change arrives once and in order, or a new epoch tells that it cannot.

use std::collections::BTreeMap;

use bywash_tests::platform::{AddedFact, FACTS, Platform, answer, unique_statement};
use bywash_tests::scratch::{Scratch, copy_folder};
use bywash_tests::service::Kind;
use bywash_tests::sse::{Sse, SseEvent};
use bywash_tests::wait::eventually;
use serde_json::{Value, json};

const FAIL_POINT: &str = "BYWASH_FAIL_POINT";

/// Changes posted at once before and after the death of the process.
const WRITES: usize = 8;
/// Changes after which the fail point must have been reached.
const WRITES_MAX: usize = 400;

/// Every fact event of the stream `KB`: sequence -> statement, read from NATS itself.
async fn on_the_stream(platform: &Platform) -> Result<BTreeMap<u64, String>, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let jetstream = async_nats::jetstream::new(platform.nats.client().await);
    let stream = jetstream.get_stream("KB").await.map_err(|error| text(&error))?;
    let state = stream.get_info().await.map_err(|error| text(&error))?.state;
    let mut seen = BTreeMap::new();
    for sequence in state.first_sequence..=state.last_sequence {
        let message = stream.get_raw_message(sequence).await.map_err(|error| text(&error))?;
        let body: Value = serde_json::from_slice(&message.payload).map_err(|error| text(&error))?;
        assert_eq!(body["revision"], json!(sequence), "stream sequence = revision");
        seen.insert(sequence, body["statement"].as_str().unwrap_or_default().to_owned());
    }
    Ok(seen)
}

/// Waits until the stream holds exactly the facts of the knowledge base, one message each.
async fn stream_agrees(platform: &Platform) -> BTreeMap<u64, String> {
    eventually("the stream holds every committed fact once", || async {
        let (_, body) = platform.get(Kind::KnowledgeBase, "/api/facts?limit=1000").await;
        let facts = body["facts"].as_array().cloned().unwrap_or_default();
        let committed: BTreeMap<u64, String> = facts
            .iter()
            .map(|fact| {
                (fact["changed_in"].as_u64().unwrap(), fact["statement"].as_str().unwrap().to_owned())
            })
            .collect();
        let published = on_the_stream(platform).await?;
        if published == committed {
            Ok(published)
        } else {
            Err(format!("{published:?} published, {committed:?} committed"))
        }
    })
    .await
}

/// Posts facts at once and gives those that were acknowledged; the process may die meanwhile.
async fn post_at_once(platform: &Platform) -> Vec<AddedFact> {
    let url = platform.url(Kind::KnowledgeBase, "/api/facts");
    let post = |statement: String| {
        let request = platform.http.post(&url).json(&json!({"statement": statement}));
        tokio::spawn(async move {
            let response = request.send().await.ok()?;
            response.status().is_success().then_some(())?;
            Some(AddedFact::of(&response.json().await.ok()?))
        })
    };
    let posts: Vec<_> = (0..WRITES).map(|_| post(unique_statement())).collect();
    let mut acknowledged = Vec::new();
    for post in posts {
        acknowledged.extend(post.await.unwrap());
    }
    acknowledged
}

/// The knowledge base dies at `fail_point`; after a restart every acknowledged change is there once, in order.
async fn dies_at(fail_point: &str) {
    let mut platform = Platform::facts_to_clients().await;
    let sse = Sse::open(&platform.stream_url("topics=kb.facts")).await;
    sse.named("ready").await;
    let before = platform.add_fact().await;
    sse.with_sequence(FACTS, before.revision).await;

    let service = platform.service_mut(Kind::KnowledgeBase);
    assert!(service.terminate().await.success());
    service.set(FAIL_POINT, fail_point);
    // A fail point of the relay may be reached as soon as there is something to publish, so it is ready before that.
    service.start().await;
    let mut acknowledged = vec![before];
    let service = loop {
        acknowledged.extend(post_at_once(&platform).await);
        let service = platform.service_mut(Kind::KnowledgeBase);
        // A point between two rows needs two that wait at the same time, which a quick relay seldom has.
        if service.process_mut().try_status().is_some() || acknowledged.len() > WRITES_MAX {
            break service;
        }
    };
    let status = service.process_mut().ended().await;
    assert!(!status.success(), "the process died: {status}");
    let output = service.process().output();
    assert!(
        output.contains("fail point") && output.contains("reached"),
        "it died at the fail point: {output}"
    );
    service.unset(FAIL_POINT);
    service.start().await;
    acknowledged.extend(post_at_once(&platform).await);

    let published = stream_agrees(&platform).await;
    let last = *published.keys().last().unwrap();
    assert_eq!(published.keys().copied().collect::<Vec<_>>(), (1..=last).collect::<Vec<_>>(), "no hole");
    for fact in &acknowledged {
        assert_eq!(
            published.get(&fact.revision),
            Some(&fact.statement),
            "an acknowledged change is published"
        );
    }
    sse.with_sequence(FACTS, last).await;
    assert_eq!(sse.sequences(FACTS), (1..=last).collect::<Vec<_>>(), "a client sees each once, in order");
    let epochs: Vec<&str> = acknowledged.iter().map(|fact| fact.epoch.as_str()).collect();
    assert!(
        epochs.iter().all(|epoch| *epoch == epochs[0]),
        "nothing was lost, so the epoch stays: {epochs:?}"
    );
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_when_the_relay_dies_before_it_publishes() {
    dies_at("relay_before_publish").await;
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_when_the_relay_dies_before_it_sees_the_acknowledgement() {
    dies_at("relay_published_no_ack").await;
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_when_the_relay_dies_between_two_rows() {
    dies_at("relay_between_rows").await;
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_the_store_dies_in_the_middle_of_a_commit() {
    dies_at("store_mid_commit").await;
}

#[tokio::test]
async fn writes_go_on_while_nats_is_dead_and_all_arrive_when_it_is_back() {
    let mut platform = Platform::facts_to_clients().await;
    let sse = Sse::open(&platform.stream_url("topics=kb.facts")).await;
    sse.named("ready").await;
    let before = platform.add_fact().await;
    sse.with_sequence(FACTS, before.revision).await;

    platform.nats.kill();
    let meanwhile = [platform.add_fact().await, platform.add_fact().await];
    assert_eq!(meanwhile[1].revision, before.revision + 2);
    platform.nats.restart().await;
    let after = platform.add_fact().await;

    sse.with_sequence(FACTS, after.revision).await;
    assert_eq!(
        sse.sequences(FACTS),
        (before.revision..=after.revision).collect::<Vec<_>>(),
        "once, in order"
    );
    assert_eq!(after.epoch, before.epoch);
    stream_agrees(&platform).await;
}

#[tokio::test]
async fn clients_are_told_a_reset_when_nats_lost_everything() {
    let mut platform = Platform::facts_to_clients().await;
    let sse = Sse::open(&platform.stream_url("topics=kb.facts")).await;
    sse.named("ready").await;
    let before = platform.add_fact().await;
    sse.with_sequence(FACTS, before.revision).await;
    let token = sse.token();

    platform.nats.kill();
    platform.nats.wipe();
    platform.nats.restart().await;
    bywash_tests::platform::set_up(&platform.nats).await;

    let after = new_epoch(&platform, &before.epoch).await;
    let gap = sse.named("gap").await;
    assert_eq!((&gap.data["reason"], &gap.data["topic"]), (&json!("reset"), &json!(FACTS)), "{gap:?}");
    let event = sse.with_sequence(FACTS, after.revision).await;
    assert!(after.revision > before.revision, "revisions never go back");
    assert_eq!(event.data["data"]["statement"], after.statement);
    let resumed = Sse::resume(&platform.stream_url("topics=kb.facts"), &token).await;
    assert_eq!(resumed.named("gap").await.data["reason"], "reset", "an old token is told as well");
}

#[tokio::test]
async fn a_nats_set_back_to_an_older_state_is_filled_up_again_and_clients_miss_nothing() {
    let mut platform = Platform::facts_to_clients().await;
    let old = [platform.add_fact().await, platform.add_fact().await];
    stream_agrees(&platform).await;
    platform.nats.kill();
    let older_state = platform.nats.snapshot();
    platform.nats.restart().await;
    let newer = [platform.add_fact().await, platform.add_fact().await];
    stream_agrees(&platform).await;

    platform.nats.kill();
    platform.nats.restore(&older_state);
    platform.nats.restart().await;
    let last = platform.add_fact().await;
    let published = stream_agrees(&platform).await;
    assert_eq!(published.len() as u64, last.revision);
    for fact in old.iter().chain(&newer).chain([&last]) {
        assert_eq!(published.get(&fact.revision), Some(&fact.statement));
    }
    let since = format!("topics=kb.facts&since=kb:{}:0", last.epoch);
    // A client that comes before the gateway has seen what became of the stream is told; it may come again.
    for _ in 0..2 {
        let sse = Sse::open(&platform.stream_url(&since)).await;
        let is_end = |event: &SseEvent| event.is_named("gap") || event.data["seq"] == json!(last.revision);
        if !sse.events.first("the last fact or a gap", is_end).await.is_named("gap") {
            let sequences = sse.sequences(FACTS);
            assert_eq!(sequences, (1..=last.revision).collect::<Vec<_>>(), "{:#?}", sse.events.all());
            return;
        }
    }
    panic!("one reset is told twice");
}

#[tokio::test]
async fn an_older_store_that_writes_on_takes_a_new_epoch() {
    let mut platform = Platform::facts_to_clients().await;
    let first = platform.add_fact().await;
    stream_agrees(&platform).await;
    let service = platform.service_mut(Kind::KnowledgeBase);
    assert!(service.terminate().await.success());
    let backup = Scratch::new();
    copy_folder(&service.data(), backup.path());
    service.start().await;
    let lost = [platform.add_fact().await, platform.add_fact().await];
    stream_agrees(&platform).await;
    let sse = Sse::open(&platform.stream_url("topics=kb.facts")).await;
    sse.named("ready").await;

    let service = platform.service_mut(Kind::KnowledgeBase);
    assert!(service.terminate().await.success());
    std::fs::remove_dir_all(service.data()).unwrap();
    copy_folder(backup.path(), &service.data());
    service.start().await;
    let again = new_epoch(&platform, &first.epoch).await;

    assert!(lost.iter().all(|fact| fact.epoch == first.epoch));
    let gap = sse.named("gap").await;
    assert_eq!(gap.data["reason"], "reset", "{gap:?}");
    sse.with_sequence(FACTS, again.revision).await;
}

/// Posts facts until one is answered with another epoch than `old`, and gives that one.
async fn new_epoch(platform: &Platform, old: &str) -> AddedFact {
    eventually("a new epoch", || async {
        let url = platform.url(Kind::KnowledgeBase, "/api/facts");
        let (status, body) =
            answer(platform.http.post(url).json(&json!({"statement": unique_statement()}))).await;
        if status.is_success() && body["epoch"] != old {
            Ok(AddedFact::of(&body))
        } else {
            Err(body.to_string())
        }
    })
    .await
}
