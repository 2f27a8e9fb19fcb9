//! What the governor has heard of hosts, GPUs and the knowledge base, and the readings that follow from it. Pure; how
//! it hears is in `follow.rs`.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use proto_schemas::event::STATE_KB;
use proto_schemas::v1::{GpuState, KnowledgeBaseState, SystemState};
use proto_schemas::{Stream, names};
use tokio::time::Instant;

use crate::decide::Reading;

/// Subject tokens before a node's name.
pub const GPU_PREFIX: &str = "state.gpu.";
/// Subject tokens before a node's name.
pub const SYSTEM_PREFIX: &str = "state.system.";
/// Nodes that are remembered; each costs a name and a few numbers. Nodes beyond are not heard until others fall
/// silent.
const NODES_MAX: usize = 1_024;
/// Largest state that is read, bytes; a node with 64 GPUs needs about 16 KiB.
const STATE_SIZE_MAX: usize = 32 * 1024;
/// Growth is measured over this time: long enough for the repeats of a quiet knowledge base.
const GROWTH_WINDOW: Duration = Duration::from_secs(30);
/// Points closer than this replace each other, which keeps the window below 70 points.
const POINT_SPACING: Duration = Duration::from_millis(500);

/// Why a state was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum NotHeard {
    /// The subject is none of ours.
    #[error("not a subject that decisions rest on")]
    Subject,
    /// It is too large.
    #[error("{0} bytes are more than a state may have")]
    TooLarge(usize),
    /// It does not parse.
    #[error("not a state of this contract")]
    Malformed(#[from] serde_json::Error),
    /// Too many nodes.
    #[error("no room for another node")]
    Full,
}

/// A value of one node.
#[derive(Debug)]
struct NodeValue {
    value: f64,
    /// What the value is of, beyond the node; empty for the host itself.
    label: String,
    observed_at: String,
    heard_at: Instant,
}

/// The knowledge base's size at one moment.
#[derive(Debug)]
struct Point {
    facts: f64,
    heard_at: Instant,
}

/// All that was heard.
#[derive(Debug, Default)]
pub struct Heard {
    hosts: HashMap<String, NodeValue>,
    gpus: HashMap<String, NodeValue>,
    /// In the order heard, of one epoch, within the window or the last one before it.
    points: VecDeque<Point>,
    epoch: String,
    kb_observed_at: String,
    kb_heard_at: Option<Instant>,
}

impl Heard {
    /// Takes in a state and returns the name of the input it belongs to.
    pub fn hear(&mut self, subject: &str, payload: &[u8], now: Instant) -> Result<&'static str, NotHeard> {
        if payload.len() > STATE_SIZE_MAX {
            return Err(NotHeard::TooLarge(payload.len()));
        }
        if subject == STATE_KB {
            self.hear_kb(&serde_json::from_slice(payload)?, now);
            return Ok("kb_growth");
        }
        let node = |prefix| names::decode(subject.strip_prefix(prefix)?).ok();
        if let Some(node) = node(SYSTEM_PREFIX) {
            let state: SystemState = serde_json::from_slice(payload)?;
            // The first sample of a monitor knows no share yet.
            let Some(value) = state.cpu_percent else { return Ok("host_load") };
            let seen = NodeValue { value, label: String::new(), observed_at: state.time, heard_at: now };
            keep(&mut self.hosts, node, seen)?;
            return Ok("host_load");
        }
        let node = node(GPU_PREFIX).ok_or(NotHeard::Subject)?;
        self.hear_gpus(node, serde_json::from_slice(payload)?, now)?;
        Ok("gpu_load")
    }

    fn hear_gpus(&mut self, node: String, state: GpuState, now: Instant) -> Result<(), NotHeard> {
        let busiest = state
            .gpus
            .iter()
            .filter_map(|gpu| Some((gpu.index, gpu.utilization_percent?)))
            .max_by(|one, other| one.1.total_cmp(&other.1));
        let Some((index, value)) = busiest else {
            self.gpus.remove(&node);
            return Ok(());
        };
        let label = match state.source.as_str() {
            "simulator" => format!("GPU {index} (simulated) of "),
            _ => format!("GPU {index} of "),
        };
        keep(&mut self.gpus, node, NodeValue { value, label, observed_at: state.time, heard_at: now })
    }

    fn hear_kb(&mut self, state: &KnowledgeBaseState, now: Instant) {
        let before = self.points.back().map(|point| point.facts);
        if state.epoch != self.epoch || before.is_some_and(|before| state.fact_count < before) {
            // Another store or a restored one: the difference to the old size would be no growth.
            self.points.clear();
            self.epoch.clone_from(&state.epoch);
        }
        if self.points.back().is_some_and(|last| now.duration_since(last.heard_at) > GROWTH_WINDOW) {
            // Spread over a time in which nothing was heard, growth would look smaller than it is.
            self.points.clear();
        }
        self.kb_observed_at.clone_from(&state.time);
        self.kb_heard_at = Some(now);
        let point = Point { facts: state.fact_count, heard_at: now };
        let count = self.points.len();
        let too_close = count >= 2 && now.duration_since(self.points[count - 2].heard_at) < POINT_SPACING;
        match self.points.back_mut() {
            Some(last) if too_close => *last = point,
            _ => self.points.push_back(point),
        }
        let outside = |point: &Point| now.duration_since(point.heard_at) >= GROWTH_WINDOW;
        while self.points.len() > 2 && outside(&self.points[1]) {
            self.points.pop_front();
        }
    }

    /// The highest CPU load of all hosts, percent; of those within `stale_after` where there are any.
    pub fn host_load(&self, now: Instant, stale_after: Duration) -> Option<Reading> {
        highest(&self.hosts, "of all cores", now, stale_after)
    }

    /// The highest utilisation of all GPUs, percent; of nodes within `stale_after` where there are any.
    pub fn gpu_load(&self, now: Instant, stale_after: Duration) -> Option<Reading> {
        highest(&self.gpus, "utilisation", now, stale_after)
    }

    /// The growth of the knowledge base, facts a second; not known before it was heard twice.
    pub fn kb_growth(&self) -> Option<Reading> {
        let (first, last) = (self.points.front()?, self.points.back()?);
        let elapsed_s = last.heard_at.duration_since(first.heard_at).as_secs_f64();
        if elapsed_s <= 0.0 {
            return None;
        }
        let heard_at = self.kb_heard_at?;
        let value = ((last.facts - first.facts) / elapsed_s * 10.0).round() / 10.0;
        Some(Reading {
            value,
            text: format!("{value} facts/s over {elapsed_s:.0} s, {} facts in all", last.facts),
            observed_at: self.kb_observed_at.clone(),
            heard_at,
            oldest_at: heard_at,
        })
    }
}

