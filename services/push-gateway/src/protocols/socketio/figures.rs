//! The newest figures of a few state topics, one of each for the whole process: `initial_data` and `system_status` name
//! values that come from more than one event. They are noted when an event is put into its wire form, which happens
//! for every new value while some client follows it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use proto_schemas::Stream;
use serde_json::Value;

use crate::event::Event;

/// Samples larger than this are told and not kept, bytes.
const SAMPLE_SIZE_MAX: usize = 64 * 1024;
/// Pods whose connections are counted.
const PODS_MAX: usize = 1_024;

/// What is known now.
#[derive(Debug, Default, Clone)]
pub struct Known {
    /// Facts in the knowledge base.
    pub fact_count: Option<u64>,
    /// Connections of all pods.
    pub connected_clients: Option<u64>,
    /// The governor's state.
    pub governor: Option<Arc<Value>>,
    /// The newest sample of GPUs, of whichever node; JSON.
    pub gpu: Option<Arc<str>>,
    /// The newest sample of a host; JSON.
    pub system: Option<Arc<str>>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Figures(
    // Noted by worker threads and read by them, each for a few instructions.
    Mutex<Newest>,
);

/// A value and when it was noted.
type Noted<T> = Option<(Instant, T)>;

#[derive(Debug, Default)]
struct Newest {
    fact_count: Noted<u64>,
    governor: Noted<Arc<Value>>,
    gpu: Noted<Arc<str>>,
    system: Noted<Arc<str>>,
    connections: BTreeMap<Box<str>, (Instant, u64)>,
}

impl Figures {
    /// Notes a new value and says what is known with it.
    pub fn note(&self, event: &Event, payload: &Value, raw: &str) -> Known {
        let now = Instant::now();
        let mut newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        newest.note(&event.topic, &event.event_type, payload, raw, now);
        newest.known(now)
    }

    /// What is known now.
    pub fn known(&self) -> Known {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).known(Instant::now())
    }
}

impl Newest {
    fn note(&mut self, topic: &str, event_type: &str, payload: &Value, raw: &str, now: Instant) {
        let sample = || (raw.len() <= SAMPLE_SIZE_MAX).then(|| (now, raw.into()));
        match event_type {
            "kb_state" => self.fact_count = count(payload, "fact_count").map(|count| (now, count)),
            "governor_state" => self.governor = Some((now, Arc::new(payload.clone()))),
            "gpu_state" => self.gpu = sample(),
            "system_state" => self.system = sample(),
            "gateway_state" => {
                if let Some(connections) = count(payload, "connections")
                    && (self.connections.len() < PODS_MAX || self.connections.contains_key(topic))
                {
                    self.connections.insert(topic.into(), (now, connections));
                }
            }
            _ => {
                self.connections.remove(topic);
            }
        }
    }

    /// A state that still holds is told again well within its stream's age; what was not is not known any more.
    fn known(&self, now: Instant) -> Known {
        let age_max = Stream::State.spec().max_age;
        let is_fresh = |at: Instant| now.saturating_duration_since(at) <= age_max;
        let connections: Vec<u64> =
            self.connections.values().filter(|(at, _)| is_fresh(*at)).map(|(_, count)| *count).collect();
        Known {
            fact_count: fresh(&self.fact_count, now, age_max),
            connected_clients: (!connections.is_empty()).then(|| connections.iter().sum()),
            governor: fresh(&self.governor, now, age_max),
            gpu: fresh(&self.gpu, now, age_max),
            system: fresh(&self.system, now, age_max),
        }
    }
}

fn fresh<T: Clone>(noted: &Noted<T>, now: Instant, age_max: Duration) -> Option<T> {
    noted
        .as_ref()
        .filter(|(at, _)| now.saturating_duration_since(*at) <= age_max)
        .map(|(_, value)| value.clone())
}

/// A count, which JSON of other writers may give as `7.0`.
fn count(of: &Value, name: &str) -> Option<u64> {
    let number = of.get(name)?;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count is whole, not negative and below 2^53"
    )]
    let rounded = || number.as_f64().map(|number| number as u64);
    number.as_u64().or_else(rounded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn connections_of_all_pods_are_summed_until_a_pod_ends_or_falls_silent() {
        let (mut newest, start) = (Newest::default(), Instant::now());
        let later = start + Stream::State.spec().max_age;
        newest.note("state.gateway.a", "gateway_state", &json!({"connections": 4}), "", start);
        newest.note("state.gateway.b", "gateway_state", &json!({"connections": 5.0}), "", later);
        assert_eq!(newest.known(later).connected_clients, Some(9));
        assert_eq!(newest.known(later + Duration::from_secs(1)).connected_clients, Some(5));
        newest.note("state.gateway.b", "removed", &Value::Null, "", later);
        assert_eq!(newest.known(later + Duration::from_secs(1)).connected_clients, None);
    }

    #[test]
    fn an_old_sample_is_no_sample() {
        let (mut newest, start) = (Newest::default(), Instant::now());
        newest.note("state.gpu.n", "gpu_state", &json!({}), "{}", start);
        assert_eq!(newest.known(start).gpu.as_deref(), Some("{}"));
        let later = start + Stream::State.spec().max_age + Duration::from_secs(1);
        assert_eq!(newest.known(later).gpu, None);
    }
}
