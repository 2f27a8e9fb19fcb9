//! Reads at fixed times, whatever else happens: what a client sees of a service that is busy with other work.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::client::{Caller, get};
use super::ground::Server;
use super::input::SEED;
use crate::proof::machine::{defer, prefer};
use crate::swarm::histogram::{Histogram, Quantiles};

/// Clients, each with a connection: what one of them waits for does not hold up the others.
const CLIENTS: u32 = 8;
/// Between two reads of a client; all of them together read a thousand times a second, a tenth of what one connection can do, so
/// that the reads are no load of their own.
const INTERVAL: Duration = Duration::from_millis(8);

/// What the reads saw.
pub struct Reads {
    /// From the moment a read was due, or was sent where nothing held it up, to its answer.
    pub latency: Quantiles,
    /// Whether the reading threads were ahead of all others, so that only the service was waited for.
    pub preferred: bool,
}

/// Reads facts while `work` is done; both must succeed. Who asks for the work is behind everybody else:
/// clients are on other machines, and only what the service does for them is to be waited for.
///
/// # Errors
/// That of the work, else that of the reads.
pub fn while_doing(server: &Server, facts: u64, work: impl FnOnce() -> Result<()> + Send) -> Result<Reads> {
    let callers = (0..CLIENTS).map(|_| connected(server)).collect::<Result<Vec<_>>>()?;
    let done = AtomicBool::new(false);
    // All begin at once, when each has its priority.
    let begin = Barrier::new(callers.len() + 1);
    std::thread::scope(|scope| {
        let (begin, done) = (&begin, &done);
        let read = |(number, caller)| scope.spawn(move || read_until(caller, number, facts, begin, done));
        let clients: Vec<_> = (0..).zip(callers).map(read).collect();
        let worked = scope.spawn(|| {
            defer(this_thread());
            begin.wait();
            work()
        });
        let worked = worked.join();
        done.store(true, Ordering::Relaxed);
        let worked = worked.ok().context("the thread that asks for the work panicked")?;
        let (mut latency, mut preferred) = (Histogram::default(), true);
        let mut failed = Ok(());
        for client in clients {
            match client.join().ok().context("a reading thread panicked")? {
                Ok(reads) => {
                    latency.merge(&reads.0);
                    preferred &= reads.1;
                }
                Err(error) => failed = Err(error),
            }
        }
        worked.and(failed)?;
        Ok(Reads { latency: latency.quantiles(), preferred })
    })
}

/// A connection that was used: the first request of one waits until it is accepted.
fn connected(server: &Server) -> Result<Caller> {
    let mut caller = server.caller()?;
    caller.ask(&get("/api/facts/1"))?;
    Ok(caller)
}

/// Until `done`: how long the reads took, and whether their thread was preferred.
fn read_until(
    mut caller: Caller,
    number: u32,
    facts: u64,
    begin: &Barrier,
    done: &AtomicBool,
) -> Result<(Histogram, bool)> {
    let preferred = prefer(this_thread());
    let mut random = fastrand::Rng::with_seed(SEED + u64::from(number));
    let mut latency = Histogram::default();
    begin.wait();
    let mut due = Instant::now() + INTERVAL * number / CLIENTS;
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
    Ok((latency, preferred))
}

fn this_thread() -> u32 {
    rustix::thread::gettid().as_raw_pid().unsigned_abs()
}
