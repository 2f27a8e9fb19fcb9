//! What the knowledge base says about itself. Nothing here asks the database or NATS: the last known state answers.

use axum::extract::State;
use chassis::extract::Json;
use chassis::{CanRead, time};
use serde_json::json;

use super::ApiState;
use super::bulk::ERRORS_MAX;
use super::facts::LIST_LIMIT_MAX;
use super::framing::RECORD_BYTES_MAX;
use super::search::{QUERY_BYTES_MAX, SEARCH_LIMIT_MAX};
use crate::grammar::{DEPTH_MAX, ENTITY_BYTES_MAX, STATEMENT_BYTES_MAX};
use crate::store::{BATCH_FACTS_MAX, CONTEXT_BYTES_MAX, SEARCH_WORDS_MAX};

/// `GET /api/status`.
pub async fn status(State(state): State<ApiState>, _: CanRead) -> Json<serde_json::Value> {
    let snapshot = state.store.snapshot();
    let relay = state.relay.lag(&snapshot);
    let mut answer = json!({
        "status": "ok",
        "service": "knowledge-base",
        "instance": &*state.instance,
        "fact_count": snapshot.fact_count,
        "revision": snapshot.revision.0,
        "epoch": snapshot.epoch.as_str(),
        "relay": {"connected": relay.connected, "lag_changes": relay.changes},
        "search": {"modes": ["text"]},
        "time": time::now(),
    });
    if let Some(age) = relay.oldest_age {
        answer["relay"]["lag_seconds"] = age.as_secs_f64().into();
    }
    Json(answer)
}

/// `GET /api/limits`: what a client can make grow, and how far.
pub async fn limits(State(state): State<ApiState>, _: CanRead) -> Json<serde_json::Value> {
    let snapshot = state.store.snapshot();
    Json(json!({
        "statement_bytes_max": STATEMENT_BYTES_MAX,
        "statement_depth_max": DEPTH_MAX,
        "entity_bytes_max": ENTITY_BYTES_MAX,
        "context_bytes_max": CONTEXT_BYTES_MAX,
        "list_limit_max": LIST_LIMIT_MAX,
        "search_limit_max": SEARCH_LIMIT_MAX,
        "search_words_max": SEARCH_WORDS_MAX,
        "query_bytes_max": QUERY_BYTES_MAX,
        "bulk_line_bytes_max": RECORD_BYTES_MAX,
        "bulk_batch_facts_max": BATCH_FACTS_MAX,
        "bulk_errors_max": ERRORS_MAX,
        "revision": snapshot.revision.0,
        "epoch": snapshot.epoch.as_str(),
    }))
}
