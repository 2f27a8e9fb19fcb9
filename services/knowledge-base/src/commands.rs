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
use crate::api::{ApiState, ask, question};
use crate::graph::{Figures, UnknownEntity, Walk};
use crate::search::{FALLBACK_TIME_MAX, adapters_of, name_of};
use crate::store::{FactId, Revision, Seen};
use pages::{Cursors, Cuts, Paged};
use search::SearchResults;
use traverse::WalkResults;

/// A quarter of the readers' queue, so that commands cannot keep requests from being read.
const AT_ONCE_MAX: usize = 64;

/// The longest is a search by the fallback, which ends by itself; reads and walks take less. An asker who does not wait
/// that long says so.
const TIME_MAX: Duration = FALLBACK_TIME_MAX.saturating_add(Duration::from_secs(1));

/// Answers until the stop; the task holds the store until then.
pub fn start(chassis: &Chassis, api: ApiState) -> JoinHandle<()> {
    let next_subject = command::kb_next(&api.instance);
    let served = vec![
        Served { subject: command::KB_ANY.to_owned(), group: Some(command::KB_GROUP) },
        Served { subject: next_subject.clone(), group: None },
    ];
    let commands = Commands { api, next_subject, cursors: Mutex::new(Cursors::default()) };
    let limits = Limits { at_once: AT_ONCE_MAX, time_max: TIME_MAX };
    let metrics = CommandMetrics::new(&chassis.metrics);
    tokio::spawn(serve(chassis.nats.clone(), served, commands, limits, metrics, chassis.shutdown.clone()))
}

struct Commands {
    /// What answers HTTP answers here too.
    api: ApiState,
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
            command::KB_SEARCH => self.search(asked.parse()?).await,
            command::KB_TRAVERSE => self.traverse(&asked.parse()?).await,
            subject if subject == self.next_subject => self.next_page(&asked.parse()?),
            subject => Err(unknown_command(subject)),
        }
    }
}

impl Commands {
    fn status(&self) -> KnowledgeBaseStatus {
        let snapshot = self.api.store.snapshot();
        let relay = self.api.relay.lag(&snapshot);
        let report = self.api.searcher.report();
        let graph = self.api.graph.state();
        let figures = graph.as_ref().map(|state| state.figures);
        let count = |of: fn(&Figures) -> usize| figures.as_ref().map(|figures| pages::count(of(figures)));
        KnowledgeBaseStatus {
            instance: self.api.instance.to_string(),
            epoch: snapshot.epoch.as_str().to_owned(),
            revision: snapshot.revision.as_f64(),
            fact_count: FactId(snapshot.fact_count).as_f64(),
            adapter: name_of(report.current).to_owned(),
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
            adapters: Some(adapters_of(&report)),
            time: time::now(),
        }
    }

    /// What [`search::body`] and [`question`] refuse, and `search_unavailable`.
    async fn search(&self, request: SearchRequest) -> Result<Answer, ApiError> {
        let started = Instant::now();
        let question = question(&self.api, search::body(request)?).await?;
        let results = SearchResults::new(ask(&self.api, question).await?);
        Ok(self.first_page(Results::Search(results), started))
    }

    /// What [`traverse::parse`] and the graph refuse; 404 `unknown_entity`.
    async fn traverse(&self, request: &TraverseRequest) -> Result<Answer, ApiError> {
        let started = Instant::now();
        let wanted = traverse::parse(request)?;
        let measure = |seen: Seen<Result<Walk, UnknownEntity>>| match seen.value {
            Ok(walk) => Ok(WalkResults::new(walk, seen.revision, seen.epoch)),
            Err(unknown) => Err(unknown_entity(&unknown, seen.revision, &seen.epoch)),
        };
        let walk = self.api.graph.work_and_tell("traverse", move |graph| wanted.answer(graph), measure).await;
        let results = walk.map_err(graph_error)??;
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
        let head = PageHead { instance: self.api.instance.to_string(), next, duration_ms };
        match results {
            Results::Search(search) => Answer::of(&search.page(page, head)),
            Results::Walk(walk) => Answer::of(&walk.page(page, head)),
        }
    }
}
