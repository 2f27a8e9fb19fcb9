//! The findings as the service holds them: asked from async code, answered on threads of their own, few at a time.

use std::sync::PoisonError;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chassis::{Metrics, Shutdown};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::findings::{Figures, Findings};
use super::folding::Folder;
use super::follower::{Follower, Shared};
use super::metrics::QualityMetrics;
use crate::following;
use crate::lane::{Lane, LaneError};
use crate::priority::Class;
use crate::store::{Seen, Store};
use crate::vector::Position;

/// Questions that are answered at once. Each takes below a millisecond; only while changes are taken in it waits for
/// some more, and then the others wait with it.
const AT_ONCE: usize = 2;

/// Those that wait for their turn. Beyond it they are refused (503).
const WAITING: usize = 64;

/// How long a question waits while many changes are taken in. An import of any length has moments between its batches.
const BETWEEN_STATES_MAX: Duration = Duration::from_millis(500);

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QualityError {
    /// The store is read after a start, or very many changes are taken in.
    #[error("the quality of the facts is being found out")]
    Building,
    /// Too many questions wait already.
    #[error("too many questions to the findings wait")]
    Overloaded,
    /// The question ended without an answer, which is a fault and has been logged.
    #[error("the question failed")]
    Failed,
}

impl QualityError {
    /// Stable code of the reason.
    pub fn code(self) -> &'static str {
        match self {
            Self::Building => "quality_building",
            Self::Overloaded => "overloaded",
            Self::Failed => "internal",
        }
    }
}

impl From<LaneError> for QualityError {
    fn from(error: LaneError) -> Self {
        match error {
            LaneError::Full => Self::Overloaded,
            LaneError::Failed => Self::Failed,
        }
    }
}

/// How far the findings are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QualityState {
    /// Which state of the store they are; `None` while they are between two.
    pub position: Option<Position>,
    /// How much there is by now.
    pub figures: Figures,
}

/// Answers questions to the findings. Cheap to clone.
#[derive(Debug, Clone)]
pub struct QualityIndex {
    shared: Shared,
    state: watch::Receiver<QualityState>,
    folder: Folder,
    lane: Lane,
    metrics: QualityMetrics,
}

/// The thread that follows the store; [`QualityThread::join`] waits for its end.
pub struct QualityThread(JoinHandle<()>);

impl QualityThread {
    /// Blocks until the thread has ended, which it does at the stop.
    pub fn join(self) {
        // A thread that panicked has said so.
        let _ = self.0.join();
    }
}

impl QualityIndex {
    /// Begins to look at the facts of `store`, and to follow it until the stop. Returns at once.
    ///
    /// # Panics
    /// Outside of a tokio runtime, or when the system has no thread to give.
    pub fn start(store: &Store, metrics: &Metrics, shutdown: Shutdown) -> (Self, QualityThread) {
        let metrics = QualityMetrics::new(metrics);
        let (shared, folder) = (Shared::default(), Folder::default());
        let (sender, state) = watch::channel(QualityState::default());
        let (stop, own_store) = (shutdown.clone(), store.clone());
        let mut follower =
            Follower::new(own_store, shared.clone(), folder.clone(), sender, metrics.clone(), stop);
        let look = move |runtime: &Handle| follower.look(runtime);
        let thread = following::start("kb-quality", store, shutdown, Duration::MAX, look);
        let thread = thread.expect("the system starts a thread at start");
        let lane = Lane::new("kb-findings", Class::Follow, AT_ONCE, WAITING);
        (Self { shared, state, folder, lane, metrics }, QualityThread(thread))
    }

    /// How far it is, at once.
    pub fn state(&self) -> QualityState {
        self.state.borrow().clone()
    }

    /// Follows how far it is.
    pub fn watch(&self) -> watch::Receiver<QualityState> {
        self.state.clone()
    }

    /// What makes entries to ask about.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Waits until the thread that follows the store is gone, which is a fault before the stop.
    pub async fn failed(&self) {
        let mut state = self.state.clone();
        while state.changed().await.is_ok() {}
    }

    /// Asks; the answer is of exactly one revision.
    ///
    /// # Errors
    /// [`QualityError`]; [`QualityError::Overloaded`] at once.
    pub async fn ask<T: Send + 'static>(
        &self,
        name: &'static str,
        question: impl FnOnce(&Findings) -> T + Send + 'static,
    ) -> Result<Seen<T>, QualityError> {
        let started = Instant::now();
        let answer = self.answer(started, question).await;
        let outcome = answer.as_ref().err().map_or("answered", |error| error.code());
        self.metrics.questions.with_label_values(&[name, outcome]).inc();
        self.metrics.seconds.with_label_values(&[name]).observe(started.elapsed().as_secs_f64());
        answer
    }

    async fn answer<T: Send + 'static>(
        &self,
        started: Instant,
        question: impl FnOnce(&Findings) -> T + Send + 'static,
    ) -> Result<Seen<T>, QualityError> {
        let mut state = self.state.clone();
        let is_whole = state.wait_for(|state| state.position.is_some());
        match tokio::time::timeout(BETWEEN_STATES_MAX, is_whole).await {
            Ok(Ok(_)) => {}
            Ok(Err(_)) => return Err(QualityError::Failed),
            Err(_) => return Err(QualityError::Building),
        }
        let shared = self.shared.clone();
        let answer = self.lane.run(move || {
            let held = shared.read().unwrap_or_else(PoisonError::into_inner);
            let Position { epoch, revision } = held.position.clone().ok_or(QualityError::Building)?;
            let value = question(&held.findings);
            drop(held);
            Ok(Seen { value, revision, epoch, elapsed: started.elapsed() })
        });
        answer.await?
    }
}
