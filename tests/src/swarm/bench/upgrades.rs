//! Opening handshakes a second of one core: how many clients a server makes ready in a CPU-second.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::contest::{Crowd, Lane, interleaved};
use super::figure::Figure;
use super::servers::{Contestant, Form, Server, credential};
use super::{Bench, PEERS};
use crate::swarm::driven::{Command, SwarmProcess};
use crate::swarm::token::Credential;

/// Upgrades that a CPU-second must do.
const LEAST: f64 = 5_000.0;
/// Longer than the figure takes.
const TOKEN_LIFETIME_S: u64 = 3_600;
/// The clients before are gone by then.
const SETTLE: Duration = Duration::from_millis(500);

/// The figure.
///
/// # Errors
/// When a contestant fails.
pub fn per_core(bench: &mut Bench) -> Result<()> {
    let crowd = Crowd::of_one_topic(Form::Ws, bench.scale.clients);
    let started: Result<Vec<Lane>> = PEERS.iter().map(|who| Lane::start(&bench.ground, *who)).collect();
    let mut lanes = started?;
    let secured = bench.ground.lane_with_tokens()?;
    require_tokens(&secured.server)?;
    lanes[0] = secured;
    let values = interleaved(bench.scale.rounds, &mut lanes, |lane| {
        let before = lane.server.cpu()?;
        let mut plan = crowd.plan(&lane.server);
        if lane.server.contestant == Contestant::Bywash {
            plan.target.credential = Some(credential(TOKEN_LIFETIME_S));
        }
        let opened = lane.ask(&Command::Open(Box::new(plan)))?;
        let cpu_s = lane.server.cpu()?.since(before).all_s;
        lane.ask(&Command::Close)?;
        std::thread::sleep(SETTLE);
        let (per_cpu_s, per_s) = (f64::from(crowd.reading) / cpu_s, f64::from(crowd.reading) / opened.wall_s);
        let who = lane.server.contestant.to_string();
        bench.note(&format!("{who:<10} {per_cpu_s:>7.0} upgrades a CPU-second, {per_s:>7.0} a second"));
        Ok(per_cpu_s)
    })?;
    let figure = Figure::judged("upgrades_per_cpu_second", "upgrades/CPU-s", &values, |ours, _| {
        (format!(">= {LEAST:.0}, each with an HS256 token and its subscription"), ours >= LEAST)
    })?;
    bench.add(figure);
    Ok(())
}

/// A gateway that lets anybody in would be measured without what the figure is about.
fn require_tokens(server: &Server) -> Result<()> {
    let mut plan = Crowd::of_one_topic(Form::Ws, 1).plan(server);
    plan.target.credential = Some(Credential::Text("a.wrong.token".to_owned()));
    let refused = SwarmProcess::start()?.ask(&Command::Open(Box::new(plan)));
    ensure!(refused.is_err(), "the gateway lets clients with a wrong token in");
    Ok(())
}
