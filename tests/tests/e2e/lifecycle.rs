//! How services end and begin again.

use std::time::Instant;

use bywash_tests::platform::{FACTS, Platform};
use bywash_tests::service::Kind;
use bywash_tests::sse::Sse;
use bywash_tests::wait::DEADLINE;
use reqwest::StatusCode;

const ALL: [Kind; 4] = [Kind::KnowledgeBase, Kind::Governor, Kind::GpuMonitor, Kind::PushGateway];

#[tokio::test]
async fn every_service_stops_gracefully_and_starts_again_with_its_data() {
    let builder = ALL.into_iter().fold(Platform::builder(), bywash_tests::platform::Builder::with);
    let mut platform = builder.start().await;
    let sse = Sse::open(&platform.stream_url("topics=kb.facts")).await;
    sse.named("ready").await;
    let fact = platform.add("Capital(france, paris).").await;
    sse.with_sequence(FACTS, fact.revision).await;

    let begin = Instant::now();
    for kind in ALL.into_iter().rev() {
        let status = platform.service_mut(kind).terminate().await;
        assert!(status.success(), "{kind:?} ended with {status}");
    }
    assert!(begin.elapsed() < DEADLINE, "open streams do not hold the stop up: {:?}", begin.elapsed());
    sse.closed().await;

    for kind in ALL {
        platform.service_mut(kind).start().await;
    }
    let (status, body) = platform.get(Kind::KnowledgeBase, "/api/facts?limit=10").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(body["facts"][0]["statement"], "Capital(france, paris).", "{body}");
    let next = platform.add("Capital(italy, rome).").await;
    assert_eq!((next.revision, &next.epoch), (fact.revision + 1, &fact.epoch), "revisions go on");
}

#[tokio::test]
async fn every_service_answers_health_liveness_readiness_and_metrics() {
    let builder = ALL.into_iter().fold(Platform::builder(), bywash_tests::platform::Builder::with);
    let platform = builder.start().await;
    for kind in ALL {
        let (status, body) = platform.get(kind, "/health").await;
        assert_eq!((status, &body["status"]), (StatusCode::OK, &"ok".into()), "{kind:?}: {body}");
        let (status, body) = platform.get(kind, "/readyz").await;
        assert_eq!((status, &body["ready"]), (StatusCode::OK, &true.into()), "{kind:?}: {body}");
        let (status, _) = platform.get(kind, "/api/nothing").await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        let text = reqwest::get(platform.url(kind, "/metrics")).await.unwrap().text().await.unwrap();
        for name in [
            "bywash_http_request_duration_seconds",
            "bywash_event_loop_lag_seconds",
            "bywash_nats_connected 1",
        ] {
            assert!(text.contains(name), "{kind:?} has no {name}:\n{text}");
        }
    }
}
