//! The way of decisions into the stream: in order, each until it is acknowledged.
//!
//! While NATS is away they wait here. When the outbox is full the governor decides nothing more and refuses operators'
//! commands, so no decision that took effect is ever missing from the stream while this process lives. What is not
//! sent when it ends is lost with it, and the log says how many. A lost acknowledgement does not double a decision:
//! its id is the message's, and the stream refuses a repeat within its window.

use std::sync::Arc;
use std::time::Duration;

use chassis::{Nats, Shutdown, TraceParent, streams};
use prometheus::IntGauge;
use proto_schemas::v1::Decision;
use proto_schemas::{Event, Stream, event, json};
use tokio::sync::mpsc;

/// Decisions that may wait: at most a few a minute are made, so this is hours without NATS, in about 1 MiB.
const CAPACITY: usize = 1_024;
/// Pause after a failure, doubling to the longest.
const RETRY_MIN: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(5);

/// A decision on its way.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The decision.
    pub decision: Decision,
    /// The request that made it, where one did.
    pub request: Option<TraceParent>,
}

/// The end where decisions go in.
#[derive(Debug)]
pub struct Outbox {
    sender: mpsc::Sender<Outgoing>,
    waiting: IntGauge,
}

/// The end where they come out.
#[derive(Debug)]
pub struct Pending {
    receiver: mpsc::Receiver<Outgoing>,
    waiting: IntGauge,
}

/// An empty outbox; `waiting` shows how many decisions are in it.
pub fn outbox(waiting: IntGauge) -> (Outbox, Pending) {
    let (sender, receiver) = mpsc::channel(CAPACITY);
    (Outbox { sender, waiting: waiting.clone() }, Pending { receiver, waiting })
}

impl Outbox {
    /// How many decisions fit in.
    pub fn room(&self) -> usize {
        self.sender.capacity()
    }

    /// How many are waiting.
    pub fn waiting(&self) -> i64 {
        self.waiting.get()
    }

    /// Puts a decision in. The caller has looked for room before it decided.
    pub fn put(&self, outgoing: Outgoing) {
        match self.sender.try_send(outgoing) {
            Ok(()) => self.waiting.inc(),
            Err(error) => tracing::error!(%error, "a decision cannot be published"),
        }
    }
}

/// Publishes decisions until the outbox is dropped and empty.
pub async fn publish(pending: Pending, nats: Nats, shutdown: Shutdown) {
    // On `None` the stop came while the stream was missing; what is pending may still find it.
    let _ = streams::wait_for(&nats, Stream::Events, &shutdown).await;
    deliver(pending, RETRY_MIN, move |outgoing| {
        let nats = nats.clone();
        async move {
            // An error means that the client itself is gone, and then publishing fails as well.
            let _ = nats.watch().wait_for(|state| state.up).await;
            send(&nats, &outgoing).await
        }
    })
    .await;
}

async fn send(nats: &Nats, outgoing: &Outgoing) -> Result<(), async_nats::jetstream::context::PublishError> {
    let decision = &outgoing.decision;
    let mut headers = nats.headers(
        Decision::TYPE,
        &schema::<Decision>(),
        &decision.id,
        &decision.timestamp,
        outgoing.request,
    );
    headers.insert(async_nats::header::NATS_MESSAGE_ID, decision.id.as_str());
    let payload = json::to_vec(decision).into();
    nats.publish_bytes(event::GOVERNOR_DECISIONS.to_owned(), headers, payload).await
}

/// Hands each pending decision to `send` until it succeeds, in order; pauses from `retry_min` on after failures.
async fn deliver<F, E>(mut pending: Pending, retry_min: Duration, mut send: impl FnMut(Arc<Outgoing>) -> F)
where
    F: Future<Output = Result<(), E>>,
    E: std::error::Error,
{
    while let Some(outgoing) = pending.receiver.recv().await {
        let (outgoing, mut pause) = (Arc::new(outgoing), retry_min);
        while let Err(error) = send(Arc::clone(&outgoing)).await {
            if pause == retry_min {
                let id = &outgoing.decision.id;
                tracing::warn!(%error, %id, "a decision is not in the stream yet; trying again");
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RETRY_MAX);
        }
        pending.waiting.dec();
    }
}

/// The full name of an event's message, such as `bywash.v1.Decision`.
fn schema<E: Event>() -> String {
    E::full_name()
}

#[cfg(test)]
pub mod tests {
    //! Order and retries.

    use super::*;

    /// What is pending in an outbox that was dropped.
    pub fn drain(mut pending: Pending) -> Vec<Decision> {
        std::iter::from_fn(|| pending.receiver.try_recv().ok()).map(|outgoing| outgoing.decision).collect()
    }

    #[derive(Debug, thiserror::Error)]
    #[error("away")]
    struct Away;

    fn decision(number: u64) -> Outgoing {
        let decision = Decision { id: format!("e-{number}"), ..Decision::default() };
        Outgoing { decision, request: None }
    }

    #[tokio::test]
    async fn decisions_leave_in_order_however_often_they_fail() {
        let (outbox, pending) = outbox(IntGauge::new("waiting", "waiting").unwrap());
        for number in 1..=3 {
            outbox.put(decision(number));
        }
        assert_eq!((outbox.waiting(), outbox.room()), (3, CAPACITY - 3));
        let waiting = outbox.waiting.clone();
        drop(outbox);
        let (mut attempts, mut sent) = (0_u32, Vec::new());
        deliver(pending, Duration::from_millis(1), |outgoing| {
            attempts += 1;
            let result = if attempts % 4 == 0 { Ok(()) } else { Err(Away) };
            if result.is_ok() {
                sent.push(outgoing.decision.id.clone());
            }
            std::future::ready(result)
        })
        .await;
        assert_eq!(sent, ["e-1", "e-2", "e-3"]);
        assert_eq!((attempts, waiting.get()), (12, 0));
    }

    #[test]
    fn the_message_is_named_with_its_schema_version() {
        assert_eq!(schema::<Decision>(), "bywash.v1.Decision");
    }
}
