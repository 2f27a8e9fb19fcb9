//! Connections of one kind: a bounded number of them, and a bounded number of those who wait for one.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_postgres::Row;

use super::super::backend::Seen;
use super::super::error::ReadError;
use super::super::model::{Epoch, Revision};
use super::connection::{Connection, Connector, Session, Value};
use super::error::Error;
use super::position;

/// Begins a transaction in which all statements see one moment.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// What a pool is for.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// Most connections.
    pub connections: usize,
    /// Most reads that wait for one; beyond it a read is refused.
    pub waiting: usize,
    /// A statement that takes longer is ended.
    pub time_max: Duration,
    /// One that has waited longer for its turn is not begun; `None` where it waits.
    pub wait_max: Option<Duration>,
}

/// Connections that read.
pub struct Pool {
    kind: Kind,
    connector: Arc<Connector>,
    // Protects the list of those that nobody uses; never held over an await.
    idle: Mutex<Vec<Connection>>,
    /// Places for those who read and those who wait.
    places: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

impl Pool {
    /// A pool without connections: they come as they are needed.
    pub fn new(kind: Kind, connector: Arc<Connector>) -> Arc<Self> {
        Arc::new(Self {
            kind,
            connector,
            idle: Mutex::default(),
            places: Arc::new(Semaphore::new(kind.connections + kind.waiting)),
            turns: Arc::new(Semaphore::new(kind.connections)),
        })
    }

    /// Begins a read: refused at once where too many wait.
    pub async fn begin(self: &Arc<Self>) -> Result<Reading, ReadError> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| ReadError::Overloaded)?;
        self.begin_at(place).await
    }

    /// Begins a read that waits for its turn and is never refused.
    pub async fn begin_patiently(self: &Arc<Self>) -> Result<Reading, ReadError> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| ReadError::Closed)?;
        self.begin_at(place).await
    }

    async fn begin_at(self: &Arc<Self>, place: OwnedSemaphorePermit) -> Result<Reading, ReadError> {
        let started = Instant::now();
        let turn = Arc::clone(&self.turns).acquire_owned();
        let turn = match self.kind.wait_max {
            Some(limit) => tokio::time::timeout(limit, turn).await.map_err(|_| ReadError::Overloaded)?,
            None => turn.await,
        };
        let turn = turn.map_err(|_| ReadError::Closed)?;
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut kept = idle();
        while kept.as_ref().is_some_and(Connection::is_closed) {
            kept = idle();
        }
        let mut connection = match kept {
            Some(connection) => connection,
            None => {
                let session = Session { statement_time_max: self.kind.time_max, settings: "" };
                self.connector.connect(session).await?
            }
        };
        let rows = connection.run_and_query(BEGIN, position::SEEN).await?;
        let row = rows.first().ok_or(Error::Damaged("missing position"))?;
        let (epoch, revision) = position::seen(row)?;
        let pool = Arc::clone(self);
        Ok(Reading { connection, pool, started, epoch, revision, permits: (place, turn) })
    }
}

/// A transaction that reads. Dropped before its end, its connection is closed.
pub struct Reading {
    connection: Connection,
    pool: Arc<Pool>,
    started: Instant,
    /// The epoch that it sees.
    pub epoch: Epoch,
    /// The revision that it sees.
    pub revision: Revision,
    permits: (OwnedSemaphorePermit, OwnedSemaphorePermit),
}

impl Reading {
    /// The rows of a query.
    pub async fn query(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, Error> {
        self.connection.query(sql, values).await
    }

    /// The only row of a query, if there is one.
    pub async fn query_opt(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Option<Row>, Error> {
        self.connection.query_opt(sql, values).await
    }

    /// Ends the transaction with its result.
    pub async fn seen<T>(self, value: T) -> Seen<T> {
        let Self { connection, pool, started, epoch, revision, permits } = self;
        // A connection that fails is closed; what was read stays true.
        if connection.run("COMMIT").await.is_ok() {
            pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
        drop(permits);
        Seen { value, revision, epoch, elapsed: started.elapsed() }
    }
}
