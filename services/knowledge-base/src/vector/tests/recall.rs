//! How near the graphs come to the exact answer, on real texts: WordNet's glosses as the built-in table embeds them.
//!
//! The figures in `docs/decisions/016-vector-index.md` are printed by the ignored test:
//! `cargo test -p knowledge-base --lib all_glosses -- --ignored --nocapture`, on a machine that does nothing else.

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::time::Instant;

use super::*;
use crate::embed::StaticTable;

/// What the design promises of ten results.
const RECALL_MIN: f64 = 0.97;

/// Glosses in the part of the suite that everybody runs: seconds.
const SAMPLE: usize = 15_000;

const QUERIES: usize = 300;
const RESULTS: usize = 10;

/// Glosses with their vectors, one in `step`. Needs the tool `wordnet`.
fn glosses(step: usize) -> Vec<Vec<f32>> {
    let dictionary = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/wordnet/dict");
    let table = StaticTable::built_in();
    let mut vectors = Vec::new();
    let mut number = 0;
    for part in ["noun", "verb", "adj", "adv"] {
        let path = dictionary.join(format!("data.{part}"));
        let file = std::fs::File::open(&path).unwrap_or_else(|error| {
            panic!("{}: {error}; `cargo xtask tools wordnet` brings it", path.display())
        });
        for line in BufReader::new(file).lines().map_while(Result::ok) {
            // What comes before the synsets is indented.
            let Some((_, gloss)) = line.split_once('|').filter(|_| !line.starts_with(' ')) else { continue };
            number += 1;
            if number % step == 0 {
                vectors.extend(table.embed_text(gloss).map(|vector| vector.to_vec()));
            }
        }
    }
    vectors
}

/// Halfway between two glosses: near many, and equal to none.
fn queries(vectors: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let mut random = fastrand::Rng::with_seed(7);
    let pick = |random: &mut fastrand::Rng| &vectors[random.usize(..vectors.len())];
    (0..QUERIES)
        .map(|_| {
            let (one, other) = (pick(&mut random), pick(&mut random));
            unit(one.iter().zip(other).map(|(one, other)| one + 0.5 * other).collect())
        })
        .collect()
}

fn open_for(vectors: &[Vec<f32>], directory: &Directory, builders: &Builders) -> VectorIndex {
    let options = Options::new("glosses", vectors[0].len());
    VectorIndex::open(directory.path(), &options, builders).unwrap()
}

/// Applies them in batches of a bulk load's size.
fn load(index: &VectorIndex, vectors: &[Vec<f32>]) {
    let keyed: Vec<(u64, &[f32])> =
        (0..).zip(vectors).map(|(key, vector)| (key, vector.as_slice())).collect();
    for (revision, batch) in (1..).zip(keyed.chunks(1000)) {
        index.apply(batch, &[], &at(revision)).unwrap();
    }
}

/// The share of the exact best that `search` finds.
fn recall(queries: &[Vec<f32>], exact: &[HashSet<u64>], search: impl Fn(&[f32]) -> Vec<u64>) -> f64 {
    let hits: usize = queries
        .iter()
        .zip(exact)
        .map(|(query, exact)| search(query).iter().filter(|key| exact.contains(key)).count())
        .sum();
    hits as f64 / exact.iter().map(HashSet::len).sum::<usize>() as f64
}

fn exact(index: &VectorIndex, queries: &[Vec<f32>]) -> Vec<HashSet<u64>> {
    let best =
        |query: &Vec<f32>| keys(&index.exact_search(query, RESULTS, None).unwrap()).into_iter().collect();
    queries.iter().map(best).collect()
}

#[test]
fn the_best_ten_are_found_in_several_parts_and_with_dead_rows() {
    let vectors = glosses(117_791 / SAMPLE);
    let (directory, builders) = (Directory::new(), builders());
    let index = open_for(&vectors, &directory, &builders);
    load(&index, &vectors);
    assert!(index.wait_until_built(BUILT_WITHIN));
    let dead: Vec<u64> = (0..vectors.len() as u64).filter(|key| key % 6 == 0).collect();
    index.apply(&[], &dead, &at(1_000_000)).unwrap();
    let queries = queries(&vectors);
    let found = recall(&queries, &exact(&index, &queries), |query| {
        keys(&index.search(query, RESULTS, None).unwrap())
    });
    assert!(found >= RECALL_MIN, "recall {found:.4} with {:?}", index.progress());
}

