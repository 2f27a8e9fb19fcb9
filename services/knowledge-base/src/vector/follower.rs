//! Keeps an index of the facts at the store's revision: takes what changed, turns statements into vectors, applies them.
//! The one file here that knows the store and texts.
//!
//! It runs on a thread of its own, with a lower priority than requests have. What it has applied is on disk every now
//! and then and at the stop; what is not is taken from the store again.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chassis::Shutdown;
use chassis::shutdown::Trigger;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::{ApplyError, Builders, OpenError, Options, Position, VectorIndex};
use crate::embed::{StaticTable, Vector};
use crate::store::{Delta, DeltaAnswer, FactId, FactRow, ReadError, Revision, Snapshot, Store};

/// Facts asked for at once: some hundred milliseconds of embedding, and a megabyte of statements.
const ROWS_AT_ONCE: usize = 4_000;

/// Facts that are worth a thread of their own: some milliseconds of embedding.
const ROWS_PER_THREAD: usize = 256;

/// Between two times that the index is put on disk: after a crash as much is embedded again.
const PERSIST_EVERY: Duration = Duration::from_secs(30);

/// Pause after a failure: the store is away, or its readers are all busy.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Of the thread: behind requests, before the building of graphs.
const NICENESS: i32 = 5;

/// The facts as vectors, by [`FactId`].
#[derive(Debug)]
pub struct FactVectors {
    index: Arc<VectorIndex>,
    exact: watch::Receiver<Option<Position>>,
    stop: Trigger,
    thread: JoinHandle<()>,
}

/// Why the facts' vectors are not followed.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The directory cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The system gives no thread.
    #[error("the thread that follows the store cannot be started")]
    Thread(#[source] std::io::Error),
}

impl FactVectors {
    /// Opens the index in `directory`, or begins a new one where that is damaged or of another model, and follows
    /// `store` from where it stands. Called within a Tokio runtime; reads files, so not on one of its workers.
    ///
    /// # Errors
    /// [`FollowError`], when the directory or the system is at fault.
    pub fn start(store: Store, directory: &Path, builders: &Builders) -> Result<Self, FollowError> {
        let table = StaticTable::built_in();
        let options = Options::new(&table.model().id, table.model().dimension);
        let index = Arc::new(open_or_begin(directory, &options, builders)?);
        let (stop, shutdown) = Shutdown::manual();
        let (sender, exact) = watch::channel(None);
        let follower = Follower {
            store,
            index: index.clone(),
            table,
            exact: sender,
            shutdown,
            persisted_at: Instant::now(),
        };
        let runtime = Handle::current();
        let thread = std::thread::Builder::new().name("vector-follow".to_owned());
        let thread = thread.spawn(move || follower.run(&runtime)).map_err(FollowError::Thread)?;
        Ok(Self { index, exact, stop, thread })
    }

    /// To be searched.
    pub fn index(&self) -> &Arc<VectorIndex> {
        &self.index
    }

    /// Follows the position that the index is exact at; `None` until it has caught up once.
    pub fn exact(&self) -> watch::Receiver<Option<Position>> {
        self.exact.clone()
    }

    /// Stops, puts the index on disk and ends. Blocks for that long.
    pub fn finish(self) {
        self.stop.request();
        self.index.stop();
        if self.thread.join().is_err() {
            tracing::error!("the thread that follows the store for the vector index has panicked");
        }
    }
}

/// What is damaged or foreign is derived anew.
fn open_or_begin(directory: &Path, options: &Options, builders: &Builders) -> Result<VectorIndex, OpenError> {
    match VectorIndex::open(directory, options, builders) {
        Err(OpenError::Io(error)) => Err(error.into()),
        Err(error) => {
            let cause: &dyn std::error::Error = &error;
            tracing::warn!(code = error.code(), error = cause, "the vector index is built again");
            VectorIndex::erase(directory)?;
            VectorIndex::open(directory, options, builders)
        }
        opened => opened,
    }
}

struct Follower {
    store: Store,
    index: Arc<VectorIndex>,
    table: &'static StaticTable,
    exact: watch::Sender<Option<Position>>,
    shutdown: Shutdown,
    persisted_at: Instant,
}

