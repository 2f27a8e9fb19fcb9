//! What every store promises about documents. As `conformance.rs`.

use serde_json::json;

use super::Store;
use super::backend::{CollectionMade, DeltaAnswer, DocumentsPut};
use super::conformance::{Opener, origin};
use super::documents::{
    Collection, CollectionName, DocumentId, DocumentKey, EmbedderKind, Metadata, MetadataFilter,
    NewCollection, NewDocument,
};
use super::model::Revision;
use super::text::TextQuery;
use crate::embed::Vector;

fn collection_of(name: &str, dimension: usize) -> NewCollection {
    let name = CollectionName::new(name).unwrap();
    NewCollection { name, embedder: EmbedderKind::Caller, model: "mine".into(), dimension }
}

async fn made(store: &Store, name: &str) -> Collection {
    let written = store.create_collection(collection_of(name, 2), origin()).await.unwrap();
    let CollectionMade::New(collection) = written.outcome else { panic!("{written:?}") };
    collection
}

fn vector() -> Vector {
    Vector::new(vec![0.6, 0.8]).unwrap()
}

fn key(text: &str) -> DocumentKey {
    DocumentKey::new(text).unwrap()
}

fn document(id: &str, content: &str, metadata: &serde_json::Value) -> NewDocument {
    let metadata = Metadata::new(metadata).unwrap();
    NewDocument { key: key(id), content: content.into(), metadata, vector: Some(vector()) }
}

async fn put(store: &Store, collection: &Collection, documents: Vec<NewDocument>) -> DocumentsPut {
    store.put_documents(collection.id, documents, origin()).await.unwrap().outcome.unwrap()
}

async fn count(store: &Store, name: &str) -> Option<u64> {
    let collections = store.collections().await.unwrap().value;
    let found = collections.into_iter().find(|collection| collection.made_as.name.as_str() == name);
    found.map(|collection| collection.document_count)
}

async fn found(
    store: &Store,
    collection: &Collection,
    query: &str,
    filter: serde_json::Value,
) -> Vec<String> {
    let query = TextQuery::parse(query).unwrap();
    let filter = MetadataFilter::new(&filter).unwrap();
    let hits = store.search_documents(collection.id, query, filter, 10).await.unwrap().value;
    hits.into_iter().map(|hit| hit.found.key).collect()
}

pub async fn a_collection_is_made_once_and_keeps_what_it_was_made_with(opener: &mut impl Opener) {
    let store = opener.open().await;
    let collection = made(&store, "papers").await;
    let again = store.create_collection(collection_of("papers", 3), origin()).await.unwrap();
    assert_eq!(again.outcome, CollectionMade::Exists(collection.clone()));
    assert_eq!(again.revision, Revision(1));
    made(&store, "a").await;
    drop(store);
    opener.closed().await;
    let collections = opener.open().await.collections().await.unwrap().value;
    let names: Vec<_> = collections.iter().map(|collection| collection.made_as.name.as_str()).collect();
    assert_eq!((names, &collections[1]), (vec!["a", "papers"], &collection));
}

