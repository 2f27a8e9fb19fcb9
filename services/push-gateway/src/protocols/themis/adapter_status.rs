//! `adapter/status`: what searches, at once and then at every interval.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::response::Response;
use chassis::extract::Query;
use chassis::{ApiError, Identity, time};
use prometheus::IntGauge;
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use super::adapters::{Adapters, STATUS_TAG, status_command};
use super::{Endpoint, PROTOCOL, words};
use crate::api::{Api, Upgrade};
use crate::codec::Action;
use crate::commands::Answer;

/// Where it is reached.
pub const PATH: &str = "/api/v3/ws/adapter/status";

/// Seconds between two updates.
const INTERVALS_S: RangeInclusive<u64> = 1..=60;
const INTERVAL_DEFAULT_S: u64 = 5;

/// The query string.
#[derive(Debug, Deserialize, IntoParams)]
pub struct Parameters {
    /// The name that the client gives itself.
    client_id: Option<String>,
    /// Seconds, 1 to 60; 5 where nobody says.
    interval: Option<u64>,
}

/// The handshake.
pub async fn open(
    State(api): State<Api>,
    upgrade: Upgrade,
    Query(parameters): Query<Parameters>,
    adapters: Arc<Adapters>,
) -> Result<Response, ApiError> {
    let interval_s = parameters.interval.unwrap_or(INTERVAL_DEFAULT_S);
    if !INTERVALS_S.contains(&interval_s) {
        let (first, last) = INTERVALS_S.into_inner();
        let message = format!("interval is a number of seconds from {first} to {last}");
        return Err(ApiError::unprocessable("invalid_interval", message));
    }
    let endpoint = Status {
        adapters,
        interval: Duration::from_secs(interval_s),
        connections: api.metrics.connections.with_label_values(&[PROTOCOL]),
        is_asking: false,
    };
    super::open(&api, upgrade, parameters.client_id, endpoint).await
}

/// One connection.
pub struct Status {
    pub(super) adapters: Arc<Adapters>,
    pub(super) interval: Duration,
    /// Connections of these endpoints, on this pod.
    pub(super) connections: IntGauge,
    /// An answer is on its way; it becomes an update.
    pub(super) is_asking: bool,
}

impl Status {
    fn update(&self) -> Action {
        let mut update = self.adapters.told();
        update["type"] = json!("status_update");
        update["timestamp"] = json!(time::now());
        update["active_websocket_connections"] = json!(self.connections.get());
        Action::Reply(words::message(&update))
    }
}

impl Endpoint for Status {
    fn path(&self) -> &'static str {
        PATH
    }

    fn opened(&mut self, _: &Identity, actions: &mut Vec<Action>) -> Result<(), ApiError> {
        self.wake(actions);
        Ok(())
    }

    fn wake(&mut self, actions: &mut Vec<Action>) {
        actions.push(Action::WakeAfter(self.interval));
        if !self.is_asking && self.adapters.must_ask(Instant::now()) {
            self.is_asking = true;
            actions.push(Action::Ask(STATUS_TAG, status_command()));
        } else {
            actions.push(self.update());
        }
    }

    fn answer(&mut self, _: u64, answer: Answer, actions: &mut Vec<Action>) {
        self.is_asking = false;
        self.adapters.answered(answer, Instant::now());
        actions.push(self.update());
    }
}
