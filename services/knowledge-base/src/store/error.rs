//! Why a store did not do what it was asked.

use std::sync::Arc;

/// What a database said.
pub type Cause = Arc<dyn std::error::Error + Send + Sync>;

/// Why a write did not happen. But for [`WriteError::OutcomeUnknown`] nothing of it is in the store.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WriteError {
    /// Too many wait already.
    #[error("the writer's queue is full")]
    Overloaded,
    /// The disk, or the size that the store may have, is used up.
    #[error("there is no space left for the store")]
    StorageFull,
    /// The database is away.
    #[error("the database cannot be reached")]
    Unavailable,
    /// The database was lost in mid-commit and did not come back in time: the write may be there or not.
    #[error("the database was lost in the middle of a commit")]
    OutcomeUnknown,
    /// The database failed.
    #[error("the store could not write")]
    Failed(#[source] Cause),
    /// The store is closing.
    #[error("the store is closed")]
    Closed,
}

/// Why a read gave no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    /// Too many wait already, or it waited too long for its turn.
    #[error("too many reads are waiting")]
    Overloaded,
    /// It took too long, or its answer was not taken.
    #[error("the read took too long")]
    TooSlow,
    /// The index for search is behind what has been written, and did not catch up in time.
    #[error("the index for search is behind")]
    Behind,
    /// The database is away.
    #[error("the database cannot be reached")]
    Unavailable,
    /// The file is damaged.
    #[error("the store is damaged")]
    Damaged(#[source] Cause),
    /// The database failed.
    #[error("the store could not read")]
    Failed(#[source] Cause),
    /// The store is closing.
    #[error("the store is closed")]
    Closed,
}
