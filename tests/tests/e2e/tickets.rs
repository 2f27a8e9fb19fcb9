//! Tickets for clients that cannot send headers, as `EventSource`: asked for with a key or a token, good on every pod
//! that has the secret, until they end or their token is revoked.

use std::time::Duration;

use bywash_tests::nats::Nats;
use bywash_tests::platform::{Platform, answer};
use bywash_tests::scratch::Scratch;
use bywash_tests::service::{Kind, Service};
use bywash_tests::sse::{Parser, Sse};
use bywash_tests::swarm::signed;
use bywash_tests::wait::eventually;
use reqwest::header::{HeaderMap, SET_COOKIE};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

const SECRET: &str = "an e2e secret of more than 32 bytes";
const TICKET_KEY: &str = "a ticket key of at least thirty-two bytes";
const API_KEY: &str = "a-key-that-reads-0001";
/// The year 2100.
const FAR_S: u64 = 4_102_444_800;

/// A token of `user` with these roles; its id is `<user>-1`.
fn token(user: &str, roles: &[&str]) -> String {
    signed(SECRET, &json!({"sub": user, "jti": format!("{user}-1"), "roles": roles, "exp": FAR_S}))
}

/// A gateway that takes tokens, with the secret of all pods.
async fn platform(settings: &[(&str, &str)]) -> Platform {
    let mut builder = Platform::builder()
        .with(Kind::PushGateway)
        .set_all("BYWASH_JWT_SECRET", SECRET)
        .set_all("BYWASH_TICKET_KEY", TICKET_KEY);
    for (name, value) in settings {
        builder = builder.set_all(name, value);
    }
    builder.start().await
}

/// Another pod on the same NATS.
async fn pod(nats: &Nats, ticket_key: &str) -> Service {
    let mut pod = Service::new(Kind::PushGateway, &nats.url());
    pod.set("BYWASH_INSTANCE", "another")
        .set("BYWASH_JWT_SECRET", SECRET)
        .set("BYWASH_TICKET_KEY", ticket_key);
    pod.start().await;
    pod
}

/// Asks for a ticket; the answer's headers and body.
async fn asked(gateway: &Service, credential: &str) -> (HeaderMap, Value) {
    let request = Client::new().post(gateway.url("/api/events/ticket")).bearer_auth(credential);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    (response.headers().clone(), response.json().await.unwrap())
}

async fn ticket(gateway: &Service, credential: &str) -> String {
    asked(gateway, credential).await.1["ticket"].as_str().unwrap().to_owned()
}

fn stream_url(gateway: &Service, ticket: &str) -> String {
    gateway.url(&format!("/api/events/stream?topics=app.x&ticket={ticket}"))
}

/// Status and code of a stream that is not opened.
async fn refused(gateway: &Service, ticket: &str) -> (StatusCode, String) {
    let (status, body) = answer(Client::new().get(stream_url(gateway, ticket))).await;
    (status, body["error"]["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_key_or_a_token_gets_a_ticket_and_cookies_that_no_script_and_no_other_site_can_use() {
    let folder = Scratch::new();
    let keys = folder.path().join("keys.json");
    let listed = json!({"keys": [
        {"id": "reader", "key": API_KEY, "roles": ["read"]},
        {"id": "writer", "key": "a-key-that-writes-001", "roles": ["write"]},
    ]});
    std::fs::write(&keys, listed.to_string()).unwrap();
    let platform = platform(&[("BYWASH_API_KEYS_FILE", &keys.display().to_string())]).await;
    let gateway = platform.service(Kind::PushGateway);
    for credential in [API_KEY, &token("ada", &["read"])] {
        let (headers, body) = asked(gateway, credential).await;
        let ticket = body["ticket"].as_str().unwrap();
        assert!(body["expires_at"].as_str().is_some_and(|time| time.ends_with('Z')), "{body}");
        assert!(body["expires_in_s"].as_u64().is_some_and(|left| (3_500..=3_600).contains(&left)), "{body}");
        assert_eq!(headers["cache-control"], "no-store");
        let cookies: Vec<&str> =
            headers.get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap()).collect();
        assert_eq!(cookies.len(), 2, "{cookies:?}");
        for (cookie, path) in cookies.iter().zip(["/api/events", "/api/stream"]) {
            let mut parts = cookie.split("; ");
            assert_eq!(parts.next(), Some(&*format!("bywash_ticket={ticket}")));
            let rest: Vec<&str> = parts.collect();
            for wanted in [&*format!("Path={path}"), "HttpOnly", "SameSite=Strict"] {
                assert!(rest.contains(&wanted), "no {wanted} in {cookie}");
            }
            assert!(
                rest.iter().any(|part| part.starts_with("Max-Age=")) && !rest.contains(&"Secure"),
                "{cookie}"
            );
        }
        for url in
            [stream_url(gateway, ticket), gateway.url(&format!("/api/stream?topics=app.x&ticket={ticket}"))]
        {
            Sse::open(&url).await.named("ready").await;
        }
        let cookie = format!("other=1; bywash_ticket={ticket}");
        let request = platform.http.get(platform.stream_url("topics=app.x")).header("cookie", cookie);
        Sse::send(request.header("sec-fetch-site", "same-origin")).await.named("ready").await;
    }
    // Behind an ingress with TLS the browser may send it over nothing else.
    let request = platform.http.post(gateway.url("/api/events/ticket")).bearer_auth(API_KEY);
    let response = request.header("x-forwarded-proto", "https").send().await.unwrap();
    let mut cookies = response.headers().get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap());
    assert!(cookies.all(|cookie| cookie.ends_with("; Secure")));

    let ask =
        |key: &str| answer(platform.http.post(gateway.url("/api/events/ticket")).bearer_auth(key.to_owned()));
    let (status, body) = ask("a-key-that-writes-001").await;
    assert_eq!((status, &body["error"]["code"]), (StatusCode::FORBIDDEN, &json!("missing_role")), "{body}");
    let (status, body) = ask("nobody's key").await;
    assert_eq!((status, &body["error"]["code"]), (StatusCode::UNAUTHORIZED, &json!("wrong_key")), "{body}");
    let (status, body) = platform.post(Kind::PushGateway, "/api/events/ticket", &json!({})).await;
    assert_eq!((status, &body["error"]["code"]), (StatusCode::UNAUTHORIZED, &json!("missing_key")), "{body}");
}

