//! Many topics with one follower each, beside one topic with many followers: what a delivery costs in the hub, and in all.

use anyhow::{Result, ensure};

use super::Bench;
use super::contest::{Crowd, Lane, Values};
use super::figure::{Figure, Spread};
use super::servers::{Contestant, Form};
use crate::proof::statistics::median;
use crate::swarm::driven::Command;

/// Sockets with topics of their own for each follower of the hot topic: 10,000 for 5,000.
const SOCKETS_PER_CLIENT: u32 = 2;
/// What their topics begin with.
const OWN_PREFIX: &str = "app.own";
/// Topics of each.
const TOPICS_PER_SOCKET: u32 = 5;
/// Events under way at once: what NATS hands over at a time.
const WINDOW: u32 = 256;
/// Events published before the first measurement, as a share of those of one.
const WARM_UP_SHARE: u32 = 5;
/// A delivery of an own topic may cost so many times one of the hot topic.
const HUB_FACTOR: f64 = 2.0;
const ALL_FACTOR: f64 = 3.0;
const CONTESTANTS: [Contestant; 5] =
    [Contestant::Bywash, Contestant::Raw, Contestant::AxumSmallBuffer, Contestant::Nchan, Contestant::NodeWs];

/// The figure.
///
/// # Errors
/// When a contestant fails.
pub fn beside_hot_topic(bench: &mut Bench) -> Result<()> {
    let hot = Crowd::of_one_topic(Form::Ws, bench.scale.clients);
    let own = Crowd {
        reading: bench.scale.clients * SOCKETS_PER_CLIENT,
        topics_per_client: TOPICS_PER_SOCKET,
        own_topics: true,
        prefix: OWN_PREFIX,
        ..hot.clone()
    };
    let (mut hub, mut all) = (Values::new(), Values::new());
    // One contestant after the other: two times fifteen thousand sockets at once would not be a load but a flood.
    for contestant in CONTESTANTS {
        let mut hot_lane = Lane::crowded(&bench.ground, contestant, &hot, &bench.samples)?;
        let mut own_lane = Lane::crowded(&bench.ground, contestant, &own, &bench.samples)?;
        let (topics, events) = (own.topics(), bench.scale.own_topic_events);
        own_lane.ask(&Command::Own { topics, events: events / WARM_UP_SHARE, window: WINDOW })?;
        let flushes = (events * 10 / hot.reading).max(5);
        hot_lane.ask(&Command::Closed { flushes: flushes / WARM_UP_SHARE, burst: 1 })?;
        for _ in 0..bench.scale.rounds {
            let owned = cost_us(&mut own_lane, &Command::Own { topics, events, window: WINDOW })?;
            let shared = cost_us(&mut hot_lane, &Command::Closed { flushes, burst: 1 })?;
            bench.note(&format!(
                "{:<10} a delivery of an own topic {:.2} us of CPU ({:.2} in workers), of the hot topic {:.2} ({:.2})",
                contestant.to_string(), owned.0, owned.1, shared.0, shared.1
            ));
            all.entry(contestant).or_default().push(owned.0 / shared.0);
            if contestant == Contestant::Bywash {
                hub.entry(contestant).or_default().push(owned.1 / shared.1);
            }
        }
    }
    let hub_factor = hub.get(&Contestant::Bywash).map_or(f64::INFINITY, |values| median(values));
    let figure = Figure::judged("own_topics_cost_per_delivery", "times the hot topic's", &all, |ours, _| {
        let target = format!("<= {ALL_FACTOR} with ingest, and in the hub {hub_factor:.2} <= {HUB_FACTOR}");
        (target, ours <= ALL_FACTOR && hub_factor <= HUB_FACTOR)
    })?;
    let hub = hub.get(&Contestant::Bywash).map(|values| Spread::of(values));
    bench.add(figure.with("bywash_in_the_hub", hub));
    Ok(())
}

/// CPU time of a delivery, microseconds: of all threads, and of the gateway's workers.
fn cost_us(lane: &mut Lane, command: &Command) -> Result<(f64, f64)> {
    let before = lane.server.cpu()?;
    let counts = lane.ask(command)?;
    let cpu = lane.server.cpu()?.since(before);
    let who = lane.server.contestant;
    ensure!(counts.missing + counts.repeated == 0, "{who}: events are missing or repeated");
    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let deliveries = counts.deliveries as f64;
    Ok((cpu.all_s / deliveries * 1e6, cpu.workers_s / deliveries * 1e6))
}
