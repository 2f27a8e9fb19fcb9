//! A start on all of WordNet: until it is ready, until the graph and the vectors answer, and what memory it takes. The
//! files were written shortly before, so they are in the page cache.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::Bench;
use super::client::{get, post};
use super::ground::{Filled, Server, Vectors};
use super::samples::Samples;

/// Longest from start to ready, seconds.
const READY_S_MAX: f64 = 5.0;
/// Between two looks whether something answers.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);
/// Until the graph answers.
const GRAPH_TIMEOUT: Duration = Duration::from_secs(60);
const MIB: f64 = 1024.0 * 1024.0;

/// The figures.
///
/// # Errors
/// When the service does not become ready.
pub fn on_everything(bench: &mut Bench) -> Result<()> {
    let mut server = bench.ground.stopped_server_on(Filled::Everything, Vectors::On)?;
    let mut samples = Samples::default();
    let begun = Instant::now();
    server.start()?;
    let first_ready_s = begun.elapsed().as_secs_f64();
    server.vectors_caught_up()?;
    let vectors_built_s = begun.elapsed().as_secs_f64();
    bench.note(&format!(
        "without its vectors: ready after {first_ready_s:.2} s, vectors after {vectors_built_s:.0} s"
    ));
    server.settle()?;
    let settled_s = begun.elapsed().as_secs_f64();
    let questions = bench.ground.facts.questions(bench.scale.searches / 2);
    for _ in 0..bench.scale.rounds {
        bench.check()?;
        server.stop()?;
        let begun = Instant::now();
        server.start()?;
        let ready_s = begun.elapsed().as_secs_f64();
        samples.add("ready_s", ready_s);
        samples.add("resident_at_ready_mib", server.resident_bytes()? / MIB);
        graph_answers(&server)?;
        samples.add("graph_s", begun.elapsed().as_secs_f64());
        server.vectors_caught_up()?;
        samples.add("vectors_s", begun.elapsed().as_secs_f64());
        server.settle()?;
        samples.add("resident_mib", server.resident_bytes()? / MIB);
        search_all(&server, &questions)?;
        samples.add("resident_after_searches_mib", server.resident_bytes()? / MIB);
        bench.note(&format!(
            "ready after {ready_s:.2} s, graph after {:.2} s, vectors after {:.2} s",
            samples.of("graph_s").last().unwrap_or(&0.0),
            samples.of("vectors_s").last().unwrap_or(&0.0)
        ));
    }
    let beside = ["ready_s", "graph_s", "vectors_s"];
    let figure = samples.judged("start_to_ready", "s", "ready_s", &beside, |ours| {
        (format!("<= {READY_S_MAX}"), ours <= READY_S_MAX)
    });
    let figure = figure
        .with("facts", bench.ground.facts.len())
        .with("ready_without_vectors_s", first_ready_s)
        .with("vectors_from_nothing_s", vectors_built_s)
        .with("all_graphs_built_s", settled_s);
    bench.add(figure);
    let beside = ["resident_at_ready_mib", "resident_mib", "resident_after_searches_mib"];
    let figure = samples.shown("resident_memory", "MiB", "resident_after_searches_mib", &beside);
    let data = server.service().data();
    let figure = figure
        .with("store_mib", bytes_below(&data.join("facts.sqlite"))? / MIB)
        .with("vectors_mib", bytes_below(&data.join("vectors"))? / MIB);
    bench.add(figure);
    Ok(())
}

fn graph_answers(server: &Server) -> Result<()> {
    let (mut caller, start) = (server.caller()?, Instant::now());
    while caller.try_ask(&get("/api/facts/stats"))?.0 != 200 {
        ensure!(start.elapsed() < GRAPH_TIMEOUT, "the graph does not answer");
        std::thread::sleep(LOOK_INTERVAL);
    }
    Ok(())
}

/// Searches in all modes: memory that only searches touch.
fn search_all(server: &Server, questions: &[String]) -> Result<()> {
    let mut caller = server.caller()?;
    for question in questions {
        for mode in ["text", "vector", "hybrid"] {
            let body = json!({"query": question, "mode": mode}).to_string();
            caller.ask(&post("/api/search", "application/json", body.as_bytes()))?;
        }
    }
    Ok(())
}

/// Bytes of a file, or of all files of a folder.
#[allow(clippy::cast_precision_loss, reason = "files are far below 2^52 bytes")]
fn bytes_below(path: &Path) -> Result<f64> {
    let about = fs::metadata(path).with_context(|| format!("{} is not there", path.display()))?;
    if !about.is_dir() {
        return Ok(about.len() as f64);
    }
    let mut sum = 0.0;
    for entry in fs::read_dir(path)? {
        sum += bytes_below(&entry?.path())?;
    }
    Ok(sum)
}
