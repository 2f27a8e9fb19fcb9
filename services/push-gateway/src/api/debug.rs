//! `GET /debug/clients` and `GET /api/profile`.

use axum::Json;
use axum::extract::State;
use chassis::CanControl;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Api, ServiceUrls};
use crate::fleet::CLIENTS_LISTED_MAX;
use crate::profile::Profile;
use crate::session::ClientInfo;
use crate::worker::{Clients, Query};

/// What the sessions of this pod do.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClientsAnswer {
    total: usize,
    /// How many sockets take nothing now.
    blocked: usize,
    /// How many read events that are no longer in memory.
    reading_back: usize,
    listed: usize,
    clients: Vec<ClientInfo>,
}

/// What every session does now, those furthest behind first.
pub async fn clients(State(api): State<Api>, _: CanControl) -> Json<ClientsAnswer> {
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
    Json(ClientsAnswer { total, blocked, reading_back, listed: clients.len(), clients })
}

/// What a page needs to know before it begins.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProfileAnswer {
    #[serde(flatten)]
    profile: Profile,
    /// Whether one must say who one is.
    sign_in: bool,
    services: ServiceUrls,
}

/// What is switched on, whether one must say who one is, and where browsers reach the other services.
pub async fn profile(State(api): State<Api>) -> Json<ProfileAnswer> {
    let services = api.services.clone();
    Json(ProfileAnswer { profile: api.profile, sign_in: !api.auth.is_open(), services })
}
