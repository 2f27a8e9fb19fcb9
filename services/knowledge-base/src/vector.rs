//! The vector index: which keys' vectors lie nearest to a query's. Derived from the store, which is the record: an
//! index that is lost or damaged is built again. Nothing here knows what a key or a vector stands for.
//!
//! An index is a list of parts whose rows never change. New vectors lie in parts in memory, which are searched exactly
//! (`flat.rs`). Once they are enough, a thread of low priority builds a graph of them, writes it to a file and maps that
//! (`build.rs`, `graph.rs`); others merge graphs (`merge.rs`). A key that is removed or replaced marks its old row dead.
//! A search sees one state of all parts (`state.rs`) and waits for nobody who builds (`index.rs`, `builders.rs`). What
//! is on disk is exactly one revision's state (`persist.rs`, `manifest.rs`).

mod budget;
mod build;
mod builders;
mod contention;
mod cores;
mod files;
mod flat;
mod follower;
mod graph;
mod half;
mod index;
mod manifest;
mod merge;
mod metrics;
mod part;
mod permits;
mod persist;
mod ranking;
mod state;
mod tasks;
#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub use builders::{Builders, BuildersOptions};
pub use files::Damage;
pub use follower::{DocumentVectors, FactVectors, FollowError};
pub use graph::{SEARCHES_AT_ONCE, Tuning};
pub use index::{ApplyError, WrongDimension};
pub use metrics::{METRIC_VECTORS_REVISION, VectorMetrics};
pub use part::Allowed;
pub use state::Position;

use index::Inner;

/// What an index holds.
#[derive(Debug, Clone)]
pub struct Options {
    /// Of the embedding model whose vectors these are. Others are not comparable.
    pub model: String,
    /// Components of each vector.
    pub dimension: usize,
    /// How graphs are built and searched. May change between two runs.
    pub tuning: Tuning,
}

impl Options {
    /// For vectors of `dimension` components that `model` makes.
    pub fn new(model: &str, dimension: usize) -> Self {
        Self { model: model.to_owned(), dimension, tuning: Tuning::default() }
    }
}

/// Why an index was not opened. But for [`OpenError::Io`], [`VectorIndex::erase`] and building it again help.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// What lies there is not what was written.
    #[error("the vector index is damaged")]
    Damaged(#[from] Damage),
    /// It was built of other vectors.
    #[error(
        "the vector index is of model {found} with {found_dimension} components, instead of {expected} with \
         {expected_dimension}"
    )]
    OtherModel {
        /// The model it was built with.
        found: String,
        /// Its vectors' components.
        found_dimension: usize,
        /// The model asked for.
        expected: String,
        /// Its vectors' components.
        expected_dimension: usize,
    },
    /// The system's word.
    #[error("the directory of the vector index cannot be used")]
    Io(#[from] io::Error),
}

impl OpenError {
    /// Stable.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Damaged(Damage::Missing { .. }) => "index_file_missing",
            Self::Damaged(Damage::Length { .. }) => "index_file_length",
            Self::Damaged(Damage::Checksum { .. }) => "index_file_checksum",
            Self::Damaged(Damage::Unreadable { .. }) => "index_file_unreadable",
            Self::Damaged(Damage::Version { .. }) => "index_file_version",
            Self::OtherModel { .. } => "index_of_other_model",
            Self::Io(_) => "index_directory",
        }
    }
}

/// Bytes by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Memory {
    /// Vectors without a graph.
    pub waiting_bytes: usize,
    /// Graphs being built, as estimated.
    pub building_bytes: usize,
    /// Keys and tables of graphs.
    pub table_bytes: usize,
    /// Mapped files: the kernel's to keep or to take back.
    pub mapped_bytes: u64,
}

/// What is yet to be done, and what there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Vectors without a graph; they are searched exactly.
    pub waiting: usize,
    /// Rows of graphs being built: of vectors that wait, or of parts that merge.
    pub building: usize,
    /// Parts with a graph.
    pub graphs: usize,
}

/// An index in a directory of its own. Dropped without [`VectorIndex::close`], it is on disk as [`VectorIndex::persist`]
/// left it last.
#[derive(Debug)]
pub struct VectorIndex {
    inner: Arc<Inner>,
    /// Its threads outlive it.
    _builders: Builders,
}

