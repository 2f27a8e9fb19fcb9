//! The rate of records: a token bucket in one atomic number, so that taking never waits.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Records a second in the long run: ten times what a busy service says, and nothing to NATS.
pub const RECORDS_PER_SECOND: u64 = 500;
/// Records at once: the words of a start, or of the moment in which everything fails.
pub const BURST_RECORDS: u64 = 1_000;

const INTERVAL_NANOS: u64 = 1_000_000_000 / RECORDS_PER_SECOND;
const BURST_NANOS: u64 = BURST_RECORDS * INTERVAL_NANOS;

/// The bucket, full at first. It holds the moment at which it is full again, in nanoseconds (the generic cell rate
/// algorithm of ITU-T I.371 in its form as a virtual schedule).
#[derive(Debug, Default)]
pub struct Bucket {
    full_at_nanos: AtomicU64,
}

impl Bucket {
    /// Takes one token at `now`, which counts from any fixed moment; `false` when there is none.
    pub fn take(&self, now: Duration) -> bool {
        let now_nanos = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let next = |full_at_nanos: u64| {
            let full_at_nanos = full_at_nanos.max(now_nanos).saturating_add(INTERVAL_NANOS);
            (full_at_nanos - now_nanos <= BURST_NANOS).then_some(full_at_nanos)
        };
        self.full_at_nanos.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(bucket: &Bucket, now: Duration) -> u64 {
        (0..).take_while(|_| bucket.take(now)).count() as u64
    }

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let bucket = Bucket::default();
        assert_eq!(taken(&bucket, Duration::ZERO), BURST_RECORDS);
        assert_eq!(taken(&bucket, Duration::from_millis(1)), 0);
        assert_eq!(taken(&bucket, Duration::from_secs(1)), RECORDS_PER_SECOND);
        assert_eq!(taken(&bucket, Duration::from_secs(3600)), BURST_RECORDS, "it holds no more than a burst");
    }

    #[test]
    fn a_moment_before_the_last_one_takes_nothing_twice() {
        let bucket = Bucket::default();
        assert_eq!(taken(&bucket, Duration::from_secs(5)), BURST_RECORDS);
        assert!(!bucket.take(Duration::from_secs(4)), "another thread's older look at the clock");
    }
}
