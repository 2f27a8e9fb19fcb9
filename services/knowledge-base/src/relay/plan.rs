//! What to do with the stream that is found, as a function of the two states. No NATS and no store here.

use crate::store::{Digest, Epoch, Revision};

/// The store's side.
#[derive(Debug, Clone)]
pub struct StoreView {
    /// Its epoch.
    pub epoch: Epoch,
    /// Its last change.
    pub revision: Revision,
    /// Its oldest change that is kept; `None` before the first.
    pub oldest: Option<Revision>,
    /// Whether a stream was ever made for it.
    pub stream_created: bool,
    /// The first change of its epoch, where the relay began that epoch and has not made the stream yet.
    pub begun: Option<Revision>,
}

/// The stream's side.
#[derive(Debug, Clone)]
pub struct StreamView {
    /// The epoch in its metadata; empty where there is none.
    pub epoch: String,
    /// Its last sequence, also where that message is gone.
    pub last_sequence: Revision,
    /// The digest in its last message's header; `None` where that message is gone.
    pub last_digest: Option<String>,
    /// The store's digest at that sequence; `None` where that row is gone.
    pub store_digest: Option<Digest>,
}

/// Why the two have no common history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// There was a stream, and it is gone.
    StreamLost,
    /// The stream was made for another store, or for an earlier epoch of this one.
    OtherEpoch,
    /// The stream has changes that the store has not: the store was put back to an older state.
    StreamAhead,
    /// The stream's last message is not the store's change of that number: the store was put back and wrote on.
    Diverged,
    /// Changes that the stream lacks are not kept any more.
    ChangesGone,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// Publish from this change on.
    Follow(Revision),
    /// Create the stream with this first sequence; the epoch stays.
    Create(Revision),
    /// Take a new epoch, delete the stream if it is there, create it with the next revision as its first sequence.
    BeginEpoch(Reason),
    /// Go on with the epoch that was begun: delete the stream if it is there, create it with this first sequence.
    FinishEpoch(Revision),
}

/// Decides.
pub fn decide(store: &StoreView, stream: Option<&StreamView>) -> Plan {
    // Another new epoch for each attempt that fails would be work for all followers, and no better.
    if let Some(first) = store.begun
        && stream.is_none_or(|stream| stream.epoch != store.epoch.as_str())
    {
        return Plan::FinishEpoch(first);
    }
    let Some(stream) = stream else {
        return match (store.stream_created, store.oldest) {
            (true, _) => Plan::BeginEpoch(Reason::StreamLost),
            (false, oldest) => Plan::Create(oldest.unwrap_or(store.revision.next())),
        };
    };
    let next = stream.last_sequence.next();
    let diverged = match (&stream.last_digest, stream.store_digest) {
        (Some(theirs), Some(ours)) => *theirs != ours.to_hex(),
        // A message or a row that has aged out cannot be compared.
        _ => false,
    };
    if stream.epoch != store.epoch.as_str() {
        Plan::BeginEpoch(Reason::OtherEpoch)
    } else if stream.last_sequence > store.revision {
        Plan::BeginEpoch(Reason::StreamAhead)
    } else if diverged {
        Plan::BeginEpoch(Reason::Diverged)
    } else if store.oldest.is_some_and(|oldest| oldest > next) {
        Plan::BeginEpoch(Reason::ChangesGone)
    } else {
        Plan::Follow(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(revision: u64, oldest: Option<u64>, stream_created: bool) -> StoreView {
        let oldest = oldest.map(Revision);
        StoreView {
            epoch: Epoch::kept("e1"),
            revision: Revision(revision),
            oldest,
            stream_created,
            begun: None,
        }
    }

    fn stream(last_sequence: u64) -> StreamView {
        let digest = Digest::EMPTY.chain(Revision(last_sequence), "x", b"x");
        StreamView {
            epoch: "e1".into(),
            last_sequence: Revision(last_sequence),
            last_digest: Some(digest.to_hex()),
            store_digest: Some(digest),
        }
    }

    #[test]
    fn the_first_stream_begins_with_the_oldest_change_and_keeps_the_epoch() {
        assert_eq!(decide(&store(0, None, false), None), Plan::Create(Revision(1)));
        assert_eq!(decide(&store(9, Some(1), false), None), Plan::Create(Revision(1)));
        assert_eq!(decide(&store(9, Some(4), false), None), Plan::Create(Revision(4)));
    }

    #[test]
    fn a_lost_stream_is_a_new_epoch() {
        assert_eq!(decide(&store(9, Some(1), true), None), Plan::BeginEpoch(Reason::StreamLost));
    }

    #[test]
    fn a_stream_that_lost_its_tail_is_followed_from_where_it_ends() {
        assert_eq!(decide(&store(9, Some(1), true), Some(&stream(9))), Plan::Follow(Revision(10)));
        assert_eq!(decide(&store(9, Some(1), true), Some(&stream(4))), Plan::Follow(Revision(5)));
        assert_eq!(decide(&store(9, Some(1), false), Some(&stream(4))), Plan::Follow(Revision(5)));
    }

    #[test]
    fn what_cannot_be_one_history_is_a_new_epoch() {
        let both = store(9, Some(3), true);
        let foreign = StreamView { epoch: "e2".into(), ..stream(4) };
        assert_eq!(decide(&both, Some(&foreign)), Plan::BeginEpoch(Reason::OtherEpoch));
        assert_eq!(decide(&both, Some(&stream(10))), Plan::BeginEpoch(Reason::StreamAhead));
        let diverged = StreamView { store_digest: Some(Digest::EMPTY), ..stream(9) };
        assert_eq!(decide(&both, Some(&diverged)), Plan::BeginEpoch(Reason::Diverged));
        let unmarked = StreamView { last_digest: Some(String::new()), ..stream(9) };
        assert_eq!(decide(&both, Some(&unmarked)), Plan::BeginEpoch(Reason::Diverged));
        assert_eq!(decide(&both, Some(&stream(1))), Plan::BeginEpoch(Reason::ChangesGone));
    }

    #[test]
    fn an_epoch_that_was_begun_is_finished_before_another_is() {
        let begun = StoreView { begun: Some(Revision(8)), ..store(9, Some(1), true) };
        assert_eq!(decide(&begun, None), Plan::FinishEpoch(Revision(8)));
        let old = StreamView { epoch: "e0".into(), ..stream(7) };
        assert_eq!(decide(&begun, Some(&old)), Plan::FinishEpoch(Revision(8)), "it was not deleted");
        let made = StreamView { last_digest: None, ..stream(7) };
        assert_eq!(decide(&begun, Some(&made)), Plan::Follow(Revision(8)), "only the answer was lost");
        assert_eq!(decide(&begun, Some(&stream(10))), Plan::BeginEpoch(Reason::StreamAhead));
    }

    #[test]
    fn a_stream_that_has_aged_out_is_followed() {
        let empty = StreamView { last_digest: None, ..stream(9) };
        assert_eq!(decide(&store(9, Some(9), true), Some(&empty)), Plan::Follow(Revision(10)));
        let trimmed = StreamView { store_digest: None, ..stream(2) };
        assert_eq!(decide(&store(9, Some(3), true), Some(&trimmed)), Plan::Follow(Revision(3)));
    }
}
