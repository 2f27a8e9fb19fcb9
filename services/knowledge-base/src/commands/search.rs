//! `cmd.kb.search`: facts or documents by words, by meaning, or by both.

use std::ops::Range;

use chassis::ApiError;
use proto_schemas::json;
use proto_schemas::v1::{SearchItem, SearchPage, SearchRequest};

use super::PageHead;
use super::pages::{self, Cuts, Paged};
use crate::api::{SEARCH_LIMIT_MAX, SearchBody};
use crate::search::{Content, Found, Item};
use crate::store::FactId;

/// Most results on a page: a screen or two, so that the first comes soon.
const PAGE_ITEMS_MAX: usize = 50;

/// The request as the HTTP API takes it. 400 `invalid_limit`; 422 `invalid_mode`.
pub fn body(request: SearchRequest) -> Result<SearchBody, ApiError> {
    let limit = match request.limit.map(usize::try_from) {
        None => None,
        Some(Ok(limit)) => Some(limit),
        Some(Err(_)) => {
            let text = format!("limit (top_k) must be from 1 to {SEARCH_LIMIT_MAX}");
            let details = serde_json::json!({"limit": request.limit, "max": SEARCH_LIMIT_MAX});
            return Err(ApiError::bad_request("invalid_limit", text).with_details(details));
        }
    };
    let body = SearchBody {
        query: request.query,
        collection: request.collection,
        limit,
        threshold: request.threshold,
        ..SearchBody::default()
    };
    body.in_mode(request.mode.as_deref())
}

/// The results of one search.
#[derive(Debug)]
pub struct SearchResults {
    /// What is said of all; its items are in `items`.
    found: Found,
    items: Vec<SearchItem>,
    cuts: Cuts,
}

impl SearchResults {
    /// Measures what was found.
    pub fn new(mut found: Found) -> Self {
        let items: Vec<SearchItem> = std::mem::take(&mut found.items).into_iter().map(item).collect();
        let cuts = Cuts::new(items.iter().map(|item| json::to_vec(item).len()), PAGE_ITEMS_MAX);
        Self { found, items, cuts }
    }

    /// A page of them.
    pub fn page(&self, page: Range<usize>, head: PageHead) -> SearchPage {
        SearchPage {
            items: self.items[page].to_vec(),
            total: pages::count(self.items.len()),
            adapter: self.found.adapter.as_str().to_owned(),
            instance: head.instance,
            next: head.next,
            duration_ms: head.duration_ms,
            revision: self.found.revision.as_f64(),
            epoch: self.found.epoch.as_str().to_owned(),
            mode: self.found.mode.as_str().to_owned(),
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

fn item(item: Item) -> SearchItem {
    let (score, snippet) = (item.relevance, item.snippet);
    match item.content {
        Content::Fact(fact) => SearchItem {
            id: fact.id.as_f64(),
            content: fact.statement.clone(),
            statement: Some(fact.statement),
            confidence: fact.confidence,
            score,
            context: fact.context,
            snippet,
            ..SearchItem::default()
        },
        Content::Document(document) => SearchItem {
            id: FactId(document.id.0).as_f64(),
            content: document.content,
            confidence: 1.0,
            score,
            document: Some(document.key),
            metadata: Some(document.metadata.as_str().to_owned()),
            snippet,
            ..SearchItem::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_below_zero_and_an_unknown_mode_are_refused() {
        let request = |limit, mode: Option<&str>| SearchRequest {
            query: "ada".into(),
            limit,
            mode: mode.map(str::to_owned),
            ..SearchRequest::default()
        };
        let code = |request| body(request).map(|body| body.limit).map_err(|error| error.code());
        assert_eq!(code(request(None, None)), Ok(None));
        assert_eq!(code(request(Some(7), Some("hybrid"))), Ok(Some(7)));
        assert_eq!(code(request(Some(i32::MIN), None)), Err("invalid_limit"));
        assert_eq!(code(request(None, Some("magic"))), Err("invalid_mode"));
    }
}
