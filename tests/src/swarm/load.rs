//! `bywash-swarm load`: one load on one running server, told as a table or as JSON.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Value, json};
use signal_hook::consts::{SIGINT, SIGTERM};

use super::cost::{Cpu, Memory, with_children};
use super::engine::{Plan, Swarm};
use super::protocol::{Protocol, Target, Topics};
use super::publish::{Entrance, Publisher};
use super::tally::Counts;
use super::token::Credential;
use crate::proof::machine;

/// What is loaded, and how.
#[derive(Debug, Clone, Args)]
pub struct LoadArguments {
    /// Where the server listens
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8000")]
    addr: SocketAddr,

    /// How clients speak
    #[arg(long, value_enum, default_value = "ws")]
    protocol: Protocol,

    /// Token or API key that every client shows
    #[arg(long, value_name = "TOKEN", env = "BYWASH_SWARM_TOKEN", hide_env_values = true)]
    token: Option<String>,

    /// Clients that read
    #[arg(long, default_value_t = 1_000)]
    clients: u32,

    /// Share of further clients that never read, with socket buffers that cannot hide it
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    stalled: f64,

    /// Topics that each client follows
    #[arg(long, default_value_t = 1)]
    topics: u32,

    /// Each client follows topics of its own; else all follow the same
    #[arg(long)]
    own_topics: bool,

    /// What topics are called: PREFIX.0, PREFIX.1, ...
    #[arg(long, default_value = "app.bench")]
    prefix: String,

    /// Publish through this NATS server; without it nothing is published
    #[arg(long, value_name = "ADDR:PORT")]
    nats: Option<SocketAddr>,

    /// Events a second, to the first topic
    #[arg(long, default_value_t = 10.0)]
    rate: f64,

    /// How long, seconds
    #[arg(long, default_value_t = 10.0)]
    duration: f64,

    /// Clients that ping meanwhile, 50 times a second each (WebSocket only)
    #[arg(long, default_value_t = 0)]
    pinging: usize,

    /// Drop and resume all clients so often in equal intervals (the server's tokens are used)
    #[arg(long, default_value_t = 0)]
    reconnects: u32,

    /// Handshakes under way at once
    #[arg(long, default_value_t = 128)]
    handshakes: usize,

    /// Loopback addresses that clients come from (127.0.0.1 and up)
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=100))]
    source_addresses: u8,

    /// Process of the server, to tell its CPU time and memory
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,

    /// Tell JSON
    #[arg(long)]
    json: bool,
}

/// Runs the load.
///
/// # Errors
/// When the server refuses a client or an event, or on Ctrl-C.
pub fn main(arguments: &LoadArguments) -> Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("signals cannot be taken")?;
    }
    machine::raise_file_limit()?;
    let pids = arguments.server_pid.map(with_children).transpose()?;
    let cost = || -> Result<Option<(Cpu, Memory)>> {
        pids.as_deref().map(|pids| Ok((Cpu::of(pids)?, Memory::of(pids, None)?))).transpose()
    };
    let mut swarm = Swarm::new(stop)?;
    let before = cost()?;
    let began = Instant::now();
    swarm.open(plan(arguments))?;
    let opened = swarm.counts();
    let opening_s = began.elapsed().as_secs_f64();
    let topics = if arguments.own_topics { arguments.clients * arguments.topics } else { arguments.topics };
    let mut publisher = match arguments.nats {
        Some(addr) => {
            let entrance = Entrance::Nats { addr, prefix: arguments.prefix.clone() };
            Some(Publisher::connect(entrance, topics.max(1))?)
        }
        None => None,
    };
    swarm.clear();
    let (ready, began) = (cost()?, Instant::now());
    let parts = arguments.reconnects + 1;
    for part in 0..parts {
        if part > 0 {
            swarm.leave();
            swarm.come_back()?;
        }
        let duration = Duration::from_secs_f64(arguments.duration / f64::from(parts));
        publisher = swarm.open_loop(publisher, arguments.rate, duration, arguments.pinging)?;
    }
    let mut counts = swarm.counts();
    counts.wall_s = began.elapsed().as_secs_f64();
    let after = cost()?;
    let handshakes = json!({"seconds": opening_s, "latency": opened.handshake});
    let server = before.zip(ready).zip(after).map(|((before, ready), after)| {
        json!({
            "cpu_opening_s": ready.0.since(before.0).all_s,
            "cpu_s": after.0.since(ready.0).all_s,
            "opened": ready.1.since(before.1),
            "now": after.1,
        })
    });
    if arguments.json {
        println!("{}", json!({"handshakes": handshakes, "received": counts, "server": server}));
    } else {
        print(&counts, opening_s, &opened, server.as_ref());
    }
    Ok(())
}

fn plan(arguments: &LoadArguments) -> Plan {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a number of clients"
    )]
    let stalled = (f64::from(arguments.clients) * arguments.stalled.max(0.0)).round() as u32;
    Plan {
        target: Target {
            addr: arguments.addr,
            protocol: arguments.protocol,
            second_addr: None,
            credential: arguments.token.clone().map(Credential::Text),
        },
        topics: Topics {
            prefix: arguments.prefix.clone(),
            per_client: arguments.topics,
            own: arguments.own_topics,
        },
        reading: arguments.clients,
        stalled,
        handshakes_max: arguments.handshakes,
        source_addresses: arguments.source_addresses,
        keeps_tokens: arguments.reconnects > 0,
        keeps_sample: false,
    }
}

#[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn print(counts: &Counts, opening_s: f64, opened: &Counts, server: Option<&Value>) {
    let row = |name: &str, value: String| println!("{name:<24}{value}");
    let rate = opened.handshake.count as f64 / opening_s.max(f64::EPSILON);
    row("clients", format!("{} reading, {} stalled, {} closed", counts.ready, counts.stalled, counts.closed));
    row("handshakes", format!("{rate:.0} a second, p99 {:.2} ms", opened.handshake.p99_ms));
    let per_s = counts.deliveries as f64 / counts.wall_s.max(f64::EPSILON);
    row("deliveries", format!("{} in {:.2} s, {per_s:.0} a second", counts.deliveries, counts.wall_s));
    row("bytes", format!("{:.1} MB", counts.bytes as f64 / 1e6));
    row(
        "missing, repeated",
        format!("{}, {}; gaps told {}", counts.missing, counts.repeated, counts.told_gaps),
    );
    for (name, of) in [("latency", counts.latency), ("ping round trip", counts.round_trip)] {
        if of.count > 0 {
            let (p50, p99, p999, max) = (of.p50_ms, of.p99_ms, of.p999_ms, of.max_ms);
            row(name, format!("p50 {p50:.2}, p99 {p99:.2}, p99.9 {p999:.2}, max {max:.2} ms"));
        }
    }
    if let Some(server) = server {
        row("server", server.to_string());
    }
}
