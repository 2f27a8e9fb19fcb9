//! Single facts posted by several writers at once, beside transactions of SQLite called directly with as many facts in
//! each as the service's commits had in the same round.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;

use super::Bench;
use super::client::{Crowd, post};
use super::ground::{Filled, Server, Vectors, verify};
use super::samples::Samples;
use super::sqlite_writer::{Durability, Writer};

/// Writers, and the share of SQLite's rate that so many must reach.
const WRITERS: [(usize, Option<f64>); 3] = [(1, None), (8, None), (64, Some(0.70))];
/// What the service says of its commits.
const COMMITS: &str = "bywash_kb_commit_batch_size_count";
const JOBS: &str = "bywash_kb_commit_batch_size_sum";

/// What the service has committed so far.
pub struct Commits {
    commits: f64,
    jobs: f64,
}

impl Commits {
    /// Asks its metrics.
    pub fn of(server: &Server) -> Self {
        Self { commits: server.metric(COMMITS), jobs: server.metric(JOBS) }
    }

    /// Jobs (single facts, or batches of a bulk load) that shared a commit on average.
    pub fn jobs_per_commit_since(&self, before: &Self) -> f64 {
        (self.jobs - before.jobs) / (self.commits - before.commits).max(1.0)
    }
}

/// What a turn of the service gave.
struct Posted {
    per_second: f64,
    p99_ms: f64,
    facts_per_commit: f64,
    service_cpu_us: f64,
    load_cores: f64,
    nats_cores: f64,
}

/// All numbers of writers.
///
/// # Errors
/// When a side fails, or the two files differ.
pub fn writers(bench: &mut Bench) -> Result<()> {
    let server = bench.ground.server_on(Filled::Glosses, Vectors::On)?;
    let (_folder, path) = bench.ground.database(Filled::Glosses)?;
    let mut sqlite = Writer::open(&path, Durability::Full)?;
    let facts = Arc::clone(&bench.ground.facts);
    let mut unused = facts.others.as_slice();
    for (writers, share) in WRITERS {
        let count = bench.scale.posts(writers);
        let mut samples = Samples::default();
        // The first round warms both up and is left out.
        for round in 0..=bench.scale.rounds {
            bench.check()?;
            let facts = next(&mut unused, count)?;
            let posted = post_all(&server, writers, facts)?;
            let commits = sqlite.prepare(facts, 1, posted.facts_per_commit)?;
            // What the service still has to do for its indexes is none of SQLite's business.
            server.process().freeze();
            let carried_out = sqlite.carry_out(&commits);
            server.process().thaw();
            let direct = per_second(facts.len(), carried_out?);
            bench.note(&format!(
                "{writers:>2} writers: {:>6.0} facts/s, p99 {:.2} ms, {:.1} a commit; SQLite so grouped {direct:>6.0} facts/s",
                posted.per_second, posted.p99_ms, posted.facts_per_commit
            ));
            if round > 0 {
                samples.add("bywash", posted.per_second);
                samples.add("sqlite", direct);
                samples.add("p99_ms", posted.p99_ms);
                samples.add("facts_per_commit", posted.facts_per_commit);
                samples.add("service_cpu_us_a_fact", posted.service_cpu_us);
                samples.add("load_cores", posted.load_cores);
                samples.add("nats_cores", posted.nats_cores);
            }
        }
        let judge = |ours: f64| {
            let direct = samples.median("sqlite");
            match share {
                Some(share) => (
                    format!(">= {:.0} % of SQLite, {:.0}", share * 100.0, share * direct),
                    ours >= share * direct,
                ),
                None => ("shown".to_owned(), true),
            }
        };
        let name = format!("commits_of_{writers}_writers");
        let mut figure = samples.judged(&name, "facts/s", "bywash", &["bywash", "sqlite"], judge);
        for beside in ["p99_ms", "facts_per_commit", "service_cpu_us_a_fact", "load_cores", "nats_cores"] {
            figure = figure.with(beside, samples.median(beside));
        }
        bench.add(figure);
    }
    drop(sqlite);
    verify(&path)
}

/// The next facts that nobody has added yet.
fn next<'a>(unused: &mut &'a [String], count: usize) -> Result<&'a [String]> {
    let (facts, rest) = unused.split_at_checked(count).context("WordNet has no more facts")?;
    *unused = rest;
    Ok(facts)
}

fn post_all(server: &Server, writers: usize, facts: &[String]) -> Result<Posted> {
    let request = |fact: &String| {
        post("/api/facts", "application/json", json!({"statement": fact}).to_string().as_bytes())
    };
    let requests: Vec<Vec<u8>> = facts.iter().map(request).collect();
    let mut crowd = Crowd::connect(server.service().addr(), writers)?;
    let commits = Commits::of(server);
    let (cpu, nats_cpu) = (server.cpu()?, server.nats_cpu()?);
    let turn = crowd.run(&requests)?;
    let (cpu_s, nats_s) = (server.cpu()? - cpu, server.nats_cpu()? - nats_cpu);
    #[allow(clippy::cast_precision_loss, reason = "some thousand")]
    let count = facts.len() as f64;
    Ok(Posted {
        per_second: turn.per_second(),
        p99_ms: turn.latency.p99_ms,
        facts_per_commit: Commits::of(server).jobs_per_commit_since(&commits),
        service_cpu_us: cpu_s * 1e6 / count,
        load_cores: turn.load_share(),
        nats_cores: nats_s / turn.wall.as_secs_f64(),
    })
}

/// Facts a second.
#[allow(clippy::cast_precision_loss, reason = "some hundred thousand")]
pub fn per_second(facts: usize, took: Duration) -> f64 {
    facts as f64 / took.as_secs_f64()
}
