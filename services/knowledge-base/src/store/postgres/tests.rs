//! What only the store in PostgreSQL promises.

use std::time::Duration;

use tokio_postgres::NoTls;

use super::super::conformance::{batch, fact, origin};
use super::testing::Database;
use super::*;
use crate::grammar::parse;
use crate::store::{
    Added, Backend, Confidence, Context, FactId, Filter, NewFact, ReadError, Revision, TextQuery,
};
use crate::testing::Directory;

/// A wait for what should take milliseconds.
const DEADLINE: Duration = Duration::from_secs(30);

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.unwrap_or_else(|_| panic!("{what}: not within {DEADLINE:?}"))
}

/// A connection behind the store's back.
async fn behind(database: &Database) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(&database.server.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

#[tokio::test]
async fn replicas_that_open_together_make_the_tables_once_and_write_without_holes() {
    let database = Database::new();
    let directories = [Directory::new(), Directory::new(), Directory::new()];
    let [first, second, third] = &directories;
    let ((one, _), (two, _), (three, _)) =
        tokio::join!(database.replica(first), database.replica(second), database.replica(third));
    let stores = [one, two, three];
    let mut adding = Vec::new();
    for number in 0..90 {
        let store = stores[number % 3].clone();
        adding.push(tokio::spawn(async move {
            let written = store.add(fact(&format!("P({number})")), origin()).await.unwrap();
            assert!(store.snapshot().revision >= written.revision, "an own commit is seen before its answer");
            let Added::New { id, .. } = written.outcome else { panic!("{written:?}") };
            (written.revision.0, id.0)
        }));
    }
    let mut written = Vec::new();
    for task in adding {
        written.push(task.await.unwrap());
    }
    written.sort_unstable();
    assert_eq!(written, (1..=90).map(|number| (number, number)).collect::<Vec<_>>(), "in one order, no hole");
    for store in &stores {
        let mut watch = store.watch();
        let seen = within("a replica sees all commits", watch.wait_for(|seen| seen.revision == Revision(90)));
        assert_eq!(seen.await.unwrap().fact_count, 90);
        let changes = store.changes(Revision(1), 100, usize::MAX).await.unwrap();
        let chained = changes.windows(2).all(|pair| {
            pair[1].digest == pair[0].digest.chain(pair[1].revision, &pair[1].event_type, &pair[1].body)
        });
        assert!(chained && changes.len() == 90);
    }
}

#[tokio::test]
async fn a_fact_that_replicas_add_at_once_is_new_once_and_a_duplicate_for_the_others() {
    let database = Database::new();
    let (here, there) = (Directory::new(), Directory::new());
    let ((one, _), (two, _)) = tokio::join!(database.replica(&here), database.replica(&there));
    for number in 0..30 {
        let text = format!("P({number})");
        let many = (0..3).map(|other| fact(&format!("P({})", number + other))).collect();
        let (first, second, third) =
            tokio::join!(one.add(fact(&text), origin()), two.add(fact(&text), origin()), batch(&*two, many));
        let new = [first.unwrap().outcome, second.unwrap().outcome]
            .iter()
            .filter(|outcome| matches!(outcome, Added::New { .. }))
            .count() as u64;
        assert!(new <= 1 && third.outcome.added + third.outcome.duplicates == 3);
    }
    assert_eq!(one.snapshot().fact_count.max(two.snapshot().fact_count), 32);
    let ids = one.list(Filter::default(), FactId(0), 100).await.unwrap().value;
    assert!(ids.iter().map(|fact| fact.id.0).eq(1..=32), "no number is left out");
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let database = Database::new();
    let directory = Directory::new();
    let (store, tasks) = database.replica(&directory).await;
    drop(store);
    tasks.join().await;
    behind(&database).await.batch_execute("UPDATE bywash.version SET version = 99").await.unwrap();
    let metrics = crate::store::StoreMetrics::new(&chassis::Metrics::new());
    let error = PostgresStore::open(&database.options(&directory), metrics).await.err().unwrap();
    assert_eq!(error.code(), "store_unusable");
    let OpenError::Unusable { source, .. } = error else { panic!("{error}") };
    assert!(matches!(source, schema::SchemaError::Newer { found: 99, known: 1 }), "{source}");
}

#[tokio::test]
async fn a_database_that_is_away_is_told_at_once_and_used_again_when_it_is_back() {
    let mut database = Database::new();
    let directory = Directory::new();
    let (store, _tasks) = database.replica(&directory).await;
    store.add(fact("P(1)"), origin()).await.unwrap();
    database.server.kill();
    for number in 2..5 {
        let refused = within("a write is refused", store.add(fact(&format!("P({number})")), origin())).await;
        assert!(matches!(refused, Err(WriteError::Unavailable)), "{refused:?}");
        let refused = within("a read is refused", store.fact(FactId(1))).await;
        assert!(matches!(refused, Err(ReadError::Unavailable)), "{refused:?}");
    }
    database.server.restart();
    let added = within("it writes again", async {
        loop {
            match store.add(fact("P(2)"), origin()).await {
                Ok(written) => break written,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    });
    assert_eq!(added.await.revision, Revision(2));
    assert_eq!(store.fact(FactId(2)).await.unwrap().value.unwrap().statement, "P(2).");
    let found = store.search(TextQuery::parse("P").unwrap(), None, 9).await.unwrap();
    assert_eq!((found.value.len(), found.revision), (2, Revision(2)));
    // The follower finds its way back too: another's commit is seen.
    let elsewhere = Directory::new();
    let (other, _tasks) = database.replica(&elsewhere).await;
    other.add(fact("P(3)"), origin()).await.unwrap();
    let mut watch = store.watch();
    let seen = watch.wait_for(|seen| seen.revision == Revision(3));
    within("the other's commit is seen", seen).await.unwrap();
}

/// A commit waits for a standby that never comes, and its session is ended meanwhile: it is done, and nobody said so.
#[tokio::test]
async fn a_commit_that_is_cut_off_and_done_is_answered_as_done() {
    let database = Database::new();
    let directory = Directory::new();
    let (store, _tasks) = database.replica(&directory).await;
    store.add(fact("P(1)"), origin()).await.unwrap();
    let client = behind(&database).await;
    let set = async |standby: &str| {
        client
            .batch_execute(&format!("ALTER SYSTEM SET synchronous_standby_names = '{standby}'"))
            .await
            .unwrap();
        client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    };
    set("nobody").await;
    let (waits, mut waited) = tokio::sync::oneshot::channel();
    let adding = tokio::spawn({
        let store = store.clone();
        // The server takes the setting over in its own time, so the first commits may not wait.
        async move {
            let mut number = 2;
            loop {
                let written = store.add(fact(&format!("P({number})")), origin()).await;
                if waited.try_recv().is_ok() {
                    break (number, written);
                }
                number += 1;
            }
        }
    });
    let waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    let pid: i32 = within("the commit waits", async {
        loop {
            if let Some(row) = client.query_opt(waiting, &[]).await.unwrap() {
                break row.get(0);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    waits.send(()).unwrap();
    set("").await;
    client.execute("SELECT pg_terminate_backend($1)", &[&pid]).await.unwrap();
    let (number, written) = within("it is found out", adding).await.unwrap();
    let written = written.unwrap();
    assert!(matches!(written.outcome, Added::New { id, .. } if id == FactId(number)));
    assert_eq!((written.revision, store.snapshot().revision), (Revision(number), Revision(number)));
    let changes = store.changes(Revision(1), 1000, usize::MAX).await.unwrap();
    assert_eq!(changes.len() as u64, number, "once");
}

/// A session that waits for the counter is ended: what it would have done is not done.
#[tokio::test]
async fn a_write_whose_session_ends_before_its_commit_leaves_no_trace() {
    let database = Database::new();
    let directory = Directory::new();
    let (store, _tasks) = database.replica(&directory).await;
    store.add(fact("P(1)"), origin()).await.unwrap();
    let client = behind(&database).await;
    client.batch_execute("BEGIN; SELECT * FROM bywash.meta FOR UPDATE").await.unwrap();
    let adding = tokio::spawn({
        let store = store.clone();
        async move { store.add(fact("P(2)"), origin()).await }
    });
    let other = behind(&database).await;
    let ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE wait_event_type = 'Lock' AND application_name = 'bywash-knowledge-base'";
    within("the writer waits", async {
        while other.query_opt(ended, &[]).await.unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    let refused = within("it is refused", adding).await.unwrap();
    assert!(matches!(refused, Err(WriteError::Unavailable)), "{refused:?}");
    client.batch_execute("COMMIT").await.unwrap();
    let written = store.add(fact("P(3)"), origin()).await.unwrap();
    assert_eq!(written.revision, Revision(2), "no hole");
}

#[tokio::test]
async fn one_replica_leads_and_the_next_when_it_lets_go_or_is_cut_off() {
    let database = Database::new();
    let (here, there) = (Directory::new(), Directory::new());
    let ((one, _), (two, _)) = tokio::join!(database.replica(&here), database.replica(&there));
    let first = within("the first leads", one.lead()).await;
    let waiting = tokio::spawn({
        let two = two.clone();
        async move { two.lead().await }
    });
    let client = behind(&database).await;
    let holders = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted";
    assert_eq!(client.query(holders, &[]).await.unwrap().len(), 1);
    assert!(!waiting.is_finished());
    drop(first);
    let mut second = within("the second leads", waiting).await.unwrap();
    let pid: i32 = client.query_one(holders, &[]).await.unwrap().get(0);
    client.execute("SELECT pg_terminate_backend($1)", &[&pid]).await.unwrap();
    within("it is told", second.lost()).await;
    let _third = within("another may lead", one.lead()).await;
}

#[tokio::test]
async fn every_text_is_kept_also_with_characters_that_postgresql_has_no_place_for() {
    let database = Database::new();
    let directory = Directory::new();
    let (store, _tasks) = database.replica(&directory).await;
    for (number, context) in
        ["a\0b", "\u{1}0", "", "'; DROP TABLE facts --", "ünï\u{10ffff}"].iter().enumerate()
    {
        let parsed = parse(&format!("P({number})")).unwrap();
        let new = NewFact::new(&parsed, Context::new(context).unwrap(), Confidence::DEFAULT);
        let Added::New { id, .. } = store.add(new, origin()).await.unwrap().outcome else { panic!() };
        assert_eq!(store.fact(id).await.unwrap().value.unwrap().context, *context);
    }
    let filter = Filter { predicate: Some("P\0".to_owned()), ..Filter::default() };
    assert!(store.list(filter, FactId(0), 10).await.unwrap().value.is_empty());
}

#[tokio::test]
async fn the_index_for_search_is_kept_and_built_anew_where_the_database_is_another() {
    let mut database = Database::new();
    let directory = Directory::new();
    let found = async |store: &PostgresStore| {
        let seen = store.search(TextQuery::parse("word").unwrap(), None, 10).await.unwrap();
        seen.value.into_iter().map(|hit| hit.found.statement).collect::<Vec<_>>()
    };
    let (store, tasks) = database.replica(&directory).await;
    store.add(fact("P(word, 1)"), origin()).await.unwrap();
    assert_eq!(found(&store).await, ["P(word, 1)."]);
    drop(store);
    tasks.join().await;
    let (store, tasks) = database.replica(&directory).await;
    assert_eq!(found(&store).await, ["P(word, 1)."]);
    drop(store);
    tasks.join().await;
    // The same directory, and a database that has as many changes and other ones.
    database.server = server::Postgres::start();
    let (store, _tasks) = database.replica(&directory).await;
    store.add(fact("P(word, 2)"), origin()).await.unwrap();
    assert_eq!(found(&store).await, ["P(word, 2)."]);
}

#[tokio::test]
async fn a_read_that_takes_too_long_is_ended_and_the_relay_still_reads() {
    let database = Database::new();
    let directory = Directory::new();
    let (store, _tasks) = database.replica(&directory).await;
    store.add(fact("P(1)"), origin()).await.unwrap();
    let client = behind(&database).await;
    client.batch_execute("BEGIN; LOCK TABLE bywash.facts IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let slow = within("it is ended", store.fact(FactId(1))).await;
    assert!(matches!(slow, Err(ReadError::TooSlow)), "{slow:?}");
    assert_eq!(store.changes(Revision(1), 10, usize::MAX).await.unwrap().len(), 1);
    client.batch_execute("COMMIT").await.unwrap();
    assert!(store.fact(FactId(1)).await.unwrap().value.is_some());
}
