//! The relay: tells every committed change to the stream `KB`, once and in order.
//!
//! It keeps no record of what it has sent. Its position is the stream's last sequence, which equals a revision; so a
//! crash, a lost acknowledgement or a NATS that lost its tail need no special case: it looks again and goes on.
//!
//! Of several processes that share a store one is the relay. Another that takes it for its own part, because it was cut
//! off, is refused by the stream: each change names the sequence before its own.

mod plan;
mod publish;
mod status;
mod stream;
mod trim;

use std::time::Duration;

use chassis::shutdown::Trigger;
use chassis::{Metrics, Nats, Shutdown};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use status::{Lag, METRIC_RELAY_LAG, METRIC_RELAY_OLDEST, RelayStatus};

use crate::store::{ReadError, Revision, Store, WriteError};
use publish::Publisher;
use status::{Position, Teller};
use stream::Begun;

/// First pause after a failure.
const BACKOFF_MIN: Duration = Duration::from_millis(100);

/// Longest pause after failures: how long a change may wait once NATS works again.
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// How long a stop waits for the relay to send what is committed.
const FINISH_TIMEOUT: Duration = Duration::from_secs(2);

/// Why the relay begins anew. Never fatal.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The store could not be read.
    #[error("changes cannot be read")]
    Read(#[from] ReadError),
    /// The store could not note what the relay found.
    #[error("the store cannot note the stream's state")]
    Write(#[from] WriteError),
    /// The stream could not be asked for.
    #[error("stream KB cannot be read: {0}")]
    Stream(String),
    /// A change was not taken.
    #[error("change {revision} was not taken")]
    Publish {
        /// The change.
        revision: Revision,
        /// NATS's word.
        source: async_nats::jetstream::context::PublishError,
    },
    /// A change was taken at another place than its own.
    #[error("change {revision} was stored at sequence {sequence}")]
    Displaced {
        /// The change.
        revision: Revision,
        /// Where it went.
        sequence: u64,
    },
    /// Nobody here knows where it belongs.
    #[error("change {revision} is a `{event_type}`, which only a newer version knows: update this one")]
    UnknownType {
        /// The change.
        revision: Revision,
        /// Its type.
        event_type: String,
    },
}

/// The relay's tasks.
pub struct Relay {
    stop: Trigger,
    nats: Nats,
    store: Store,
    position: watch::Receiver<Position>,
    status: RelayStatus,
    tasks: Vec<JoinHandle<()>>,
}

impl Relay {
    /// Starts to follow `store`; NATS may be away. `instance` names this process in its state, `replicas` is how many
    /// servers keep the stream.
    pub fn start(store: &Store, nats: &Nats, metrics: &Metrics, instance: &str, replicas: usize) -> Self {
        let (stop, shutdown) = Shutdown::manual();
        let (sender, position) = watch::channel(Position::at_start(store.snapshot().revision));
        let (teller, status) = Teller::new(store, nats, metrics, instance, position.clone());
        let runner = Runner {
            store: store.clone(),
            nats: nats.clone(),
            replicas,
            position: sender,
            shutdown: shutdown.clone(),
        };
        let tasks = vec![
            tokio::spawn(runner.run()),
            tokio::spawn(teller.run(shutdown.clone())),
            tokio::spawn(trim::run(store.clone(), nats.clone(), position.clone(), shutdown)),
        ];
        Self { stop, nats: nats.clone(), store: store.clone(), position, status, tasks }
    }

    /// How far it has come.
    pub fn status(&self) -> RelayStatus {
        self.status.clone()
    }

    /// Sends what is committed, as far as NATS takes it within two seconds and no other process does it, and ends.
    pub async fn finish(mut self) {
        let revision = self.store.snapshot().revision;
        if self.nats.is_connected() {
            let caught_up =
                self.position.wait_for(|position| !position.leads || position.published >= revision);
            if tokio::time::timeout(FINISH_TIMEOUT, caught_up).await.is_err() {
                tracing::info!(revision = revision.0, "changes are left for the next start");
            }
        }
        self.stop.request();
        for task in self.tasks {
            // A task that panicked has said so.
            let _ = task.await;
        }
    }
}

/// The task that publishes.
struct Runner {
    store: Store,
    nats: Nats,
    replicas: usize,
    position: watch::Sender<Position>,
    shutdown: Shutdown,
}

impl Runner {
    /// Waits until this process may be the relay, and is it for as long as it may.
    async fn run(self) {
        loop {
            let mut leadership = tokio::select! {
                () = self.shutdown.requested() => return,
                leadership = self.store.lead() => leadership,
            };
            let published = self.store.snapshot().revision;
            self.position.send_replace(Position { leads: true, ..Position::at_start(published) });
            let lost = tokio::select! {
                () = leadership.lost() => true,
                () = self.relay() => false,
            };
            self.position.send_replace(Position::at_start(published));
            if !lost {
                return;
            }
            tracing::warn!("another process may be the relay now");
        }
    }

    /// Attaches, publishes until something fails, waits a little, and begins anew; until the stop.
    async fn relay(&self) {
        let mut backoff = BACKOFF_MIN;
        let mut begun = None;
        while let Some(generation) = self.nats.connected(&self.shutdown).await {
            let before = self.position.borrow().published;
            let error = tokio::select! {
                () = self.shutdown.requested() => return,
                () = self.nats.lost(generation) => None,
                error = self.session(&mut begun) => Some(error),
            };
            self.position.send_modify(|position| position.attached = false);
            let Some(error) = error else { continue };
            if self.position.borrow().published > before {
                backoff = BACKOFF_MIN;
            }
            tracing::warn!(error = &error as &dyn std::error::Error, retry_in = ?backoff, "the relay begins anew");
            let jittered = backoff.mul_f64(jitter());
            tokio::select! {
                () = self.shutdown.requested() => return,
                () = tokio::time::sleep(jittered) => {}
            }
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
    }

    /// From the stream's state to the first failure.
    async fn session(&self, begun: &mut Option<Begun>) -> RelayError {
        let next = match stream::attach(&self.store, &self.nats, self.replicas, begun).await {
            Ok(next) => next,
            Err(error) => return error,
        };
        self.position.send_modify(|position| {
            position.attached = true;
            position.published = Revision(next.0 - 1);
        });
        Publisher::new(&self.store, &self.nats, &self.position, next).run().await
    }
}

/// Between a half and one, so that relays that failed together do not come back together.
fn jitter() -> f64 {
    let byte = ring::rand::generate::<[u8; 1]>(&ring::rand::SystemRandom::new())
        .map_or(0, |random| random.expose()[0]);
    0.5 + f64::from(byte) / 512.0
}
