//! Who may be the relay: the session that holds an advisory lock.

use std::convert::Infallible;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::super::backend::Leadership;
use super::connection::{Connection, Connector, Session};
use super::error::Error;

/// The lock: the letters `BYWA`, and 2.
const LOCK: i64 = 0x4259_5741_0000_0002;

/// How often the lock is tried while another has it: how much later than the end of one relay the next begins. Waiting
/// inside the database would keep a snapshot there, and with it every dead row.
const TRY_INTERVAL: Duration = Duration::from_millis(500);

/// How often who has it makes sure of that.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);

/// The session. The server ends it after ten seconds without a check: by then a process that is cut off knows, after a
/// check's interval and its time, that it lost the lock, and one that is frozen holds nobody up.
const SESSION: Session =
    Session { statement_time_max: Duration::from_secs(4), settings: "-c idle_session_timeout=10000" };

/// Waits until this process has the lock.
pub async fn lead(connector: &Connector) -> Leadership {
    loop {
        match take(connector).await {
            Ok(connection) => {
                let (held, lost) = oneshot::channel();
                let released = CancellationToken::new();
                tokio::spawn(hold(connection, held, released.clone()));
                return Leadership::until(lost, released.drop_guard());
            }
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "the relay's lock cannot be tried");
                tokio::time::sleep(TRY_INTERVAL).await;
            }
        }
    }
}

async fn take(connector: &Connector) -> Result<Connection, Error> {
    let mut connection = connector.connect(SESSION).await?;
    loop {
        let row = connection.query_opt("SELECT pg_try_advisory_lock($1)", &[&LOCK]).await?;
        if row.map(|row| row.try_get(0)).transpose()?.unwrap_or(false) {
            return Ok(connection);
        }
        tokio::time::sleep(TRY_INTERVAL).await;
    }
}

/// Keeps the session until it is released or lost. `held` ends with it.
async fn hold(mut connection: Connection, held: oneshot::Sender<Infallible>, released: CancellationToken) {
    loop {
        tokio::select! {
            () = released.cancelled() => return,
            () = connection.news() => {}
            () = tokio::time::sleep(CHECK_INTERVAL) => {}
        }
        if let Err(error) = connection.query("SELECT 1", &[]).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "this process is the relay no more");
            drop(held);
            return;
        }
    }
}