pub async fn documents_are_put_replaced_and_left_alone(opener: &mut impl Opener) {
    let store = opener.open().await;
    let papers = made(&store, "papers").await;
    let (one, two) = (document("1", "one", &json!({})), document("2", "two", &json!({})));
    let first = put(&store, &papers, vec![one.clone(), two.clone()]).await;
    assert_eq!(first, DocumentsPut { added: 2, replaced: 0, unchanged: 0 });
    let newer = document("2", "deux", &json!({"lang": "fr"}));
    let second = put(&store, &papers, vec![one.clone(), two, newer]).await;
    assert_eq!(second, DocumentsPut { added: 0, replaced: 1, unchanged: 2 }, "the last of one id is meant");
    assert_eq!(put(&store, &papers, vec![one]).await.unchanged, 1);
    assert_eq!(store.snapshot().revision, Revision(3), "what changes nothing is no change");
    let kept = store.document(papers.id, key("2")).await.unwrap().value.unwrap();
    assert_eq!((kept.content.as_str(), kept.metadata.as_str()), ("deux", r#"{"lang":"fr"}"#));
    assert_eq!((kept.id, kept.revision), (DocumentId(2), Revision(3)));
    assert!(kept.updated_at.is_some());
    assert_eq!((count(&store, "papers").await, store.snapshot().document_count), (Some(2), 2));
    let changes = store.changes(Revision(2), 2, usize::MAX).await.unwrap();
    let body: serde_json::Value = serde_json::from_slice(&changes[0].body).unwrap();
    assert_eq!(changes[0].event_type, "documents_changed");
    assert_eq!((&body["count"], &body["ids"]), (&2.into(), &json!(["1", "2"])));
}

pub async fn documents_are_found_by_id_number_words_and_metadata(opener: &mut impl Opener) {
    let store = opener.open().await;
    let (papers, others) = (made(&store, "papers").await, made(&store, "others").await);
    let documents = vec![
        document("1", "water past a mill", &json!({"lang": "en", "tags": ["a", "b"]})),
        document("2", "water", &json!({"lang": "en"})),
        document("3", "eau", &json!({"lang": "fr"})),
    ];
    put(&store, &papers, documents).await;
    put(&store, &others, vec![document("1", "water", &json!({"lang": "en"}))]).await;
    assert_eq!(found(&store, &papers, "Water", json!(null)).await, ["2", "1"], "the shorter first");
    assert_eq!(found(&store, &papers, "water", json!({"tags": "b"})).await, ["1"]);
    assert_eq!(found(&store, &others, "water", json!(null)).await, ["1"]);
    let filter = |value: serde_json::Value| MetadataFilter::new(&value).unwrap();
    let listed = async |filter, after, limit| {
        let seen = store.list_documents(papers.id, filter, DocumentId(after), limit).await.unwrap();
        seen.value.into_iter().map(|document| document.id.0).collect::<Vec<_>>()
    };
    assert_eq!(listed(filter(json!(null)), 1, 9).await, [2, 3]);
    assert_eq!(listed(filter(json!({"lang": "en"})), 0, 9).await, [1, 2]);
    assert_eq!(listed(filter(json!({"lang": "en"})), 0, 1).await, [1]);
    let matching =
        async |value, limit| store.matching_documents(papers.id, filter(value), limit).await.unwrap().value;
    assert_eq!(matching(json!({"lang": "en"}), 2).await, Some(vec![DocumentId(1), DocumentId(2)]));
    assert_eq!(matching(json!({"lang": "en"}), 1).await, None);
    assert_eq!(matching(json!(null), 3).await.map(|ids| ids.len()), Some(3));
    let numbers = vec![DocumentId(1), DocumentId(3), DocumentId(4), DocumentId(99)];
    let seen = store.documents(papers.id, numbers, filter(json!({"lang": "fr"}))).await.unwrap().value;
    assert_eq!(seen.iter().map(|document| document.key.as_str()).collect::<Vec<_>>(), ["3"]);
}

pub async fn deleted_documents_are_gone_everywhere_and_counted(opener: &mut impl Opener) {
    let store = opener.open().await;
    let papers = made(&store, "papers").await;
    put(&store, &papers, vec![document("1", "one", &json!({"a": 1})), document("2", "two", &json!({}))])
        .await;
    let delete = async |keys: &[&str]| {
        let keys = keys.iter().map(|text| key(text)).collect();
        store.delete_documents(papers.id, keys, origin()).await.unwrap()
    };
    assert_eq!(delete(&["1", "9"]).await.outcome, Some(1));
    let again = delete(&["1"]).await;
    assert_eq!((again.outcome, again.revision), (Some(0), Revision(3)), "no change");
    assert!(store.document(papers.id, key("1")).await.unwrap().value.is_none());
    assert!(found(&store, &papers, "one", json!(null)).await.is_empty());
    assert_eq!((count(&store, "papers").await, store.snapshot().document_count), (Some(1), 1));
    put(&store, &papers, vec![document("1", "one", &json!({}))]).await;
    let kept = store.document(papers.id, key("1")).await.unwrap().value.unwrap();
    assert_eq!(kept.id, DocumentId(3), "its number is never given again");
}

pub async fn a_deleted_collection_takes_its_documents_along_and_its_name_is_free(opener: &mut impl Opener) {
    let store = opener.open().await;
    let papers = made(&store, "papers").await;
    for part in 0..5 {
        let documents = (0..200).map(|number| document(&format!("{part}-{number}"), "word", &json!({})));
        put(&store, &papers, documents.collect()).await;
    }
    let name = papers.made_as.name.clone();
    let written = store.delete_collection(name.clone(), origin()).await.unwrap();
    assert_eq!(written.outcome.map(|collection| collection.document_count), Some(1000));
    assert_eq!(store.snapshot().document_count, 0);
    let gone = store.put_documents(papers.id, vec![document("x", "x", &json!({}))], origin()).await.unwrap();
    assert_eq!((gone.outcome, gone.revision), (None, Revision(7)));
    assert!(store.delete_collection(name, origin()).await.unwrap().outcome.is_none());

    let again = made(&store, "papers").await;
    assert_ne!(again.id, papers.id, "a number is never given again");
    put(&store, &again, vec![document("0-0", "word", &json!({}))]).await;
    assert_eq!(found(&store, &again, "word", json!(null)).await, ["0-0"]);
    assert_eq!(count(&store, "papers").await, Some(1));
}

pub async fn documents_tell_their_delta(opener: &mut impl Opener) {
    let store = opener.open().await;
    let papers = made(&store, "papers").await;
    let without = NewDocument { vector: None, ..document("2", "two", &json!({})) };
    put(&store, &papers, vec![document("1", "one", &json!({})), without]).await;
    store.delete_documents(papers.id, vec![key("1")], origin()).await.unwrap();
    put(&store, &papers, vec![document("3", "three", &json!({}))]).await;
    let told = async |after| match store.document_delta(Revision(after), 100).await.unwrap().value {
        DeltaAnswer::Delta(delta) => delta,
        DeltaAnswer::TooOld => panic!("nothing was trimmed"),
    };
    let all = told(0).await;
    let rows: Vec<_> = all.changed.iter().map(|row| (row.id.0, row.vector.clone())).collect();
    assert_eq!(rows, [(2, None), (3, Some(vector()))]);
    assert!(all.changed.iter().all(|row| row.collection == papers.id));
    assert_eq!((all.removed, all.upto), (vec![DocumentId(1)], Revision(4)));
    let rest = told(3).await;
    assert_eq!((rest.changed.len(), rest.removed.len()), (1, 0));
    let facts = store.fact_delta(Revision(0), 100).await.unwrap().value;
    let DeltaAnswer::Delta(facts) = facts else { panic!("{facts:?}") };
    assert!(facts.changed.is_empty() && facts.removed.is_empty(), "documents are no facts");
    store.delete_collection(papers.made_as.name, origin()).await.unwrap();
    assert!(told(0).await.changed.is_empty(), "with its collection a document is gone");
}
