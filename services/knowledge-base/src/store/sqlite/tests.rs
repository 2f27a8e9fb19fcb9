//! What only the store in a file promises.

use std::sync::Arc;
use std::time::Duration;

use chassis::health::Health;
use chassis::{Metrics, Shutdown};

use super::super::conformance::{batch, fact, origin};
use super::open::DATABASE_FILE;
use super::*;
use crate::store::{Added, Backend, FactId, Filter, Revision, StoreMetrics};
use crate::testing::Directory;

fn open(directory: &Directory) -> Result<(SqliteStore, StoreThreads), OpenError> {
    let options = SqliteOptions { data_dir: directory.path().to_owned(), size_bytes_max: None };
    SqliteStore::open(&options, StoreMetrics::new(&Metrics::new()))
}

#[test]
fn sqlite_is_built_with_the_flags_of_the_workspace() {
    let sql = "SELECT sqlite_compileoption_used('DEFAULT_MEMSTATUS=0')";
    let used: bool = Connection::open_in_memory().unwrap().query_row(sql, (), |row| row.get(0)).unwrap();
    assert!(used, "LIBSQLITE3_FLAGS of .cargo/config.toml did not arrive");
}

#[tokio::test]
async fn two_processes_cannot_open_one_store() {
    let directory = Directory::new();
    let (store, threads) = open(&directory).unwrap();
    let error = open(&directory).err().unwrap();
    assert_eq!(error.code(), "data_dir_in_use", "{error}");
    drop(store);
    threads.join();
    assert!(open(&directory).is_ok(), "the lock ends with the store");
}

