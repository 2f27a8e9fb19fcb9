//! A gateway whose memory is really used up, as the kernel counts it: what its clients and those who come see at each
//! level, and that it recovers. It has a control group of its own with a limit; filled by clients that stopped to read
//! in the middle of a large event each.

use std::io;
use std::net::TcpStream;

use async_nats::jetstream;
use bytes::Bytes;
use bywash_tests::memory_group::MemoryGroup;
use bywash_tests::nats::Nats;
use bywash_tests::platform::{answer, set_up};
use bywash_tests::proof::open_stalled;
use bywash_tests::service::{Kind, Service};
use bywash_tests::sse::Sse;
use bywash_tests::wait::eventually;
use bywash_tests::ws::Ws;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Error;

const LIMIT_BYTES: u64 = 160 * 1024 * 1024;
/// One for each client: it holds all of it until the client has read it.
const EVENT_SIZE_BYTES: usize = 128 * 1024;
/// Clients that together hold more than the limit.
const CLIENTS: usize = 1_000;
/// Of them stop at once: a fraction of what lies between two levels.
const STEP: usize = 24;
/// What the gateway and this test may differ by, who look one after the other.
const TOLERANCE_BYTES: f64 = 2.0 * 1024.0 * 1024.0;

const LEVEL: &str = "bywash_gateway_budget_level";
const CONFLATE: f64 = 1.0;
const REFUSE: f64 = 2.0;
const SHED: f64 = 3.0;
const OVERLOADED: &str = "bywash_gateway_closed_total{reason=\"overloaded\"}";

/// A gateway in its group, and clients of which each follows a topic of its own.
struct Filled {
    gateway: Service,
    jetstream: jetstream::Context,
    clients: Vec<TcpStream>,
    /// So many of them, the first, have stopped to read.
    stopped: usize,
    _nats: Nats,
    // Last, for its member ends before it.
    group: MemoryGroup,
}

impl Filled {
    async fn start(group: MemoryGroup) -> Self {
        let nats = Nats::start().await;
        set_up(&nats).await;
        let mut gateway = Service::new(Kind::PushGateway, &nats.url());
        gateway.confine(&group).set("BYWASH_WORKERS", "1");
        gateway.start().await;
        let open = |number| open_stalled(gateway.addr(), &format!("/api/stream?topics={}", topic(number)));
        let clients: Vec<TcpStream> = (0..CLIENTS).map(|number| open(number).unwrap()).collect();
        let jetstream = jetstream::new(nats.client().await);
        let filled = Self { gateway, jetstream, clients, stopped: 0, _nats: nats, group };
        eventually("all clients are there", || async {
            let there = filled.count_of("total").await;
            if there == CLIENTS { Ok(()) } else { Err(there.to_string()) }
        })
        .await;
        filled
    }

    /// What `/debug/clients` says of this.
    async fn count_of(&self, what: &str) -> usize {
        let (_, body) = answer(reqwest::Client::new().get(self.gateway.url("/debug/clients"))).await;
        usize::try_from(body[what].as_u64().unwrap_or_default()).unwrap()
    }

    /// How many were closed for memory.
    async fn closed(&self) -> usize {
        self.gateway.metric(OVERLOADED).await as usize
    }

    async fn publish(&self, topic: &str, data: &Value) -> u64 {
        let sent = self.jetstream.publish(topic.to_owned(), Bytes::from(data.to_string())).await.unwrap();
        sent.await.unwrap().sequence
    }

    /// The next clients get an event, of which they read nothing; until the gateway has looked at what that costs.
    async fn fill(&mut self) {
        let data = json!("x".repeat(EVENT_SIZE_BYTES));
        for number in self.stopped..self.stopped + STEP {
            self.publish(&topic(number), &data).await;
        }
        self.stopped += STEP;
        eventually("they take nothing more", || async {
            let (blocked, closed) = (self.count_of("blocked").await, self.closed().await);
            if blocked + closed == self.stopped { Ok(()) } else { Err(format!("{blocked}, {closed} closed")) }
        })
        .await;
        eventually("the gateway knows what the kernel counts", || async {
            let told = self.gateway.metric("bywash_gateway_memory_used_bytes").await;
            let counted = self.group.used_bytes() as f64;
            if (told - counted).abs() < TOLERANCE_BYTES {
                Ok(())
            } else {
                Err(format!("{told} of {counted}"))
            }
        })
        .await;
    }

