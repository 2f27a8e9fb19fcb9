//! `GET /api/system/gpu`, `GET /api/system/load`: the last sample with its age. Nothing is sampled in a request.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::routing::get;
use chassis::extract::{Json, Query};
use chassis::{ApiError, CanRead, Endpoints, Operation, Role};
use proto_schemas::v1::{GpuState, SystemState};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use utoipa::{IntoParams, ToSchema};

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
pub fn routes(api: Api) -> Endpoints {
    let last = |summary| {
        Operation::get(summary)
            .needs(Role::Read)
            .query::<NodeQuery>()
            .refuses(404, &["unknown_node"])
            .refuses(503, &["no_sample_yet"])
    };
    let last_gpu = last("The last sample of a node's GPUs").gives::<AgedGpu>(200, "The sample");
    let last_load = last("The last sample of a node's load").gives::<AgedLoad>(200, "The sample");
    Endpoints::new()
        .route("/api/system/gpu", get(gpu), [last_gpu])
        .route("/api/system/load", get(load), [last_load])
        .with_state(api)
}

#[derive(Debug, Deserialize, IntoParams)]
struct NodeQuery {
    /// Name of a node; the own where nobody says.
    node: Option<String>,
}

/// The sample of a node's GPUs as it is published, and its age. Of another node: the time since it was heard.
#[derive(Debug, Serialize, ToSchema)]
struct AgedGpu {
    #[serde(flatten)]
    state: GpuState,
    /// Milliseconds since it was taken, or heard.
    age_ms: f64,
}

/// The same of its load.
#[derive(Debug, Serialize, ToSchema)]
struct AgedLoad {
    #[serde(flatten)]
    state: SystemState,
    /// Milliseconds since it was taken, or heard.
    age_ms: f64,
}

async fn gpu(
    _: CanRead,
    State(api): State<Api>,
    Query(query): Query<NodeQuery>,
) -> Result<Json<AgedGpu>, ApiError> {
    let now = Instant::now();
    let (state, age_ms) = match api.another(query) {
        None => own(&api.gpu, now)?,
        Some(node) => other(api.nodes.borrow().gpu(&node, now), &node, now)?,
    };
    Ok(Json(AgedGpu { state, age_ms }))
}

async fn load(
    _: CanRead,
    State(api): State<Api>,
    Query(query): Query<NodeQuery>,
) -> Result<Json<AgedLoad>, ApiError> {
    let now = Instant::now();
    let (state, age_ms) = match api.another(query) {
        None => own(&api.system, now)?,
        Some(node) => other(api.nodes.borrow().system(&node, now), &node, now)?,
    };
    Ok(Json(AgedLoad { state, age_ms }))
}

impl Api {
    /// The node asked for, unless it is ours.
    fn another(&self, query: NodeQuery) -> Option<String> {
        query.node.filter(|node| **node != *self.node)
    }
}

/// A sample and its age, milliseconds.
type Aged<T> = Result<(T, f64), ApiError>;

fn own<T: Clone>(samples: &watch::Receiver<Option<Sample<T>>>, now: Instant) -> Aged<T> {
    let sample = samples.borrow();
    let sample = sample
        .as_ref()
        .ok_or_else(|| ApiError::unavailable("no_sample_yet", "the first sample is not taken yet", 1))?;
    Ok(aged(sample, now))
}

fn other<T: Clone>(sample: Option<&Sample<T>>, node: &str, now: Instant) -> Aged<T> {
    let sample = sample.ok_or_else(|| {
        ApiError::not_found("unknown_node", "no sample of this node was heard lately")
            .with_details(serde_json::json!({"node": node}))
    })?;
    Ok(aged(sample, now))
}

fn aged<T: Clone>(sample: &Sample<T>, now: Instant) -> (T, f64) {
    (sample.value.clone(), sample.age_ms(now))
}

#[cfg(test)]
mod tests;
