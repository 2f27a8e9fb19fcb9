//! Reading one's own writes: `min_revision` makes a read wait until it can see that revision, on any replica and in any
//! index, for a bounded time.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use chassis::{ApiError, extract, observe};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::Instant;
use utoipa::IntoParams;

use super::{ApiState, RETRY_AFTER_S};
use crate::store::{Epoch, Revision};

/// Longest wait. A replica or an index that is further behind is not worth a connection that waits.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// What every read takes in its query.
#[derive(Debug, Default, Deserialize, IntoParams)]
pub struct CaughtUpQuery {
    /// The answer must not be older than this: `revision` of an earlier answer, or `<epoch>:<revision>`.
    min_revision: Option<String>,
}

/// The store has the revision that the request wants. Where something else must have it too, that is waited for with
/// [`Self::seen_by`].
#[derive(Debug)]
pub struct CaughtUp {
    wanted: Revision,
    deadline: Instant,
}

impl FromRequestParts<ApiState> for CaughtUp {
    type Rejection = ApiError;

    /// 400 `invalid_revision`, 409 `other_epoch`, 503 `revision_not_reached`.
    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        let extract::Query(query) = extract::Query::<CaughtUpQuery>::from_request_parts(parts, state).await?;
        let mut snapshot = state.store.watch();
        let now = snapshot.borrow_and_update().epoch.clone();
        let wanted = match query.min_revision.as_deref() {
            None => Revision(0),
            Some(text) => parse(text, &now)?,
        };
        let this = Self { wanted, deadline: Instant::now() + WAIT_MAX };
        if wanted.0 > 0 {
            this.seen_by(&mut snapshot, |snapshot| snapshot.revision).await?;
        }
        Ok(this)
    }
}

impl CaughtUp {
    /// Waits until what `follower` tells has the wanted revision. 503 `revision_not_reached`.
    pub async fn seen_by<T>(
        &self,
        follower: &mut watch::Receiver<T>,
        revision: impl Fn(&T) -> Revision,
    ) -> Result<(), ApiError> {
        let reached = revision(&follower.borrow());
        if reached >= self.wanted {
            return Ok(());
        }
        let waiting = follower.wait_for(|now| revision(now) >= self.wanted);
        let waiting = async { matches!(tokio::time::timeout_at(self.deadline, waiting).await, Ok(Ok(_))) };
        if observe::stage("wait", waiting).await {
            return Ok(());
        }
        let reached = revision(&follower.borrow());
        let text = format!("revision {} is not here yet; this answer would be of {reached}", self.wanted);
        Err(ApiError::unavailable("revision_not_reached", text, RETRY_AFTER_S)
            .with_details(json!({"min_revision": self.wanted.0, "revision": reached.0})))
    }
}

fn parse(text: &str, now: &Epoch) -> Result<Revision, ApiError> {
    let (epoch, number) = match text.rsplit_once(':') {
        Some((epoch, number)) => (Some(epoch), number),
        None => (None, text),
    };
    let revision = number.parse().map(Revision).map_err(|_| {
        ApiError::bad_request("invalid_revision", "min_revision must be <revision> or <epoch>:<revision>")
    })?;
    match epoch {
        Some(epoch) if epoch != now.as_str() => Err(other_epoch(now)),
        _ => Ok(revision),
    }
}

/// 409: revisions of two epochs do not compare.
pub fn other_epoch(now: &Epoch) -> ApiError {
    let text = "this store has begun a new history since; read anew what you know of it";
    ApiError::new(StatusCode::CONFLICT, "other_epoch", text).with_details(json!({"epoch": now.as_str()}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_of_this_epoch_or_refused() {
        let now = Epoch::kept("e1");
        let code = |text| parse(text, &now).map_err(|error| error.code());
        assert_eq!(code("7"), Ok(Revision(7)));
        assert_eq!(code("e1:7"), Ok(Revision(7)));
        assert_eq!(code("e2:7"), Err("other_epoch"));
        for text in ["", "-1", "x", "7:", "e1:", "1e3", "99999999999999999999"] {
            assert_eq!(code(text), Err("invalid_revision"), "{text:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_goes_on_when_it_is_there_and_is_told_when_it_does_not_come() {
        let (sender, mut follower) = watch::channel(Revision(1));
        let wanted = |number| CaughtUp { wanted: Revision(number), deadline: Instant::now() + WAIT_MAX };
        wanted(1).seen_by(&mut follower, |now| *now).await.unwrap();
        let later = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            sender.send_replace(Revision(3));
            sender
        });
        wanted(2).seen_by(&mut follower, |now| *now).await.unwrap();
        let error = wanted(4).seen_by(&mut follower, |now| *now).await.unwrap_err();
        assert_eq!((error.status().as_u16(), error.code()), (503, "revision_not_reached"));
        assert_eq!(error.details().unwrap(), &json!({"min_revision": 4, "revision": 3}));
        drop(later);
    }
}
