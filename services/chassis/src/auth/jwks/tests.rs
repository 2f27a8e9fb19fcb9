//! Tests of the fetcher against a small server: rotation, outage, limits.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use serde_json::Value;

use super::super::refusal::Refusal;
use super::super::testing::{Signer, claims, jwks};
use super::super::token::TokenRules;
use super::*;
use crate::shutdown::Trigger;

/// How long any wait of these tests may take.
const DEADLINE: Duration = Duration::from_secs(10);
const PACE: Pace = Pace { fetch_pause: Duration::from_millis(50), wait: Duration::from_secs(2) };

/// What the provider answers now, and how often it was asked.
#[derive(Clone, Default)]
struct Provider(Arc<(Mutex<(u16, String)>, AtomicUsize)>);

impl Provider {
    fn answer(&self, status: u16, body: String) {
        *self.0.0.lock().unwrap() = (status, body);
    }

    fn publish(&self, keys: &[Value]) {
        self.answer(200, jwks(keys));
    }

    fn asked(&self) -> usize {
        self.0.1.load(Ordering::Relaxed)
    }

    async fn serve(&self) -> Uri {
        let answer = async |State(Provider(provider)): State<Self>| {
            provider.1.fetch_add(1, Ordering::Relaxed);
            let (status, body) = provider.0.lock().unwrap().clone();
            (StatusCode::from_u16(status).unwrap(), body)
        };
        let routes = Router::new().route("/keys", get(answer)).with_state(self.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys?secret=1", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        url.parse().unwrap()
    }
}

struct Fixture {
    keys: watch::Receiver<Arc<KeySet>>,
    demand: Demand,
    _trigger: Trigger,
}

impl Fixture {
    fn start(url: Uri, pace: Pace) -> Self {
        let (fetcher, keys, demand) = fetcher(url, pace, &Metrics::new()).unwrap();
        let (trigger, shutdown) = Shutdown::manual();
        tokio::spawn(fetcher.run(shutdown));
        Self { keys, demand, _trigger: trigger }
    }

    fn verify(&self, token: &str) -> Result<String, Refusal> {
        let rules = TokenRules::new(None, None, Duration::ZERO);
        let keys = Arc::clone(&self.keys.borrow());
        rules.verify(token, &keys, SystemTime::now()).map(|identity| identity.id)
    }

    /// As `Auth` does it.
    async fn verify_fetching(&self, token: &str) -> Result<String, Refusal> {
        match self.verify(token) {
            Err(Refusal::TokenUnknownKey) => {
                self.demand.fetched().await;
                self.verify(token)
            }
            verified => verified,
        }
    }

