//! Memory of a connection that is open and silent: what a server's resident memory grows by, and what its cgroup is charged.

use std::time::Duration;

use anyhow::Result;

use super::contest::{Crowd, Lane, Values};
use super::figure::{Figure, Spread};
use super::servers::{Contestant, Form};
use super::{Bench, PEERS};
use crate::swarm::driven::Command;

/// Resident memory that a connection may cost, KiB.
const WS_LIMIT_KIB: f64 = 4.0;
const SSE_LIMIT_KIB: f64 = 5.0;
/// Clients that come and go first, so that what a server makes once is not counted.
const WARM_UP_CLIENTS: u32 = 64;
/// After the last handshake a server may still be tidying up.
const SETTLE: Duration = Duration::from_millis(700);
const KIB: f64 = 1024.0;

/// Both forms.
///
/// # Errors
/// When a contestant fails.
pub fn connections(bench: &mut Bench) -> Result<()> {
    one_form(bench, Form::Ws, &PEERS, "ws_idle_connection", WS_LIMIT_KIB)?;
    let sse = [Contestant::Bywash, Contestant::Raw, Contestant::Axum, Contestant::Nchan];
    one_form(bench, Form::Sse, &sse, "sse_idle_connection", SSE_LIMIT_KIB)
}

fn one_form(
    bench: &mut Bench,
    form: Form,
    contestants: &[Contestant],
    name: &str,
    limit_kib: f64,
) -> Result<()> {
    let (mut resident, mut charged) = (Values::new(), Values::new());
    let clients = bench.scale.clients;
    for round in 0..bench.scale.rounds {
        for place in 0..contestants.len() {
            // A new server each time: none gives memory back to the system.
            let contestant = contestants[(round + place) % contestants.len()];
            let mut lane = Lane::start(&bench.ground, contestant)?;
            let warm_up = Crowd::of_one_topic(form, WARM_UP_CLIENTS).plan(&lane.server);
            lane.ask(&Command::Open(Box::new(warm_up)))?;
            lane.ask(&Command::Close)?;
            std::thread::sleep(SETTLE);
            let before = lane.server.memory()?;
            lane.ask(&Command::Open(Box::new(Crowd::of_one_topic(form, clients).plan(&lane.server))))?;
            std::thread::sleep(SETTLE);
            let added = lane.server.memory()?.since(before);
            let each_kib = |bytes: f64| bytes / f64::from(clients) / KIB;
            resident.entry(contestant).or_default().push(each_kib(added.resident_bytes));
            if let Some(bytes) = added.cgroup_bytes {
                charged.entry(contestant).or_default().push(each_kib(bytes));
            }
            bench.note(&format!(
                "{contestant:<10} {form:?}: {:.2} KiB a connection",
                each_kib(added.resident_bytes)
            ));
        }
    }
    let mut figure = Figure::judged(name, "KiB resident", &resident, |ours, _| {
        (format!("<= {limit_kib} KiB"), ours <= limit_kib)
    })?;
    for (contestant, values) in charged {
        figure = figure.with(&format!("{contestant}_with_kernel"), Spread::of(&values));
    }
    bench.add(figure);
    Ok(())
}