    async fn fill_until(&mut self, level: f64) {
        while self.gateway.metric(LEVEL).await < level {
            self.fill().await;
        }
    }

    /// Waits until the level has fallen to this one, or below.
    async fn falls_to(&self, level: f64) {
        eventually(&format!("level {level}"), || async {
            let now = self.gateway.metric(LEVEL).await;
            if now <= level { Ok(()) } else { Err(format!("{now}, {} bytes", self.group.used_bytes())) }
        })
        .await;
    }
}

fn topic(number: usize) -> String {
    format!("app.filled.{number}")
}

#[tokio::test]
async fn a_gateway_short_of_memory_refuses_newcomers_gives_up_the_furthest_behind_and_recovers() {
    let group = match MemoryGroup::new(LIMIT_BYTES) {
        Ok(group) => group,
        Err(error) => {
            return eprintln!("SKIPPED: no memory cgroup can be made here ({error}); run this test as root");
        }
    };
    let mut filled = Filled::start(group).await;
    let budget = filled.gateway.metric("bywash_gateway_memory_budget_bytes").await;
    assert!((budget - LIMIT_BYTES as f64).abs() < 1.0, "the group's limit is the budget: {budget}");
    let reader = Sse::open(&filled.gateway.url("/api/stream?topics=app.read")).await;
    reader.named("ready").await;
    assert!(
        filled.gateway.metric(LEVEL).await < CONFLATE,
        "{} bytes from the beginning",
        filled.group.used_bytes()
    );

    filled.fill_until(CONFLATE).await;
    assert!(filled.gateway.metric(LEVEL).await < REFUSE, "levels come one after the other");
    Ws::open(filled.gateway.addr()).await;

    filled.fill_until(REFUSE).await;
    assert!(filled.gateway.metric(LEVEL).await < SHED, "levels come one after the other");
    let refused = Ws::open_with(filled.gateway.addr(), &[]).await;
    let Err(Error::Http(refused)) = refused else { panic!("{refused:?}") };
    let body = String::from_utf8_lossy(refused.body().as_deref().unwrap_or_default()).into_owned();
    assert!(refused.status() == 503 && body.contains("short_of_memory"), "{refused:?} {body}");
    assert!(refused.headers().contains_key("retry-after"), "{refused:?}");
    let (status, _) = answer(reqwest::Client::new().get(filled.gateway.url("/api/profile"))).await;
    assert!(status.is_success(), "requests that hold no connection go on: {status}");
    let seq = filled.publish("app.read", &json!(1)).await;
    reader.with_sequence("app.read", seq).await;
    assert_eq!(filled.closed().await, 0, "nobody is closed for it yet");

    filled.fill_until(SHED).await;
    filled.falls_to(REFUSE).await;
    // A worker answers this after it has done all that it was told before.
    let blocked = filled.count_of("blocked").await;
    let closed = filled.closed().await;
    println!("{} clients filled {LIMIT_BYTES} bytes; {closed} of them were closed", filled.stopped);
    assert_eq!(blocked + closed, filled.stopped);
    assert!(closed > 0 && closed < filled.stopped / 2, "only as many as it takes: {closed}");
    let is_reset = |client: &TcpStream| {
        client.take_error().unwrap().is_some_and(|error| error.kind() == io::ErrorKind::ConnectionReset)
    };
    let reset: Vec<bool> = filled.clients.iter().map(is_reset).collect();
    let expected: Vec<bool> = (0..CLIENTS).map(|number| number < closed).collect();
    assert_eq!(reset, expected, "those that have taken nothing for longest");
    let seq = filled.publish("app.read", &json!(2)).await;
    reader.with_sequence("app.read", seq).await;
    assert_eq!(reader.sequences("app.read").len(), 2, "who reads is left alone");

    filled.clients.clear();
    filled.falls_to(0.0).await;
    Ws::open(filled.gateway.addr()).await;
    let seq = filled.publish("app.read", &json!(3)).await;
    reader.with_sequence("app.read", seq).await;
}
