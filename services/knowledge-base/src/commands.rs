//! What the knowledge base answers over NATS: its state, and searches in pages. Reads only; what is written comes by
//! HTTP.

mod pages;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chassis::commands::{
    Answer, Asked, CommandMetrics, Handler, Limits, Served, not_available, serve, unknown_command,
};
use chassis::{ApiError, Chassis, Role, time};
use proto_schemas::command::{self, code};
use proto_schemas::v1::{KnowledgeBaseStatus, NextPageRequest, SearchItem, SearchPage, SearchRequest};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::api::{SEARCH_LIMIT_DEFAULT, SEARCH_LIMIT_MAX, read_error, text_query};
use crate::relay::RelayStatus;
use crate::store::{FactId, Hit, READ_TIME_MAX, Revision, Store, StoredFact, TextQuery};
use pages::{Cursors, Results};

/// What searches: there is one adapter yet, by words.
const ADAPTER: &str = "text";

/// The one collection yet.
const COLLECTION: &str = "facts";

/// A quarter of the readers' queue, so that commands cannot keep requests from being read.
const AT_ONCE_MAX: usize = 64;

/// A read ends by itself after [`READ_TIME_MAX`], waiting included; nothing else here takes time.
const TIME_MAX: Duration = READ_TIME_MAX.saturating_add(Duration::from_secs(1));

/// Answers until the stop; the task holds `store` until then.
pub fn start(chassis: &Chassis, store: Store, relay: RelayStatus, instance: &str) -> JoinHandle<()> {
    let next_subject = command::kb_next(instance);
    let served = vec![
        Served { subject: command::KB_ANY.to_owned(), group: Some(command::KB_GROUP) },
        Served { subject: next_subject.clone(), group: None },
    ];
    let cursors = Mutex::new(Cursors::default());
    let commands = Commands { store, relay, instance: instance.into(), next_subject, cursors };
    let limits = Limits { at_once: AT_ONCE_MAX, time_max: TIME_MAX };
    let metrics = CommandMetrics::new(&chassis.metrics);
    tokio::spawn(serve(chassis.nats.clone(), served, commands, limits, metrics, chassis.shutdown.clone()))
}

struct Commands {
    store: Store,
    relay: RelayStatus,
    instance: Arc<str>,
    /// Where further pages of our searches are asked for.
    next_subject: String,
    /// Protects the table of searches that have more pages; held for a look or an entry, never over an await.
    cursors: Mutex<Cursors>,
}

impl Handler for Commands {
    async fn answer(&self, asked: Asked) -> Result<Answer, ApiError> {
        asked.by.require(Role::Read)?;
        match asked.subject.as_str() {
            command::KB_STATUS => Ok(Answer::of(&self.status())),
            command::KB_SEARCH => self.search(asked.parse()?).await,
            command::KB_TRAVERSE => Err(not_available(
                "this knowledge base has no graph to traverse yet; search finds facts by words",
            )),
            subject if subject == self.next_subject => self.next_page(&asked.parse()?),
            subject => Err(unknown_command(subject)),
        }
    }
}

impl Commands {
    fn status(&self) -> KnowledgeBaseStatus {
        let snapshot = self.store.snapshot();
        let relay = self.relay.lag(&snapshot);
        KnowledgeBaseStatus {
            instance: self.instance.to_string(),
            epoch: snapshot.epoch.as_str().to_owned(),
            revision: snapshot.revision.as_f64(),
            fact_count: FactId(snapshot.fact_count).as_f64(),
            adapter: ADAPTER.to_owned(),
            relay_connected: relay.connected,
            relay_lag_changes: Revision(relay.changes).as_f64(),
            relay_lag_seconds: relay.oldest_age.map(|age| age.as_secs_f64()),
            time: time::now(),
            // What nobody keeps count of yet is absent.
            ..KnowledgeBaseStatus::default()
        }
    }

    /// 400 `invalid_limit`; 404 `unknown_collection`; 422 `invalid_threshold`, `empty_query`, `query_too_long`.
    async fn search(&self, request: SearchRequest) -> Result<Answer, ApiError> {
        let started = Instant::now();
        let wanted = Wanted::parse(&request)?;
        let seen =
            self.store.search(wanted.query, None, wanted.limit).await.map_err(|error| read_error(&error))?;
        let items = items(seen.value, wanted.threshold);
        let results = Arc::new(Results::new(items, seen.revision, seen.epoch));
        let page = results.page(0);
        let next = (page.end < results.len()).then(|| {
            let mut cursors = self.cursors.lock().unwrap_or_else(PoisonError::into_inner);
            cursors.open(Arc::clone(&results), page.end, Instant::now())
        });
        Ok(self.page(&results, page, next, started))
    }

    /// 404 `cursor_expired`.
    fn next_page(&self, request: &NextPageRequest) -> Result<Answer, ApiError> {
        let started = Instant::now();
        let mut cursors = self.cursors.lock().unwrap_or_else(PoisonError::into_inner);
        let found = cursors.advance(&request.cursor, started);
        drop(cursors);
        let found = found.ok_or_else(|| {
            ApiError::not_found(code::CURSOR_EXPIRED, "this page is not kept any more; search again")
        })?;
        Ok(self.page(&found.results, found.page, found.next, started))
    }

