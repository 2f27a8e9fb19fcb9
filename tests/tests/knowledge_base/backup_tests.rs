//! Backups of a store that is written to, put back, and damage that is found.

use std::path::Path;
use std::process::{Command, Output};

use bywash_tests::nats::Nats;
use bywash_tests::platform::{answer, set_up};
use bywash_tests::scratch::{Scratch, binary};
use bywash_tests::service::{Kind, Service};
use reqwest::Client;
use rusqlite::Connection;
use serde_json::json;

use super::log::{caught_up, get};

/// Runs `bywash-knowledge-base TASK ARGUMENTS --data-dir DIR` to its end.
async fn task(data: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(binary("bywash-knowledge-base"));
    command.args(arguments).arg("--data-dir").arg(data).env("BYWASH_LOG", "warn");
    let ran = tokio::task::spawn_blocking(move || command.output()).await;
    ran.expect("it does not panic").expect("the program starts")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

async fn add(service: &Service, statement: &str) {
    let body = json!({"statement": statement});
    let (status, body) = answer(Client::new().post(service.url("/api/facts")).json(&body)).await;
    assert!(status.is_success(), "{body}");
}

#[tokio::test]
async fn a_backup_made_while_writing_goes_on_is_one_moment_and_comes_back_as_a_new_epoch() {
    let nats = Nats::start().await;
    set_up(&nats).await;
    let mut service = Service::new(Kind::KnowledgeBase, &nats.url());
    service.start().await;
    add(&service, "P(first)").await;
    let scratch = Scratch::new();
    let file = scratch.path().join("backup.sqlite");
    let name = file.display().to_string();
    let data = service.data();
    let arguments = ["backup", "--to", &name];
    let backing_up = task(&data, &arguments);
    let writing = async {
        for number in 0..50 {
            add(&service, &format!("N({number})")).await;
        }
    };
    let (made, ()) = tokio::join!(backing_up, writing);
    assert!(made.status.success(), "{}", said(&made));
    let before = caught_up(&nats, &service).await;
    let again = task(&data, &["backup", "--to", &name]).await;
    assert!(!again.status.success() && said(&again).contains("choose another name"), "{}", said(&again));
    let running = task(&data, &["restore", "--from", &name]).await;
    assert!(!running.status.success() && said(&running).contains("in use"), "{}", said(&running));
    let sound = task(&data, &["verify"]).await;
    assert!(sound.status.success() && said(&sound).contains("51 facts"), "{}", said(&sound));

    service.terminate().await;
    let back = task(&data, &["restore", "--from", &name]).await;
    assert!(back.status.success() && said(&back).contains("before-"), "{}", said(&back));
    let sound = task(&data, &["verify"]).await;
    assert!(sound.status.success(), "{}", said(&sound));
    service.start().await;
    let count = get(&service, "/api/facts/count").await;
    let facts = count["count"].as_u64().expect("a count");
    assert!((1..=51).contains(&facts) && count["revision"] == facts, "one moment: {count}");
    assert_ne!(count["epoch"], before.epoch.as_str(), "clients of the other history must notice");
    caught_up(&nats, &service).await;
    add(&service, "P(after)").await;
    let after = caught_up(&nats, &service).await;
    assert_eq!((after.first, after.last), (facts + 1, facts + 1), "the stream begins anew behind the backup");
}

#[tokio::test]
async fn what_is_no_backup_is_refused_and_the_store_stays() {
    let mut service = Service::new(Kind::KnowledgeBase, "nats://127.0.0.1:9");
    service.start().await;
    add(&service, "P(a)").await;
    service.terminate().await;
    let scratch = Scratch::new();
    let (file, data) = (scratch.path().join("no-backup"), service.data());
    let name = file.display().to_string();
    let missing = task(&data, &["restore", "--from", &name]).await;
    assert!(!missing.status.success(), "{}", said(&missing));
    for content in [b"".as_slice(), b"this is no database, and it is long enough to have a header of one"] {
        std::fs::write(&file, content).expect("a scratch folder can be written");
        let refused = task(&data, &["restore", "--from", &name]).await;
        assert!(!refused.status.success() && said(&refused).contains("backup"), "{}", said(&refused));
    }
    let nowhere = task(&scratch.path().join("nowhere"), &["verify"]).await;
    assert!(!nowhere.status.success() && said(&nowhere).contains("no store"), "{}", said(&nowhere));
    service.start().await;
    assert_eq!(get(&service, "/api/facts/count").await["count"], 1);
}

#[tokio::test]
async fn verify_finds_what_does_not_fit_together() {
    for (damage, found) in [
        ("UPDATE facts SET statement = 'P( b )' WHERE id = 2", "fact 2"),
        ("UPDATE changes SET body = x'7b7d' WHERE revision = 2", "change 2"),
        ("DELETE FROM statements WHERE fact_id = 1", "fact 1"),
        ("UPDATE meta SET fact_count = 9", "9 are counted"),
    ] {
        let mut service = Service::new(Kind::KnowledgeBase, "nats://127.0.0.1:9");
        service.start().await;
        for statement in ["P(a)", "P(b)", "P(c)"] {
            add(&service, statement).await;
        }
        service.terminate().await;
        let store = Connection::open(service.data().join("facts.sqlite")).expect("the store is there");
        store.execute_batch(damage).expect("it can be damaged");
        drop(store);
        let verdict = task(&service.data(), &["verify"]).await;
        assert!(!verdict.status.success() && said(&verdict).contains(found), "{damage}: {}", said(&verdict));
    }
}
