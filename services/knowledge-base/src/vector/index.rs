//! One index from within: how states follow each other. Whoever makes the next state holds the lock of [`Writer`];
//! searches take the current one and hold nothing.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use super::Options;
use super::budget::Purpose;
use super::builders::{Shared, Task};
use super::flat::{Flat, join};
use super::graph::{SEARCHES_AT_ONCE, Tuning};
use super::half::{self, Query};
use super::part::{Held, Part, PartId};
use super::permits::Permits;
use super::persist::Persisted;
use super::state::{Position, State};

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
    pub(super) running: Mutex<usize>,
    pub(super) ended: Condvar,
    pub(super) stopped: AtomicBool,
    /// Rows and bytes of graphs being built.
    pub(super) building_rows: AtomicUsize,
    pub(super) building_bytes: AtomicUsize,
}

/// What makes the next state.
#[derive(Debug, Default)]
pub(super) struct Writer {
    next_part: u64,
    pub(super) sealing: Work,
    pub(super) merging: Work,
    /// Memory is short: any number of vectors is worth a graph, once.
    pub(super) pressed: bool,
    /// Parts that are in no state since the last time these were taken.
    pub(super) retired: Vec<PartId>,
}

/// A task from when it is queued until it ends.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) queued: bool,
    /// Parts that become one; they stay in every state until then.
    pub(super) parts: Vec<PartId>,
}

impl Writer {
    pub(super) fn part(&mut self) -> PartId {
        let id = PartId(self.next_part);
        self.next_part += 1;
        id
    }

    pub(super) fn work(&mut self, task: Task) -> &mut Work {
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

    pub(super) fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes `state` the current one. The one before it ends with its last search.
    pub(super) fn publish(&self, _writer: &mut Writer, mut state: State) {
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
    pub(super) fn pause(&self, pause: Duration) {
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
