//! Contestants side by side: each has its server, its swarm and its clients, and takes its turn in every round.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use super::samples::Samples;
use super::servers::{Contestant, Form, Ground, Server};
use crate::swarm::driven::{Command, SwarmProcess};
use crate::swarm::engine::Plan;
use crate::swarm::protocol::Topics;
use crate::swarm::tally::Counts;

/// Handshakes under way at once: fewer than any peer's backlog.
pub const HANDSHAKES_MAX: usize = 128;
/// Loopback addresses that clients come from.
pub const SOURCE_ADDRESSES: u8 = 4;

/// What topics of a bench begin with.
const PREFIX: &str = "app.bench";

/// What was measured of each contestant, a value a round.
pub type Values = BTreeMap<Contestant, Vec<f64>>;

/// A contestant with its clients.
pub struct Lane {
    /// The server.
    pub server: Server,
    /// Its clients.
    pub swarm: SwarmProcess,
}

/// Which clients a lane has.
#[derive(Debug, Clone)]
pub struct Crowd {
    /// Wire form.
    pub form: Form,
    /// Clients that read.
    pub reading: u32,
    /// Clients that never do.
    pub stalled: u32,
    /// Topics that each follows.
    pub topics_per_client: u32,
    /// Each follows topics of its own.
    pub own_topics: bool,
    /// What topics begin with. All gateways of a run follow the same NATS: lanes that run side by side must not hear each
    /// other.
    pub prefix: &'static str,
}

impl Crowd {
    /// Clients that all follow one topic.
    pub fn of_one_topic(form: Form, reading: u32) -> Self {
        Self { form, reading, stalled: 0, topics_per_client: 1, own_topics: false, prefix: PREFIX }
    }

    /// Topics that there are.
    pub fn topics(&self) -> u32 {
        if self.own_topics {
            (self.reading + self.stalled) * self.topics_per_client
        } else {
            self.topics_per_client
        }
    }

    /// The swarm's plan for this server.
    pub fn plan(&self, server: &Server) -> Plan {
        Plan {
            target: server.target(self.form),
            topics: Topics {
                prefix: self.prefix.to_owned(),
                per_client: self.topics_per_client,
                own: self.own_topics,
            },
            reading: self.reading,
            stalled: self.stalled,
            handshakes_max: HANDSHAKES_MAX,
            source_addresses: SOURCE_ADDRESSES,
            keeps_tokens: false,
            keeps_sample: false,
        }
    }
}

impl Lane {
    /// Starts the server and a swarm without clients.
    ///
    /// # Errors
    /// When either does not start.
    pub fn start(ground: &Ground, contestant: Contestant) -> Result<Self> {
        let server = ground.server(contestant)?;
        Ok(Self { server, swarm: SwarmProcess::start()? })
    }

    /// The same with these clients, and an entrance for events.
    ///
    /// # Errors
    /// When clients are refused.
    pub fn crowded(
        ground: &Ground,
        contestant: Contestant,
        crowd: &Crowd,
        samples: &Samples,
    ) -> Result<Self> {
        let mut lane = Self::start(ground, contestant)?;
        let named = || format!("{contestant}, {} clients", crowd.reading + crowd.stalled);
        lane.ask(&Command::Open(Box::new(crowd.plan(&lane.server)))).with_context(named)?;
        let entrance = lane.server.entrance(crowd, samples);
        lane.ask(&Command::Enter { entrance, topics: crowd.topics() }).with_context(named)?;
        Ok(lane)
    }

    /// Tells the swarm something and waits for its answer.
    ///
    /// # Errors
    /// What the swarm says.
    pub fn ask(&mut self, command: &Command) -> Result<Counts> {
        self.swarm.ask(command).with_context(|| self.server.contestant.to_string())
    }
}

/// Lets each lane take its turn in every round, each round beginning with another one.
///
/// # Errors
/// The first that a turn gives.
pub fn interleaved(
    rounds: usize,
    lanes: &mut [Lane],
    mut turn: impl FnMut(&mut Lane) -> Result<f64>,
) -> Result<Values> {
    let mut values = Values::new();
    for round in 0..rounds {
        for place in 0..lanes.len() {
            let lane = &mut lanes[(round + place) % lanes.len()];
            let value = turn(lane)?;
            values.entry(lane.server.contestant).or_default().push(value);
        }
    }
    Ok(values)
}