/// What to do next.
enum Next {
    /// There is more to take.
    GoOn,
    /// The index is where the store is.
    Wait,
    /// The store or the index closes.
    End,
}

impl Follower {
    fn run(mut self, runtime: &Handle) {
        if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
            tracing::warn!(%error, "facts are embedded at the usual priority");
        }
        let mut snapshots = self.store.watch();
        if self.index.position().is_some_and(|position| position.epoch != snapshots.borrow().epoch) {
            tracing::info!("the store has another history than the vector index, which is built again");
            self.index.clear();
        }
        while !self.shutdown.is_requested() {
            match self.take_next(runtime) {
                Ok(Next::GoOn) => {}
                Ok(Next::Wait) => runtime.block_on(self.wait(&mut snapshots)),
                Ok(Next::End) => break,
                Err(error) => {
                    let cause: &dyn std::error::Error = &error;
                    tracing::warn!(
                        error = cause,
                        "the vector index does not follow the store; it tries again"
                    );
                    runtime.block_on(async {
                        let _ = tokio::time::timeout(RETRY_PAUSE, self.shutdown.requested()).await;
                    });
                }
            }
            if self.persisted_at.elapsed() >= PERSIST_EVERY {
                self.persist();
            }
        }
        self.persist();
    }

    /// Takes one delta.
    fn take_next(&self, runtime: &Handle) -> Result<Next, ReadError> {
        let after = self.index.position().map_or(Revision(0), |position| position.revision);
        let seen = match runtime.block_on(self.store.fact_delta(after, ROWS_AT_ONCE)) {
            Err(ReadError::Closed) => return Ok(Next::End),
            seen => seen?,
        };
        let delta = match seen.value {
            DeltaAnswer::Delta(delta) => delta,
            DeltaAnswer::TooOld => {
                tracing::info!(
                    after = after.0,
                    "the store no longer knows what was deleted since; the vector index is built again"
                );
                self.index.clear();
                return Ok(Next::GoOn);
            }
        };
        let position = Position { epoch: seen.epoch, revision: delta.upto };
        if self.index.position().as_ref() != Some(&position) {
            match self.apply(&delta, &position) {
                Ok(()) => {}
                Err(ApplyError::Stopped) => return Ok(Next::End),
                Err(error) => {
                    // The table makes vectors of one length, and the index was opened for it.
                    tracing::error!(%error, code = error.code(), "a fact's vector was refused");
                    return Ok(Next::End);
                }
            }
        }
        if position.revision < seen.revision {
            return Ok(Next::GoOn);
        }
        self.exact.send_replace(Some(position));
        Ok(Next::Wait)
    }

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

    /// Returns when there may be something to do.
    async fn wait(&self, snapshots: &mut watch::Receiver<Snapshot>) {
        let applied = self.index.position();
        let changed = snapshots.wait_for(|snapshot| {
            applied.as_ref().is_none_or(|at| snapshot.revision != at.revision || snapshot.epoch != at.epoch)
        });
        tokio::select! {
            changed = changed => {
                if changed.is_err() {
                    // The store has ended; the next read says so.
                    let _ = tokio::time::timeout(RETRY_PAUSE, self.shutdown.requested()).await;
                }
            }
            () = self.shutdown.requested() => {}
            () = tokio::time::sleep(PERSIST_EVERY) => {}
        }
    }

    fn persist(&mut self) {
        self.persisted_at = Instant::now();
        if let Err(error) = self.index.persist() {
            tracing::error!(%error, "the vector index cannot be put on disk; what is missing is embedded again at the next start");
        }
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

#[cfg(test)]
mod tests {
    use chassis::Metrics;

    use super::*;
    use crate::grammar::parse;
    use crate::store::{
        Confidence, Context, NewFact, Origin, SqliteOptions, SqliteStore, StoreMetrics, StoreThreads,
    };
    use crate::vector::BuildersOptions;
    use crate::vector::testing::Directory;

    /// Longer than a handful of facts takes.
    const WITHIN: Duration = Duration::from_secs(30);

    fn open_store(directory: &Directory) -> (Store, StoreThreads) {
        let options = SqliteOptions { data_dir: directory.path().join("store"), size_bytes_max: None };
        let (store, threads) = SqliteStore::open(&options, StoreMetrics::new(&Metrics::new())).unwrap();
        (Arc::new(store), threads)
    }

    fn follow(store: &Store, directory: &Directory) -> FactVectors {
        let builders = Builders::start(BuildersOptions::default()).unwrap();
        FactVectors::start(store.clone(), &directory.path().join("vectors"), &builders).unwrap()
    }

    fn fact(text: &str) -> NewFact {
        NewFact::new(&parse(text).unwrap(), Context::default(), Confidence::DEFAULT)
    }

    fn origin() -> Origin {
        Origin { actor: "ada".into(), traceparent: None }
    }

    async fn exact_at(vectors: &FactVectors, revision: Revision) -> Position {
        let mut exact = vectors.exact();
        let at = exact.wait_for(|exact| exact.as_ref().is_some_and(|exact| exact.revision == revision));
        tokio::time::timeout(WITHIN, at).await.expect("it does not catch up").unwrap().clone().unwrap()
    }

    fn nearest(vectors: &FactVectors, text: &str) -> Vec<u64> {
        let query = StaticTable::built_in().embed_text(text).unwrap();
        let found = vectors.index().search(&query, 10, None).unwrap();
        found.into_iter().map(|(key, _)| key).collect()
    }

    async fn finish(vectors: FactVectors) {
        tokio::task::spawn_blocking(|| vectors.finish()).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn facts_are_found_by_meaning_as_soon_as_the_index_is_exact() {
        let directory = Directory::new();
        let (store, _threads) = open_store(&directory);
        let vectors = follow(&store, &directory);
        store.add(fact("IsA(dog, animal)"), origin()).await.unwrap();
        store.add(fact("Orbits(moon, earth)"), origin()).await.unwrap();
        let revision = store.snapshot().revision;
        let position = exact_at(&vectors, revision).await;
        assert_eq!(position.epoch, store.snapshot().epoch);
        assert_eq!(nearest(&vectors, "a puppy is a kind of pet")[0], 1);
        assert_eq!(nearest(&vectors, "planets and satellites")[0], 2);

        store.update(FactId(1), fact("Orbits(satellite, planet)"), origin()).await.unwrap();
        let deleted = store.delete(FactId(2), origin()).await.unwrap();
        exact_at(&vectors, deleted.revision).await;
        assert_eq!(nearest(&vectors, "planets and satellites"), [1]);
        finish(vectors).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_applied_is_there_at_the_next_start_and_damage_is_built_again() {
        let directory = Directory::new();
        let (store, _threads) = open_store(&directory);
        let facts = (0..900).map(|number| fact(&format!("Number(animal_{number}, dog)"))).collect();
        let batch = store.send_batch(facts, origin()).await.unwrap().written().await.unwrap();
        let vectors = follow(&store, &directory);
        exact_at(&vectors, batch.revision).await;
        finish(vectors).await;

        let vectors = follow(&store, &directory);
        assert_eq!(vectors.index().position().unwrap().revision, batch.revision, "nothing was kept");
        exact_at(&vectors, batch.revision).await;
        assert_eq!(vectors.index().len(), 900);
        finish(vectors).await;

        let manifest = directory.path().join("vectors/manifest.json");
        std::fs::write(&manifest, "{}").unwrap();
        let vectors = follow(&store, &directory);
        exact_at(&vectors, batch.revision).await;
        assert_eq!(vectors.index().len(), 900);
        finish(vectors).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_index_of_another_history_is_built_again() {
        let directory = Directory::new();
        let (store, _threads) = open_store(&directory);
        store.add(fact("IsA(dog, animal)"), origin()).await.unwrap();
        let vectors = follow(&store, &directory);
        exact_at(&vectors, Revision(1)).await;
        // A history in which there is a fact that this store never had.
        let foreign = Position { epoch: crate::store::Epoch::kept("elsewhere"), revision: Revision(1) };
        let vector = StaticTable::built_in().embed_text("a moon").unwrap();
        vectors.index().apply(&[(77, &vector)], &[], &foreign).unwrap();
        finish(vectors).await;

        let vectors = follow(&store, &directory);
        exact_at(&vectors, Revision(1)).await;
        assert_eq!((vectors.index().len(), vectors.index().contains(77)), (1, false));
        finish(vectors).await;
    }
}
