//! The way of a change as traces prove it: the request, then what links to it and never belongs to it.

use std::collections::BTreeSet;

use bywash_tests::collector::{Collector, Span};
use bywash_tests::platform::{AddedFact, FACTS, Platform, unique_statement};
use bywash_tests::service::Kind;
use bywash_tests::sse::Sse;
use futures_util::StreamExt;
use reqwest::StatusCode;
use serde_json::{Value, json};

/// The caller's own context: the server span continues it.
const CALLER_SPAN: &str = "b7ad6b7169203331";

const KNOWLEDGE_BASE: &str = "bywash-knowledge-base";
const GATEWAY: &str = "bywash-push-gateway";

async fn traced(collector: &Collector) -> Platform {
    Platform::builder().with(Kind::KnowledgeBase).with(Kind::PushGateway).traced(collector).start().await
}

/// Posts a fact within the trace `trace_id`.
async fn post(platform: &Platform, trace_id: &str) -> AddedFact {
    let response = platform
        .http
        .post(platform.url(Kind::KnowledgeBase, "/api/facts"))
        .header("traceparent", format!("00-{trace_id}-{CALLER_SPAN}-01"))
        .json(&json!({"statement": unique_statement()}))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    let timing = response.headers()["server-timing"].to_str().unwrap().to_owned();
    assert!(
        timing.contains("total;dur=") && timing.contains(','),
        "Server-Timing names the stages: {timing}"
    );
    AddedFact::of(&response.json::<Value>().await.unwrap())
}

/// The server span of the request in `trace_id`.
async fn server_span(collector: &Collector, trace_id: &str) -> Span {
    collector
        .span("the request's server span", |span| {
            span.trace_id == trace_id && span.service == KNOWLEDGE_BASE && span.parent_id == CALLER_SPAN
        })
        .await
}

/// The span of this name that links to the request.
async fn linked(collector: &Collector, service: &str, name: &str, request: &Span) -> Span {
    let wanted = |span: &Span| span.service == service && span.name.contains(name) && span.links_to(request);
    collector.span(&format!("a span {name} of {service} that links to the request"), wanted).await
}

#[tokio::test]
async fn publish_and_process_link_to_the_request_and_are_not_its_children() {
    let collector = Collector::start().await;
    let platform = traced(&collector).await;
    let sse = Sse::open(&platform.stream_url("topics=kb.facts")).await;
    sse.named("ready").await;
    let client = platform.nats.client().await;
    let mut on_the_wire = client.subscribe(FACTS).await.unwrap();
    client.flush().await.unwrap();
    let trace_id = "0af7651916cd43dd8448eb211c80319c";

    let fact = post(&platform, trace_id).await;
    let event = sse.with_sequence(FACTS, fact.revision).await;
    assert!(
        event.data["trace"].to_string().contains(trace_id),
        "the event names its request's trace: {event:?}"
    );

    let request = server_span(&collector, trace_id).await;
    let message = on_the_wire.next().await.unwrap();
    let header = message.headers.as_ref().and_then(|headers| headers.get("traceparent")).unwrap().as_str();
    assert_eq!(
        header,
        format!("00-{}-{}-01", request.trace_id, request.span_id),
        "traceparent is the request's"
    );

    let publish = linked(&collector, KNOWLEDGE_BASE, "publish", &request).await;
    let process = linked(&collector, GATEWAY, "process", &request).await;
    for fan_out in [&publish, &process] {
        assert!(fan_out.is_root(), "{fan_out:#?}");
        assert_ne!(fan_out.trace_id, request.trace_id, "{fan_out:#?}");
    }
    let delivered = process.attribute("bywash.delivered").and_then(|value| value.parse::<u64>().ok());
    assert_eq!(delivered, Some(1), "one client follows: {process:#?}");
    assert_ne!(publish.trace_id, process.trace_id);
    assert!(process.end_ns >= process.start_ns && process.start_ns >= request.start_ns);

    let children: Vec<Span> = collector
        .spans
        .wait("store spans below the request", |all| {
            let children: Vec<Span> =
                all.iter().filter(|span| span.parent_id == request.span_id).cloned().collect();
            (!children.is_empty()).then_some(children)
        })
        .await;
    assert!(children.iter().all(|span| span.trace_id == request.trace_id && span.service == KNOWLEDGE_BASE));
    fan_out_stays_outside(&collector, trace_id);
}

/// In the request's trace there is nothing of the gateway and nothing of the relay.
fn fan_out_stays_outside(collector: &Collector, trace_id: &str) {
    let spans = collector.spans.all();
    let inside: BTreeSet<(String, String)> = spans
        .iter()
        .filter(|span| span.trace_id == trace_id)
        .map(|span| (span.service.clone(), span.name.clone()))
        .collect();
    let strangers: Vec<_> = inside
        .iter()
        .filter(|(service, name)| {
            service != KNOWLEDGE_BASE || name.contains("publish") || name.contains("process")
        })
        .collect();
    assert!(strangers.is_empty(), "the request's trace holds {inside:#?}");
}

#[tokio::test]
async fn a_request_ends_while_the_gateway_stands_still_and_process_links_to_it_afterwards() {
    let collector = Collector::start().await;
    let platform = traced(&collector).await;
    let sse = Sse::open(&platform.stream_url("topics=kb.facts")).await;
    sse.named("ready").await;
    let trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";

    let gateway = platform.service(Kind::PushGateway).process();
    gateway.freeze();
    let fact = post(&platform, trace_id).await;
    let request = server_span(&collector, trace_id).await;
    let publish = linked(&collector, KNOWLEDGE_BASE, "publish", &request).await;
    let early =
        collector.spans.all().into_iter().find(|span| span.service == GATEWAY && span.links_to(&request));
    assert_eq!(early, None, "a stopped gateway processes nothing");
    let thawed_at_ns = unix_ns();
    gateway.thaw();

    sse.with_sequence(FACTS, fact.revision).await;
    let process = linked(&collector, GATEWAY, "process", &request).await;
    assert!(process.is_root() && publish.is_root());
    assert!(process.start_ns >= thawed_at_ns, "it begins when the gateway goes on: {process:#?}");
    assert!(request.end_ns < thawed_at_ns, "the request had ended long before: {request:#?}");
    fan_out_stays_outside(&collector, trace_id);
}

fn unix_ns() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::try_from(since.as_nanos()).unwrap()
}
