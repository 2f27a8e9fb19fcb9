//! Ids that no longer let anybody in: the set, which every check reads, and how an id gets into it.
//!
//! The bucket `REVOKED` is the record; `revocation_feed.rs` carries it here. An id leaves the set when its time has
//! come or when the bucket says so in words, never because the bucket, or NATS, is not there.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, SystemTime};

use async_nats::HeaderMap;
use async_nats::header::NATS_MESSAGE_TTL;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::{self, ErrorCode};
use axum::http::StatusCode;
use proto_schemas::contract::REVOKED;
use proto_schemas::names;
use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, watch};

use crate::error::ApiError;
use crate::{Nats, time};

/// Longest id that can be revoked, bytes; tokens and keys with longer ones are refused. Encoded and with the bucket's
/// prefix it stays far below the longest subject that NATS takes.
pub const REVOCATION_ID_SIZE_MAX: usize = 256;
/// Newly revoked ids that a receiver may be behind. One that is further behind is told so and asks about all it holds,
/// which is also the cheaper way by then.
const CHANGES_MAX: usize = 1_024;

/// Why an id could not be revoked.
#[derive(Debug, thiserror::Error)]
pub enum RevokeError {
    /// Empty or too long.
    #[error("an id has 1 to {REVOCATION_ID_SIZE_MAX} bytes")]
    Id,
    /// NATS or the bucket is away.
    #[error("the revocation cannot be kept: NATS or the bucket REVOKED is away")]
    Unavailable(#[source] Option<PublishError>),
    /// NATS would not store it: the bucket or the disk is full.
    #[error("the revocation cannot be kept: the bucket REVOKED is full")]
    Full(#[source] PublishError),
}

impl From<RevokeError> for ApiError {
    fn from(error: RevokeError) -> Self {
        let message = error.to_string();
        match error {
            RevokeError::Id => Self::unprocessable("invalid_revocation_id", message),
            RevokeError::Unavailable(_) => Self::unavailable("revocations_unavailable", message, 1),
            RevokeError::Full(_) => Self::new(StatusCode::INSUFFICIENT_STORAGE, "revocations_full", message),
        }
    }
}

/// Until when an id is revoked; `None` is for ever.
pub(super) type Until = Option<SystemTime>;

/// The value of a key in the bucket.
#[derive(Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) until: Option<String>,
}

/// The revoked ids. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Revocations(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Every check reads it and holds it for one look-up; one task and `revoke` write. Never held over an await. It is
    /// bounded as the bucket is.
    revoked: RwLock<HashMap<Arc<str>, Until>>,
    changes: broadcast::Sender<Arc<str>>,
    /// Whether the bucket has been read to its end once.
    known: watch::Sender<bool>,
    nats: OnceLock<Nats>,
}

impl Revocations {
    pub(super) fn new() -> Self {
        Self(Arc::new(Shared {
            revoked: RwLock::default(),
            changes: broadcast::Sender::new(CHANGES_MAX),
            known: watch::Sender::new(false),
            nats: OnceLock::new(),
        }))
    }

    /// Says where the bucket is.
    pub(super) fn attach(&self, nats: &Nats) {
        // An error means that it was said before.
        let _ = self.0.nats.set(nats.clone());
    }

    /// Whether the id is revoked now.
    pub fn is_revoked(&self, id: &str) -> bool {
        self.is_revoked_at(id, SystemTime::now())
    }

    pub(super) fn is_revoked_at(&self, id: &str, now: SystemTime) -> bool {
        self.read().get(id).is_some_and(|until| until.is_none_or(|until| now < until))
    }

    /// Each id that is revoked from now on, as soon as this process knows. A receiver that lags by more than 1,024 is
    /// told so (`Lagged`) and must ask [`Self::is_revoked`] about each id it holds.
    pub fn changes(&self) -> broadcast::Receiver<Arc<str>> {
        self.0.changes.subscribe()
    }

    /// Revokes the id in every service, until that moment or for ever. What is revoked for longer already stays so.
    ///
    /// Returns when NATS has stored it; the others know milliseconds later.
    pub async fn revoke(&self, id: &str, until: Until) -> Result<(), RevokeError> {
        if id.is_empty() || id.len() > REVOCATION_ID_SIZE_MAX {
            return Err(RevokeError::Id);
        }
        let nats = self.0.nats.get().ok_or(RevokeError::Unavailable(None))?;
        let until = match (self.read().get(id).copied(), until) {
            (Some(None), _) | (_, None) => None,
            (Some(Some(known)), Some(until)) => Some(known.max(until)),
            (None, Some(until)) => Some(until),
        };
        let mut headers = HeaderMap::new();
        if let Some(until) = until {
            let Ok(left) = until.duration_since(SystemTime::now()) else {
                // What it would have refused has ended by itself.
                return Ok(());
            };
            headers.insert(NATS_MESSAGE_TTL, ttl(left).as_str());
        }
        let subject = format!("{}{}", REVOKED.subject_prefix, names::encode(id));
        let entry = Entry { until: until.map(time::rfc3339) };
        let payload = proto_schemas::json::to_vec(&entry).into();
        nats.publish_bytes(subject, headers, payload).await.map_err(refused)?;
        self.note(id, until);
        Ok(())
    }

