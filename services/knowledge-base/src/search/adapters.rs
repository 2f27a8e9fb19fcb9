//! Which adapter answers: the primary while it works, else the fallback, and what both did lately.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chassis::observe;
use tokio::sync::Semaphore;

use super::breaker::{Breaker, Circuit, Statistics};
use super::primary::{Failure, Primary, Ranked, together};
use super::scan::{self, Scan, Words};
use super::{
    Adapter, Content, FALLBACK_TIME_MAX, Found, Mode, Nearest, Place, Question, SearchError, beginning,
    with_cosines, with_shares,
};
use crate::store::{ReadError, Store};

/// Scans at once: each reads all there is, and takes a core for that.
const SCANS_AT_ONCE: usize = 2;

/// Longest wait for a turn to scan: about what one scan takes. Beyond it a search is refused (503).
const SCAN_WAIT_MAX: Duration = Duration::from_secs(3);

/// Which adapters the settings leave on.
#[derive(Debug, Clone, Copy)]
pub struct Switches {
    /// `THEMIS_ENABLED`.
    pub primary: bool,
    /// `USE_UDS3_FALLBACK`.
    pub fallback: bool,
}

/// What is told of one adapter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdapterReport {
    /// Whether it can do all it is there for, now.
    pub available: bool,
    /// Where its circuit stands; `None` where it is switched off.
    pub circuit: Option<Circuit>,
    /// What it did lately.
    pub statistics: Statistics,
}

/// What is told of both.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Report {
    /// Which one would answer now; `None` where none would.
    pub current: Option<Adapter>,
    /// The indexes.
    pub primary: AdapterReport,
    /// The scan.
    pub fallback: AdapterReport,
}

/// Both adapters. Cheap to clone.
#[derive(Clone)]
pub struct Searcher(Arc<Inner>);

struct Inner {
    store: Store,
    primary: Primary,
    switches: Switches,
    /// Turns of the fallback.
    scans: Semaphore,
    // Protect a few numbers each; held for a look or a change, never over an await.
    primary_breaker: Mutex<Breaker>,
    fallback_breaker: Mutex<Breaker>,
}

/// Tells the breaker that a search was given up, unless it was told otherwise before.
struct Trial<'a> {
    breaker: &'a Mutex<Breaker>,
    told: bool,
    started: Instant,
}

impl<'a> Trial<'a> {
    /// `None` where the adapter is left alone now.
    fn begin(breaker: &'a Mutex<Breaker>) -> Option<Self> {
        let started = Instant::now();
        lock(breaker).admit(started).then_some(Self { breaker, told: false, started })
    }

    fn succeeded(mut self) {
        self.told = true;
        lock(self.breaker).succeeded(self.started.elapsed());
    }

    fn failed(mut self) {
        self.told = true;
        lock(self.breaker).failed(Instant::now());
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        if !self.told {
            lock(self.breaker).abandoned();
        }
    }
}

