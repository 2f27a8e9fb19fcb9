//! A disk that is really full: writes are refused with a code, everything else goes on, and all is well once there is
//! room again, without a restart.
//!
//! These tests run alone in namespaces, where a small disk can be mounted; see `bywash_tests::alone`.

use bywash_tests::alone::alone;
use bywash_tests::course::Course;
use bywash_tests::nats::Nats;
use bywash_tests::platform::{answer, set_up, unique_statement};
use bywash_tests::scratch::Scratch;
use bywash_tests::service::{Kind, Service};
use bywash_tests::wait::eventually;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::super::log::caught_up;
use super::disk::Disk;
use super::world::{World, answers_everything};

/// Room for a store and a log that is moved a few times.
const DISK_BYTES: usize = 32 << 20;
/// How often it is full on a course.
const TIMES_FULL: usize = 4;

fn run_alone<F: Future<Output = ()>>(test: &str, body: impl FnOnce() -> F) {
    let path = format!("knowledge_base::faults::full_disk_tests::{test}");
    alone(&path, || Runtime::new().expect("a runtime starts").block_on(body()));
}

#[test]
fn under_load_a_full_disk_loses_nothing_that_was_acknowledged() {
    run_alone("under_load_a_full_disk_loses_nothing_that_was_acknowledged", || async {
        for mut course in Course::all("BYWASH_FAULT", 1) {
            let scratch = Scratch::new();
            let disk = Disk::new(&scratch.path().join("disk"), DISK_BYTES);
            let mut world = World::on_disk(&mut course, &disk).await;
            for _ in 0..TIMES_FULL {
                world.go_on().await;
                world.full(&disk).await;
                if world.rng.bool() {
                    world.kill_knowledge_base(0);
                    world.start_knowledge_base(0).await;
                    world.still_full().await;
                }
                world.room(&disk);
            }
            world.go_on().await;
            world.end().await;
        }
    });
}

/// One of each kind of write; `fact` is the number of one that is there.
fn writes(fact: u64) -> [(Method, String, Value); 6] {
    let documents = json!([{"id": "d", "content": "some words", "metadata": {}}]);
    [
        (Method::POST, "/api/facts".into(), json!({"statement": unique_statement()})),
        (Method::PUT, format!("/api/facts/{fact}"), json!({"statement": unique_statement()})),
        (Method::DELETE, format!("/api/facts/{fact}"), Value::Null),
        (Method::POST, "/api/facts/bulk".into(), json!([{"statement": unique_statement()}])),
        (Method::POST, "/api/collections".into(), json!({"name": "more"})),
        (Method::POST, "/api/documents".into(), json!({"collection": "notes", "documents": documents})),
    ]
}

async fn send(service: &Service, (method, path, body): (Method, String, Value)) -> (StatusCode, Value) {
    let request = Client::new().request(method, service.url(&path));
    answer(if body.is_null() { request } else { request.json(&body) }).await
}

/// Adds facts until there is no room for one; how many there was room for.
async fn add_until_full(service: &Service) -> u64 {
    for added in 0.. {
        let (status, body) = send(service, writes(0)[0].clone()).await;
        if status == StatusCode::INSUFFICIENT_STORAGE {
            return added;
        }
        assert_eq!(status, StatusCode::CREATED, "{body}");
    }
    unreachable!("no disk holds endless facts")
}

#[test]
fn every_kind_of_write_is_refused_with_507_and_the_relay_goes_on() {
    run_alone("every_kind_of_write_is_refused_with_507_and_the_relay_goes_on", || async {
        let scratch = Scratch::new();
        let disk = Disk::new(&scratch.path().join("disk"), DISK_BYTES);
        let mut nats = Nats::start().await;
        set_up(&nats).await;
        let mut service = Service::new(Kind::KnowledgeBase, &nats.url());
        service.set("BYWASH_DATA_DIR", &disk.path().display().to_string()).start().await;
        assert_eq!(
            send(&service, (Method::POST, "/api/collections".into(), json!({"name": "notes"}))).await.0,
            201
        );
        assert_eq!(send(&service, writes(0)[0].clone()).await.0, 201);
        caught_up(&nats, &service).await;
        // What is committed while NATS is away is told when it is back, whatever the disk is like by then.
        nats.kill();
        disk.fill();
        let added = add_until_full(&service).await;
        for write in writes(1) {
            let (method, path, _) = write.clone();
            let (status, body) = send(&service, write).await;
            let code = &body["error"]["code"];
            assert_eq!((status.as_u16(), code), (507, &json!("storage_full")), "{method} {path}: {body}");
        }
        answers_everything(&service).await;
        nats.restart().await;
        assert_eq!(caught_up(&nats, &service).await.last, added + 2);

        disk.free();
        for write in writes(1) {
            let (method, path, _) = write.clone();
            eventually(&format!("{method} {path} is done"), || async {
                let (status, body) = send(&service, write.clone()).await;
                if status.is_success() { Ok(()) } else { Err(body.to_string()) }
            })
            .await;
        }
        assert_eq!(caught_up(&nats, &service).await.last, added + 2 + 6);
        assert!(service.terminate().await.success());
    });
}
