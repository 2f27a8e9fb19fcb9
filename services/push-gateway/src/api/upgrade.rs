//! The opening handshake of WebSocket protocols: an extractor that checks it, and the hand-over to a worker.

use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use chassis::auth::key_of;
use chassis::http::{Peer, Takeover};
use chassis::{ApiError, Identity, Operation, Role};

use super::{Api, Handover, header, switched_off};
use crate::codec::frame::handshake_head;
use crate::codec::{Action, Codec};
use crate::metrics::BadInput;
use crate::position::decode_base64url;

/// Offered with a token beside it, this is the subprotocol that is chosen.
const TOKEN_PROTOCOL: &str = "jwt-auth";
/// A subprotocol of this form carries the token in base64url without padding.
const TOKEN_PREFIX: &str = "jwt.";

/// What the description of every endpoint says that is reached by an opening handshake.
pub fn upgrade_operation(summary: &'static str) -> Operation {
    let told = "WebSocket from here on. A client that may not come in is told so in its protocol's words, and closed";
    let token = "`jwt-auth, jwt.<token in base64url>`, for clients that cannot send `Authorization`";
    Operation::get(summary)
        .header("Sec-WebSocket-Protocol", token)
        .gives_nothing(101, told)
        .refuses(400, &["websocket_version", "websocket_key"])
        .refuses(404, &["switched_off"])
        .refuses(426, &["websocket_required"])
        .refuses(503, &["too_many_connections", "too_many_connections_of_user", "short_of_memory"])
        .refuses(503, &["too_many_connections_of_address", "too_many_connects"])
}

/// A checked opening handshake (RFC 6455, section 4.2.1).
pub struct Upgrade {
    key: String,
    offered: Vec<String>,
    token: Option<String>,
    token_subprotocol: Option<String>,
    takeover: Takeover,
    peer: SocketAddr,
    started: Instant,
}

impl Upgrade {
    /// The subprotocols that the client offers.
    pub fn offered(&self) -> &[String] {
        &self.offered
    }

    /// The subprotocol that answers a token in one: `jwt-auth` where that is offered beside it.
    pub fn token_subprotocol(&self) -> Option<&str> {
        self.token_subprotocol.as_deref()
    }

    /// Who the handshake says the client is: by a subprotocol `jwt.<token>`, or by headers as everywhere. `None` where
    /// it says nothing and something is asked.
    pub async fn identify(&self, api: &Api) -> Option<Result<Identity, ApiError>> {
        if self.token.is_none() && !api.auth.is_open() {
            return None;
        }
        let known = api.auth.identify_fetching(self.token.as_deref().unwrap_or_default()).await;
        Some(known.and_then(|identity| identity.require(Role::Read).map(|()| identity)))
    }

    /// Takes the connection in and gives it to a worker. Returns only with a refusal.
    ///
    /// `identity` is `None` for a client that says who it is in its first message.
    ///
    /// # Errors
    /// 503 with `Retry-After` when there is no place.
    pub async fn hand_over(
        self,
        api: &Api,
        identity: Option<&Identity>,
        subprotocol: Option<&str>,
        codec: Box<dyn Codec>,
        actions: Vec<Action>,
    ) -> Result<Response, ApiError> {
        let user = identity.map(|identity| identity.id.as_ref());
        let place = api.admit(user, self.peer)?;
        let head = handshake_head(&self.key, subprotocol, self.started.elapsed());
        Ok(api.hand_over(self.takeover, Handover { peer: self.peer, codec, head, actions, place }).await)
    }

    /// Gives the connection to `receiver`, with the handshake's answer, which it has to send, and what the client sent
    /// after its handshake: for a client that has a session already. Never returns.
    pub async fn take_over(
        self,
        subprotocol: Option<&str>,
        receiver: impl FnOnce(TcpStream, Bytes, Bytes) + Send + 'static,
    ) -> Response {
        let head = handshake_head(&self.key, subprotocol, self.started.elapsed());
        let receive = move |socket, leftover| receiver(socket, head, leftover);
        match self.takeover.hand_over(Box::new(receive)).await {}
    }
}

