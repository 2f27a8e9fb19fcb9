//! What is wrong with the facts, over HTTP: duplicates, contradictions, odd predicates, verdicts and similarity.

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

async fn post(service: &Service, path: &str, body: &Value) -> (StatusCode, Value) {
    answer(Client::new().post(service.url(path)).json(body)).await
}

/// What a good question gets.
async fn told(service: &Service, path: &str) -> Value {
    let (status, body) = get(service, path).await;
    assert_eq!(status, StatusCode::OK, "{path}: {body}");
    body
}

/// Adds facts, and gives the revision.
async fn add(service: &Service, facts: &str) -> u64 {
    let bulk = Client::new().post(service.url("/api/facts/bulk")).header("content-type", "text/plain");
    let (_, report) = answer(bulk.body(facts.to_owned())).await;
    report["revision"].as_u64().expect("a report has a revision")
}

/// The statements of each element of a list.
fn statements(list: &Value) -> Vec<Vec<String>> {
    let of = |facts: &Value| -> Vec<String> {
        let facts = facts["facts"].as_array().expect("a list of facts").iter();
        facts.map(|fact| fact["statement"].as_str().unwrap_or_default().to_owned()).collect()
    };
    list.as_array().expect("a list").iter().map(of).collect()
}

const FACTS: &str = "Capital(France, Paris).
Capital(france, \"Paris\").
Capital(France, Lyon).
Weighs(cat, Q(4.0, kg)).
Weighs(Cat, Q(4, kg)).
-Weighs(cat, Q(4, KG)).
Functional(Capital).
Functional(Mayor).
Likes(cat, dog).
Likes(cat, dog, much).
likes(dog, cat).
-Barks(cat).
Barks(cat).
";

#[tokio::test]
async fn facts_in_several_spellings_are_told_page_by_page() {
    let service = started().await;
    let revision = add(&service, FACTS).await;
    let path = format!("/api/quality/duplicates?min_revision={revision}");
    let all = told(&service, &path).await;
    let groups = [
        ["Capital(France, Paris).", "Capital(france, \"Paris\")."],
        ["Weighs(cat, Q(4.0, kg)).", "Weighs(Cat, Q(4, kg))."],
    ];
    assert_eq!(statements(&all["groups"]), groups, "{all}");
    assert_eq!(
        (&all["total"], &all["revision"], all.get("next_cursor")),
        (&json!(2), &json!(revision), None)
    );
    assert_eq!(
        (&all["groups"][0]["fact_count"], &all["groups"][0]["facts"][0]["id"]),
        (&json!(2), &json!(1))
    );

    let first = told(&service, &format!("{path}&limit=1")).await;
    assert_eq!(statements(&first["groups"]), groups[..1], "{first}");
    let cursor = first["next_cursor"].as_str().expect("there is more");
    let last = told(&service, &format!("{path}&limit=1&cursor={cursor}")).await;
    assert_eq!(
        (statements(&last["groups"]), last.get("next_cursor")),
        (vec![groups[1].map(str::to_owned).to_vec()], None)
    );
}

#[tokio::test]
async fn facts_that_nearly_say_the_same_are_told_as_pairs_with_how_far_it_is() {
    let mut service = started().await;
    let facts = "LivesIn(Ada, London).\nLivesIn(Ada, Londonn).\nlivesin(ada, london).\n-LivesIn(Ada, London).\n\
                 Hypernym(dog_n_1, canine_n_1).\nHypernym(dog_n_2, canine_n_1).\n\
                 HasColour(sky, blue).\nHasColor(sky, blue).\n";
    let revision = add(&service, facts).await;
    let path = format!("/api/quality/duplicates?kind=near&threshold=0.8&min_revision={revision}");
    let all = told(&service, &path).await;
    let pairs = |answer: &Value| -> Vec<(u64, u64)> {
        let pairs = answer["pairs"].as_array().expect("a list of pairs").iter();
        let id = |fact: &Value| fact["id"].as_u64().expect("a fact has a number");
        pairs.map(|pair| (id(&pair["first"]), id(&pair["second"]))).collect()
    };
    assert_eq!(pairs(&all), [(1, 2), (2, 3), (7, 8)], "{all}");
    assert_eq!((&all["progress"], &all["revision"]), (&json!({"looked_at": 8, "of": 8}), &json!(revision)));
    assert!(all["pairs"][0]["similarity"].as_f64().is_some_and(|found| (0.8..1.0).contains(&found)), "{all}");
    let first = told(&service, &format!("{path}&limit=1")).await;
    assert_eq!((pairs(&first), &first["progress"]["looked_at"]), (vec![(1, 2)], &json!(1)), "{first}");
    let cursor = first["next_cursor"].as_str().expect("there is more").to_owned();
    assert!(service.terminate().await.success());
    service.start().await;
    let rest = told(&service, &format!("{path}&cursor={cursor}")).await;
    assert_eq!((pairs(&rest), rest.get("next_cursor")), (vec![(2, 3), (7, 8)], None), "{rest}");

    let change =
        Client::new().put(service.url("/api/facts/2")).json(&json!({"statement": "LivesIn(Bob, Rome)"}));
    let (_, changed) = answer(change).await;
    let path =
        format!("/api/quality/duplicates?kind=near&threshold=0.8&min_revision={}", changed["revision"]);
    assert_eq!(pairs(&told(&service, &path).await), [(7, 8)]);
}

#[tokio::test]
async fn contradictions_and_second_values_are_told_and_go_with_their_facts() {
    let service = started().await;
    let revision = add(&service, FACTS).await;
    let path = format!("/api/quality/consistency?min_revision={revision}");
    let all = told(&service, &path).await;
    let conflicts = [
        ("functional", vec!["Capital(France, Paris).", "Capital(France, Lyon)."]),
        (
            "contradiction",
            vec!["Weighs(cat, Q(4.0, kg)).", "Weighs(Cat, Q(4, kg)).", "-Weighs(cat, Q(4, KG))."],
        ),
        ("contradiction", vec!["-Barks(cat).", "Barks(cat)."]),
    ];
    let kinds: Vec<_> = all["conflicts"].as_array().unwrap().iter().map(|one| one["kind"].clone()).collect();
    assert_eq!(kinds, conflicts.iter().map(|(kind, _)| json!(kind)).collect::<Vec<_>>(), "{all}");
    let expected: Vec<_> = conflicts.iter().map(|(_, facts)| facts.clone()).collect();
    assert_eq!(statements(&all["conflicts"]), expected);
    assert_eq!(all["totals"], json!({"contradictions": 2, "functional": 1}));
    let mut cursor = String::new();
    let mut paged = Vec::new();
    for page in 0..3 {
        let part = told(&service, &format!("{path}&limit=1{cursor}")).await;
        paged.extend(statements(&part["conflicts"]));
        assert_eq!(part["next_cursor"].is_string(), page < 2, "{part}");
        cursor = format!("&cursor={}", part["next_cursor"].as_str().unwrap_or_default());
    }
    assert_eq!(paged, expected);
    let (_, of_kind) = get(&service, &format!("{path}&kind=contradiction")).await;
    assert_eq!(statements(&of_kind["conflicts"]), expected[1..], "{of_kind}");

    // A declaration that is taken back takes its conflicts along; so does a fact that is deleted or changed.
    let (_, deleted) = answer(Client::new().delete(service.url("/api/facts/7"))).await;
    let path = format!("/api/quality/consistency?min_revision={}", deleted["revision"]);
    assert_eq!(told(&service, &path).await["totals"], json!({"contradictions": 2, "functional": 0}));
    answer(Client::new().delete(service.url("/api/facts/12"))).await;
    let change =
        Client::new().put(service.url("/api/facts/6")).json(&json!({"statement": "-Weighs(cat, 5)"}));
    let (_, changed) = answer(change).await;
    let path = format!("/api/quality/consistency?min_revision={}", changed["revision"]);
    let none = told(&service, &path).await;
    assert_eq!((&none["conflicts"], &none["revision"]), (&json!([]), &changed["revision"]), "{none}");
}

#[tokio::test]
async fn odd_predicates_are_told_with_how_they_are_used() {
    let service = started().await;
    let revision = add(&service, FACTS).await;
    let path = format!("/api/quality/validate?min_revision={revision}");
    let all = told(&service, &path).await;
    let odd = json!([
        {
            "predicate": "likes", "codes": ["several_arities", "several_spellings"], "use_count": 3,
            "uses": [
                {"predicate": "Likes", "arity": 2, "count": 1}, {"predicate": "Likes", "arity": 3, "count": 1},
                {"predicate": "likes", "arity": 2, "count": 1},
            ],
        },
        {"predicate": "mayor", "codes": ["functional_unused"], "uses": [], "use_count": 0},
    ]);
    assert_eq!((&all["predicates"], &all["total"]), (&odd, &json!(2)), "{all}");
    let first = told(&service, &format!("{path}&limit=1")).await;
    let cursor = first["next_cursor"].as_str().expect("there is more");
    let last = told(&service, &format!("{path}&limit=1&cursor={cursor}")).await;
    assert_eq!((&last["predicates"], last.get("next_cursor")), (&json!([odd[1]]), None), "{last}");
}

#[tokio::test]
async fn a_statement_is_told_what_would_become_of_it_and_nothing_is_written() {
    let service = started().await;
    let revision = add(&service, FACTS).await;
    let statements = json!({"statements": [
        "Barks( cat )", "Barks(Cat)", "Capital(France, Nice)", "P(", "Meows(cat)", "Meows(cat).", "Likes(cat)",
        "Functional(Nobody)",
    ]});
    let path = format!("/api/quality/validate?min_revision={revision}");
    let (status, verdicts) = post(&service, &path, &statements).await;
    assert_eq!((status, &verdicts["revision"]), (StatusCode::OK, &json!(revision)), "{verdicts}");
    let results = &verdicts["results"];
    let ids = |facts: &Value| -> Vec<u64> {
        facts.as_array().unwrap().iter().filter_map(|fact| fact["id"].as_u64()).collect()
    };
    let outcome = |place: usize| results[place]["outcome"].as_str().unwrap_or_default();
    assert_eq!((outcome(0), &results[0]["duplicate_of"]), ("duplicate", &json!(13)), "{results}");
    assert_eq!(
        (&results[0]["statement"], ids(&results[0]["contradicts"])),
        (&json!("Barks(cat)."), vec![12])
    );
    assert_eq!(
        (outcome(1), ids(&results[1]["same"]), ids(&results[1]["contradicts"])),
        ("added", vec![13], vec![12])
    );
    assert_eq!((outcome(2), ids(&results[2]["other_values"])), ("added", vec![1, 3]));
    let error = &results[3]["error"];
    assert_eq!(
        (outcome(3), &error["code"], &error["position"], &error["column"]),
        ("unparsable", &json!("unparsable"), &json!(2), &json!(3))
    );
    assert_eq!(
        (outcome(4), outcome(5), &results[5]["repeats"]),
        ("added", "duplicate", &json!(4)),
        "{results}"
    );
    assert_eq!((outcome(6), &results[6]["warnings"]), ("added", &json!(["several_arities"])), "{results}");
    assert_eq!((outcome(7), &results[7]["warnings"]), ("added", &json!(["functional_unused"])), "{results}");
    assert_eq!(told(&service, "/api/facts/count").await["revision"], revision, "nothing was written");
}

#[tokio::test]
async fn similarity_is_that_of_meaning_between_two_texts_and_to_the_facts() {
    let service = started().await;
    let revision =
        add(&service, "IsA(puppy, young_dog).\nOrbits(moon, earth).\nSells(bakery, bread).\n").await;
    let path = format!("/api/quality/semantic_similarity?min_revision={revision}");
    let similarity = async |a: &str, b: &str| {
        let (status, answer) = post(&service, &path, &json!({"a": a, "b": b})).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer["similarity"].as_f64().expect("a number")
    };
    let same = similarity("IsA(dog, animal)", "IsA(\"dog\", Animal).").await;
    assert!((same - 1.0).abs() < 1e-5, "a statement is taken as its words: {same}");
    assert!(similarity("puppy", "dog").await > similarity("puppy", "senate").await);
    let (status, near) =
        post(&service, &path, &json!({"statement": "a satellite of a planet", "limit": 2})).await;
    assert_eq!(
        (status, &near["facts"][0]["statement"]),
        (StatusCode::OK, &json!("Orbits(moon, earth).")),
        "{near}"
    );
    assert_eq!(
        (near["facts"].as_array().map(Vec::len), &near["model"]),
        (Some(2), &json!("minilm-l6-v2-static-1"))
    );
    let (_, none) = post(&service, &path, &json!({"statement": "a satellite", "threshold": 1})).await;
    assert_eq!(none["facts"], json!([]), "{none}");
}

#[tokio::test]
async fn a_question_about_quality_that_makes_no_sense_has_its_code() {
    let service = started().await;
    let revision = add(&service, FACTS).await;
    told(&service, &format!("/api/quality/duplicates?min_revision={revision}")).await;
    for (path, status, code) in [
        ("duplicates?limit=0", 400, "invalid_limit"),
        ("duplicates?limit=101", 400, "invalid_limit"),
        ("duplicates?limit=x", 400, "invalid_query"),
        ("duplicates?kind=twins", 400, "invalid_kind"),
        ("duplicates?threshold=0.9", 400, "invalid_threshold"),
        ("duplicates?kind=near&threshold=1.1", 400, "invalid_threshold"),
        ("duplicates?kind=near&threshold=NaN", 400, "invalid_threshold"),
        ("duplicates?kind=near&cursor=x", 400, "invalid_cursor"),
        ("duplicates?cursor=x", 400, "invalid_cursor"),
        ("duplicates?cursor=0123456789abcdef-1", 409, "other_epoch"),
        ("duplicates?min_revision=x", 400, "invalid_revision"),
        ("consistency?kind=lies", 400, "invalid_kind"),
        ("consistency?limit=101", 400, "invalid_limit"),
        ("consistency?cursor=x", 400, "invalid_cursor"),
        ("validate?limit=0", 400, "invalid_limit"),
        ("validate?cursor=x-!", 400, "invalid_cursor"),
        ("validate?cursor=0123456789abcdef-aXNh", 409, "other_epoch"),
        ("validate?min_revision=99", 503, "revision_not_reached"),
    ] {
        let (answered, body) = get(&service, &format!("/api/quality/{path}")).await;
        assert_eq!((answered.as_u16(), &body["error"]["code"]), (status, &json!(code)), "{path}: {body}");
    }
    let (long, many) = ("x ".repeat(5_000), vec!["P(a)"; 101]);
    for (path, body, status, code) in [
        ("validate", json!({"statements": many}), 422, "too_many_statements"),
        ("validate", json!({"statements": "P(a)"}), 422, "invalid_body"),
        ("validate", json!({}), 422, "invalid_body"),
        ("semantic_similarity", json!({}), 422, "missing_text"),
        ("semantic_similarity", json!({"a": "dog"}), 422, "missing_text"),
        ("semantic_similarity", json!({"a": "dog", "b": "cat", "statement": "x"}), 422, "missing_text"),
        ("semantic_similarity", json!({"a": "dog", "b": long}), 422, "text_too_long"),
        ("semantic_similarity", json!({"a": "dog", "b": "…"}), 422, "unknown_words"),
        ("semantic_similarity", json!({"statement": "dog", "limit": 101}), 400, "invalid_limit"),
        ("semantic_similarity", json!({"statement": "dog", "threshold": 2}), 400, "invalid_threshold"),
    ] {
        let (answered, answer) = post(&service, &format!("/api/quality/{path}"), &body).await;
        assert_eq!((answered.as_u16(), &answer["error"]["code"]), (status, &json!(code)), "{path}: {answer}");
    }
}

#[tokio::test]
async fn what_was_found_is_found_again_after_a_restart_and_a_cursor_still_leads_on() {
    let mut service = started().await;
    let revision = add(&service, FACTS).await;
    let paths = ["duplicates", "consistency", "validate"]
        .map(|name| format!("/api/quality/{name}?limit=1&min_revision={revision}"));
    let mut before = Vec::new();
    for path in &paths {
        let first = told(&service, path).await;
        let cursor = first["next_cursor"].as_str().expect("there is more").to_owned();
        let second = told(&service, &format!("{path}&cursor={cursor}")).await;
        before.push((first, cursor, second));
    }
    assert!(service.terminate().await.success());
    service.start().await;
    for (path, (first, cursor, second)) in paths.iter().zip(before) {
        assert_eq!(told(&service, path).await, first);
        assert_eq!(told(&service, &format!("{path}&cursor={cursor}")).await, second);
    }
    let status = told(&service, "/api/status").await;
    assert_eq!(status["quality"], json!({"ready": true, "facts": 13, "revision": revision}), "{status}");
}

#[tokio::test]
async fn without_vectors_nothing_is_called_similar() {
    let mut service = Service::new(Kind::KnowledgeBase, "nats://127.0.0.1:9");
    service.set("THEMIS_ENABLED", "false").start().await;
    add(&service, FACTS).await;
    let path = "/api/quality/semantic_similarity";
    let near = get(&service, "/api/quality/duplicates?kind=near").await;
    let similar = post(&service, path, &json!({"statement": "dog"})).await;
    for (status, answer) in [near, similar] {
        assert_eq!(
            (status.as_u16(), &answer["error"]["code"]),
            (503, &json!("vectors_unavailable")),
            "{answer}"
        );
    }
    let (status, answer) = post(&service, path, &json!({"a": "dog", "b": "puppy"})).await;
    assert_eq!(status, StatusCode::OK, "two texts need no index: {answer}");
}
