//! One index from within: how states follow each other. Whoever makes the next state holds the lock of [`Writer`];
//! searches take the current one and hold nothing.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use super::Options;
use super::budget::Purpose;
use super::build::{BuildError, Built, Source, Workbench};
use super::builders::{Shared, Task};
use super::flat::{Flat, join};
use super::graph::{SEARCHES_AT_ONCE, Tuning};
use super::half::{self, Query};
use super::merge::{self, Size};
use super::part::{Dead, Held, Part, PartId};
use super::permits::Permits;
use super::persist::Persisted;
use super::state::{Position, State};

/// Between two tries to build a part, where the disk is full or the like.
const RETRY_PAUSE: Duration = Duration::from_secs(5);

/// An index; the handle is [`super::VectorIndex`].
#[derive(Debug)]
pub struct Inner {
    pub(super) directory: PathBuf,
    pub(super) model: String,
    pub(super) dimension: usize,
    pub(super) tuning: Tuning,
    pub(super) shared: Arc<Shared>,
    /// Held to copy or swap the pointer.
    current: RwLock<Arc<State>>,
    /// Held by whoever makes the next state.
    writer: Mutex<Writer>,
    /// Held while the state goes to disk.
    pub(super) persisted: Mutex<Persisted>,
    pub(super) searches: Permits,
    /// Tasks that are carried out.
    running: Mutex<usize>,
    ended: Condvar,
    stopped: AtomicBool,
    /// Rows and bytes of graphs being built.
    building_rows: AtomicUsize,
    building_bytes: AtomicUsize,
}

/// What makes the next state.
#[derive(Debug, Default)]
pub(super) struct Writer {
    next_part: u64,
    sealing: Work,
    merging: Work,
    /// Memory is short: any number of vectors is worth a graph, once.
    pressed: bool,
    /// Parts that are in no state since the last time these were taken.
    retired: Vec<PartId>,
}

/// A task from when it is queued until it ends.
#[derive(Debug, Default)]
struct Work {
    queued: bool,
    /// Parts that become one; they stay in every state until then.
    parts: Vec<PartId>,
}

impl Writer {
    fn part(&mut self) -> PartId {
        let id = PartId(self.next_part);
        self.next_part += 1;
        id
    }

    fn work(&mut self, task: Task) -> &mut Work {
        match task {
            Task::Seal => &mut self.sealing,
            Task::Merge => &mut self.merging,
        }
    }

    fn is_taken(&self, part: PartId) -> bool {
        self.sealing.parts.contains(&part) || self.merging.parts.contains(&part)
    }

    /// Drops the parts without a live row.
    fn tidy(&mut self, state: &mut State) {
        let mut retired = std::mem::take(&mut self.retired);
        let mut stays = |id: PartId, live: usize| {
            let stays = live > 0 || self.is_taken(id);
            if !stays {
                retired.push(id);
            }
            stays
        };
        state.flats.retain(|held| stays(held.part.id(), held.live()));
        state.graphs.retain(|held| stays(held.part.id(), held.live()));
        self.retired = retired;
    }
}

/// Why nothing was applied.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ApplyError {
    /// A vector with more or fewer components than the index has.
    #[error("the vector of {key} has {found} components instead of {expected}")]
    Dimension {
        /// Its key.
        key: u64,
        /// As found.
        found: usize,
        /// What the index was opened with.
        expected: usize,
    },
    /// A component that is no number.
    #[error("the vector of {key} has a component that is not finite")]
    NotFinite {
        /// Its key.
        key: u64,
    },
    /// The index closes.
    #[error("the index closes")]
    Stopped,
}

impl ApplyError {
    /// Stable.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Dimension { .. } => "wrong_dimension",
            Self::NotFinite { .. } => "vector_not_finite",
            Self::Stopped => "index_closed",
        }
    }
}

