//! NATS and the gateway: a flood stays in NATS and not in the gateway's memory, and clients are told when NATS is away.

use async_nats::jetstream;
use bywash_tests::door::Door;
use bywash_tests::follower::{Client, Conversation, Follower, Kind, Line, Note, Source, Told};
use bywash_tests::nats::Nats;
use bywash_tests::platform::set_up;
use bywash_tests::service::{Kind as ServiceKind, Service};
use bywash_tests::wait::eventually;
use proto_schemas::Stream;
use tokio::sync::watch;

const TOPIC: &str = "app.upstream";

/// A flood: so many events of this size.
const FLOOD_EVENTS: usize = 8_000;
const EVENT_SIZE_BYTES: usize = 8 * 1024;
/// Events that the publisher has under way at once.
const PUBLISHED_AT_ONCE: usize = 1_000;
/// Of the flood, what the gateway may hold: its ring, the blocks that it reads back (16 MiB a worker), and what is on
/// its way through it (some 2,500 events).
const MEMORY_GROWTH_MAX_BYTES: u64 = 48 * 1024 * 1024;
const RING_BYTES: &str = "1000000";
/// Soon enough for a test, and long enough that a busy machine stalls nobody who reads.
const STALL_TIMEOUT_S: &str = "5";

async fn gateway(nats_url: &str) -> Service {
    let mut gateway = Service::new(ServiceKind::PushGateway, nats_url);
    gateway
        .set("BYWASH_RING_BYTES", RING_BYTES)
        .set("BYWASH_WORKERS", "1")
        .set("BYWASH_STALL_TIMEOUT_S", STALL_TIMEOUT_S);
    gateway.start().await;
    gateway
}

fn follower(kind: Kind, line: Line) -> Follower {
    Follower::new(Conversation::new(kind, vec![TOPIC.to_owned()], None), line)
}

/// The most memory that the process has had resident so far, bytes.
fn peak_memory_bytes(service: &Service) -> u64 {
    let file = format!("/proc/{}/status", service.process().pid().as_raw_nonzero());
    let status = std::fs::read_to_string(file).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
}

