//! From the end of a token, revoked or expired, to the word of the gateway that the connection ends, on two gateways.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

use super::Bench;
use super::contest::{Crowd, Values};
use super::figure::{Figure, Spread};
use super::servers::{Contestant, Form, SECRET, credential};
use crate::proof::statistics::median;
use crate::swarm::driven::Command;
use crate::swarm::event::now_ns;
use crate::swarm::token::{Credential, hs256};

/// Longest that 99 of 100 may take, milliseconds.
const LIMIT_MS: f64 = 1_000.0;
/// Tokens that end in a round; each is shown to both gateways.
const HOLDERS: u32 = 100;
/// Tokens that are to be revoked live longer than a round.
const LONG_S: u64 = 600;
/// Tokens that are to expire live until all clients are open.
const SHORT_S: u64 = 3;

/// The figure.
///
/// # Errors
/// When a gateway fails, or a connection stays.
pub fn on_every_pod(bench: &mut Bench) -> Result<()> {
    let mut first = bench.ground.lane_with_tokens()?;
    let second = bench.ground.lane_with_tokens()?;
    let (mut revoked_ms, mut expired_ms) = (Vec::new(), Vec::new());
    for round in 0..bench.scale.rounds {
        for lifetime_s in [LONG_S, SHORT_S] {
            let mut plan = Crowd::of_one_topic(Form::Ws, 2 * HOLDERS).plan(&first.server);
            plan.target.second_addr = Some(second.server.addr);
            // A token that was revoked stays so: each round has names of its own.
            let name = format!("round{round}-{lifetime_s}");
            plan.target.credential = Some(credential(lifetime_s).named(&name));
            let expires_ns = expiry_ns(&plan.target.credential)?;
            first.ask(&Command::Open(Box::new(plan)))?;
            let control = hs256(SECRET, "control", unix_s()? + LONG_S, &["read", "write", "control"]);
            let revoke = (lifetime_s == LONG_S).then_some((first.server.addr, control, name));
            let is_revoked = revoke.is_some();
            let closing = first.ask(&Command::End { holders: HOLDERS, revoke, expires_ns })?.closing;
            if is_revoked { &mut revoked_ms } else { &mut expired_ms }.push(closing.p99_ms);
            let how = if is_revoked { "revoked" } else { "expired" };
            bench.note(&format!(
                "{} connections {how}: p99 {:.1} ms, max {:.1}",
                closing.count, closing.p99_ms, closing.max_ms
            ));
        }
    }
    let expired = median(&expired_ms);
    let values = Values::from([(Contestant::Bywash, revoked_ms)]);
    let figure = Figure::judged("revoked_to_closed_p99", "ms", &values, |ours, _| {
        (
            format!("<= {LIMIT_MS} ms, and {expired:.0} ms after expiry"),
            ours <= LIMIT_MS && expired <= LIMIT_MS,
        )
    })?;
    bench.add(figure.with("bywash_expired", Spread::of(&expired_ms)));
    Ok(())
}

fn unix_s() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH).context("a clock before 1970")?.as_secs())
}

/// When tokens end, on the clock that the swarm uses.
fn expiry_ns(credential: &Option<Credential>) -> Result<u64> {
    let Some(Credential::Signed { expires_unix_s, .. }) = credential else { return Ok(0) };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("a clock before 1970")?;
    let left_ns = u128::from(*expires_unix_s) * 1_000_000_000 - now.as_nanos();
    Ok(now_ns() + u64::try_from(left_ns)?)
}