fn lock(breaker: &Mutex<Breaker>) -> MutexGuard<'_, Breaker> {
    breaker.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Searcher {
    /// Over the store and the indexes of its vectors.
    pub fn new(store: Store, nearest: Arc<dyn Nearest>, switches: Switches) -> Self {
        let primary = Primary::new(store.clone(), nearest);
        let (primary_breaker, fallback_breaker) = Default::default();
        let scans = Semaphore::new(SCANS_AT_ONCE);
        Self(Arc::new(Inner { store, primary, switches, scans, primary_breaker, fallback_breaker }))
    }

    /// Answers a question.
    ///
    /// # Errors
    /// [`SearchError`].
    pub async fn search(&self, question: Question) -> Result<Found, SearchError> {
        let inner = &self.0;
        if inner.switches.primary
            && let Some(trial) = Trial::begin(&inner.primary_breaker)
        {
            match inner.primary.search(&question).await {
                Ok(ranked) => {
                    trial.succeeded();
                    return Ok(found(ranked, Adapter::Primary, question.mode, question.threshold));
                }
                Err(Failure::Broken(reason)) => {
                    trial.failed();
                    tracing::warn!(reason, "the primary search adapter failed; scanning instead");
                }
                Err(Failure::Building) => {}
                Err(Failure::Refused(error)) => return Err(error.into()),
            }
        }
        self.fall_back(&question).await
    }

    async fn fall_back(&self, question: &Question) -> Result<Found, SearchError> {
        let inner = &self.0;
        if !inner.switches.fallback {
            return Err(SearchError::NoAdapter);
        }
        // Who waits too long says nothing of the adapter.
        let turn = tokio::time::timeout(SCAN_WAIT_MAX, inner.scans.acquire()).await;
        let _turn = turn.map_err(|_| ReadError::Overloaded)?.map_err(|_| ReadError::Closed)?;
        let trial = Trial::begin(&inner.fallback_breaker).ok_or(SearchError::NoAdapter)?;
        let scan = tokio::time::timeout(FALLBACK_TIME_MAX, scan(&inner.store, question));
        match observe::stage("scan", scan).await {
            Ok(Ok((ranked, mode))) => {
                trial.succeeded();
                Ok(found(ranked, Adapter::Fallback, mode, question.threshold))
            }
            Ok(Err(error)) => {
                if matches!(error, ReadError::Damaged(_) | ReadError::Failed(_)) {
                    trial.failed();
                }
                Err(error.into())
            }
            Err(_) => {
                trial.failed();
                Err(SearchError::TooSlow)
            }
        }
    }

    /// What both did lately, without asking either.
    pub fn report(&self) -> Report {
        let (inner, now) = (&self.0, Instant::now());
        let report = |breaker: &Mutex<Breaker>, on: bool, ready: bool| {
            let breaker = lock(breaker);
            let circuit = breaker.circuit(now);
            AdapterReport {
                available: on && ready && circuit != Circuit::Open,
                circuit: on.then_some(circuit),
                statistics: breaker.statistics(),
            }
        };
        let primary = report(&inner.primary_breaker, inner.switches.primary, inner.primary.is_ready());
        let fallback = report(&inner.fallback_breaker, inner.switches.fallback, true);
        let current = match (primary.available, fallback.available) {
            (true, _) => Some(Adapter::Primary),
            (false, true) => Some(Adapter::Fallback),
            // By words it can still be searched while the vectors are indexed.
            (false, false) => {
                primary.circuit.filter(|circuit| *circuit != Circuit::Open).map(|_| Adapter::Primary)
            }
        };
        Report { current, primary, fallback }
    }
}

fn found((mut items, revision, epoch): Ranked, adapter: Adapter, mode: Mode, threshold: f64) -> Found {
    items.retain(|item| item.relevance >= threshold);
    Found { items, adapter, mode, revision, epoch }
}

/// What a scan finds, and how: facts have no vectors of their own, so they are scanned by words.
async fn scan(store: &Store, question: &Question) -> Result<(Ranked, Mode), ReadError> {
    let (limit, words) = (question.limit, question.words.as_ref().map(Words::of));
    let text = |scan: Scan<Content>| -> Ranked {
        let items = scan.best.into_iter().map(|(score, content)| {
            let snippet = beginning(content.text());
            (score, snippet, content)
        });
        (with_shares(items.collect()), scan.revision, scan.epoch)
    };
    match &question.place {
        Place::Facts(min_confidence) => {
            let Some(words) = words else { return Ok((nothing(store), Mode::Text)) };
            let scan = scan::facts(store, words, *min_confidence, limit).await?;
            Ok((text(scan.map(Content::Fact)), Mode::Text))
        }
        Place::Documents(collection, filter) => {
            let by_words = match words.filter(|_| question.mode != Mode::Vector) {
                Some(words) => {
                    let scan = scan::documents(store, collection.id, words, filter, limit).await?;
                    Some(text(scan.map(Content::Document)))
                }
                None => None,
            };
            let by_meaning = match question.vector.as_ref().filter(|_| question.mode != Mode::Text) {
                Some(vector) => {
                    let scan = scan::nearest(store, collection, vector, filter, limit).await?;
                    let items = scan.best.into_iter().map(|(score, one)| (score, Content::Document(one)));
                    Some((with_cosines(items.collect()), scan.revision, scan.epoch))
                }
                None => None,
            };
            Ok(match (by_words, by_meaning) {
                (Some(text), Some(vector)) => (together(text, vector, limit), Mode::Hybrid),
                (Some(text), None) => (text, Mode::Text),
                (None, Some(vector)) => (vector, Mode::Vector),
                (None, None) => (nothing(store), question.mode),
            })
        }
    }
}

fn nothing(store: &Store) -> Ranked {
    let snapshot = store.snapshot();
    (Vec::new(), snapshot.revision, snapshot.epoch)
}
