//! Messages as the gateway sends them, taken from a running one: the peers send the same bytes.

use anyhow::{Context, Result};

use super::contest::{Crowd, Lane};
use super::servers::{Contestant, Form, Ground};
use crate::swarm::driven::Command;
use crate::swarm::publish::latin1;

/// Messages as the gateway sends them: the peers send the same.
#[derive(Debug, Clone)]
pub struct Samples {
    /// A text message of `/ws`.
    pub ws: String,
    /// An event of the event stream, without its last line feed.
    pub sse: String,
}

impl Samples {
    /// One message of each form from a running gateway.
    ///
    /// # Errors
    /// When the gateway sends none.
    pub fn from_gateway(ground: &Ground) -> Result<Self> {
        Ok(Self { ws: sample(ground, Form::Ws)?, sse: sample(ground, Form::Sse)? })
    }

    /// The whole frame, as the gateway's socket gets it.
    pub fn frame(&self, form: Form) -> String {
        match form {
            Form::Sse => format!("{}\n", self.sse),
            Form::Ws => {
                let length = u16::try_from(self.ws.len()).unwrap_or(u16::MAX).to_be_bytes();
                format!("{}{}", latin1(&[0x81, 126, length[0], length[1]]), self.ws)
            }
        }
    }

    /// What a server that makes its own frames is given.
    pub fn message(&self, form: Form) -> String {
        match form {
            Form::Ws => self.ws.clone(),
            Form::Sse => {
                let data = self.sse.lines().find_map(|line| line.strip_prefix("data: "));
                data.unwrap_or_default().to_owned()
            }
        }
    }
}

fn sample(ground: &Ground, form: Form) -> Result<String> {
    let mut lane = Lane::start(ground, Contestant::Bywash)?;
    let crowd = Crowd::of_one_topic(form, 1);
    let mut plan = crowd.plan(&lane.server);
    plan.keeps_sample = true;
    lane.ask(&Command::Open(Box::new(plan)))?;
    let nothing = Samples { ws: String::new(), sse: String::new() };
    let entrance = lane.server.entrance(&crowd, &nothing);
    lane.ask(&Command::Enter { entrance, topics: 1 })?;
    lane.ask(&Command::Closed { flushes: 1, burst: 1 })?.sample.context("the gateway sent no event")
}