impl FromRequestParts<Api> for Upgrade {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let started = Instant::now();
        if !api.profile.websocket {
            return Err(switched_off("WebSocket"));
        }
        let headers = &parts.headers;
        let key = handshake_key(headers).inspect_err(|_| api.metrics.bad_input.count(BadInput::Handshake))?;
        let key = key.to_owned();
        let offered = header(headers, "sec-websocket-protocol").unwrap_or_default();
        let offered: Vec<String> =
            offered.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let (token, token_subprotocol) = token_of(&offered, headers);
        let Some((takeover, Peer { addr: peer, .. })) =
            parts.extensions.get::<Takeover>().cloned().zip(parts.extensions.get::<Peer>().copied())
        else {
            return Err(websocket_required());
        };
        Ok(Self { key, offered, token, token_subprotocol, takeover, peer, started })
    }
}

/// The token of a handshake, and the subprotocol to answer with. A browser's script cannot set headers, so it offers
/// the token as a subprotocol.
fn token_of(offered: &[String], headers: &HeaderMap) -> (Option<String>, Option<String>) {
    let carrier = offered.iter().find(|name| name.starts_with(TOKEN_PREFIX));
    let chosen = offered.iter().find(|name| *name == TOKEN_PROTOCOL).or(carrier).cloned();
    let token = match carrier {
        // What is no token is refused as a wrong one, not taken for none.
        Some(name) => Some(decode_token(&name[TOKEN_PREFIX.len()..]).unwrap_or_default()),
        None => key_of(headers).map(str::to_owned),
    };
    (token, chosen)
}

fn decode_token(text: &str) -> Option<String> {
    String::from_utf8(decode_base64url(text)?).ok()
}

fn websocket_required() -> ApiError {
    let message = "this endpoint speaks WebSocket; send an opening handshake";
    ApiError::new(StatusCode::UPGRADE_REQUIRED, "websocket_required", message)
}

fn handshake_key(headers: &HeaderMap) -> Result<&str, ApiError> {
    let has = |name, wanted: &str| {
        header(headers, name)
            .is_some_and(|text| text.split(',').any(|part| part.trim().eq_ignore_ascii_case(wanted)))
    };
    if !has("connection", "upgrade") || !has("upgrade", "websocket") {
        return Err(websocket_required());
    }
    if header(headers, "sec-websocket-version") != Some("13") {
        return Err(ApiError::bad_request("websocket_version", "Sec-WebSocket-Version must be 13"));
    }
    // 16 bytes in base64: 24 letters (RFC 6455, section 4.1).
    header(headers, "sec-websocket-key")
        .filter(|key| key.len() == 24)
        .ok_or_else(|| ApiError::bad_request("websocket_key", "Sec-WebSocket-Key must be 16 bytes in base64"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(protocols: &[&str], authorization: Option<&str>) -> (Option<String>, Option<String>) {
        let offered: Vec<String> = protocols.iter().map(|&name| name.to_owned()).collect();
        let mut headers = HeaderMap::new();
        if let Some(text) = authorization {
            headers.insert("authorization", text.parse().unwrap());
        }
        token_of(&offered, &headers)
    }

    #[test]
    fn a_token_comes_from_a_subprotocol_or_a_header_and_the_answer_names_what_was_offered() {
        let some = |token: &str, chosen: &str| (Some(token.to_owned()), Some(chosen.to_owned()));
        assert_eq!(token(&["jwt-auth", "jwt.a2V5"], None), some("key", "jwt-auth"));
        assert_eq!(token(&["jwt.a2V5"], Some("Bearer other")), some("key", "jwt.a2V5"));
        assert_eq!(token(&["jwt.%%"], Some("Bearer other")), some("", "jwt.%%"));
        assert_eq!(token(&[], Some("Bearer key")), (Some("key".to_owned()), None));
        assert_eq!(token(&["soap"], None), (None, None));
    }
}