#[tokio::test]
async fn a_ticket_is_good_on_every_pod_with_the_secret_and_on_no_other() {
    let platform = platform(&[]).await;
    let gateway = platform.service(Kind::PushGateway);
    let same = pod(&platform.nats, TICKET_KEY).await;
    let other = pod(&platform.nats, "another ticket key of thirty-two bytes").await;
    let ticket = ticket(gateway, &token("ada", &["read"])).await;
    for pod in [gateway, &same] {
        Sse::open(&stream_url(pod, &ticket)).await.named("ready").await;
    }
    let unauthorized = |code: &str| (StatusCode::UNAUTHORIZED, code.to_owned());
    assert_eq!(refused(&other, &ticket).await, unauthorized("ticket_invalid"));
    let (body, tag) = ticket.split_once('.').unwrap();
    for changed in
        [body, tag, "", ".", &format!("{body}.{body}"), &format!("{}A.{tag}", &body[..body.len() - 1])]
    {
        assert_eq!(refused(gateway, changed).await, unauthorized("ticket_invalid"), "{changed}");
    }
    // It says who one is to streams alone.
    let (status, _) = answer(platform.http.get(gateway.url("/debug/clients")).bearer_auth(&ticket)).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let foreign = gateway.metric("bywash_gateway_refused_total{reason=\"ticket_invalid\"}").await;
    assert!(foreign >= 6.0, "each is counted: {foreign}");
}

#[tokio::test]
async fn a_ticket_allows_what_its_token_does_and_no_more() {
    let platform = platform(&[]).await;
    let gateway = platform.service(Kind::PushGateway);
    let claims = json!({"sub": "ada", "roles": ["read"], "exp": FAR_S, "topics": ["app.ada.>"]});
    let ticket = ticket(gateway, &signed(SECRET, &claims)).await;
    let url = |topic| gateway.url(&format!("/api/events/stream?topics={topic}&ticket={ticket}"));
    for own in ["app.ada.x", "app.ada.%3E", "agent.ada.%3E"] {
        Sse::open(&url(own)).await.named("ready").await;
    }
    for foreign in ["app.bob.x", "app.%3E", "kb.facts", "agent.bob.%3E"] {
        let (status, body) = answer(platform.http.get(url(foreign))).await;
        assert_eq!(
            (status, &body["error"]["code"]),
            (StatusCode::FORBIDDEN, &json!("topic_not_allowed")),
            "{body}"
        );
    }
}

