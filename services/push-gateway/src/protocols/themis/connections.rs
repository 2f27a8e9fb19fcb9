//! `GET /api/v3/ws/connections`: who is connected to these endpoints, on all pods.

use std::collections::BTreeSet;

use axum::extract::State;
use chassis::extract::Json;
use chassis::{ApiError, CanControl, time};
use serde::Serialize;
use utoipa::ToSchema;

use super::PROTOCOL;
use crate::api::{Api, switched_off};
use crate::fleet::CLIENTS_LISTED_MAX;

/// Who is connected.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConnectionsAnswer {
    total_connections: usize,
    /// How many names there are.
    active_clients: usize,
    clients: BTreeSet<String>,
    /// Most connections that are looked at for names.
    clients_max: usize,
    /// Whether there are more connections than were looked at.
    clients_truncated: bool,
    timestamp: String,
}

/// `{total_connections, active_clients, clients, timestamp}`: `clients` are the names that clients gave themselves,
/// each once, at most 1,000, and `active_clients` counts them; `clients_truncated` says that there are more connections
/// than were looked at for them, while `total_connections` counts all.
pub async fn connections(State(api): State<Api>, _: CanControl) -> Result<Json<ConnectionsAnswer>, ApiError> {
    if !api.profile.websocket {
        return Err(switched_off("WebSocket"));
    }
    let all = api.fleet.connections(&[PROTOCOL]).await;
    let is_truncated = all.total > all.clients.len();
    let clients: BTreeSet<String> = all.clients.into_iter().filter_map(|client| client.client_id).collect();
    Ok(Json(ConnectionsAnswer {
        total_connections: all.total,
        active_clients: clients.len(),
        clients,
        clients_max: CLIENTS_LISTED_MAX,
        clients_truncated: is_truncated,
        timestamp: time::now(),
    }))
}
