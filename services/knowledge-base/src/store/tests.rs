//! What the store promises, over real files.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use chassis::health::Health;
use chassis::{Metrics, Shutdown};

use super::*;
use crate::grammar::parse;

/// A directory that is gone when the test ends.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("bywash-store-{}-{number}", std::process::id())))
    }

    fn options(&self) -> StoreOptions {
        StoreOptions { data_dir: self.0.clone(), size_bytes_max: None }
    }

    fn open(&self) -> Result<(Store, StoreThreads), OpenError> {
        Store::open(&self.options(), StoreMetrics::new(&Metrics::new()))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn fact(text: &str) -> NewFact {
    NewFact::new(&parse(text).unwrap(), Context::default(), Confidence::DEFAULT)
}

fn origin() -> Origin {
    Origin { actor: "ada".into(), traceparent: Some("00-1-2-01".into()) }
}

#[tokio::test]
async fn a_fact_is_one_change_and_a_second_time_a_duplicate() {
    let directory = Directory::new();
    let (store, _threads) = directory.open().unwrap();
    let first = store.add(fact("P(a,b)"), origin()).await.unwrap();
    let Added::New { id, created_at } = first.outcome else { panic!("{first:?}") };
    assert_eq!((id, first.revision), (FactId(1), Revision(1)));
    let again = store.add(fact("P( a, b )."), origin()).await.unwrap();
    assert_eq!((again.outcome, again.revision), (Added::Duplicate { id }, Revision(1)));

    let seen = store.fact(id).await.unwrap();
    let kept = seen.value.unwrap();
    assert_eq!(
        (kept.statement.as_str(), kept.created_at, kept.revision),
        ("P(a, b).", created_at, Revision(1))
    );
    assert_eq!((seen.revision, seen.epoch), (Revision(1), store.snapshot().epoch));

    let changes = store.changes(Revision(1), 10, usize::MAX).await.unwrap();
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].event_type, "fact_added");
    assert_eq!(changes[0].traceparent.as_deref(), Some("00-1-2-01"));
    assert_eq!(changes[0].digest, Digest::EMPTY.chain(Revision(1), "fact_added", &changes[0].body));
    let body: serde_json::Value = serde_json::from_slice(&changes[0].body).unwrap();
    assert_eq!(body["statement"], "P(a, b).");
}

#[tokio::test]
async fn posts_that_arrive_together_share_commits_and_keep_their_own_revisions() {
    let directory = Directory::new();
    let (store, _threads) = directory.open().unwrap();
    let posts = (0..200).map(|number| {
        let store = store.clone();
        tokio::spawn(
            async move { store.add(fact(&format!("P({number})")), origin()).await.unwrap().revision },
        )
    });
    let mut revisions = Vec::new();
    for post in posts.collect::<Vec<_>>() {
        revisions.push(post.await.unwrap());
    }
    revisions.sort();
    assert_eq!(revisions, (1..=200).map(Revision).collect::<Vec<_>>(), "no hole, no repetition");
    assert_eq!(store.snapshot().fact_count, 200);
}

#[tokio::test]
async fn a_batch_is_one_change_with_consecutive_numbers_and_an_empty_one_is_none() {
    let directory = Directory::new();
    let (store, _threads) = directory.open().unwrap();
    store.add(fact("P(1)"), origin()).await.unwrap();
    let batch = vec![fact("P(0)"), fact("P(1)"), fact("P(2)"), fact("P(2)"), fact("P(3)")];
    let written = store.add_batch(batch.clone(), origin()).await.unwrap();
    assert_eq!(written.outcome, BatchAdded { added: 3, duplicates: 2 });
    assert_eq!(written.revision, Revision(2));
    let again = store.add_batch(batch, origin()).await.unwrap();
    assert_eq!((again.outcome, again.revision), (BatchAdded { added: 0, duplicates: 5 }, Revision(2)));

    let changes = store.changes(Revision(2), 10, usize::MAX).await.unwrap();
    let body: serde_json::Value = serde_json::from_slice(&changes[0].body).unwrap();
    assert_eq!((&body["count"], &body["first_id"], &body["last_id"]), (&3.into(), &2.into(), &4.into()));
    let filter = Filter { revision: Some(Revision(2)), ..Filter::default() };
    let ids: Vec<_> =
        store.list(filter, FactId(0), 10).await.unwrap().value.into_iter().map(|fact| fact.id.0).collect();
    assert_eq!(ids, [2, 3, 4]);
}

