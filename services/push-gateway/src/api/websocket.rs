//! `GET /ws`: the opening handshake of `/ws`.

use std::time::Instant;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use chassis::auth::key_of;
use chassis::http::{Peer, Takeover};
use chassis::{ApiError, Role};

use super::{Api, Handover, header, switched_off};
use crate::codec::frame::handshake_head;
use crate::codec::ws::Ws;

/// Offered with a token beside it, `jwt-auth` is the protocol that is chosen.
const TOKEN_PROTOCOL: &str = "jwt-auth";
/// A subprotocol of this form carries the token in base64url without padding.
const TOKEN_PREFIX: &str = "jwt.";

/// Checks the handshake, then hands the connection to a worker. A client without a valid token is let in to be told.
pub async fn upgrade(
    State(api): State<Api>,
    Extension(takeover): Extension<Takeover>,
    Extension(Peer(peer)): Extension<Peer>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let started = Instant::now();
    if !api.profile.websocket {
        return Err(switched_off("WebSocket"));
    }
    let client_key = handshake_key(&headers)?;
    let offered: Vec<&str> =
        header(&headers, "sec-websocket-protocol").unwrap_or_default().split(',').map(str::trim).collect();
    let subprotocol_token = offered.iter().find(|name| name.starts_with(TOKEN_PREFIX)).copied();
    let chosen = if offered.contains(&TOKEN_PROTOCOL) { Some(TOKEN_PROTOCOL) } else { subprotocol_token };

    let token = match subprotocol_token {
        Some(name) => Some(decode_token(&name[TOKEN_PREFIX.len()..]).unwrap_or_default()),
        None => key_of(&headers).map(str::to_owned),
    };
    let mut codec = Ws::new(api.auth.clone());
    let mut actions = Vec::new();
    let mut user = "unauthenticated".to_owned();
    if token.is_some() || api.auth.is_open() {
        let identity = api.auth.identify(&token.unwrap_or_default());
        match identity.and_then(|identity| identity.require(Role::Read).map(|()| identity)) {
            Ok(identity) => {
                user.clone_from(&identity.id);
                codec.admit(identity, &mut actions);
            }
            Err(error) => Ws::refuse(&error, &mut actions),
        }
    }
    let place = api.admission.admit(&user).map_err(|refusal| {
        api.metrics.refused.with_label_values(&[refusal.code()]).inc();
        ApiError::unavailable(refusal.code(), "no place for another connection", fastrand::u32(2..10))
    })?;
    let head = handshake_head(client_key, chosen, started.elapsed());
    let handover = Handover { peer, user, codec: Box::new(codec), head, actions, place };
    match api.hand_over(takeover, handover).await {}
}

fn handshake_key(headers: &HeaderMap) -> Result<&str, ApiError> {
    let has = |name, wanted: &str| {
        header(headers, name)
            .is_some_and(|text| text.split(',').any(|part| part.trim().eq_ignore_ascii_case(wanted)))
    };
    if !has("connection", "upgrade") || !has("upgrade", "websocket") {
        let message = "this endpoint speaks WebSocket; send an opening handshake";
        return Err(ApiError::new(StatusCode::UPGRADE_REQUIRED, "websocket_required", message));
    }
    if header(headers, "sec-websocket-version") != Some("13") {
        return Err(ApiError::bad_request("websocket_version", "Sec-WebSocket-Version must be 13"));
    }
    // 16 bytes in base64: 24 letters (RFC 6455, section 4.1).
    header(headers, "sec-websocket-key")
        .filter(|key| key.len() == 24)
        .ok_or_else(|| ApiError::bad_request("websocket_key", "Sec-WebSocket-Key must be 16 bytes in base64"))
}

fn decode_token(text: &str) -> Option<String> {
    String::from_utf8(crate::position::decode_base64url(text)?).ok()
}
