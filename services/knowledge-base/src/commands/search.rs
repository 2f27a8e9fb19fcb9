//! `cmd.kb.search`: facts by the words in them.

use std::ops::Range;

use chassis::ApiError;
use proto_schemas::json;
use proto_schemas::v1::{SearchItem, SearchPage, SearchRequest};

use super::PageHead;
use super::pages::{self, Cuts, Paged};
use crate::api::{SEARCH_LIMIT_DEFAULT, SEARCH_LIMIT_MAX, text_query};
use crate::store::{Epoch, Hit, Revision, StoredFact, TextQuery};

/// What searches: there is one adapter yet, by words.
pub const ADAPTER: &str = "text";

/// The one collection yet.
const COLLECTION: &str = "facts";

/// Most results on a page: a screen or two, so that the first comes soon.
const PAGE_ITEMS_MAX: usize = 50;

/// A search whose request makes sense.
#[derive(Debug, PartialEq)]
pub struct Wanted {
    /// Its words.
    pub query: TextQuery,
    /// Most results.
    pub limit: usize,
    /// Lowest score.
    pub threshold: f64,
}

impl Wanted {
    /// 400 `invalid_limit`; 404 `unknown_collection`; 422 `invalid_threshold`, `empty_query`, `query_too_long`.
    pub fn parse(request: &SearchRequest) -> Result<Self, ApiError> {
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

/// The results of one search.
#[derive(Debug)]
pub struct SearchResults {
    items: Vec<SearchItem>,
    cuts: Cuts,
    revision: Revision,
    epoch: Epoch,
}

impl SearchResults {
    /// Hits, best first, without those below `threshold`; as the store was at `revision`.
    pub fn new(hits: Vec<Hit<StoredFact>>, threshold: f64, revision: Revision, epoch: Epoch) -> Self {
        let items = items(hits, threshold);
        let cuts = Cuts::new(items.iter().map(|item| json::to_vec(item).len()), PAGE_ITEMS_MAX);
        Self { items, cuts, revision, epoch }
    }

    /// A page of them.
    pub fn page(&self, page: Range<usize>, head: PageHead) -> SearchPage {
        SearchPage {
            items: self.items[page].to_vec(),
            total: pages::count(self.items.len()),
            adapter: ADAPTER.to_owned(),
            instance: head.instance,
            next: head.next,
            duration_ms: head.duration_ms,
            revision: self.revision.as_f64(),
            epoch: self.epoch.as_str().to_owned(),
        }
    }
}

impl Paged for SearchResults {
    fn cuts(&self) -> &Cuts {
        &self.cuts
    }

    fn kept_bytes(&self) -> usize {
        self.cuts.size()
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
    use crate::store::{FactId, UnixMillis};

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
