//! Collections, documents, and searches by words, by meaning and by both, through either adapter.

use bywash_tests::platform::answer;
use bywash_tests::service::{Kind, Service};
use bywash_tests::wait::eventually;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use super::log::get;

fn service() -> Service {
    Service::new(Kind::KnowledgeBase, "nats://127.0.0.1:9")
}

async fn started() -> Service {
    let mut service = service();
    service.start().await;
    service
}

async fn send(service: &Service, method: Method, path: &str, body: &Value) -> (StatusCode, Value) {
    answer(Client::new().request(method, service.url(path)).json(body)).await
}

async fn post(service: &Service, path: &str, body: &Value) -> (StatusCode, Value) {
    send(service, Method::POST, path, body).await
}

fn code(answer: &(StatusCode, Value)) -> (u16, &str) {
    (answer.0.as_u16(), answer.1["error"]["code"].as_str().unwrap_or_default())
}

/// Definitions, none of which has a word of the queries below.
const DEFINITIONS: [(&str, &str, &str); 4] = [
    ("dog", "a domesticated carnivorous mammal that barks", "animal"),
    ("telescope", "an instrument that makes distant objects appear closer", "thing"),
    ("bakery", "a shop where bread and cakes are sold", "place"),
    ("volcano", "a mountain through which lava erupts", "place"),
];

/// A collection of the definitions.
async fn with_definitions() -> Service {
    let service = started().await;
    let (status, made) = post(&service, "/api/collections", &json!({"name": "words"})).await;
    assert_eq!((status, &made["embedder"]), (StatusCode::CREATED, &json!("static")), "{made}");
    let documents: Vec<_> = DEFINITIONS
        .iter()
        .map(|(id, content, kind)| json!({"id": id, "content": content, "metadata": {"kind": kind}}))
        .collect();
    let body = json!({"collection": "words", "documents": documents});
    let (status, put) = post(&service, "/api/documents", &body).await;
    assert_eq!((status, &put["added"], &put["revision"]), (StatusCode::OK, &json!(4), &json!(2)), "{put}");
    service
}

async fn found(service: &Service, body: &Value) -> (Vec<String>, Value) {
    let (status, found) = post(service, "/api/search?min_revision=2", body).await;
    assert_eq!(status, StatusCode::OK, "{found}");
    let ids = found["results"].as_array().expect("a list").iter();
    (ids.map(|hit| hit["id"].as_str().unwrap_or_default().to_owned()).collect(), found)
}

#[tokio::test]
async fn documents_are_found_by_words_by_meaning_and_by_both() {
    let service = with_definitions().await;
    let search = |query: &str, mode: &str| json!({"query": query, "mode": mode, "collection": "words"});
    let (ids, answer) = found(&service, &search("lava mountain", "text")).await;
    assert_eq!((ids, &answer["adapter"]), (vec!["volcano".to_owned()], &json!("primary")));
    assert_eq!(answer["results"][0]["relevance"], 1);
    assert!(answer["results"][0]["snippet"].as_str().unwrap_or_default().contains("lava"), "{answer}");
    for (query, expected) in [("puppy", "dog"), ("astronomy lens", "telescope"), ("pastry store", "bakery")] {
        assert!(found(&service, &search(query, "text")).await.0.is_empty(), "{query} is in no definition");
        let (ids, answer) = found(&service, &search(query, "vector")).await;
        assert_eq!(ids[0], expected, "{answer}");
        assert_eq!((&answer["mode"], &answer["adapter"]), (&json!("vector"), &json!("primary")));
    }
    let (ids, answer) = found(&service, &json!({"query": "bread puppy", "collection": "words"})).await;
    assert_eq!(answer["mode"], "hybrid", "what documents are searched by where nobody says");
    assert!(ids[..2].contains(&"bakery".to_owned()) && ids[..2].contains(&"dog".to_owned()), "{answer}");

    let places =
        json!({"query": "puppy", "mode": "vector", "collection": "words", "filter": {"kind": "place"}});
    let (mut ids, _) = found(&service, &places).await;
    ids.sort();
    assert_eq!(ids, ["bakery", "volcano"]);
    let sure = json!({"query": "puppy", "mode": "vector", "collection": "words", "threshold": 1});
    assert!(found(&service, &sure).await.0.is_empty(), "nothing is that near");
}

