//! Operators' commands: read and checked here, followed by the loop.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use chassis::extract::Json;
use chassis::{ApiError, CanControl, Identity, TraceParent, observe};
use proto_schemas::v1::{GovernorControlRequest, GovernorControlResult};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;
use utoipa::ToSchema;

use super::Api;
use crate::decide::{Command, Mode, Refusal};
use crate::engines::EngineName;
use crate::governor::{Denied, Request};

/// `POST /api/governor/control`: the contract's request, of which HTTP insists on the action.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct ControlBody {
    /// `start`, `stop`, `pause`, `resume`, `set_mode`, `start_engine`, `stop_engine`.
    action: String,
    /// For `set_mode`: `off`, `dry_run`, `enforce`.
    mode: Option<String>,
    /// For `start_engine` and `stop_engine`.
    engine: Option<String>,
}

type Answer = Result<Json<GovernorControlResult>, ApiError>;

pub(super) async fn control(
    CanControl(by): CanControl,
    State(api): State<Api>,
    Json(body): Json<ControlBody>,
) -> Answer {
    let ControlBody { action, mode, engine } = body;
    let command = api.parse(&GovernorControlRequest { action, mode, engine })?;
    follow(&api, command, by).await
}

pub(super) async fn start(CanControl(by): CanControl, State(api): State<Api>) -> Answer {
    follow(&api, Command::Start, by).await
}

pub(super) async fn stop(CanControl(by): CanControl, State(api): State<Api>) -> Answer {
    follow(&api, Command::Stop, by).await
}

pub(super) async fn start_engine(
    CanControl(by): CanControl,
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Answer {
    let engine = api.engine(&name)?;
    follow(&api, Command::StartEngine(engine), by).await
}

pub(super) async fn stop_engine(
    CanControl(by): CanControl,
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Answer {
    let engine = api.engine(&name)?;
    follow(&api, Command::StopEngine(engine), by).await
}

async fn follow(api: &Api, command: Command, by: Identity) -> Answer {
    api.follow(command, by.id, observe::request_context()).await.map(Json)
}

/// 404 for an engine that the file does not list.
pub(super) fn unknown_engine(name: &str) -> ApiError {
    ApiError::not_found("unknown_engine", "no engine of this name is configured")
        .with_details(json!({"engine": name}))
}

impl Api {
    /// The command that a request names. 422 `unknown_action`, `missing_mode`, `unknown_mode`, `missing_engine`; 404
    /// `unknown_engine`.
    pub fn parse(&self, body: &GovernorControlRequest) -> Result<Command, ApiError> {
        Ok(match body.action.as_str() {
            "start" => Command::Start,
            "stop" => Command::Stop,
            "pause" => Command::Pause,
            "resume" => Command::Resume,
            "set_mode" => Command::SetMode(mode(body)?),
            "start_engine" => Command::StartEngine(self.engine(named_engine(body)?)?),
            "stop_engine" => Command::StopEngine(self.engine(named_engine(body)?)?),
            _ => {
                let known = "start, stop, pause, resume, set_mode, start_engine, stop_engine";
                return Err(ApiError::unprocessable(
                    "unknown_action",
                    format!("an action is one of {known}"),
                )
                .with_details(json!({"action": body.action})));
            }
        })
    }

    fn engine(&self, name: &str) -> Result<EngineName, ApiError> {
        let snapshot = self.snapshots.borrow();
        let engine = snapshot.engines.iter().find(|engine| engine.name.as_str() == name);
        engine.map(|engine| engine.name.clone()).ok_or_else(|| unknown_engine(name))
    }

    /// Has the loop follow a command of `by`, within the trace of `trace`, and says what it did. An answer that nobody
    /// waits for any more does not undo it.
    pub async fn follow(
        &self,
        command: Command,
        by: String,
        trace: Option<TraceParent>,
    ) -> Result<GovernorControlResult, ApiError> {
        let (reply, answer) = oneshot::channel();
        let request = Request { command, by, trace, reply };
        let stopping = || ApiError::unavailable("stopping", "this governor ends", 1);
        self.requests.try_send(request).map_err(|error| match error {
            TrySendError::Full(_) => ApiError::unavailable("busy", "too many commands are waiting", 1),
            TrySendError::Closed(_) => stopping(),
        })?;
        let result = answer.await.map_err(|_| stopping())?;
        let decisions: Vec<_> =
            result.map_err(|denied| denial(&denied))?.iter().map(Arc::as_ref).cloned().collect();
        let changed = !decisions.is_empty();
        Ok(GovernorControlResult { changed, decisions, status: Some(self.status()) })
    }
}

fn mode(body: &GovernorControlRequest) -> Result<Mode, ApiError> {
    let text = body.mode.as_deref();
    let text = text.ok_or_else(|| ApiError::unprocessable("missing_mode", "set_mode needs a mode"))?;
    text.parse().map_err(|_| {
        ApiError::unprocessable("unknown_mode", "a mode is off, dry_run or enforce")
            .with_details(json!({"mode": text}))
    })
}

fn named_engine(body: &GovernorControlRequest) -> Result<&str, ApiError> {
    let engine = body.engine.as_deref();
    engine.ok_or_else(|| ApiError::unprocessable("missing_engine", "this action needs an engine"))
}

fn denial(denied: &Denied) -> ApiError {
    let conflict = |code| ApiError::new(StatusCode::CONFLICT, code, denied.to_string());
    match denied {
        Denied::OutboxFull => ApiError::unavailable("outbox_full", denied.to_string(), 5),
        // Not the caller's fault, and nothing that the caller could put right.
        Denied::EngineFailed { engine, .. } => {
            ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "engine_failed", denied.to_string())
                .with_details(json!({"engine": engine.as_str()}))
        }
        Denied::Refused(Refusal::NotEnforcing(_)) => conflict("not_enforcing"),
        Denied::Refused(Refusal::Stopped) => conflict("governor_stopped"),
        Denied::Refused(Refusal::EngineRuns(_)) => conflict("engine_running"),
        Denied::Refused(Refusal::EngineDoesNotRun(_)) => conflict("engine_not_running"),
    }
}
