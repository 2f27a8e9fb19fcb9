//! Tests of the whole check: keys and tokens side by side, revocation, counters, the extractors.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::routing::get;
use clap::Parser;
use tower::ServiceExt;

use super::testing::{SECRET, Signer, claims, in_seconds};
use super::*;
use crate::config::Example;

const FILE: &str = r#"{"keys":[{"id":"ops","key":"0123456789abcdef","roles":["read","control"]}]}"#;

fn keys_only() -> Auth {
    Auth::new(Some(ApiKeys::from_json(FILE).unwrap()), None, unregistered_counter())
}

/// Tokens of the test secret, and the registry that counts.
fn tokens_only() -> (Auth, Metrics) {
    let secret = str::from_utf8(SECRET).unwrap();
    let config = Example::parse_from(["x", "--jwt-secret", secret]).common;
    let metrics = Metrics::new();
    let (auth, _) = Auth::from_config(&config, &metrics).unwrap();
    (auth, metrics)
}

fn bearer(credential: &str) -> HeaderMap {
    HeaderMap::from_iter([(header::AUTHORIZATION, format!("bearer {credential}").parse().unwrap())])
}

#[tokio::test]
async fn a_key_gives_its_roles_and_no_others() {
    let auth = keys_only();
    let mut headers = HeaderMap::new();
    assert_eq!(auth.identify_headers(&headers).await.unwrap_err().code(), "missing_key");
    headers.insert("x-api-key", "0123456789abcdeg".parse().unwrap());
    assert_eq!(auth.identify_headers(&headers).await.unwrap_err().code(), "wrong_key");
    headers.extend(bearer("0123456789abcdef"));
    let identity = auth.identify_headers(&headers).await.unwrap();
    assert_eq!(identity.id, "ops");
    assert!(identity.require(Role::Control).is_ok());
    let error = identity.require(Role::Write).unwrap_err();
    assert_eq!((error.status(), error.code()), (StatusCode::FORBIDDEN, "missing_role"));
}

#[tokio::test]
async fn a_bearer_is_a_token_or_a_key_by_its_form() {
    let token = Signer::hs256().token(&claims());
    let (tokens, _) = tokens_only();
    assert_eq!(tokens.identify_headers(&bearer(&token)).await.unwrap().id, "ada@example.org");
    assert_eq!(tokens.identify("0123456789abcdef").unwrap_err().code(), "wrong_key");
    assert_eq!(keys_only().identify(&token).unwrap_err().code(), "token_not_accepted");
    assert!(!tokens.is_open() && !keys_only().is_open() && Auth::open().is_open());
    assert_eq!(Auth::open().identify(&token).unwrap(), Identity::local());
}

#[test]
fn what_is_revoked_is_refused_at_once_and_by_its_kind() {
    let (tokens, _) = tokens_only();
    let token = Signer::hs256().token(&claims());
    assert!(tokens.identify(&token).is_ok());
    tokens.revocations().note("token-1", None);
    assert_eq!(tokens.identify(&token).unwrap_err().code(), "token_revoked");
    let keys = keys_only();
    keys.clone().revocations().note("ops", None);
    assert_eq!(keys.identify("0123456789abcdef").unwrap_err().code(), "key_revoked", "clones share the set");
}

#[test]
fn each_refusal_is_counted_by_its_code() {
    let (auth, metrics) = tokens_only();
    let mut expired = claims();
    expired["exp"] = in_seconds(-60).into();
    for credential in ["nobody's key", "a.b.c", &Signer::hs256().token(&expired)] {
        auth.identify(credential).unwrap_err();
    }
    auth.identify(&Signer::hs256().token(&claims())).unwrap();
    let text = metrics.text().unwrap();
    for reason in ["wrong_key", "token_malformed", "token_expired"] {
        let line = format!("bywash_auth_refused_total{{reason=\"{reason}\"}} 1\n");
        assert!(text.contains(&line), "no {line} in {text}");
    }
}

#[tokio::test]
async fn an_endpoint_asks_for_a_role_of_the_token() {
    let (auth, _) = tokens_only();
    let routes = Router::new()
        .route("/read", get(async |CanRead(identity): CanRead| identity.id))
        .route("/control", get(async |CanControl(identity): CanControl| identity.id))
        .layer(axum::Extension(auth));
    let token = Signer::hs256().token(&claims());
    for (path, expected) in [("/read", StatusCode::OK), ("/control", StatusCode::FORBIDDEN)] {
        let mut request = Request::get(path).body(Body::empty()).unwrap();
        *request.headers_mut() = bearer(&token);
        assert_eq!(routes.clone().oneshot(request).await.unwrap().status(), expected, "{path}");
    }
}
