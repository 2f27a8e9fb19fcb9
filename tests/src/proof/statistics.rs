//! Percentiles and medians of samples. Pure functions.

/// The smallest sample that at least `percent` of all samples do not exceed (nearest rank); `sorted` rises.
///
/// # Panics
/// Without a sample.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "counts of samples are far below 2^52"
)]
pub fn percentile(sorted: &[f64], percent: f64) -> f64 {
    assert!(!sorted.is_empty(), "a percentile needs samples");
    let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

/// The median: the mean of the two in the middle where their number is even.
///
/// # Panics
/// Without a value.
pub fn median(values: &[f64]) -> f64 {
    let sorted = sorted(values.to_vec());
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
}

/// The mean; 0 without a value.
#[allow(clippy::cast_precision_loss, reason = "counts of samples are far below 2^52")]
pub fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

/// The largest; 0 without a value.
pub fn maximum(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}

/// The smallest; 0 without a value.
pub fn minimum(values: &[f64]) -> f64 {
    values.iter().copied().reduce(f64::min).unwrap_or(0.0)
}

/// `values` in rising order.
pub fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_sample_that_was_seen() {
        let samples: Vec<f64> = (1..=500).map(f64::from).collect();
        assert_eq!(percentile(&samples, 99.0), 495.0);
        assert_eq!(percentile(&samples, 50.0), 250.0);
        assert_eq!(percentile(&[7.0], 99.0), 7.0);
    }

    #[test]
    fn one_wild_round_does_not_move_the_median() {
        assert_eq!(median(&[3.0, 900.0, 1.0, 2.0, 4.0]), 3.0);
        assert_eq!(median(&[1.0, 4.0]), 2.5);
    }
}
