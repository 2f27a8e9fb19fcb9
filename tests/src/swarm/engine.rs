//! The swarm: thousands of clients of one server in one thread, over one poller.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use mio::{Events, Interest, Poll, Token};
use serde::{Deserialize, Serialize};

use super::client::{Client, Common, Memory, Progress};
use super::event::now_ns;
use super::protocol::{Target, Topics};
use super::publish::Publisher;
use super::tally::{Counts, Tally};

/// Bytes read at once.
const READ_SIZE_BYTES: usize = 64 * 1024;
/// Events of the poller taken at once.
const POLL_EVENTS: usize = 1024;
/// Nothing that is waited for takes longer than this without any progress.
const PROGRESS_TIMEOUT: Duration = Duration::from_secs(20);
/// Longest wait for the poller, so that a stop is seen soon.
const POLL_TIMEOUT: Duration = Duration::from_millis(100);
/// Clients of one source address: about half of the ports that the kernel gives out.
const CLIENTS_PER_ADDRESS: u32 = 10_000;
/// Pause between two pings of a client.
const PING_INTERVAL: Duration = Duration::from_millis(20);
/// Poller's name of whoever wakes it.
pub const WAKE: Token = Token(usize::MAX);

/// Which clients are opened.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    /// Where and how.
    pub target: Target,
    /// What they follow.
    pub topics: Topics,
    /// Clients that read.
    pub reading: u32,
    /// Clients that never do.
    pub stalled: u32,
    /// Handshakes under way at once.
    pub handshakes_max: usize,
    /// Loopback addresses that clients come from.
    pub source_addresses: u8,
    /// Keep resume tokens, for [`Swarm::reconnect`].
    pub keeps_tokens: bool,
    /// Keep the newest message with an event.
    pub keeps_sample: bool,
}

/// See the module.
pub struct Swarm {
    /// Its poller; a [`mio::Waker`] may be added under [`WAKE`].
    pub poll: Poll,
    events: Events,
    clients: Vec<Option<Client>>,
    /// Those that left.
    away: Vec<Memory>,
    common: Option<Common>,
    plan: Option<Plan>,
    tally: Tally,
    ready: usize,
    stalled: usize,
    buffer: Vec<u8>,
    stop: Arc<AtomicBool>,
}

impl Swarm {
    /// Without clients. It gives up soon after `stop` is set.
    ///
    /// # Errors
    /// When the system gives no poller.
    pub fn new(stop: Arc<AtomicBool>) -> Result<Self> {
        Ok(Self {
            poll: Poll::new().context("no poller")?,
            events: Events::with_capacity(POLL_EVENTS),
            clients: Vec::new(),
            away: Vec::new(),
            common: None,
            plan: None,
            tally: Tally::default(),
            ready: 0,
            stalled: 0,
            buffer: vec![0; READ_SIZE_BYTES],
            stop,
        })
    }

    /// Counts since [`Self::clear`].
    pub fn counts(&self) -> Counts {
        let sample = self.clients.iter().flatten().find(|client| !client.sample.is_empty());
        Counts {
            ready: self.ready,
            stalled: self.stalled,
            sample: sample.map(|client| super::publish::latin1(&client.sample)),
            ..self.tally.counts()
        }
    }

    /// Begins the counts anew.
    pub fn clear(&mut self) {
        self.tally.clear();
    }

    /// Closes all clients.
    pub fn close(&mut self) {
        self.clients.clear();
        self.away.clear();
        (self.ready, self.stalled) = (0, 0);
    }

    /// Opens the clients of `plan` and waits until they are ready; those before them are closed.
    ///
    /// # Errors
    /// When a client is refused, or no progress is made.
    pub fn open(&mut self, plan: Plan) -> Result<()> {
        self.close();
        self.clear();
        self.common = Some(Common {
            target: plan.target.clone(),
            topics: plan.topics.clone(),
            keeps_tokens: plan.keeps_tokens,
            keeps_sample: plan.keeps_sample,
        });
        let (stalled, all) = (plan.stalled, plan.stalled + plan.reading);
        self.plan = Some(plan);
        // Those that stall come first, so that they are the oldest connections of the server.
        self.open_all((0..all).map(|number| (number, number >= stalled, None)).collect())
    }

    /// Closes all clients; [`Self::come_back`] opens them again.
    pub fn leave(&mut self) {
        (self.ready, self.stalled) = (0, 0);
        self.away.extend(std::mem::take(&mut self.clients).into_iter().flatten().map(Client::leave));
    }

