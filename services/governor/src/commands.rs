//! What the governor answers over NATS: its state, and operators' commands with the checks and effects that they have
//! over HTTP.
//!
//! `ENABLE_CONTROL_HTTP=false` switches off POST and PUT over HTTP and nothing here, as its name says: who wants no
//! control at all gives nobody the role *control*.

use std::time::Duration;

use chassis::commands::{
    Answer, Asked, CommandMetrics, Handler, Limits, Served, not_available, serve, unknown_command,
};
use chassis::{ApiError, Chassis, Role};
use proto_schemas::command;
use proto_schemas::v1::{EngineControlRequest, GovernorControlRequest};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::REQUESTS_MAX;
use crate::api::Api;

/// Half of the requests that may wait for the loop, so that commands leave room for HTTP.
const AT_ONCE_MAX: usize = REQUESTS_MAX / 2;

/// The loop answers between two looks at its inputs, within milliseconds; a start of a process takes some more.
const TIME_MAX: Duration = Duration::from_secs(5);

/// Answers until the stop.
pub fn start(chassis: &Chassis, api: Api) -> JoinHandle<()> {
    let served = [command::GOVERNOR_ANY, command::AGENT_START]
        .map(|subject| Served { subject: subject.to_owned(), group: Some(command::GOVERNOR_GROUP) });
    let limits = Limits { at_once: AT_ONCE_MAX, time_max: TIME_MAX };
    let metrics = CommandMetrics::new(&chassis.metrics);
    let (nats, shutdown) = (chassis.nats.clone(), chassis.shutdown.clone());
    tokio::spawn(serve(nats, served.into(), Commands { api }, limits, metrics, shutdown))
}

struct Commands {
    api: Api,
}

impl Handler for Commands {
    async fn answer(&self, asked: Asked) -> Result<Answer, ApiError> {
        match asked.subject.as_str() {
            command::GOVERNOR_STATUS => {
                asked.by.require(Role::Read)?;
                Ok(Answer::of(&self.api.status()))
            }
            command::GOVERNOR_CONTROL => {
                asked.by.require(Role::Control)?;
                self.follow(asked.parse()?, &asked).await
            }
            command::GOVERNOR_ENGINE => {
                asked.by.require(Role::Control)?;
                self.follow(engine_control(asked.parse()?)?, &asked).await
            }
            command::AGENT_START => {
                asked.by.require(Role::Write)?;
                Err(not_available("this governor starts no agent runs yet"))
            }
            subject => Err(unknown_command(subject)),
        }
    }
}

impl Commands {
    async fn follow(&self, request: GovernorControlRequest, asked: &Asked) -> Result<Answer, ApiError> {
        let command = self.api.parse(&request)?;
        let result = self.api.follow(command, asked.by.id.clone(), asked.trace).await?;
        Ok(Answer::of(&result))
    }
}

/// The same as `start_engine` or `stop_engine`. 422 `unknown_action`, `missing_engine`.
fn engine_control(request: EngineControlRequest) -> Result<GovernorControlRequest, ApiError> {
    let action = match request.action.as_str() {
        "start" => "start_engine",
        "stop" => "stop_engine",
        _ => {
            let details = json!({"action": request.action});
            let text = "an action is one of start, stop";
            return Err(ApiError::unprocessable("unknown_action", text).with_details(details));
        }
    };
    // Plain fields of the contract are empty where they are absent.
    let engine = Some(request.engine_id).filter(|engine| !engine.is_empty());
    Ok(GovernorControlRequest { action: action.to_owned(), mode: None, engine })
}
