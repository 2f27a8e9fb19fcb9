//! Searches by words, by meaning and by both over HTTP, beside FTS5 and the vector index called directly on the same
//! files with the same questions.

use std::collections::HashSet;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use knowledge_base::embed::{StaticTable, Vector};
use knowledge_base::search::fusion::{FUSED_PLACES_MIN, Ranking, TEXT_WEIGHT, VECTOR_WEIGHT, fuse};
use knowledge_base::store::TextQuery;
use knowledge_base::vector::{Builders, BuildersOptions, Options, VectorIndex};
use serde_json::{Value, json};

use super::Bench;
use super::client::{Crowd, post};
use super::ground::{Filled, Server, Vectors};
use super::samples::Samples;
use super::sqlite_reader::Reader;
use crate::swarm::histogram::{Histogram, Quantiles};

/// Results of a search.
const LIMIT: usize = 10;
/// Share of the index's own rate that searches by meaning must reach.
const VECTOR_SHARE: f64 = 0.80;
/// Connections for each core where all are to be busy: while one waits for its answer to be made, told and read, another
/// search goes on, as in the threads of the library that nothing interrupts.
const CONNECTIONS_PER_CORE: usize = 2;
/// Where the service keeps the vectors of the facts, in its data directory.
const FACT_VECTORS: &str = "vectors/facts";

/// A question in all forms.
struct Asked {
    words: TextQuery,
    vector: Vector,
}

/// What answers without a server.
struct Direct {
    reader: Reader,
    index: VectorIndex,
}

impl Direct {
    fn open(data: &Path, database: &Path) -> Result<Self> {
        let model = StaticTable::built_in().model();
        let builders = Builders::start(BuildersOptions::default()).context("no threads")?;
        let options = Options::new(&model.id, model.dimension);
        let index = VectorIndex::open(&data.join(FACT_VECTORS), &options, &builders)?;
        Ok(Self { reader: Reader::open(database)?, index })
    }

    fn answer(&self, mode: &str, asked: &Asked) -> Result<Vec<u64>> {
        let by_meaning = |limit| -> Result<Vec<u64>> {
            let found = self.index.search(&asked.vector, limit, None)?;
            Ok(found.into_iter().map(|(number, _)| number).collect())
        };
        match mode {
            "text" => self.reader.search(&asked.words, LIMIT),
            "vector" => by_meaning(LIMIT),
            _ => {
                let text = self.reader.search(&asked.words, FUSED_PLACES_MIN)?;
                let vector = by_meaning(FUSED_PLACES_MIN)?;
                let rankings = [
                    Ranking { best_first: &text, weight: TEXT_WEIGHT },
                    Ranking { best_first: &vector, weight: VECTOR_WEIGHT },
                ];
                Ok(fuse(&rankings, LIMIT).into_iter().map(|fused| fused.id).collect())
            }
        }
    }
}

/// Latency of each mode, and the rate of searches by meaning.
///
/// # Errors
/// When a side fails, or they find different facts.
pub fn modes(bench: &mut Bench) -> Result<()> {
    let server = bench.ground.server_on(Filled::Glosses, Vectors::On)?;
    let (_folder, database) = bench.ground.database(Filled::Glosses)?;
    let direct = Direct::open(bench.ground.filled(Filled::Glosses)?, &database)?;
    let questions = bench.ground.facts.questions(bench.scale.searches);
    let asked: Vec<Asked> = questions.iter().map(|question| in_all_forms(question)).collect::<Result<_>>()?;
    for mode in ["text", "vector", "hybrid"] {
        let requests: Vec<Vec<u8>> = questions.iter().map(|question| request(mode, question)).collect();
        compare(&server, &direct, mode, &requests, &asked)?;
        latency(bench, &server, &direct, mode, &requests, &asked)?;
    }
    let requests: Vec<Vec<u8>> = questions.iter().map(|question| request("vector", question)).collect();
    rate(bench, &server, &direct, &requests, &asked)
}

fn in_all_forms(question: &str) -> Result<Asked> {
    Ok(Asked {
        words: TextQuery::parse(question).context("a question has words")?,
        vector: StaticTable::built_in().embed_text(question).context("a question has known words")?,
    })
}

fn request(mode: &str, question: &str) -> Vec<u8> {
    let body = json!({"query": question, "mode": mode, "limit": LIMIT}).to_string();
    post("/api/search", "application/json", body.as_bytes())
}

