//! What other nodes told last: a bounded table, pure. How it hears is in `follow.rs`.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use proto_schemas::v1::{GpuState, SystemState};
use proto_schemas::{Stream, names};
use serde::de::DeserializeOwned;

use crate::sampler::Sample;

/// Subject tokens before the node's name.
pub const GPU_PREFIX: &str = "state.gpu.";
/// Subject tokens before the node's name.
pub const SYSTEM_PREFIX: &str = "state.system.";
/// Nodes that are kept: with two states of [`STATE_SIZE_MAX`] each at worst, 64 MiB. Nodes beyond are not heard until
/// others fall silent.
const NODES_MAX: usize = 1_024;
/// Largest state that is kept, bytes; a node with 64 GPUs needs about 16 KiB.
const STATE_SIZE_MAX: usize = 32 * 1024;

/// Why a state was not kept.
#[derive(Debug, thiserror::Error)]
pub enum NotKept {
    /// It is our own.
    #[error("our own")]
    Own,
    /// The subject is not a node's.
    #[error("not the subject of a node")]
    Subject,
    /// It is too large.
    #[error("{0} bytes are more than a state may have")]
    TooLarge(usize),
    /// It does not parse.
    #[error("not a state of this contract")]
    Malformed(#[from] serde_json::Error),
    /// The table is full.
    #[error("no room for another node")]
    Full,
}

impl NotKept {
    /// A bounded label.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Subject => "subject",
            Self::TooLarge(_) => "too_large",
            Self::Malformed(_) => "malformed",
            Self::Full => "full",
        }
    }
}

#[derive(Debug, Default)]
struct Node {
    gpu: Option<Sample<GpuState>>,
    system: Option<Sample<SystemState>>,
}

/// The newest states of other nodes.
#[derive(Debug)]
pub struct NodeTable {
    own: String,
    nodes: HashMap<String, Node>,
}

/// How long a node that fell silent is answered for: as long as the stream keeps its state.
fn age_max() -> Duration {
    Stream::State.spec().max_age
}

fn fresh<T>(sample: Option<&Sample<T>>, now: Instant) -> Option<&Sample<T>> {
    sample.filter(|sample| now.duration_since(sample.taken_at) <= age_max())
}

impl NodeTable {
    /// An empty table that leaves out `own`.
    pub fn new(own: &str) -> Self {
        Self { own: own.to_owned(), nodes: HashMap::new() }
    }

    /// Keeps a state that was heard at `now`.
    pub fn hear(&mut self, subject: &str, payload: &[u8], now: Instant) -> Result<(), NotKept> {
        if let Some(token) = subject.strip_prefix(GPU_PREFIX) {
            let (node, state) = self.parse(token, payload)?;
            self.node(node, now)?.gpu = Some(Sample { value: state, taken_at: now });
        } else {
            let token = subject.strip_prefix(SYSTEM_PREFIX).ok_or(NotKept::Subject)?;
            let (node, state) = self.parse(token, payload)?;
            self.node(node, now)?.system = Some(Sample { value: state, taken_at: now });
        }
        Ok(())
    }

    /// The newest GPU state of a node; `None` once the stream no longer has it either.
    pub fn gpu(&self, node: &str, now: Instant) -> Option<&Sample<GpuState>> {
        fresh(self.nodes.get(node)?.gpu.as_ref(), now)
    }

    /// The newest load of a node; `None` once the stream no longer has it either.
    pub fn system(&self, node: &str, now: Instant) -> Option<&Sample<SystemState>> {
        fresh(self.nodes.get(node)?.system.as_ref(), now)
    }

    fn parse<T: DeserializeOwned>(&self, token: &str, payload: &[u8]) -> Result<(String, T), NotKept> {
        let node = names::decode(token).map_err(|_| NotKept::Subject)?;
        if node == self.own {
            return Err(NotKept::Own);
        }
        if payload.len() > STATE_SIZE_MAX {
            return Err(NotKept::TooLarge(payload.len()));
        }
        Ok((node, serde_json::from_slice(payload)?))
    }

    fn node(&mut self, name: String, now: Instant) -> Result<&mut Node, NotKept> {
        if self.nodes.len() >= NODES_MAX && !self.nodes.contains_key(&name) {
            self.nodes.retain(|_, node| {
                fresh(node.gpu.as_ref(), now).is_some() || fresh(node.system.as_ref(), now).is_some()
            });
            if self.nodes.len() >= NODES_MAX {
                return Err(NotKept::Full);
            }
        }
        Ok(self.nodes.entry(name).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto_schemas::{event, json};

    fn load(node: &str) -> Vec<u8> {
        json::to_vec(&SystemState { node: node.to_owned(), load_1m: Some(2.0), ..SystemState::default() })
    }

    #[test]
    fn the_subjects_are_those_of_the_contract() {
        assert_eq!(event::state_gpu("n"), format!("{GPU_PREFIX}n"));
        assert_eq!(event::state_system("n"), format!("{SYSTEM_PREFIX}n"));
    }

    #[test]
    fn a_node_is_answered_for_as_long_as_the_stream_keeps_its_state() {
        let (mut table, start) = (NodeTable::new("own"), Instant::now());
        table.hear(&event::state_system("gpu-1.rack"), &load("gpu-1.rack"), start).unwrap();
        let heard = table.system("gpu-1.rack", start + age_max()).unwrap();
        assert_eq!(heard.value.load_1m, Some(2.0));
        assert!(table.system("gpu-1.rack", start + age_max() + Duration::from_millis(1)).is_none());
        assert!(table.gpu("gpu-1.rack", start).is_none(), "its GPUs were never told");
    }

    #[test]
    fn what_is_not_another_nodes_state_is_not_kept() {
        let (mut table, now) = (NodeTable::new("own"), Instant::now());
        let label = |result: Result<(), NotKept>| result.unwrap_err().label();
        assert_eq!(label(table.hear("state.system.own", &load("own"), now)), "own");
        assert_eq!(label(table.hear("state.kb", b"{}", now)), "subject");
        assert_eq!(label(table.hear("state.system.a.b", &load("x"), now)), "subject");
        assert_eq!(label(table.hear("state.system.x", b"", now)), "malformed");
        assert_eq!(label(table.hear("state.system.x", &vec![b' '; STATE_SIZE_MAX + 1], now)), "too_large");
        assert!(table.nodes.is_empty());
    }

    #[test]
    fn the_table_is_bounded_and_makes_room_when_nodes_fall_silent() {
        let (mut table, start) = (NodeTable::new("own"), Instant::now());
        for number in 0..NODES_MAX {
            table.hear(&format!("state.system.n{number}"), &load("n"), start).unwrap();
        }
        assert!(matches!(table.hear("state.system.more", &load("n"), start), Err(NotKept::Full)));
        table.hear("state.system.n0", &load("n"), start).unwrap();
        let later = start + age_max() + Duration::from_secs(1);
        table.hear("state.system.more", &load("n"), later).unwrap();
        assert_eq!(table.nodes.len(), 1);
    }
}
