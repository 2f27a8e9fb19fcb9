//! NATS is away, killed, wiped, frozen or set back; the store is set back. Every change arrives once and in order, or
//! the new epoch tells.

use std::time::{Duration, Instant};

use bywash_tests::nats::Nats;
use bywash_tests::platform::{AddedFact, answer, set_up, unique_statement};
use bywash_tests::scratch::{Scratch, copy_folder};
use bywash_tests::service::{Kind, Service};
use bywash_tests::wait::eventually;
use rusqlite::Connection;
use serde_json::json;

use super::log::{assert_is_the_stores, caught_up, get};

async fn started() -> (Nats, Service) {
    let nats = Nats::start().await;
    set_up(&nats).await;
    let mut service = Service::new(Kind::KnowledgeBase, &nats.url());
    service.start().await;
    (nats, service)
}

async fn add(service: &Service, count: usize) -> AddedFact {
    let http = reqwest::Client::new();
    let mut last = None;
    for _ in 0..count {
        let request = http.post(service.url("/api/facts")).json(&json!({"statement": unique_statement()}));
        let (status, body) = answer(request).await;
        assert_eq!(status, reqwest::StatusCode::CREATED, "{body}");
        last = Some(AddedFact::of(&body));
    }
    last.expect("at least one")
}

#[tokio::test]
async fn facts_are_taken_while_nats_is_unreachable_at_start_and_told_when_it_comes() {
    let mut nats = Nats::start().await;
    set_up(&nats).await;
    nats.kill();
    let mut service = Service::new(Kind::KnowledgeBase, &nats.url());
    service.start().await;
    let added = add(&service, 5).await;
    let status = get(&service, "/api/status").await;
    assert_eq!((&status["relay"]["connected"], &status["relay"]["lag_changes"]), (&false.into(), &5.into()));
    nats.restart().await;
    let log = caught_up(&nats, &service).await;
    assert_eq!((log.first, log.last, log.epoch.clone()), (1, 5, added.epoch));
    assert_is_the_stores(&log, &service).await;
}

#[tokio::test]
async fn a_change_that_only_a_newer_version_knows_is_told_by_nobody_else() {
    let mut nats = Nats::start().await;
    set_up(&nats).await;
    nats.kill();
    let mut service = Service::new(Kind::KnowledgeBase, &nats.url());
    service.start().await;
    add(&service, 3).await;
    service.terminate().await;
    let path = service.data().join("facts.sqlite");
    let named = |name: &str| {
        let store = Connection::open(&path).expect("the store is there");
        store.execute("UPDATE changes SET type = ?1 WHERE revision = 2", [name]).expect("the log is a table");
    };
    named("fact_foreseen");
    nats.restart().await;
    service.start().await;
    eventually("the relay says what to do", || async {
        let output = service.process().output();
        let said = output.contains("change 2 is a `fact_foreseen`") && output.contains("update this one");
        if said { Ok(()) } else { Err(service.process().output_tail()) }
    })
    .await;
    let status = get(&service, "/api/status").await;
    assert!(status["relay"]["lag_changes"].as_u64() >= Some(2), "{status}");

    service.terminate().await;
    named("fact_added");
    service.start().await;
    let log = caught_up(&nats, &service).await;
    assert_eq!((log.first, log.last), (1, 3));
    assert_is_the_stores(&log, &service).await;
}

#[tokio::test]
async fn a_killed_nats_gets_every_change_when_it_is_back() {
    let (mut nats, service) = started().await;
    let before = add(&service, 5).await;
    caught_up(&nats, &service).await;
    nats.kill();
    add(&service, 5).await;
    nats.restart().await;
    let log = caught_up(&nats, &service).await;
    assert_eq!((log.first, log.last, log.epoch.clone()), (1, 10, before.epoch));
    assert_is_the_stores(&log, &service).await;
}

