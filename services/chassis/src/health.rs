//! `/health`, `/livez`, `/readyz`: alive depends on nothing but the process, ready says whether this process serves.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use utoipa::ToSchema;

use crate::endpoints::{Endpoints, Operation};

/// What a service knows of its own readiness. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Health {
    service: &'static str,
    // Protects the short list below; held for a few instructions, never over an await.
    state: Arc<Mutex<Readiness>>,
}

#[derive(Debug)]
struct Readiness {
    draining: bool,
    /// Name of each condition, whether readiness needs it, and what it says now.
    conditions: Vec<Condition>,
}

#[derive(Debug)]
struct Condition {
    name: &'static str,
    required: bool,
    holds: bool,
}

impl Health {
    /// Ready once every required condition holds.
    pub fn new(service: &'static str) -> Self {
        Self { service, state: Arc::new(Mutex::new(Readiness { draining: false, conditions: Vec::new() })) }
    }

    /// Sets a condition that readiness needs.
    pub fn require(&self, name: &'static str, holds: bool) {
        self.set(name, true, holds);
    }

    /// Sets a condition that is only told.
    pub fn tell(&self, name: &'static str, holds: bool) {
        self.set(name, false, holds);
    }

    /// Unready from now on: the process is about to end.
    pub fn drain(&self) {
        self.lock().draining = true;
    }

    fn set(&self, name: &'static str, required: bool, holds: bool) {
        let mut state = self.lock();
        match state.conditions.iter_mut().find(|condition| condition.name == name) {
            Some(condition) => *condition = Condition { name, required, holds },
            None => state.conditions.push(Condition { name, required, holds }),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Readiness> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this process serves, and the body that says why or why not.
    pub fn readiness(&self) -> (bool, ReadyAnswer) {
        let state = self.lock();
        let ready = !state.draining && state.conditions.iter().all(|one| one.holds || !one.required);
        let conditions = state.conditions.iter().map(|one| (one.name, one.holds)).collect();
        (ready, ReadyAnswer { ready, draining: state.draining, conditions })
    }

    /// The three endpoints.
    pub fn endpoints(&self) -> Endpoints {
        let live = Operation::get("Whether the process lives").gives_text(200, "text/plain", "`ok`");
        let ready_or_not = Operation::get("Whether this process serves, and which conditions hold")
            .gives::<ReadyAnswer>(200, "It serves")
            .gives::<ReadyAnswer>(
                503,
                "It does not: a condition it needs does not hold, or it is about to end",
            );
        let alive = Operation::get("Alive: depends on nothing but the process");
        Endpoints::new()
            .route("/health", get(health), [alive.gives::<HealthAnswer>(200, "It lives")])
            .route("/livez", get(async || "ok\n"), [live])
            .route("/readyz", get(ready), [ready_or_not])
            .with_state(self.clone())
    }

    /// The service's name.
    pub fn service(&self) -> &'static str {
        self.service
    }
}

#[derive(Debug, Serialize, ToSchema)]
struct HealthAnswer {
    /// `ok`.
    status: &'static str,
    service: &'static str,
    version: &'static str,
}

/// What `/readyz` says, either way.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub struct ReadyAnswer {
    ready: bool,
    /// Whether it is about to end.
    draining: bool,
    /// Whether each condition holds; not all of them are needed.
    pub conditions: BTreeMap<&'static str, bool>,
}

async fn health(State(health): State<Health>) -> Json<HealthAnswer> {
    Json(HealthAnswer { status: "ok", service: health.service, version: env!("CARGO_PKG_VERSION") })
}

async fn ready(State(health): State<Health>) -> Response {
    let (ready, body) = health.readiness();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(body)).into_response()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ready_means_every_required_condition_and_no_drain() {
        let health = Health::new("x");
        health.require("store", false);
        health.tell("nats", false);
        assert!(!health.readiness().0);
        health.require("store", true);
        assert_eq!(
            serde_json::to_value(health.readiness().1).unwrap(),
            json!({"ready": true, "draining": false, "conditions": {"store": true, "nats": false}})
        );
        health.drain();
        assert!(!health.readiness().0);
    }
}
