//! Point reads: one fact by its number over HTTP, beside the same `SELECT` called directly and beside an answer that
//! needs no store.

use anyhow::Result;

use super::Bench;
use super::client::{Crowd, get};
use super::ground::{Filled, Vectors};
use super::peer::Peer;
use super::samples::Samples;
use super::sqlite_reader::Reader;
use crate::swarm::histogram::Histogram;

/// Connections of the second figure: enough to keep the service busy.
const MANY: usize = 8;

/// Latency on one connection, and answers a second on several.
///
/// # Errors
/// When a side fails.
pub fn points(bench: &mut Bench) -> Result<()> {
    let server = bench.ground.server_on(Filled::Everything, Vectors::Off)?;
    let peer = Peer::start()?;
    let reader = Reader::open(&server.database())?;
    let (count, requests) = (bench.ground.facts.len() as u64, bench.scale.requests);
    let mut random = fastrand::Rng::with_seed(super::input::SEED);
    let ids: Vec<u64> = (0..requests).map(|_| random.u64(1..=count)).collect();
    let asked: Vec<Vec<u8>> = ids.iter().map(|id| get(&format!("/api/facts/{id}"))).collect();
    let mut samples = Samples::default();
    let sides = [("bywash", server.service().addr()), ("axum_without_store", peer.addr)];
    let mut crowds = Vec::new();
    for (name, addr) in sides {
        for connections in [1, MANY] {
            let mut crowd = Crowd::connect(addr, connections)?;
            crowd.run(&asked)?;
            crowds.push((name, connections, crowd));
        }
    }
    for _ in 0..bench.scale.rounds {
        bench.check()?;
        for (name, connections, crowd) in &mut crowds {
            let before = server.cpu()?;
            let turn = crowd.run(&asked)?;
            let cpu_us = (server.cpu()? - before) * 1e6 / count_of(requests);
            bench.note(&format!(
                "{name:<18} {connections} connections: {:>6.0} reads/s, p50 {:.3}, p99 {:.3} ms; load {:.0} % of a core",
                turn.per_second(),
                turn.latency.p50_ms,
                turn.latency.p99_ms,
                turn.load_share() * 100.0
            ));
            samples.add(&format!("{name}_per_s_{connections}"), turn.per_second());
            samples.add(&format!("{name}_load_share_{connections}"), turn.load_share());
            if *connections == 1 {
                samples.add(&format!("{name}_p50"), turn.latency.p50_ms);
                samples.add(&format!("{name}_p99"), turn.latency.p99_ms);
            }
            if *name == "bywash" {
                samples.add(&format!("bywash_cpu_us_{connections}"), cpu_us);
            }
        }
        let direct = direct(&reader, &ids)?;
        samples.add("sqlite_p50", direct.quantiles().p50_ms);
        samples.add("sqlite_p99", direct.quantiles().p99_ms);
    }
    for (figure, share) in [("point_read_p50", "p50"), ("point_read_p99", "p99")] {
        let beside = ["bywash", "axum_without_store", "sqlite"].map(|side| format!("{side}_{share}"));
        let beside: Vec<&str> = beside.iter().map(String::as_str).collect();
        bench.add(samples.shown(figure, "ms", &format!("bywash_{share}"), &beside));
    }
    let beside =
        ["bywash_per_s_1", "axum_without_store_per_s_1", "bywash_per_s_8", "axum_without_store_per_s_8"];
    let figure = samples.shown("point_reads_per_second", "reads/s", "bywash_per_s_8", &beside);
    let figure = figure
        .with("connections", MANY)
        .with("service_cpu_us_a_read", samples.median("bywash_cpu_us_8"))
        .with("load_cores", samples.median("bywash_load_share_8"));
    bench.add(figure);
    Ok(())
}

#[allow(clippy::cast_precision_loss, reason = "some thousand")]
fn count_of(requests: usize) -> f64 {
    requests as f64
}

fn direct(reader: &Reader, ids: &[u64]) -> Result<Histogram> {
    let mut latency = Histogram::default();
    for id in ids {
        let start = std::time::Instant::now();
        reader.fact(*id)?;
        latency.add(start.elapsed().as_nanos().try_into().unwrap_or(u64::MAX));
    }
    Ok(latency)
}
