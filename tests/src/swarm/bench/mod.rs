//! The bench: the gateway alone on one core; clients, publisher and NATS on the other; every figure beside raw system
//! calls and other servers, measured in turns in the same run. `docs/bench.md` says what each figure means.

mod contest;
mod fan_out;
mod figure;
mod idle;
mod latency;
mod own_topics;
mod ping;
mod resume;
mod revocation;
mod samples;
mod servers;
mod start;
mod upgrades;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use self::contest::{Crowd, Lane};
use self::figure::Figure;
use self::samples::Samples;
use self::servers::{Contestant, Ground};
use crate::proof::machine;
use crate::scratch::project_root;

/// Everybody who speaks WebSocket.
const PEERS: [Contestant; 6] = [
    Contestant::Bywash,
    Contestant::Raw,
    Contestant::Axum,
    Contestant::AxumSmallBuffer,
    Contestant::Nchan,
    Contestant::NodeWs,
];

/// How much is measured.
#[derive(Debug, Clone, Args)]
pub struct BenchArguments {
    /// Few clients and one short round: to see that everything works, not to judge anything
    #[arg(long)]
    quick: bool,

    /// Rounds; in each every contestant has its turn
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(5..))]
    rounds: u8,

    /// Followers of the hot topic
    #[arg(long, default_value_t = 5_000)]
    clients: u32,

    /// Only these figures
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Group>,

    /// Only show that a server that costs twice as much fails its figure
    #[arg(long)]
    self_check: bool,

    /// Where the report goes; default: target/bench/report.json (quick-report.json with --quick)
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// Figures that are measured together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Group {
    /// Deliveries over WebSocket, one by one and in bursts
    Ws,
    /// Deliveries as server-sent events
    Sse,
    /// Memory of idle connections
    Idle,
    /// Latency with and without stalled clients
    Stalled,
    /// Pings beside a hot topic
    Ping,
    /// Opening handshakes
    Upgrades,
    /// Topics of the clients' own
    OwnTopics,
    /// Missed events
    Resume,
    /// Tokens that end
    Revocation,
}

/// What is measured, by whom.
type Measure = fn(&mut Bench) -> Result<()>;
const GROUPS: [(Group, Measure); 9] = [
    (Group::Ws, fan_out::websocket),
    (Group::Sse, fan_out::server_sent_events),
    (Group::Idle, idle::connections),
    (Group::Stalled, latency::with_stalled_clients),
    (Group::Ping, ping::beside_hot_topic),
    (Group::Upgrades, upgrades::per_core),
    (Group::OwnTopics, own_topics::beside_hot_topic),
    (Group::Resume, resume::missed_events),
    (Group::Revocation, revocation::on_every_pod),
];

/// How large everything is.
#[derive(Debug, Clone, Copy)]
struct Scale {
    rounds: usize,
    clients: u32,
    /// CPU time of a server in one turn, about.
    cpu_seconds: f64,
    /// Length of a turn where the clock decides.
    seconds: f64,
    /// Events of a turn of the clients' own topics.
    own_topic_events: u32,
}

/// A bench under way.
struct Bench {
    ground: Ground,
    scale: Scale,
    samples: Samples,
    figures: Vec<Figure>,
    start: Instant,
}

/// Runs the bench; true where every figure holds (or with `--quick`, where all could be measured).
///
/// # Errors
/// When a peer is missing or a measurement fails.
pub fn main(arguments: &BenchArguments) -> Result<bool> {
    start::require_peers()?;
    machine::raise_file_limit()?;
    let cores = machine::Cores::choose()?;
    let scale = if arguments.quick {
        Scale {
            rounds: 1,
            clients: arguments.clients.min(500),
            cpu_seconds: 0.2,
            seconds: 0.5,
            own_topic_events: 1_000,
        }
    } else {
        let (rounds, clients) = (arguments.rounds.into(), arguments.clients);
        Scale { rounds, clients, cpu_seconds: 1.5, seconds: 3.0, own_topic_events: 8_000 }
    };
    let state = json!({
        "machine": machine::description(),
        "cores": format!("core {}: the server under test; core {}: clients, publisher, NATS", cores.api, cores.fan_out),
        "rounds": scale.rounds,
        "clients": scale.clients,
        "build": if cfg!(debug_assertions) { "dev" } else { "release" },
        "judged": !arguments.quick,
    });
    let mut state: Map<String, Value> = state.as_object().cloned().unwrap_or_default();
    state.iter().for_each(|(name, value)| println!("{name}: {value}"));
    let ground = Ground::start(cores.api, cores.fan_out)?;
    let samples = Samples::from_gateway(&ground)?;
    let mut bench = Bench { ground, scale, samples, figures: Vec::new(), start: Instant::now() };
    if arguments.self_check {
        return fan_out::self_check(&mut bench).map(|()| true);
    }
    for (group, measure) in GROUPS {
        if arguments.only.is_empty() || arguments.only.contains(&group) {
            measure(&mut bench)?;
        }
    }
    state.insert("took_s".to_owned(), json!(bench.start.elapsed().as_secs_f64().round()));
    state.insert("load_average_at_end".to_owned(), json!(machine::load_average()));
    println!("\nmedian of {} rounds, smallest to largest:", scale.rounds);
    bench.figures.iter().for_each(Figure::print);
    let name = if arguments.quick { "quick-report.json" } else { "report.json" };
    let path = arguments.report.clone().unwrap_or_else(|| project_root().join("target/bench").join(name));
    figure::write_report(&path, &state, &bench.figures)?;
    println!("\nreport: {}", path.display());
    ensure!(!bench.figures.is_empty(), "nothing was measured");
    Ok(arguments.quick || bench.figures.iter().all(|figure| figure.holds))
}

impl Bench {
    fn lanes(&self, contestants: &[Contestant], crowd: &Crowd) -> Result<Vec<Lane>> {
        let crowded = |who: &Contestant| Lane::crowded(&self.ground, *who, crowd, &self.samples);
        contestants.iter().map(crowded).collect()
    }

    fn add(&mut self, figure: Figure) {
        figure.print();
        self.figures.push(figure);
    }

    /// Tells what is being done.
    fn note(&self, text: &str) {
        println!("{:>5.0} s  {text}", self.start.elapsed().as_secs_f64());
    }
}
