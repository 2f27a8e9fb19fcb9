//! How far the relay has come: for the API, for metrics, and for everybody who follows `state.kb`.

use std::time::Duration;

use chassis::{Metrics, Nats, Shutdown, state, time};
use prometheus::{Gauge, IntGauge};
use proto_schemas::event::STATE_KB;
use proto_schemas::v1::KnowledgeBaseState;
use tokio::sync::watch;

use crate::store::{FactId, Revision, Snapshot, Store, UnixMillis};

/// Gauge: changes that are committed and not yet in the stream.
pub const METRIC_RELAY_LAG: &str = "bywash_kb_relay_lag_changes";
/// Gauge, seconds: age of the oldest of them; 0 where there is none.
pub const METRIC_RELAY_OLDEST: &str = "bywash_kb_relay_oldest_seconds";

/// Shortest time between two tellings of the state.
const TELL_INTERVAL_MIN: Duration = Duration::from_millis(250);

/// How often the age of a lag is brought up to date.
const LAG_INTERVAL: Duration = Duration::from_secs(1);

/// How often the state is fed while nothing changes: three times are the 9 s after which the publisher repeats.
const FEED_INTERVAL: Duration = Duration::from_secs(3);

/// Where the relay is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// This process is the relay. Where it is not, another is, or none yet, and nothing is known of how far it is.
    pub leads: bool,
    /// It follows the stream now.
    pub attached: bool,
    /// The last change that the stream is known to have.
    pub published: Revision,
}

impl Position {
    /// Before this process is the relay, and before the stream was seen. What the stream lacks from earlier is not known yet, so only new changes count as
    /// lag.
    pub fn at_start(revision: Revision) -> Self {
        Self { leads: false, attached: false, published: revision }
    }
}

/// Changes that wait for the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lag {
    /// This process is the relay, and follows the stream now.
    pub connected: bool,
    /// How many; `None` where another process is the relay.
    pub changes: Option<u64>,
    /// Age of the oldest; absent where there is none or it is not known yet.
    pub oldest_age: Option<Duration>,
}

/// How far the relay has come, without asking anyone. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RelayStatus(Option<Watched>);

#[derive(Debug, Clone)]
struct Watched {
    position: watch::Receiver<Position>,
    oldest: watch::Receiver<Option<UnixMillis>>,
}

impl RelayStatus {
    /// For an API whose changes nobody relays.
    pub fn without_relay() -> Self {
        Self(None)
    }

    /// Whether this process is the relay, and so the one of several that tells what is told once.
    pub fn leads(&self) -> bool {
        self.0.as_ref().is_some_and(|watched| watched.position.borrow().leads)
    }

    /// The lag of a store in the state `snapshot`.
    pub fn lag(&self, snapshot: &Snapshot) -> Lag {
        let nothing = Lag { connected: false, changes: None, oldest_age: None };
        let Some(watched) = &self.0 else { return nothing };
        let position = *watched.position.borrow();
        if !position.leads {
            return nothing;
        }
        let changes = snapshot.revision.0.saturating_sub(position.published.0);
        let oldest = watched.oldest.borrow().filter(|_| changes > 0);
        let oldest_age = oldest.map(|oldest| oldest.to_system().elapsed().unwrap_or_default());
        Lag { connected: position.attached, changes: Some(changes), oldest_age }
    }
}

/// The task that tells the state.
pub struct Teller {
    store: Store,
    nats: Nats,
    instance: String,
    snapshot: watch::Receiver<Snapshot>,
    position: watch::Receiver<Position>,
    /// The change that `oldest` speaks of.
    oldest_revision: Revision,
    oldest: watch::Sender<Option<UnixMillis>>,
    status: RelayStatus,
    lag_changes: IntGauge,
    oldest_seconds: Gauge,
}

