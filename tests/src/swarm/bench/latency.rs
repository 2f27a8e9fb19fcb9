//! From an event's due time to its arrival at half load, without stalled clients and with one in a hundred.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::contest::{Crowd, Lane, Values, interleaved};
use super::figure::{Figure, Spread};
use super::servers::{Contestant, Form, Server};
use super::{Bench, PEERS};
use crate::proof::load::get;
use crate::proof::statistics::median;
use crate::swarm::driven::Command;

/// One client in so many never reads.
const ONE_STALLED_IN: u32 = 100;
/// Their topics; the clients beside them follow others.
const STALLED_PREFIX: &str = "app.stalled";
/// With stalled clients the p99 may be so much larger.
const SHARE_MAX: f64 = 1.10;
const MORE_MS_MAX: f64 = 1.0;
/// Events after which every stalled client's buffers must be full, and a look at whether they are.
const BACKLOG_FLUSHES: u32 = 60;
const BACKLOGS_MAX: u32 = 6;
/// A socket that takes nothing for this long is blocked: one with room takes everything within a millisecond.
const BLOCKED_AFTER_S: f64 = 0.5;
const BLOCKED_TIMEOUT: Duration = Duration::from_secs(3);
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// What the gateway's bound says a stalled client holds: `SO_SNDBUF` of 64 KiB, which the kernel doubles for its own
/// bookkeeping, and room for one more segment, since a buffer that is not full takes a whole one.
pub const STALLED_BOUND_BYTES: f64 = (2.0 * 64.0 + 16.0) * 1024.0;
/// Flushes that tell what a server can do.
const CALIBRATION_FLUSHES: u32 = 20;

/// The figure.
///
/// # Errors
/// When a contestant fails, or stalled clients do not block the gateway.
pub fn with_stalled_clients(bench: &mut Bench) -> Result<()> {
    let clients = bench.scale.clients;
    let stalled = (clients / ONE_STALLED_IN).max(1);
    let none = Crowd::of_one_topic(Form::Ws, clients);
    let some = Crowd { reading: clients - stalled, stalled, prefix: STALLED_PREFIX, ..none.clone() };
    let without = measured(bench, &PEERS.map(|contestant| (contestant, none.clone())))?;
    let mut lanes = bench.lanes(&[Contestant::Bywash], &some)?;
    let mut empty = bench.lanes(&[Contestant::Bywash], &none)?;
    // Both get the same events, so what one holds more is what stalled clients cost.
    let before = (lanes[0].server.memory()?, empty[0].server.memory()?);
    let backlogs = block(&mut lanes[0], stalled)?;
    empty[0].ask(&Command::Closed { flushes: backlogs * BACKLOG_FLUSHES, burst: 1 })?;
    let grown = (lanes[0].server.memory()?.since(before.0), empty[0].server.memory()?.since(before.1));
    let charged = grown.0.cgroup_bytes.zip(grown.1.cgroup_bytes).map(|(some, none)| some - none);
    let held_bytes = charged.unwrap_or(grown.0.tcp_bytes + grown.0.resident_bytes - grown.1.resident_bytes);
    let bound_bytes = STALLED_BOUND_BYTES * f64::from(stalled);
    drop(empty);
    let rate = half_load(&mut lanes[0])?;
    let mut again = bench.lanes(&[Contestant::Bywash], &none)?;
    let (mut with_ms, mut without_ms) = (Vec::new(), Vec::new());
    for _ in 0..bench.scale.rounds {
        with_ms.push(p99_ms(bench, &mut lanes[0], rate)?);
        without_ms.push(p99_ms(bench, &mut again[0], rate)?);
    }
    ensure!(
        blocked(&lanes[0].server)? >= stalled as usize,
        "not all stalled clients blocked the gateway to the end"
    );
    let limit_ms = median(&without_ms) * SHARE_MAX + MORE_MS_MAX;
    let values = Values::from([(Contestant::Bywash, with_ms)]);
    let figure = Figure::judged("event_to_socket_p99_with_stalled", "ms", &values, |ours, _| {
        let holds = ours <= limit_ms && held_bytes <= bound_bytes;
        let (held, bound) = (held_bytes / 1024.0, bound_bytes / 1024.0);
        (format!("<= {limit_ms:.2} ms, and {stalled} stalled hold {held:.0} <= {bound:.0} KiB"), holds)
    })?;
    let mut figure = figure
        .with("bywash_without_stalled", Spread::of(&without_ms))
        .with("events_per_second", rate)
        .with("stalled_clients", stalled)
        .with("stalled_hold_kib", held_bytes / 1024.0)
        .with("counted_by", if charged.is_some() { "cgroup" } else { "resident and TCP memory" });
    for (contestant, values) in without.iter().filter(|(who, _)| **who != Contestant::Bywash) {
        figure = figure.with(&format!("{contestant}_without_stalled"), Spread::of(values));
    }
    bench.add(figure);
    Ok(())
}

