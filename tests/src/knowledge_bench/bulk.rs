//! A bulk load over HTTP into an empty store, beside transactions of SQLite called directly with the same rows, as many
//! in each as the service's commits had in the same round. The service builds its graph and its vectors meanwhile.

use std::time::Instant;

use anyhow::Result;

use super::Bench;
use super::commit::Commits;
use super::ground::{Vectors, verify};
use super::samples::Samples;
use super::sqlite_writer::{Durability, Writer};

/// Facts of a batch of the service, and so of a change.
const FACTS_PER_CHANGE: usize = 1_000;

/// The figure.
///
/// # Errors
/// When a side fails, or the two files differ.
pub fn load(bench: &mut Bench) -> Result<()> {
    let facts = bench.ground.facts.mixed(bench.scale.bulk);
    let mut samples = Samples::default();
    for round in 0..bench.scale.rounds {
        bench.check()?;
        let server = bench.ground.empty_server(Vectors::On)?;
        let (commits, cpu) = (Commits::of(&server), server.cpu()?);
        let start = Instant::now();
        server.load(&facts)?;
        let loaded = start.elapsed();
        let batches_per_commit = Commits::of(&server).jobs_per_commit_since(&commits);
        let cpu_s = server.cpu()? - cpu;
        server.vectors_caught_up()?;
        let searchable = start.elapsed();
        drop(server);
        let (_folder, path) = bench.ground.empty_database()?;
        let mut sqlite = Writer::open(&path, Durability::Full)?;
        let prepared = sqlite.prepare(&facts, FACTS_PER_CHANGE, batches_per_commit)?;
        let direct = sqlite.carry_out(&prepared)?;
        drop(sqlite);
        if round == 0 {
            verify(&path)?;
        }
        #[allow(clippy::cast_precision_loss, reason = "some hundred thousand")]
        let count = facts.len() as f64;
        samples.add("bywash", count / loaded.as_secs_f64());
        samples.add("sqlite", count / direct.as_secs_f64());
        samples.add("searchable_by_meaning_per_s", count / searchable.as_secs_f64());
        samples.add("batches_per_commit", batches_per_commit);
        samples.add("service_cpu_us_a_fact", cpu_s * 1e6 / count);
        bench.note(&format!(
            "bulk: {:.0} facts/s, {batches_per_commit:.1} batches a commit, found by meaning after {:.1} s; SQLite so \
             grouped {:.0} facts/s",
            count / loaded.as_secs_f64(),
            searchable.as_secs_f64(),
            count / direct.as_secs_f64()
        ));
    }
    let beside = ["bywash", "sqlite", "searchable_by_meaning_per_s"];
    let figure = samples.shown("bulk_facts_per_second", "facts/s", "bywash", &beside);
    let figure = figure
        .with("facts", facts.len())
        .with("batches_per_commit", samples.median("batches_per_commit"))
        .with("service_cpu_us_a_fact", samples.median("service_cpu_us_a_fact"));
    bench.add(figure);
    Ok(())
}
