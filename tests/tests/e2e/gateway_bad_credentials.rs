//! Tokens and tickets that prove nothing to the gateway, or come from where they must not, and clients that never say
//! who they are.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bywash_tests::platform::{Platform, answer};
use bywash_tests::raw_ws::{Frame, RawWs, masked, text};
use bywash_tests::service::Kind;
use bywash_tests::sse::Sse;
use bywash_tests::swarm::signed;
use bywash_tests::ws::Ws;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::gateway_bad_input::{counted, grown};

const SECRET: &str = "an e2e secret of more than 32 bytes";
const TICKET_KEY: &str = "a ticket key of at least thirty-two bytes";

/// A gateway that asks for tokens of one issuer and audience.
async fn with_tokens() -> Platform {
    Platform::builder()
        .with(Kind::PushGateway)
        .set_all("BYWASH_JWT_SECRET", SECRET)
        .set_all("BYWASH_JWT_AUDIENCE", "bywash")
        .set_all("BYWASH_JWT_ISSUER", "https://issuer.example")
        .set_all("BYWASH_TICKET_KEY", TICKET_KEY)
        .start()
        .await
}

/// Claims that are accepted, with changes; a change to null removes the claim.
fn claims(changes: &Value) -> Value {
    let mut all = json!({"sub": "ada", "jti": "j1", "roles": ["read", "write"], "exp": 4_102_444_800_u64,
        "aud": "bywash", "iss": "https://issuer.example"});
    for (name, value) in changes.as_object().unwrap() {
        all[name] = value.clone();
    }
    all.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    all
}

#[tokio::test]
async fn tokens_that_prove_nothing_are_refused_alike_by_every_protocol_and_counted_by_reason() {
    let platform = with_tokens().await;
    let gateway = platform.service(Kind::PushGateway);
    let part = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let good = signed(SECRET, &claims(&json!({})));
    let (status, _) = answer(platform.http.post(gateway.url("/api/events/ticket")).bearer_auth(&good)).await;
    assert_eq!(status, StatusCode::CREATED, "the token that all others are changed from");
    let unsigned =
        |alg: &str| format!("{}.{}.", part(json!({"alg": alg, "typ": "JWT"})), part(claims(&json!({}))));
    let (_, signature) = good.rsplit_once('.').unwrap();
    let reheaded = format!("{}{signature}", unsigned("none"));
    let rows = [
        ("alg none", unsigned("none"), "token_algorithm"),
        ("alg None", unsigned("None"), "token_algorithm"),
        ("alg none with a signature", reheaded, "token_algorithm"),
        ("no signature", unsigned("HS256"), "token_signature"),
        (
            "another key",
            signed("another secret of more than 32 bytes", &claims(&json!({}))),
            "token_signature",
        ),
        ("expired", signed(SECRET, &claims(&json!({"exp": 1_577_836_800}))), "token_expired"),
        ("not yet", signed(SECRET, &claims(&json!({"nbf": 4_102_444_700_u64}))), "token_not_yet_valid"),
        ("another audience", signed(SECRET, &claims(&json!({"aud": "other"}))), "token_audience"),
        ("no audience", signed(SECRET, &claims(&json!({"aud": null}))), "token_audience"),
        ("another issuer", signed(SECRET, &claims(&json!({"iss": "https://evil.example"}))), "token_issuer"),
        ("no end", signed(SECRET, &claims(&json!({"exp": null}))), "token_claims"),
        ("topics of no catalogue", signed(SECRET, &claims(&json!({"topics": [">"]}))), "token_topics"),
    ];
    let mut wanted = BTreeMap::new();
    for (what, token, code) in &rows {
        let (status, body) =
            answer(platform.http.get(platform.stream_url("topics=app.x")).bearer_auth(token)).await;
        assert_eq!(
            (status, &body["error"]["code"]),
            (StatusCode::UNAUTHORIZED, &json!(code)),
            "{what}: {body}"
        );

        let bearer = format!("Bearer {token}");
        let ws = Ws::open_with(gateway.addr(), &[("authorization", &bearer)]).await.unwrap();
        let told = ws.of_type("authentication_error").await;
        assert_eq!(told["payload"]["code"], json!(code), "{what}: {told}");
        assert_eq!(ws.closed().await.0, 1008, "{what}");

        let mut client = RawWs::open(gateway.addr(), "/connection/websocket", "").await;
        client.send(&text(&json!({"id": 1, "connect": {"token": token}}).to_string())).await;
        let frame = client.frame().await.expect("it is told");
        let is_expired = frame.text().contains("\"code\":109") && *code == "token_expired";
        assert!(is_expired || frame.close_code() == Some(3500), "{what}: {frame:?}");
        *wanted.entry(*code).or_insert(0.0) += 3.0;
    }
    for (code, count) in wanted {
        let series = format!("bywash_auth_refused_total{{reason=\"{code}\"}}");
        assert!((gateway.metric(&series).await - count).abs() < 0.5, "{code}: each is counted once");
    }
}