/// Both sides must find the same, or they were not asked the same. Where two fit equally well either may come first, or
/// be left out at the end.
fn compare(
    server: &Server,
    direct: &Direct,
    mode: &str,
    requests: &[Vec<u8>],
    asked: &[Asked],
) -> Result<()> {
    let mut caller = server.caller()?;
    let (mut same, mut all) = (0, 0);
    for (request, asked) in requests.iter().zip(asked).take(50) {
        let answer: Value = serde_json::from_slice(caller.ask(request)?)?;
        ensure!(
            answer["adapter"] == "primary" && answer["mode"] == mode,
            "not searched by the indexes: {answer}"
        );
        let found = answer["results"].as_array().into_iter().flatten();
        let told: HashSet<u64> = found.filter_map(|hit| hit["id"].as_u64()).collect();
        let own = direct.answer(mode, asked)?;
        all += own.len();
        same += own.iter().filter(|number| told.contains(number)).count();
    }
    ensure!(
        same * 100 >= all * 95,
        "{mode}: {same} of {all} results are the same over HTTP and called directly"
    );
    Ok(())
}

fn latency(
    bench: &mut Bench,
    server: &Server,
    direct: &Direct,
    mode: &str,
    requests: &[Vec<u8>],
    asked: &[Asked],
) -> Result<()> {
    let mut crowd = Crowd::connect(server.service().addr(), 1)?;
    let mut samples = Samples::default();
    for _ in 0..bench.scale.rounds {
        bench.check()?;
        let over_http = crowd.run(requests)?.latency;
        let called = called(direct, mode, asked)?;
        for (side, quantiles) in [("bywash", over_http), ("direct", called)] {
            samples.add(&format!("{side}_p50"), quantiles.p50_ms);
            samples.add(&format!("{side}_p99"), quantiles.p99_ms);
        }
        bench.note(&format!(
            "{mode:<6} p50 {:.2}, p99 {:.2} ms; called directly {:.2}, {:.2} ms",
            over_http.p50_ms, over_http.p99_ms, called.p50_ms, called.p99_ms
        ));
    }
    let beside = ["bywash_p50", "bywash_p99", "direct_p50", "direct_p99"];
    bench.add(samples.shown(&format!("{mode}_search"), "ms", "bywash_p50", &beside));
    Ok(())
}

fn called(direct: &Direct, mode: &str, asked: &[Asked]) -> Result<Quantiles> {
    let mut latency = Histogram::default();
    for asked in asked {
        let start = Instant::now();
        direct.answer(mode, asked)?;
        latency.add(start.elapsed().as_nanos().try_into().unwrap_or(u64::MAX));
    }
    Ok(latency.quantiles())
}

/// As many searches by meaning as one connection gets, beside one thread of the index; and as many as the machine does,
/// beside a thread for each core.
fn rate(
    bench: &mut Bench,
    server: &Server,
    direct: &Direct,
    requests: &[Vec<u8>],
    asked: &[Asked],
) -> Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    for (name, connections, threads) in [
        ("vector_searches_in_turn", 1, 1),
        ("vector_searches_on_all_cores", cores * CONNECTIONS_PER_CORE, cores),
    ] {
        let mut crowd = Crowd::connect(server.service().addr(), connections)?;
        let mut samples = Samples::default();
        for _ in 0..bench.scale.rounds {
            bench.check()?;
            let cpu = server.cpu()?;
            let turn = crowd.run(requests)?;
            let cpu_ms = (server.cpu()? - cpu) * 1e3 / count(requests.len());
            let called = searches_per_second(&direct.index, asked, threads)?;
            samples.add("bywash", turn.per_second());
            samples.add("index", called);
            samples.add("load_cores", turn.load_share());
            samples.add("service_cpu_ms_a_search", cpu_ms);
            bench.note(&format!(
                "{connections} connections search by meaning: {:.0} a second, {cpu_ms:.3} ms of CPU each; the index on \
                 {threads} threads {called:.0}",
                turn.per_second()
            ));
        }
        let least = VECTOR_SHARE * samples.median("index");
        let figure = samples.judged(name, "searches/s", "bywash", &["bywash", "index"], |ours| {
            (format!(">= {:.0} % of the index, {least:.0}", VECTOR_SHARE * 100.0), ours >= least)
        });
        let figure = figure
            .with("connections", connections)
            .with("index_threads", threads)
            .with("load_cores", samples.median("load_cores"))
            .with("service_cpu_ms_a_search", samples.median("service_cpu_ms_a_search"));
        bench.add(figure);
    }
    Ok(())
}

fn searches_per_second(index: &VectorIndex, asked: &[Asked], threads: usize) -> Result<f64> {
    let start = Instant::now();
    std::thread::scope(|scope| {
        let part = asked.len().div_ceil(threads);
        let search = |asked: &[Asked]| -> Result<()> {
            for asked in asked {
                index.search(&asked.vector, LIMIT, None)?;
            }
            Ok(())
        };
        let running: Vec<_> = asked.chunks(part).map(|part| scope.spawn(move || search(part))).collect();
        running.into_iter().try_for_each(|thread| thread.join().ok().context("a search panicked")?)
    })?;
    Ok(count(asked.len()) / start.elapsed().as_secs_f64())
}

#[allow(clippy::cast_precision_loss, reason = "some thousand")]
fn count(searches: usize) -> f64 {
    searches as f64
}
