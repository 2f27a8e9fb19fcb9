//! Reads at fixed times, whatever else happens: what a client sees of a service that is busy with other work.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::client::{Caller, get};
use super::ground::Server;
use super::input::SEED;
use crate::proof::machine::{defer, prefer};
use crate::swarm::histogram::{Histogram, Quantiles};

/// Between two reads: a tenth of what one connection can do, so that the reads are no load of their own.
const INTERVAL: Duration = Duration::from_millis(1);

/// What the reads saw.
pub struct Reads {
    /// From the moment a read was due, or was sent where nothing held it up, to its answer.
    pub latency: Quantiles,
    /// Whether the reading thread was ahead of all others, so that only the service was waited for.
    pub preferred: bool,
}

/// Reads one fact after another while `work` is done; both must succeed. Who asks for the work is behind everybody else:
/// clients are on other machines, and only what the service does for them is to be waited for.
///
/// # Errors
/// That of the work, else that of the reads.
pub fn while_doing(server: &Server, facts: u64, work: impl FnOnce() -> Result<()> + Send) -> Result<Reads> {
    let mut caller = server.caller()?;
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reads = scope.spawn(|| read_until(&mut caller, facts, &done));
        let worked = scope.spawn(|| {
            defer(this_thread());
            work()
        });
        let worked = worked.join();
        done.store(true, Ordering::Relaxed);
        let worked = worked.ok().context("the thread that asks for the work panicked")?;
        let reads = reads.join().ok().context("the reading thread panicked")?;
        worked.and(reads)
    })
}

fn read_until(caller: &mut Caller, facts: u64, done: &AtomicBool) -> Result<Reads> {
    let preferred = prefer(this_thread());
    let mut random = fastrand::Rng::with_seed(SEED);
    let mut latency = Histogram::default();
    let mut due = Instant::now();
    while !done.load(Ordering::Relaxed) {
        let request = get(&format!("/api/facts/{}", random.u64(1..=facts)));
        let ahead = due.saturating_duration_since(Instant::now());
        // A read that is late since the one before took too long counts from when it was due; one that the clock woke a
        // little late does not.
        let mut counts_from = due;
        if !ahead.is_zero() {
            std::thread::sleep(ahead);
            counts_from = Instant::now();
        }
        caller.ask(&request)?;
        latency.add(counts_from.elapsed().as_nanos().try_into().unwrap_or(u64::MAX));
        due += INTERVAL;
    }
    Ok(Reads { latency: latency.quantiles(), preferred })
}

fn this_thread() -> u32 {
    rustix::thread::gettid().as_raw_pid().unsigned_abs()
}
