//! Files that are not what was written: a damaged store is refused and left as it is, a damaged index is built again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bywash_tests::course::Course;
use bywash_tests::nats::Nats;
use bywash_tests::platform::{answer, set_up};
use bywash_tests::postgres::Postgres;
use bywash_tests::scratch::{Scratch, binary, copy_folder};
use bywash_tests::service::{Kind, Service};
use bywash_tests::wait::eventually;
use reqwest::{Client, StatusCode, header};
use serde_json::json;

use super::super::log::{caught_up, get};

/// Facts of the stores here: some hundred pages.
const FACTS: usize = 2_000;
/// Of a page of the database.
const PAGE_BYTES: usize = 4096;
/// Bytes that are flipped where the environment asks for nothing.
const FLIPS: u64 = 12;

/// Something that happens to a file.
type Harm = (&'static str, Box<dyn Fn(&mut Vec<u8>)>);

fn harm(what: &'static str, harm: impl Fn(&mut Vec<u8>) + 'static) -> Harm {
    (what, Box::new(harm))
}

fn statement(number: usize) -> String {
    format!("Knows(person{number}, \"the number {number}\").")
}

async fn import(service: &Service) {
    let facts: Vec<String> = (0..FACTS).map(statement).collect();
    let request =
        Client::new().post(service.url("/api/facts/bulk")).header(header::CONTENT_TYPE, "text/plain");
    let (status, report) = answer(request.body(facts.join("\n"))).await;
    assert_eq!((status, &report["added"]), (StatusCode::OK, &json!(FACTS)), "{report}");
}

async fn add(service: &Service, statement: &str) {
    let body = json!({"statement": statement});
    let (status, body) = answer(Client::new().post(service.url("/api/facts")).json(&body)).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
}

/// A store with its files as they were left.
struct Left {
    service: Service,
    aside: Scratch,
}

impl Left {
    /// By a process that stopped, with everything in one file.
    async fn stopped() -> Self {
        let mut service = Service::new(Kind::KnowledgeBase, "nats://127.0.0.1:9");
        service.start().await;
        import(&service).await;
        assert!(service.terminate().await.success());
        Self::aside(service)
    }

    fn aside(service: Service) -> Self {
        let aside = Scratch::new();
        copy_folder(&service.data(), aside.path());
        Self { service, aside }
    }

    fn database(&self) -> PathBuf {
        self.service.data().join("facts.sqlite")
    }

    fn log(&self) -> PathBuf {
        self.service.data().join("facts.sqlite-wal")
    }

    /// Everything as it was, but for what `harm` does to `file`; the file as it is then.
    fn damage(&self, file: &Path, harm: &dyn Fn(&mut Vec<u8>)) -> Vec<u8> {
        fs::remove_dir_all(self.service.data()).expect("a scratch folder can be written");
        copy_folder(self.aside.path(), &self.service.data());
        let mut bytes = fs::read(file).expect("it is there");
        harm(&mut bytes);
        fs::write(file, &bytes).expect("a scratch folder can be written");
        bytes
    }

    /// Its next start ends, says what to do, and leaves the files of the store as they are.
    async fn is_refused(&mut self, what: &str) {
        let files = [self.database(), self.log()];
        // An empty log and none are the same.
        let content = |file: PathBuf| fs::read(file).unwrap_or_default();
        let before = files.clone().map(content);
        let status = self.service.spawn().ended().await;
        let output = self.service.process().output();
        let line = output.lines().last().unwrap_or_default();
        assert_eq!(status.code(), Some(1), "{what}: {output}");
        assert!(line.contains("store_unusable: ") && line.contains("restore --from"), "{what}: {line}");
        assert!(before == files.map(content), "{what}: the store was changed");
    }

    /// Whether `verify` finds nothing.
    async fn is_sound(&self) -> bool {
        let mut command = Command::new(binary("bywash-knowledge-base"));
        command.args(["verify", "--data-dir"]).arg(self.service.data()).env("BYWASH_LOG", "warn");
        let ran = tokio::task::spawn_blocking(move || command.output()).await;
        ran.expect("it does not panic").expect("the program starts").status.success()
    }
}

/// All statements, in the order of their numbers.
async fn statements(service: &Service) -> Vec<String> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = get(service, &format!("/api/facts?limit=1000{cursor}")).await;
        let facts = page["facts"].as_array().expect("a list");
        all.extend(facts.iter().filter_map(|fact| fact["statement"].as_str().map(str::to_owned)));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

#[tokio::test]
async fn a_damaged_database_is_refused_and_left_as_it_is() {
    let mut left = Left::stopped().await;
    let harms = [
        harm("the name of the format", |bytes| bytes[0] ^= 1),
        harm("the size of a page", |bytes| bytes[16] ^= 0xFF),
        harm("the root of all tables", |bytes| bytes[100] = 0),
        harm("pages in the middle", |bytes| {
            let middle = bytes.len() / PAGE_BYTES / 2 * PAGE_BYTES;
            bytes[middle..middle + 4 * PAGE_BYTES].fill(0xFF);
        }),
        harm("half of it", |bytes| bytes.truncate(bytes.len() / 2)),
        harm("the last page", |bytes| bytes.truncate(bytes.len() - PAGE_BYTES)),
        harm("the last byte", |bytes| bytes.truncate(bytes.len() - 1)),
        harm("all but a part of its head", |bytes| bytes.truncate(50)),
        harm("everything", Vec::clear),
        harm("zeros instead", |bytes| bytes.fill(0)),
    ];
    for (what, harm) in &harms {
        left.damage(&left.database(), harm);
        left.is_refused(what).await;
    }
    left.damage(&left.database(), &|_| ());
    left.service.start().await;
    assert_eq!(statements(&left.service).await.len(), FACTS, "it was the damage");
}

/// A look at every row would cost a start seconds, so one byte of a text is found by `verify`, and not by the start.
#[tokio::test]
async fn wherever_a_byte_differs_the_start_or_verify_says_so() {
    let mut left = Left::stopped().await;
    let length = fs::metadata(left.database()).expect("it is there").len();
    for mut course in Course::all("BYWASH_FAULT", FLIPS) {
        let mut rng = fastrand::Rng::with_seed(course.seed);
        let (place, bit) = (rng.u64(0..length), rng.u8(0..8));
        course.note(format!("bit {bit} of byte {place} of {length} differs"));
        let place = usize::try_from(place).expect("it is in memory");
        left.damage(&left.database(), &move |bytes| bytes[place] ^= 1 << bit);
        let sound = left.is_sound().await;
        let status = {
            let process = left.service.spawn();
            let ended = eventually("it ends or listens", || {
                let (ended, output) = (process.try_status(), process.output());
                async move {
                    match ended {
                        Some(status) => Ok(Some(status)),
                        None if output.contains("store open") => Ok(None),
                        None => Err(output),
                    }
                }
            });
            ended.await
        };
        left.service.kill();
        match status {
            Some(status) => assert!(!sound && status.code() == Some(1), "{status}, and verify: {sound}"),
            // A byte that nothing is in.
            None if sound => {
                left.service.start().await;
                let all: Vec<String> = (0..FACTS).map(statement).collect();
                assert!(statements(&left.service).await == all, "what is sound is what was written");
                left.service.kill();
            }
            None => {}
        }
    }
}

#[tokio::test]
async fn a_log_that_was_damaged_after_it_was_written_is_refused_and_left_as_it_is() {
    let mut service = Service::new(Kind::KnowledgeBase, "nats://127.0.0.1:9");
    service.start().await;
    for number in 0..20 {
        add(&service, &statement(number)).await;
    }
    service.kill();
    let mut left = Left::aside(service);
    let frames = (fs::metadata(left.log()).expect("it was killed").len() as usize - 32) / (24 + PAGE_BYTES);
    let frame = move |number: usize| 32 + number * (24 + PAGE_BYTES);
    let harms = [
        harm("how it begins", |bytes| bytes[0] ^= 1),
        harm("its salt", |bytes| bytes[17] ^= 1),
        harm("the checksum of its head", |bytes| bytes[30] ^= 1),
        harm("the head of the first frame", move |bytes| bytes[frame(0)] ^= 1),
        harm("a page in the middle", move |bytes| bytes[frame(frames / 2) + 2000] ^= 1),
        harm("a checksum in the middle", move |bytes| bytes[frame(frames / 2) + 20] ^= 1),
    ];
    for (what, harm) in &harms {
        left.damage(&left.log(), harm);
        left.is_refused(what).await;
    }
    left.damage(&left.log(), &|_| ());
    fs::remove_file(left.database()).expect("it is there");
    left.is_refused("the database beside its log").await;
}

/// It looks like a commit that a power cut tore. What it took is told by a new epoch.
#[tokio::test]
async fn a_log_that_lost_its_last_commit_is_told_to_all_who_knew_it() {
    let nats = Nats::start().await;
    set_up(&nats).await;
    let mut service = Service::new(Kind::KnowledgeBase, &nats.url());
    service.start().await;
    // Or its note of the new stream is the last commit.
    eventually("the relay is at work", || async {
        let status = get(&service, "/api/status").await;
        if status["relay"]["connected"] == true { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
    for number in 0..5 {
        add(&service, &statement(number)).await;
    }
    let before = caught_up(&nats, &service).await;
    service.kill();
    let mut left = Left::aside(service);
    left.damage(&left.log(), &|bytes| *bytes.last_mut().expect("a commit") ^= 1);
    left.service.start().await;
    let after = caught_up(&nats, &left.service).await;
    assert_ne!(after.epoch, before.epoch);
    assert_eq!(statements(&left.service).await, (0..4).map(statement).collect::<Vec<_>>());
    assert!(left.is_sound().await);
}

/// All files below a directory.
fn files_in(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files_in(&path) } else { vec![path] }).collect()
}

/// What is done to each file of an index.
fn harms_of_an_index() -> [Harm; 4] {
    [
        harm("a byte in the middle", |bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        }),
        harm("half of it", |bytes| bytes.truncate(bytes.len() / 2)),
        harm("everything", Vec::clear),
        harm("other bytes", |bytes| bytes.fill(0x5A)),
    ]
}

/// Waits until the indexes answer, and answer right.
async fn is_found(service: &Service, what: &str) {
    for mode in ["text", "vector"] {
        let body = json!({"query": "person7", "mode": mode, "limit": 3});
        eventually(&format!("{what}: a search by {mode}"), || async {
            let (_, found) = answer(Client::new().post(service.url("/api/search")).json(&body)).await;
            let first = found["results"][0]["statement"].as_str().unwrap_or_default();
            let right = found["adapter"] == "primary" && (mode == "vector" || first == statement(7));
            if right && !first.is_empty() { Ok(()) } else { Err(found.to_string()) }
        })
        .await;
    }
}

#[tokio::test]
async fn a_damaged_vector_index_is_built_again_whichever_file_it_is() {
    let mut left = Left::stopped().await;
    let files = files_in(&left.service.data().join("vectors"));
    assert!(files.len() >= 3, "a manifest, a part, and how far documents are: {files:?}");
    for (what, harm) in &harms_of_an_index() {
        left.damage(&left.database(), &|_| ());
        for file in &files {
            let mut bytes = fs::read(file).expect("it is there");
            harm(&mut bytes);
            fs::write(file, bytes).expect("a scratch folder can be written");
        }
        left.service.start().await;
        is_found(&left.service, what).await;
        let output = left.service.process().output();
        assert!(output.contains("the facts' vectors are built again"), "{what}: {output}");
        left.service.kill();
    }
}

#[tokio::test]
async fn a_damaged_search_index_beside_postgresql_is_built_again() {
    let postgres = Postgres::start();
    let mut service = Service::new(Kind::KnowledgeBase, "nats://127.0.0.1:9");
    service.set("BYWASH_STORE", "postgres").set("BYWASH_POSTGRES_URL", &postgres.url());
    service.start().await;
    import(&service).await;
    is_found(&service, "the index").await;
    assert!(service.terminate().await.success());
    let mut left = Left::aside(service);
    let index = left.service.data().join("search.sqlite");
    for (what, harm) in &harms_of_an_index() {
        left.damage(&index, harm);
        left.service.start().await;
        is_found(&left.service, what).await;
        assert!(left.service.terminate().await.success());
    }
}
