//! The threads that build, and the memory they may use: one of each a process, shared by all its indexes.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;

use super::budget::Budget;
use super::cores::Cores;
use super::index::Inner;
use crate::priority::Class;

/// Most threads that build one part, where nobody said: more would only wait for memory.
const THREADS_MAX: usize = 4;

/// Bytes that are not mapped, where nobody said: a quarter, 128 MiB, holds some 170,000 vectors of 384 components that
/// wait for their graph, and the rest lets parts grow to some 200,000.
const UNMAPPED_BYTES: usize = 512 * 1024 * 1024;

/// What building may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuildersOptions {
    /// Threads that build one part together. At most two parts are built at once: one of new vectors, one of parts.
    pub threads: usize,
    /// Most bytes of vectors without a graph and of graphs being built, of all indexes.
    pub unmapped_bytes_max: usize,
    /// Whether they rest while others want the cores: see `contention.rs`.
    pub yields: bool,
}

impl Default for BuildersOptions {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { threads: cores.min(THREADS_MAX), unmapped_bytes_max: UNMAPPED_BYTES, yields: true }
    }
}

/// The threads; they end with the last handle. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Builders {
    shared: Arc<Shared>,
    /// Dropped with the last handle, which is never on one of the threads: what they work for holds `shared` alone.
    _threads: Arc<Threads>,
}

impl Builders {
    /// Starts the threads.
    ///
    /// # Errors
    /// The system's, when it gives no more threads.
    pub fn start(options: BuildersOptions) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            budget: Budget::new(options.unmapped_bytes_max),
            threads: options.threads.max(1),
            cores: Cores::new(options.threads.max(1)),
            yields: options.yields,
            queues: Mutex::default(),
            queued: Condvar::new(),
            indexes: Mutex::default(),
        });
        let mut threads = Threads { shared: shared.clone(), handles: Vec::new() };
        for (name, merges) in [("vector-seal", false), ("vector-merge", true)] {
            let shared = shared.clone();
            let thread = std::thread::Builder::new().name(name.to_owned());
            threads.handles.push(thread.spawn(move || shared.work(merges))?);
        }
        Ok(Self { shared, _threads: Arc::new(threads) })
    }

    /// What an index keeps of it.
    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

/// What a thread does for an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Gives the vectors without a graph one.
    Seal,
    /// Makes one part of several.
    Merge,
}

/// What threads and indexes share.
#[derive(Debug)]
pub struct Shared {
    /// Memory that is not mapped.
    pub budget: Arc<Budget>,
    /// Threads that build one part.
    pub threads: usize,
    /// As many, for both parts that may be built at once.
    pub cores: Cores,
    /// See [`BuildersOptions::yields`].
    pub yields: bool,
    /// An index has at most one task of each kind in it.
    queues: Mutex<Queues>,
    queued: Condvar,
    /// Those who may be asked to seal when memory is short.
    indexes: Mutex<Vec<Weak<Inner>>>,
}

#[derive(Debug, Default)]
struct Queues {
    seals: VecDeque<Arc<Inner>>,
    merges: VecDeque<Arc<Inner>>,
    closed: bool,
}

impl Shared {
    /// Does `task` for `index` as soon as a thread is free.
    pub fn queue(&self, task: Task, index: Arc<Inner>) {
        let mut queues = self.queues();
        match task {
            Task::Seal => queues.seals.push_back(index),
            Task::Merge => queues.merges.push_back(index),
        }
        drop(queues);
        self.queued.notify_all();
    }

    /// `index` may be asked to [`Inner::relieve`] from now on.
    pub fn register(&self, index: &Arc<Inner>) {
        let mut indexes = self.indexes.lock().unwrap_or_else(PoisonError::into_inner);
        indexes.retain(|index| index.strong_count() > 0);
        indexes.push(Arc::downgrade(index));
    }

    /// Asks all indexes to seal what they have: each may hold too little to do so by itself, and together all there is.
    pub fn relieve(&self) {
        let indexes = self.indexes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for index in indexes.iter().filter_map(Weak::upgrade) {
            index.relieve();
        }
    }

    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A thread's life. One thread leaves merges alone, so that new vectors never wait behind a long one.
    fn work(&self, merges: bool) {
        Class::Build.enter();
        while let Some((task, index)) = self.next(merges) {
            // What it worked for sees to its own state as it unwinds.
            if catch_unwind(AssertUnwindSafe(|| index.carry_out(task))).is_err() {
                tracing::error!(?task, "building a part of a vector index has panicked");
            }
        }
    }

    fn next(&self, merges: bool) -> Option<(Task, Arc<Inner>)> {
        let mut queues = self.queues();
        loop {
            if queues.closed {
                return None;
            }
            if merges && let Some(index) = queues.merges.pop_front() {
                return Some((Task::Merge, index));
            }
            if let Some(index) = queues.seals.pop_front() {
                return Some((Task::Seal, index));
            }
            queues = self.queued.wait(queues).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[derive(Debug)]
struct Threads {
    shared: Arc<Shared>,
    handles: Vec<JoinHandle<()>>,
}

impl Drop for Threads {
    fn drop(&mut self) {
        let mut queues = self.shared.queues();
        queues.closed = true;
        // They hold the queue in turn.
        queues.seals.clear();
        queues.merges.clear();
        drop(queues);
        self.shared.queued.notify_all();
        for handle in self.handles.drain(..) {
            // Its panics are caught.
            let _ = handle.join();
        }
    }
}
