//! Builds a part with a graph from the live rows of other parts, on the threads of whoever calls.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::builders::{Shared, Task};
use super::contention::Contention;
use super::files::{self, FileRecord};
use super::graph::{self, Graph, GraphError, Tuning};
use super::manifest::{self, GraphRecord};
use super::part::{Dead, Held, Part, PartId, Unreadable};

/// Rows that a thread takes at a time.
const ROWS_AT_A_TIME: usize = 16;

/// A part to take rows from, as it was when the building began.
#[derive(Clone)]
pub struct Source {
    /// The part.
    pub part: Arc<dyn Part>,
    /// Rows that are left out.
    pub dead: Arc<Dead>,
}

impl Source {
    /// Of a part as it is now.
    pub fn of<P: Part + 'static>(held: &Held<P>) -> Self {
        Self { part: held.part.clone(), dead: held.dead.clone() }
    }

    /// Rows that are taken.
    pub fn live(&self) -> usize {
        self.part.keys().len() - self.dead.count()
    }
}

/// Where a row of the new part came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    key: u64,
    /// Its place among the sources.
    pub source: usize,
    /// Its row there.
    pub row: usize,
}

/// A new part with where its rows came from, in their order.
#[derive(Debug)]
pub struct Built {
    /// The part, with its files on disk.
    pub graph: Graph,
    /// One for each row.
    pub origins: Vec<Origin>,
}

/// Why a part was not built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The index closes.
    #[error("the index closes")]
    Stopped,
    /// The library's word.
    #[error("the graph cannot be built: {0}")]
    Library(String),
    /// A source cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The files cannot be written.
    #[error("a part cannot be written")]
    Io(#[from] io::Error),
    /// The files cannot be read back.
    #[error("a part that was just written cannot be opened")]
    NotOpened(#[source] GraphError),
}

/// What a part is built with.
pub struct Workbench<'a> {
    /// The directory of the index.
    pub directory: &'a Path,
    /// Components of a vector.
    pub dimension: usize,
    /// Of the graph.
    pub tuning: &'a Tuning,
    /// What it is built for.
    pub task: Task,
    /// What may be used: this part is built by as many threads as it says, the caller among them.
    pub shared: &'a Shared,
    /// Ends the building early.
    pub stopped: &'a AtomicBool,
    /// Returns after that time, or when the building is to end.
    pub pause: &'a (dyn Fn(Duration) + Sync),
}

impl Workbench<'_> {
    /// Builds part `id` of the live rows of `sources`, which have no live key in common.
    ///
    /// # Errors
    /// [`BuildError`]; files may be left behind, which the next manifest does not name.
    pub fn build(&self, id: PartId, sources: &[Source]) -> Result<Built, BuildError> {
        let mut origins = Vec::with_capacity(sources.iter().map(Source::live).sum());
        for (place, source) in sources.iter().enumerate() {
            let rows = source.part.keys().iter().enumerate().filter(|(row, _)| !source.dead.contains(*row));
            origins.extend(rows.map(|(row, &key)| Origin { key, source: place, row }));
        }
        origins.sort_unstable_by_key(|origin| origin.key);

        let graph = self.link_and_save(id, sources, &origins)?;
        let keys = files::write(self.directory, &format!("part-{}.keys", id.0), |file| {
            origins.iter().try_for_each(|origin| file.write_all(&origin.key.to_le_bytes()))
        })?;
        let record = GraphRecord { id, graph, keys, dead: manifest::encode(&Dead::none(origins.len())) };
        let graph = Graph::open(self.directory, record, self.dimension, self.tuning)
            .map_err(BuildError::NotOpened)?;
        Ok(Built { graph, origins })
    }

    /// The graph in memory, and then in its file.
    fn link_and_save(
        &self,
        id: PartId,
        sources: &[Source],
        origins: &[Origin],
    ) -> Result<FileRecord, BuildError> {
        let library = |error: String| BuildError::Library(error);
        let index = self.tuning.index(self.dimension).map_err(library)?;
        index
            .reserve_capacity_and_threads(origins.len(), self.shared.threads)
            .map_err(|error| library(error.to_string()))?;
        let next = AtomicUsize::new(0);
        let link = || {
            let linked = self.link_rows(&index, sources, origins, &next);
            if linked.is_err() {
                // The others need not go on.
                next.store(origins.len(), Ordering::Relaxed);
            }
            linked
        };
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..self.shared.threads).map(|_| scope.spawn(link)).collect();
            let own = link();
            others.into_iter().map(|other| other.join().expect("it panics nowhere")).fold(own, Result::and)
        })?;
        let name = format!("part-{}.graph", id.0);
        let path = files::unfinished(self.directory, &name);
        index.save(graph::utf8(&path).map_err(library)?).map_err(|error| library(error.to_string()))?;
        drop(index);
        Ok(files::finish(self.directory, &name)?)
    }

    fn link_rows(
        &self,
        index: &usearch::Index,
        sources: &[Source],
        origins: &[Origin],
        next: &AtomicUsize,
    ) -> Result<(), BuildError> {
        let mut vector = vec![0.0; self.dimension];
        let mut contention = Contention::of_this_thread();
        loop {
            // Kept while resting, or another builder would take the core instead of whoever waits for it.
            let core = self.shared.cores.take(self.task, self.stopped);
            let Some(_core) = core else { return Err(BuildError::Stopped) };
            let first = next.fetch_add(ROWS_AT_A_TIME, Ordering::Relaxed);
            if first >= origins.len() {
                return Ok(());
            }
            if self.stopped.load(Ordering::Acquire) {
                return Err(BuildError::Stopped);
            }
            for (row, origin) in origins.iter().enumerate().skip(first).take(ROWS_AT_A_TIME) {
                sources[origin.source].part.read(origin.row, &mut vector)?;
                index.add(row as u64, &vector).map_err(|error| BuildError::Library(error.to_string()))?;
            }
            let rest = contention.rest();
            let goes_on = self.shared.yields && next.load(Ordering::Relaxed) < origins.len();
            // Where memory is short it is built as fast as it goes, or the index would fall behind.
            if goes_on && !rest.is_zero() && !self.shared.budget.is_pressed() {
                (self.pause)(rest);
            }
        }
    }
}