#[tokio::test]
async fn a_damaged_a_foreign_and_a_newer_database_are_refused() {
    let directory = Directory::new();
    let path = directory.path().join(DATABASE_FILE);
    std::fs::create_dir_all(directory.path()).unwrap();
    std::fs::write(&path, "this is no database, and it is long enough to have a header of one").unwrap();
    let error = open(&directory).err().unwrap();
    assert_eq!(error.code(), "store_unusable");
    assert!(error.to_string().contains("backup"), "{error}");

    let foreign = |sql: &str| {
        std::fs::remove_file(&path).unwrap();
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        match open(&directory).err().unwrap() {
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
    let (store, threads) = open(&directory).unwrap();
    let facts = (0..1000).map(|number| fact(&format!("P({number}, \"some text to fill pages\")"))).collect();
    batch(&store, facts).await;
    drop(store);
    threads.join();
    let path = directory.path().join(DATABASE_FILE);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8192].fill(0x5A);
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(open(&directory).err().unwrap().code(), "store_unusable");
}

#[tokio::test]
async fn a_full_disk_fails_the_write_without_a_trace_and_reads_go_on() {
    let directory = Directory::new();
    let options = SqliteOptions { data_dir: directory.path().to_owned(), size_bytes_max: Some(256 * 1024) };
    let (store, _threads) = SqliteStore::open(&options, StoreMetrics::new(&Metrics::new())).unwrap();
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
async fn a_batch_keeps_its_turn_until_it_is_done_although_nobody_waits() {
    let directory = Directory::new();
    let (store, _threads) = open(&directory).unwrap();
    let (writes, mut queue) = mpsc::channel(BATCHES_AT_ONCE);
    let waiting = SqliteStore {
        look_ups: LookUps::open(&directory.path().join(DATABASE_FILE)).unwrap(),
        writes,
        reads: store.reads.clone(),
        search_reads: store.search_reads.clone(),
        relay_reads: store.relay_reads.clone(),
        follower_reads: store.follower_reads.clone(),
        exports: store.exports.clone(),
        sweeper: Sweeper::start(async || None),
        batches: Arc::clone(&store.batches),
        snapshot: store.snapshot.clone(),
    };
    // A start looks for what is to be freed, and that is a batch too.
    tokio::task::yield_now().await;
    drop(store.batches.acquire_many(u32::try_from(BATCHES_AT_ONCE).unwrap()).await.unwrap());
    drop(waiting.send_batch(vec![fact("P(1)")], origin()).await.unwrap());
    assert_eq!(store.batches.available_permits(), BATCHES_AT_ONCE - 1, "it is queued");
    // The writer gets it.
    store.writes.send(queue.recv().await.unwrap()).await.unwrap();
    store.watch().wait_for(|snapshot| snapshot.fact_count == 1).await.unwrap();
    let all = store.batches.acquire_many(u32::try_from(BATCHES_AT_ONCE).unwrap()).await.unwrap();
    assert_eq!(all.num_permits(), BATCHES_AT_ONCE, "its turn is over");
}

#[tokio::test]
async fn a_look_up_that_finds_no_connection_free_is_done_by_a_reader() {
    let directory = Directory::new();
    let (store, _threads) = open(&directory).unwrap();
    store.add(fact("P(1)"), origin()).await.unwrap();
    let all: Vec<_> = std::iter::from_fn(|| store.look_ups.free()).collect();
    assert!(!all.is_empty());
    let looked_up = store.fact(FactId(1));
    let found = tokio::time::timeout(Duration::from_secs(10), looked_up).await.unwrap().unwrap();
    assert_eq!((found.value.unwrap().statement.as_str(), found.revision), ("P(1).", Revision(1)));
}

#[tokio::test]
async fn a_job_that_fails_leaves_no_trace_and_those_beside_it_are_done() {
    let directory = Directory::new();
    let (store, _threads) = open(&directory).unwrap();
    let (open, gate) = std::sync::mpsc::channel::<()>();
    // While the writer waits in this one, the others come together.
    let blocking = store.write(move |_, _| Ok(gate.recv().is_err()));
    let failing = store.write(|connection, position| {
        facts::add_one(connection, position, &fact("Half(done)"), &origin())?;
        connection.execute("INSERT INTO nowhere VALUES (1)", ())
    });
    let (before, after) = (store.add(fact("P(1)"), origin()), store.add(fact("P(2)"), origin()));
    let open = async {
        tokio::task::yield_now().await;
        drop(open);
    };
    let (blocked, before, failed, after, ()) = tokio::join!(blocking, before, failing, after, open);
    assert!(blocked.unwrap().outcome);
    assert!(matches!(failed, Err(WriteError::Failed(_))), "{failed:?}");
    assert_eq!((before.unwrap().revision, after.unwrap().revision), (Revision(1), Revision(2)));
    let facts = store.list(Filter::default(), FactId(0), 10).await.unwrap().value;
    assert_eq!(facts.iter().map(|fact| &*fact.statement).collect::<Vec<_>>(), ["P(1).", "P(2)."]);
    assert_eq!(store.snapshot().fact_count, 2);
}

#[tokio::test]
async fn the_relay_reads_while_requests_are_refused_and_one_that_waited_too_long_is_not_begun() {
    let directory = Directory::new();
    let (store, _threads) = open(&directory).unwrap();
    store.add(fact("P(1)"), origin()).await.unwrap();
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let gate = Arc::new(std::sync::Mutex::new(gate));
    for _ in 0..reader::POINT.threads + reader::POINT.waiting {
        let gate = Arc::clone(&gate);
        let read: reader::Read = Box::new(move |_| {
            // Ends when the gate's other side is dropped.
            let _ = gate.lock().unwrap().recv();
        });
        store.reads.send(read).await.unwrap();
    }
    let look_ups: Vec<_> = std::iter::from_fn(|| store.look_ups.free()).collect();
    assert!(matches!(store.fact(FactId(1)).await, Err(ReadError::Overloaded)));
    drop(look_ups);
    assert!(store.fact(FactId(1)).await.is_ok(), "a look-up here waits for no thread");
    assert_eq!(store.changes(Revision(1), 10, usize::MAX).await.unwrap().len(), 1);
    assert_eq!(store.oldest_change(Revision(0)).await.unwrap().unwrap().0, Revision(1));

    drop(open);
    let (late, answer) = reader::read(|_| Ok(()), Some(Instant::now()));
    store.reads.send(late).await.unwrap();
    assert!(matches!(answer.await.unwrap(), Err(ReadError::Overloaded)));
    assert_eq!(store.fact(FactId(1)).await.unwrap().value.unwrap().id, FactId(1));
}

#[tokio::test]
async fn a_thread_that_dies_makes_the_service_unready_and_a_stop_does_not() {
    let directory = Directory::new();
    let (store, _threads) = open(&directory).unwrap();
    let store = Arc::new(store);
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

/// A database as a program of schema version `version` left it, with facts and changes that were made under version 1.
fn database_of_version(directory: &Directory, version: usize) {
    std::fs::create_dir_all(directory.path()).unwrap();
    let connection = Connection::open(directory.path().join(DATABASE_FILE)).unwrap();
    for (number, statements) in schema::MIGRATIONS.iter().take(version).enumerate() {
        connection.execute_batch(statements).unwrap();
        if number == 0 {
            connection.execute_batch(AS_WRITTEN_BY_VERSION_1).unwrap();
        }
    }
    connection.pragma_update(None, "application_id", 0x4259_5741).unwrap();
    connection.pragma_update(None, "user_version", version).unwrap();
}

/// Facts 1 and 3; there never was a 2, as after a restored backup. `knows` and `ada` are found by word and entity.
const AS_WRITTEN_BY_VERSION_1: &str = "
    INSERT INTO meta VALUES (1, 'e', 2, 2, 1);
    INSERT INTO facts VALUES (1, 'Knows(ada, bob).', 'Knows', 0, 'a letter', 0.5, 1700000000000, 1);
    INSERT INTO facts VALUES (3, '-P(1).', 'P', 1, '', 1.0, 1700000000001, 2);
    INSERT INTO fact_text (rowid, statement) VALUES (1, 'Knows(ada, bob).'), (3, '-P(1).');
    INSERT INTO changes VALUES (1, 'fact_added', x'7b7d', NULL, 1700000000000, zeroblob(16));
    INSERT INTO changes VALUES (2, 'fact_added', x'7b7d', NULL, 1700000000001, zeroblob(16));
";

#[tokio::test]
async fn a_store_of_every_version_that_ever_was_is_brought_up_to_date() {
    for version in 1..=schema::MIGRATIONS.len() {
        let directory = Directory::new();
        database_of_version(&directory, version);
        let path = directory.path().join(DATABASE_FILE);
        // What the program wrote beside the rows, with today's functions: the tables have not changed since.
        let connection = Connection::open(&path).unwrap();
        for (text, id) in [("Knows(ada, bob)", 1), ("-P(1)", 3)] {
            let hash = super::super::model::hash64(fact(text).statement());
            connection.execute("INSERT INTO statements VALUES (?1, ?2)", (hash, id)).unwrap();
        }
        if version > 1 {
            connection.execute_batch("UPDATE meta SET next_fact = 4").unwrap();
        }
        drop(connection);

        let (store, threads) = open(&directory).unwrap();
        let snapshot = store.snapshot();
        assert_eq!(
            (snapshot.epoch.as_str(), snapshot.revision.0, snapshot.fact_count),
            ("e", 2, 2),
            "{version}"
        );
        let kept = store.fact(FactId(1)).await.unwrap().value.unwrap();
        assert_eq!((kept.statement.as_str(), kept.context.as_str()), ("Knows(ada, bob).", "a letter"));
        assert_eq!((kept.confidence, kept.updated_at), (0.5, None));
        assert!(matches!(
            store.add(fact("P(new)"), origin()).await.unwrap().outcome,
            Added::New { id: FactId(4), .. }
        ));
        assert!(matches!(
            store.add(fact("-P(1)"), origin()).await.unwrap().outcome,
            Added::Duplicate { id: FactId(3) }
        ));
        store.delete(FactId(3), origin()).await.unwrap();
        drop(store);
        threads.join();
        let (store, _threads) = open(&directory).unwrap();
        assert_eq!(store.snapshot().revision, Revision(4), "version {version} goes on as its own");
    }
}

#[test]
fn a_disk_without_room_for_the_index_of_the_log_is_a_full_one() {
    for code in [ffi::SQLITE_FULL, ffi::SQLITE_IOERR_SHMSIZE] {
        let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
        assert!(matches!(write_error(error), WriteError::StorageFull), "{code}");
    }
    let other = rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_IOERR_WRITE), None);
    assert!(matches!(write_error(other), WriteError::Failed(_)));
}