#[tokio::test]
async fn an_expired_ticket_is_told_to_who_comes_back_and_refused_to_who_is_new_and_a_renewed_one_opens() {
    let platform = platform(&[("BYWASH_TICKET_LIFETIME_S", "6")]).await;
    let gateway = platform.service(Kind::PushGateway);
    let ada = token("ada", &["read"]);
    let first = ticket(gateway, &ada).await;
    let stream = Sse::open(&stream_url(gateway, &first)).await;
    let place = stream.named("ready").await.id.expect("it says where the client stands");
    // The open stream ends with the ticket, so that the client comes back and learns of it.
    stream.named("auth_expired").await;
    stream.closed().await;

    let url = stream_url(gateway, &first);
    eventually("the ticket has expired", || async {
        let seen = refused(gateway, &first).await;
        if seen == (StatusCode::UNAUTHORIZED, "ticket_expired".to_owned()) {
            Ok(())
        } else {
            Err(format!("{seen:?}"))
        }
    })
    .await;
    let by_header = platform.http.get(&url).header("last-event-id", &place);
    let by_address = platform.http.get(format!("{url}&last_event_id={place}"));
    for request in [by_header, by_address] {
        let response = request.send().await.unwrap();
        assert_eq!(
            response.status(),
            StatusCode::OK,
            "a native EventSource gives up for ever on anything else"
        );
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut parser = Parser::default();
        // To its end: the answer ends.
        let events = parser.feed(&response.bytes().await.unwrap());
        assert!(matches!(&events[..], [only] if only.is_named("auth_expired")), "{events:?}");
        assert_eq!(parser.retry_ms, Some(60_000));
    }

    let renewed = ticket(gateway, &ada).await;
    assert_ne!(renewed, first);
    let resumed = Sse::resume(&stream_url(gateway, &renewed), &place).await;
    assert_eq!(resumed.named("ready").await.data["resumed"], true);
}

#[tokio::test]
async fn a_ticket_ends_with_its_token_however_long_tickets_last() {
    let platform = platform(&[]).await;
    let gateway = platform.service(Kind::PushGateway);
    let soon =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap() + Duration::from_secs(60);
    let claims = json!({"sub": "ada", "roles": ["read"], "exp": soon.as_secs()});
    let (_, body) = asked(gateway, &signed(SECRET, &claims)).await;
    // A minute, and the leeway of tokens.
    assert!(body["expires_in_s"].as_u64().is_some_and(|left| left <= 65), "{body}");
}

#[tokio::test]
async fn a_long_lived_token_in_an_address_is_refused_whoever_it_is_of() {
    let platform = platform(&[]).await;
    let gateway = platform.service(Kind::PushGateway);
    let ada = token("ada", &["read"]);
    let series = "bywash_gateway_bad_input_total{kind=\"token_in_url\"}";
    for name in ["token", "access_token", "api_key", "apiKey", "jwt", "JWT", "Authorization"] {
        let url = gateway.url(&format!("/api/events/stream?topics=app.x&{name}={ada}"));
        // Also with a header that would do: the address is in logs and histories already.
        for request in [platform.http.get(&url), platform.http.get(&url).bearer_auth(&ada)] {
            let (status, body) = answer(request).await;
            assert_eq!(
                (status, &body["error"]["code"]),
                (StatusCode::BAD_REQUEST, &json!("token_in_url")),
                "{name}"
            );
            assert!(!body.to_string().contains(&ada), "it is not repeated");
        }
    }
    // As a ticket it is none.
    assert_eq!(refused(gateway, &ada).await, (StatusCode::UNAUTHORIZED, "ticket_invalid".to_owned()));
    assert!((gateway.metric(series).await - 14.0).abs() < 0.5);
    assert!(!gateway.process().output().contains(&ada), "and not logged");
}

#[tokio::test]
async fn a_revoked_token_takes_its_tickets_with_it_on_every_pod() {
    let platform = platform(&[]).await;
    let gateway = platform.service(Kind::PushGateway);
    let other = pod(&platform.nats, TICKET_KEY).await;
    let (ada, bob) =
        (ticket(gateway, &token("ada", &["read"])).await, ticket(gateway, &token("bob", &["read"])).await);
    let stream = Sse::open(&stream_url(&other, &ada)).await;
    stream.named("ready").await;
    let others_stream = Sse::open(&stream_url(&other, &bob)).await;
    others_stream.named("ready").await;

    let request = platform.http.post(gateway.url("/api/revocations")).bearer_auth(token("eve", &["control"]));
    let (status, body) = answer(request.json(&json!({"id": "ada-1"}))).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    stream.closed().await;
    for pod in [gateway, &other] {
        eventually("the ticket is refused", || async {
            let seen = refused(pod, &ada).await;
            let wanted = (StatusCode::UNAUTHORIZED, "token_revoked".to_owned());
            if seen == wanted { Ok(()) } else { Err(format!("{seen:?}")) }
        })
        .await;
    }
    let last = stream.events.all().pop().expect("the end is told");
    assert!(last.is_named("closing") && last.data["reason"] == "token_revoked", "{last:?}");
    Sse::open(&stream_url(gateway, &bob)).await.named("ready").await;
    assert!(!others_stream.events.all().iter().any(|event| event.is_named("closing")), "nobody else's ends");
}

#[tokio::test]
async fn a_ticket_key_that_could_be_guessed_ends_the_start_with_status_78() {
    let mut service = Service::new(Kind::PushGateway, "nats://127.0.0.1:1");
    service.set("BYWASH_TICKET_KEY", "short");
    let process = service.spawn();
    let status = process.ended().await;
    let output = process.output();
    assert_eq!(status.code(), Some(78), "{output}");
    assert!(output.contains("BYWASH_TICKET_KEY"), "{output}");
}