#[tokio::test]
async fn a_ticket_in_a_cookie_counts_only_from_our_own_pages_and_for_nothing_but_streams() {
    let platform = with_tokens().await;
    let gateway = platform.service(Kind::PushGateway);
    let token = signed(SECRET, &claims(&json!({})));
    let (_, body) = answer(platform.http.post(gateway.url("/api/events/ticket")).bearer_auth(&token)).await;
    let cookie = format!("bywash_ticket={}", body["ticket"].as_str().unwrap());
    let stream = || platform.http.get(platform.stream_url("topics=app.x")).header("cookie", &cookie);
    let own = format!("http://{}", gateway.addr());

    let before = counted(gateway, "cookie_without_origin").await;
    for (what, request, code) in [
        ("no origin", stream(), "cookie_without_origin"),
        (
            "cross-site by its own word",
            stream().header("sec-fetch-site", "cross-site"),
            "cookie_without_origin",
        ),
        ("a page of the same site", stream().header("sec-fetch-site", "same-site"), "cookie_without_origin"),
        ("another site", stream().header("origin", "https://evil.example"), "origin_not_allowed"),
        ("another port", stream().header("origin", "http://127.0.0.1:1"), "origin_not_allowed"),
        ("no origin that has a name", stream().header("origin", "null"), "origin_not_allowed"),
        (
            "another site that says it is ours",
            stream().header("origin", "https://evil.example").header("sec-fetch-site", "same-origin"),
            "origin_not_allowed",
        ),
    ] {
        let (status, body) = answer(request).await;
        assert_eq!((status, &body["error"]["code"]), (StatusCode::FORBIDDEN, &json!(code)), "{what}: {body}");
    }
    assert!((counted(gateway, "cookie_without_origin").await - before - 3.0).abs() < 0.5);

    // From our own page it opens streams, and nothing that changes anything.
    let sse = Sse::send(stream().header("origin", &own)).await;
    sse.named("ready").await;
    let by_fetch = Sse::send(stream().header("sec-fetch-site", "same-origin")).await;
    by_fetch.named("ready").await;
    for (path, body) in [
        ("/api/publish", json!({"topic": "app.x", "data": {}})),
        ("/api/revocations", json!({"id": "x"})),
        ("/api/events/ticket", json!({})),
    ] {
        for origin in [own.as_str(), "https://evil.example"] {
            let request =
                platform.http.post(gateway.url(path)).header("cookie", &cookie).header("origin", origin);
            let (status, answer) = answer(request.json(&body)).await;
            let wanted = if origin == own { StatusCode::UNAUTHORIZED } else { StatusCode::FORBIDDEN };
            assert_eq!(status, wanted, "{path} from {origin}: {answer}");
        }
    }
}

#[tokio::test]
async fn a_client_that_does_not_say_who_it_is_in_time_is_told_so_and_closed() {
    let platform = with_tokens().await;
    let gateway = platform.service(Kind::PushGateway);
    let before = gateway.metric("bywash_gateway_closed_total{reason=\"unauthenticated\"}").await;
    for (path, told, code) in [
        ("/ws", "authentication_timeout", 1008),
        ("/socket.io/?EIO=4&transport=websocket", "authentication_timeout", 1008),
        // Its close code says so.
        ("/connection/websocket", "stale", 3502),
    ] {
        let mut client = RawWs::open(gateway.addr(), path, "").await;
        // A ping is no word on who one is.
        client.send(&masked(0x89, b"")).await;
        let mut frames = Vec::new();
        while let Some(frame) = client.frame().await {
            frames.push(frame);
        }
        assert!(frames.iter().any(|frame| frame.text().contains(told)), "{path}: {frames:?}");
        assert_eq!(frames.last().and_then(Frame::close_code), Some(code), "{path}: {frames:?}");
    }
    grown(gateway, "bywash_gateway_closed_total{reason=\"unauthenticated\"}", before, 3.0).await;
}
