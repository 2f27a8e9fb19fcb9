//! Deletes rows of the log of changes that nobody needs any more: not the stream, and not for longer than it keeps
//! them.

use std::time::{Duration, SystemTime};

use chassis::{Nats, Shutdown, streams};
use proto_schemas::Stream;
use tokio::sync::watch;

use super::RelayError;
use super::status::Position;
use crate::store::{Revision, Store, UnixMillis};

/// How often to look. Rows are small, so late is no harm.
const TRIM_INTERVAL: Duration = Duration::from_secs(300);

/// Runs until the stop, and works while this process is the relay.
pub async fn run(store: Store, nats: Nats, position: watch::Receiver<Position>, shutdown: Shutdown) {
    loop {
        tokio::select! {
            () = shutdown.requested() => return,
            () = tokio::time::sleep(TRIM_INTERVAL) => {}
        }
        if !nats.is_connected() || !position.borrow().leads {
            continue;
        }
        let trimmed = tokio::select! {
            () = shutdown.requested() => return,
            trimmed = trim(&store, &nats, SystemTime::now()) => trimmed,
        };
        if let Err(error) = trimmed {
            tracing::warn!(error = &error as &dyn std::error::Error, "the log of changes was not trimmed");
        }
    }
}

/// Deletes what is before the stream's first message and older than the stream's age, in small steps.
async fn trim(store: &Store, nats: &Nats, now: SystemTime) -> Result<(), RelayError> {
    let info = streams::info(nats, Stream::Kb).await;
    let Some(info) = info.map_err(|error| RelayError::Stream(error.to_string()))? else { return Ok(()) };
    if streams::epoch_of(&info) != store.snapshot().epoch.as_str() {
        return Ok(());
    }
    let kept_from = Revision(info.state.first_sequence);
    let age_limit = now.checked_sub(Stream::Kb.spec().max_age).unwrap_or(SystemTime::UNIX_EPOCH);
    let age_limit = UnixMillis::from_system(age_limit);
    while let Some(last) = store.last_change_before(kept_from, age_limit).await? {
        if store.trim_changes(last.next()).await?.outcome == 0 {
            break;
        }
    }
    Ok(())
}
