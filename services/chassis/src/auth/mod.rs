//! Who asks, and what they may do: API keys and JWTs, with roles and topics, and revocations over both. Without keys
//! of any kind everybody on loopback is `local`.
//!
//! One file a concept: `identity` (what somebody may), `refusal` (why not), `api_keys`, `token` (one JWT), `key_set`
//! and `jwks` (what checks tokens), `crypto`, `revocations` and `revocation_feed`, `settings`.

mod api_keys;
mod crypto;
mod identity;
mod jwks;
mod key_set;
mod refusal;
mod revocation_feed;
mod revocations;
mod settings;
mod token;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use prometheus::{IntCounterVec, Opts};
use tokio::sync::watch;

use crate::config::CommonConfig;
use crate::error::{ApiError, StartError};
use crate::metrics::METRIC_AUTH_REFUSED;
use crate::{Health, Metrics, Nats, Shutdown};
use api_keys::ApiKeys;
use jwks::{Demand, Fetcher, Pace};
use key_set::KeySet;
use refusal::Refusal;
use settings::KeySource;
use token::TokenRules;

pub use identity::{Identity, Role};
pub use revocations::{REVOCATION_ID_SIZE_MAX, Revocations, RevokeError};
pub use settings::{JwtConfig, Secret};

/// Who is let in. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Auth(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    keys: Option<ApiKeys>,
    tokens: Option<Tokens>,
    revocations: Revocations,
    /// By code.
    refused: IntCounterVec,
}

/// What tokens are checked against.
#[derive(Debug)]
struct Tokens {
    rules: TokenRules,
    keys: watch::Receiver<Arc<KeySet>>,
    /// Where the keys come from a URL.
    demand: Option<Demand>,
}

/// What runs beside the checks: the fetcher of keys and the feed of revocations.
#[derive(Debug)]
#[must_use = "without it neither keys nor revocations arrive"]
pub struct Background {
    auth: Auth,
    fetcher: Option<Fetcher>,
}

impl Auth {
    /// Nothing is asked: everybody is `local` and may do everything.
    pub fn open() -> Self {
        Self::new(None, None, unregistered_counter())
    }

    /// API keys of a file and nothing else, outside a service.
    pub fn from_file(path: &Path) -> Result<Self, StartError> {
        Ok(Self::new(Some(ApiKeys::from_file(path)?), None, unregistered_counter()))
    }

    /// What the settings say.
    pub fn from_config(config: &CommonConfig, metrics: &Metrics) -> Result<(Self, Background), StartError> {
        let refused =
            metrics.counters(METRIC_AUTH_REFUSED, "Keys and tokens refused, by reason.", &["reason"]);
        let keys = config.api_keys_file.as_deref().map(ApiKeys::from_file).transpose()?;
        let jwt = &config.jwt;
        let rules = || {
            let leeway = Duration::from_secs(jwt.jwt_leeway_s);
            TokenRules::new(jwt.jwt_issuer.clone(), jwt.jwt_audience.clone(), leeway)
        };
        let (tokens, fetcher) = match jwt.source().map_err(StartError::settings)? {
            None => (None, None),
            Some(KeySource::Fixed(keys)) => {
                // Never changes: the sender is gone, the value stays.
                let keys = watch::channel(Arc::new(keys)).1;
                (Some(Tokens { rules: rules(), keys, demand: None }), None)
            }
            Some(KeySource::Url(url)) => {
                let (fetcher, keys, demand) =
                    jwks::fetcher(url, Pace::default(), metrics).map_err(StartError::settings)?;
                (Some(Tokens { rules: rules(), keys, demand: Some(demand) }), Some(fetcher))
            }
        };
        let auth = Self::new(keys, tokens, refused);
        Ok((auth.clone(), Background { auth, fetcher }))
    }

    fn new(keys: Option<ApiKeys>, tokens: Option<Tokens>, refused: IntCounterVec) -> Self {
        Self(Arc::new(Inner { keys, tokens, revocations: Revocations::new(), refused }))
    }

    /// Whether nothing is asked.
    pub fn is_open(&self) -> bool {
        self.0.keys.is_none() && self.0.tokens.is_none()
    }

