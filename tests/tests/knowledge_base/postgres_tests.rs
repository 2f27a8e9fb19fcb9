//! Two knowledge bases share one PostgreSQL and one NATS. Processes and the database die at the worst places; every
//! write that was acknowledged is there, and every event is told once and in order.

use std::time::Duration;

use bywash_tests::nats::Nats;
use bywash_tests::platform::{answer, set_up, unique_statement};
use bywash_tests::postgres::{Postgres, Setup};
use bywash_tests::scratch::Scratch;
use bywash_tests::service::{Kind, Service};
use bywash_tests::wait::{eventually, eventually_within};
use serde_json::{Value, json};

use super::log::{assert_is_the_stores, caught_up, get};

/// A relay that is cut off or frozen holds the lock until its session's ten seconds are over.
const TAKEOVER_TIME_MAX: Duration = Duration::from_secs(60);

struct Pair {
    postgres: Postgres,
    nats: Nats,
    services: [Service; 2],
}

impl Pair {
    /// Both run, and the first of them is the relay. `fail_point` is the first one's.
    async fn start(fail_point: Option<&str>) -> Self {
        let (postgres, nats) = (Postgres::start(), Nats::start().await);
        set_up(&nats).await;
        let service = |name: &str| {
            let mut service = Service::new(Kind::KnowledgeBase, &nats.url());
            service.set("BYWASH_INSTANCE", name).set("BYWASH_STORE", "postgres");
            service.set("BYWASH_POSTGRES_URL", &postgres.url());
            service
        };
        let mut services = [service("first"), service("second")];
        if let Some(fail_point) = fail_point {
            services[0].set("BYWASH_FAIL_POINT", fail_point);
        }
        services[0].start().await;
        is_relay(&services[0]).await;
        services[1].start().await;
        Self { postgres, nats, services }
    }

    /// Every statement of `answered` is told exactly once, and the stream is the store's, as each of `alive` sees it.
    async fn told_once(&self, answered: &[String], alive: &[usize]) {
        for index in alive {
            let service = &self.services[*index];
            let log = caught_up(&self.nats, service).await;
            assert_eq!(log.first, 1);
            let told: Vec<&str> =
                log.messages.iter().filter_map(|message| message.body["statement"].as_str()).collect();
            for statement in answered {
                let times = told.iter().filter(|told| **told == statement).count();
                assert_eq!(times, 1, "{statement} was answered and told {times} times: {told:?}");
            }
            assert_is_the_stores(&log, service).await;
            assert_eq!(get(service, "/api/facts/count").await["count"], told.len());
            let epochs = log.messages.iter().map(|message| message.header("ce-id").split(':').next());
            assert!(epochs.flatten().all(|epoch| epoch == log.epoch), "no failure is a new epoch");
        }
    }
}

