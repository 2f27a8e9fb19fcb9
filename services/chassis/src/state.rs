//! Publishing a state topic: the newest value of one subject of the stream `STATE`, as every service does it.
//!
//! The owner of the state feeds a `watch`; while NATS is away values are replaced there, never queued. What is no
//! longer fed is no longer repeated, so the key of a hung owner ends by the stream's age and its followers are told.

use std::time::Duration;

use proto_schemas::contract::STATE_REPEAT_INTERVAL;
use proto_schemas::{Event, Stream};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::{Nats, Shutdown, streams};

/// What reached the stream last.
struct Published<E> {
    state: E,
    at: Instant,
    generation: u64,
}

/// Publishes `states` on `subject` until the stop: a fed value that is not the `same` as the last one published (leave
/// its time out of the comparison), the first one after each connection, and otherwise one every
/// [`STATE_REPEAT_INTERVAL`].
///
/// Each value is acknowledged before the next; a value that fails is not tried again, the next one fed is.
pub async fn publish<E: Event + Clone>(
    nats: Nats,
    subject: String,
    mut states: watch::Receiver<Option<E>>,
    same: fn(&E, &E) -> bool,
    shutdown: Shutdown,
) {
    if streams::wait_for(&nats, Stream::State, &shutdown).await.is_none() {
        return;
    }
    let connection = nats.watch();
    let mut last: Option<Published<E>> = None;
    let mut failing = false;
    states.mark_changed();
    loop {
        tokio::select! {
            () = shutdown.requested() => return,
            fed = states.changed() => if fed.is_err() { return },
        }
        let now = *connection.borrow();
        let Some(state) = states.borrow_and_update().clone() else { continue };
        if !now.up || !due(last.as_ref(), &state, same, Instant::now(), now.generation) {
            continue;
        }
        let result = tokio::select! {
            () = shutdown.requested() => return,
            result = nats.publish(subject.clone(), &state, None) => result,
        };
        match result {
            Ok(()) => {
                last = Some(Published { state, at: Instant::now(), generation: now.generation });
                failing = false;
            }
            Err(error) if !failing => {
                tracing::warn!(%error, %subject, "state cannot be published; trying with the next value");
                failing = true;
            }
            Err(_) => {}
        }
    }
}

/// Whether `state` must be told. Repeats come a second before they must, so that a late one is still in time.
fn due<E>(
    last: Option<&Published<E>>,
    state: &E,
    same: fn(&E, &E) -> bool,
    now: Instant,
    generation: u64,
) -> bool {
    const REPEAT: Duration = STATE_REPEAT_INTERVAL.saturating_sub(Duration::from_secs(1));
    last.is_none_or(|last| {
        last.generation != generation || !same(&last.state, state) || now.duration_since(last.at) >= REPEAT
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_told_when_it_changed_repeated_in_time_and_told_anew_after_a_reconnect() {
        let start = Instant::now();
        let last = Published { state: 7, at: start, generation: 1 };
        let due = |state, after_s, generation| {
            due(Some(&last), &state, |a, b| a == b, start + Duration::from_secs(after_s), generation)
        };
        assert!(!due(7, 1, 1), "nothing changed");
        assert!(due(8, 1, 1) && due(7, 9, 1) && due(7, 1, 2));
        assert!(super::due(None, &7, |a, b| a == b, start, 1), "the first one");
    }
}
