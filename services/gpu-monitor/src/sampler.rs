//! A source sampled on its own thread and schedule. A source that hangs stops its own thread and nothing else: its
//! last sample stays, and its age says how old it is.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use chassis::StartError;
use tokio::sync::watch;

use crate::metrics::MonitorMetrics;

/// Why a source gave no sample.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SampleError(pub String);

/// A sample and when it was taken.
#[derive(Debug, Clone)]
pub struct Sample<T> {
    /// What was seen.
    pub value: T,
    /// When, by a clock that never steps.
    pub taken_at: Instant,
}

impl<T> Sample<T> {
    /// Its age in whole milliseconds, as the contract's number.
    pub fn age_ms(&self, now: Instant) -> f64 {
        f64::from(u32::try_from(now.duration_since(self.taken_at).as_millis()).unwrap_or(u32::MAX))
    }
}

/// A running sampler. Its thread ends when this is dropped, or never if its source hangs.
#[derive(Debug)]
pub struct Sampler<T> {
    /// The last sample with its age, for answers; `None` before the first.
    pub samples: watch::Receiver<Option<Sample<T>>>,
    /// The last sample, for publishing.
    pub states: watch::Receiver<Option<T>>,
    _stop: mpsc::Sender<()>,
}

impl<T: Clone + Send + Sync + 'static> Sampler<T> {
    /// Starts to call `sample` every `interval` with the number of the interval since the start. Intervals that pass
    /// while a sample takes too long are left out, not made up for.
    pub fn spawn(
        source: &'static str,
        interval: Duration,
        metrics: &MonitorMetrics,
        mut sample: impl FnMut(u64) -> Result<T, SampleError> + Send + 'static,
    ) -> Result<Self, StartError> {
        let (to_answers, samples) = watch::channel(None);
        let (to_states, states) = watch::channel(None);
        let (stop, stopped) = mpsc::channel::<()>();
        let (taken, failed) = (metrics.samples(source), metrics.failures(source));
        let work = move || {
            let (start, mut tick, mut failing) = (Instant::now(), 0, false);
            loop {
                match sample(tick) {
                    Ok(value) => {
                        taken.inc();
                        failing = false;
                        to_states.send_replace(Some(value.clone()));
                        to_answers.send_replace(Some(Sample { value, taken_at: Instant::now() }));
                    }
                    Err(error) => {
                        failed.inc();
                        if !std::mem::replace(&mut failing, true) {
                            tracing::warn!(source, %error, "no sample; the last one stays");
                        }
                    }
                }
                tick = next_tick(start.elapsed(), interval, tick);
                let wait = due(tick, interval).saturating_sub(start.elapsed());
                if stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        };
        std::thread::Builder::new()
            .name(format!("sample-{source}"))
            .spawn(work)
            .map_err(|source| StartError::Io { what: "a sampler cannot start".to_owned(), source })?;
        Ok(Self { samples, states, _stop: stop })
    }
}

/// When interval `tick` begins, counted from the start.
fn due(tick: u64, interval: Duration) -> Duration {
    interval.saturating_mul(u32::try_from(tick).unwrap_or(u32::MAX))
}

/// The first interval after `done` that begins in the future.
fn next_tick(elapsed: Duration, interval: Duration, done: u64) -> u64 {
    let current = elapsed.as_micros() / interval.as_micros().max(1);
    u64::try_from(current).unwrap_or(u64::MAX).max(done).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chassis::Metrics;

    const INTERVAL: Duration = Duration::from_millis(1);
    const DEADLINE: Duration = Duration::from_secs(20);

    #[test]
    fn intervals_that_passed_are_left_out() {
        let second = Duration::from_secs(1);
        assert_eq!(next_tick(Duration::from_millis(3), second, 0), 1);
        assert_eq!(next_tick(Duration::from_millis(4_500), second, 0), 5);
        assert_eq!(next_tick(Duration::ZERO, second, 7), 8, "a tick is never taken twice");
    }

    #[tokio::test]
    async fn a_hung_source_keeps_its_last_sample_and_delays_nobody() {
        let metrics = MonitorMetrics::new(&Metrics::new());
        let (release, held) = mpsc::channel::<()>();
        let hung = Sampler::spawn("hung", INTERVAL, &metrics, move |tick| {
            if tick > 0 {
                // Returns only when the test is over.
                let _ = held.recv();
            }
            Ok("first")
        })
        .unwrap();
        let healthy = Sampler::spawn("healthy", INTERVAL, &metrics, Ok).unwrap();
        let mut samples = healthy.samples.clone();
        let moved_on = samples.wait_for(|sample| sample.as_ref().is_some_and(|one| one.value >= 20));
        tokio::time::timeout(DEADLINE, moved_on).await.expect("the healthy source goes on").unwrap();
        let sample = hung.samples.borrow().clone().expect("its first sample stays");
        assert_eq!(sample.value, "first");
        assert!(sample.taken_at.elapsed() >= INTERVAL * 10, "{:?}", sample.taken_at.elapsed());
        drop(hung);
        drop(release);
    }

    #[tokio::test]
    async fn a_failing_source_keeps_its_last_sample_and_is_counted() {
        let metrics = MonitorMetrics::new(&Metrics::new());
        let sampler = Sampler::spawn("failing", INTERVAL, &metrics, |tick| match tick {
            0 => Ok(0),
            _ => Err(SampleError("the driver is gone".to_owned())),
        })
        .unwrap();
        let failures = metrics.failures("failing");
        let counted = async {
            while failures.get() < 3 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(DEADLINE, counted).await.expect("failures are counted");
        assert_eq!(sampler.samples.borrow().as_ref().map(|sample| sample.value), Some(0));
        assert_eq!(metrics.samples("failing").get(), 1);
    }
}
