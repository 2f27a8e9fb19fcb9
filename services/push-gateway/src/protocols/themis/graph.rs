//! `graph/traverse`: a walk over the graph whose nodes and edges are told one by one.
//!
//! A page's items are `{"node": {...}}` or `{"edge": {...}}`, told in their order under the names that these clients
//! read; `total_nodes` of a page is how many nodes there are on all pages.

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use chassis::ApiError;
use chassis::extract::Query;
use serde_json::{Value, json};

use super::fields::{Fields, Invalid};
use super::paged::{Question, Questions};
use super::{Endpoint, Named, words};
use crate::api::{Api, Upgrade};
use crate::codec::Action;
use crate::commands::{Answer, Command};

/// Where it is reached.
pub const PATH: &str = "/api/v3/ws/graph/traverse";

/// Which way edges are followed.
const DIRECTIONS: [&str; 3] = ["outbound", "inbound", "any"];
/// Steps where the client does not say how many.
const DEPTH_DEFAULT: u32 = 3;
/// Steps at most.
const DEPTH_MAX: u32 = 10;

/// The handshake.
pub async fn open(
    State(api): State<Api>,
    upgrade: Upgrade,
    Query(named): Query<Named>,
) -> Result<Response, ApiError> {
    super::open(&api, upgrade, named.client_id, Walks::default()).await
}

/// A connection's walks.
#[derive(Default)]
pub struct Walks {
    questions: Questions<Walk>,
}

/// One walk.
pub struct Walk {
    start_vertex: String,
    arguments: Value,
    nodes: u64,
    edges: u64,
}

impl Endpoint for Walks {
    fn path(&self) -> &'static str {
        PATH
    }

    fn actions(&self) -> &'static [&'static str] {
        &["traverse"]
    }

    fn request(&mut self, _: &str, fields: &Fields<'_>, actions: &mut Vec<Action>) -> Result<(), Invalid> {
        let start_vertex = fields.wanted_text("start_vertex")?.to_owned();
        let direction = fields.text("direction")?.unwrap_or(DIRECTIONS[0]);
        if !DIRECTIONS.contains(&direction) {
            return Err(Invalid::field("direction", DIRECTIONS.join(", ")));
        }
        let max_depth = fields.whole("max_depth", 1..=DEPTH_MAX)?.unwrap_or(DEPTH_DEFAULT);
        let mut arguments =
            json!({"start_vertex": start_vertex, "direction": direction, "max_depth": max_depth});
        if let Some(collection) = fields.text("edge_collection")?.filter(|name| !name.is_empty()) {
            arguments["edge_collection"] = json!(collection);
        }
        self.questions.ask(Walk { start_vertex, arguments, nodes: 0, edges: 0 }, actions)
    }

    fn answer(&mut self, tag: u64, answer: Answer, actions: &mut Vec<Action>) {
        self.questions.answer(tag, answer, actions);
    }
}

impl Question for Walk {
    fn command(&self) -> Command {
        Command::Service { subject: "cmd.kb.traverse".to_owned(), body: self.arguments.clone() }
    }

    fn started(&mut self) -> Bytes {
        words::message(&json!({"type": "traversal_started", "start_vertex": self.start_vertex}))
    }

    fn item(&mut self, item: Value, page: &Value) -> Bytes {
        if let Some(edge) = item.get("edge") {
            self.edges += 1;
            let data = json!({"_from": edge["from"], "_to": edge["to"], "type": edge["type"]});
            return words::message(&json!({"type": "edge", "data": data}));
        }
        let index = self.nodes;
        self.nodes += 1;
        let data = json!({"_key": item["node"]["key"], "label": item["node"]["label"]});
        let total = &page["total_nodes"];
        words::message(&json!({"type": "node", "data": data, "index": index, "total": total}))
    }

    /// `truncated` is ours, and there only where the walk has more than was told.
    fn complete(&self, page: &Value) -> Bytes {
        let mut complete = json!({
            "type": "traversal_complete",
            "total_nodes": self.nodes,
            "total_edges": self.edges,
        });
        if let Some(truncated) = page.get("truncated") {
            complete["truncated"] = truncated.clone();
        }
        words::message(&complete)
    }
}
