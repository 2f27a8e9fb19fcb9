//! Opening the store: the tables brought up to date, the tasks started.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::super::metrics::StoreMetrics;
use super::super::sweeper::Sweeper;
use super::connection::{Connector, OptionError, PostgresOptions, Session};
use super::error::Error;
use super::pool::{Kind, Pool};
use super::position::{self, Position};
use super::schema::{self, SchemaError};
use super::search_index::{self, SearchIndex};
use super::state::{self, State};
use super::writer::{self, Writer};
use super::{BATCHES_AT_ONCE, PostgresStore, READ_TIME_MAX};

/// How long an opening waits for a database that is not there: it may start together with this process.
const OPEN_TIME_MAX: Duration = Duration::from_secs(30);

/// Pause between two attempts.
const OPEN_INTERVAL: Duration = Duration::from_millis(500);

/// Making or changing tables may take long, and other replicas may be at it.
const MIGRATION: Session = Session { statement_time_max: Duration::from_secs(600), settings: "" };

/// Point reads of requests: one takes a fraction of a millisecond, so few connections are many.
const READS: Kind =
    Kind { connections: 6, waiting: 256, time_max: READ_TIME_MAX, wait_max: Some(READ_TIME_MAX) };

/// Reads of requests that look for something, behind which no point read waits.
const SEARCH_READS: Kind = Kind { connections: 4, ..READS };

/// Reads of the relay: publishing, telling and trimming have one under way each.
const RELAY_READS: Kind =
    Kind { connections: 2, waiting: 4, time_max: Duration::from_secs(10), wait_max: None };

/// What indexes follow: at a start several of them read all there is.
const FOLLOWER_READS: Kind =
    Kind { connections: 2, waiting: 4, time_max: Duration::from_secs(60), wait_max: None };

/// Exports: each holds a connection for as long as its client takes.
const EXPORTS: Kind =
    Kind { connections: 2, waiting: 8, time_max: Duration::from_secs(60), wait_max: Some(READ_TIME_MAX) };

/// What the index for search follows with; nobody else waits behind that.
const INDEX_READS: Kind =
    Kind { connections: 1, waiting: 1, time_max: Duration::from_secs(60), wait_max: None };

/// Why the store cannot be opened. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A setting cannot work.
    #[error("the settings of PostgreSQL cannot be used")]
    Options(#[from] OptionError),
    /// It was not there in time.
    #[error("PostgreSQL at {target} cannot be reached; see BYWASH_POSTGRES_URL")]
    Unreachable {
        /// Hosts and database.
        target: String,
        /// The last attempt's error.
        source: Error,
    },
    /// It is there, and does not let this process in.
    #[error(
        "PostgreSQL at {target} refuses this user, password or database; see BYWASH_POSTGRES_URL and \
         BYWASH_POSTGRES_PASSWORD_FILE"
    )]
    Refused {
        /// Hosts and database.
        target: String,
        /// Its word.
        source: Error,
    },
    /// Newer than this program, too old a server, or damaged.
    #[error(
        "the store in PostgreSQL at {target} cannot be used; put back a backup, or name an empty database"
    )]
    Unusable {
        /// Hosts and database.
        target: String,
        /// What is wrong with it.
        source: SchemaError,
    },
    /// The index for search cannot be kept.
    #[error("data directory {path} cannot be used")]
    Directory {
        /// The directory.
        path: std::path::PathBuf,
        /// Why.
        source: search_index::OpenError,
    },
}

impl OpenError {
    /// Stable code of the reason.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Options(_) => "postgres_settings_unusable",
            Self::Unreachable { .. } => "postgres_unreachable",
            Self::Refused { .. } => "postgres_refused",
            Self::Unusable { .. } => "store_unusable",
            Self::Directory { .. } => "data_dir_unusable",
        }
    }

    /// Whether a start with the same settings fails again.
    pub fn is_of_settings(&self) -> bool {
        matches!(self, Self::Options(_) | Self::Refused { .. })
    }
}

/// The store's tasks; [`StoreTasks::join`] waits for the last commit.
pub struct StoreTasks {
    writing: JoinHandle<()>,
    indexing: JoinHandle<()>,
}

impl StoreTasks {
    /// Waits until the store is dropped everywhere, and the last commit is done.
    pub async fn join(self) {
        // A task that panicked has said so.
        let _ = tokio::join!(self.writing, self.indexing);
    }
}

impl PostgresStore {
    /// Opens the store, makes its tables where there are none, and starts its tasks.
    ///
    /// # Errors
    /// [`OpenError`] when the database cannot be reached within 30 seconds, or cannot be used.
    pub async fn open(
        options: &PostgresOptions,
        metrics: StoreMetrics,
    ) -> Result<(Self, StoreTasks), OpenError> {
        let connector = Arc::new(Connector::new(options)?);
        let position = prepare(&connector).await?;
        let state = Arc::new(State::new(&position, metrics.clone()));
        let stop = CancellationToken::new();
        tokio::spawn(state::follow(Arc::clone(&connector), Arc::clone(&state), stop.clone()));
        let (writes, write_queue) = mpsc::channel(writer::QUEUE_JOBS);
        let writer = Writer::new(Arc::clone(&connector), write_queue, Arc::clone(&state), metrics);
        let pool = |kind| Pool::new(kind, Arc::clone(&connector));
        let (index, follower) = SearchIndex::open(&options.data_dir)
            .map_err(|source| OpenError::Directory { path: options.data_dir.clone(), source })?;
        let indexing = follower.run(pool(INDEX_READS), state.watch(), stop.clone());
        let tasks = StoreTasks { writing: tokio::spawn(writer.run()), indexing: tokio::spawn(indexing) };
        let batches = Arc::new(Semaphore::new(BATCHES_AT_ONCE));
        let sweeper = {
            let (writes, batches) = (writes.downgrade(), Arc::clone(&batches));
            Sweeper::start(move || super::sweep(writes.clone(), Arc::clone(&batches)))
        };
        let store = Self {
            writes,
            reads: pool(READS),
            search_reads: pool(SEARCH_READS),
            relay_reads: pool(RELAY_READS),
            follower_reads: pool(FOLLOWER_READS),
            exports: pool(EXPORTS),
            sweeper,
            batches,
            connector,
            state,
            index,
            _stop: stop.drop_guard(),
        };
        Ok((store, tasks))
    }
}

/// Waits for the database and brings its tables up to date.
async fn prepare(connector: &Connector) -> Result<Position, OpenError> {
    let target = connector.target();
    let end = Instant::now() + OPEN_TIME_MAX;
    let mut last = Error::Away;
    loop {
        match connector.connect(MIGRATION).await {
            Ok(mut connection) => {
                let unusable = |source| OpenError::Unusable { target: target.clone(), source };
                schema::bring_up_to_date(&mut connection).await.map_err(unusable)?;
                let row = connection.query_opt(position::LOAD, &[]).await;
                let position =
                    row.and_then(|row| Position::from_row(&row.ok_or(Error::Damaged("missing position"))?));
                return position.map_err(|error| unusable(error.into()));
            }
            // Not due yet: the attempt before it says more.
            Err(Error::Away) => {}
            Err(source) if source.is_refusal() => return Err(OpenError::Refused { target, source }),
            Err(error) => last = error,
        }
        if Instant::now() > end {
            return Err(OpenError::Unreachable { target, source: last });
        }
        tokio::time::sleep(OPEN_INTERVAL).await;
    }
}