impl VectorIndex {
    /// Opens what was persisted in `directory`, or an empty index where there is nothing. One process at a time.
    ///
    /// Reads every file once to compare checksums. What happened after [`VectorIndex::position`] is the caller's to
    /// apply.
    ///
    /// # Errors
    /// [`OpenError`], when what is there cannot be used; it never opens a part of it.
    pub fn open(directory: &Path, options: &Options, builders: &Builders) -> Result<Self, OpenError> {
        let inner = persist::open(directory, options, builders.shared())?;
        Ok(Self { inner, _builders: builders.clone() })
    }

    /// Removes all files of the index in `directory`, which nobody has open.
    ///
    /// # Errors
    /// The system's, when a file cannot be removed.
    pub fn erase(directory: &Path) -> io::Result<()> {
        persist::erase(directory)
    }

    /// Takes the changes that lead to `position`: first `removed` keys go, then `upserts` come or replace what was
    /// there. A search sees all of it or nothing; the same again changes nothing. Vectors have unit length.
    ///
    /// Waits while the memory for vectors without a graph is used up, until graphs have been built. Called by one
    /// thread at a time.
    ///
    /// # Errors
    /// [`ApplyError`]; nothing was applied then.
    pub fn apply(
        &self,
        upserts: &[(u64, &[f32])],
        removed: &[u64],
        position: &Position,
    ) -> Result<(), ApplyError> {
        self.inner.apply(upserts, removed, position)
    }

    /// Begins anew with nothing, at no position. What is on disk stays until something else is persisted.
    pub fn clear(&self) {
        self.inner.clear();
    }

    /// The `limit` keys whose vectors have the greatest inner products with `query`, best first, each with it; of those
    /// that are `allowed`, where that is said. Exactly `limit` where that many are there; approximate in large parts.
    ///
    /// # Errors
    /// [`WrongDimension`] of the query.
    pub fn search(
        &self,
        query: &[f32],
        limit: usize,
        allowed: Allowed<'_>,
    ) -> Result<Vec<(u64, f32)>, WrongDimension> {
        self.inner.search(query, |state, query| state.search(query, limit, allowed))
    }

    /// The same without approximation: every vector is looked at.
    ///
    /// # Errors
    /// [`WrongDimension`] of the query.
    pub fn exact_search(
        &self,
        query: &[f32],
        limit: usize,
        allowed: Allowed<'_>,
    ) -> Result<Vec<(u64, f32)>, WrongDimension> {
        self.inner.search(query, |state, query| state.search_exactly(query, limit, allowed))
    }

    /// Keys that it holds.
    pub fn len(&self) -> usize {
        self.inner.state().len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it holds `key`.
    pub fn contains(&self, key: u64) -> bool {
        self.inner.state().has(key)
    }

    /// Which state of the store it holds; `None` = nothing was applied yet.
    pub fn position(&self) -> Option<Position> {
        self.inner.state().position.clone()
    }

    /// Bytes that it takes.
    pub fn memory(&self) -> Memory {
        let state = self.inner.state();
        Memory {
            waiting_bytes: state.flats.iter().map(|held| held.part.own_bytes()).sum(),
            building_bytes: self.inner.building_bytes(),
            table_bytes: state.graphs.iter().map(|held| held.part.table_bytes()).sum(),
            mapped_bytes: state.graphs.iter().map(|held| held.part.mapped_bytes()).sum(),
        }
    }

    /// What its threads have to do.
    pub fn progress(&self) -> Progress {
        let state = self.inner.state();
        Progress {
            waiting: state.waiting(),
            building: self.inner.building_rows(),
            graphs: state.graphs.len(),
        }
    }

    /// Waits until its threads have nothing to do, at most so long; whether they have nothing to do.
    pub fn wait_until_built(&self, longest: Duration) -> bool {
        self.inner.wait_until_built(longest)
    }

    /// Puts the current state on disk, and removes files that it has no use for. Answers with what is on disk now;
    /// `None` = nothing was applied yet.
    ///
    /// # Errors
    /// The system's; what was on disk is there still.
    pub fn persist(&self) -> io::Result<Option<Position>> {
        persist::persist(&self.inner)
    }

    /// Ends [`VectorIndex::apply`] where it waits, and all building. Searches go on.
    pub fn stop(&self) {
        self.inner.stop();
    }

    /// Stops and persists.
    ///
    /// # Errors
    /// The system's; the index is on disk as it was persisted last then.
    pub fn close(self) -> io::Result<Option<Position>> {
        self.inner.stop();
        self.persist()
    }
}

impl Drop for VectorIndex {
    fn drop(&mut self) {
        // Or a thread would write to a directory that may be opened again.
        self.inner.stop();
    }
}
