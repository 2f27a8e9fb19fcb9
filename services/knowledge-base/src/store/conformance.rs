//! What every store promises, over a real database. Each function is a promise; `stores.rs` runs all of them on each
//! backend.

use super::backend::{Added, BatchAdded, DeltaAnswer, FactRow, Filter, Updated, Written};
use super::model::{Confidence, Context, Digest, FactId, NewFact, Origin, Revision, UnixMillis};
use super::text::TextQuery;
use super::{Backend, Store};
use crate::grammar::{parse, parse_kept};

/// A backend under test: opened, and opened again after all its users are gone.
pub trait Opener {
    /// The store, with what was written before.
    async fn open(&mut self) -> Store;
    /// Waits until a store that was dropped everywhere is closed.
    async fn closed(&mut self);
}

pub fn fact(text: &str) -> NewFact {
    NewFact::new(&parse(text).unwrap(), Context::default(), Confidence::DEFAULT)
}

pub fn origin() -> Origin {
    Origin { actor: "ada".into(), traceparent: Some("00-1-2-01".into()) }
}

/// Adds a batch and waits for its commit.
pub async fn batch(store: &dyn Backend, facts: Vec<NewFact>) -> Written<BatchAdded> {
    store.send_batch(facts, origin()).await.unwrap().written().await.unwrap()
}