#[tokio::test]
async fn everything_is_there_after_a_restart_and_the_digest_chain_goes_on() {
    let directory = Directory::new();
    let (store, threads) = directory.open().unwrap();
    store.add(fact("P(1)"), origin()).await.unwrap();
    store.note_stream_created().await.unwrap();
    let before = store.snapshot();
    drop(store);
    threads.join();

    let (store, _threads) = directory.open().unwrap();
    assert_eq!(store.snapshot(), before);
    assert!(before.stream_created);
    store.add(fact("P(2)"), origin()).await.unwrap();
    let changes = store.changes(Revision(1), 10, usize::MAX).await.unwrap();
    let expected = changes[0].digest.chain(Revision(2), "fact_added", &changes[1].body);
    assert_eq!(changes[1].digest, expected);
}

#[tokio::test]
async fn facts_are_found_by_predicate_entity_and_both_in_pages() {
    let directory = Directory::new();
    let (store, _threads) = directory.open().unwrap();
    for text in ["Knows(Ada, Bob)", "Likes(Ada, \"New York\")", "Knows(Eve, Q(2, Ada))", "Knows(AdaX, b)"] {
        store.add(fact(text), origin()).await.unwrap();
    }
    let ids = async |predicate: Option<&str>, entity: Option<&str>, after, limit| {
        let filter = Filter {
            predicate: predicate.map(str::to_owned),
            entity: entity.map(str::to_owned),
            revision: None,
        };
        let facts = store.list(filter, FactId(after), limit).await.unwrap().value;
        facts.into_iter().map(|fact| fact.id.0).collect::<Vec<_>>()
    };
    assert_eq!(ids(None, None, 1, 2).await, [2, 3]);
    assert_eq!(ids(Some("Knows"), None, 0, 9).await, [1, 3, 4]);
    assert_eq!(ids(None, Some("Ada"), 0, 9).await, [1, 2, 3]);
    assert_eq!(ids(None, Some("New York"), 0, 9).await, [2]);
    assert_eq!(ids(Some("Knows"), Some("Ada"), 1, 9).await, [3]);
    assert_eq!(ids(None, Some("ada"), 0, 9).await, [0; 0], "names are exact");
}

#[tokio::test]
async fn search_ranks_by_words_and_respects_confidence() {
    let directory = Directory::new();
    let (store, _threads) = directory.open().unwrap();
    let doubtful = NewFact::new(
        &parse("Gloss(mill, \"a mill by the water\")").unwrap(),
        Context::default(),
        Confidence::new(0.4).unwrap(),
    );
    store.add(doubtful, origin()).await.unwrap();
    store.add(fact("Gloss(bywash, \"a channel that carries water past a mill\")"), origin()).await.unwrap();
    store.add(fact("Gloss(dog, \"a barking animal\")"), origin()).await.unwrap();
    let ids = async |query: &str, min_confidence: Option<f64>| {
        let expression = match_expression(query).unwrap();
        let min_confidence = min_confidence.map(|value| Confidence::new(value).unwrap());
        let hits = store.search(expression, min_confidence, 10).await.unwrap().value;
        assert!(hits.iter().all(|hit| hit.score > 0.0), "{hits:?}");
        hits.into_iter().map(|hit| hit.fact.id.0).collect::<Vec<_>>()
    };
    assert_eq!(ids("Water MILL", None).await, [1, 2], "the shorter text with both words first");
    assert_eq!(ids("water mill", Some(0.5)).await, [2]);
    assert_eq!(ids("mill NOT water", None).await, [0; 0], "NOT is a word");
}

#[tokio::test]
async fn two_processes_cannot_open_one_store() {
    let directory = Directory::new();
    let (store, threads) = directory.open().unwrap();
    let error = directory.open().err().unwrap();
    assert_eq!(error.code(), "data_dir_in_use", "{error}");
    drop(store);
    threads.join();
    assert!(directory.open().is_ok(), "the lock ends with the store");
}

