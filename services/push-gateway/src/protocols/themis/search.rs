//! `search`: a search whose results are told one by one, as fast as the client takes them.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use chassis::extract::Query;
use chassis::{ApiError, Identity, time};
use serde_json::{Value, json};

use super::adapters::{Adapters, STATUS_TAG, status_command};
use super::fields::{Fields, Invalid};
use super::paged::{Question, Questions};
use super::{Endpoint, Named, words};
use crate::api::{Api, Upgrade};
use crate::codec::Action;
use crate::commands::{Answer, Command};

/// Where it is reached.
pub const PATH: &str = "/api/v3/ws/search";

/// Results where the client does not say how many.
const TOP_K_DEFAULT: u32 = 5;
/// Results at most.
const TOP_K_MAX: u32 = 100;

/// The handshake.
pub async fn open(
    State(api): State<Api>,
    upgrade: Upgrade,
    Query(named): Query<Named>,
    adapters: Arc<Adapters>,
) -> Result<Response, ApiError> {
    let endpoint = Searches { adapters, questions: Questions::default() };
    super::open(&api, upgrade, named.client_id, endpoint).await
}

/// A connection's searches.
pub struct Searches {
    pub(super) adapters: Arc<Adapters>,
    pub(super) questions: Questions<Search>,
}

/// One search.
pub struct Search {
    query: String,
    arguments: Value,
    adapters: Arc<Adapters>,
    started_at: Instant,
    told: u64,
}

impl Endpoint for Searches {
    fn path(&self) -> &'static str {
        PATH
    }

    fn actions(&self) -> &'static [&'static str] {
        &["search"]
    }

    fn opened(&mut self, _: &Identity, actions: &mut Vec<Action>) -> Result<(), ApiError> {
        // `search_started` names the adapter, and is told before any answer to the search.
        if self.adapters.must_ask(Instant::now()) {
            actions.push(Action::Ask(STATUS_TAG, status_command()));
        }
        Ok(())
    }

    fn request(&mut self, _: &str, fields: &Fields<'_>, actions: &mut Vec<Action>) -> Result<(), Invalid> {
        let query = fields.wanted_text("query")?.to_owned();
        let limit = fields.whole("top_k", 1..=TOP_K_MAX)?.unwrap_or(TOP_K_DEFAULT);
        let mut arguments = json!({"query": query, "limit": limit});
        if let Some(collection) = fields.text("collection")?.filter(|name| !name.is_empty()) {
            arguments["collection"] = json!(collection);
        }
        if let Some(threshold) = fields.share("threshold")? {
            arguments["threshold"] = json!(threshold);
        }
        let adapters = Arc::clone(&self.adapters);
        let search = Search { query, arguments, adapters, started_at: Instant::now(), told: 0 };
        self.questions.ask(search, actions)
    }

    fn answer(&mut self, tag: u64, answer: Answer, actions: &mut Vec<Action>) {
        if tag == STATUS_TAG {
            self.adapters.answered(answer, Instant::now());
        } else {
            self.questions.answer(tag, answer, actions);
        }
    }
}

impl Question for Search {
    fn command(&self) -> Command {
        Command::Service { subject: "cmd.kb.search".to_owned(), body: self.arguments.clone() }
    }

    fn started(&mut self) -> Bytes {
        self.started_at = Instant::now();
        words::message(&json!({
            "type": "search_started",
            "query": self.query,
            "adapter": self.adapters.current(),
            "timestamp": time::now(),
        }))
    }

    fn item(&mut self, mut item: Value, page: &Value) -> Bytes {
        tell_of_document(&mut item);
        let score = item.as_object_mut().and_then(|item| item.remove("score"));
        let index = self.told;
        self.told += 1;
        words::message(&json!({
            "type": "result",
            "data": item,
            "index": index,
            "total": page["total"],
            "score": score,
        }))
    }

    /// `duration_ms` is from the beginning of the search to its last result on its way, so a client that reads slowly
    /// sees that, too.
    fn complete(&self, page: &Value) -> Bytes {
        words::message(&json!({
            "type": "search_complete",
            "total_results": self.told,
            "duration_ms": (self.started_at.elapsed().as_secs_f64() * 1e6).round() / 1e3,
            "adapter_used": page["adapter"],
        }))
    }
}

/// A document is known to clients by their own id, and its metadata is an object to them.
fn tell_of_document(item: &mut Value) {
    let Some(document) = item.as_object_mut().and_then(|item| item.remove("document")) else { return };
    let metadata = item["metadata"].as_str().and_then(|text| serde_json::from_str(text).ok());
    item["metadata"] = metadata.unwrap_or(Value::Null);
    item["id"] = document;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_has_its_clients_id_and_a_fact_its_number() {
        let told = |mut item: Value| {
            tell_of_document(&mut item);
            item
        };
        let document = json!({"id": 7, "content": "x", "document": "a/b", "metadata": "{\"lang\":\"en\"}"});
        assert_eq!(told(document), json!({"id": "a/b", "content": "x", "metadata": {"lang": "en"}}));
        let fact = json!({"id": 7, "content": "P(a)."});
        assert_eq!(told(fact.clone()), fact);
    }
}
