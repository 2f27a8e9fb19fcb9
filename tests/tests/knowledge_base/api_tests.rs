//! What the API answers: good requests, and each kind of bad one with its status and code.

use bywash_tests::platform::answer;
use bywash_tests::scratch::Scratch;
use bywash_tests::service::{Kind, Service};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

async fn started() -> Service {
    let mut service = Service::new(Kind::KnowledgeBase, "nats://127.0.0.1:9");
    service.start().await;
    service
}

async fn post(service: &Service, path: &str, body: &Value) -> (StatusCode, Value) {
    answer(Client::new().post(service.url(path)).json(body)).await
}

async fn get(service: &Service, path: &str) -> (StatusCode, Value) {
    answer(Client::new().get(service.url(path))).await
}

fn code(answer: &(StatusCode, Value)) -> (u16, &str) {
    (answer.0.as_u16(), answer.1["error"]["code"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn a_fact_is_added_found_listed_counted_and_not_added_twice() {
    let service = started().await;
    let body = json!({"fact": "HasMass( Moon, Q(7.342e22,kg) )", "context": "almanac", "confidence": 0.75});
    let (status, added) = post(&service, "/api/facts", &body).await;
    assert_eq!(status, StatusCode::CREATED, "{added}");
    assert_eq!(added["statement"], "HasMass(Moon, Q(7.342e22, kg)).");
    assert_eq!((&added["id"], &added["revision"]), (&json!(1), &json!(1)));

    let again = post(&service, "/api/facts", &body).await;
    assert_eq!(code(&again), (409, "duplicate"));
    assert_eq!(again.1["error"]["details"]["id"], 1);

    let (_, fact) = get(&service, "/api/facts/1").await;
    assert_eq!((&fact["context"], &fact["confidence"]), (&json!("almanac"), &json!(0.75)));
    assert_eq!((&fact["created_at"], &fact["epoch"]), (&added["created_at"], &added["epoch"]));
    let (_, count) = get(&service, "/api/facts/count").await;
    assert_eq!(count, json!({"count": 1, "revision": 1, "epoch": added["epoch"]}));
    let (_, found) = post(&service, "/api/search", &json!({"query": "moon mass* OR"})).await;
    assert_eq!(found["results"][0]["id"], 1, "operators are words, and one that is there will do");
    let (_, found) = post(&service, "/api/search", &json!({"query": "mass* OR"})).await;
    assert_eq!(found["results"], json!([]));
    let (_, found) = post(&service, "/api/search", &json!({"query": "moon", "min_confidence": 0.5})).await;
    assert_eq!(found["results"][0]["id"], 1);
    assert!(found["results"][0]["score"].as_f64() > Some(0.0) && found["revision"] == 1, "{found}");
    let (_, none) = post(&service, "/api/search", &json!({"query": "moon", "min_confidence": 0.8})).await;
    assert_eq!(none["results"], json!([]));
}

#[tokio::test]
async fn a_letter_and_its_accent_are_one_fact_however_they_are_written() {
    let service = started().await;
    let added =
        post(&service, "/api/facts", &json!({"statement": "Likes(Zoe\u{308}, \"cafe\u{301}\")"})).await;
    assert_eq!(added.1["statement"], "Likes(Zoë, \"café\").", "{}", added.1);
    let again = post(&service, "/api/facts", &json!({"statement": "Likes(Zoë, \"café\")"})).await;
    assert_eq!(code(&again), (409, "duplicate"));
    for entity in ["Zo%C3%AB", "Zoe%CC%88"] {
        let (_, list) = get(&service, &format!("/api/facts?entity={entity}")).await;
        assert_eq!(list["facts"][0]["id"], 1, "{entity}: {list}");
        let (_, edges) =
            get(&service, &format!("/api/graph/neighbours?entity={entity}&min_revision=1")).await;
        assert_eq!(edges["edges"].as_array().map(Vec::len), Some(1), "{entity}: {edges}");
    }
    let loose = post(&service, "/api/facts", &json!({"statement": "P(q\u{301})"})).await;
    assert_eq!((code(&loose), &loose.1["error"]["details"]["position"]), ((422, "unparsable"), &json!(3)));
}

#[tokio::test]
async fn a_list_is_walked_by_its_cursor_and_filtered() {
    let service = started().await;
    for number in 0..5 {
        let predicate = if number % 2 == 0 { "Even" } else { "Odd" };
        post(&service, "/api/facts", &json!({"statement": format!("{predicate}(n{number}, all)")})).await;
    }
    let (mut path, mut ids) = ("/api/facts?limit=2".to_owned(), Vec::new());
    loop {
        let (status, page) = get(&service, &path).await;
        assert_eq!((status, &page["revision"]), (StatusCode::OK, &json!(5)), "{page}");
        ids.extend(page["facts"].as_array().into_iter().flatten().map(|fact| fact["id"].as_u64()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/api/facts?limit=2&cursor={cursor}");
    }
    assert_eq!(ids, (1..=5).map(Some).collect::<Vec<_>>());
    for (query, expected) in [
        ("predicate=Odd", 2),
        ("entity=n3", 1),
        ("entity=all&predicate=Even", 3),
        ("revision=4", 1),
        ("entity=x", 0),
    ] {
        let (_, page) = get(&service, &format!("/api/facts?{query}")).await;
        assert_eq!(page["facts"].as_array().map(Vec::len), Some(expected), "{query}: {page}");
    }
}

#[tokio::test]
async fn every_answer_names_its_stages() {
    let service = started().await;
    let request = Client::new().post(service.url("/api/facts")).json(&json!({"statement": "P(a)"}));
    let answer = request.send().await.expect("the service is reachable");
    let timing = answer.headers()["server-timing"].to_str().expect("ASCII").to_owned();
    for stage in ["parse;dur=", "queue;dur=", "apply;dur=", "commit;dur=", "total;dur="] {
        assert!(timing.contains(stage), "{timing}");
    }
    let answer = reqwest::get(service.url("/api/facts")).await.expect("the service is reachable");
    assert!(answer.headers()["server-timing"].to_str().expect("ASCII").contains("read;dur="));
}

#[tokio::test]
async fn bad_requests_have_their_codes() {
    let service = started().await;
    let unparsable = post(&service, "/api/facts", &json!({"statement": "Größe(a b)"})).await;
    assert_eq!(code(&unparsable), (422, "unparsable"));
    let details = &unparsable.1["error"]["details"];
    assert_eq!((&details["position"], &details["column"]), (&json!(10), &json!(9)), "{details}");
    assert_eq!(details["expected"], "`,` or `)`");

    for (body, expected) in [
        (json!({"statement": "P(a)", "confidence": 1.5}), (422, "invalid_confidence")),
        (json!({"statement": "P(a)", "context": "x".repeat(2000)}), (422, "context_too_long")),
        (json!({"context": "no statement"}), (422, "invalid_body")),
        (json!({"statement": "x".repeat(300_000)}), (413, "body_too_large")),
    ] {
        assert_eq!(code(&post(&service, "/api/facts", &body).await), expected);
    }
    let raw = |content_type: &'static str, body: &'static str| {
        answer(Client::new().post(service.url("/api/facts")).header("content-type", content_type).body(body))
    };
    assert_eq!(code(&raw("application/json", "{\"statement\"").await), (400, "malformed_json"));
    assert_eq!(code(&raw("text/plain", "P(a).").await), (415, "unsupported_media_type"));

    for (path, expected) in [
        ("/api/facts?limit=0", (400, "invalid_limit")),
        ("/api/facts?limit=1001", (400, "invalid_limit")),
        ("/api/facts?limit=x", (400, "invalid_query")),
        ("/api/facts?cursor=zzz", (400, "invalid_cursor")),
        ("/api/facts?cursor=0123456789abcdef-1", (409, "other_epoch")),
        ("/api/facts?min_revision=x", (400, "invalid_revision")),
        ("/api/facts?min_revision=0123456789abcdef:1", (409, "other_epoch")),
        ("/api/facts?min_revision=1", (503, "revision_not_reached")),
        ("/api/facts/export?format=xml", (400, "invalid_query")),
        ("/api/kb/changes?from_revision=2", (400, "revision_beyond_end")),
        ("/api/kb/changes?limit=0", (400, "invalid_limit")),
        ("/api/kb/changes?wait_ms=60000", (400, "invalid_wait")),
        ("/api/kb/changes?epoch=0", (409, "other_epoch")),
        ("/api/facts/abc", (400, "invalid_id")),
        ("/api/facts/99999999999999999999", (400, "invalid_id")),
        ("/api/facts/18446744073709551615", (404, "no_such_fact")),
        ("/api/facts?revision=18446744073709551615", (200, "")),
        ("/api/facts/7", (404, "no_such_fact")),
        ("/api/nothing", (404, "not_found")),
    ] {
        assert_eq!(code(&get(&service, path).await), expected, "{path}");
    }
    for (body, expected) in [
        (json!({"query": "a", "collection": "nowhere"}), (404, "unknown_collection")),
        (json!({"query": "a", "threshold": 2}), (422, "invalid_threshold")),
        (json!({"query": "a", "mode": "vector", "vector": [1.0]}), (422, "unwanted_vector")),
        (json!({"mode": "vector"}), (422, "empty_query")),
        (json!({"query": "a", "mode": "magic"}), (422, "invalid_body")),
        (json!({"query": " *** "}), (422, "empty_query")),
        (json!({"query": "a".repeat(2000)}), (422, "query_too_long")),
        (json!({"query": "a", "limit": 0}), (400, "invalid_limit")),
        (json!({"query": "a", "min_confidence": -1}), (422, "invalid_confidence")),
    ] {
        assert_eq!(code(&post(&service, "/api/search", &body).await), expected, "{body}");
    }
}

#[tokio::test]
async fn keys_and_roles_are_asked_for() {
    let scratch = Scratch::new();
    let keys = scratch.path().join("keys.json");
    let file = json!({"keys": [
        {"id": "reader", "key": "reader-key-reader", "roles": ["read"]},
        {"id": "writer", "key": "writer-key-writer", "roles": ["write"]},
    ]});
    std::fs::write(&keys, file.to_string()).expect("a scratch folder can be written");
    let mut service = Service::new(Kind::KnowledgeBase, "nats://127.0.0.1:9");
    service.set("BYWASH_API_KEYS_FILE", &keys.display().to_string()).start().await;
    let count = |key: &str| {
        let request = Client::new().get(service.url("/api/facts/count"));
        answer(if key.is_empty() { request } else { request.header("x-api-key", key) })
    };
    assert_eq!(code(&count("").await), (401, "missing_key"));
    assert_eq!(code(&count("somebody-elses-key").await), (401, "wrong_key"));
    assert_eq!(code(&count("writer-key-writer").await), (403, "missing_role"));
    assert_eq!(code(&count("reader-key-reader").await), (200, ""));
    let add = |key: &str| {
        let request = Client::new().post(service.url("/api/facts")).bearer_auth(key);
        answer(request.json(&json!({"statement": "P(a)"})))
    };
    assert_eq!(code(&add("reader-key-reader").await), (403, "missing_role"));
    assert_eq!(code(&add("writer-key-writer").await), (201, ""));
}