#[tokio::test]
async fn a_damaged_a_foreign_and_a_newer_database_are_refused() {
    let directory = Directory::new();
    let path = directory.0.join(DATABASE_FILE);
    std::fs::create_dir_all(&directory.0).unwrap();
    std::fs::write(&path, "this is no database, and it is long enough to have a header of one").unwrap();
    let error = directory.open().err().unwrap();
    assert_eq!(error.code(), "store_unusable");
    assert!(error.to_string().contains("backup"), "{error}");

    let foreign = |sql: &str| {
        std::fs::remove_file(&path).unwrap();
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        match directory.open().err().unwrap() {
            OpenError::Unusable { source, .. } => source,
            other => panic!("{other}"),
        }
    };
    assert!(matches!(foreign("CREATE TABLE mine (x)"), SchemaError::Foreign(0)));
    let newer =
        format!("PRAGMA application_id = {}; PRAGMA user_version = 99; CREATE TABLE t (x)", 0x4259_5741);
    assert!(matches!(foreign(&newer), SchemaError::Newer { found: 99, .. }));
}

#[tokio::test]
async fn damage_inside_a_store_is_found_at_start() {
    let directory = Directory::new();
    let (store, threads) = directory.open().unwrap();
    let facts = (0..1000).map(|number| fact(&format!("P({number}, \"some text to fill pages\")"))).collect();
    store.add_batch(facts, origin()).await.unwrap();
    drop(store);
    threads.join();
    let path = directory.0.join(DATABASE_FILE);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8192].fill(0x5A);
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(directory.open().err().unwrap().code(), "store_unusable");
}

