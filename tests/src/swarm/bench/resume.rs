//! Everybody was away and comes back at once: 5,000 clients resume with their tokens and get 500 missed events each,
//! beside the raw writer's cost for the same bytes; and what live clients of another topic feel meanwhile.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, setpriority_process};

use super::Bench;
use super::contest::{Crowd, Lane, Values};
use super::figure::{Figure, Spread};
use super::servers::{Contestant, Form};
use crate::proof::statistics::median;
use crate::swarm::driven::{Command, SwarmProcess};

/// Events that each client missed.
const MISSED: u32 = 500;
/// Share of raw that resuming must reach.
const RAW_SHARE: f64 = 0.5;
/// Live clients beside them, their topics and their events a second.
const LIVE_CLIENTS: u32 = 100;
const LIVE_PREFIX: &str = "app.live";
const LIVE_RATE_PER_S: f64 = 50.0;
/// Their p99 meanwhile may be so many times theirs on a quiet gateway, and so much more.
const LIVE_FACTOR: f64 = 2.0;
const LIVE_MORE_MS: f64 = 5.0;
/// The gateway's count of what came from NATS.
const INGESTED: &str = "bywash_gateway_ingested_events_total{stream=\"APP\"}";
/// How long a burst may take through NATS, which writes each event to its disk.
const INGEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Live clients share a core with those that resume and must not wait for them.
const NICENESS: i32 = -15;

/// The figure.
///
/// # Errors
/// When a contestant fails, or a client misses an event or gets one twice.
pub fn missed_events(bench: &mut Bench) -> Result<()> {
    let crowd = Crowd::of_one_topic(Form::Ws, bench.scale.clients);
    let mut ours = Lane::start(&bench.ground, Contestant::Bywash)?;
    let mut plan = crowd.plan(&ours.server);
    plan.keeps_tokens = true;
    ours.ask(&Command::Open(Box::new(plan)))?;
    let entrance = ours.server.entrance(&crowd, &bench.samples);
    ours.ask(&Command::Enter { entrance, topics: 1 })?;
    // Every client has a token of its own after its first event.
    ours.ask(&Command::Closed { flushes: 3, burst: 1 })?;
    let mut raw = Lane::crowded(&bench.ground, Contestant::Raw, &crowd, &bench.samples)?;
    let mut live = live_clients(bench, &ours)?;

    let (mut per_cpu, mut opening) = (Values::new(), Vec::new());
    let (mut quiet_ms, mut meanwhile_ms) = (Vec::new(), Vec::new());
    let seconds = bench.scale.seconds;
    for _ in 0..bench.scale.rounds {
        let steady = Command::Steady { rate_per_s: LIVE_RATE_PER_S, seconds, pinging: 0 };
        quiet_ms.push(live.ask(&steady)?.latency.p99_ms);
        // Coming back with one event missed: what the handshakes cost of the figure.
        miss(&mut ours, 1)?;
        opening.push(come_back(&mut ours, 1)?.1);
        miss(&mut ours, MISSED)?;
        let (deliveries, cpu_s) = come_back(&mut ours, MISSED)?;
        // Once more for what live clients feel: what they get is no part of the cost.
        miss(&mut ours, MISSED)?;
        live.tell(&steady)?;
        let resumed = come_back(&mut ours, MISSED);
        meanwhile_ms.push(live.answer()?.latency.p99_ms);
        resumed?;
        per_cpu.entry(Contestant::Bywash).or_default().push(deliveries / cpu_s);
        let before = raw.server.cpu()?;
        raw.ask(&Command::Closed { flushes: 1, burst: MISSED })?;
        let raw_cpu_s = raw.server.cpu()?.since(before).all_s;
        per_cpu.entry(Contestant::Raw).or_default().push(deliveries / raw_cpu_s);
        bench.note(&format!(
            "{deliveries:.0} missed events: bywash {cpu_s:.2} CPU-s, raw {raw_cpu_s:.2}; handshakes alone {:.2}; \
             live p99 {:.2} ms, quiet {:.2}",
            opening.last().copied().unwrap_or_default(),
            meanwhile_ms.last().copied().unwrap_or_default(),
            quiet_ms.last().copied().unwrap_or_default()
        ));
    }
    let (live_ms, limit_ms) = (median(&meanwhile_ms), median(&quiet_ms) * LIVE_FACTOR + LIVE_MORE_MS);
    let figure = Figure::judged(
        "resume_500_missed_per_cpu_second",
        "deliveries/CPU-s",
        &per_cpu,
        |ours, of| {
            let raw = of(Contestant::Raw).unwrap_or(f64::INFINITY);
            let least = RAW_SHARE * raw;
            let target = format!(
                ">= {:.0} % of raw, {least:.0}, handshakes included; live p99 meanwhile {live_ms:.2} <= {limit_ms:.2} ms",
                RAW_SHARE * 100.0
            );
            (target, ours >= least && live_ms <= limit_ms)
        },
    )?;
    bench.add(
        figure
            .with("live_p99_meanwhile_ms", Spread::of(&meanwhile_ms))
            .with("live_p99_quiet_ms", Spread::of(&quiet_ms))
            .with("handshakes_alone_cpu_s", Spread::of(&opening)),
    );
    Ok(())
}

fn live_clients(bench: &Bench, ours: &Lane) -> Result<SwarmProcess> {
    let mut live = SwarmProcess::start()?;
    // Fails without the right to it; then the clients' own waiting is part of the figure.
    let _ = setpriority_process(i32::try_from(live.pid()).ok().and_then(Pid::from_raw), NICENESS);
    let crowd = Crowd { prefix: LIVE_PREFIX, ..Crowd::of_one_topic(Form::Ws, LIVE_CLIENTS) };
    live.ask(&Command::Open(Box::new(crowd.plan(&ours.server)))).context("live clients")?;
    let entrance = ours.server.entrance(&crowd, &bench.samples);
    live.ask(&Command::Enter { entrance, topics: 1 }).context("live clients")?;
    Ok(live)
}

/// Sends everybody away and publishes what they miss; returns once the gateway has it.
fn miss(lane: &mut Lane, missed: u32) -> Result<()> {
    let before = ingested(lane)?;
    lane.ask(&Command::Miss { missed })?;
    let start = Instant::now();
    while ingested(lane)? < before + u64::from(missed) {
        ensure!(start.elapsed() < INGEST_TIMEOUT, "the gateway lacks events that were published");
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Events that the gateway has got, from its metrics.
fn ingested(lane: &Lane) -> Result<u64> {
    let addr = lane.server.addr;
    let mut socket = TcpStream::connect(addr).context("the gateway is gone")?;
    write!(socket, "GET /metrics HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).context("no answer to a look at the metrics")?;
    let counts = answer.lines().filter(|line| line.starts_with(INGESTED));
    Ok(counts.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum())
}

/// Everybody comes back; deliveries and CPU time.
fn come_back(lane: &mut Lane, missed: u32) -> Result<(f64, f64)> {
    let before = lane.server.cpu()?;
    let counts = lane.ask(&Command::ComeBack { missed })?;
    let cpu_s = lane.server.cpu()?.since(before).all_s;
    let (holes, doubles, gaps) = (counts.missing, counts.repeated, counts.told_gaps);
    ensure!(
        holes + doubles + gaps == 0,
        "resuming: {holes} events missing, {doubles} repeated, {gaps} gaps told"
    );
    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    Ok((counts.deliveries as f64, cpu_s))
}
