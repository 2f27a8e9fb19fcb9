//! The facts: their vectors are made of their statements, by the built-in table, and kept nowhere else.

use std::path::Path;
use std::sync::Arc;

use prometheus::IntGauge;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::super::{ApplyError, Builders, OpenError, Options, Position, VectorIndex};
use super::{FollowError, Follower, Following, ROWS_AT_ONCE, TakeError, Taken};
use crate::embed::{StaticTable, Vector};
use crate::store::{Delta, DeltaAnswer, FactId, FactRow, Revision, Store};

/// Facts that are worth a thread of their own: some milliseconds of embedding.
const ROWS_PER_THREAD: usize = 256;

/// The facts as vectors, by [`FactId`].
#[derive(Debug)]
pub struct FactVectors {
    index: Arc<VectorIndex>,
    follower: Follower,
}

impl FactVectors {
    /// Opens the index in `directory`, or begins a new one where that is damaged or of another model, and follows
    /// `store` from where it stands. Called within a Tokio runtime; reads files, so not on one of its workers.
    /// `reached` shows how far it is.
    ///
    /// # Errors
    /// [`FollowError`], when the directory or the system is at fault.
    pub fn start(
        store: &Store,
        directory: &Path,
        builders: &Builders,
        reached: IntGauge,
    ) -> Result<Self, FollowError> {
        let table = StaticTable::built_in();
        let options = Options::new(&table.model().id, table.model().dimension);
        let index = Arc::new(open_or_begin(directory, &options, builders)?);
        let following = Facts { store: store.clone(), index: index.clone(), table };
        Ok(Self { index, follower: Follower::start(store, following, reached)? })
    }

    /// To be searched.
    pub fn index(&self) -> &Arc<VectorIndex> {
        &self.index
    }

    /// Follows the position that the index is exact at; `None` until it has caught up once.
    pub fn exact(&self) -> watch::Receiver<Option<Position>> {
        self.follower.exact.clone()
    }

    /// Stops, puts the index on disk and ends. Blocks for that long.
    pub fn finish(&self) {
        self.follower.stop.request();
        self.index.stop();
        self.follower.join();
    }
}

/// What is damaged or foreign is derived anew.
fn open_or_begin(directory: &Path, options: &Options, builders: &Builders) -> Result<VectorIndex, OpenError> {
    match VectorIndex::open(directory, options, builders) {
        Err(OpenError::Io(error)) => Err(error.into()),
        Err(error) => {
            let cause: &dyn std::error::Error = &error;
            tracing::warn!(code = error.code(), error = cause, "the facts' vectors are built again");
            VectorIndex::erase(directory)?;
            VectorIndex::open(directory, options, builders)
        }
        opened => opened,
    }
}

struct Facts {
    store: Store,
    index: Arc<VectorIndex>,
    table: &'static StaticTable,
}

impl Following for Facts {
    const WHAT: &'static str = "facts";

    fn position(&self) -> Option<Position> {
        self.index.position()
    }

    fn clear(&mut self) {
        self.index.clear();
    }

    fn take(&mut self, after: Revision, runtime: &Handle) -> Result<Taken, TakeError> {
        let seen = runtime.block_on(self.store.fact_delta(after, ROWS_AT_ONCE))?;
        let DeltaAnswer::Delta(delta) = seen.value else { return Ok(Taken::TooOld) };
        let position = Position { epoch: seen.epoch, revision: delta.upto };
        if self.index.position().as_ref() != Some(&position) {
            self.apply(&delta, &position)?;
        }
        Ok(Taken::Applied { newest: seen.revision })
    }

    fn persist(&mut self) -> std::io::Result<()> {
        self.index.persist().map(drop)
    }
}

impl Facts {
    fn apply(&self, delta: &Delta<FactRow, FactId>, position: &Position) -> Result<(), ApplyError> {
        let vectors = embed(self.table, &delta.changed);
        let rows = || delta.changed.iter().zip(&vectors);
        let upserts: Vec<(u64, &[f32])> =
            rows().filter_map(|(row, vector)| Some((row.id.0, &**vector.as_ref()?))).collect();
        // A fact without a known word is near nothing, whatever it said before.
        let without = rows().filter(|(_, vector)| vector.is_none()).map(|(row, _)| row.id);
        let removed: Vec<u64> = delta.removed.iter().copied().chain(without).map(|id| id.0).collect();
        self.index.apply(&upserts, &removed, position)
    }
}

/// The vectors of facts, on as many threads as they are worth.
fn embed(table: &StaticTable, rows: &[FactRow]) -> Vec<Option<Vector>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let rows_a_thread = rows.len().div_ceil(cores).max(ROWS_PER_THREAD);
    let embed_all =
        |rows: &[FactRow]| rows.iter().map(|row| table.embed_statement(&row.statement)).collect::<Vec<_>>();
    std::thread::scope(|scope| {
        let mut parts = rows.chunks(rows_a_thread);
        let own = parts.next().unwrap_or_default();
        let others: Vec<_> = parts.map(|part| scope.spawn(move || embed_all(part))).collect();
        let mut vectors = embed_all(own);
        for other in others {
            vectors.extend(other.join().expect("it panics nowhere"));
        }
        vectors
    })
}
