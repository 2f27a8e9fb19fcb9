//! The HTTP API. Reads answer from the loop's last snapshot; commands go to the loop and wait for its word only.

mod control;
mod shown;

use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{MethodRouter, get, post};
use chassis::extract::{Json, Query};
use chassis::{ApiError, CanRead};
use proto_schemas::v1::{EngineStatus, GovernorStatus};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use crate::governor::Request;
use crate::snapshot::{DECISIONS_KEPT, Snapshot};

/// Decisions in an answer unless asked for more.
const DECISIONS_DEFAULT: usize = 50;

/// What answers come from. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Api {
    /// The loop's last snapshot.
    pub snapshots: watch::Receiver<Snapshot>,
    /// The way to the loop.
    pub requests: mpsc::Sender<Request>,
    /// Inputs older than this are shown as stale.
    pub stale_after: Duration,
}

/// The endpoints; without `control` those that change something answer 404 `switched_off`.
pub fn routes(api: Api, control: bool) -> Router {
    let change = |route: MethodRouter<Api>| if control { route } else { post(switched_off) };
    Router::new()
        .route("/api/governor/status", get(status))
        .route("/api/governor/decisions", get(decisions))
        .route("/api/governor/control", change(post(control::control)))
        .route("/api/governor/start", change(post(control::start)))
        .route("/api/governor/stop", change(post(control::stop)))
        .route("/api/engines", get(engines))
        .route("/api/engines/{name}/status", get(engine_status))
        .route("/api/engines/{name}/start", change(post(control::start_engine)))
        .route("/api/engines/{name}/stop", change(post(control::stop_engine)))
        .with_state(api)
}

async fn switched_off() -> ApiError {
    ApiError::not_found("switched_off", "control over HTTP is switched off (ENABLE_CONTROL_HTTP=false)")
}

async fn status(_: CanRead, State(api): State<Api>) -> Json<GovernorStatus> {
    Json(api.status())
}

#[derive(Debug, Deserialize)]
struct DecisionsQuery {
    limit: Option<usize>,
}

async fn decisions(
    _: CanRead,
    State(api): State<Api>,
    Query(query): Query<DecisionsQuery>,
) -> Result<Json<Value>, ApiError> {
    let limit = query.limit.unwrap_or(DECISIONS_DEFAULT);
    if !(1..=DECISIONS_KEPT).contains(&limit) {
        return Err(ApiError::bad_request("invalid_limit", format!("limit is 1 to {DECISIONS_KEPT}")));
    }
    let snapshot = api.snapshots.borrow();
    let newest_first: Vec<_> = snapshot.decisions.iter().rev().take(limit).map(AsRef::as_ref).collect();
    Ok(Json(json!({"decisions": newest_first, "decisions_made": snapshot.decisions_made})))
}

async fn engines(_: CanRead, State(api): State<Api>) -> Json<Value> {
    let snapshot = api.snapshots.borrow();
    let engines: Vec<_> = snapshot
        .engines
        .iter()
        .map(|engine| {
            json!({"name": engine.name.as_str(), "max_run_s": engine.max_run.as_secs(),
            "status": shown::engine(engine)})
        })
        .collect();
    Json(json!({"engines": engines}))
}

async fn engine_status(
    _: CanRead,
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<EngineStatus>, ApiError> {
    let snapshot = api.snapshots.borrow();
    let engine = snapshot.engines.iter().find(|engine| engine.name.as_str() == name);
    engine.map(|engine| Json(shown::engine(engine))).ok_or_else(|| control::unknown_engine(&name))
}

impl Api {
    /// The governor now.
    pub fn status(&self) -> GovernorStatus {
        shown::status(&self.snapshots.borrow(), self.stale_after)
    }
}

#[cfg(test)]
mod tests;