impl Inner {
    pub(super) fn new(
        directory: &Path,
        options: &Options,
        shared: &Arc<Shared>,
        state: State,
        persisted: Persisted,
        next_part: PartId,
    ) -> Arc<Self> {
        let inner = Arc::new(Self {
            directory: directory.to_owned(),
            model: options.model.clone(),
            dimension: options.dimension,
            tuning: options.tuning,
            shared: shared.clone(),
            current: RwLock::new(Arc::new(state)),
            writer: Mutex::new(Writer { next_part: next_part.0, ..Writer::default() }),
            persisted: Mutex::new(persisted),
            searches: Permits::new(SEARCHES_AT_ONCE),
            running: Mutex::new(0),
            ended: Condvar::new(),
            stopped: AtomicBool::new(false),
            building_rows: AtomicUsize::new(0),
            building_bytes: AtomicUsize::new(0),
        });
        inner.shared.register(&inner);
        inner.schedule();
        inner
    }

    /// The current state.
    pub fn state(&self) -> Arc<State> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Rows of graphs being built.
    pub fn building_rows(&self) -> usize {
        self.building_rows.load(Ordering::Relaxed)
    }

    /// Bytes of graphs being built.
    pub fn building_bytes(&self) -> usize {
        self.building_bytes.load(Ordering::Relaxed)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes `state` the current one. The one before it ends with its last search.
    fn publish(&self, _writer: &mut Writer, mut state: State) {
        state.generation += 1;
        let mut next = Arc::new(state);
        std::mem::swap(&mut *self.current.write().unwrap_or_else(PoisonError::into_inner), &mut next);
    }

    /// A state with the parts that were retired before it, and a number that no part of it has.
    pub(super) fn state_to_persist(&self) -> (Arc<State>, Vec<PartId>, PartId) {
        let mut writer = self.writer();
        (self.state(), std::mem::take(&mut writer.retired), PartId(writer.next_part))
    }

    /// Those that [`Inner::state_to_persist`] gave are still to be removed.
    pub(super) fn retire_again(&self, parts: Vec<PartId>) {
        self.writer().retired.extend(parts);
    }

    /// See [`super::VectorIndex::apply`].
    pub fn apply(
        self: &Arc<Self>,
        upserts: &[(u64, &[f32])],
        removed: &[u64],
        position: &Position,
    ) -> Result<(), ApplyError> {
        self.check(upserts)?;
        // Of two for one key the last; rows rise with their keys.
        let mut rows: Vec<&(u64, &[f32])> = upserts.iter().rev().collect();
        rows.sort_by_key(|(key, _)| *key);
        rows.dedup_by_key(|(key, _)| *key);

        let bytes = Flat::bytes(rows.len(), self.dimension);
        let waited =
            self.shared.budget.take(Purpose::Waiting, bytes, &self.stopped, || self.shared.relieve());
        let charge = waited.ok_or(ApplyError::Stopped)?;
        let keys: Vec<u64> = rows.iter().map(|(key, _)| *key).collect();
        let mut vectors = Vec::with_capacity(rows.len() * self.dimension);
        for (_, vector) in &rows {
            half::append(vector, &mut vectors);
        }

        let mut writer = self.writer();
        let mut state = State::clone(&self.state());
        state.position = Some(position.clone());
        for &key in removed.iter().chain(&keys) {
            state.kill(key);
        }
        writer.tidy(&mut state);
        if !keys.is_empty() {
            let newest = Flat::new(writer.part(), self.dimension, keys, vectors, charge);
            self.append(&mut writer, &mut state, Held::new(newest));
        }
        self.publish(&mut writer, state);
        drop(writer);
        self.schedule();
        Ok(())
    }

    /// See [`super::VectorIndex::clear`].
    pub fn clear(&self) {
        let mut writer = self.writer();
        let State { generation, flats, graphs, .. } = State::clone(&self.state());
        writer.retired.extend(flats.iter().map(|held| held.part.id()));
        writer.retired.extend(graphs.iter().map(|held| held.part.id()));
        self.publish(&mut writer, State { generation, ..State::default() });
    }

    fn check(&self, upserts: &[(u64, &[f32])]) -> Result<(), ApplyError> {
        for &(key, vector) in upserts {
            if vector.len() != self.dimension {
                return Err(ApplyError::Dimension { key, found: vector.len(), expected: self.dimension });
            }
            if !vector.iter().all(|component| component.is_finite()) {
                return Err(ApplyError::NotFinite { key });
            }
        }
        Ok(())
    }

    /// Puts `newest` behind the others, joined with those before it that are no larger than twice its size: so rows
    /// that come one by one are copied a few times each, and lie in a few parts.
    fn append(&self, writer: &mut Writer, state: &mut State, mut newest: Held<Flat>) {
        while let Some(last) = state.flats.pop_if(|last| {
            !writer.is_taken(last.part.id())
                && last.live() <= 2 * newest.live()
                && last.live() + newest.live() <= self.tuning.seal_rows
        }) {
            let (keys, vectors) = join(&last, &newest);
            let bytes = Flat::bytes(keys.len(), self.dimension);
            let charge = self.shared.budget.take_now(Purpose::Waiting, bytes);
            writer.retired.push(last.part.id());
            newest = Held::new(Flat::new(writer.part(), self.dimension, keys, vectors, charge));
        }
        state.flats.push(newest);
    }

    /// Queues what is to be done: a graph for the vectors without one once they are enough, a merge where one is due.
    fn schedule(self: &Arc<Self>) {
        if self.stopped.load(Ordering::Acquire) {
            return;
        }
        let mut writer = self.writer();
        let state = self.state();
        let enough = if writer.pressed { 1 } else { self.tuning.seal_rows };
        if !writer.sealing.queued && state.waiting() >= enough {
            writer.pressed = false;
            writer.sealing.queued = true;
            self.shared.queue(Task::Seal, self.clone());
        }
        if !writer.merging.queued && self.mergeable(&state).is_some() {
            writer.merging.queued = true;
            self.shared.queue(Task::Merge, self.clone());
        }
    }

    /// Seals what there is, if anything: memory is short.
    pub fn relieve(self: &Arc<Self>) {
        self.writer().pressed = true;
        self.schedule();
    }

    fn mergeable(&self, state: &State) -> Option<Vec<usize>> {
        let size = |held: &Held<_>| Size { rows: Part::keys(&*held.part).len(), live: held.live() };
        let sizes: Vec<Size> = state.graphs.iter().map(size).collect();
        let most = self.shared.budget.bytes_max(Purpose::Building);
        let row_bytes = self.tuning.building_bytes(1, self.dimension);
        merge::choose(&sizes, most / row_bytes)
    }

    /// Carries `task` out, on one of the builders' threads.
    pub fn carry_out(self: &Arc<Self>, task: Task) {
        let Some(running) = Running::begin(self, task) else { return };
        match self.rebuild(task) {
            Ok(()) | Err(BuildError::Stopped) => {}
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::error!(error, ?task, directory = %self.directory.display(), "a part of a vector index was not built; its vectors are searched as they are");
                self.pause(RETRY_PAUSE);
            }
        }
        drop(running);
        self.schedule();
    }

