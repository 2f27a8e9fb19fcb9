//! `/health`, `/livez`, `/readyz`: alive depends on nothing but the process, ready says whether this process serves.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Map, Value, json};

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
    pub fn readiness(&self) -> (bool, Value) {
        let state = self.lock();
        let ready = !state.draining && state.conditions.iter().all(|one| one.holds || !one.required);
        let conditions: Map<String, Value> =
            state.conditions.iter().map(|one| (one.name.to_owned(), Value::Bool(one.holds))).collect();
        (ready, json!({"ready": ready, "draining": state.draining, "conditions": conditions}))
    }

    /// The three endpoints.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/health", get(health))
            .route("/livez", get(async || "ok\n"))
            .route("/readyz", get(ready))
            .with_state(self.clone())
    }
}

async fn health(State(health): State<Health>) -> Json<Value> {
    Json(json!({"status": "ok", "service": health.service, "version": env!("CARGO_PKG_VERSION")}))
}

async fn ready(State(health): State<Health>) -> Response {
    let (ready, body) = health.readiness();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(body)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_means_every_required_condition_and_no_drain() {
        let health = Health::new("x");
        health.require("store", false);
        health.tell("nats", false);
        assert!(!health.readiness().0);
        health.require("store", true);
        assert_eq!(
            health.readiness(),
            (true, json!({"ready": true, "draining": false, "conditions": {"store": true, "nats": false}}))
        );
        health.drain();
        assert!(!health.readiness().0);
    }
}
