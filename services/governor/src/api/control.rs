//! Operators' commands: read and checked here, followed by the loop.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use chassis::extract::Json;
use chassis::{ApiError, CanControl, observe};
use proto_schemas::v1::Decision;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;

use super::Api;
use super::shown::StatusShown;
use crate::decide::{Command, Mode, Refusal};
use crate::engines::EngineName;
use crate::governor::{Denied, Request};

/// `POST /api/governor/control`.
#[derive(Debug, Deserialize)]
pub(super) struct ControlBody {
    action: String,
    mode: Option<String>,
    engine: Option<String>,
}

/// What a command did. No decisions: nothing had to change.
#[derive(Debug, Serialize)]
pub(super) struct Followed {
    changed: bool,
    decisions: Vec<Decision>,
    status: StatusShown,
}

type Answer = Result<Json<Followed>, ApiError>;

pub(super) async fn control(
    CanControl(by): CanControl,
    State(api): State<Api>,
    Json(body): Json<ControlBody>,
) -> Answer {
    let command = api.parse(&body)?;
    api.follow(command, by.id).await
}

pub(super) async fn start(CanControl(by): CanControl, State(api): State<Api>) -> Answer {
    api.follow(Command::Start, by.id).await
}

pub(super) async fn stop(CanControl(by): CanControl, State(api): State<Api>) -> Answer {
    api.follow(Command::Stop, by.id).await
}

pub(super) async fn start_engine(
    CanControl(by): CanControl,
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Answer {
    let engine = api.engine(&name)?;
    api.follow(Command::StartEngine(engine), by.id).await
}

pub(super) async fn stop_engine(
    CanControl(by): CanControl,
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Answer {
    let engine = api.engine(&name)?;
    api.follow(Command::StopEngine(engine), by.id).await
}

/// 404 for an engine that the file does not list.
pub(super) fn unknown_engine(name: &str) -> ApiError {
    ApiError::not_found("unknown_engine", "no engine of this name is configured")
        .with_details(json!({"engine": name}))
}

impl Api {
    fn parse(&self, body: &ControlBody) -> Result<Command, ApiError> {
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

    async fn follow(&self, command: Command, by: String) -> Answer {
        let (reply, answer) = oneshot::channel();
        let request = Request { command, by, trace: observe::request_context(), reply };
        let stopping = || ApiError::unavailable("stopping", "this governor ends", 1);
        self.requests.try_send(request).map_err(|error| match error {
            TrySendError::Full(_) => ApiError::unavailable("busy", "too many commands are waiting", 1),
            TrySendError::Closed(_) => stopping(),
        })?;
        let result = answer.await.map_err(|_| stopping())?;
        let decisions: Vec<_> =
            result.map_err(|denied| denial(&denied))?.iter().map(Arc::as_ref).cloned().collect();
        Ok(Json(Followed { changed: !decisions.is_empty(), decisions, status: self.status() }))
    }
}

fn mode(body: &ControlBody) -> Result<Mode, ApiError> {
    let text = body.mode.as_deref();
    let text = text.ok_or_else(|| ApiError::unprocessable("missing_mode", "set_mode needs a mode"))?;
    text.parse().map_err(|_| {
        ApiError::unprocessable("unknown_mode", "a mode is off, dry_run or enforce")
            .with_details(json!({"mode": text}))
    })
}

fn named_engine(body: &ControlBody) -> Result<&str, ApiError> {
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
