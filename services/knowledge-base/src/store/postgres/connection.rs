//! One connection: how it is opened, what its session is set to, and the statements that it has prepared.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::try_join;
use tokio::sync::Notify;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::types::ToSql;
use tokio_postgres::{AsyncMessage, Client, Config, Row, Statement};

use super::error::Error;
use super::tls::Tls;

/// Longest wait for a connection: a server that is there answers in milliseconds.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(2);

/// First pause after a failed attempt, in which everybody is refused at once.
const PAUSE_MIN: Duration = Duration::from_millis(100);

/// Longest pause after failed attempts: how much later than the database the store is back.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// A peer that acknowledges nothing for that long is gone.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// How much longer than a statement may take its answer may: beyond it the server is not there.
const ANSWER_GRACE: Duration = Duration::from_secs(1);

/// Settings of every session; all tables are in the schema `bywash`. Plans are made for the values at hand: a rare entity is not looked up as a common one.
/// The server ends the session of a peer that is gone, so that it holds no lock for long.
const SESSION: &str = "-c search_path=bywash -c plan_cache_mode=force_custom_plan -c tcp_keepalives_idle=5 \
                       -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3 -c tcp_user_timeout=10000";

/// `postgres://user@host:port/database`, also of several hosts; the one that can be written to is taken. It may hold a
/// password, so nothing shows it.
#[derive(Clone)]
pub struct PostgresUrl(String);

impl From<&str> for PostgresUrl {
    fn from(url: &str) -> Self {
        Self(url.to_owned())
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("PostgresUrl")
    }
}

/// Where the database is.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// Its hosts and its name.
    pub url: PostgresUrl,
    /// File with the password; the one in the URL counts where there is none.
    pub password_file: Option<PathBuf>,
    /// PEM file with the authorities that the server's certificate may be signed by; the system's where there is none.
    pub ca_file: Option<PathBuf>,
    /// Directory for what is derived from the database: the index for search.
    pub data_dir: PathBuf,
}

/// What a session is for.
#[derive(Debug, Clone, Copy)]
pub struct Session {
    /// A statement that takes longer is ended by the server.
    pub statement_time_max: Duration,
    /// Its settings, beside those of every session.
    pub settings: &'static str,
}

/// Opens connections, and knows when the last attempt failed.
pub struct Connector {
    config: Config,
    tls: Tls,
    // Protects the times; held for a look, never over an await.
    outage: Mutex<Option<Outage>>,
}

#[derive(Debug, Clone, Copy)]
struct Outage {
    pause: Duration,
    next_attempt: Instant,
}

