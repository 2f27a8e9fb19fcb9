//! `GET /debug/clients` and `GET /api/profile`.

use axum::Json;
use axum::extract::State;
use chassis::CanControl;
use serde_json::{Value, json};

use super::Api;
use crate::session::ClientInfo;

/// Clients listed at most; the totals count all.
const CLIENTS_LISTED_MAX: usize = 1_000;

/// What every session does now, those furthest behind first.
pub async fn clients(State(api): State<Api>, _: CanControl) -> Json<Value> {
    let mut clients: Vec<ClientInfo> = Vec::new();
    for worker in api.workers.iter() {
        clients.extend(worker.describe().await);
    }
    let total = clients.len();
    let count = |state| clients.iter().filter(|client| client.state == state).count();
    let (blocked, reading_back) = (count("blocked"), count("reading_back"));
    clients.sort_by(|a, b| {
        let key = |client: &ClientInfo| client.blocked_s.unwrap_or(-1.0);
        key(b).total_cmp(&key(a)).then(b.lag_events.cmp(&a.lag_events))
    });
    clients.truncate(CLIENTS_LISTED_MAX);
    Json(json!({
        "total": total,
        "blocked": blocked,
        "reading_back": reading_back,
        "listed": clients.len(),
        "clients": clients,
    }))
}

/// What is switched on, and where browsers reach the other services.
pub async fn profile(State(api): State<Api>) -> Json<Value> {
    let mut profile = json!(api.profile);
    profile["services"] = json!(*api.services);
    Json(profile)
}
