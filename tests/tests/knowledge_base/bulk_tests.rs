//! Bulk requests: three formats, lines that fail, bodies of any length.

use bywash_tests::nats::Nats;
use bywash_tests::platform::{answer, set_up};
use bywash_tests::service::{Kind, Service};
use futures_util::StreamExt;
use reqwest::{Body, Client, StatusCode};
use serde_json::{Value, json};

use super::log::{caught_up, get};

async fn started() -> Service {
    let mut service = Service::new(Kind::KnowledgeBase, "nats://127.0.0.1:9");
    service.start().await;
    service
}

async fn bulk(
    service: &Service,
    query: &str,
    content_type: &str,
    body: impl Into<Body>,
) -> (StatusCode, Value) {
    let url = service.url(&format!("/api/facts/bulk{query}"));
    answer(Client::new().post(url).header("content-type", content_type).body(body)).await
}

fn counts(report: &Value) -> [Option<u64>; 3] {
    ["added", "duplicate", "rejected"].map(|name| report[name].as_u64())
}

#[tokio::test]
async fn a_line_that_fails_is_told_by_number_and_stops_nothing() {
    let service = started().await;
    let long = format!("P(\"{}\")", "x".repeat(70_000));
    let text = format!("P(a).\nP(b\n\n  \r\nP(c)\r\nP(a)\n{long}\nP(d)");
    let (status, report) = bulk(&service, "", "text/plain; charset=utf-8", text).await;
    assert_eq!(status, StatusCode::OK, "{report}");
    assert_eq!(counts(&report), [Some(3), Some(1), Some(2)], "blank lines are no facts: {report}");
    assert_eq!(
        (&report["errors"][0]["line"], &report["errors"][0]["code"]),
        (&json!(2), &json!("unparsable"))
    );
    assert_eq!(
        (&report["errors"][1]["line"], &report["errors"][1]["code"]),
        (&json!(7), &json!("line_too_long"))
    );
    assert_eq!(report["revision"], 1);
}

#[tokio::test]
async fn json_lines_and_arrays_carry_context_and_confidence() {
    let service = started().await;
    let lines = "\"P(a)\"\n{\"statement\":\"P(b)\",\"context\":\"x\",\"confidence\":0.5}\n{\"a\":1}\nnull\n";
    let (_, report) = bulk(&service, "", "application/x-ndjson", lines).await;
    assert_eq!(counts(&report), [Some(2), Some(0), Some(2)], "{report}");
    let array = r#"["P(c)", {"fact": "P(d)", "confidence": 2}, {"query": "P(e)"}, "P(a)"]"#;
    let (_, report) = bulk(&service, "", "application/json", array).await;
    assert_eq!(counts(&report), [Some(2), Some(1), Some(1)], "{report}");
    assert_eq!(report["errors"][0]["code"], "invalid_confidence");
    let fact = get(&service, "/api/facts/2").await;
    assert_eq!((&fact["context"], &fact["confidence"]), (&json!("x"), &json!(0.5)));

    let (status, report) = bulk(&service, "", "application/json", "[\"P(f)\", ").await;
    assert_eq!((status.as_u16(), &report["error"]["code"]), (400, &json!("malformed_json")));
    assert_eq!(report["error"]["details"]["added"], 1, "what came before is written and said: {report}");
    let (status, report) = bulk(&service, "", "application/xml", "<P/>").await;
    assert_eq!((status.as_u16(), &report["error"]["code"]), (415, &json!("unsupported_media_type")));
}

#[tokio::test]
async fn a_dry_run_counts_and_writes_nothing() {
    let service = started().await;
    bulk(&service, "", "text/plain", "P(a)").await;
    let (_, report) = bulk(&service, "?dry_run=true", "text/plain", "P(a)\nP(b)\nP(b)\nP(\n").await;
    assert_eq!(counts(&report), [Some(1), Some(2), Some(1)], "{report}");
    assert_eq!(get(&service, "/api/facts/count").await["count"], 1);
}

#[tokio::test]
async fn errors_beyond_a_hundred_are_counted_and_not_listed() {
    let service = started().await;
    let (_, report) = bulk(&service, "", "text/plain", "bad\n".repeat(2500)).await;
    assert_eq!(counts(&report), [Some(0), Some(0), Some(2500)]);
    assert_eq!(
        (report["errors"].as_array().map(Vec::len), &report["errors_omitted"]),
        (Some(100), &json!(2400))
    );
    assert_eq!(report["errors"][99]["line"], 100);
}

#[tokio::test]
async fn a_long_body_streams_in_batches_that_are_one_event_each_and_posts_pass_between() {
    const FACTS: usize = 20_500;
    let nats = Nats::start().await;
    set_up(&nats).await;
    let mut service = Service::new(Kind::KnowledgeBase, &nats.url());
    service.start().await;
    let pieces = futures_util::stream::iter(0..FACTS)
        .map(|number| Ok::<_, std::io::Error>(format!("Number(n{number}, {number}).\n")));
    let post = async {
        let request = Client::new().post(service.url("/api/facts"));
        answer(request.json(&json!({"statement": "Between(a, b)"}))).await.0
    };
    let (bulk, status) = tokio::join!(bulk(&service, "", "text/plain", Body::wrap_stream(pieces)), post);
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(counts(&bulk.1), [Some(FACTS as u64), Some(0), Some(0)], "{}", bulk.1);
    let log = caught_up(&nats, &service).await;
    assert_eq!(log.last, 22, "21 batches and a post");
    let mut told = 0.0;
    for message in &log.messages {
        if message.header("ce-type") == "facts_imported" {
            let number = |name: &str| message.body[name].as_f64().expect("a number");
            assert!(number("count") <= 1000.0);
            assert_eq!(number("last_id") - number("first_id") + 1.0, number("count"), "{}", message.body);
            told += number("count");
        }
    }
    #[allow(clippy::cast_precision_loss, reason = "a small number")]
    let sent = FACTS as f64;
    assert_eq!(told, sent);
    let page = get(&service, &format!("/api/facts?limit=1000&revision={}", log.last)).await;
    assert!(page["facts"].as_array().is_some_and(|facts| !facts.is_empty()), "{page}");
}
