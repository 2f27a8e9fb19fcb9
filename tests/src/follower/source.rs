//! Publishes numbered events past the gateway, straight into their streams, and keeps what the streams took.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_nats::jetstream;
use proto_schemas::{Stream, TopicPattern};
use serde_json::json;

use crate::exact::Truth;

/// The numbers of events: each its own, rising over all topics. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Numbers(Arc<AtomicU64>);

impl Numbers {
    /// The highest that was given out.
    pub fn newest(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    fn give_out(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }
}

/// See the module.
#[derive(Debug)]
pub struct Source {
    /// What was given out.
    pub numbers: Numbers,
    truths: HashMap<Stream, Truth>,
    padding: String,
}

impl Source {
    /// Events have this much beside their number, bytes.
    pub fn new(padding_size: usize) -> Self {
        Self { numbers: Numbers::default(), truths: HashMap::new(), padding: "x".repeat(padding_size) }
    }

    /// Publishes an event on each of these subjects, in this order, and waits until the streams have them.
    ///
    /// # Panics
    /// When a stream does not take one.
    pub async fn publish(&mut self, jetstream: &jetstream::Context, subjects: &[&str]) {
        let mut under_way = Vec::with_capacity(subjects.len());
        for subject in subjects {
            let number = self.numbers.give_out();
            let payload = json!({"n": number, "padding": self.padding}).to_string();
            let sent = jetstream.publish((*subject).to_owned(), payload.into()).await;
            under_way.push((*subject, number, sent.expect("a test reaches its own nats-server")));
        }
        for (subject, number, sent) in under_way {
            let taken =
                sent.await.unwrap_or_else(|error| panic!("{subject} takes no number {number}: {error}"));
            let topic: TopicPattern = subject.parse().expect("tests publish on topics that there are");
            self.truth_mut(topic.stream()).append(taken.sequence, subject, number);
        }
    }

    /// What the stream held over time.
    ///
    /// # Panics
    /// When nothing was ever published there.
    pub fn truth(&self, stream: Stream) -> &Truth {
        self.truths.get(&stream).unwrap_or_else(|| panic!("nothing was published to {}", stream.spec().name))
    }

    /// The same, to note what becomes of it.
    pub fn truth_mut(&mut self, stream: Stream) -> &mut Truth {
        self.truths.entry(stream).or_default()
    }
}
