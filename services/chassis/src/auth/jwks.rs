//! The keys that an identity provider publishes: fetched in the background, kept while the provider is away.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, Request, StatusCode, Uri, header};
use bytes::Bytes;
use prometheus::IntGauge;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::key_set::{KeyError, KeySet};
use super::settings::JwtConfigError;
use crate::metrics::METRIC_JWKS_AGE;
use crate::outbound::{self, Outbound, OutboundError};
use crate::process::with_causes;
use crate::{Metrics, Shutdown};

/// Largest JWKS, bytes; those of large providers have some 10 KiB.
const BODY_SIZE_MAX: usize = 1024 * 1024;
/// How long one fetch may take, from the name to the last byte.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// How often the keys are fetched where the provider says nothing, and the limits of what it may say.
const INTERVAL: Duration = Duration::from_secs(5 * 60);
const INTERVAL_MIN: Duration = Duration::from_secs(60);
const INTERVAL_MAX: Duration = Duration::from_secs(60 * 60);
/// How often the age is written into its metric.
const AGE_INTERVAL: Duration = Duration::from_secs(5);

/// How eagerly an unknown key is looked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Between two fetches, whoever asks: strangers can make up key ids. Also the first pause after a failure.
    pub(super) fetch_pause: Duration,
    /// How long a request waits for a fetch that may bring its key.
    pub(super) wait: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { fetch_pause: Duration::from_secs(10), wait: Duration::from_secs(2) }
    }
}

/// When the next fetch may begin; changes as one ends.
type NextFetch = Instant;

/// Asks the fetcher for keys that are not known. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Demand {
    wanted: Arc<Notify>,
    next_fetch: watch::Receiver<NextFetch>,
    pace: Pace,
}

impl Demand {
    /// Asks for a fetch and does not wait for it. However often it is asked for, one follows.
    pub(super) fn ask(&self) {
        self.wanted.notify_one();
    }