    /// Builds one part out of those that are due, and puts it in their place.
    fn rebuild(&self, task: Task) -> Result<(), BuildError> {
        let Some((id, sources)) = self.take_sources(task) else { return Ok(()) };
        let rows = sources.iter().map(Source::live).sum();
        let bytes = self.tuning.building_bytes(rows, self.dimension);
        let charge = self.shared.budget.take(Purpose::Building, bytes, &self.stopped, || {});
        let charge = charge.ok_or(BuildError::Stopped)?;
        let _progress = Building::begin(self, rows, charge.bytes());
        let bench = Workbench {
            directory: &self.directory,
            dimension: self.dimension,
            tuning: &self.tuning,
            threads: self.shared.threads,
            stopped: &self.stopped,
        };
        let built = bench.build(id, &sources).inspect_err(|_| self.retire_again(vec![id]))?;
        self.replace(&sources, built);
        Ok(())
    }

    /// Chooses the parts that become one, and keeps them from others until the task ends.
    fn take_sources(&self, task: Task) -> Option<(PartId, Vec<Source>)> {
        let mut writer = self.writer();
        let state = self.state();
        let sources: Vec<Source> = match task {
            Task::Seal => {
                let most = self.shared.budget.bytes_max(Purpose::Building);
                let mut rows = 0;
                let fits = |held: &&Held<Flat>| {
                    rows += held.live();
                    rows == held.live() || self.tuning.building_bytes(rows, self.dimension) <= most
                };
                state.flats.iter().take_while(fits).map(Source::of).collect()
            }
            Task::Merge => {
                let chosen = self.mergeable(&state)?;
                chosen.into_iter().map(|place| Source::of(&state.graphs[place])).collect()
            }
        };
        if sources.iter().all(|source| source.live() == 0) {
            return None;
        }
        writer.work(task).parts = sources.iter().map(|source| source.part.id()).collect();
        Some((writer.part(), sources))
    }

