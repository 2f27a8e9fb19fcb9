//! Why the knowledge base does not start, and how damage that a read finds is logged.

use chassis::StartError;

use crate::fail_point::UnknownFailPoint;
use crate::store::{OpenError, ReadError, postgres};

/// Why the store cannot be opened, with the stable code of the reason before its text.
#[derive(Debug, thiserror::Error)]
#[error("{code}: {source}")]
struct NotOpened<E: std::error::Error + 'static> {
    code: &'static str,
    source: E,
}

impl From<OpenError> for StartError {
    fn from(source: OpenError) -> Self {
        Self::service(NotOpened { code: source.code(), source })
    }
}

impl From<postgres::OpenError> for StartError {
    fn from(source: postgres::OpenError) -> Self {
        let of_settings = source.is_of_settings();
        let error = NotOpened { code: source.code(), source };
        if of_settings { Self::settings(error) } else { Self::service(error) }
    }
}

impl From<UnknownFailPoint> for StartError {
    fn from(error: UnknownFailPoint) -> Self {
        Self::service(error)
    }
}

/// Logs a read that the database failed; for damage, with what to do. Other errors are the asker's to know.
pub fn log_read_failure(error: &ReadError) {
    match error {
        ReadError::Damaged(cause) => {
            tracing::error!(error = %cause, "the store is damaged; stop the service and put back a backup");
        }
        ReadError::Failed(cause) => tracing::error!(error = %cause, "a read failed"),
        _ => {}
    }
}
