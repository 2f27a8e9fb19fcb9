//! What this replica knows of the state after the last commit, wherever that was made: it is told by the own writer and
//! by who follows the others.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::super::metrics::StoreMetrics;
use super::super::model::Snapshot;
use super::connection::{Connector, Session};
use super::error::Error;
use super::position::{self, Position};

/// How often the follower looks although it was told nothing: a notification may be lost with its connection.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Pause before the follower connects again. The connector's own pauses are longer while the database is away.
const RECONNECT_PAUSE: Duration = Duration::from_millis(100);

/// The follower's session: it reads one row.
const SESSION: Session = Session { statement_time_max: Duration::from_secs(5), settings: "" };

/// The newest state, for everybody.
pub struct State {
    sender: watch::Sender<Snapshot>,
    /// Commits of the state that was sent; changed under the sender's lock only.
    commits: AtomicU64,
    metrics: StoreMetrics,
}

impl State {
    /// Begins with what was found at the opening.
    pub fn new(position: &Position, metrics: StoreMetrics) -> Self {
        let (sender, _) = watch::channel(position.snapshot());
        metrics.see(&sender.borrow());
        Self { sender, commits: AtomicU64::new(position.commits), metrics }
    }

    /// Follows it.
    pub fn watch(&self) -> watch::Receiver<Snapshot> {
        self.sender.subscribe()
    }

    /// Commits of the newest state.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::SeqCst)
    }

    /// Takes a position over where it is newer.
    pub fn see(&self, position: &Position) {
        self.replace(position, |commits| position.commits > commits);
    }

    /// Takes over what a look at the database has found that began when `floor` commits were known. Fewer than that mean
    /// that the database was put back, or that a standby took over which had not got them all.
    fn see_found(&self, position: &Position, floor: u64) {
        if position.commits < floor {
            tracing::warn!(
                revision = position.revision.0,
                "the database has gone back to an earlier state, and this process with it"
            );
        }
        self.replace(position, |commits| position.commits < floor || position.commits > commits);
    }

    fn replace(&self, position: &Position, wanted: impl Fn(u64) -> bool) {
        self.sender.send_if_modified(|last| {
            if !wanted(self.commits()) {
                return false;
            }
            self.commits.store(position.commits, Ordering::SeqCst);
            let snapshot = position.snapshot();
            self.metrics.see(&snapshot);
            let changed = *last != snapshot;
            *last = snapshot;
            changed
        });
    }
}

/// Follows the commits of all replicas until the stop.
pub async fn follow(connector: Arc<Connector>, state: Arc<State>, stop: CancellationToken) {
    let following = async {
        loop {
            let Err(error) = listen(&connector, &state).await;
            tracing::debug!(error = &error as &dyn std::error::Error, "following begins anew");
            tokio::time::sleep(RECONNECT_PAUSE).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = following => {}
    }
}

async fn listen(connector: &Connector, state: &State) -> Result<Infallible, Error> {
    let mut connection = connector.connect(SESSION).await?;
    connection.run("LISTEN bywash_commits").await?;
    loop {
        let floor = state.commits();
        let row =
            connection.query_opt(position::LOAD, &[]).await?.ok_or(Error::Damaged("missing position"))?;
        state.see_found(&Position::from_row(&row)?, floor);
        tokio::select! {
            () = connection.news() => {}
            () = tokio::time::sleep(POLL_INTERVAL) => {}
        }
        if connection.is_closed() {
            return Err(Error::Away);
        }
    }
}