async fn is_relay(service: &Service) {
    eventually_within(TAKEOVER_TIME_MAX, "it is the relay", || async {
        let status = get(service, "/api/status").await;
        if status["relay"]["connected"] == true { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
}

/// Posts a fact; what came back, or nothing where the process died.
async fn post(service: &Service, statement: &str) -> Option<(u16, Value)> {
    let request = reqwest::Client::new().post(service.url("/api/facts"));
    let sent = request.json(&json!({"statement": statement})).send().await.ok()?;
    let status = sent.status().as_u16();
    Some((status, sent.json().await.ok()?))
}

/// Posts a fact of its own; the statement where it was acknowledged.
async fn acknowledged(service: &Service) -> Option<String> {
    let statement = unique_statement();
    matches!(post(service, &statement).await, Some((201, _))).then_some(statement)
}

#[tokio::test]
async fn two_processes_write_at_once_and_every_change_is_told_once_and_in_order() {
    let pair = Pair::start(None).await;
    let [first, second] = &pair.services;
    let mut answered = Vec::new();
    for _ in 0..20 {
        let shared = unique_statement();
        let (one, other, both) = tokio::join!(acknowledged(first), acknowledged(second), async {
            tokio::join!(post(first, &shared), post(second, &shared))
        });
        answered.extend([one, other].map(|statement| statement.expect("both work")));
        let mut codes = [both.0.expect("it works").0, both.1.expect("it works").0];
        codes.sort_unstable();
        assert_eq!(codes, [201, 409], "who comes second is told so, and nothing else");
        answered.push(shared);
    }
    pair.told_once(&answered, &[0, 1]).await;
    let follower = get(second, "/api/status").await;
    assert_eq!(follower["relay"], json!({"connected": false}), "who is not the relay knows no lag");
}

#[tokio::test]
async fn a_read_that_asks_for_a_revision_is_right_on_the_other_process() {
    let pair = Pair::start(None).await;
    let [first, second] = &pair.services;
    for _ in 0..20 {
        let (_, added) = post(first, &unique_statement()).await.expect("it works");
        let path = format!("/api/facts/{}?min_revision={}", added["id"], added["revision"]);
        let fact = get(second, &path).await;
        assert_eq!(fact["statement"], added["statement"]);
        let path = format!("/api/search?min_revision={}", added["revision"]);
        let search = reqwest::Client::new().post(second.url(&path));
        let wanted = json!({"query": added["statement"], "mode": "text", "limit": 1});
        let (status, found) = answer(search.json(&wanted)).await;
        assert_eq!(found["results"][0]["id"], added["id"], "{status} {found}");
    }
}

#[tokio::test]
async fn a_process_that_dies_in_the_middle_of_a_commit_leaves_no_half_and_holds_nobody_up() {
    let mut pair = Pair::start(Some("store_mid_commit:6")).await;
    let mut answered = Vec::new();
    for _ in 0..10 {
        for service in &pair.services {
            answered.extend(acknowledged(service).await);
        }
    }
    let status = pair.services[0].process_mut().ended().await;
    assert!(!status.success(), "it did not die");
    assert!(answered.len() >= 10, "the other one was held up");
    is_relay(&pair.services[1]).await;
    answered.push(acknowledged(&pair.services[1]).await.expect("the other one works"));
    pair.told_once(&answered, &[1]).await;
    pair.services[0].unset("BYWASH_FAIL_POINT").start().await;
    pair.told_once(&answered, &[0, 1]).await;
}

async fn relay_dies(fail_point: Option<&str>) {
    let mut pair = Pair::start(fail_point).await;
    let mut answered = Vec::new();
    for _ in 0..5 {
        for service in &pair.services {
            answered.extend(acknowledged(service).await);
        }
    }
    if fail_point.is_some() {
        assert!(!pair.services[0].process_mut().ended().await.success(), "it did not die");
    }
    pair.services[0].kill();
    answered.push(acknowledged(&pair.services[1]).await.expect("writes do not need a relay"));
    is_relay(&pair.services[1]).await;
    pair.told_once(&answered, &[1]).await;
}

#[tokio::test]
async fn a_relay_that_is_killed_is_followed_by_another() {
    relay_dies(None).await;
}

#[tokio::test]
async fn a_relay_that_dies_before_a_publish_is_followed_by_another() {
    relay_dies(Some("relay_before_publish:3")).await;
}

#[tokio::test]
async fn a_relay_that_dies_with_a_change_unacknowledged_is_followed_by_another() {
    relay_dies(Some("relay_published_no_ack:3")).await;
}

#[tokio::test]
async fn a_relay_that_stops_hands_over_at_once() {
    let mut pair = Pair::start(None).await;
    let answered = vec![acknowledged(&pair.services[0]).await.expect("it works")];
    assert!(pair.services[0].terminate().await.success());
    is_relay(&pair.services[1]).await;
    pair.told_once(&answered, &[1]).await;
}

#[tokio::test]
async fn a_relay_that_is_frozen_loses_its_place_and_repeats_nothing_when_it_wakes() {
    let mut pair = Pair::start(None).await;
    let mut answered = vec![acknowledged(&pair.services[0]).await.expect("it works")];
    pair.services[0].process().freeze();
    answered.push(acknowledged(&pair.services[1]).await.expect("the other one works"));
    is_relay(&pair.services[1]).await;
    pair.told_once(&answered, &[1]).await;
    pair.services[0].process_mut().thaw();
    answered.push(acknowledged(&pair.services[0]).await.expect("it works again"));
    eventually("it is the relay no more", || async {
        let status = get(&pair.services[0], "/api/status").await;
        if status["relay"] == json!({"connected": false}) { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
    pair.told_once(&answered, &[0, 1]).await;
}

#[tokio::test]
async fn a_database_that_dies_is_told_at_once_and_nothing_acknowledged_is_lost() {
    let mut pair = Pair::start(None).await;
    let mut answered = vec![acknowledged(&pair.services[0]).await.expect("it works")];
    pair.postgres.kill();
    for service in &pair.services {
        let (status, refused) = post(service, &unique_statement()).await.expect("it answers");
        assert_eq!((status, &refused["error"]["code"]), (503, &json!("database_unavailable")), "{refused}");
    }
    pair.postgres.restart();
    for service in &pair.services {
        let back = eventually("the database is used again", || async {
            acknowledged(service).await.ok_or_else(|| "not yet".to_owned())
        });
        answered.push(back.await);
    }
    pair.told_once(&answered, &[0, 1]).await;
}

#[tokio::test]
async fn a_password_is_in_no_log_and_an_unusable_setting_is_told() {
    let mut service = Service::new(Kind::KnowledgeBase, "nats://127.0.0.1:9");
    service.set("BYWASH_STORE", "postgres");
    assert!(!service.spawn().ended().await.success());
    assert!(service.process().output().contains("BYWASH_POSTGRES_URL"), "{}", service.process().output());
    for url in ["postgres://u:hunter2@127.0.0.1:x/db", "postgres://u:hunter2@127.0.0.1"] {
        service.set("BYWASH_POSTGRES_URL", url).set("BYWASH_LOG", "trace");
        assert!(!service.spawn().ended().await.success());
        let output = service.process().output();
        assert!(output.contains("PostgreSQL") && !output.contains("hunter2"), "{output}");
    }
}

/// One that shows at once wherever it is printed.
const PASSWORD: &str = "hunter2-and-more";

#[tokio::test]
async fn a_password_is_taken_from_the_url_or_a_file_and_one_that_is_wrong_is_told_at_once() {
    let postgres = Postgres::start_as(&Setup { password: Some(PASSWORD), ..Setup::default() });
    let with = |password: &str| postgres.url().replace("bywash@", &format!("bywash:{password}@"));
    let scratch = Scratch::new();
    let file = scratch.path().join("password");
    let mut service = Service::new(Kind::KnowledgeBase, "nats://127.0.0.1:9");
    service.set("BYWASH_STORE", "postgres").set("BYWASH_LOG", "trace");

    service.set("BYWASH_POSTGRES_URL", &with(PASSWORD)).start().await;
    assert!(acknowledged(&service).await.is_some());
    assert!(!service.process().output().contains(PASSWORD));
    assert!(service.terminate().await.success());

    std::fs::write(&file, format!("{PASSWORD}\n")).expect("a scratch folder can be written");
    service.set("BYWASH_POSTGRES_URL", &postgres.url());
    service.set("BYWASH_POSTGRES_PASSWORD_FILE", &file.display().to_string()).start().await;
    assert!(acknowledged(&service).await.is_some());
    assert!(!service.process().output().contains(PASSWORD));
    assert!(service.terminate().await.success());

    std::fs::write(&file, "hunter2-and-another").expect("a scratch folder can be written");
    refused(&mut service).await;
    service.unset("BYWASH_POSTGRES_PASSWORD_FILE");
    refused(&mut service).await;
    service.set("BYWASH_POSTGRES_URL", &with("hunter2-and-another"));
    refused(&mut service).await;
    service.set("BYWASH_POSTGRES_URL", &with(PASSWORD).replace("/bywash", "/nothing"));
    refused(&mut service).await;
}

/// It ends, and says why and what to look at.
async fn refused(service: &mut Service) {
    let status = service.spawn().ended().await;
    let output = service.process().output();
    assert_eq!(status.code(), Some(78), "{output}");
    let last = output.lines().last().unwrap_or_default();
    assert!(last.contains("postgres_refused: ") && last.contains("BYWASH_POSTGRES_PASSWORD_FILE"), "{last}");
    assert!(!output.contains("hunter2"), "{output}");
}
