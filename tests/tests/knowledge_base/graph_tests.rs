//! The graph over HTTP: good questions, and each kind of bad one with its status and code.

use bywash_tests::platform::answer;
use bywash_tests::service::{Kind, Service};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

async fn started() -> Service {
    let mut service = Service::new(Kind::KnowledgeBase, "nats://127.0.0.1:9");
    service.start().await;
    service
}

async fn get(service: &Service, path: &str) -> (StatusCode, Value) {
    answer(Client::new().get(service.url(path))).await
}

/// Adds facts, and gives the revision.
async fn add(service: &Service, facts: &str) -> u64 {
    let bulk = Client::new().post(service.url("/api/facts/bulk")).header("content-type", "text/plain");
    let (_, report) = answer(bulk.body(facts.to_owned())).await;
    report["revision"].as_u64().expect("a report has a revision")
}

const FACTS: &str = "IsA(cat, animal).
IsA(dog, animal).
IsA(animal, being).
Likes(dog, cat).
Likes(cat, \"New York\").
-IsA(cat, dog).
Weighs(cat, Q(4, kg)).
Gives(ada, cat, dog).
";

#[tokio::test]
async fn the_graph_answers_walks_paths_and_neighbours_of_the_revision_that_is_asked_for() {
    let service = started().await;
    let revision = add(&service, FACTS).await;
    let at = format!("min_revision={revision}");
    let (status, walk) = get(&service, &format!("/api/graph/traverse?start=cat&max_depth=2&{at}")).await;
    assert_eq!((status, &walk["revision"]), (StatusCode::OK, &json!(revision)), "{walk}");
    let node = |name: &str, depth: u8| json!({"name": name, "depth": depth});
    let nodes = [node("cat", 0), node("animal", 1), node("New York", 1), node("being", 2)];
    assert_eq!(walk["nodes"], json!(nodes));
    let first = json!({"fact_id": 1, "from": "cat", "predicate": "IsA", "to": "animal"});
    assert_eq!((&walk["edges"][0], walk["edges"].as_array().unwrap().len()), (&first, 3), "{walk}");
    assert!(walk.get("truncated").is_none() && walk["epoch"].is_string(), "{walk}");
    let (_, cut) = get(&service, "/api/graph/traverse?start=cat&direction=any&limit=2").await;
    assert_eq!((&cut["truncated"], &cut["nodes"]), (&json!("nodes"), &json!(nodes[..2])), "{cut}");
    let (_, cut) = get(&service, "/api/graph/traverse?start=animal&direction=inbound&edge_limit=1").await;
    assert_eq!((&cut["truncated"], &cut["nodes"][1]["name"]), (&json!("edges"), &json!("cat")), "{cut}");

    let (_, path) = get(&service, "/api/graph/path?from=dog&to=New%20York").await;
    assert_eq!((&path["found"], &path["length"]), (&json!(true), &json!(2)), "{path}");
    assert_eq!(path["nodes"], json!(["dog", "cat", "New York"]));
    let (_, none) = get(&service, "/api/graph/path?from=dog&to=New%20York&predicate=IsA").await;
    assert_eq!((&none["found"], &none["edges"], none.get("length")), (&json!(false), &json!([]), None));

    let (_, page) = get(&service, "/api/graph/neighbours?entity=cat&limit=2").await;
    assert_eq!(page["edges"][1]["predicate"], "Likes", "{page}");
    let cursor = page["next_cursor"].as_str().unwrap();
    let (_, last) = get(&service, &format!("/api/graph/neighbours?entity=cat&limit=2&cursor={cursor}")).await;
    assert_eq!((&last["edges"][0]["to"], last.get("next_cursor")), (&json!("New York"), None), "{last}");
    let (_, likes) =
        get(&service, "/api/graph/neighbours?entity=cat&direction=outbound&predicate=Likes").await;
    assert_eq!(likes["edges"].as_array().map(Vec::len), Some(1), "{likes}");
    let (_, entity) = get(&service, "/api/graph/entities/cat").await;
    assert_eq!(
        (&entity["count"], &entity["outbound"], &entity["inbound"]),
        (&json!(6), &json!(2), &json!(1))
    );
}

#[tokio::test]
async fn figures_and_rankings_are_those_of_the_facts_and_follow_what_is_deleted() {
    let service = started().await;
    let revision = add(&service, FACTS).await;
    let (_, figures) = get(&service, &format!("/api/facts/stats?min_revision={revision}")).await;
    for (name, value) in [
        ("fact_count", 8),
        ("negated_facts", 1),
        ("unique_predicates", 4),
        ("unique_entities", 7),
        ("edges", 5),
        ("nodes", 5),
        ("connectivity", 1),
        ("revision", 1),
    ] {
        assert_eq!(figures[name], value, "{name}: {figures}");
    }
    // Shares of 4, 2, 1 and 1 of 8.
    assert!((figures["entropy"].as_f64().unwrap() - 1.75).abs() < 1e-9, "{figures}");
    let (_, top) = get(&service, "/api/predicates/top?limit=1").await;
    assert_eq!(top["predicates"], json!([{"predicate": "IsA", "count": 4, "negated": 1}]), "{top}");
    assert_eq!(top["unique_predicates"], 4);
    let (_, top) = get(&service, "/api/entities/stats?limit=2").await;
    let names: Vec<_> = top["entities"].as_array().unwrap().iter().map(|one| one["entity"].clone()).collect();
    assert_eq!((names, &top["entities"][0]["count"]), (vec![json!("cat"), json!("dog")], &json!(6)), "{top}");

    let (_, deleted) = answer(Client::new().delete(service.url("/api/facts/1"))).await;
    let path = format!("/api/facts/stats?min_revision={}", deleted["revision"]);
    let (_, figures) = get(&service, &path).await;
    assert_eq!((&figures["fact_count"], &figures["edges"]), (&json!(7), &json!(4)), "{figures}");
}

#[tokio::test]
async fn a_question_to_the_graph_that_makes_no_sense_has_its_code() {
    let service = started().await;
    let revision = add(&service, FACTS).await;
    get(&service, &format!("/api/facts/stats?min_revision={revision}")).await;
    let many = "P,".repeat(33);
    for (path, status, code) in [
        ("traverse".to_owned(), 400, "missing_entity"),
        ("traverse?start=".to_owned(), 400, "missing_entity"),
        ("traverse?start=nobody".to_owned(), 404, "unknown_entity"),
        ("traverse?start=cat&direction=up".to_owned(), 400, "invalid_direction"),
        ("traverse?start=cat&max_depth=0".to_owned(), 400, "invalid_depth"),
        ("traverse?start=cat&max_depth=11".to_owned(), 400, "invalid_depth"),
        ("traverse?start=cat&max_depth=x".to_owned(), 400, "invalid_query"),
        ("traverse?start=cat&limit=10001".to_owned(), 400, "invalid_limit"),
        ("traverse?start=cat&edge_limit=0".to_owned(), 400, "invalid_limit"),
        (format!("traverse?start=cat&predicate={many}"), 400, "too_many_predicates"),
        ("traverse?start=cat&min_revision=x".to_owned(), 400, "invalid_revision"),
        ("path?from=cat".to_owned(), 400, "missing_entity"),
        ("path?from=cat&to=nobody".to_owned(), 404, "unknown_entity"),
        ("path?from=cat&to=dog&max_depth=99".to_owned(), 400, "invalid_depth"),
        ("neighbours?entity=nobody".to_owned(), 404, "unknown_entity"),
        ("neighbours?entity=cat&limit=1001".to_owned(), 400, "invalid_limit"),
        ("neighbours?entity=cat&cursor=x".to_owned(), 400, "invalid_cursor"),
        ("entities/nobody".to_owned(), 404, "unknown_entity"),
    ] {
        let (answered, body) = get(&service, &format!("/api/graph/{path}")).await;
        assert_eq!((answered.as_u16(), &body["error"]["code"]), (status, &json!(code)), "{path}: {body}");
    }
    let (_, unknown) = get(&service, "/api/graph/entities/nobody").await;
    let details = &unknown["error"]["details"];
    assert_eq!((&details["entity"], &details["revision"]), (&json!("nobody"), &json!(revision)), "{unknown}");
    for path in ["/api/predicates/top?limit=0", "/api/entities/stats?limit=1001"] {
        let (_, body) = get(&service, path).await;
        assert_eq!(body["error"]["code"], "invalid_limit", "{path}: {body}");
    }
}

#[tokio::test]
async fn the_graph_is_there_again_after_a_restart() {
    let mut service = started().await;
    let revision = add(&service, FACTS).await;
    let path = format!("/api/facts/stats?min_revision={revision}");
    let (_, before) = get(&service, &path).await;
    assert!(service.terminate().await.success());
    service.start().await;
    let (status, mut after) = get(&service, &path).await;
    assert_eq!(status, StatusCode::OK, "{after}");
    after["growth_rate"] = before["growth_rate"].clone();
    assert_eq!(after, before);
}
