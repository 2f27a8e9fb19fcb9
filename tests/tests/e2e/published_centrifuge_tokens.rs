//! Tokens of Centrifugo's clients: renewed in band, and what happens when they are not.

use bywash_tests::platform::{FACTS, Platform};
use bywash_tests::published::Published;
use bywash_tests::service::Kind;
use serde_json::{Value, json};

use crate::published_centrifuge::{connected_at, endpoint, follow, with_offset};

const SECRET: &str = "a-secret-of-the-tests-with-more-than-32-bytes";
/// A client's own code: its token is no longer accepted and there is no way to another one.
const UNAUTHORIZED: u64 = 1;

#[tokio::test]
async fn an_sdk_that_renews_its_token_stays_connected_beyond_the_end_of_the_first() {
    let platform = with_tokens("1").await;
    let mut issuer = issuer();
    let (first, second) = (token(&mut issuer, 2).await, token(&mut issuer, 4).await);
    let (third, last) = (token(&mut issuer, 6).await, token(&mut issuer, 300).await);
    let options = json!({"token": first, "tokens": [second, third, last]});
    let mut clients = connected_at(&endpoint(platform.service(Kind::PushGateway).addr()), options).await;
    for client in &mut clients {
        follow(client).await;
    }
    for client in &clients {
        // The third is asked for when the second ends: the first is over by then, leeway included.
        let asked = |all: &[Value]| {
            (all.iter().filter(|line| line["event"] == "token_asked").count() == 3).then_some(())
        };
        client.lines.wait("three renewals", asked).await;
    }
    let fact = platform.add_fact().await;
    for client in &clients {
        with_offset(client, fact.revision).await;
        assert_eq!(client.events("connecting").len(), 1, "{}: {:?}", client.name(), client.lines.all());
    }
}

#[tokio::test]
async fn an_sdk_that_does_not_renew_its_token_is_disconnected_for_good_when_it_ends() {
    let platform = with_tokens("0").await;
    let token = token(&mut issuer(), 2).await;
    let url = endpoint(platform.service(Kind::PushGateway).addr());
    for client in connected_at(&url, json!({"token": token})).await {
        let disconnected = client.event("disconnected").await;
        assert_eq!(disconnected["code"], UNAUTHORIZED, "{}: {disconnected}", client.name());
    }
}

#[tokio::test]
async fn an_sdk_without_a_valid_token_is_refused_and_one_with_topics_follows_only_those() {
    let platform = with_tokens("0").await;
    let url = endpoint(platform.service(Kind::PushGateway).addr());
    let mut stranger = Published::start("centrifuge.mjs", &url, &[]);
    stranger.run("connect", json!({"token": "a.b.c"})).await;
    stranger.event("disconnected").await;
    assert!(stranger.events("connected").is_empty());

    let mut issuer = issuer();
    let claims = json!({"sub": "ann", "roles": ["read"], "topics": ["app.ann.>"]});
    let token = sign(&mut issuer, &claims, 300).await;
    for client in &mut connected_at(&url, json!({"token": token})).await {
        client.run("subscribe", json!({"channel": "app.ann.news"})).await;
        client.event("subscribed").await;
        client.run("subscribe", json!({"channel": FACTS})).await;
        let refused = client.event("unsubscribed").await;
        assert_eq!(
            (&refused["channel"], &refused["code"]),
            (&json!(FACTS), &json!(103)),
            "{}",
            client.name()
        );
        let refused = client.refused("publish", json!({"channel": "app.ann.news", "data": {}})).await;
        assert_eq!(refused["code"], 103, "{}: reading is not publishing", client.name());
    }
}

/// A gateway that asks for tokens; the knowledge base asks for nothing.
async fn with_tokens(leeway_s: &str) -> Platform {
    Platform::builder()
        .with(Kind::KnowledgeBase)
        .with(Kind::PushGateway)
        .set(Kind::PushGateway, "BYWASH_JWT_SECRET", SECRET)
        .set(Kind::PushGateway, "BYWASH_JWT_LEEWAY_S", leeway_s)
        .start()
        .await
}

fn issuer() -> Published {
    Published::start("tokens.mjs", "none", &[])
}

async fn token(issuer: &mut Published, expires_in_s: u64) -> Value {
    sign(issuer, &json!({"sub": "ann", "roles": ["read", "write"]}), expires_in_s).await
}

async fn sign(issuer: &mut Published, claims: &Value, expires_in_s: u64) -> Value {
    let arguments = json!({"secret": SECRET, "claims": claims, "expires_in_s": expires_in_s});
    issuer.run("sign", arguments).await
}
