//! Round trip of a ping on quiet connections while a hot topic is flushed to everybody else without a pause.

use anyhow::{Context, Result, ensure};

use super::contest::{Crowd, Lane, Values};
use super::figure::Figure;
use super::servers::{Contestant, Form};
use super::{Bench, PEERS};
use crate::proof::machine::prefer;
use crate::swarm::driven::{Command, SwarmProcess};

/// Longest that 99 of 100 may take, milliseconds.
const LIMIT_MS: f64 = 5.0;
/// Clients that ping.
const PINGING: u32 = 20;
/// Their own topic, on which nothing happens.
const QUIET_PREFIX: &str = "app.quiet";

/// The figure.
///
/// # Errors
/// When a contestant fails.
pub fn beside_hot_topic(bench: &mut Bench) -> Result<()> {
    let crowd = Crowd::of_one_topic(Form::Ws, bench.scale.clients);
    // The raw writer answers no pings.
    let contestants: Vec<Contestant> = PEERS.into_iter().filter(|who| *who != Contestant::Raw).collect();
    let mut lanes = bench.lanes(&contestants, &crowd)?;
    let mut pingers = Vec::new();
    for lane in &lanes {
        let mut swarm = SwarmProcess::start()?;
        // They share a core with the clients of the hot topic, who never sleep, and must not wait for them.
        let preferred = prefer(swarm.pid());
        let quiet = Crowd { prefix: QUIET_PREFIX, ..Crowd::of_one_topic(Form::Ws, PINGING) };
        swarm.ask(&Command::Open(Box::new(quiet.plan(&lane.server)))).context("clients that ping")?;
        pingers.push((swarm, preferred));
    }
    let preferred = pingers.iter().all(|(_, preferred)| *preferred);
    let mut values = Values::new();
    for round in 0..bench.scale.rounds {
        for place in 0..lanes.len() {
            let index = (round + place) % lanes.len();
            let (lane, pinger) = (&mut lanes[index], &mut pingers[index].0);
            let p99_ms = measure(bench, lane, pinger)?;
            values.entry(lane.server.contestant).or_default().push(p99_ms);
        }
    }
    let figure = Figure::judged("ping_p99_beside_hot_topic", "ms", &values, |ours, _| {
        (format!("< {LIMIT_MS} ms"), ours < LIMIT_MS)
    })?;
    bench.add(figure.with("pinging_process_is_preferred", preferred));
    Ok(())
}

fn measure(bench: &Bench, lane: &mut Lane, pinger: &mut SwarmProcess) -> Result<f64> {
    let calibration = lane.ask(&Command::Closed { flushes: 5, burst: 1 })?;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few hundred flushes")]
    let flushes = (bench.scale.seconds / (calibration.wall_s / 5.0)).ceil().clamp(5.0, 100_000.0) as u32;
    lane.swarm.tell(&Command::Closed { flushes, burst: 1 })?;
    // Shorter than the flushes, so that every ping meets them.
    let seconds = bench.scale.seconds * 0.8;
    let pinged = pinger.ask(&Command::Steady { rate_per_s: 0.0, seconds, pinging: PINGING as usize });
    let flushed = lane.swarm.answer()?;
    let (pinged, who) = (pinged?.round_trip, lane.server.contestant.to_string());
    ensure!(pinged.count > 0, "{who} answered no ping");
    bench.note(&format!(
        "{who:<10} {} pings during {flushes} flushes in {:.2} s: p50 {:.2}, p99 {:.2} ms",
        pinged.count, flushed.wall_s, pinged.p50_ms, pinged.p99_ms
    ));
    Ok(pinged.p99_ms)
}
