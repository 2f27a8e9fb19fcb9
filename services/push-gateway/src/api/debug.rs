//! `GET /debug/clients` and `GET /api/profile`.

use axum::Json;
use axum::extract::State;
use chassis::CanControl;
use serde_json::{Value, json};

use super::Api;
use crate::fleet::CLIENTS_LISTED_MAX;
use crate::session::ClientInfo;
use crate::worker::{Clients, Query};

/// What every session does now, those furthest behind first.
pub async fn clients(State(api): State<Api>, _: CanControl) -> Json<Value> {
    let mut all = Clients::default();
    for worker in api.workers.iter() {
        let furthest = |reply| Query::Clients { furthest_behind: CLIENTS_LISTED_MAX, reply };
        let one = worker.ask(furthest).await.unwrap_or_default();
        all.total += one.total;
        all.blocked += one.blocked;
        all.reading_back += one.reading_back;
        all.clients.extend(one.clients);
    }
    let Clients { total, blocked, reading_back, mut clients } = all;
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

/// What is switched on, whether one must say who one is, and where browsers reach the other services.
pub async fn profile(State(api): State<Api>) -> Json<Value> {
    let mut profile = json!(api.profile);
    profile["sign_in"] = json!(!api.auth.is_open());
    profile["services"] = json!(api.services);
    Json(profile)
}