    /// How it asks, for the log at start.
    pub fn kind(&self) -> &'static str {
        match (&self.0.keys, &self.0.tokens) {
            (None, None) => "open",
            (Some(_), None) => "keys",
            (None, Some(_)) => "tokens",
            (Some(_), Some(_)) => "keys and tokens",
        }
    }

    /// The ids that no longer let anybody in.
    pub fn revocations(&self) -> &Revocations {
        &self.0.revocations
    }

    /// Who holds this key or token, by what is known now: 401 with the reason's code otherwise. A token with an unknown
    /// `kid` also makes the keys be fetched; [`Self::identify_fetching`] waits for that.
    pub fn identify(&self, credential: &str) -> Result<Identity, ApiError> {
        self.check(credential, SystemTime::now()).map_err(|refusal| self.refuse(refusal))
    }

    /// As [`Self::identify`], but a token with an unknown `kid` waits up to 2 s for the keys to be fetched.
    pub async fn identify_fetching(&self, credential: &str) -> Result<Identity, ApiError> {
        let mut checked = self.check(credential, SystemTime::now());
        let demand = self.0.tokens.as_ref().and_then(|tokens| tokens.demand.as_ref());
        if let (Err(Refusal::TokenUnknownKey), Some(demand)) = (&checked, demand) {
            demand.fetched().await;
            checked = self.check(credential, SystemTime::now());
        }
        checked.map_err(|refusal| self.refuse(refusal))
    }

    /// Who sends these headers: `Authorization: Bearer KEY-OR-TOKEN` or `X-API-Key: KEY`.
    pub async fn identify_headers(&self, headers: &HeaderMap) -> Result<Identity, ApiError> {
        if self.is_open() {
            return Ok(Identity::local());
        }
        match key_of(headers) {
            Some(credential) => self.identify_fetching(credential).await,
            None => Err(self.refuse(Refusal::Missing)),
        }
    }

    fn check(&self, credential: &str, now: SystemTime) -> Result<Identity, Refusal> {
        if self.is_open() {
            return Ok(Identity::local());
        }
        let is_token = token::is_token(credential);
        let identity = if is_token {
            self.0.tokens.as_ref().ok_or(Refusal::TokenNotAccepted)?.verify(credential, now)?
        } else {
            self.0.keys.as_ref().ok_or(Refusal::WrongKey)?.find(credential, now)?
        };
        match &identity.revocation_id {
            Some(id) if self.0.revocations.is_revoked_at(id, now) => {
                Err(if is_token { Refusal::TokenRevoked } else { Refusal::KeyRevoked })
            }
            _ => Ok(identity),
        }
    }

    fn refuse(&self, refusal: Refusal) -> ApiError {
        self.0.refused.with_label_values(&[refusal.code()]).inc();
        refusal.into()
    }
}

impl Tokens {
    fn verify(&self, token: &str, now: SystemTime) -> Result<Identity, Refusal> {
        let keys = Arc::clone(&self.keys.borrow());
        let verified = self.rules.verify(token, &keys, now);
        if let (Err(Refusal::TokenUnknownKey), Some(demand)) = (&verified, &self.demand) {
            demand.ask();
        }
        verified
    }
}

impl Background {
    /// Starts what runs until the stop.
    pub fn spawn(self, nats: &Nats, health: &Health, shutdown: &Shutdown) {
        let revocations = self.auth.revocations();
        revocations.attach(nats);
        if let Some(fetcher) = self.fetcher {
            tokio::spawn(fetcher.run(shutdown.clone()));
        }
        // Where nothing is asked, nothing can be refused.
        if !self.auth.is_open() {
            tokio::spawn(revocation_feed::follow(
                revocations.clone(),
                nats.clone(),
                health.clone(),
                shutdown.clone(),
            ));
        }
    }
}

/// For checks without a registry.
fn unregistered_counter() -> IntCounterVec {
    IntCounterVec::new(Opts::new(METRIC_AUTH_REFUSED, "Keys and tokens refused, by reason."), &["reason"])
        .expect("the name and the label are constants and well-formed")
}

/// The key or token that these headers carry.
pub fn key_of(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| {
        let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
    });
    bearer.or_else(|| headers.get("x-api-key")?.to_str().ok())
}

macro_rules! role_extractor {
    ($name:ident, $role:expr, $about:literal) => {
        #[doc = $about]
        #[derive(Debug, Clone)]
        pub struct $name(pub Identity);

        impl<S: Send + Sync> FromRequestParts<S> for $name {
            type Rejection = ApiError;

            async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
                let auth =
                    parts.extensions.get::<Auth>().expect("the HTTP server adds the keys to each request");
                let identity = auth.identify_headers(&parts.headers).await?;
                identity.require($role)?;
                Ok(Self(identity))
            }
        }
    };
}

role_extractor!(CanRead, Role::Read, "Extractor: 401 without a known key, 403 without the role *read*.");
role_extractor!(CanWrite, Role::Write, "Extractor: 401 without a known key, 403 without the role *write*.");
role_extractor!(
    CanControl,
    Role::Control,
    "Extractor: 401 without a known key, 403 without the role *control*."
);

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
