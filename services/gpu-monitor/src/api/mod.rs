//! `GET /api/system/gpu`, `GET /api/system/load`: the last sample with its age. Nothing is sampled in a request.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use chassis::extract::{Json, Query};
use chassis::{ApiError, CanRead};
use proto_schemas::v1::{GpuState, SystemState};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::nodes::NodeTable;
use crate::sampler::Sample;

/// What answers come from. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Api {
    /// Our own node.
    pub node: Arc<str>,
    /// Its GPUs.
    pub gpu: watch::Receiver<Option<Sample<GpuState>>>,
    /// Its load.
    pub system: watch::Receiver<Option<Sample<SystemState>>>,
    /// Other nodes.
    pub nodes: watch::Receiver<NodeTable>,
}

/// The endpoints.
pub fn routes(api: Api) -> Router {
    Router::new().route("/api/system/gpu", get(gpu)).route("/api/system/load", get(load)).with_state(api)
}

#[derive(Debug, Deserialize)]
struct NodeQuery {
    node: Option<String>,
}

/// A sample as it is published, and its age. Of another node: the time since it was heard.
#[derive(Debug, Serialize)]
struct Aged<T> {
    #[serde(flatten)]
    state: T,
    age_ms: f64,
}

async fn gpu(
    _: CanRead,
    State(api): State<Api>,
    Query(query): Query<NodeQuery>,
) -> Result<Json<Aged<GpuState>>, ApiError> {
    let now = Instant::now();
    match api.another(query) {
        None => own(&api.gpu, now),
        Some(node) => other(api.nodes.borrow().gpu(&node, now), &node, now),
    }
}

async fn load(
    _: CanRead,
    State(api): State<Api>,
    Query(query): Query<NodeQuery>,
) -> Result<Json<Aged<SystemState>>, ApiError> {
    let now = Instant::now();
    match api.another(query) {
        None => own(&api.system, now),
        Some(node) => other(api.nodes.borrow().system(&node, now), &node, now),
    }
}

impl Api {
    /// The node asked for, unless it is ours.
    fn another(&self, query: NodeQuery) -> Option<String> {
        query.node.filter(|node| **node != *self.node)
    }
}

fn own<T: Clone>(
    samples: &watch::Receiver<Option<Sample<T>>>,
    now: Instant,
) -> Result<Json<Aged<T>>, ApiError> {
    let sample = samples.borrow();
    let sample = sample
        .as_ref()
        .ok_or_else(|| ApiError::unavailable("no_sample_yet", "the first sample is not taken yet", 1))?;
    Ok(aged(sample, now))
}

fn other<T: Clone>(sample: Option<&Sample<T>>, node: &str, now: Instant) -> Result<Json<Aged<T>>, ApiError> {
    let sample = sample.ok_or_else(|| {
        ApiError::not_found("unknown_node", "no sample of this node was heard lately")
            .with_details(serde_json::json!({"node": node}))
    })?;
    Ok(aged(sample, now))
}

fn aged<T: Clone>(sample: &Sample<T>, now: Instant) -> Json<Aged<T>> {
    Json(Aged { state: sample.value.clone(), age_ms: sample.age_ms(now) })
}

#[cfg(test)]
mod tests;
