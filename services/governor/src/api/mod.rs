//! The HTTP API. Reads answer from the loop's last snapshot; commands go to the loop and wait for its word only.

mod control;
mod shown;

use std::time::Duration;

use axum::extract::{Path, State};
use axum::routing::{MethodRouter, get, post};
use chassis::extract::{Json, Query};
use chassis::{ApiError, CanRead, Endpoints, Operation, Role};
use proto_schemas::v1::{Decision, EngineStatus, GovernorControlResult, GovernorStatus};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};
use utoipa::{IntoParams, ToSchema};

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
pub fn routes(api: Api, control: bool) -> Endpoints {
    let change = |route: MethodRouter<Api>| if control { route } else { post(switched_off) };
    // What every change may answer.
    let changes = |summary| {
        Operation::post(summary)
            .needs(Role::Control)
            .gives::<GovernorControlResult>(200, "What was done, and the governor after it")
            .refuses(404, &["switched_off"])
            .refuses(503, &["busy", "outbox_full", "stopping"])
    };
    let changes_engine = |summary| {
        changes(summary)
            .path("name", "The engine's name")
            .refuses(404, &["unknown_engine"])
            .refuses(409, &["not_enforcing", "governor_stopped", "engine_running", "engine_not_running"])
            .refuses(500, &["engine_failed"])
    };
    let controls = changes("Does what the action says")
        .takes::<control::ControlBody>()
        .refuses(404, &["unknown_engine"])
        .refuses(409, &["not_enforcing", "governor_stopped", "engine_running", "engine_not_running"])
        .refuses(422, &["unknown_action", "missing_mode", "unknown_mode", "missing_engine"])
        .refuses(500, &["engine_failed"]);
    let status_now = Operation::get("How the governor is").needs(Role::Read);
    let last_decisions = Operation::get("The last decisions, the newest first")
        .needs(Role::Read)
        .query::<DecisionsQuery>()
        .gives::<Decisions>(200, "Decisions")
        .refuses(400, &["invalid_limit"]);
    let all_engines = Operation::get("The engines that are configured").needs(Role::Read);
    let one_engine = Operation::get("How one engine is")
        .needs(Role::Read)
        .path("name", "The engine's name")
        .gives::<EngineStatus>(200, "Now")
        .refuses(404, &["unknown_engine"]);
    let (starts, stops) = ("Starts deciding", "Stops deciding; engines that run go on");
    let (starts_engine, stops_engine) = ("Starts an engine", "Stops an engine");
    Endpoints::new()
        .route("/api/governor/status", get(status), [status_now.gives::<GovernorStatus>(200, "Now")])
        .route("/api/governor/decisions", get(decisions), [last_decisions])
        .route("/api/governor/control", change(post(control::control)), [controls])
        .route("/api/governor/start", change(post(control::start)), [changes(starts)])
        .route("/api/governor/stop", change(post(control::stop)), [changes(stops)])
        .route("/api/engines", get(engines), [all_engines.gives::<Engines>(200, "All of them")])
        .route("/api/engines/{name}/status", get(engine_status), [one_engine])
        .route(
            "/api/engines/{name}/start",
            change(post(control::start_engine)),
            [changes_engine(starts_engine)],
        )
        .route("/api/engines/{name}/stop", change(post(control::stop_engine)), [changes_engine(stops_engine)])
        .with_state(api)
}

async fn switched_off() -> ApiError {
    ApiError::not_found("switched_off", "control over HTTP is switched off (ENABLE_CONTROL_HTTP=false)")
}

async fn status(_: CanRead, State(api): State<Api>) -> Json<GovernorStatus> {
    Json(api.status())
}

#[derive(Debug, Deserialize, IntoParams)]
struct DecisionsQuery {
    /// How many at most; 50 where nobody says.
    limit: Option<usize>,
}

/// The last of all decisions.
#[derive(Debug, Serialize, ToSchema)]
struct Decisions {
    decisions: Vec<Decision>,
    /// In all, since the process began.
    decisions_made: u64,
}

async fn decisions(
    _: CanRead,
    State(api): State<Api>,
    Query(query): Query<DecisionsQuery>,
) -> Result<Json<Decisions>, ApiError> {
    let limit = query.limit.unwrap_or(DECISIONS_DEFAULT);
    if !(1..=DECISIONS_KEPT).contains(&limit) {
        return Err(ApiError::bad_request("invalid_limit", format!("limit is 1 to {DECISIONS_KEPT}")));
    }
    let snapshot = api.snapshots.borrow();
    let newest_first = snapshot.decisions.iter().rev().take(limit).map(|one| one.as_ref().clone()).collect();
    Ok(Json(Decisions { decisions: newest_first, decisions_made: snapshot.decisions_made }))
}

#[derive(Debug, Serialize, ToSchema)]
struct Engines {
    engines: Vec<Engine>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Engine {
    name: String,
    /// It is stopped after this long, seconds.
    max_run_s: u64,
    status: EngineStatus,
}

async fn engines(_: CanRead, State(api): State<Api>) -> Json<Engines> {
    let snapshot = api.snapshots.borrow();
    let engines = snapshot.engines.iter().map(|engine| Engine {
        name: engine.name.as_str().to_owned(),
        max_run_s: engine.max_run.as_secs(),
        status: shown::engine(engine),
    });
    Json(Engines { engines: engines.collect() })
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