    /// Waits until one more fetch has ended.
    async fn one_more_fetch(&self) {
        let mut next_fetch = self.demand.next_fetch.clone();
        next_fetch.mark_unchanged();
        self.demand.ask();
        tokio::time::timeout(DEADLINE, next_fetch.changed()).await.expect("a fetch ends").unwrap();
    }
}

#[tokio::test]
async fn a_request_with_a_new_key_waits_for_the_fetch_that_brings_it_and_the_old_key_goes() {
    let (old, new) = (Signer::es256(), Signer::es256());
    let provider = Provider::default();
    provider.publish(&[old.jwk("old")]);
    let fixture = Fixture::start(provider.serve().await, PACE);
    // The very first request may come before the first fetch has ended.
    assert!(fixture.verify_fetching(&old.token_of("old", &claims())).await.is_ok());

    provider.publish(&[old.jwk("old"), new.jwk("new")]);
    assert!(fixture.verify_fetching(&new.token_of("new", &claims())).await.is_ok());
    assert!(fixture.verify(&old.token_of("old", &claims())).is_ok(), "named still");

    provider.publish(&[new.jwk("new")]);
    fixture.one_more_fetch().await;
    assert_eq!(fixture.verify(&old.token_of("old", &claims())), Err(Refusal::TokenUnknownKey));
    assert!(fixture.verify(&new.token_of("new", &claims())).is_ok());
}

#[tokio::test]
async fn the_last_keys_stay_while_the_provider_is_away_or_talks_nonsense() {
    let signer = Signer::eddsa();
    let provider = Provider::default();
    provider.publish(&[signer.jwk("a")]);
    let fixture = Fixture::start(provider.serve().await, PACE);
    let token = signer.token_of("a", &claims());
    assert!(fixture.verify_fetching(&token).await.is_ok());
    for (status, body) in [
        (503, jwks(&[])),
        (302, String::new()),
        (200, "<html>".to_owned()),
        (200, jwks(&[])),
        (200, jwks(&vec![Signer::eddsa().jwk("b"); super::super::key_set::KEYS_MAX + 1])),
        (200, format!("{}{}", " ".repeat(BODY_SIZE_MAX), jwks(&[Signer::eddsa().jwk("b")]))),
    ] {
        provider.answer(status, body);
        fixture.one_more_fetch().await;
        assert!(fixture.verify(&token).is_ok(), "{status}");
    }
    let other = Signer::eddsa();
    provider.publish(&[other.jwk("c")]);
    fixture.one_more_fetch().await;
    assert!(fixture.verify(&other.token_of("c", &claims())).is_ok(), "it recovers");
}

#[tokio::test]
async fn a_provider_that_was_never_there_refuses_tokens_and_stops_nobody() {
    // No server listens on port 1.
    let fixture = Fixture::start("http://127.0.0.1:1/keys".parse().unwrap(), PACE);
    let token = Signer::es256().token_of("a", &claims());
    assert_eq!(fixture.verify_fetching(&token).await, Err(Refusal::TokenUnknownKey));
}

#[tokio::test]
async fn made_up_key_ids_cause_no_more_fetches_than_the_pace_allows_and_no_waiting() {
    let signer = Signer::es256();
    let provider = Provider::default();
    provider.publish(&[signer.jwk("a")]);
    let pace = Pace { fetch_pause: Duration::from_secs(3_600), ..PACE };
    let fixture = Fixture::start(provider.serve().await, pace);
    assert!(fixture.verify_fetching(&signer.token_of("a", &claims())).await.is_ok());
    let start = Instant::now();
    for n in 0..100 {
        let token = signer.token_of(&format!("made-up-{n}"), &claims());
        assert_eq!(fixture.verify_fetching(&token).await, Err(Refusal::TokenUnknownKey));
    }
    assert!(start.elapsed() < PACE.wait, "{:?}", start.elapsed());
    assert_eq!(provider.asked(), 1);
}

#[tokio::test]
async fn the_age_of_the_keys_is_a_metric_and_the_url_in_the_log_has_no_query() {
    let url = Provider::default().serve().await;
    let metrics = Metrics::new();
    let (mut fetcher, ..) = fetcher(url, PACE, &metrics).unwrap();
    let shown = outbound::shown(&fetcher.url);
    assert!(shown.ends_with("/keys"), "{shown}");
    fetcher.fresh_at -= Duration::from_secs(90);
    fetcher.take(Err(FetchError::Timeout));
    let text = metrics.text().unwrap();
    assert!(text.contains("bywash_auth_jwks_age_seconds 90\n"), "{text}");
    fetcher.take(Ok((KeySet::default(), INTERVAL)));
    assert!(metrics.text().unwrap().contains("bywash_auth_jwks_age_seconds 0\n"));
}

#[test]
fn the_provider_says_how_long_its_keys_are_good_within_limits() {
    let seconds = |value: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static(value));
        interval(&headers).as_secs()
    };
    assert_eq!(interval(&HeaderMap::new()), INTERVAL);
    assert_eq!(seconds("public, max-age=600, must-revalidate"), 600);
    assert_eq!((seconds("max-age=1"), seconds("Max-Age=\"86400\"")), (60, 3_600));
    assert_eq!((seconds("no-cache"), seconds("max-age=soon"), seconds("s-maxage=600")), (300, 300, 300));
}
