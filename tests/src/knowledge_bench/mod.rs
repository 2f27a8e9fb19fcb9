//! The knowledge base's bench: the service of the release build over HTTP, beside SQLite and its own indexes called
//! directly, in turns in the same run. `docs/bench-kb.md` says what each figure means.
//!
//! `input.rs` is WordNet, `ground.rs` the services and filled stores, `client.rs` the load; `sqlite_writer.rs` and
//! `sqlite_reader.rs` are the engine without a server, `peer.rs` a server without an engine. Each other file is a group
//! of figures.

mod bulk;
mod client;
mod commit;
mod ground;
mod input;
mod isolation;
mod paced;
mod peer;
mod read;
mod samples;
mod search;
mod self_check;
mod sqlite_reader;
mod sqlite_writer;
mod start;
mod traverse;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};
use signal_hook::consts::TERM_SIGNALS;

use self::ground::Ground;
use self::input::Facts;
use crate::figure::{Figure, write_report};
use crate::proof::machine;
use crate::scratch::project_root;

pub use peer::main as peer_main;

/// Rounds from which figures are judged.
const ROUNDS_JUDGED: u8 = 5;

/// How much is measured.
#[derive(Debug, Clone, Args)]
pub struct BenchArguments {
    /// WordNet's facts, as `cargo xtask dataset` writes them
    #[arg(long, value_name = "FILE", default_value = ".tools/wordnet/wordnet.facts")]
    facts: PathBuf,

    /// Few facts and one short round: to see that everything works, not to judge anything
    #[arg(long)]
    quick: bool,

    /// Rounds; in each every side has its turn. With fewer than five nothing is judged
    #[arg(long, default_value_t = ROUNDS_JUDGED, value_parser = clap::value_parser!(u8).range(1..))]
    rounds: u8,

    /// Only these figures
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Group>,

    /// Only show that what is made worse on purpose fails its figure
    #[arg(long)]
    self_check: bool,

    /// Where the report goes; default: target/bench-kb/report.json (quick-report.json where nothing is judged)
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

impl BenchArguments {
    fn is_judged(&self) -> bool {
        !self.quick && self.rounds >= ROUNDS_JUDGED
    }
}

/// Figures that are measured together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Group {
    /// One fact by its number
    Read,
    /// Single facts by several writers at once
    Commit,
    /// Many facts at once
    Bulk,
    /// By words, by meaning, by both
    Search,
    /// Walks of 1 to 6 steps
    Traverse,
    /// Point reads beside heavy work
    Isolation,
    /// From start to ready, and memory
    Start,
}

/// What is measured, by whom.
type Measure = fn(&mut Bench) -> Result<()>;
const GROUPS: [(Group, Measure); 7] = [
    (Group::Read, read::points),
    (Group::Commit, commit::writers),
    (Group::Bulk, bulk::load),
    (Group::Search, search::modes),
    (Group::Traverse, traverse::depths),
    (Group::Isolation, isolation::reads),
    (Group::Start, start::on_everything),
];

/// How large everything is.
#[derive(Debug, Clone, Copy)]
struct Scale {
    rounds: usize,
    /// Facts of WordNet; `None` = all.
    facts: Option<usize>,
    /// Requests of a turn.
    requests: usize,
    /// Facts that one writer posts in a turn.
    posts: usize,
    /// Facts of a bulk load.
    bulk: usize,
    /// Searches of a turn.
    searches: usize,
    /// Walks of a turn.
    walks: usize,
    /// Length of a turn where the clock decides.
    window_s: f64,
}

impl Scale {
    const QUICK: Self = Self {
        rounds: 1,
        facts: Some(20_000),
        requests: 300,
        posts: 100,
        bulk: 8_000,
        searches: 60,
        walks: 10,
        window_s: 0.3,
    };

    fn full(rounds: u8) -> Self {
        Self {
            rounds: rounds.into(),
            facts: None,
            requests: 10_000,
            posts: 1_500,
            bulk: 100_000,
            searches: 500,
            walks: 40,
            window_s: 2.5,
        }
    }

    /// Facts of a turn: more writers are faster, and a turn should take a second or so.
    fn posts(self, writers: usize) -> usize {
        self.posts * if writers > 8 { 8 } else { writers.div_ceil(2) }
    }
}

/// A bench under way.
struct Bench {
    ground: Ground,
    scale: Scale,
    figures: Vec<Figure>,
    start: Instant,
    interrupt: Interrupt,
}

