//! What the clients of a load received: deliveries, bytes, latency, holes and doubles, round trips of pings.

use serde::{Deserialize, Serialize};

use super::event::Stamp;
use super::histogram::{Histogram, Quantiles};

/// Running counts.
#[derive(Debug, Default)]
pub struct Tally {
    /// Events that arrived.
    pub deliveries: u64,
    /// Bytes read, all included.
    pub bytes: u64,
    /// Events that a counter shows to be missing.
    pub missing: u64,
    /// Events that came again, or after a later one.
    pub repeated: u64,
    /// Gaps that the server told of.
    pub told_gaps: u64,
    /// Connections that the server ended.
    pub closed: u64,
    /// Events of clients that are expected to receive: what a closed loop waits for.
    pub latency: Histogram,
    /// From a ping to its answer.
    pub round_trip: Histogram,
    /// From the start of connecting to being ready.
    pub handshake: Histogram,
    /// From the end of a client's right to stay to the end of its connection.
    pub closing: Histogram,
}

/// The counts as another program reads them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Clients that are open and ready.
    pub ready: usize,
    /// Clients that never read.
    pub stalled: usize,
    /// How long was measured, seconds.
    pub wall_s: f64,
    /// Events that arrived.
    pub deliveries: u64,
    /// Bytes read, all included.
    pub bytes: u64,
    /// Events that a counter shows to be missing.
    pub missing: u64,
    /// Events that came again, or after a later one.
    pub repeated: u64,
    /// Gaps that the server told of.
    pub told_gaps: u64,
    /// Connections that the server ended.
    pub closed: u64,
    /// From the time in an event to its arrival.
    pub latency: Quantiles,
    /// From a ping to its answer.
    pub round_trip: Quantiles,
    /// From the start of connecting to being ready.
    pub handshake: Quantiles,
    /// From the end of a client's right to stay to the end of its connection.
    pub closing: Quantiles,
    /// The newest message with an event, where it was asked for.
    pub sample: Option<String>,
    /// Why the command failed; empty where it did not.
    pub error: String,
}

impl Tally {
    /// Counts an event that a client received. `expected` is that client's place in this topic.
    pub fn delivered(&mut self, stamp: Stamp, expected: &mut u64, now_ns: u64) {
        self.deliveries += 1;
        self.latency.add(now_ns.saturating_sub(stamp.sent_ns));
        // 0: the client's first event of this topic, which may be any.
        if *expected == 0 || stamp.counter == *expected {
            *expected = stamp.counter + 1;
        } else if stamp.counter > *expected {
            self.missing += stamp.counter - *expected;
            *expected = stamp.counter + 1;
        } else {
            self.repeated += 1;
        }
    }

    /// Begins anew.
    pub fn clear(&mut self) {
        let Self { latency, round_trip, handshake, closing, .. } = std::mem::take(self);
        (self.latency, self.round_trip, self.handshake, self.closing) =
            (latency, round_trip, handshake, closing);
        self.latency.clear();
        self.round_trip.clear();
        self.handshake.clear();
        self.closing.clear();
    }

    /// The counts so far.
    pub fn counts(&self) -> Counts {
        Counts {
            deliveries: self.deliveries,
            bytes: self.bytes,
            missing: self.missing,
            repeated: self.repeated,
            told_gaps: self.told_gaps,
            closed: self.closed,
            latency: self.latency.quantiles(),
            round_trip: self.round_trip.quantiles(),
            handshake: self.handshake.quantiles(),
            closing: self.closing.quantiles(),
            ..Counts::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_and_doubles_are_counted_from_the_first_event_on() {
        let (mut tally, mut expected) = (Tally::default(), 0);
        for counter in [7, 8, 11, 11, 9, 12] {
            tally.delivered(Stamp { topic: 0, counter, sent_ns: 1_000 }, &mut expected, 3_000_000);
        }
        assert_eq!((tally.deliveries, tally.missing, tally.repeated), (6, 2, 2));
        let counts = tally.counts();
        assert_eq!((counts.deliveries, counts.latency.count), (6, 6));
        tally.clear();
        assert_eq!(tally.counts().latency, Quantiles::default());
    }
}