#[tokio::test]
async fn facts_are_found_by_meaning_as_soon_as_they_are_written() {
    let service = started().await;
    for statement in ["IsA(puppy, young_dog)", "Orbits(moon, earth)", "Sells(bakery, bread)"] {
        post(&service, "/api/facts", &json!({"statement": statement})).await;
    }
    let body = json!({"query": "satellite of a planet", "mode": "vector", "limit": 1});
    let (status, found) = post(&service, "/api/search?min_revision=3", &body).await;
    assert_eq!(status, StatusCode::OK, "{found}");
    assert_eq!(found["results"][0]["statement"], "Orbits(moon, earth).", "{found}");
    assert_eq!((&found["adapter"], &found["collection"]), (&json!("primary"), &json!("facts")));
    assert!(service.metric(r#"bywash_kb_vectors_revision{of="facts"}"#).await >= 3.0);
}

#[tokio::test]
async fn without_the_indexes_the_fallback_answers_and_says_so() {
    let mut service = service();
    service.set("THEMIS_ENABLED", "false").start().await;
    post(&service, "/api/collections", &json!({"name": "words"})).await;
    let documents: Vec<_> =
        DEFINITIONS.iter().map(|(id, content, _)| json!({"id": id, "content": content})).collect();
    post(&service, "/api/documents", &json!({"collection": "words", "documents": documents})).await;
    post(&service, "/api/facts", &json!({"statement": "Sells(bakery, bread)"})).await;
    for (query, mode, expected) in
        [("lava mountain", "text", "volcano"), ("puppy", "vector", "dog"), ("bread", "hybrid", "bakery")]
    {
        let body = json!({"query": query, "mode": mode, "collection": "words"});
        let (ids, answer) = found(&service, &body).await;
        assert_eq!((ids[0].as_str(), &answer["adapter"]), (expected, &json!("fallback")), "{answer}");
        assert_eq!(answer["mode"], mode);
    }
    let (status, facts) = post(&service, "/api/search", &json!({"query": "bread", "mode": "hybrid"})).await;
    assert_eq!((status, &facts["results"][0]["id"]), (StatusCode::OK, &json!(1)), "{facts}");
    assert_eq!(
        (&facts["mode"], &facts["adapter"]),
        (&json!("text"), &json!("fallback")),
        "facts have no vectors"
    );
    assert_eq!(get(&service, "/api/status").await["search"]["adapter"], "fallback");

    service.terminate().await;
    service.set("USE_UDS3_FALLBACK", "false").start().await;
    let nothing = post(&service, "/api/search", &json!({"query": "bread"})).await;
    assert_eq!(code(&nothing), (503, "search_unavailable"));
}

#[tokio::test]
async fn a_damaged_index_is_built_again_and_nobody_sees_an_error() {
    let mut service = with_definitions().await;
    service.terminate().await;
    let mut damaged = 0;
    for entry in walk(&service.data().join("vectors")) {
        std::fs::write(&entry, b"this is no index").expect("a scratch folder can be written");
        damaged += 1;
    }
    assert!(damaged > 0, "a stop puts the indexes on disk");
    service.start().await;
    let body = json!({"query": "puppy", "mode": "vector", "collection": "words"});
    eventually("the index is built again", || async {
        let (status, found) = post(&service, "/api/search", &body).await;
        assert_eq!((status, &found["results"][0]["id"]), (StatusCode::OK, &json!("dog")), "{found}");
        if found["adapter"] == "primary" { Ok(()) } else { Err(found.to_string()) }
    })
    .await;
}

/// All files below a directory.
fn walk(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .flat_map(|entry| if entry.path().is_dir() { walk(&entry.path()) } else { vec![entry.path()] })
        .collect()
}

#[tokio::test]
async fn vectors_of_the_callers_are_kept_searched_and_checked() {
    let service = started().await;
    let collection = json!({"name": "mine", "embedder": "caller", "model": "m", "dimension": 3});
    assert_eq!(post(&service, "/api/collections", &collection).await.0, StatusCode::CREATED);
    assert_eq!(
        post(&service, "/api/collections", &collection).await.0,
        StatusCode::OK,
        "it is there just so"
    );
    let put = |vector: Value| {
        let body = json!({"collection": "mine", "documents": [{"id": "x", "vector": vector}]});
        async move { body }
    };
    for (vector, expected) in [
        (json!([1.0, 0.0]), (422, "wrong_dimension")),
        (json!([0.0, 0.0, 0.0]), (422, "invalid_vector")),
        (json!([1e39, 0.0, 0.0]), (422, "invalid_vector")),
        (json!(["NaN", 0.0, 0.0]), (422, "invalid_body")),
        (Value::Null, (422, "missing_vector")),
    ] {
        let refused = post(&service, "/api/documents", &put(vector.clone()).await).await;
        assert_eq!(code(&refused), expected, "{vector}: {}", refused.1);
    }
    let documents = json!([
        {"id": "east", "vector": [2.0, 0.0, 0.0]}, {"id": "north", "vector": [0.0, 5.0, 0.0]},
        {"id": "up", "vector": [0.0, 0.0, 0.1]},
    ]);
    let (status, _) =
        post(&service, "/api/documents", &json!({"collection": "mine", "documents": documents})).await;
    assert_eq!(status, StatusCode::OK);
    let body = json!({"collection": "mine", "mode": "vector", "vector": [0.1, 0.9, 0.2]});
    let (ids, answer) = found(&service, &body).await;
    assert_eq!(ids, ["north", "up", "east"], "{answer}");
    let missing = post(&service, "/api/search", &json!({"collection": "mine", "query": "north"})).await;
    assert_eq!(
        (code(&missing), &missing.1["error"]["details"]["dimension"]),
        ((422, "missing_vector"), &json!(3))
    );
}

#[tokio::test]
async fn a_condition_that_the_place_does_not_know_is_refused_and_not_forgotten() {
    let service = with_definitions().await;
    for (body, expected) in [
        (json!({"query": "dog", "filter": {"kind": "animal"}}), (422, "unwanted_filter")),
        (json!({"query": "dog", "filter": "kind"}), (400, "invalid_filter")),
        (json!({"query": "dog", "collection": "words", "min_confidence": 0.5}), (422, "unwanted_confidence")),
    ] {
        assert_eq!(code(&post(&service, "/api/search", &body).await), expected, "{body}");
    }
}

#[tokio::test]
async fn collections_and_documents_come_and_go() {
    let service = with_definitions().await;
    let taken = json!({"name": "words", "embedder": "caller", "model": "m", "dimension": 3});
    assert_eq!(code(&post(&service, "/api/collections", &taken).await), (409, "collection_exists"));
    for (body, expected) in [
        (json!({"name": "Words"}), (422, "invalid_collection")),
        (json!({"name": "facts"}), (422, "invalid_collection")),
        (json!({"name": "a", "embedder": "caller"}), (422, "invalid_model")),
        (
            json!({"name": "a", "embedder": "caller", "model": "m", "dimension": 0}),
            (422, "invalid_dimension"),
        ),
        (json!({"name": "a", "embedder": "openai"}), (422, "no_embedder")),
        (json!({"name": "a", "model": "other"}), (422, "invalid_model")),
    ] {
        assert_eq!(code(&post(&service, "/api/collections", &body).await), expected, "{body}");
    }
    let page = get(&service, "/api/documents?collection=words&limit=3").await;
    assert_eq!(page["documents"].as_array().map(Vec::len), Some(3), "{page}");
    let cursor = page["next_cursor"].as_str().expect("there is more");
    let rest = get(&service, &format!("/api/documents?collection=words&limit=3&cursor={cursor}")).await;
    assert_eq!((&rest["documents"][0]["id"], rest.get("next_cursor")), (&json!("volcano"), None));
    let places = get(&service, "/api/documents?collection=words&filter=%7B%22kind%22%3A%22place%22%7D").await;
    assert_eq!(places["documents"].as_array().map(Vec::len), Some(2), "{places}");
    for (path, expected) in [
        ("/api/documents?collection=nowhere", (404, "unknown_collection")),
        ("/api/documents?collection=words&limit=101", (400, "invalid_limit")),
        ("/api/documents?collection=words&filter=x", (400, "invalid_filter")),
        ("/api/documents/words/cat", (404, "no_such_document")),
        ("/api/collections/nowhere", (404, "unknown_collection")),
    ] {
        assert_eq!(code(&answer(Client::new().get(service.url(path))).await), expected, "{path}");
    }
    let bad = json!({"collection": "words", "documents": [{"id": "a"}, {"id": "", "content": "x"}]});
    let refused = post(&service, "/api/documents", &bad).await;
    assert_eq!((code(&refused), &refused.1["error"]["details"]["index"]), ((422, "invalid_id"), &json!(1)));
    assert_eq!(get(&service, "/api/collections/words").await["document_count"], 4, "all or none");

    let gone = send(&service, Method::DELETE, "/api/documents/words/dog", &Value::Null).await;
    assert_eq!((gone.0, &gone.1["deleted"]), (StatusCode::OK, &json!(1)), "{}", gone.1);
    let again = send(&service, Method::DELETE, "/api/documents/words/dog", &Value::Null).await;
    assert_eq!(code(&again), (404, "no_such_document"));
    let some = json!({"collection": "words", "ids": ["dog", "bakery"]});
    assert_eq!(post(&service, "/api/documents/delete", &some).await.1["deleted"], 1);
    let all = send(&service, Method::DELETE, "/api/collections/words", &Value::Null).await;
    assert_eq!((all.0, &all.1["document_count"]), (StatusCode::OK, &json!(2)), "{}", all.1);
    assert_eq!(get(&service, "/api/collections").await["collections"], json!([]));
}
