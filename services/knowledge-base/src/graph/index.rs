//! The graph as the service holds it: asked from async code, answered on threads of its own, few at a time.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chassis::{Metrics, Shutdown};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::adjacency::{Figures, Graph};
use super::copies::{self, Position, Reader};
use super::follower::Follower;
use super::growth::Growth;
use super::metrics::GraphMetrics;
use crate::following;
use crate::lane::{Lane, LaneError};
use crate::priority::Class;
use crate::store::{Seen, Store};

/// Walks, paths and rankings that are answered at once. They use a core each for up to some 30 ms, which point reads and
/// writes need as well.
pub(super) const LONG_AT_ONCE: usize = 2;

/// Those that wait for their turn: half a second of work. Beyond it they are refused (503).
pub(super) const LONG_WAITING: usize = 32;

/// Pages and single entities that are answered at once: they take at most 2 ms, and are not held up by the long ones.
const SHORT_AT_ONCE: usize = 4;

/// Those that wait for their turn.
const SHORT_WAITING: usize = 256;

/// Why the graph gives no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// The graph is read from the store after a start, and is not whole yet.
    #[error("the graph is being built")]
    Building,
    /// Too many questions wait already.
    #[error("too many questions to the graph wait")]
    Overloaded,
    /// The question ended without an answer, which is a fault and has been logged.
    #[error("the question failed")]
    Failed,
}

impl GraphError {
    /// Stable code of the reason.
    pub fn code(self) -> &'static str {
        match self {
            Self::Building => "graph_building",
            Self::Overloaded => "overloaded",
            Self::Failed => "internal",
        }
    }
}

impl From<LaneError> for GraphError {
    fn from(error: LaneError) -> Self {
        match error {
            LaneError::Full => Self::Overloaded,
            LaneError::Failed => Self::Failed,
        }
    }
}

/// The newest whole state of the graph.
#[derive(Debug, Clone, PartialEq)]
pub struct GraphState {
    /// Which state of the store it is.
    pub position: Position,
    /// Its counters.
    pub figures: Figures,
    /// How its facts grew of late.
    pub growth: Growth,
}

/// How long a question takes at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    Short,
    Long,
}

/// Answers questions to the graph. Cheap to clone.
#[derive(Debug, Clone)]
pub struct GraphIndex {
    reader: Reader,
    state: watch::Receiver<Option<GraphState>>,
    short: Lane,
    long: Lane,
    metrics: GraphMetrics,
}

/// The thread that follows the store; [`GraphThread::join`] waits for its end.
pub struct GraphThread(JoinHandle<()>);

impl GraphThread {
    /// Blocks until the thread has ended, which it does at the stop.
    pub fn join(self) {
        // A thread that panicked has said so.
        let _ = self.0.join();
    }
}

impl GraphIndex {
    /// Begins to build the graph of `store`, and to follow it until the stop. Returns at once.
    ///
    /// # Panics
    /// Outside of a tokio runtime, or when the system has no thread to give.
    pub fn start(store: &Store, metrics: &Metrics, shutdown: Shutdown) -> (Self, GraphThread) {
        let metrics = GraphMetrics::new(metrics);
        let (writer, reader) = copies::new();
        let (sender, state) = watch::channel(None);
        let mut follower = Follower::new(store.clone(), writer, sender, metrics.clone());
        let look = move |runtime: &Handle| follower.look(runtime);
        let thread = following::start("kb-graph", store, shutdown, Duration::MAX, look);
        let thread = thread.expect("the system starts a thread at start");
        let index = Self {
            reader,
            state,
            short: Lane::new("kb-steps", Class::Serve, SHORT_AT_ONCE, SHORT_WAITING),
            long: Lane::new("kb-walks", Class::Follow, LONG_AT_ONCE, LONG_WAITING),
            metrics,
        };
        (index, GraphThread(thread))
    }

    /// The newest whole state, at once; `None` while the first is built.
    pub fn state(&self) -> Option<GraphState> {
        self.state.borrow().clone()
    }

    /// Follows the state.
    pub fn watch(&self) -> watch::Receiver<Option<GraphState>> {
        self.state.clone()
    }

    /// Waits until the thread that follows the store is gone, which is a fault before the stop.
    pub async fn failed(&self) {
        let mut state = self.state.clone();
        while state.changed().await.is_ok() {}
    }

    /// Asks what takes some milliseconds at most: a page, an entity.
    ///
    /// # Errors
    /// [`GraphError`]; [`GraphError::Overloaded`] at once.
    pub async fn look<T: Send + 'static>(
        &self,
        name: &'static str,
        question: impl FnOnce(&Graph) -> T + Send + 'static,
    ) -> Result<Seen<T>, GraphError> {
        self.ask(name, Length::Short, question, |seen| seen).await
    }

    /// Asks what may take some tens of milliseconds: a walk, a path, a ranking.
    ///
    /// # Errors
    /// [`GraphError`]; [`GraphError::Overloaded`] at once.
    pub async fn work<T: Send + 'static>(
        &self,
        name: &'static str,
        question: impl FnOnce(&Graph) -> T + Send + 'static,
    ) -> Result<Seen<T>, GraphError> {
        self.ask(name, Length::Long, question, |seen| seen).await
    }

    /// Asks as [`Self::work`] does, and has the answer made into what is told on the same thread: a large one takes as
    /// long as the question did.
    ///
    /// # Errors
    /// [`GraphError`]; [`GraphError::Overloaded`] at once.
    pub async fn work_and_tell<T, R: Send + 'static>(
        &self,
        name: &'static str,
        question: impl FnOnce(&Graph) -> T + Send + 'static,
        tell: impl FnOnce(Seen<T>) -> R + Send + 'static,
    ) -> Result<R, GraphError> {
        self.ask(name, Length::Long, question, tell).await
    }

    async fn ask<T, R: Send + 'static>(
        &self,
        name: &'static str,
        length: Length,
        question: impl FnOnce(&Graph) -> T + Send + 'static,
        tell: impl FnOnce(Seen<T>) -> R + Send + 'static,
    ) -> Result<R, GraphError> {
        let started = Instant::now();
        let reader = self.reader.clone();
        let lane = match length {
            Length::Short => &self.short,
            Length::Long => &self.long,
        };
        let answer = lane.run(move || {
            let copy = reader.read();
            let Position { epoch, revision } = copy.position.clone().ok_or(GraphError::Building)?;
            let value = question(&copy.graph);
            drop(copy);
            Ok(tell(Seen { value, revision, epoch, elapsed: started.elapsed() }))
        });
        let answer = answer.await.map_err(GraphError::from).flatten();
        let outcome = answer.as_ref().err().map_or("answered", |error| error.code());
        self.metrics.questions.with_label_values(&[name, outcome]).inc();
        self.metrics.seconds.with_label_values(&[name]).observe(started.elapsed().as_secs_f64());
        answer
    }
}
