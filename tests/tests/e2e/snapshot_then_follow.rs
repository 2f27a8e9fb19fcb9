//! A client reads a snapshot and follows from its revision while others write: what it then knows is exactly what the
//! store has.

use std::collections::BTreeMap;

use bywash_tests::platform::{FACTS, Platform};
use bywash_tests::service::Kind;
use bywash_tests::sse::{Sse, SseEvent};
use bywash_tests::wait::eventually;
use reqwest::{Client, Method};
use serde_json::{Value, json};

/// What a client knows: the statement of each number.
type Known = BTreeMap<u64, String>;

/// Writers at once, and what each does: adds, bulk adds, changes and deletions of its own facts and of the others'.
const WRITERS: u64 = 4;
const WRITES: u64 = 120;

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// All facts, page by page, each of which may be younger than the one before; and where the first is from.
async fn snapshot(base: &str) -> (Known, String, u64) {
    let (mut known, mut from, mut cursor) = (Known::new(), None, String::new());
    loop {
        let page: Value = reqwest::get(format!("{base}/api/facts?limit=50{cursor}"))
            .await
            .expect("the knowledge base is reachable")
            .json()
            .await
            .expect("pages are JSON");
        for fact in page["facts"].as_array().expect("a list") {
            known.insert(number(&fact["id"]), text(&fact["statement"]));
        }
        let (epoch, revision) = from.get_or_insert_with(|| (text(&page["epoch"]), number(&page["revision"])));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return (known, epoch.clone(), *revision),
        }
    }
}

/// Applies one event. A batch does not carry its facts: they are asked for.
async fn apply(base: &str, known: &mut Known, event: &SseEvent) {
    let data = &event.data["data"];
    match event.data["type"].as_str() {
        Some("fact_added" | "fact_updated") => {
            known.insert(number(&data["id"]), text(&data["statement"]));
        }
        Some("fact_deleted") => {
            known.remove(&number(&data["id"]));
        }
        Some("facts_imported") => {
            for id in number(&data["first_id"])..=number(&data["last_id"]) {
                let answer = reqwest::get(format!("{base}/api/facts/{id}")).await.expect("reachable");
                // One that is gone by now has its own event on the way.
                if answer.status().is_success() {
                    let fact: Value = answer.json().await.expect("a fact is JSON");
                    known.insert(id, text(&fact["statement"]));
                } else {
                    known.remove(&id);
                }
            }
        }
        other => panic!("{other:?} on {FACTS}"),
    }
}

/// Returns the last revision that a write was answered with.
async fn write(base: String, writer: u64) -> u64 {
    let client = Client::new();
    let mut last = 0;
    for step in 0..WRITES {
        let id = fastrand::u64(1..=1 + WRITERS * step);
        let statement = json!({"statement": format!("P(w{writer}, {step})")});
        let request = match step % 6 {
            0 => {
                let lines: String = (0..7).map(|line| format!("B(w{writer}, {step}, {line})\n")).collect();
                client.post(format!("{base}/api/facts/bulk")).header("content-type", "text/plain").body(lines)
            }
            1..=3 => client.post(format!("{base}/api/facts")).json(&statement),
            4 => client.put(format!("{base}/api/facts/{id}")).json(&statement),
            _ => client.request(Method::DELETE, format!("{base}/api/facts/{id}")),
        };
        let answer = request.send().await.expect("the knowledge base is reachable");
        let body: Value = answer.json().await.expect("answers are JSON");
        // Another writer may have deleted the fact before.
        last = last.max(body["revision"].as_u64().unwrap_or(0));
    }
    last
}

#[tokio::test]
async fn a_snapshot_and_what_is_followed_since_is_exactly_the_store() {
    let platform = Platform::facts_to_clients().await;
    let base = platform.url(Kind::KnowledgeBase, "");
    platform.add("P(first)").await;
    let writers: Vec<_> = (0..WRITERS).map(|writer| tokio::spawn(write(base.clone(), writer))).collect();
    // In the middle of it: some is written already, and more comes.
    eventually("some is written", || async {
        let (_, count) = platform.get(Kind::KnowledgeBase, "/api/facts/count").await;
        if number(&count["revision"]) > 40 { Ok(()) } else { Err(count.to_string()) }
    })
    .await;

    let (mut known, epoch, revision) = snapshot(&base).await;
    let stream =
        Sse::open(&platform.stream_url(&format!("topics={FACTS}&since=kb:{epoch}:{revision}"))).await;
    assert_eq!(stream.named("ready").await.data["resumed"], true);
    let mut last = 0;
    for writer in writers {
        last = last.max(writer.await.expect("no writer panics"));
    }
    assert!(last > revision, "nothing was written after the snapshot of {revision}");
    stream.with_sequence(FACTS, last).await;
    let sequences = stream.sequences(FACTS);
    assert_eq!(sequences, (revision + 1..=last).collect::<Vec<_>>(), "every change once and in order");
    for event in stream.events.all().into_iter().filter(|event| event.is_of(FACTS)) {
        apply(&base, &mut known, &event).await;
    }
    let (truth, ..) = snapshot(&base).await;
    assert_eq!(known, truth);
}