/// How long a silent node is remembered: as long as the stream keeps its state.
fn silent(value: &NodeValue, now: Instant) -> bool {
    now.duration_since(value.heard_at) > Stream::State.spec().max_age
}

fn keep(nodes: &mut HashMap<String, NodeValue>, node: String, value: NodeValue) -> Result<(), NotHeard> {
    if nodes.len() >= NODES_MAX && !nodes.contains_key(&node) {
        nodes.retain(|_, known| !silent(known, value.heard_at));
        if nodes.len() >= NODES_MAX {
            return Err(NotHeard::Full);
        }
    }
    nodes.insert(node, value);
    Ok(())
}

/// The highest value of the fresh nodes, or of all known ones where none is fresh. It also says when the most silent
/// one was heard, which may be the busiest by now.
fn highest(
    nodes: &HashMap<String, NodeValue>,
    what: &str,
    now: Instant,
    stale_after: Duration,
) -> Option<Reading> {
    let known = || nodes.iter().filter(|(_, value)| !silent(value, now));
    let fresh = |value: &NodeValue| now.duration_since(value.heard_at) <= stale_after;
    let any_fresh = known().any(|(_, value)| fresh(value));
    let compared = || known().filter(|(_, value)| !any_fresh || fresh(value));
    // Names order equal values, so that the answer does not jump between them.
    let (node, top) =
        compared().max_by(|one, other| one.1.value.total_cmp(&other.1.value).then(other.0.cmp(one.0)))?;
    let among = match compared().count() {
        1 => String::new(),
        count => format!(", the highest of {count} nodes"),
    };
    Some(Reading {
        value: top.value,
        text: format!("{} % {what} on {}{node}{among}", top.value, top.label),
        observed_at: top.observed_at.clone(),
        heard_at: top.heard_at,
        oldest_at: known().map(|(_, value)| value.heard_at).min()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto_schemas::v1::Gpu;
    use proto_schemas::{event, json};

    fn system(heard: &mut Heard, node: &str, cpu_percent: Option<f64>, now: Instant) {
        let state = SystemState { node: node.to_owned(), cpu_percent, ..SystemState::default() };
        heard.hear(&event::state_system(node), &json::to_vec(&state), now).unwrap();
    }

    fn kb(heard: &mut Heard, epoch: &str, facts: f64, now: Instant) {
        let state = KnowledgeBaseState {
            epoch: epoch.to_owned(),
            fact_count: facts,
            ..KnowledgeBaseState::default()
        };
        assert_eq!(heard.hear(STATE_KB, &json::to_vec(&state), now).unwrap(), "kb_growth");
    }

    const STALE_AFTER: Duration = Duration::from_secs(30);

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn the_subjects_are_those_of_the_contract() {
        assert_eq!(event::state_gpu("n"), format!("{GPU_PREFIX}n"));
        assert_eq!(event::state_system("n"), format!("{SYSTEM_PREFIX}n"));
    }

    #[test]
    fn the_busiest_fresh_host_counts_and_a_silent_one_does_not_hide_it() {
        let (mut heard, start) = (Heard::default(), Instant::now());
        let load = |heard: &Heard, second| heard.host_load(start + seconds(second), STALE_AFTER);
        assert_eq!(load(&heard, 0), None);
        system(&mut heard, "a.rack", Some(80.0), start);
        system(&mut heard, "b", Some(20.0), start + seconds(10));
        system(&mut heard, "c", None, start + seconds(10));
        let both = load(&heard, 10).unwrap();
        assert_eq!(both.text, "80 % of all cores on a.rack, the highest of 2 nodes");
        assert_eq!((both.heard_at, both.oldest_at), (start, start));
        let fresh = load(&heard, 35).unwrap();
        assert_eq!(fresh.text, "20 % of all cores on b", "what a said is too old");
        assert_eq!((fresh.heard_at, fresh.oldest_at), (start + seconds(10), start), "but a is not forgotten");
        let stale = load(&heard, 50).unwrap();
        assert_eq!((stale.value, stale.heard_at), (80.0, start), "where none is fresh, all count");
        let later = load(&heard, 65).unwrap();
        assert_eq!(
            (later.value, later.oldest_at),
            (20.0, start + seconds(10)),
            "a node that ended is forgotten"
        );
    }

    #[test]
    fn a_node_without_gpus_says_nothing_and_a_simulated_one_says_so() {
        let (mut heard, now) = (Heard::default(), Instant::now());
        let mut tell = |source: &str, utilization: &[f64]| {
            let gpu = |(index, percent): (usize, &f64)| Gpu {
                index: u32::try_from(index).unwrap(),
                utilization_percent: Some(*percent),
                ..Gpu::default()
            };
            let state = GpuState {
                node: "n".to_owned(),
                source: source.to_owned(),
                gpus: utilization.iter().enumerate().map(gpu).collect(),
                time: String::new(),
            };
            heard.hear("state.gpu.n", &json::to_vec(&state), now).unwrap();
            heard.gpu_load(now, STALE_AFTER)
        };
        let reading = tell("simulator", &[10.0, 70.5]).unwrap();
        assert_eq!(reading.text, "70.5 % utilisation on GPU 1 (simulated) of n");
        assert_eq!(tell("none", &[]), None);
    }

    #[test]
    fn growth_is_measured_within_one_epoch_over_a_bounded_window() {
        let (mut heard, start) = (Heard::default(), Instant::now());
        kb(&mut heard, "e", 1_000.0, start);
        assert_eq!(heard.kb_growth(), None, "one size is no growth");
        kb(&mut heard, "e", 1_500.0, start + seconds(10));
        assert_eq!(heard.kb_growth().unwrap().value, 50.0);
        kb(&mut heard, "e", 1_500.0, start + seconds(60));
        kb(&mut heard, "e", 1_500.0, start + seconds(70));
        let quiet = heard.kb_growth().unwrap();
        assert_eq!((quiet.value, quiet.heard_at), (0.0, start + seconds(70)));
        kb(&mut heard, "other", 9_000_000.0, start + seconds(71));
        assert_eq!(heard.kb_growth(), None, "another store did not grow");
        for step in 0..10_000 {
            kb(&mut heard, "other", 9_000_000.0, start + seconds(72) + Duration::from_millis(step * 20));
        }
        assert!(heard.points.len() < 70, "{}", heard.points.len());
    }

    #[test]
    fn growth_is_not_spread_over_a_time_in_which_nothing_was_heard() {
        let (mut heard, start) = (Heard::default(), Instant::now());
        kb(&mut heard, "e", 0.0, start);
        kb(&mut heard, "e", 0.0, start + seconds(10));
        kb(&mut heard, "e", 50_000.0, start + seconds(110));
        assert_eq!(heard.kb_growth(), None, "nobody knows when it grew");
        kb(&mut heard, "e", 60_000.0, start + seconds(115));
        assert_eq!(heard.kb_growth().unwrap().value, 2_000.0);
    }

    #[test]
    fn what_cannot_be_understood_is_refused() {
        let (mut heard, now) = (Heard::default(), Instant::now());
        assert!(matches!(heard.hear("state.governor", b"{}", now), Err(NotHeard::Subject)));
        assert!(matches!(heard.hear("state.gpu.a.b", b"{}", now), Err(NotHeard::Subject)));
        assert!(matches!(heard.hear(STATE_KB, b"", now), Err(NotHeard::Malformed(_))));
        let large = vec![b' '; STATE_SIZE_MAX + 1];
        assert!(matches!(heard.hear(STATE_KB, &large, now), Err(NotHeard::TooLarge(_))));
    }

    #[test]
    fn nodes_are_bounded_and_make_room_when_they_fall_silent() {
        let (mut heard, start) = (Heard::default(), Instant::now());
        for number in 0..NODES_MAX {
            system(&mut heard, &format!("n{number}"), Some(1.0), start);
        }
        let state = SystemState { cpu_percent: Some(1.0), ..SystemState::default() };
        let more = json::to_vec(&state);
        assert!(matches!(heard.hear("state.system.more", &more, start), Err(NotHeard::Full)));
        heard.hear("state.system.more", &more, start + seconds(61)).unwrap();
        assert_eq!(heard.hosts.len(), 1);
    }
}