    /// Returns once the bucket has been read to its end, or after `limit`: false then.
    pub(crate) async fn known_within(&self, limit: Duration) -> bool {
        let mut known = self.0.known.subscribe();
        tokio::time::timeout(limit, known.wait_for(|known| *known)).await.is_ok_and(|known| known.is_ok())
    }

    /// The set holds all that the bucket does.
    pub(super) fn set_known(&self) {
        self.0.known.send_replace(true);
    }

    /// Takes an id into the set and tells the followers if it is new there.
    pub(super) fn note(&self, id: &str, until: Until) {
        if until.is_some_and(|until| until <= SystemTime::now()) {
            return self.forget(id);
        }
        let id: Arc<str> = Arc::from(id);
        // One that has ended and is not swept yet says nothing of the connections that came since.
        let before = self.write().insert(Arc::clone(&id), until);
        let is_new = before.is_none_or(|until| until.is_some_and(|until| until <= SystemTime::now()));
        if is_new {
            // An error means that nobody follows.
            let _ = self.0.changes.send(id);
        }
    }

    /// Takes an id out of the set.
    pub(super) fn forget(&self, id: &str) {
        self.write().remove(id);
    }

    /// Takes out what has ended at `now`.
    pub(super) fn sweep(&self, now: SystemTime) {
        self.write().retain(|_, until| until.is_none_or(|until| now < until));
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<Arc<str>, Until>> {
        self.0.revoked.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<Arc<str>, Until>> {
        self.0.revoked.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `left` as NATS reads a message's time to live: whole seconds, rounded up and at least one.
fn ttl(left: Duration) -> String {
    format!("{}s", left.as_secs() + 1)
}

fn refused(error: PublishError) -> RevokeError {
    let cause = std::error::Error::source(&error)
        .and_then(|cause| cause.downcast_ref::<jetstream::Error>().map(jetstream::Error::error_code));
    if error.kind() == PublishErrorKind::Other && cause == Some(ErrorCode::STREAM_STORE_FAILED) {
        RevokeError::Full(error)
    } else {
        RevokeError::Unavailable(Some(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_revoked_until_its_time_and_told_once() {
        let revocations = Revocations::new();
        let mut changes = revocations.changes();
        let now = SystemTime::now();
        let until = now + Duration::from_secs(60);
        revocations.note("a", Some(until));
        revocations.note("a", Some(until));
        revocations.note("b", None);
        revocations.note("c", Some(now - Duration::from_secs(1)));
        assert!(revocations.is_revoked("a") && revocations.is_revoked("b"));
        assert!(!revocations.is_revoked("c") && !revocations.is_revoked("d"));
        assert!(!revocations.is_revoked_at("a", until), "its time has come");
        let told: Vec<_> = std::iter::from_fn(|| changes.try_recv().ok()).collect();
        assert_eq!(told, [Arc::from("a"), Arc::<str>::from("b")]);
        revocations.sweep(until);
        assert!(!revocations.is_revoked_at("a", now), "swept");
        assert!(revocations.is_revoked_at("b", until), "for ever");
        revocations.forget("b");
        assert!(!revocations.is_revoked("b"));
    }

    #[tokio::test]
    async fn an_id_that_cannot_be_kept_is_refused_with_its_code() {
        let revocations = Revocations::new();
        let long = "x".repeat(REVOCATION_ID_SIZE_MAX + 1);
        for (id, code) in [
            ("", "invalid_revocation_id"),
            (&long, "invalid_revocation_id"),
            ("a", "revocations_unavailable"),
        ] {
            let error = ApiError::from(revocations.revoke(id, None).await.unwrap_err());
            assert_eq!(error.code(), code);
        }
        assert!(!revocations.is_revoked("a"), "what no other service will know is not half done here");
    }

    #[tokio::test]
    async fn what_is_not_known_in_time_is_not_waited_for() {
        let revocations = Revocations::new();
        assert!(!revocations.known_within(Duration::ZERO).await);
        revocations.set_known();
        assert!(revocations.known_within(Duration::from_secs(3_600)).await);
    }

    #[test]
    fn a_time_to_live_is_never_shorter_than_what_is_left() {
        assert_eq!(ttl(Duration::from_millis(1)), "1s");
        assert_eq!(ttl(Duration::from_millis(59_999)), "60s");
    }
}
