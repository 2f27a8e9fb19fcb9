//! What PostgreSQL answers instead of rows, as the store tells it.

use std::sync::Arc;

use tokio_postgres::error::SqlState;

use super::super::error::{Cause, ReadError, WriteError};

/// Why a statement gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// PostgreSQL, or the connection to it.
    #[error("PostgreSQL failed")]
    Postgres(#[from] tokio_postgres::Error),
    /// No answer came, not even a refusal.
    #[error("PostgreSQL does not answer")]
    Silent,
    /// It cannot be reached, and the next attempt is not due yet.
    #[error("PostgreSQL cannot be reached")]
    Away,
    /// A row holds what this program never writes.
    #[error("a row holds a {0} that cannot be")]
    Damaged(&'static str),
}

/// What an error means to whoever asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The connection is of no use; another one may be.
    Away,
    /// The statement was ended for its time.
    TooSlow,
    /// There is no space.
    Full,
    /// Anything else.
    Failed,
}

impl Error {
    /// What it means.
    pub fn meaning(&self) -> Meaning {
        let error = match self {
            Self::Silent | Self::Away => return Meaning::Away,
            Self::Damaged(_) => return Meaning::Failed,
            Self::Postgres(error) => error,
        };
        let Some(refusal) = error.as_db_error() else {
            let source = std::error::Error::source(error);
            let broken = source.is_some_and(<dyn std::error::Error>::is::<std::io::Error>);
            return if error.is_closed() || broken { Meaning::Away } else { Meaning::Failed };
        };
        let code = refusal.code();
        let away = [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::TOO_MANY_CONNECTIONS,
            // A standby, or a server that was made one.
            SqlState::READ_ONLY_SQL_TRANSACTION,
            // Another replica holds the counter and does not come on.
            SqlState::LOCK_NOT_AVAILABLE,
            SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
            SqlState::IDLE_SESSION_TIMEOUT,
        ];
        if away.contains(code) || code.code().starts_with("08") {
            Meaning::Away
        } else if *code == SqlState::QUERY_CANCELED {
            Meaning::TooSlow
        } else if *code == SqlState::DISK_FULL {
            Meaning::Full
        } else {
            Meaning::Failed
        }
    }
}

impl Error {
    /// Whether an attempt to connect failed for who asks and not for the state of the server, so that another one fails
    /// as well: a wrong or missing password, no such user or database, a certificate that is not trusted.
    pub fn is_refusal(&self) -> bool {
        let Self::Postgres(error) = self else { return false };
        match error.code() {
            Some(code) => [
                SqlState::INVALID_PASSWORD,
                SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
                SqlState::INVALID_CATALOG_NAME,
            ]
            .contains(code),
            None => self.meaning() == Meaning::Failed,
        }
    }
}

impl From<Error> for ReadError {
    fn from(error: Error) -> Self {
        match error.meaning() {
            Meaning::Away => Self::Unavailable,
            Meaning::TooSlow => Self::TooSlow,
            Meaning::Full | Meaning::Failed if matches!(error, Error::Damaged(_)) => {
                Self::Damaged(cause(error))
            }
            Meaning::Full | Meaning::Failed => Self::Failed(cause(error)),
        }
    }
}

impl From<Error> for WriteError {
    fn from(error: Error) -> Self {
        match error.meaning() {
            // A write that takes too long waits for the server's disk or for another replica.
            Meaning::Away | Meaning::TooSlow => Self::Unavailable,
            Meaning::Full => Self::StorageFull,
            Meaning::Failed => Self::Failed(cause(error)),
        }
    }
}

fn cause(error: Error) -> Cause {
    Arc::new(error)
}