    /// Puts the new part in the place of its sources. What died meanwhile is dead in it.
    fn replace(&self, sources: &[Source], built: Built) {
        let mut writer = self.writer();
        let mut state = State::clone(&self.state());
        let ids: Vec<PartId> = sources.iter().map(|source| source.part.id()).collect();
        let Some(now) = ids.iter().map(|id| state.dead_of(*id)).collect::<Option<Vec<Arc<Dead>>>>() else {
            // The index was cleared meanwhile.
            writer.retired.push(built.graph.id());
            return;
        };
        let mut dead = Dead::none(built.origins.len());
        for (row, origin) in built.origins.iter().enumerate() {
            if now[origin.source].contains(origin.row) {
                dead.insert(row);
            }
        }
        state.flats.retain(|held| !ids.contains(&held.part.id()));
        state.graphs.retain(|held| !ids.contains(&held.part.id()));
        state.graphs.push(Held { part: Arc::new(built.graph), dead: Arc::new(dead) });
        writer.retired.extend(ids);
        self.publish(&mut writer, state);
    }

    /// Waits until nothing is to be done, at most so long; whether it is so.
    pub fn wait_until_built(&self, longest: Duration) -> bool {
        let busy = |_: &mut usize| {
            let writer = self.writer();
            let state = self.state();
            let queued = writer.sealing.queued || writer.merging.queued;
            queued || state.waiting() >= self.tuning.seal_rows || self.mergeable(&state).is_some()
        };
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.ended.wait_timeout_while(running, longest, busy);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Ends what is under way and lets nothing begin.
    pub fn stop(&self) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        self.stopped.store(true, Ordering::Release);
        self.ended.notify_all();
        self.shared.budget.wake();
        while *running > 0 {
            running = self.ended.wait(running).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits for `pause`, or for the stop.
    fn pause(&self, pause: Duration) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let stopping = |_: &mut usize| !self.stopped.load(Ordering::Acquire);
        drop(self.ended.wait_timeout_while(running, pause, stopping));
    }

    /// The best `limit`, best first, by a state that stays what it is meanwhile.
    pub fn search(
        &self,
        query: &[f32],
        search: impl FnOnce(&State, &Query<'_>) -> Vec<(u64, f32)>,
    ) -> Result<Vec<(u64, f32)>, WrongDimension> {
        if query.len() != self.dimension {
            return Err(WrongDimension { found: query.len(), expected: self.dimension });
        }
        let _permit = self.searches.take();
        Ok(search(&self.state(), &Query::new(query)))
    }
}

/// A query with more or fewer components than the index has.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the query has {found} components instead of {expected}")]
pub struct WrongDimension {
    /// As found.
    pub found: usize,
    /// What the index was opened with.
    pub expected: usize,
}

/// A task being carried out; what it kept from others is theirs again when it ends, whichever way.
struct Running<'a> {
    inner: &'a Inner,
    task: Task,
}

impl<'a> Running<'a> {
    /// `None` once the index is stopped.
    fn begin(inner: &'a Inner, task: Task) -> Option<Self> {
        let mut running = inner.running.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.stopped.load(Ordering::Acquire) {
            return None;
        }
        *running += 1;
        Some(Self { inner, task })
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        *self.inner.writer().work(self.task) = Work::default();
        *self.inner.running.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.inner.ended.notify_all();
    }
}

/// What is being built, for those who ask.
struct Building<'a> {
    inner: &'a Inner,
    rows: usize,
    bytes: usize,
}

impl<'a> Building<'a> {
    fn begin(inner: &'a Inner, rows: usize, bytes: usize) -> Self {
        inner.building_rows.fetch_add(rows, Ordering::Relaxed);
        inner.building_bytes.fetch_add(bytes, Ordering::Relaxed);
        Self { inner, rows, bytes }
    }
}

impl Drop for Building<'_> {
    fn drop(&mut self) {
        self.inner.building_rows.fetch_sub(self.rows, Ordering::Relaxed);
        self.inner.building_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
