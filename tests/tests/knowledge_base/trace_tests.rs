//! The spans of a write: the store's are children of the request's, the relay's only links to it.

use bywash_tests::collector::Collector;
use bywash_tests::platform::Platform;
use bywash_tests::service::Kind;

#[tokio::test]
async fn a_write_is_traced_into_the_store_and_linked_from_the_relay() {
    let collector = Collector::start().await;
    let platform = Platform::builder().with(Kind::KnowledgeBase).traced(&collector).start().await;
    let added = platform.add_fact().await;
    let request = collector.span("the request", |span| span.name == "POST /api/facts").await;
    assert!(request.is_root());
    for name in ["store.queue", "store.commit"] {
        let child = collector.span(name, |span| span.name == name && span.parent_id == request.span_id).await;
        assert_eq!(child.trace_id, request.trace_id);
        assert!(
            child.start_ns >= request.start_ns && child.end_ns <= request.end_ns,
            "{child:?} in {request:?}"
        );
    }
    let revision = added.revision.to_string();
    let publish = collector
        .span("the publish", |span| {
            span.name == "publish kb.facts" && span.attribute("bywash.revision") == Some(&revision)
        })
        .await;
    assert!(publish.is_root() && publish.links_to(&request), "{publish:?}");
    assert_ne!(publish.trace_id, request.trace_id);

    platform.get(Kind::KnowledgeBase, "/api/facts").await;
    let read = collector.span("the read", |span| span.name == "store.read").await;
    let list = collector.span("the list", |span| span.name == "GET /api/facts").await;
    assert_eq!(read.parent_id, list.span_id);
}
