//! The bench measures itself: what is as it should be must hold, and what was made worse on purpose must be seen.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Bench;
use super::commit::per_second;
use super::ground::{Filled, Vectors};
use super::paced::while_doing;
use super::samples::Samples;
use super::sqlite_writer::{Durability, Writer};

/// Facts that 64 writers have in a commit, about.
const FACTS_PER_COMMIT: f64 = 32.0;
/// The share that the figure of 64 writers asks for, and the times that of reads beside heavy work.
const SHARE: f64 = 0.70;
const TIMES_MAX: f64 = 2.0;
/// A service that stands still for so long, so often.
const STALL: Duration = Duration::from_millis(20);
const STALL_INTERVAL: Duration = Duration::from_millis(100);

/// All checks.
///
/// # Errors
/// The first that fails.
pub fn all(bench: &mut Bench) -> Result<()> {
    commits(bench)?;
    reads(bench)
}

/// SQLite beside itself: the same holds; one fact a commit instead of 32 does not; and a commit that does not wait for the
/// disk is so much faster that the disk is known to be waited for.
fn commits(bench: &mut Bench) -> Result<()> {
    let mut samples = Samples::default();
    let sides = [
        ("as_it_is", Durability::Full, FACTS_PER_COMMIT),
        ("beside", Durability::Full, FACTS_PER_COMMIT),
        ("one_fact_a_commit", Durability::Full, 1.0),
        ("without_disk", Durability::Off, 1.0),
    ];
    let mut open = Vec::new();
    for (name, durability, group) in sides {
        let (folder, path) = bench.ground.database(Filled::Glosses)?;
        open.push((name, group, Writer::open(&path, durability)?, folder));
    }
    let facts = &bench.ground.facts.others;
    for round in facts.chunks(bench.scale.posts).take(bench.scale.rounds + 1).enumerate() {
        bench.check()?;
        for (name, group, writer, _) in &mut open {
            let commits = writer.prepare(round.1, 1, *group)?;
            let rate = per_second(round.1.len(), writer.carry_out(&commits)?);
            if round.0 > 0 {
                samples.add(name, rate);
            }
        }
    }
    let verdicts = [
        ("as_it_is", samples.median("as_it_is") >= SHARE * samples.median("beside"), true),
        ("one_fact_a_commit", samples.median("one_fact_a_commit") >= SHARE * samples.median("beside"), false),
        (
            "without_disk",
            samples.median("without_disk") <= samples.median("one_fact_a_commit") / SHARE,
            false,
        ),
    ];
    for (name, verdict, expected) in verdicts {
        let target = format!("the verdict must be {expected}");
        let holds = verdict == expected;
        bench.add(
            samples.judged(&format!("self_check_{name}"), "facts/s", name, &["beside"], |_| (target, holds)),
        );
        ensure!(holds, "{name}: the verdict is {verdict} and must be {expected}");
    }
    Ok(())
}

/// Reads of a service that stands still now and then must miss the limit; those of one left alone must not.
fn reads(bench: &mut Bench) -> Result<()> {
    let server = bench.ground.server_on(Filled::Glosses, Vectors::Off)?;
    let facts = bench.ground.facts.glosses.len() as u64;
    let window = Duration::from_secs_f64(bench.scale.window_s);
    let mut samples = Samples::default();
    let left_alone = || {
        std::thread::sleep(window);
        Ok(())
    };
    let stalled = || {
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let stalls = scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    server.process().freeze();
                    std::thread::sleep(STALL);
                    server.process().thaw();
                    std::thread::sleep(STALL_INTERVAL);
                }
            });
            std::thread::sleep(window);
            done.store(true, Ordering::Relaxed);
            stalls.join().ok().context("the stalling thread panicked")
        })
    };
    for _ in 0..bench.scale.rounds {
        bench.check()?;
        samples.add("idle", while_doing(&server, facts, left_alone)?.latency.p99_ms);
        samples.add("left_alone", while_doing(&server, facts, left_alone)?.latency.p99_ms);
        samples.add("stalled", while_doing(&server, facts, stalled)?.latency.p99_ms);
    }
    for (name, expected) in [("left_alone", true), ("stalled", false)] {
        let verdict = samples.median(name) <= TIMES_MAX * samples.median("idle");
        let (target, holds) = (format!("the verdict must be {expected}"), verdict == expected);
        bench.add(samples.judged(&format!("self_check_{name}"), "ms", name, &["idle"], |_| (target, holds)));
        ensure!(holds, "{name}: the verdict is {verdict} and must be {expected}");
    }
    Ok(())
}