/// Runs the bench; true where every figure holds, or where nothing is judged.
///
/// # Errors
/// When a side cannot be measured, or somebody ends it.
pub fn main(arguments: &BenchArguments) -> Result<bool> {
    let interrupt = Interrupt::default();
    for signal in TERM_SIGNALS {
        // The first asks for an end in order, the second does not ask.
        signal_hook::flag::register_conditional_shutdown(*signal, 1, Arc::clone(&interrupt.0))?;
        signal_hook::flag::register(*signal, Arc::clone(&interrupt.0))?;
    }
    let is_judged = arguments.is_judged();
    let scale = if arguments.quick { Scale::QUICK } else { Scale::full(arguments.rounds) };
    let folder = project_root().join("target/bench-kb");
    std::fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let facts = Facts::read(&project_root().join(&arguments.facts), scale.facts)?;
    let state = json!({
        "machine": machine::description(),
        "cores": "service, load, NATS and SQLite share all of them",
        "facts": facts.len(),
        "rounds": scale.rounds,
        "build": if cfg!(debug_assertions) { "dev" } else { "release" },
        "sqlite": rusqlite::version(),
        "judged": is_judged,
    });
    let mut state: Map<String, Value> = state.as_object().cloned().unwrap_or_default();
    state.iter().for_each(|(name, value)| println!("{name}: {value}"));
    let ground = Ground::new(&folder, facts, interrupt.clone())?;
    let others = Others::now()?;
    let mut bench = Bench { ground, scale, figures: Vec::new(), start: Instant::now(), interrupt };
    if arguments.self_check {
        let checked = self_check::all(&mut bench);
        bench.check()?;
        return checked.map(|()| true);
    }
    for (group, measure) in GROUPS {
        if arguments.only.is_empty() || arguments.only.contains(&group) {
            let measured = measure(&mut bench);
            // What a signal broke off explains nothing itself.
            bench.check()?;
            measured?;
        }
    }
    let took_s = bench.start.elapsed().as_secs_f64();
    state.insert("took_s".to_owned(), json!(took_s.round()));
    state.insert("cores_used_by_others".to_owned(), json!((Others::now()?.0 - others.0) / took_s));
    state.insert("load_average_at_end".to_owned(), json!(machine::load_average()));
    println!("\nmedian of {} rounds, smallest to largest:", scale.rounds);
    bench.figures.iter().for_each(Figure::print);
    let name = if is_judged { "report.json" } else { "quick-report.json" };
    let path = arguments.report.clone().unwrap_or_else(|| folder.join(name));
    write_report(&path, &state, &bench.figures)?;
    println!("\nreport: {}", path.display());
    ensure!(!bench.figures.is_empty(), "nothing was measured");
    Ok(!is_judged || bench.figures.iter().all(|figure| figure.holds))
}

/// CPU time of whatever is neither this process nor a child of it that has ended, seconds: on a machine with two cores
/// it decides whether a run says anything.
struct Others(f64);

impl Others {
    fn now() -> Result<Self> {
        Ok(Self(machine::busy_seconds()? - machine::cpu_seconds_with_children()?))
    }
}

impl Bench {
    fn add(&mut self, figure: Figure) {
        figure.print();
        self.figures.push(figure);
    }

    /// Tells what is being done.
    fn note(&self, text: &str) {
        eprintln!("{:>5.0} s  {text}", self.start.elapsed().as_secs_f64());
    }

    /// As [`Interrupt::check`].
    fn check(&self) -> Result<()> {
        self.interrupt.check()
    }
}

/// Whether somebody has asked for the end. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Fails once somebody has; everything that was started ends on the way out. Called wherever the bench waits or repeats
    /// something for more than a few seconds.
    fn check(&self) -> Result<()> {
        ensure!(!self.0.load(Ordering::Relaxed), "ended by a signal");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: BenchArguments,
    }

    fn read(line: &[&str]) -> Result<BenchArguments, clap::Error> {
        Line::try_parse_from(std::iter::once("bench-kb").chain(line.iter().copied()))
            .map(|line| line.arguments)
    }

    #[test]
    fn nothing_is_judged_by_a_few_rounds_and_every_group_can_be_asked_for() {
        let usual = read(&[]).unwrap();
        assert_eq!((usual.rounds, usual.is_judged(), usual.only.len()), (5, true, 0));
        assert!(!read(&["--rounds", "4"]).unwrap().is_judged() && !read(&["--quick"]).unwrap().is_judged());
        assert!(read(&["--rounds", "0"]).is_err() && read(&["--only", "nothing"]).is_err());
        for (group, _) in GROUPS {
            let name = group.to_possible_value().unwrap();
            assert_eq!(read(&["--only", name.get_name()]).unwrap().only, [group]);
        }
        assert_eq!(Group::value_variants().len(), GROUPS.len(), "each group is measured by somebody");
    }

    #[test]
    fn a_turn_of_many_writers_has_more_facts_than_one_of_few() {
        let posts: Vec<usize> = [1, 8, 64].map(|writers| Scale::full(5).posts(writers)).to_vec();
        assert_eq!(posts, [1_500, 6_000, 12_000]);
    }
}
