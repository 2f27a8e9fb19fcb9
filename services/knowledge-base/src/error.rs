//! Why the knowledge base does not start, and how damage that a read finds is logged.

use chassis::StartError;

use crate::fail_point::UnknownFailPoint;
use crate::store::{OpenError, ReadError, postgres};

impl From<OpenError> for StartError {
    fn from(error: OpenError) -> Self {
        tracing::debug!(code = error.code(), "the store cannot be opened");
        Self::service(error)
    }
}

impl From<postgres::OpenError> for StartError {
    fn from(error: postgres::OpenError) -> Self {
        tracing::debug!(code = error.code(), "the store cannot be opened");
        Self::service(error)
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
