//! Latencies in logarithmic buckets: a fixed size, however many are counted. Pure.

use serde::{Deserialize, Serialize};

/// Each power of two is cut into so many buckets: a value is known to 1.6 %.
const BUCKETS_PER_OCTAVE: u64 = 64;
const SUB_BITS: u32 = BUCKETS_PER_OCTAVE.trailing_zeros();
const BUCKETS: usize = (64 - SUB_BITS as usize + 1) * BUCKETS_PER_OCTAVE as usize;

/// Counts of nanoseconds.
#[derive(Debug, Clone)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max_ns: u64,
}

/// What a histogram tells, milliseconds; all 0 where nothing was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// Values counted.
    pub count: u64,
    /// Median.
    pub p50_ms: f64,
    /// 90 of 100 are at most this.
    pub p90_ms: f64,
    /// 99 of 100 are at most this.
    pub p99_ms: f64,
    /// 999 of 1,000 are at most this.
    pub p999_ms: f64,
    /// The largest.
    pub max_ms: f64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0, max_ns: 0 }
    }
}

impl Histogram {
    /// Counts one value.
    pub fn add(&mut self, ns: u64) {
        self.counts[bucket(ns)] += 1;
        self.total += 1;
        self.max_ns = self.max_ns.max(ns);
    }

    /// Counts all values of another one.
    pub fn merge(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(own, others)| *own += others);
        self.total += other.total;
        self.max_ns = self.max_ns.max(other.max_ns);
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.total
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.counts.fill(0);
        (self.total, self.max_ns) = (0, 0);
    }

    /// The usual quantiles.
    pub fn quantiles(&self) -> Quantiles {
        Quantiles {
            count: self.total,
            p50_ms: self.quantile_ms(0.50),
            p90_ms: self.quantile_ms(0.90),
            p99_ms: self.quantile_ms(0.99),
            p999_ms: self.quantile_ms(0.999),
            max_ms: milliseconds(self.max_ns),
        }
    }

    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts are far below 2^52"
    )]
    fn quantile_ms(&self, share: f64) -> f64 {
        let rank = (share * self.total as f64).ceil() as u64;
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if *count > 0 && seen >= rank {
                return milliseconds(upper_bound(index).min(self.max_ns));
            }
        }
        0.0
    }
}

fn bucket(ns: u64) -> usize {
    let octave = (64 - SUB_BITS).saturating_sub(ns.leading_zeros() + 1);
    let index = u64::from(octave) * BUCKETS_PER_OCTAVE + (ns >> octave);
    usize::try_from(index).unwrap_or(BUCKETS - 1).min(BUCKETS - 1)
}

/// The largest value of a bucket.
fn upper_bound(index: usize) -> u64 {
    let index = index as u64;
    if index < 2 * BUCKETS_PER_OCTAVE {
        return index;
    }
    let octave = index / BUCKETS_PER_OCTAVE - 1;
    let first = (index - octave * BUCKETS_PER_OCTAVE) << octave;
    first + (1 << octave) - 1
}

#[allow(clippy::cast_precision_loss, reason = "latencies are far below 2^52 nanoseconds")]
fn milliseconds(ns: u64) -> f64 {
    ns as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_lies_in_its_bucket_and_is_known_to_two_per_cent() {
        for shift in 0..63 {
            for value in [1_u64 << shift, (1 << shift) + (1 << shift) / 3] {
                let bound = upper_bound(bucket(value));
                assert!(bound >= value && (bound - value) as f64 <= value as f64 * 0.02, "{value} {bound}");
            }
        }
    }

    #[test]
    fn quantiles_are_those_of_what_was_counted() {
        let mut histogram = Histogram::default();
        (1..=1_000).for_each(|value| histogram.add(value * 1_000_000));
        let told = histogram.quantiles();
        assert_eq!((told.count, told.max_ms), (1_000, 1_000.0));
        assert!((told.p50_ms - 500.0).abs() < 10.0 && (told.p99_ms - 990.0).abs() < 20.0, "{told:?}");
        let (mut even, mut odd) = (Histogram::default(), Histogram::default());
        (1..=1_000)
            .for_each(|value| if value % 2 == 0 { &mut even } else { &mut odd }.add(value * 1_000_000));
        even.merge(&odd);
        assert_eq!(even.quantiles(), told, "the parts of a whole are the whole");
        histogram.clear();
        assert_eq!(histogram.quantiles(), Quantiles::default());
    }
}
