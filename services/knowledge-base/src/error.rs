//! Why the knowledge base does not start, and how damage that a read finds is logged.

use chassis::StartError;

use crate::fail_point::UnknownFailPoint;
use crate::store::{OpenError, is_damage};

impl From<OpenError> for StartError {
    fn from(error: OpenError) -> Self {
        tracing::debug!(code = error.code(), "the store cannot be opened");
        Self::service(error)
    }
}

impl From<UnknownFailPoint> for StartError {
    fn from(error: UnknownFailPoint) -> Self {
        Self::service(error)
    }
}

/// Logs a read that SQLite failed; for damage, with what to do.
pub fn log_read_failure(cause: &rusqlite::Error) {
    if is_damage(cause) {
        tracing::error!(error = %cause, "the store is damaged; stop the service and put back a backup");
    } else {
        tracing::error!(error = %cause, "a read failed");
    }
}
