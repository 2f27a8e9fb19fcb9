//! Deliveries per CPU-second: one event, or a burst of 8, to all followers of one topic, each flush once everybody has the
//! one before.

use anyhow::{Result, ensure};

use super::contest::{Crowd, Lane, Values, interleaved};
use super::figure::{Figure, share_of_raw};
use super::servers::{Contestant, Form};
use super::{Bench, PEERS};
use crate::swarm::driven::Command;
use crate::swarm::tally::Counts;

/// Flushes before the first measurement.
const WARM_UP_FLUSHES: u32 = 6;
/// Topics of the second gateway, which speaks Centrifugo's protocol.
const CENTRIFUGO_PREFIX: &str = "app.centrifugo";
/// Events of a burst.
const BURST: u32 = 8;

/// Share of raw that a single event must reach over WebSocket, and over server-sent events; and a burst.
const WS_SHARE: f64 = 0.90;
const SSE_SHARE: f64 = 0.85;
const BURST_SHARE: f64 = 0.70;

/// Both figures of WebSocket: one event a flush, and bursts.
///
/// # Errors
/// When a contestant fails.
pub fn websocket(bench: &mut Bench) -> Result<()> {
    let crowd = Crowd::of_one_topic(Form::Ws, bench.scale.clients);
    let mut lanes = bench.lanes(&PEERS, &crowd)?;
    let second = Crowd { prefix: CENTRIFUGO_PREFIX, ..crowd };
    lanes.push(Lane::crowded(&bench.ground, Contestant::BywashCentrifugo, &second, &bench.samples)?);
    let single = deliveries_per_cpu_second(bench, &mut lanes, 1)?;
    let raw = share_of_raw(WS_SHARE);
    let figure = Figure::judged("ws_deliveries_per_cpu_second", "deliveries/CPU-s", &single, |ours, of| {
        let (target, holds) = raw(ours, of);
        let best = PEERS.iter().filter(|who| !matches!(who, Contestant::Bywash | Contestant::Raw));
        let best = best.filter_map(|who| of(*who)).fold(0.0, f64::max);
        (format!("{target}, and above every peer, {best:.0}"), holds && ours > best)
    })?;
    bench.add(figure);
    let bursts = deliveries_per_cpu_second(bench, &mut lanes, BURST)?;
    bench.add(Figure::judged(
        "ws_burst_of_8_per_cpu_second",
        "deliveries/CPU-s",
        &bursts,
        share_of_raw(BURST_SHARE),
    )?);
    Ok(())
}

/// The figure of server-sent events.
///
/// # Errors
/// When a contestant fails.
pub fn server_sent_events(bench: &mut Bench) -> Result<()> {
    let contestants = [Contestant::Bywash, Contestant::Raw, Contestant::Nchan, Contestant::Axum];
    let mut lanes = bench.lanes(&contestants, &Crowd::of_one_topic(Form::Sse, bench.scale.clients))?;
    let values = deliveries_per_cpu_second(bench, &mut lanes, 1)?;
    bench.add(Figure::judged(
        "sse_deliveries_per_cpu_second",
        "deliveries/CPU-s",
        &values,
        share_of_raw(SSE_SHARE),
    )?);
    Ok(())
}

/// A raw writer in the gateway's place: as it is, the verdict must hold; at twice the cost it must not.
///
/// # Errors
/// When a contestant fails, or the verdict notices nothing.
pub fn self_check(bench: &mut Bench) -> Result<()> {
    let crowd = Crowd::of_one_topic(Form::Ws, bench.scale.clients);
    for (contestant, name, expected) in [
        (Contestant::Raw, "self_check_raw_beside_itself", true),
        (Contestant::RawTwice, "self_check_raw_at_twice_the_cost", false),
    ] {
        let mut lanes = vec![
            Lane::crowded(&bench.ground, contestant, &crowd, &bench.samples)?,
            Lane::crowded(&bench.ground, Contestant::Raw, &crowd, &bench.samples)?,
        ];
        lanes[0].server.contestant = Contestant::Bywash;
        let values = deliveries_per_cpu_second(bench, &mut lanes, 1)?;
        let figure = Figure::judged(name, "deliveries/CPU-s", &values, share_of_raw(WS_SHARE))?;
        let holds = figure.holds;
        bench.add(figure);
        ensure!(holds == expected, "{name}: the verdict is {holds} and must be {expected}");
    }
    Ok(())
}

fn deliveries_per_cpu_second(bench: &Bench, lanes: &mut [Lane], burst: u32) -> Result<Values> {
    let wanted_s = bench.scale.cpu_seconds;
    let mut flushes = Values::new();
    for lane in &mut *lanes {
        let (_, cpu_s) = measure(lane, WARM_UP_FLUSHES, burst)?;
        let wanted = f64::from(WARM_UP_FLUSHES) * wanted_s / cpu_s.max(0.001);
        flushes.insert(lane.server.contestant, vec![wanted.clamp(f64::from(WARM_UP_FLUSHES), 5_000.0)]);
    }
    interleaved(bench.scale.rounds, lanes, |lane| {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped above")]
        let flushes = flushes[&lane.server.contestant][0] as u32;
        let (counts, cpu_s) = measure(lane, flushes, burst)?;
        #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        let (per_cpu_s, per_s) = (counts.deliveries as f64 / cpu_s, counts.deliveries as f64 / counts.wall_s);
        bench.note(&format!(
            "{:<10} {burst} a flush: {per_cpu_s:>9.0} a CPU-second, {per_s:>9.0} a second, {cpu_s:.2} CPU-s in {:.2} s",
            lane.server.contestant.to_string(),
            counts.wall_s
        ));
        Ok(per_cpu_s)
    })
}

fn measure(lane: &mut Lane, flushes: u32, burst: u32) -> Result<(Counts, f64)> {
    let before = lane.server.cpu()?;
    let counts = lane.ask(&Command::Closed { flushes, burst })?;
    let cpu_s = lane.server.cpu()?.since(before).all_s;
    let who = lane.server.contestant;
    let (missing, repeated) = (counts.missing, counts.repeated);
    ensure!(missing + repeated == 0, "{who}: {missing} events missing, {repeated} repeated");
    Ok((counts, cpu_s))
}
