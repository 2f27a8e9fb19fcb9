//! Centrifugo's client protocol, version 2, as the published Centrifuge clients speak it: `/connection/websocket`, in
//! JSON, or in Protobuf by `?format=protobuf`, `?cf_protocol=protobuf` or the subprotocol `centrifuge-protobuf`.
//!
//! `messages`, `wire`, `json` and `protobuf` are the language; `codes` what its numbers mean; `connection` and
//! `subscriptions` the conversation; `channels` what is followed; `requests` what is asked of services.

mod channels;
mod codes;
mod connection;
mod json;
mod messages;
mod protobuf;
mod requests;
mod subscriptions;
mod wire;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::get;
use chassis::auth::key_of;
use chassis::extract::Query;
use chassis::{ApiError, Endpoints, Role};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::api::{Api, Upgrade, upgrade_operation};
use connection::Connection;
use wire::Wire;

/// Where it is reached.
const ENDPOINT: &str = "/connection/websocket";
/// Subprotocols, each with its form.
const SUBPROTOCOLS: [(&str, Wire); 2] =
    [("centrifuge-protobuf", Wire::Protobuf), ("centrifuge-json", Wire::Json)];

/// Where it is reached.
pub fn routes() -> Endpoints<Api> {
    let summary = "Centrifugo's client protocol, version 2, in JSON or Protobuf over WebSocket";
    let operation = upgrade_operation(summary).query::<Parameters>();
    Endpoints::new().route(ENDPOINT, get(upgrade), [operation])
}

#[derive(Debug, Deserialize, IntoParams)]
struct Parameters {
    /// `protobuf`; JSON where nobody says.
    format: Option<String>,
    /// The same by another name.
    cf_protocol: Option<String>,
}

impl Parameters {
    fn wire(&self) -> Wire {
        let named = [&self.format, &self.cf_protocol].into_iter().flatten();
        if named.into_iter().any(|form| form == "protobuf") { Wire::Protobuf } else { Wire::Json }
    }
}

/// Hands the connection to a worker. Who the client is it says in its connect command, or has said in the head.
async fn upgrade(
    State(api): State<Api>,
    headers: HeaderMap,
    Query(parameters): Query<Parameters>,
    upgrade: Upgrade,
) -> Result<Response, ApiError> {
    let chosen = SUBPROTOCOLS.into_iter().find(|(name, _)| upgrade.offered().iter().any(|one| one == name));
    let wire = chosen.map_or_else(|| parameters.wire(), |(_, wire)| wire);
    let known = match key_of(&headers) {
        None => None,
        Some(key) => {
            let known = api.auth.identify_fetching(key).await;
            Some(known.and_then(|identity| identity.require(Role::Read).map(|()| identity)))
        }
    };
    let identity = known.as_ref().and_then(|known| known.as_ref().ok()).cloned();
    let ping_interval_s = u32::try_from(api.limits.checkpoint_interval_s.max(1)).unwrap_or(u32::MAX);
    let bad_input = api.metrics.bad_input.clone();
    let codec = Connection::new(api.auth.clone(), wire, ping_interval_s, known, bad_input);
    upgrade
        .hand_over(&api, identity.as_ref(), chosen.map(|(name, _)| name), Box::new(codec), Vec::new())
        .await
}