#[tokio::test]
async fn a_full_disk_fails_the_write_without_a_trace_and_reads_go_on() {
    let directory = Directory::new();
    let options = StoreOptions { size_bytes_max: Some(256 * 1024), ..directory.options() };
    let (store, _threads) = Store::open(&options, StoreMetrics::new(&Metrics::new())).unwrap();
    let mut number = 0;
    let error = loop {
        number += 1;
        let text = format!("P({number}, \"{}\")", "x".repeat(4000));
        match store.add(fact(&text), origin()).await {
            Ok(_) => assert!(number < 1000, "the limit was never reached"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, WriteError::StorageFull), "{error:?}");
    let snapshot = store.snapshot();
    assert_eq!(snapshot.revision, Revision(number - 1));
    let seen = store.list(Filter::default(), FactId(0), 1000).await.unwrap();
    assert_eq!((seen.value.len() as u64, seen.revision), (number - 1, snapshot.revision));
}

#[tokio::test]
async fn a_new_epoch_keeps_the_revisions_and_is_kept() {
    let directory = Directory::new();
    let (store, threads) = directory.open().unwrap();
    store.add(fact("P(1)"), origin()).await.unwrap();
    let old = store.snapshot();
    let written = store.begin_epoch().await.unwrap();
    assert_ne!(written.epoch, old.epoch);
    assert_eq!((written.revision, store.snapshot().epoch), (old.revision, written.epoch.clone()));
    drop(store);
    threads.join();
    assert_eq!(directory.open().unwrap().0.snapshot().epoch, written.epoch);
}

#[tokio::test]
async fn trimming_goes_in_steps_and_never_takes_the_newest_change() {
    let directory = Directory::new();
    let (store, threads) = directory.open().unwrap();
    for number in 0..5 {
        store.add(fact(&format!("P({number})")), origin()).await.unwrap();
    }
    let oldest = async || store.oldest_change(Revision(0)).await.unwrap().unwrap().0;
    assert_eq!(store.trim_changes(Revision(3)).await.unwrap().outcome, 2);
    assert_eq!(oldest().await, Revision(3));
    assert_eq!(store.trim_changes(Revision(99)).await.unwrap().outcome, 2);
    assert_eq!(oldest().await, Revision(5));
    assert_eq!(store.digest(Revision(4)).await.unwrap(), None);
    drop(store);
    threads.join();
    assert!(directory.open().is_ok(), "a trimmed log is no damage");
}

#[tokio::test]
async fn batches_are_added_in_the_order_in_which_they_were_handed_over() {
    let directory = Directory::new();
    let (store, _threads) = directory.open().unwrap();
    let mut sent = Vec::new();
    for batch in 0..6 {
        let facts = (0..10).map(|number| fact(&format!("P({batch}, {number})"))).collect();
        sent.push(store.send_batch(facts, origin()).await.unwrap());
    }
    for (index, batch) in sent.into_iter().enumerate() {
        let written = batch.written().await.unwrap();
        assert_eq!(written.revision, Revision(index as u64 + 1));
        assert_eq!(written.outcome, BatchAdded { added: 10, duplicates: 0 });
    }
    let last = store.fact(FactId(60)).await.unwrap().value.unwrap();
    assert_eq!(last.statement, "P(5, 9).");
}

#[tokio::test]
async fn a_change_is_old_only_before_both_limits() {
    let directory = Directory::new();
    let (store, _threads) = directory.open().unwrap();
    for number in 0..3 {
        store.add(fact(&format!("P({number})")), origin()).await.unwrap();
    }
    let later = UnixMillis(UnixMillis::now().0 + 1);
    let last = async |from, moment| store.last_change_before(Revision(from), moment).await.unwrap();
    assert_eq!(last(3, later).await, Some(Revision(2)));
    assert_eq!(last(99, later).await, Some(Revision(3)));
    assert_eq!(last(3, UnixMillis(0)).await, None, "nothing is that old");
    assert_eq!(last(1, later).await, None, "the stream keeps everything");
}

#[tokio::test]
async fn a_batch_keeps_its_turn_until_it_is_done_although_nobody_waits() {
    let directory = Directory::new();
    let (store, _threads) = directory.open().unwrap();
    let (writes, mut queue) = mpsc::channel(BATCHES_AT_ONCE);
    let waiting = Store { writes, ..store.clone() };
    drop(waiting.send_batch(vec![fact("P(1)")], origin()).await.unwrap());
    assert_eq!(store.batches.available_permits(), BATCHES_AT_ONCE - 1, "it is queued");
    // The writer gets it.
    store.writes.send(queue.recv().await.unwrap()).await.unwrap();
    store.watch().wait_for(|snapshot| snapshot.fact_count == 1).await.unwrap();
    let all = store.batches.acquire_many(u32::try_from(BATCHES_AT_ONCE).unwrap()).await.unwrap();
    assert_eq!(all.num_permits(), BATCHES_AT_ONCE, "its turn is over");
}

#[tokio::test]
async fn the_relay_reads_while_requests_are_refused_and_one_that_waited_too_long_is_not_begun() {
    let directory = Directory::new();
    let (store, _threads) = directory.open().unwrap();
    store.add(fact("P(1)"), origin()).await.unwrap();
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let gate = Arc::new(std::sync::Mutex::new(gate));
    for _ in 0..reader::READERS + reader::QUEUE_READS {
        let gate = Arc::clone(&gate);
        let read: reader::Read = Box::new(move |_| {
            // Ends when the gate's other side is dropped.
            let _ = gate.lock().unwrap().recv();
        });
        store.reads.send(read).await.unwrap();
    }
    assert!(matches!(store.fact(FactId(1)).await, Err(ReadError::Overloaded)));
    assert_eq!(store.changes(Revision(1), 10, usize::MAX).await.unwrap().len(), 1);
    assert_eq!(store.oldest_change(Revision(0)).await.unwrap().unwrap().0, Revision(1));

    drop(open);
    let (late, answer) = reader::read(|_| Ok(()), Some(Instant::now()));
    store.reads.send(late).await.unwrap();
    assert!(matches!(answer.await.unwrap(), Err(ReadError::TooSlow)));
    assert_eq!(store.fact(FactId(1)).await.unwrap().value.unwrap().id, FactId(1));
}

#[tokio::test]
async fn a_thread_that_dies_makes_the_service_unready_and_a_stop_does_not() {
    let directory = Directory::new();
    let (store, _threads) = directory.open().unwrap();
    let (_stop, running) = Shutdown::manual();
    let health = Health::new("x");
    let watching = crate::watch_store(store.clone(), health.clone(), running);
    let (stop, stopping) = Shutdown::manual();
    let stopped_health = Health::new("x");
    let stopped = crate::watch_store(store.clone(), stopped_health.clone(), stopping);
    assert!(health.readiness().0);
    stop.request();
    stopped.await.unwrap();
    assert!(stopped_health.readiness().0, "nothing was wrong");

    store.relay_reads.send(Box::new(|_| panic!("a fault that the test makes"))).await.unwrap();
    tokio::time::timeout(Duration::from_secs(10), watching).await.unwrap().unwrap();
    assert!(!health.readiness().0);
}