pub async fn a_fact_is_one_change_and_a_second_time_a_duplicate(opener: &mut impl Opener) {
    let store = opener.open().await;
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

pub async fn posts_that_arrive_together_share_commits_and_keep_their_own_revisions(opener: &mut impl Opener) {
    let store = opener.open().await;
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

pub async fn a_batch_is_one_change_with_consecutive_numbers_and_an_empty_one_is_none(
    opener: &mut impl Opener,
) {
    let store = opener.open().await;
    store.add(fact("P(1)"), origin()).await.unwrap();
    let facts = vec![fact("P(0)"), fact("P(1)"), fact("P(2)"), fact("P(2)"), fact("P(3)")];
    let written = batch(&*store, facts.clone()).await;
    assert_eq!(written.outcome, BatchAdded { added: 3, duplicates: 2 });
    assert_eq!(written.revision, Revision(2));
    let again = batch(&*store, facts).await;
    assert_eq!((again.outcome, again.revision), (BatchAdded { added: 0, duplicates: 5 }, Revision(2)));

    let changes = store.changes(Revision(2), 10, usize::MAX).await.unwrap();
    let body: serde_json::Value = serde_json::from_slice(&changes[0].body).unwrap();
    assert_eq!((&body["count"], &body["first_id"], &body["last_id"]), (&3.into(), &2.into(), &4.into()));
    let filter = Filter { revision: Some(Revision(2)), ..Filter::default() };
    let ids: Vec<_> =
        store.list(filter, FactId(0), 10).await.unwrap().value.into_iter().map(|fact| fact.id.0).collect();
    assert_eq!(ids, [2, 3, 4]);
}

pub async fn everything_is_there_after_a_restart_and_the_digest_chain_goes_on(opener: &mut impl Opener) {
    let store = opener.open().await;
    store.add(fact("P(1)"), origin()).await.unwrap();
    store.note_stream_created().await.unwrap();
    let before = store.snapshot();
    drop(store);
    opener.closed().await;

    let store = opener.open().await;
    assert_eq!(store.snapshot(), before);
    assert!(before.stream_created);
    store.add(fact("P(2)"), origin()).await.unwrap();
    let changes = store.changes(Revision(1), 10, usize::MAX).await.unwrap();
    let expected = changes[0].digest.chain(Revision(2), "fact_added", &changes[1].body);
    assert_eq!(changes[1].digest, expected);
}

pub async fn facts_are_found_by_predicate_entity_and_both_in_pages(opener: &mut impl Opener) {
    let store = opener.open().await;
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

pub async fn search_ranks_by_words_and_respects_confidence(opener: &mut impl Opener) {
    let store = opener.open().await;
    let doubtful = NewFact::new(
        &parse("Gloss(mill, \"a mill by the water\")").unwrap(),
        Context::default(),
        Confidence::new(0.4).unwrap(),
    );
    store.add(doubtful, origin()).await.unwrap();
    store.add(fact("Gloss(bywash, \"a channel that carries water past a mill\")"), origin()).await.unwrap();
    store.add(fact("Gloss(dog, \"a barking animal\")"), origin()).await.unwrap();
    let ids = async |query: &str, min_confidence: Option<f64>| {
        let query = TextQuery::parse(query).unwrap();
        let min_confidence = min_confidence.map(|value| Confidence::new(value).unwrap());
        let hits = store.search(query, min_confidence, 10).await.unwrap().value;
        assert!(hits.iter().all(|hit| hit.score > 0.0), "{hits:?}");
        hits.into_iter().map(|hit| hit.found.id.0).collect::<Vec<_>>()
    };
    assert_eq!(ids("Water MILL", None).await, [1, 2], "the shorter text with both words first");
    assert_eq!(ids("water mill", Some(0.5)).await, [2]);
    assert_eq!(ids("mill NOT water", None).await, [1, 2], "NOT is a word, and any of the words will do");
    assert_eq!(ids("cat", None).await, [0; 0]);
}

pub async fn a_new_epoch_keeps_the_revisions_and_is_kept(opener: &mut impl Opener) {
    let store = opener.open().await;
    store.add(fact("P(1)"), origin()).await.unwrap();
    let old = store.snapshot();
    let written = store.begin_epoch().await.unwrap();
    assert_ne!(written.epoch, old.epoch);
    assert_eq!((written.revision, store.snapshot().epoch), (old.revision, written.epoch.clone()));
    drop(store);
    opener.closed().await;
    assert_eq!(opener.open().await.snapshot().epoch, written.epoch);
}

pub async fn trimming_goes_in_steps_and_never_takes_the_newest_change(opener: &mut impl Opener) {
    let store = opener.open().await;
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
    opener.closed().await;
    assert_eq!(opener.open().await.snapshot().revision, Revision(5), "a trimmed log is no damage");
}

pub async fn batches_are_added_in_the_order_in_which_they_were_handed_over(opener: &mut impl Opener) {
    let store = opener.open().await;
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

pub async fn a_change_is_old_only_before_both_limits(opener: &mut impl Opener) {
    let store = opener.open().await;
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

async fn found(store: &Store, query: &str) -> Vec<u64> {
    let hits = store.search(TextQuery::parse(query).unwrap(), None, 10).await.unwrap().value;
    hits.into_iter().map(|hit| hit.found.id.0).collect()
}

async fn with_entity(store: &Store, entity: &str) -> Vec<u64> {
    let filter = Filter { entity: Some(entity.to_owned()), ..Filter::default() };
    store.list(filter, FactId(0), 10).await.unwrap().value.into_iter().map(|fact| fact.id.0).collect()
}

pub async fn an_update_keeps_the_number_and_is_found_as_it_is_now(opener: &mut impl Opener) {
    let store = opener.open().await;
    store.add(fact("Knows(Ada, Bob)"), origin()).await.unwrap();
    let context = Context::new("a letter").unwrap();
    let new = NewFact::new(&parse("-Likes(Ada, Eve)").unwrap(), context, Confidence::new(0.5).unwrap());
    let written = store.update(FactId(1), new, origin()).await.unwrap();
    assert_eq!(written.revision, Revision(2));
    let kept = store.fact(FactId(1)).await.unwrap().value.unwrap();
    assert_eq!(written.outcome, Updated::Done(kept.clone()));
    assert_eq!((kept.statement.as_str(), kept.context.as_str()), ("-Likes(Ada, Eve).", "a letter"));
    assert!(kept.updated_at.is_some() && kept.revision == Revision(2));
    assert_eq!((found(&store, "Bob").await, found(&store, "Eve").await), (vec![], vec![1]));
    assert_eq!((with_entity(&store, "Bob").await, with_entity(&store, "Eve").await), (vec![], vec![1]));
    let again = store.add(fact("Knows(Ada, Bob)"), origin()).await.unwrap();
    assert!(matches!(again.outcome, Added::New { id: FactId(2), .. }), "what it said before is free");

    let changes = store.changes(Revision(2), 1, usize::MAX).await.unwrap();
    let body: serde_json::Value = serde_json::from_slice(&changes[0].body).unwrap();
    assert_eq!(changes[0].event_type, "fact_updated");
    assert_eq!((&body["id"], &body["previous_statement"]), (&1.into(), &"Knows(Ada, Bob).".into()));
}

pub async fn an_update_to_what_another_fact_says_is_refused_and_one_to_the_same_is_no_change(
    opener: &mut impl Opener,
) {
    let store = opener.open().await;
    batch(&*store, vec![fact("P(1)"), fact("P(2)")]).await;
    let update = async |id, text| store.update(FactId(id), fact(text), origin()).await.unwrap();
    assert_eq!(update(1, "P(2)").await.outcome, Updated::Duplicate { id: FactId(2) });
    assert!(matches!(update(1, "P( 1 )").await.outcome, Updated::Done(_)));
    assert_eq!(update(3, "P(3)").await.outcome, Updated::Missing);
    assert_eq!(store.snapshot().revision, Revision(1));
}

pub async fn a_fact_from_before_texts_had_one_form_is_found_changed_and_deleted_as_it_is(
    opener: &mut impl Opener,
) {
    let store = opener.open().await;
    let old = |text| NewFact::new(&parse_kept(text).unwrap(), Context::default(), Confidence::DEFAULT);
    for text in ["P(\"cafe\u{301}\", a)", "P(\u{212b}, b)"] {
        store.add(old(text), origin()).await.unwrap();
    }
    let entity = |entity: &str| Filter { entity: Some(entity.to_owned()), ..Filter::default() };
    let found = store.list(entity("cafe\u{301}"), FactId(0), 10).await.unwrap().value;
    assert_eq!(found.iter().map(|fact| fact.id).collect::<Vec<_>>(), [FactId(1)]);
    let updated = store.update(FactId(1), fact("P(\"cafe\u{301}\", a)"), origin()).await.unwrap();
    assert!(matches!(&updated.outcome, Updated::Done(fact) if fact.statement == "P(\"café\", a)."));
    store.delete(FactId(2), origin()).await.unwrap();
    for (name, count) in [("café", 1), ("cafe\u{301}", 0), ("\u{212b}", 0)] {
        assert_eq!(store.list(entity(name), FactId(0), 10).await.unwrap().value.len(), count, "{name}");
    }
    assert!(matches!(store.add(old("P(\u{212b}, b)"), origin()).await.unwrap().outcome, Added::New { .. }));
}

pub async fn a_deleted_fact_is_gone_everywhere_and_its_number_is_never_given_again(opener: &mut impl Opener) {
    let store = opener.open().await;
    batch(&*store, vec![fact("P(Ada)"), fact("P(Bob)")]).await;
    let written = store.delete(FactId(2), origin()).await.unwrap();
    assert_eq!(written.outcome.unwrap().statement, "P(Bob).");
    assert_eq!((written.revision, store.snapshot().fact_count), (Revision(2), 1));
    assert!(store.fact(FactId(2)).await.unwrap().value.is_none());
    assert_eq!((found(&store, "Bob").await, with_entity(&store, "Bob").await), (vec![], vec![]));
    let again = store.delete(FactId(2), origin()).await.unwrap();
    assert_eq!((again.outcome, again.revision), (None, Revision(2)), "no change");
    let changes = store.changes(Revision(2), 1, usize::MAX).await.unwrap();
    let body: serde_json::Value = serde_json::from_slice(&changes[0].body).unwrap();
    assert_eq!((changes[0].event_type.as_str(), &body["statement"]), ("fact_deleted", &"P(Bob).".into()));
    drop(store);
    opener.closed().await;

    let store = opener.open().await;
    let added = store.add(fact("P(Bob)"), origin()).await.unwrap();
    assert!(matches!(added.outcome, Added::New { id: FactId(3), .. }), "{added:?}");
}

async fn delta(store: &Store, after: u64, rows_max: usize) -> DeltaAnswer<FactRow, FactId> {
    store.fact_delta(Revision(after), rows_max).await.unwrap().value
}

fn told(answer: DeltaAnswer<FactRow, FactId>) -> (Vec<(u64, String)>, Vec<u64>, u64) {
    let DeltaAnswer::Delta(delta) = answer else { panic!("{answer:?}") };
    let changed = delta.changed.into_iter().map(|row| (row.id.0, row.statement)).collect();
    (changed, delta.removed.into_iter().map(|id| id.0).collect(), delta.upto.0)
}

pub async fn a_delta_tells_rows_as_they_are_now_and_what_is_gone(opener: &mut impl Opener) {
    let store = opener.open().await;
    batch(&*store, vec![fact("P(1)"), fact("P(2)"), fact("P(3)")]).await;
    store.update(FactId(1), fact("P(one)"), origin()).await.unwrap();
    store.delete(FactId(2), origin()).await.unwrap();
    let row = |id, text: &str| (id, text.to_owned());
    let all = vec![row(3, "P(3)."), row(1, "P(one).")];
    assert_eq!(told(delta(&store, 0, 100).await), (all, vec![2], 3));
    assert_eq!(told(delta(&store, 1, 100).await), (vec![row(1, "P(one).")], vec![2], 3));
    assert_eq!(told(delta(&store, 2, 100).await), (vec![], vec![2], 3));
    assert_eq!(told(delta(&store, 3, 100).await), (vec![], vec![], 3));
}

pub async fn a_delta_in_parts_tells_each_change_whole(opener: &mut impl Opener) {
    let store = opener.open().await;
    for part in 0..4 {
        let facts = (0..900).map(|number| fact(&format!("P({part}, {number})"))).collect();
        batch(&*store, facts).await;
    }
    let (mut after, mut seen, mut parts) = (0, Vec::new(), 0);
    while after < 4 {
        let (changed, removed, upto) = told(delta(&store, after, 500).await);
        assert!(upto > after && removed.is_empty() && changed.len() % 900 == 0, "{upto} {}", changed.len());
        seen.extend(changed.into_iter().map(|(id, _)| id));
        (after, parts) = (upto, parts + 1);
    }
    assert_eq!(seen, (1..=3600).collect::<Vec<_>>());
    assert!(parts > 1);
}

pub async fn a_delta_from_before_the_log_still_tells_what_is_gone(opener: &mut impl Opener) {
    let store = opener.open().await;
    for number in 0..4 {
        store.add(fact(&format!("P({number})")), origin()).await.unwrap();
    }
    store.delete(FactId(2), origin()).await.unwrap();
    store.add(fact("P(last)"), origin()).await.unwrap();
    store.trim_changes(Revision(6)).await.unwrap();
    let (changed, removed, upto) = told(delta(&store, 1, 100).await);
    assert_eq!((changed.len(), removed, upto), (3, vec![2], 6), "an index that was built in parts goes on");
    assert_eq!(told(delta(&store, 0, 100).await).0.len(), 4, "an empty index can always begin");
    assert_eq!(delta(&store, 7, 100).await, DeltaAnswer::TooOld, "of a store that was put back");
}

pub async fn an_export_is_one_moment_whatever_is_written_meanwhile(opener: &mut impl Opener) {
    let store = opener.open().await;
    let facts = (0..1000).map(|number| fact(&format!("P({number})"))).collect();
    batch(&*store, facts).await;
    let mut export = store.export().await.unwrap();
    store.delete(FactId(1000), origin()).await.unwrap();
    store.add(fact("P(new)"), origin()).await.unwrap();
    let mut ids = Vec::new();
    while let Some(chunk) = export.next().await.unwrap() {
        ids.extend(chunk.into_iter().map(|fact| fact.id.0));
    }
    assert_eq!((export.revision, ids), (Revision(1), (1..=1000).collect()));
    assert_eq!(export.epoch, store.snapshot().epoch);
}