/// What an option says that cannot be.
#[derive(Debug, thiserror::Error)]
pub enum OptionError {
    /// The URL is none. Its text may hold a password and is not told.
    #[error("the URL of PostgreSQL is not valid")]
    Url(#[source] tokio_postgres::Error),
    /// The URL names no host.
    #[error("the URL of PostgreSQL names no host, no user or no database")]
    Incomplete,
    /// A file cannot be read or used.
    #[error("{path} cannot be used: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

impl Connector {
    /// Reads the options and the files that they name.
    pub fn new(options: &PostgresOptions) -> Result<Self, OptionError> {
        let mut config: Config = options.url.0.parse().map_err(OptionError::Url)?;
        if config.get_hosts().is_empty() || config.get_user().is_none() || config.get_dbname().is_none() {
            return Err(OptionError::Incomplete);
        }
        if let Some(path) = &options.password_file {
            let password = std::fs::read_to_string(path)
                .map_err(|error| OptionError::File { path: path.clone(), reason: error.to_string() })?;
            config.password(password.trim_end_matches(['\r', '\n']));
        }
        config.connect_timeout(CONNECT_TIME_MAX);
        config.tcp_user_timeout(SILENCE_MAX);
        config.keepalives_idle(SILENCE_MAX / 2);
        config.keepalives_interval(Duration::from_secs(2));
        config.keepalives_retries(3);
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        if config.get_application_name().is_none() {
            config.application_name("bywash-knowledge-base");
        }
        let tls = Tls::new(options.ca_file.as_deref())?;
        if options.ca_file.is_some() && config.get_ssl_mode() == SslMode::Prefer {
            // Who names authorities does not want to go without them.
            config.ssl_mode(SslMode::Require);
        }
        Ok(Self { config, tls, outage: Mutex::new(None) })
    }

    /// The hosts and the database, without a password.
    pub fn target(&self) -> String {
        let hosts: Vec<String> = self
            .config
            .get_hosts()
            .iter()
            .map(|host| match host {
                Host::Tcp(name) => name.clone(),
                Host::Unix(path) => path.display().to_string(),
            })
            .collect();
        format!("{}/{}", hosts.join(","), self.config.get_dbname().unwrap_or_default())
    }

    /// A connection for such a session. Refused at once while the next attempt after a failure is not due.
    pub async fn connect(&self, session: Session) -> Result<Connection, Error> {
        let outage = *self.outage.lock().unwrap_or_else(PoisonError::into_inner);
        if outage.is_some_and(|outage| Instant::now() < outage.next_attempt) {
            return Err(Error::Away);
        }
        let result = self.attempt(session).await;
        let mut outage = self.outage.lock().unwrap_or_else(PoisonError::into_inner);
        match &result {
            Ok(_) => {
                if outage.take().is_some() {
                    tracing::info!(target = self.target(), "PostgreSQL is back");
                }
            }
            Err(error) => {
                if outage.is_none() {
                    tracing::warn!(
                        error = error as &dyn std::error::Error,
                        target = self.target(),
                        "PostgreSQL cannot be reached"
                    );
                }
                let pause = outage.map_or(PAUSE_MIN, |before| (before.pause * 2).min(PAUSE_MAX));
                *outage = Some(Outage { pause, next_attempt: Instant::now() + pause });
            }
        }
        result
    }

    async fn attempt(&self, session: Session) -> Result<Connection, Error> {
        let mut config = self.config.clone();
        let own = config.get_options().unwrap_or_default().to_owned();
        let Session { statement_time_max, settings } = session;
        let limit = format!("-c statement_timeout={}", statement_time_max.as_millis());
        config.options(format!("{own} {SESSION} {limit} {settings}").trim());
        // Its own time-out ends with the socket; a server that says nothing after that has this one.
        let connecting = tokio::time::timeout(CONNECT_TIME_MAX * 2, config.connect(self.tls.clone()));
        let (client, mut driver) = connecting.await.map_err(|_| Error::Silent)??;
        let notified = Arc::new(Notify::new());
        let notify = Arc::clone(&notified);
        tokio::spawn(async move {
            // An error here is the error of every statement that waits, and `is_closed` for the rest.
            while let Some(Ok(message)) = std::future::poll_fn(|context| driver.poll_message(context)).await {
                if matches!(message, AsyncMessage::Notification(_)) {
                    notify.notify_one();
                }
            }
            // Who waits for news looks, and finds the connection closed.
            drop(driver);
            notify.notify_one();
        });
        let answer_time_max = statement_time_max + ANSWER_GRACE;
        Ok(Connection { client, statements: HashMap::new(), notified, answer_time_max })
    }
}

/// A connection with the statements that it has prepared. Closed when it is dropped; after an error that is no refusal
/// it is of no use.
pub struct Connection {
    client: Client,
    statements: HashMap<String, Statement>,
    notified: Arc<Notify>,
    answer_time_max: Duration,
}

/// A value of a statement.
pub type Value<'a> = &'a (dyn ToSql + Sync);

impl Connection {
    /// Whether it is closed already.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Waits for a notification, or the end of the connection.
    pub async fn news(&self) {
        self.notified.notified().await;
    }

    /// Runs statements without values and results.
    pub async fn run(&self, statements: &str) -> Result<(), Error> {
        within(self.answer_time_max, self.client.batch_execute(statements)).await
    }

    /// Runs `first`, which gives nothing, and the query `sql` in one round trip.
    pub async fn run_and_query(&mut self, first: &str, sql: &str) -> Result<Vec<Row>, Error> {
        let statement = self.prepared(sql).await?;
        let both = try_join(self.client.batch_execute(first), self.client.query(&statement, &[]));
        Ok(within(self.answer_time_max, both).await?.1)
    }

    /// The rows of a query.
    pub async fn query(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, Error> {
        let statement = self.prepared(sql).await?;
        within(self.answer_time_max, self.client.query(&statement, values)).await
    }

    /// The only row of a query, if there is one.
    pub async fn query_opt(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Option<Row>, Error> {
        let statement = self.prepared(sql).await?;
        within(self.answer_time_max, self.client.query_opt(&statement, values)).await
    }

    /// Runs a statement; how many rows it changed.
    pub async fn execute(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64, Error> {
        let statement = self.prepared(sql).await?;
        within(self.answer_time_max, self.client.execute(&statement, values)).await
    }

    /// The statement of a text; there are some dozen texts in the source.
    async fn prepared(&mut self, sql: &str) -> Result<Statement, Error> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = within(self.answer_time_max, self.client.prepare(sql)).await?;
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

async fn within<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, Error> {
    Ok(tokio::time::timeout(limit, answer).await.map_err(|_| Error::Silent)??)
}