    fn page(
        &self,
        results: &Results,
        page: std::ops::Range<usize>,
        next: Option<String>,
        started: Instant,
    ) -> Answer {
        Answer::of(&SearchPage {
            items: results.items(page),
            total: pages::count(results.len()),
            adapter: ADAPTER.to_owned(),
            instance: self.instance.to_string(),
            next,
            duration_ms: started.elapsed().as_secs_f64() * 1e3,
            revision: results.revision.as_f64(),
            epoch: results.epoch.as_str().to_owned(),
        })
    }
}

/// A search whose request makes sense.
#[derive(Debug, PartialEq)]
struct Wanted {
    query: TextQuery,
    limit: usize,
    threshold: f64,
}

impl Wanted {
    fn parse(request: &SearchRequest) -> Result<Self, ApiError> {
        let limit = request.limit.map_or(Some(SEARCH_LIMIT_DEFAULT), |limit| usize::try_from(limit).ok());
        let limit = limit.filter(|limit| (1..=SEARCH_LIMIT_MAX).contains(limit)).ok_or_else(|| {
            let text = format!("limit (top_k) must be from 1 to {SEARCH_LIMIT_MAX}");
            let details = serde_json::json!({"limit": request.limit, "max": SEARCH_LIMIT_MAX});
            ApiError::bad_request("invalid_limit", text).with_details(details)
        })?;
        let collection = request.collection.as_deref().unwrap_or(COLLECTION);
        if !collection.is_empty() && collection != COLLECTION {
            let details = serde_json::json!({"collection": collection, "collections": [COLLECTION]});
            let text = "there is no such collection; facts is the only one yet";
            return Err(ApiError::not_found("unknown_collection", text).with_details(details));
        }
        let threshold = request.threshold.unwrap_or(0.0);
        if !(0.0..=1.0).contains(&threshold) {
            return Err(ApiError::unprocessable("invalid_threshold", "threshold must be from 0 to 1"));
        }
        Ok(Self { query: text_query(&request.query)?, limit, threshold })
    }
}

/// Hits, best first, as results whose score is a share of the best's, without those below `threshold`.
///
/// BM25 has no upper bound and depends on how common the words are, so its value says nothing to a client; its share
/// keeps the order and lies between 0 and 1.
fn items(hits: Vec<Hit<StoredFact>>, threshold: f64) -> Vec<SearchItem> {
    let best = hits.first().map_or(0.0, |hit| hit.score);
    let share = |score: f64| if best > 0.0 { (score / best).clamp(0.0, 1.0) } else { 1.0 };
    hits.into_iter()
        .map(|hit| SearchItem {
            id: hit.found.id.as_f64(),
            content: hit.found.statement.clone(),
            statement: Some(hit.found.statement),
            confidence: hit.found.confidence,
            score: share(hit.score),
            context: hit.found.context,
        })
        .filter(|item| item.score >= threshold)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::UnixMillis;

    fn request(query: &str) -> SearchRequest {
        SearchRequest { query: query.to_owned(), ..SearchRequest::default() }
    }

    #[test]
    fn a_search_that_makes_no_sense_says_why() {
        let code = |request: SearchRequest| Wanted::parse(&request).map_err(|error| error.code());
        assert_eq!(code(request("ada")).map(|wanted| (wanted.limit, wanted.threshold)), Ok((20, 0.0)));
        for limit in [-1, 0, 101, i32::MIN] {
            let request = SearchRequest { limit: Some(limit), ..request("ada") };
            assert_eq!(code(request), Err("invalid_limit"), "{limit}");
        }
        for threshold in [-0.1, 1.1, f64::NAN] {
            let request = SearchRequest { threshold: Some(threshold), ..request("ada") };
            assert_eq!(code(request), Err("invalid_threshold"), "{threshold}");
        }
        let elsewhere = |name: &str| SearchRequest { collection: Some(name.to_owned()), ..request("ada") };
        assert_eq!(code(elsewhere("papers")), Err("unknown_collection"));
        assert!(code(elsewhere("facts")).is_ok() && code(elsewhere("")).is_ok());
        assert_eq!(code(request(" . ")), Err("empty_query"));
        assert_eq!(code(request(&"a".repeat(2_000))), Err("query_too_long"));
    }

    #[test]
    fn scores_are_shares_of_the_best_and_keep_the_order() {
        let hit = |id, score| {
            let found = StoredFact {
                id: FactId(id),
                statement: format!("P(n{id})."),
                context: String::new(),
                confidence: 1.0,
                created_at: UnixMillis(0),
                updated_at: None,
                revision: Revision(id),
            };
            Hit { score, found, snippet: String::new() }
        };
        let scores = |threshold| {
            let items = items(vec![hit(1, 8.0), hit(2, 4.0), hit(3, 1.0)], threshold);
            items.iter().map(|item| item.score).collect::<Vec<_>>()
        };
        assert_eq!(scores(0.0), [1.0, 0.5, 0.125]);
        assert_eq!(scores(0.5), [1.0, 0.5]);
        assert_eq!(items(vec![hit(1, 0.0)], 1.0)[0].score, 1.0, "one word that every fact has");
        assert!(items(Vec::new(), 0.0).is_empty());
    }
}
