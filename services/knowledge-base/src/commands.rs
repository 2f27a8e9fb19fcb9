//! What the knowledge base answers over NATS: its state, and searches and walks in pages. Reads only; what is written
//! comes by HTTP.

mod pages;
mod search;
mod traverse;

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chassis::commands::{Answer, Asked, CommandMetrics, Handler, Limits, Served, serve, unknown_command};
use chassis::{ApiError, Chassis, Role, time};
use proto_schemas::command::{self, code};
use proto_schemas::v1::{KnowledgeBaseStatus, NextPageRequest, SearchRequest, TraverseRequest};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::api::graph_questions::{graph_error, unknown_entity};
use crate::api::read_error;
use crate::graph::{Figures, GraphIndex};
use crate::relay::RelayStatus;
use crate::store::{FactId, READ_TIME_MAX, Revision, Store};
use pages::{Cursors, Cuts, Paged};
use search::{ADAPTER, SearchResults};
use traverse::WalkResults;

/// A quarter of the readers' queue, so that commands cannot keep requests from being read.
const AT_ONCE_MAX: usize = 64;

/// A read ends by itself after [`READ_TIME_MAX`], waiting included, and a walk takes less.
const TIME_MAX: Duration = READ_TIME_MAX.saturating_add(Duration::from_secs(1));

/// Answers until the stop; the task holds `store` until then.
pub fn start(
    chassis: &Chassis,
    store: Store,
    graph: GraphIndex,
    relay: RelayStatus,
    instance: &str,
) -> JoinHandle<()> {
    let next_subject = command::kb_next(instance);
    let served = vec![
        Served { subject: command::KB_ANY.to_owned(), group: Some(command::KB_GROUP) },
        Served { subject: next_subject.clone(), group: None },
    ];
    let cursors = Mutex::new(Cursors::default());
    let commands = Commands { store, graph, relay, instance: instance.into(), next_subject, cursors };
    let limits = Limits { at_once: AT_ONCE_MAX, time_max: TIME_MAX };
    let metrics = CommandMetrics::new(&chassis.metrics);
    tokio::spawn(serve(chassis.nats.clone(), served, commands, limits, metrics, chassis.shutdown.clone()))
}

struct Commands {
    store: Store,
    graph: GraphIndex,
    relay: RelayStatus,
    instance: Arc<str>,
    /// Where further pages of our answers are asked for.
    next_subject: String,
    /// Protects the table of answers that have more pages; held for a look or an entry, never over an await.
    cursors: Mutex<Cursors<Results>>,
}

/// What is told in pages.
#[derive(Debug)]
enum Results {
    Search(SearchResults),
    Walk(WalkResults),
}

impl Paged for Results {
    fn cuts(&self) -> &Cuts {
        match self {
            Self::Search(search) => search.cuts(),
            Self::Walk(walk) => walk.cuts(),
        }
    }

    fn kept_bytes(&self) -> usize {
        match self {
            Self::Search(search) => search.kept_bytes(),
            Self::Walk(walk) => walk.kept_bytes(),
        }
    }
}

/// What every page says besides its results.
struct PageHead {
    instance: String,
    next: Option<String>,
    duration_ms: f64,
}

impl Handler for Commands {
    async fn answer(&self, asked: Asked) -> Result<Answer, ApiError> {
        asked.by.require(Role::Read)?;
        match asked.subject.as_str() {
            command::KB_STATUS => Ok(Answer::of(&self.status())),
            command::KB_SEARCH => self.search(&asked.parse()?).await,
            command::KB_TRAVERSE => self.traverse(&asked.parse()?).await,
            subject if subject == self.next_subject => self.next_page(&asked.parse()?),
            subject => Err(unknown_command(subject)),
        }
    }
}

impl Commands {
    fn status(&self) -> KnowledgeBaseStatus {
        let snapshot = self.store.snapshot();
        let relay = self.relay.lag(&snapshot);
        let graph = self.graph.state();
        let figures = graph.as_ref().map(|state| state.figures);
        let count = |of: fn(&Figures) -> usize| figures.as_ref().map(|figures| pages::count(of(figures)));
        KnowledgeBaseStatus {
            instance: self.instance.to_string(),
            epoch: snapshot.epoch.as_str().to_owned(),
            revision: snapshot.revision.as_f64(),
            fact_count: FactId(snapshot.fact_count).as_f64(),
            adapter: ADAPTER.to_owned(),
            relay_connected: relay.connected,
            // Where another process is the relay, this one has no lag.
            relay_lag_changes: Revision(relay.changes.unwrap_or(0)).as_f64(),
            relay_lag_seconds: relay.oldest_age.map(|age| age.as_secs_f64()),
            // Absent until the graph is built.
            growth_rate: graph.as_ref().map(|state| state.growth.per_second(Instant::now().into_std())),
            connectivity: figures.as_ref().map(Figures::connectivity),
            entropy: figures.map(|figures| figures.entropy_bits),
            unique_predicates: count(|figures| figures.predicates),
            unique_entities: count(|figures| figures.entities),
            time: time::now(),
        }
    }

    /// What [`search::Wanted::parse`] and reads refuse.
    async fn search(&self, request: &SearchRequest) -> Result<Answer, ApiError> {
        let started = Instant::now();
        let wanted = search::Wanted::parse(request)?;
        let seen =
            self.store.search(wanted.query, None, wanted.limit).await.map_err(|error| read_error(&error))?;
        let results = SearchResults::new(seen.value, wanted.threshold, seen.revision, seen.epoch);
        Ok(self.first_page(Results::Search(results), started))
    }

    /// What [`traverse::parse`] and the graph refuse; 404 `unknown_entity`.
    async fn traverse(&self, request: &TraverseRequest) -> Result<Answer, ApiError> {
        let started = Instant::now();
        let wanted = traverse::parse(request)?;
        let seen =
            self.graph.work("traverse", move |graph| wanted.answer(graph)).await.map_err(graph_error)?;
        let walk = seen.value.map_err(|unknown| unknown_entity(&unknown, seen.revision, &seen.epoch))?;
        let results = WalkResults::new(walk, seen.revision, seen.epoch);
        Ok(self.first_page(Results::Walk(results), started))
    }

    fn first_page(&self, results: Results, started: Instant) -> Answer {
        let results = Arc::new(results);
        let page = results.cuts().page(0);
        let next = (page.end < results.cuts().len()).then(|| {
            let mut cursors = self.cursors.lock().unwrap_or_else(PoisonError::into_inner);
            cursors.open(Arc::clone(&results), page.end, Instant::now())
        });
        self.page(&results, page, next, started)
    }

    /// 404 `cursor_expired`.
    fn next_page(&self, request: &NextPageRequest) -> Result<Answer, ApiError> {
        let started = Instant::now();
        let mut cursors = self.cursors.lock().unwrap_or_else(PoisonError::into_inner);
        let found = cursors.advance(&request.cursor, started);
        drop(cursors);
        let found = found.ok_or_else(|| {
            ApiError::not_found(code::CURSOR_EXPIRED, "this page is not kept any more; ask anew")
        })?;
        Ok(self.page(&found.results, found.page, found.next, started))
    }

    fn page(&self, results: &Results, page: Range<usize>, next: Option<String>, started: Instant) -> Answer {
        let duration_ms = started.elapsed().as_secs_f64() * 1e3;
        let head = PageHead { instance: self.instance.to_string(), next, duration_ms };
        match results {
            Results::Search(search) => Answer::of(&search.page(page, head)),
            Results::Walk(walk) => Answer::of(&walk.page(page, head)),
        }
    }
}
