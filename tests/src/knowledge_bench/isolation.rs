//! Point reads beside heavy work of the same service: a bulk load, the building of the vector index, exports, deep walks.
//! Idle reads come first in every round.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::Bench;
use super::client::get;
use super::ground::{Filled, Server, Vectors};
use super::paced::{Reads, while_doing};
use super::samples::Samples;
use super::traverse::{EVERYTHING, walk_request};
use crate::figure::number;

/// Beside heavy work the p99 may be so many times that of an idle service.
const TIMES_MAX: f64 = 2.0;
/// A service that builds an index uses more of a core than this, though it rests where others want the cores; one that only answers
/// these reads uses a twentieth.
const BUILDING_SHARE: f64 = 0.2;

/// All of them.
///
/// # Errors
/// When the service fails, or does not do the heavy work while it is measured.
pub fn reads(bench: &mut Bench) -> Result<()> {
    let mut samples = Samples::default();
    let everything = bench.ground.server_on(Filled::Everything, Vectors::Off)?;
    let window = Duration::from_secs_f64(bench.scale.window_s);
    let hub = bench.ground.facts.hub()?;
    for _ in 0..bench.scale.rounds {
        bench.check()?;
        let facts = bench.ground.facts.len() as u64;
        let mut measure =
            |name: &str, server: &Server, work: &(dyn Fn() -> Result<()> + Sync)| -> Result<()> {
                let reads = while_doing(server, facts, work)?;
                add(bench, &mut samples, name, &reads);
                Ok(())
            };
        measure("idle", &everything, &|| wait(window))?;
        measure("export", &everything, &|| {
            again(window, &everything, &get("/api/facts/export?format=jsonl"))
        })?;
        measure("walks", &everything, &|| again(window, &everything, &walk_request(&hub, EVERYTHING)))?;
        building(bench, &mut samples, window)?;
    }
    for (name, what) in
        [("export", "idle"), ("walks", "idle"), ("bulk", "idle_indexed"), ("build", "idle_indexed")]
    {
        let [p99, idle] = [name, what].map(|name| format!("{name}_p99"));
        let limit = TIMES_MAX * samples.median(&idle);
        let beside = [format!("{name}_p50"), p99.clone(), format!("{name}_max"), format!("{what}_p50"), idle];
        let beside: Vec<&str> = beside.iter().map(String::as_str).collect();
        let figure = samples.judged(&format!("read_p99_beside_{name}"), "ms", &p99, &beside, |ours| {
            (format!("<= {TIMES_MAX} times idle, {}", number(limit)), ours <= limit)
        });
        let preferred = samples.of("preferred").iter().all(|preferred| *preferred > 0.0);
        bench.add(figure.with("reading_threads_are_preferred", preferred));
    }
    Ok(())
}

/// A service that has all its vectors; then a bulk load, and the building that follows.
fn building(bench: &Bench, samples: &mut Samples, window: Duration) -> Result<()> {
    let server = bench.ground.server_on(Filled::Glosses, Vectors::On)?;
    let facts = bench.ground.facts.glosses.len() as u64;
    let more = bench.ground.facts.others.get(..bench.scale.bulk).context("WordNet has no more facts")?;
    add(bench, samples, "idle_indexed", &while_doing(&server, facts, || wait(window))?);
    add(bench, samples, "bulk", &while_doing(&server, facts, || server.load(more).map(drop))?);
    let cpu = server.cpu()?;
    let start = Instant::now();
    add(bench, samples, "build", &while_doing(&server, facts, || wait(window))?);
    let share = (server.cpu()? - cpu) / start.elapsed().as_secs_f64();
    ensure!(share > BUILDING_SHARE, "no index was built meanwhile: the service used {share:.2} of a core");
    Ok(())
}

fn add(bench: &Bench, samples: &mut Samples, name: &str, reads: &Reads) {
    let latency = &reads.latency;
    bench.note(&format!(
        "reads beside {name:<12} p50 {:.3}, p99 {:.3}, largest {:.2} ms of {}",
        latency.p50_ms, latency.p99_ms, latency.max_ms, latency.count
    ));
    samples.add(&format!("{name}_p50"), latency.p50_ms);
    samples.add(&format!("{name}_p99"), latency.p99_ms);
    samples.add(&format!("{name}_max"), latency.max_ms);
    samples.add("preferred", f64::from(u8::from(reads.preferred)));
}

#[allow(clippy::unnecessary_wraps, reason = "one kind of work among others that can fail")]
fn wait(window: Duration) -> Result<()> {
    std::thread::sleep(window);
    Ok(())
}

/// The same request on one connection until the window is over.
fn again(window: Duration, server: &Server, request: &[u8]) -> Result<()> {
    let mut caller = server.caller()?;
    let start = Instant::now();
    while start.elapsed() < window {
        caller.ask(request)?;
    }
    Ok(())
}
