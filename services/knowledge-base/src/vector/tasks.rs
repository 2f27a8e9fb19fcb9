//! What the builders' threads do for an index: choose the parts that become one, build it, put it in their place.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::budget::Purpose;
use super::build::{BuildError, Built, Source, Workbench};
use super::builders::Task;
use super::flat::Flat;
use super::index::{Inner, Work};
use super::merge::{self, Size};
use super::part::{Dead, Held, Part, PartId};
use super::state::State;

/// Between two tries to build a part, where the disk is full or the like.
const RETRY_PAUSE: Duration = Duration::from_secs(5);

impl Inner {
    /// Queues what is to be done: a graph for the vectors without one once they are enough, a merge where one is due.
    pub(super) fn schedule(self: &Arc<Self>) {
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

    pub(super) fn mergeable(&self, state: &State) -> Option<Vec<usize>> {
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
            task,
            shared: &self.shared,
            stopped: &self.stopped,
            pause: &|pause| self.pause(pause),
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
        let ids: Vec<PartId> = sources.iter().map(|source| source.part.id()).collect();
        let dead_of_all = |state: &State| ids.iter().map(|id| state.dead_of(*id)).collect::<Option<Vec<_>>>();
        // As it was built: without these.
        let mut seen: Vec<Arc<Dead>> = sources.iter().map(|source| source.dead.clone()).collect();
        let mut dead = Dead::none(built.origins.len());
        let mut see = |now: Vec<Arc<Dead>>| {
            let grew: Vec<bool> = seen.iter().zip(&now).map(|(seen, now)| !Arc::ptr_eq(seen, now)).collect();
            if grew.contains(&true) {
                for (row, origin) in built.origins.iter().enumerate() {
                    if grew[origin.source] && now[origin.source].contains(origin.row) {
                        dead.insert(row);
                    }
                }
            }
            seen = now;
        };
        // Nearly all of it before the lock is taken: this thread may get little of a core.
        if let Some(now) = dead_of_all(&self.state()) {
            see(now);
        }
        let mut writer = self.writer();
        let mut state = State::clone(&self.state());
        let Some(now) = dead_of_all(&state) else {
            // The index was cleared meanwhile.
            writer.retired.push(built.graph.id());
            return;
        };
        see(now);
        state.flats.retain(|held| !ids.contains(&held.part.id()));
        state.graphs.retain(|held| !ids.contains(&held.part.id()));
        state.graphs.push(Held { part: Arc::new(built.graph), dead: Arc::new(dead) });
        writer.retired.extend(ids);
        self.publish(&mut writer, state);
    }
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
