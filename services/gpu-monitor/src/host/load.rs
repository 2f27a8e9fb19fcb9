//! What two readings say together: shares and rates. Pure.

use std::time::Duration;

use proto_schemas::v1::SystemState;

use super::reading::{CpuTicks, Reading, Usage};

/// The state of `node` from a reading and, where there is one, the reading before and the time since it.
///
/// Values are rounded to what means something (0.1 %, 0.01 of load, whole bytes), so that noise is no change.
pub fn load(
    node: &str,
    before: Option<(&Reading, Duration)>,
    reading: &Reading,
    time: String,
) -> SystemState {
    let rates = before.and_then(|(before, elapsed)| network_rates(before, reading, elapsed));
    SystemState {
        node: node.to_owned(),
        cpu_percent: before.and_then(|(before, _)| busy_percent(before.cpu?, reading.cpu?)),
        cpu_count: reading.cpu_count,
        load_1m: reading.load_1m.map(|load| (load * 100.0).round() / 100.0),
        memory_used_bytes: reading.memory.and_then(used),
        memory_total_bytes: reading.memory.map(|memory| bytes(memory.total)),
        disk_used_bytes: reading.disk.and_then(used),
        disk_total_bytes: reading.disk.map(|disk| bytes(disk.total)),
        network_receive_bytes_per_second: rates.map(|(received, _)| received),
        network_transmit_bytes_per_second: rates.map(|(_, sent)| sent),
        cpu_pressure_percent: reading.cpu_pressure_percent.map(tenths),
        time,
    }
}

fn busy_percent(before: CpuTicks, now: CpuTicks) -> Option<f64> {
    let total = now.total.checked_sub(before.total).filter(|total| *total > 0)?;
    // The kernel's idle and iowait counters may step back a little, which makes busy step forward.
    let busy = now.busy.saturating_sub(before.busy).min(total);
    Some(tenths(bytes(busy) / bytes(total) * 100.0))
}

/// Received and sent, bytes a second, over the interfaces that both readings have and that did not start anew.
fn network_rates(before: &Reading, now: &Reading, elapsed: Duration) -> Option<(f64, f64)> {
    let (before, now) = (before.traffic.as_ref()?, now.traffic.as_ref()?);
    if elapsed.is_zero() {
        return None;
    }
    let (mut received, mut sent) = (0_u64, 0_u64);
    for (name, traffic) in now {
        let Some(earlier) = before.get(name) else { continue };
        received = received.saturating_add(traffic.received.saturating_sub(earlier.received));
        sent = sent.saturating_add(traffic.sent.saturating_sub(earlier.sent));
    }
    let a_second = |count: u64| (bytes(count) / elapsed.as_secs_f64()).round();
    Some((a_second(received), a_second(sent)))
}

fn used(usage: Usage) -> Option<f64> {
    usage.used.map(bytes)
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// A count as the contract's number: exact to 2^53.
#[allow(clippy::cast_precision_loss, reason = "no byte count of one machine comes near 2^53")]
fn bytes(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::host::reading::Traffic;

    fn reading(busy: u64, total: u64, traffic: &[(&str, u64, u64)]) -> Reading {
        let traffic: BTreeMap<_, _> = traffic
            .iter()
            .map(|(name, received, sent)| ((*name).to_owned(), Traffic { received: *received, sent: *sent }))
            .collect();
        Reading { cpu: Some(CpuTicks { busy, total }), traffic: Some(traffic), ..Reading::default() }
    }

    fn between(before: &Reading, now: &Reading, elapsed_ms: u64) -> SystemState {
        load("n", Some((before, Duration::from_millis(elapsed_ms))), now, String::new())
    }

    #[test]
    fn shares_and_rates_come_from_the_difference_of_two_readings() {
        let before = reading(1_000, 10_000, &[("eth0", 500, 100), ("gone", 9_000, 9_000)]);
        let now = reading(1_050, 10_200, &[("eth0", 1_500, 2_100), ("new", 7_000, 7_000)]);
        let state = between(&before, &now, 500);
        assert_eq!(state.cpu_percent, Some(25.0));
        assert_eq!(state.network_receive_bytes_per_second, Some(2_000.0));
        assert_eq!(state.network_transmit_bytes_per_second, Some(4_000.0));
    }

    #[test]
    fn the_first_reading_knows_no_share_and_no_rate() {
        let state = load("n", None, &reading(1, 2, &[("eth0", 1, 1)]), String::new());
        assert_eq!((state.cpu_percent, state.network_receive_bytes_per_second), (None, None));
    }

    #[test]
    fn counters_that_stand_still_or_step_back_give_no_impossible_value() {
        let before = reading(1_000, 10_000, &[("eth0", 500, 500)]);
        assert_eq!(between(&before, &before, 1_000).cpu_percent, None, "no tick passed");
        assert_eq!(between(&before, &reading(990, 10_010, &[]), 1_000).cpu_percent, Some(0.0));
        assert_eq!(between(&before, &reading(1_020, 10_010, &[]), 1_000).cpu_percent, Some(100.0));
        let restarted = between(&before, &reading(0, 0, &[("eth0", 5, 5)]), 1_000);
        assert_eq!((restarted.cpu_percent, restarted.network_receive_bytes_per_second), (None, Some(0.0)));
    }

    #[test]
    fn noise_is_rounded_away() {
        let reading = Reading {
            load_1m: Some(f64::from(0.05_f32)),
            cpu_pressure_percent: Some(1.26),
            ..Reading::default()
        };
        let state = load("n", None, &reading, String::new());
        assert_eq!((state.load_1m, state.cpu_pressure_percent), (Some(0.05), Some(1.3)));
    }
}