    /// Opens the clients that left, with their tokens.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn come_back(&mut self) -> Result<()> {
        let away = std::mem::take(&mut self.away);
        self.open_all(away.into_iter().map(|memory| (memory.number, memory.reads, Some(memory))).collect())
    }

    fn open_all(&mut self, mut wanted: Vec<(u32, bool, Option<Memory>)>) -> Result<()> {
        let (limit, addresses) = match &self.plan {
            Some(plan) => (plan.handshakes_max.max(1), plan.source_addresses.max(1)),
            None => bail!("no plan of clients"),
        };
        let total = wanted.len();
        wanted.reverse();
        let mut progress = (0, Instant::now());
        while self.ready < total {
            while self.clients.len() - self.ready < limit
                && let Some((number, reads, before)) = wanted.pop()
            {
                self.connect(number, reads, addresses, before)?;
            }
            self.turn(POLL_TIMEOUT)?;
            if self.ready != progress.0 {
                progress = (self.ready, Instant::now());
            }
            let closed = self.tally.closed;
            ensure!(closed == 0, "the server ended {closed} of {total} connections while they opened");
            if progress.1.elapsed() > PROGRESS_TIMEOUT {
                bail!("{} of {total} clients are ready, and no more for {PROGRESS_TIMEOUT:?}", self.ready);
            }
        }
        self.stalled = self.clients.iter().flatten().filter(|client| !client.reads).count();
        self.ready -= self.stalled;
        Ok(())
    }

    fn connect(&mut self, number: u32, reads: bool, addresses: u8, before: Option<Memory>) -> Result<()> {
        let common = self.common.as_ref().context("no plan of clients")?;
        let place = number / CLIENTS_PER_ADDRESS + number % u32::from(addresses);
        let source = Ipv4Addr::new(127, 0, 0, 1 + u8::try_from(place).unwrap_or(u8::MAX - 1));
        let mut client = Client::connect(common, number, source, reads)?;
        if let Some(before) = before {
            client.continues(before);
        }
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut client.socket, Token(self.clients.len()), interest)?;
        self.clients.push(Some(client));
        Ok(())
    }

    /// Waits for sockets and serves them.
    ///
    /// # Errors
    /// When a client is refused or the run was stopped.
    pub fn turn(&mut self, timeout: Duration) -> Result<()> {
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                return Err(error).context("the poller failed");
            }
            _ => {}
        }
        if self.stop.load(Ordering::Relaxed) {
            bail!("interrupted");
        }
        let Some(common) = &self.common else { return Ok(()) };
        for event in &self.events {
            let Some(slot) = self.clients.get_mut(event.token().0) else { continue };
            let Some(client) = slot else { continue };
            if event.is_writable() {
                client.writable(common)?;
            }
            if !(event.is_readable() || event.is_read_closed()) || (!client.reads && client.is_ready()) {
                continue;
            }
            let was_ready = client.is_ready();
            match client.readable(common, &mut self.buffer, &mut self.tally)? {
                Progress::Same => {}
                Progress::Ready => self.ready += 1,
                Progress::Ended => {
                    self.ready -= usize::from(was_ready && self.ready > 0);
                    self.tally.closed += 1;
                    *slot = None;
                }
            }
        }
        Ok(())
    }

    /// Serves sockets until so many events have arrived since [`Self::clear`].
    ///
    /// # Errors
    /// When none arrives for long, or as [`Self::turn`].
    pub fn wait_for_deliveries(&mut self, wanted: u64) -> Result<()> {
        let mut progress = (self.tally.deliveries, Instant::now());
        while self.tally.deliveries < wanted {
            // Never asleep: over loopback the one who writes pays for waking the one who reads, here on another core, and
            // the more the slower it is. On a network nobody pays that.
            self.turn(Duration::ZERO)?;
            if self.tally.deliveries != progress.0 {
                progress = (self.tally.deliveries, Instant::now());
            } else if progress.1.elapsed() > PROGRESS_TIMEOUT {
                bail!("{} of {wanted} events arrived, and no more for {PROGRESS_TIMEOUT:?}", progress.0);
            }
        }
        Ok(())
    }

    /// Revokes the tokens of clients, one after the other, and waits until all of them are closed; or, without a way to
    /// revoke, waits until their tokens have expired and they are closed. `expires_unix_s` is when they do.
    ///
    /// # Errors
    /// When one stays, or as [`Self::turn`].
    pub fn wait_for_closes(
        &mut self,
        holders: u32,
        clients_per_holder: u32,
        mut end: impl FnMut(u32) -> Result<u64>,
    ) -> Result<()> {
        for holder in 0..holders {
            let at = end(holder)?;
            for number in holder * clients_per_holder..(holder + 1) * clients_per_holder {
                let client = self.clients.get_mut(number as usize).and_then(Option::as_mut);
                client.with_context(|| format!("client {number} is closed already"))?.ends_at_ns = Some(at);
            }
            self.turn(Duration::ZERO)?;
        }
        let wanted = u64::from(holders * clients_per_holder);
        let start = Instant::now();
        loop {
            let closed = self.tally.closing.count();
            if closed == wanted {
                return Ok(());
            }
            ensure!(start.elapsed() < PROGRESS_TIMEOUT, "{closed} of {wanted} clients were closed");
            self.turn(POLL_TIMEOUT)?;
        }
    }

    /// Publishes `flushes` times `burst` events to the first topic, each burst only once all clients have the one before.
    ///
    /// # Errors
    /// As [`Self::wait_for_deliveries`].
    pub fn closed_loop(&mut self, publisher: &mut Publisher, flushes: u32, burst: u32) -> Result<()> {
        let begin = self.tally.deliveries;
        for flush in 1..=u64::from(flushes) {
            publisher.publish((0..burst).map(|_| 0), None)?;
            self.wait_for_deliveries(begin + flush * u64::from(burst) * self.ready as u64)?;
        }
        Ok(())
    }

    /// Publishes one event to each of the clients' own topics in turn, `window` under way at once.
    ///
    /// # Errors
    /// As [`Self::wait_for_deliveries`].
    pub fn own_topics(
        &mut self,
        publisher: &mut Publisher,
        topics: u32,
        events: u32,
        window: u32,
    ) -> Result<()> {
        let begin = self.tally.deliveries;
        // A stride without common factor with the number of topics: neighbours belong to one client.
        let stride =
            (1..).map(|more| topics / 3 + more).find(|stride| gcd(*stride, topics) == 1).unwrap_or(1);
        let mut topic = 0;
        for sent in 0..events {
            publisher.publish(std::iter::once(topic), None)?;
            topic = (topic + stride) % topics;
            self.wait_for_deliveries((begin + u64::from(sent) + 1).saturating_sub(u64::from(window)))?;
        }
        self.wait_for_deliveries(begin + u64::from(events))
    }

    /// Publishes at a steady rate from a thread of its own while clients receive; `pinging` of them ping. Events carry the
    /// time at which they were due.
    ///
    /// # Errors
    /// As [`Self::turn`], and what the publisher says.
    pub fn open_loop(
        &mut self,
        publisher: Option<Publisher>,
        rate_per_s: f64,
        duration: Duration,
        pinging: usize,
    ) -> Result<Option<Publisher>> {
        let stop = Arc::clone(&self.stop);
        let publishing: Option<JoinHandle<Result<Publisher>>> = publisher.map(|publisher| {
            std::thread::spawn(move || publish_steadily(publisher, rate_per_s, duration, &stop))
        });
        let end = Instant::now() + duration;
        let mut next_ping = Instant::now();
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            let mut wait = left.min(POLL_TIMEOUT);
            if pinging > 0 {
                if Instant::now() >= next_ping {
                    next_ping = Instant::now() + PING_INTERVAL;
                    for client in self.clients.iter_mut().flatten().take(pinging) {
                        client.ping()?;
                    }
                }
                wait = wait.min(next_ping.saturating_duration_since(Instant::now()));
            }
            self.turn(wait)?;
        }
        match publishing.map(JoinHandle::join) {
            None => Ok(None),
            Some(Ok(result)) => result.map(Some),
            Some(Err(_)) => bail!("the publisher's thread panicked"),
        }
    }
}

fn publish_steadily(
    mut publisher: Publisher,
    rate_per_s: f64,
    duration: Duration,
    stop: &AtomicBool,
) -> Result<Publisher> {
    let interval = Duration::from_secs_f64(1.0 / rate_per_s);
    let (start, start_ns) = (Instant::now(), now_ns());
    let mut due = Duration::ZERO;
    while due < duration && !stop.load(Ordering::Relaxed) {
        std::thread::sleep(due.saturating_sub(start.elapsed()));
        let due_ns = start_ns + u64::try_from(due.as_nanos()).unwrap_or_default();
        publisher.publish(std::iter::once(0), Some(due_ns))?;
        due += interval;
    }
    Ok(publisher)
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}
