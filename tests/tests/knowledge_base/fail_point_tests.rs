//! The process dies at the worst places; afterwards every change is in the stream once, in order, in the same epoch.

use bywash_tests::nats::Nats;
use bywash_tests::platform::{answer, set_up, unique_statement};
use bywash_tests::service::{Kind, Service};
use serde_json::json;

use super::log::{assert_is_the_stores, caught_up, get};

/// Posts facts until the process dies, starts it again and posts one more.
async fn dies_and_loses_nothing(fail_point: &str, posts_until_death: usize) {
    let nats = Nats::start().await;
    set_up(&nats).await;
    let mut service = Service::new(Kind::KnowledgeBase, &nats.url());
    service.set("BYWASH_FAIL_POINT", fail_point).start().await;
    let http = reqwest::Client::new();
    let url = service.url("/api/facts");
    let post = async |statement: &str| {
        let sent = http.post(&url).json(&json!({"statement": statement})).send().await;
        sent.is_ok_and(|answer| answer.status().is_success())
    };
    let mut answered = Vec::new();
    for _ in 0..posts_until_death {
        let statement = unique_statement();
        if post(&statement).await {
            answered.push(statement);
        }
    }
    let status = service.process_mut().ended().await;
    assert!(!status.success(), "it did not die at {fail_point}");
    assert!(service.process().output().contains("fail point"), "{}", service.process().output_tail());

    service.unset("BYWASH_FAIL_POINT").start().await;
    let last = unique_statement();
    assert!(post(&last).await, "the knowledge base works again");
    answered.push(last);
    let log = caught_up(&nats, &service).await;
    assert_eq!(log.first, 1);
    let told: Vec<&str> =
        log.messages.iter().filter_map(|message| message.body["statement"].as_str()).collect();
    for statement in &answered {
        let times = told.iter().filter(|told| **told == statement).count();
        assert_eq!(times, 1, "{statement} was answered and told {times} times: {told:?}");
    }
    assert_is_the_stores(&log, &service).await;
    let count = get(&service, "/api/facts/count").await;
    assert_eq!(count["count"], told.len(), "what is in the store is told");
    let epochs =
        log.messages.iter().map(|message| message.header("ce-id").split(':').next().map(str::to_owned));
    assert!(epochs.flatten().all(|epoch| epoch == log.epoch), "a crash is no new epoch");
}

#[tokio::test]
async fn death_before_a_publish_loses_nothing() {
    dies_and_loses_nothing("relay_before_publish:2", 3).await;
}

#[tokio::test]
async fn death_after_a_publish_without_its_acknowledgement_repeats_nothing() {
    dies_and_loses_nothing("relay_published_no_ack:2", 3).await;
}

#[tokio::test]
async fn death_between_two_rows_loses_and_repeats_nothing() {
    dies_and_loses_nothing("relay_between_rows:2", 4).await;
}

#[tokio::test]
async fn death_in_the_middle_of_a_commit_leaves_no_half_of_it() {
    dies_and_loses_nothing("store_mid_commit:4", 6).await;
}

#[tokio::test]
async fn an_unknown_fail_point_is_refused_at_start() {
    let mut service = Service::new(Kind::KnowledgeBase, "nats://127.0.0.1:9");
    service.set("BYWASH_FAIL_POINT", "relay_somewhere");
    let status = service.spawn().ended().await;
    assert!(!status.success());
    let output = service.process().output();
    assert!(output.contains("relay_somewhere") && output.contains("store_mid_commit"), "{output}");
}

#[tokio::test]
async fn a_stop_by_signal_tells_what_is_committed_and_ends_well() {
    let nats = Nats::start().await;
    set_up(&nats).await;
    let mut service = Service::new(Kind::KnowledgeBase, &nats.url());
    service.start().await;
    for _ in 0..20 {
        let request = reqwest::Client::new().post(service.url("/api/facts"));
        answer(request.json(&json!({"statement": unique_statement()}))).await;
    }
    assert!(service.terminate().await.success());
    let left: Vec<_> = std::fs::read_dir(service.data()).expect("the data stays").flatten().collect();
    assert!(left.iter().all(|file| !file.file_name().to_string_lossy().ends_with("-wal")), "{left:?}");
    service.start().await;
    assert_eq!(caught_up(&nats, &service).await.last, 20);
}
