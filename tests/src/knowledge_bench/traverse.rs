//! Walks of 1 to 6 steps over HTTP, beside the same walks in the same graph called directly.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use knowledge_base::grammar;
use knowledge_base::graph::{Depth, Direction, EDGES_MAX, Graph, NODES_MAX, Predicates, WalkLimits, Walks};
use knowledge_base::store::FactId;
use serde_json::Value;

use super::Bench;
use super::client::{Crowd, get};
use super::ground::{Filled, Vectors};
use super::samples::Samples;
use crate::swarm::histogram::Histogram;

/// Steps of the deepest walk.
const DEPTH_MAX: u8 = 6;
/// Steps after which a walk has everything that one may give.
pub const EVERYTHING: u8 = 10;

/// A walk from an entity along all edges, as far as a walk may go.
pub fn walk_request(start: &str, depth: u8) -> Vec<u8> {
    get(&format!(
        "/api/graph/traverse?start={start}&direction=any&max_depth={depth}&limit={NODES_MAX}&edge_limit={EDGES_MAX}"
    ))
}

/// A figure for each depth.
///
/// # Errors
/// When a side fails, or they differ.
pub fn depths(bench: &mut Bench) -> Result<()> {
    let server = bench.ground.server_on(Filled::Everything, Vectors::Off)?;
    let graph = whole(bench)?;
    let facts = Arc::clone(&bench.ground.facts);
    let starts = facts.synsets(bench.scale.walks)?;
    let mut crowd = Crowd::connect(server.service().addr(), 1)?;
    for depth in 1..=DEPTH_MAX {
        let requests: Vec<Vec<u8>> = starts.iter().map(|start| walk_request(start, depth)).collect();
        let walks: Vec<Walks> = starts.iter().map(|start| walk(start, depth)).collect::<Result<_>>()?;
        let found: Value = serde_json::from_slice(server.caller()?.ask(&requests[0])?)?;
        let nodes = walks[0].answer(&graph)?.nodes.len();
        let told = found["nodes"].as_array().map_or(0, Vec::len);
        ensure!(told == nodes, "the same walk has {told} nodes over HTTP and {nodes} called directly");
        let mut samples = Samples::default();
        for _ in 0..bench.scale.rounds {
            bench.check()?;
            let turn = crowd.run(&requests)?;
            samples.add("bywash_p50", turn.latency.p50_ms);
            samples.add("bywash_p99", turn.latency.p99_ms);
            let (mut latency, mut nodes) = (Histogram::default(), 0);
            for walk in &walks {
                let start = Instant::now();
                nodes += walk.answer(&graph)?.nodes.len();
                latency.add(start.elapsed().as_nanos().try_into().unwrap_or(u64::MAX));
            }
            let direct = latency.quantiles();
            samples.add("graph_p50", direct.p50_ms);
            samples.add("graph_p99", direct.p99_ms);
            #[allow(clippy::cast_precision_loss, reason = "some thousand")]
            samples.add("nodes_a_walk", nodes as f64 / walks.len() as f64);
            bench.note(&format!(
                "{depth} steps: p50 {:.2}, p99 {:.2} ms; called directly {:.3}, {:.3} ms",
                turn.latency.p50_ms, turn.latency.p99_ms, direct.p50_ms, direct.p99_ms
            ));
        }
        let beside = ["bywash_p50", "bywash_p99", "graph_p50", "graph_p99"];
        let figure = samples.shown(&format!("walk_of_{depth}_steps"), "ms", "bywash_p50", &beside);
        bench.add(figure.with("nodes_a_walk", samples.median("nodes_a_walk")));
    }
    Ok(())
}

/// The graph of all facts, numbered as the service has them.
fn whole(bench: &Bench) -> Result<Graph> {
    let mut graph = Graph::default();
    let facts = &bench.ground.facts;
    for (number, statement) in (1..).zip(facts.glosses.iter().chain(&facts.others)) {
        graph.set(FactId(number), Some(&grammar::parse(statement).context("WordNet has no such fact")?));
    }
    Ok(graph)
}

fn walk(start: &str, depth: u8) -> Result<Walks> {
    Ok(Walks {
        start: start.into(),
        direction: Direction::Any,
        max_depth: Depth::new(depth.into()).context("too deep")?,
        predicates: Predicates::ALL,
        limits: WalkLimits::MAX,
    })
}
