//! What the knowledge base says about itself. Nothing here asks the database or NATS: the last known state answers.

use axum::extract::State;
use chassis::extract::Json;
use chassis::{CanRead, time};
use serde::Serialize;
use utoipa::ToSchema;

use super::bulk::ERRORS_MAX;
use super::facts::LIST_LIMIT_MAX;
use super::framing::RECORD_BYTES_MAX;
use super::quality;
use super::search::{QUERY_BYTES_MAX, SEARCH_LIMIT_MAX};
use super::{ApiState, At};
use crate::grammar::{DEPTH_MAX, ENTITY_BYTES_MAX, STATEMENT_BYTES_MAX};
use crate::quality::FACTS_LOOKED_AT_MAX as NEAR_FACTS_MAX;
use crate::store::{BATCH_FACTS_MAX, CONTEXT_BYTES_MAX, SEARCH_WORDS_MAX};
use crate::{graph, search};

/// What the knowledge base says about itself.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatusAnswer {
    /// `ok`.
    status: &'static str,
    service: &'static str,
    instance: String,
    fact_count: u64,
    #[serde(flatten)]
    at: At,
    relay: RelayAnswer,
    search: SearchModes,
    quality: QualityAnswer,
    time: String,
}

/// How far the relay is behind the store.
#[derive(Debug, Serialize, ToSchema)]
struct RelayAnswer {
    /// Whether this process is the relay and NATS is there.
    connected: bool,
    /// Changes that are not published yet; absent where another process is the relay, which knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    lag_changes: Option<u64>,
    /// Age of the oldest of them, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    lag_seconds: Option<f64>,
}

/// How far the findings about the facts are.
#[derive(Debug, Serialize, ToSchema)]
struct QualityAnswer {
    /// Whether questions are answered; not while the facts are looked at after a start.
    ready: bool,
    /// Facts that were looked at, of `fact_count`.
    facts: usize,
    /// The revision that the findings are of, where they are whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
struct SearchModes {
    modes: [&'static str; 3],
    /// Which adapter would answer now: `primary`, `fallback` or `none`.
    adapter: &'static str,
}

/// `GET /api/status`.
pub async fn status(State(state): State<ApiState>, _: CanRead) -> Json<StatusAnswer> {
    let snapshot = state.store.snapshot();
    let relay = state.relay.lag(&snapshot);
    let findings = state.quality.state();
    Json(StatusAnswer {
        status: "ok",
        service: "knowledge-base",
        instance: state.instance.to_string(),
        fact_count: snapshot.fact_count,
        at: At::new(snapshot.revision, &snapshot.epoch),
        relay: RelayAnswer {
            connected: relay.connected,
            lag_changes: relay.changes,
            lag_seconds: relay.oldest_age.map(|age| age.as_secs_f64()),
        },
        search: SearchModes {
            modes: ["text", "vector", "hybrid"],
            adapter: search::name_of(state.searcher.report().current),
        },
        quality: QualityAnswer {
            ready: findings.position.is_some(),
            facts: findings.figures.facts,
            revision: findings.position.map(|position| position.revision.0),
        },
        time: time::now(),
    })
}

/// What a client can make grow, and how far.
#[derive(Debug, Serialize, ToSchema)]
pub struct Limits {
    statement_bytes_max: usize,
    statement_depth_max: usize,
    entity_bytes_max: usize,
    context_bytes_max: usize,
    list_limit_max: usize,
    search_limit_max: usize,
    search_words_max: usize,
    query_bytes_max: usize,
    bulk_line_bytes_max: usize,
    bulk_batch_facts_max: usize,
    bulk_errors_max: usize,
    graph_depth_max: u8,
    graph_nodes_max: usize,
    graph_edges_max: usize,
    graph_neighbours_max: usize,
    graph_predicates_max: usize,
    top_names_max: usize,
    quality_page_max: usize,
    quality_statements_max: usize,
    quality_near_facts_max: usize,
    #[serde(flatten)]
    at: At,
}

/// `GET /api/limits`.
pub async fn limits(State(state): State<ApiState>, _: CanRead) -> Json<Limits> {
    let snapshot = state.store.snapshot();
    Json(Limits {
        statement_bytes_max: STATEMENT_BYTES_MAX,
        statement_depth_max: DEPTH_MAX,
        entity_bytes_max: ENTITY_BYTES_MAX,
        context_bytes_max: CONTEXT_BYTES_MAX,
        list_limit_max: LIST_LIMIT_MAX,
        search_limit_max: SEARCH_LIMIT_MAX,
        search_words_max: SEARCH_WORDS_MAX,
        query_bytes_max: QUERY_BYTES_MAX,
        bulk_line_bytes_max: RECORD_BYTES_MAX,
        bulk_batch_facts_max: BATCH_FACTS_MAX,
        bulk_errors_max: ERRORS_MAX,
        graph_depth_max: graph::DEPTH_MAX,
        graph_nodes_max: graph::NODES_MAX,
        graph_edges_max: graph::EDGES_MAX,
        graph_neighbours_max: graph::NEIGHBOURS_MAX,
        graph_predicates_max: graph::PREDICATES_MAX,
        top_names_max: graph::TOP_MAX,
        quality_page_max: quality::PAGE_MAX,
        quality_statements_max: quality::STATEMENTS_MAX,
        quality_near_facts_max: NEAR_FACTS_MAX,
        at: At::new(snapshot.revision, &snapshot.epoch),
    })
}
