//! The event-loop lag between two scrapes.

use std::collections::BTreeMap;

use chassis::metrics::METRIC_EVENT_LOOP_LAG;

/// How often the probe fired, by upper bound of its lateness (milliseconds; infinite for the last).
#[derive(Debug, Default)]
pub struct LagHistogram(Vec<(f64, f64)>);

impl LagHistogram {
    /// Cumulative counts of a scrape in the Prometheus text format.
    pub fn of(scrape: &str) -> Self {
        let prefix = format!("{METRIC_EVENT_LOOP_LAG}_bucket{{le=\"");
        let bucket = |line: &str| {
            let (bound, count) = line.strip_prefix(&prefix)?.split_once("\"} ")?;
            let bound_s = if bound == "+Inf" { f64::INFINITY } else { bound.parse().ok()? };
            Some((bound_s * 1e3, count.trim().parse().ok()?))
        };
        Self(scrape.lines().filter_map(bucket).collect())
    }

    /// What was added since `before`.
    pub fn since(&self, before: &Self) -> Self {
        let old: BTreeMap<u64, f64> =
            before.0.iter().map(|(bound, count)| (bound.to_bits(), *count)).collect();
        let added = |(bound, count): &(f64, f64)| (*bound, count - old.get(&bound.to_bits()).unwrap_or(&0.0));
        Self(self.0.iter().map(added).collect())
    }

    /// The bound that `percent` of the probes did not exceed, milliseconds; 0 without a probe.
    pub fn bound_ms(&self, percent: f64) -> f64 {
        let total = self.0.last().map_or(0.0, |(_, count)| *count);
        self.0.iter().find(|(_, count)| *count >= total * percent / 100.0).map_or(0.0, |(bound, _)| *bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lag_of_a_phase_is_what_two_scrapes_differ_by() {
        let scrape = |low: u32, high: u32| {
            let name = METRIC_EVENT_LOOP_LAG;
            format!(
                "# TYPE {name} histogram\n{name}_bucket{{le=\"0.001\"}} {low}\n{name}_bucket{{le=\"0.03\"}} {high}\n\
                 {name}_bucket{{le=\"+Inf\"}} {high}\n{name}_sum 1\n"
            )
        };
        let lag = LagHistogram::of(&scrape(110, 200)).since(&LagHistogram::of(&scrape(100, 100)));
        assert_eq!((lag.bound_ms(10.0), lag.bound_ms(99.0)), (1.0, 30.0));
        assert_eq!(LagHistogram::default().bound_ms(99.0), 0.0);
    }
}