/// Searches until a second is over, by one thread; how many a second.
fn rate(queries: &[Vec<f32>], search: impl Fn(&[f32]) -> Vec<u64>) -> f64 {
    let started = Instant::now();
    let mut count = 0;
    while started.elapsed() < Duration::from_secs(1) {
        for query in queries {
            std::hint::black_box(search(query));
            count += 1;
        }
    }
    f64::from(count) / started.elapsed().as_secs_f64()
}

fn resident_kib() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let fields = status.lines().filter(|line| line.starts_with("RssAnon") || line.starts_with("RssFile"));
    fields.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join(", ")
}

#[test]
#[ignore = "minutes, and a machine of its own: prints figures"]
fn all_glosses_beside_the_raw_library() {
    let started = Instant::now();
    let vectors = glosses(1);
    let (count, dimension) = (vectors.len(), vectors[0].len());
    println!("{count} glosses of {dimension} components, read and embedded in {:.1?}", started.elapsed());
    let (directory, builders) = (Directory::new(), builders());
    let queries = queries(&vectors);

    let started = Instant::now();
    let index = open_for(&vectors, &directory, &builders);
    load(&index, &vectors);
    println!("applied in {:.1?}: {:?}, {:?}", started.elapsed(), index.progress(), index.memory());
    let scanned = rate(&queries, |query| keys(&index.search(query, RESULTS, None).unwrap()));
    println!("while building: {scanned:.0} queries/s, {:?}", index.progress());
    assert!(index.wait_until_built(Duration::from_secs(900)));
    println!("built in {:.1?}: {:?}, {:?}", started.elapsed(), index.progress(), index.memory());
    let exact = exact(&index, &queries);
    let report = |what: &str, search: &dyn Fn(&[f32]) -> Vec<u64>| {
        println!(
            "{what}: recall {:.4}, {:.0} queries/s",
            recall(&queries, &exact, search),
            rate(&queries, search)
        );
    };
    report("exact", &|query| keys(&index.exact_search(query, RESULTS, None).unwrap()));
    report("in parts", &|query| keys(&index.search(query, RESULTS, None).unwrap()));

    let started = Instant::now();
    index.close().unwrap();
    println!("closed in {:.1?}", started.elapsed());
    let started = Instant::now();
    let index = open_for(&vectors, &directory, &builders);
    println!("opened in {:.1?}, {}", started.elapsed(), resident_kib());

    // One part, as the raw library has it.
    let one = Directory::new();
    let tuning = Tuning { seal_rows: count, ..Tuning::default() };
    let index_of_one =
        VectorIndex::open(one.path(), &Options { tuning, ..Options::new("glosses", dimension) }, &builders)
            .unwrap();
    let started = Instant::now();
    load(&index_of_one, &vectors);
    assert!(index_of_one.wait_until_built(Duration::from_secs(900)));
    println!("one part built in {:.1?}: {:?}", started.elapsed(), index_of_one.progress());
    drop(index);

    let raw = tuning.index(dimension).unwrap();
    raw.reserve_capacity_and_threads(count, 2).unwrap();
    let started = Instant::now();
    std::thread::scope(|scope| {
        for first in 0..2 {
            let (raw, vectors) = (&raw, &vectors);
            scope.spawn(move || {
                for row in (first..count).step_by(2) {
                    raw.add(row as u64, &vectors[row]).unwrap();
                }
            });
        }
    });
    println!("raw library built in {:.1?} on two threads, {} bytes", started.elapsed(), raw.memory_usage());
    for expansion in [64, 96, 128, 192] {
        raw.change_expansion_search(expansion);
        report(&format!("raw, expansion {expansion}"), &|query| raw.search(query, RESULTS).unwrap().keys);
    }
    raw.change_expansion_search(tuning.expansion_search);
    for _ in 0..3 {
        report("raw", &|query| raw.search(query, RESULTS).unwrap().keys);
        report("one part", &|query| keys(&index_of_one.search(query, RESULTS, None).unwrap()));
    }
}
