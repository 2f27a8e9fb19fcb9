//! What became of a commit whose answer was lost with its connection.

use std::time::{Duration, Instant};

use super::super::model::Digest;
use super::connection::Connector;
use super::error::Error;
use super::position::{Position, digest, int};
use super::transaction::Transaction;
use super::writer;

/// How long to look: a server that restarts, or a standby that takes over, is back within it in most cases. Meanwhile
/// other writes of this replica wait.
const LOOK_TIME_MAX: Duration = Duration::from_secs(10);

/// Pause between two looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is done.
    Committed,
    /// It is not done, and never will be.
    NotCommitted,
    /// The database was away for too long.
    Unknown,
}

/// Looks for a commit that would have led to `position`; `revised` says whether it had changes.
pub async fn find_out(connector: &Connector, position: &Position, revised: bool) -> Outcome {
    let end = Instant::now() + LOOK_TIME_MAX;
    loop {
        match look(connector, position, revised).await {
            Ok(true) => return Outcome::Committed,
            Ok(false) => return Outcome::NotCommitted,
            Err(_) if Instant::now() > end => return Outcome::Unknown,
            Err(_) => tokio::time::sleep(LOOK_INTERVAL).await,
        }
    }
}

async fn look(connector: &Connector, position: &Position, revised: bool) -> Result<bool, Error> {
    // The session that was cut off may still be at its end. It holds the counter until then, so who gets the counter
    // sees the end.
    let mut transaction = Transaction::begin(connector.connect(writer::SESSION).await?).await?;
    let now = transaction.position.clone();
    if now.commits < position.commits {
        return Ok(false);
    }
    if now.commits == position.commits {
        return Ok(now == *position);
    }
    if !revised {
        // Only the epoch can have moved, or what may be noted twice.
        return Ok(now.epoch == position.epoch);
    }
    // Others have written since. The change of that revision is this one where its digest, which covers all before it,
    // is the same.
    let sql = "SELECT digest FROM changes WHERE revision = $1";
    let row = transaction.connection.query_opt(sql, &[&int(position.revision.0)]).await?;
    let found: Option<Digest> = row.map(|row| digest(&row, 0)).transpose()?;
    Ok(found == Some(position.digest))
}