#[tokio::test]
async fn a_wiped_nats_is_a_new_epoch_that_begins_after_the_revision() {
    let (mut nats, service) = started().await;
    let before = add(&service, 5).await;
    caught_up(&nats, &service).await;
    nats.kill();
    nats.wipe();
    nats.restart().await;
    let log = caught_up(&nats, &service).await;
    assert_ne!(log.epoch, before.epoch);
    assert_eq!((log.first, log.last, log.messages.len()), (6, 5, 0));
    let after = add(&service, 2).await;
    assert_eq!((after.epoch, after.revision), (log.epoch, 7));
    let log = caught_up(&nats, &service).await;
    assert_eq!((log.first, log.last), (6, 7));
    assert_is_the_stores(&log, &service).await;
}

#[tokio::test]
async fn a_nats_set_back_to_an_older_state_gets_the_missing_changes_again() {
    let (mut nats, service) = started().await;
    add(&service, 3).await;
    caught_up(&nats, &service).await;
    nats.kill();
    let older = nats.snapshot();
    nats.restart().await;
    let before = add(&service, 4).await;
    caught_up(&nats, &service).await;
    nats.kill();
    nats.restore(&older);
    nats.restart().await;
    let log = caught_up(&nats, &service).await;
    assert_eq!((log.first, log.last, log.epoch.clone()), (1, 7, before.epoch));
    assert_is_the_stores(&log, &service).await;
}

#[tokio::test]
async fn a_store_set_back_to_an_older_state_is_a_new_epoch() {
    for writes_on in [0, 1, 4, 6] {
        let (nats, mut service) = started().await;
        add(&service, 3).await;
        assert!(service.terminate().await.success());
        let backup = Scratch::new();
        copy_folder(&service.data(), backup.path());
        service.start().await;
        let before = add(&service, 4).await;
        caught_up(&nats, &service).await;
        assert!(service.terminate().await.success());
        std::fs::remove_dir_all(service.data()).expect("the store is no longer used");
        copy_folder(backup.path(), &service.data());
        // Writes that the relay cannot see yet: the store may reach and pass the stream's last sequence.
        let frozen = nats.process();
        frozen.freeze();
        service.start().await;
        if writes_on > 0 {
            add(&service, writes_on).await;
        }
        frozen.thaw();
        let revision = 3 + writes_on as u64;
        eventually("a new epoch", || async {
            let count = get(&service, "/api/facts/count").await;
            (count["epoch"] != before.epoch.as_str()).then_some(()).ok_or_else(|| count.to_string())
        })
        .await;
        let log = caught_up(&nats, &service).await;
        assert_eq!((log.first, log.last), (revision + 1, revision), "wrote on: {writes_on}");
        add(&service, 2).await;
        let log = caught_up(&nats, &service).await;
        assert_eq!((log.first, log.last), (revision + 1, revision + 2));
        assert_is_the_stores(&log, &service).await;
    }
}

#[tokio::test]
async fn a_frozen_nats_delays_no_request() {
    let (nats, service) = started().await;
    add(&service, 1).await;
    nats.process().freeze();
    let start = Instant::now();
    add(&service, 50).await;
    assert!(start.elapsed() < Duration::from_secs(5), "50 posts took {:?}", start.elapsed());
    let status = get(&service, "/api/status").await;
    assert!(status["relay"]["lag_changes"].as_u64() >= Some(49), "{status}");
    nats.process().thaw();
    let log = caught_up(&nats, &service).await;
    assert_eq!((log.first, log.last), (1, 51));
    assert_is_the_stores(&log, &service).await;
}

#[tokio::test]
async fn the_state_is_told_on_state_kb() {
    let (nats, service) = started().await;
    let added = add(&service, 3).await;
    let context = async_nats::jetstream::new(nats.client().await);
    eventually("state.kb tells three facts", || async {
        let stream = context.get_stream("STATE").await.map_err(|error| error.to_string())?;
        let message =
            stream.get_last_raw_message_by_subject("state.kb").await.map_err(|error| error.to_string())?;
        let state: serde_json::Value = serde_json::from_slice(&message.payload).expect("events are JSON");
        let told = state["fact_count"] == 3 && state["revision"] == 3 && state["relay_lag_changes"] == 0;
        (told && state["epoch"] == added.epoch.as_str()).then_some(()).ok_or_else(|| state.to_string())
    })
    .await;
}