/// p99 of each at half of its own load, milliseconds.
fn measured(bench: &Bench, crowds: &[(Contestant, Crowd)]) -> Result<Values> {
    let (mut lanes, mut rates) = (Vec::new(), Vec::new());
    for (contestant, crowd) in crowds {
        let mut lane = Lane::crowded(&bench.ground, *contestant, crowd, &bench.samples)?;
        rates.push((*contestant, half_load(&mut lane)?));
        lanes.push(lane);
    }
    interleaved(bench.scale.rounds, &mut lanes, |lane| {
        let rate = rates.iter().find(|(who, _)| *who == lane.server.contestant);
        p99_ms(bench, lane, rate.context("every lane was calibrated")?.1)
    })
}

/// Half of the events a second that this server and its clients manage.
pub fn half_load(lane: &mut Lane) -> Result<f64> {
    lane.ask(&Command::Closed { flushes: CALIBRATION_FLUSHES / 4, burst: 1 })?;
    let counts = lane.ask(&Command::Closed { flushes: CALIBRATION_FLUSHES, burst: 1 })?;
    Ok(f64::from(CALIBRATION_FLUSHES) / counts.wall_s / 2.0)
}

fn p99_ms(bench: &Bench, lane: &mut Lane, rate_per_s: f64) -> Result<f64> {
    let seconds = bench.scale.seconds;
    let counts = lane.ask(&Command::Steady { rate_per_s, seconds, pinging: 0 })?;
    // The last events may arrive after the counting; none may be lost.
    ensure!(counts.missing + counts.repeated == 0, "{}: events are missing", lane.server.contestant);
    ensure!(counts.latency.count > 0, "{}: no event arrived", lane.server.contestant);
    let p99_ms = counts.latency.p99_ms;
    let who = lane.server.contestant.to_string();
    bench.note(&format!("{who:<10} {rate_per_s:.1} events a second: p99 {p99_ms:.2} ms"));
    Ok(p99_ms)
}

/// Publishes until the gateway is seen blocked on `stalled` clients; returns how many backlogs that took.
fn block(lane: &mut Lane, stalled: u32) -> Result<u32> {
    for backlogs in 1..=BACKLOGS_MAX {
        lane.ask(&Command::Closed { flushes: BACKLOG_FLUSHES, burst: 1 })?;
        let start = Instant::now();
        while start.elapsed() < BLOCKED_TIMEOUT {
            if blocked(&lane.server)? >= stalled as usize {
                return Ok(backlogs);
            }
            std::thread::sleep(LOOK_INTERVAL);
        }
    }
    bail!("the gateway is blocked on {} of {stalled} stalled clients", blocked(&lane.server)?)
}

/// Clients that `/debug/clients` says have taken nothing for a while.
fn blocked(server: &Server) -> Result<usize> {
    let text = get(server.addr, "/debug/clients")?;
    let answer: Value = serde_json::from_str(&text).context("/debug/clients answers JSON")?;
    let clients = answer["clients"].as_array().context("/debug/clients lists clients")?;
    let is_blocked = |client: &&Value| {
        client["state"] == "blocked" && client["blocked_s"].as_f64().is_some_and(|s| s >= BLOCKED_AFTER_S)
    };
    Ok(clients.iter().filter(is_blocked).count())
}
