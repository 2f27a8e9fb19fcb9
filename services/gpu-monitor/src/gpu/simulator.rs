//! Invented GPUs, labelled so: every value is a function of (seed, tick, index) alone, so that a run can be repeated.

use proto_schemas::v1::Gpu;

use super::GpuSource;
use crate::sampler::SampleError;

/// Memory of each invented GPU, bytes.
const MEMORY_TOTAL_BYTES: f64 = 80.0 * 1024.0 * MIB;
const MIB: f64 = 1_048_576.0;
/// Shortest time from one peak of utilisation to the next, ticks; each GPU has up to as much again.
const PERIOD_MIN_TICKS: u64 = 60;

/// The simulator.
#[derive(Debug)]
pub struct Simulator {
    seed: u64,
    count: u32,
}

impl Simulator {
    /// `count` GPUs whose values derive from `seed`.
    pub fn new(seed: u64, count: u32) -> Self {
        Self { seed, count }
    }
}

impl GpuSource for Simulator {
    fn name(&self) -> &'static str {
        "simulator"
    }

    fn sample(&mut self, tick: u64) -> Result<Vec<Gpu>, SampleError> {
        Ok((0..self.count).map(|index| gpu(self.seed, tick, index)).collect())
    }
}

/// One invented GPU: utilisation rises and falls with some noise, memory follows slowly, heat and power follow
/// utilisation.
fn gpu(seed: u64, tick: u64, index: u32) -> Gpu {
    let identity = mix(seed ^ mix(u64::from(index)));
    let period = PERIOD_MIN_TICKS + identity % PERIOD_MIN_TICKS;
    let phase = identity >> 32;
    let noise = unit(mix(identity ^ mix(tick)));
    let busy = triangle(tick.wrapping_add(phase), period);
    let utilization = (5.0 + 85.0 * busy + 10.0 * noise).round();
    let filled = 0.1 + 0.7 * triangle(tick.wrapping_add(phase), period * 5);
    Gpu {
        index,
        name: "Simulated GPU (invented values)".to_owned(),
        uuid: Some(format!("SIMULATED-{identity:016x}")),
        utilization_percent: Some(utilization),
        memory_used_bytes: Some((filled * MEMORY_TOTAL_BYTES / MIB).floor() * MIB),
        memory_total_bytes: Some(MEMORY_TOTAL_BYTES),
        temperature_celsius: Some((32.0 + 0.4 * utilization + 2.0 * noise).round()),
        power_watts: Some((60.0 + 4.0 * utilization + 15.0 * noise).round()),
    }
}

/// 0 to 1 and back within `period` ticks.
fn triangle(tick: u64, period: u64) -> f64 {
    let position = u32::try_from(tick % period).map_or(0.0, f64::from);
    let period = u32::try_from(period).map_or(1.0, f64::from);
    1.0 - (2.0 * position / period - 1.0).abs()
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): spreads the bits of `value`.
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The upper 32 bits as a number from 0 to 1.
fn unit(bits: u64) -> f64 {
    u32::try_from(bits >> 32).map_or(0.0, f64::from) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_and_tick_give_the_same_values_in_any_order() {
        let (mut one, mut other) = (Simulator::new(7, 3), Simulator::new(7, 3));
        let forwards: Vec<_> = (0..100).map(|tick| one.sample(tick).unwrap()).collect();
        let backwards: Vec<_> = (0..100).rev().map(|tick| other.sample(tick).unwrap()).collect();
        assert!(forwards.iter().eq(backwards.iter().rev()));
        assert_ne!(
            forwards,
            (0..100).map(|tick| Simulator::new(8, 3).sample(tick).unwrap()).collect::<Vec<_>>()
        );
        assert_ne!(forwards[0][0].uuid, forwards[0][1].uuid);
    }

    #[test]
    fn every_value_is_possible_and_labelled_as_invented() {
        for tick in (0..10_000).chain([u64::MAX - 1, u64::MAX]) {
            for gpu in Simulator::new(tick ^ 0xabcd, 2).sample(tick).unwrap() {
                assert!(gpu.name.contains("Simulated"), "{gpu:?}");
                assert!((0.0..=100.0).contains(&gpu.utilization_percent.unwrap()), "{gpu:?}");
                assert!((0.0..=MEMORY_TOTAL_BYTES).contains(&gpu.memory_used_bytes.unwrap()), "{gpu:?}");
                assert!((30.0..=80.0).contains(&gpu.temperature_celsius.unwrap()), "{gpu:?}");
                assert!((60.0..=500.0).contains(&gpu.power_watts.unwrap()), "{gpu:?}");
            }
        }
    }
}
