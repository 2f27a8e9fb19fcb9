//! Limits on connections: one too many is told in the protocol's own way, and a place that is freed is taken again.

use bywash_tests::platform::{Platform, answer};
use bywash_tests::service::Kind;
use bywash_tests::sse::Sse;
use bywash_tests::wait::eventually;
use bywash_tests::ws::Ws;
use reqwest::StatusCode;
use tokio_tungstenite::tungstenite::Error;

#[tokio::test]
async fn a_connection_too_many_is_asked_to_come_back_and_may_when_a_place_is_free() {
    let platform = Platform::builder()
        .with(Kind::PushGateway)
        .set(Kind::PushGateway, "BYWASH_MAX_CONNECTIONS", "1")
        .start()
        .await;
    let url = platform.stream_url("topics=state.>");
    let only = Sse::open(&url).await;
    only.named("ready").await;

    // A browser's EventSource gives up for ever on any status but 200.
    let response = platform.http.get(&url).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let text = response.text().await.unwrap();
    assert!(text.starts_with("retry: ") && !text.contains("data:"), "{text:?}");
    let refused = Ws::open_with(platform.service(Kind::PushGateway).addr(), &[]).await;
    assert!(
        matches!(&refused, Err(Error::Http(response)) if response.status() == 503 && response.headers().contains_key("retry-after")),
        "{refused:?}"
    );
    let (status, _) = answer(platform.http.get(platform.url(Kind::PushGateway, "/api/profile"))).await;
    assert_eq!(status, StatusCode::OK, "requests that hold no connection go on");

    drop(only);
    eventually("the place is free again", || async {
        let mut response = platform.http.get(&url).send().await.map_err(|error| error.to_string())?;
        let first = response.chunk().await.map_err(|error| error.to_string())?.unwrap_or_default();
        let text = String::from_utf8_lossy(&first).into_owned();
        if text.contains("event: ready") { Ok(()) } else { Err(text) }
    })
    .await;
}