impl Teller {
    /// The task and what it lets others see.
    pub fn new(
        store: &Store,
        nats: &Nats,
        metrics: &Metrics,
        instance: &str,
        position: watch::Receiver<Position>,
    ) -> (Self, RelayStatus) {
        let (oldest, oldest_receiver) = watch::channel(None);
        let status = RelayStatus(Some(Watched { position: position.clone(), oldest: oldest_receiver }));
        let teller = Self {
            store: store.clone(),
            nats: nats.clone(),
            instance: instance.to_owned(),
            snapshot: store.watch(),
            position,
            oldest_revision: Revision(0),
            oldest,
            status: status.clone(),
            lag_changes: metrics
                .gauge(METRIC_RELAY_LAG, "Changes that are committed and not yet in the stream."),
            oldest_seconds: metrics.float_gauge(METRIC_RELAY_OLDEST, "Age of the oldest of them; 0 without."),
        };
        (teller, status)
    }

    /// Tells on change, at most every 250 ms, and at least as often as the contract says.
    pub async fn run(mut self, shutdown: Shutdown) {
        let (sender, states) = watch::channel(None);
        let subject = STATE_KB.to_owned();
        let publishing = state::publish(self.nats.clone(), subject, states, is_same, shutdown.clone());
        tokio::spawn(publishing);
        loop {
            let snapshot = self.snapshot.borrow_and_update().clone();
            self.position.borrow_and_update();
            let lag = self.measure(&snapshot).await;
            // One process tells: the others know no lag, and would only say the same again.
            sender.send_replace(self.position.borrow().leads.then(|| self.state(&snapshot, lag)));
            let rest = if lag.changes > Some(0) { LAG_INTERVAL } else { FEED_INTERVAL };
            let changed = async {
                tokio::time::sleep(TELL_INTERVAL_MIN).await;
                tokio::select! {
                    Ok(()) = self.snapshot.changed() => {}
                    Ok(()) = self.position.changed() => {}
                    () = tokio::time::sleep(rest.saturating_sub(TELL_INTERVAL_MIN)) => {}
                }
            };
            tokio::select! {
                () = shutdown.requested() => return,
                () = changed => {}
            }
        }
    }

    /// Brings the age of the oldest waiting change and the gauges up to date.
    async fn measure(&mut self, snapshot: &Snapshot) -> Lag {
        let Position { leads, published, .. } = *self.position.borrow();
        if leads && is_oldest_unknown(snapshot.revision, published, self.oldest_revision) {
            // A read that fails is tried again with the next look.
            if let Ok(Some((revision, committed_at))) = self.store.oldest_change(published.next()).await {
                self.oldest_revision = revision;
                self.oldest.send_replace(Some(committed_at));
            }
        }
        let lag = self.status.lag(snapshot);
        self.lag_changes.set(i64::try_from(lag.changes.unwrap_or(0)).unwrap_or(i64::MAX));
        self.oldest_seconds.set(lag.oldest_age.unwrap_or_default().as_secs_f64());
        lag
    }

    fn state(&self, snapshot: &Snapshot, lag: Lag) -> KnowledgeBaseState {
        KnowledgeBaseState {
            instance: self.instance.clone(),
            epoch: snapshot.epoch.as_str().to_owned(),
            revision: snapshot.revision.as_f64(),
            fact_count: FactId(snapshot.fact_count).as_f64(),
            relay_lag_changes: Revision(lag.changes.unwrap_or(0)).as_f64(),
            relay_lag_seconds: lag.oldest_age.map(|age| age.as_secs_f64()),
            time: time::now(),
        }
    }
}

/// Whether changes wait and `oldest`, whose age is known, is not the first of them: it has been published, or the
/// stream has lost its tail and earlier ones wait again.
fn is_oldest_unknown(committed: Revision, published: Revision, oldest: Revision) -> bool {
    committed > published && oldest != published.next()
}

fn is_same(before: &KnowledgeBaseState, now: &KnowledgeBaseState) -> bool {
    KnowledgeBaseState { time: now.time.clone(), ..before.clone() } == *now
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_is_of_the_first_change_that_waits_also_after_the_stream_lost_its_tail() {
        let unknown = |committed, published, oldest| {
            is_oldest_unknown(Revision(committed), Revision(published), Revision(oldest))
        };
        assert!(!unknown(9, 9, 5), "nothing waits");
        assert!(!unknown(9, 6, 7));
        assert!(unknown(9, 7, 7), "it was published");
        assert!(unknown(9, 3, 7), "the stream lost what was before it");
    }
}