    /// Asks for a fetch and waits until one has ended, no longer than the pace allows; not at all where none can.
    pub(super) async fn fetched(&self) {
        let mut next_fetch = self.next_fetch.clone();
        let begins = *next_fetch.borrow_and_update();
        self.ask();
        if begins < Instant::now() + self.pace.wait {
            // An error means that the time is over or that the process ends: the caller goes on with what is known.
            let _ = tokio::time::timeout(self.pace.wait, next_fetch.changed()).await;
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("the request failed")]
    Request(#[source] OutboundError),
    #[error("no answer within {}", FETCH_TIMEOUT.as_secs())]
    Timeout,
    #[error("the answer was {0}")]
    Status(StatusCode),
    #[error("the body is of no use")]
    Keys(#[source] KeyError),
}

/// The background task of a URL.
#[derive(Debug)]
pub(super) struct Fetcher {
    url: Uri,
    client: Outbound,
    keys: watch::Sender<Arc<KeySet>>,
    next_fetch: watch::Sender<NextFetch>,
    wanted: Arc<Notify>,
    pace: Pace,
    age_s: IntGauge,
    /// When the keys were fetched last; the start where they never were.
    fresh_at: Instant,
    failures: u32,
}

/// A fetcher, the keys it will have, and how to ask it for more.
pub(super) fn fetcher(
    url: Uri,
    pace: Pace,
    metrics: &Metrics,
) -> Result<(Fetcher, watch::Receiver<Arc<KeySet>>, Demand), JwtConfigError> {
    // Minutes lie between two fetches: a connection kept that long is as good as gone.
    let client = Outbound::new(&url, 0).map_err(JwtConfigError::Client)?;
    if outbound::is_open_to_others(&url) {
        tracing::warn!("the JWKS is fetched by http: whoever can change it on the way can make tokens");
    }
    let (keys, keys_seen) = watch::channel(Arc::default());
    let (next_fetch, next_fetch_seen) = watch::channel(Instant::now());
    let wanted = Arc::new(Notify::new());
    let demand = Demand { wanted: Arc::clone(&wanted), next_fetch: next_fetch_seen, pace };
    let age_s = metrics
        .gauge(METRIC_JWKS_AGE, "Time since the keys of the JWKS URL were fetched, or since the start.");
    let fresh_at = Instant::now();
    let fetcher = Fetcher { url, client, keys, next_fetch, wanted, pace, age_s, fresh_at, failures: 0 };
    Ok((fetcher, keys_seen, demand))
}

impl Fetcher {
    /// Fetches at once, then in intervals and on demand, until the stop.
    pub(super) async fn run(mut self, shutdown: Shutdown) {
        let mut age_interval = tokio::time::interval(AGE_INTERVAL);
        loop {
            let fetched = tokio::select! {
                () = shutdown.requested() => return,
                fetched = self.fetch() => fetched,
            };
            let due = Instant::now() + self.take(fetched);
            let next_fetch = Instant::now() + self.pace.fetch_pause;
            self.next_fetch.send_replace(next_fetch);
            let wanted = Arc::clone(&self.wanted);
            let demanded = async {
                wanted.notified().await;
                tokio::time::sleep_until(next_fetch).await;
            };
            tokio::pin!(demanded);
            loop {
                tokio::select! {
                    () = shutdown.requested() => return,
                    () = tokio::time::sleep_until(due) => break,
                    () = &mut demanded => break,
                    _ = age_interval.tick() => self.tell_age(),
                }
            }
        }
    }

    /// Takes the keys, or keeps the last ones, and gives the pause until the next fetch.
    fn take(&mut self, fetched: Result<(KeySet, Duration), FetchError>) -> Duration {
        let pause = match fetched {
            Ok((keys, interval)) => {
                if self.failures > 0 {
                    tracing::info!(url = outbound::shown(&self.url), "the JWKS is there again");
                }
                self.failures = 0;
                self.fresh_at = Instant::now();
                self.keys.send_replace(Arc::new(keys));
                interval
            }
            Err(error) => {
                if self.failures == 0 {
                    let (error, url) = (with_causes(&error), outbound::shown(&self.url));
                    tracing::warn!(error, url, "the JWKS cannot be fetched; the last keys stay");
                }
                let doubled = self.pace.fetch_pause.saturating_mul(2_u32.saturating_pow(self.failures));
                self.failures += 1;
                doubled.min(INTERVAL)
            }
        };
        self.tell_age();
        pause
    }

    fn tell_age(&self) {
        self.age_s.set(i64::try_from(self.fresh_at.elapsed().as_secs()).unwrap_or(i64::MAX));
    }

    async fn fetch(&self) -> Result<(KeySet, Duration), FetchError> {
        tokio::time::timeout(FETCH_TIMEOUT, self.try_fetch()).await.map_err(|_| FetchError::Timeout)?
    }

    async fn try_fetch(&self) -> Result<(KeySet, Duration), FetchError> {
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = self.url.clone();
        request.headers_mut().insert(header::ACCEPT, header::HeaderValue::from_static("application/json"));
        let response = self.client.send(request, BODY_SIZE_MAX).await.map_err(FetchError::Request)?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let interval = interval(response.headers());
        let keys = KeySet::from_jwks(response.body()).map_err(FetchError::Keys)?;
        Ok((keys, interval))
    }
}

/// When to fetch again: `Cache-Control: max-age`, within limits.
fn interval(headers: &HeaderMap) -> Duration {
    let directives = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let max_age = directives.flat_map(|value| value.split(',')).find_map(|directive| {
        let (name, seconds) = directive.trim().split_once('=')?;
        name.eq_ignore_ascii_case("max-age").then(|| seconds.trim_matches('"').parse().ok())?
    });
    max_age.map_or(INTERVAL, |seconds| Duration::from_secs(seconds).clamp(INTERVAL_MIN, INTERVAL_MAX))
}

#[cfg(test)]
mod tests;
