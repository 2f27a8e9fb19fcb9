//! A disk that is really full: writes are refused with a code, everything else goes on, and all is well once there is
//! room again, without a restart.
//!
//! These tests run alone in namespaces, where a small disk can be mounted; see `bywash_tests::alone`.

use bywash_tests::alone::{alone, is_root};
use bywash_tests::course::Course;
use bywash_tests::nats::Nats;
use bywash_tests::platform::{answer, set_up, unique_statement};
use bywash_tests::postgres::Setup;
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
/// The same beside the tables that every PostgreSQL has.
const POSTGRES_DISK_BYTES: usize = 96 << 20;
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

/// Its write-ahead log lies elsewhere, as operators put it: without room for that PostgreSQL itself ends.
#[test]
fn under_load_a_full_disk_of_postgresql_loses_nothing_that_was_acknowledged() {
    run_alone("under_load_a_full_disk_of_postgresql_loses_nothing_that_was_acknowledged", || async {
        if !is_root() {
            // PostgreSQL does not run as root, and the namespace of a user has nobody else.
            return eprintln!("SKIPPED: it takes root to run PostgreSQL on a disk of its own");
        }
        for mut course in Course::all("BYWASH_FAULT", 1) {
            let scratch = Scratch::new();
            let disk = Disk::new(&scratch.path().join("disk"), POSTGRES_DISK_BYTES);
            let setup = Setup { tables: Some(disk.path()), ..Setup::default() };
            let mut world = World::shared_in(&mut course, &setup).await;
            for _ in 0..TIMES_FULL / 2 {
                world.go_on().await;
                world.full(&disk).await;
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

/// Facts that are worth a graph (`Tuning::seal_rows`), and some more.
const MANY_FACTS: u64 = 5_000;

/// The part of the vector indexes that is built once there are many facts.
fn has_graph(disk: &Disk) -> bool {
    let files = std::fs::read_dir(disk.path().join("facts")).into_iter().flatten().flatten();
    files.map(|file| file.path()).any(|path| path.extension().is_some_and(|end| end == "graph"))
}

/// Waits until the vector index finds what was imported.
async fn finds_by_meaning(service: &Service) {
    let body = json!({"query": "dog", "mode": "vector", "limit": 3});
    eventually("the index finds it", || async {
        let (_, found) = send(service, (Method::POST, "/api/search".into(), body.clone())).await;
        let first = found["results"][0]["statement"].as_str().unwrap_or_default();
        if found["adapter"] == "primary" && first.contains("dog") { Ok(()) } else { Err(found.to_string()) }
    })
    .await;
}

#[test]
fn a_vector_index_without_room_works_in_memory_and_goes_to_disk_when_it_can() {
    run_alone("a_vector_index_without_room_works_in_memory_and_goes_to_disk_when_it_can", || async {
        let mut service = Service::new(Kind::KnowledgeBase, "nats://127.0.0.1:9");
        let disk = Disk::new(&service.data().join("vectors"), DISK_BYTES);
        service.start().await;
        disk.fill();
        let facts: String = (0..MANY_FACTS).map(|number| format!("Barks(dog, n{number}).\n")).collect();
        let import = Client::new().post(service.url("/api/facts/bulk")).header("content-type", "text/plain");
        let (status, report) = answer(import.body(facts)).await;
        assert_eq!((status, &report["added"]), (StatusCode::OK, &json!(MANY_FACTS)), "{report}");
        finds_by_meaning(&service).await;
        eventually("it says that there is no room", || async {
            let output = service.process().output();
            output.contains("was not built").then_some(()).ok_or(output)
        })
        .await;
        assert!(!has_graph(&disk));
        assert!(service.terminate().await.success());

        service.start().await;
        finds_by_meaning(&service).await;
        disk.free();
        eventually("it goes to disk", || async {
            has_graph(&disk).then_some(()).ok_or("no graph".to_owned())
        })
        .await;
        assert!(service.terminate().await.success());
        assert!(disk.path().join("facts/manifest.json").exists());
        service.start().await;
        finds_by_meaning(&service).await;
        assert!(!service.process().output().contains("built again"), "{}", service.process().output());
    });
}

#[test]
fn a_first_start_on_a_full_disk_is_refused_and_the_next_one_works() {
    run_alone("a_first_start_on_a_full_disk_is_refused_and_the_next_one_works", || async {
        let scratch = Scratch::new();
        let disk = Disk::new(&scratch.path().join("disk"), DISK_BYTES);
        disk.fill();
        let mut service = Service::new(Kind::KnowledgeBase, "nats://127.0.0.1:9");
        service.set("BYWASH_DATA_DIR", &disk.path().display().to_string());
        assert_eq!(service.spawn().ended().await.code(), Some(1));
        let output = service.process().output();
        assert!(output.contains("storage_full: there is no space left"), "{output}");
        disk.free();
        service.start().await;
        assert_eq!(send(&service, writes(0)[0].clone()).await.0, 201);
    });
}