/// How many connections the gateway has ended because nothing could be written.
async fn stalled(gateway: &Service) -> Option<u64> {
    let text = reqwest::get(gateway.url("/metrics")).await.unwrap().text().await.unwrap();
    let line =
        text.lines().find(|line| line.starts_with("bywash_gateway_closed_total{reason=\"stalled\"}"))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[tokio::test]
async fn a_flood_stays_in_nats_and_neither_memory_nor_a_stalled_client_delays_the_others() {
    let nats = Nats::start().await;
    set_up(&nats).await;
    let gateway = gateway(&nats.url()).await;
    let mut source = Source::new(EVENT_SIZE_BYTES);
    let (_place, is_placed) = watch::channel(Some(gateway.addr()));
    let run = |follower| Client::run(follower, None, is_placed.clone(), &source.numbers);
    let readers = Kind::ALL.map(|kind| run(follower(kind, Line::default())));
    let stalled_clients = Kind::ALL.map(|kind| run(follower(kind, Line { narrow: true, ..Line::default() })));
    for client in readers.iter().chain(&stalled_clients) {
        client.ready().await;
    }
    stalled_clients.iter().for_each(Client::stall);
    let memory_before = peak_memory_bytes(&gateway);

    let jetstream = jetstream::new(nats.client().await);
    for part in 0..FLOOD_EVENTS / PUBLISHED_AT_ONCE {
        // A gateway that does nothing for a while is given nothing: what comes meanwhile waits in the stream.
        match part {
            1 => gateway.process().freeze(),
            5 => gateway.process().thaw(),
            _ => {}
        }
        source.publish(&jetstream, &[TOPIC; PUBLISHED_AT_ONCE]).await;
    }
    for client in &readers {
        client.caught_up(|stream| source.truth(stream)).await;
        let tally = client.judge(|stream| source.truth(stream)).unwrap();
        assert_eq!((tally.events, tally.gaps), (FLOOD_EVENTS as u64, 0), "{}", client.name());
    }
    eventually("the stalled clients are told by the end of their connections", || async {
        let count = stalled(&gateway).await;
        if count == Some(3) { Ok(()) } else { Err(format!("{count:?} stalled")) }
    })
    .await;
    stalled_clients.iter().for_each(Client::read_again);
    for client in &stalled_clients {
        client.caught_up(|stream| source.truth(stream)).await;
        let tally = client.judge(|stream| source.truth(stream)).unwrap();
        assert_eq!((tally.events, tally.gaps), (FLOOD_EVENTS as u64, 0), "{}", client.name());
        let came = client.notes.all().iter().filter(|note| **note == Note::Came).count();
        assert_eq!(came, 2, "{} came back once with its place", client.name());
    }
    let growth = peak_memory_bytes(&gateway) - memory_before;
    let flood = (FLOOD_EVENTS * EVENT_SIZE_BYTES) as u64;
    assert!(growth < MEMORY_GROWTH_MAX_BYTES, "{growth} bytes more for a flood of {flood}");
    assert_eq!(nats.slow_consumers().await, 0, "NATS never waited for the gateway");
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outage {
    Killed,
    Frozen,
    Partitioned,
}

/// NATS goes away and comes back: clients whose protocol has a word for it are told both, and all get everything.
async fn is_told_and_made_up_for(outage: Outage) {
    let mut nats = Nats::start().await;
    set_up(&nats).await;
    let door = Door::open(&[nats.addr()]).await;
    let gateway = gateway(&format!("nats://{}", door.addr())).await;
    let mut source = Source::new(0);
    let (_place, is_placed) = watch::channel(Some(gateway.addr()));
    let clients = Kind::ALL
        .map(|kind| Client::run(follower(kind, Line::default()), None, is_placed.clone(), &source.numbers));
    for client in &clients {
        client.ready().await;
    }
    let mut jetstream = jetstream::new(nats.client().await);
    source.publish(&jetstream, &[TOPIC; 10]).await;
    for client in &clients {
        client.caught_up(|stream| source.truth(stream)).await;
    }

    match outage {
        Outage::Killed => nats.kill(),
        Outage::Frozen => nats.process().freeze(),
        Outage::Partitioned => door.stop_carrying(),
    }
    // Centrifugo's protocol has no word for it.
    let told: Vec<&Client> = clients.iter().filter(|client| client.kind != Kind::Centrifugo).collect();
    for client in &told {
        upstream_is(client, false).await;
    }
    match outage {
        Outage::Killed => {
            nats.restart().await;
            jetstream = jetstream::new(nats.client().await);
        }
        Outage::Frozen => nats.process().thaw(),
        Outage::Partitioned => {
            source.publish(&jetstream, &[TOPIC; 10]).await;
            door.carry_again();
        }
    }
    for client in &told {
        upstream_is(client, true).await;
    }
    source.publish(&jetstream, &[TOPIC; 10]).await;
    for client in &clients {
        client.caught_up(|stream| source.truth(stream)).await;
        let tally = client.judge(|stream| source.truth(stream)).unwrap();
        assert_eq!(tally.gaps, 0, "nothing is lost to {}", client.name());
        let came = client.notes.all().iter().filter(|note| **note == Note::Came).count();
        assert_eq!(came, 1, "{} stays where it is", client.name());
    }
    assert!(source.truth(Stream::App).bounds().is_some());
}

async fn upstream_is(client: &Client, connected: bool) {
    let what = format!("{} is told that NATS is {}", client.name(), if connected { "back" } else { "away" });
    let is_told = |note: &Note| matches!(note, Note::Told(Told::Upstream(told), _) if *told == connected);
    client.notes.first(&what, is_told).await;
}

#[tokio::test]
async fn clients_are_told_that_nats_is_dead_and_get_everything_when_it_is_back() {
    is_told_and_made_up_for(Outage::Killed).await;
}

#[tokio::test]
async fn clients_are_told_that_nats_hangs_and_get_everything_when_it_goes_on() {
    is_told_and_made_up_for(Outage::Frozen).await;
}

#[tokio::test]
async fn clients_are_told_that_nats_cannot_be_reached_and_get_everything_when_it_can() {
    is_told_and_made_up_for(Outage::Partitioned).await;
}
