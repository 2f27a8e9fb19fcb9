//! Who opens an event stream. `EventSource` sends no headers of its own: its client first asks for a ticket with its
//! key or token, and sends that as a cookie or, where cookies cannot be used, in the address.

use std::time::SystemTime;

use axum::extract::{FromRequestParts, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse};
use axum::{Extension, Json};
use chassis::auth::key_of;
use chassis::http::Peer;
use chassis::{ApiError, CanRead, Identity, Role, time};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::{Api, header as text_of, is_tls};
use crate::metrics::BadInput;
use crate::tickets::{TicketError, TicketTooLarge};

/// Name of the cookie.
const COOKIE: &str = "bywash_ticket";
/// Where it is sent to.
const PATHS: [&str; 2] = ["/api/events", "/api/stream"];
/// Names under which clients put long-lived tokens into addresses, which end up in logs and histories; without case and
/// signs, so that `apiKey` and `api_key` are one.
const TOKENS_IN_URL: [&str; 5] = ["token", "accesstoken", "apikey", "jwt", "authorization"];

/// A ticket and its end.
#[derive(Debug, Serialize, ToSchema)]
pub struct TicketAnswer {
    /// For `?ticket=`.
    ticket: String,
    /// RFC 3339.
    expires_at: String,
    expires_in_s: u64,
}

/// `POST /api/events/ticket` -> 201 `{ticket, expires_at, expires_in_s}`, and the same as a cookie. The same call
/// renews.
pub async fn issue(
    State(api): State<Api>,
    CanRead(identity): CanRead,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, ApiError> {
    let now = SystemTime::now();
    let ticket = api.tickets.issue(&identity, now).map_err(|error| {
        ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, TicketTooLarge::CODE, error.to_string())
    })?;
    let left_s = ticket.expires_at.duration_since(now).unwrap_or_default().as_secs();
    let cookies = AppendHeaders(cookies(&ticket.text, left_s, is_tls(peer, &headers)));
    let body = TicketAnswer {
        ticket: ticket.text,
        expires_at: time::rfc3339(ticket.expires_at),
        expires_in_s: left_s,
    };
    let no_store: (HeaderName, HeaderValue) = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok((StatusCode::CREATED, cookies, AppendHeaders([no_store]), Json(body)))
}

/// `DELETE /api/events/ticket` -> 204: the browser forgets the cookie, which no script can do. The ticket itself is
/// good until its end, or until its key or token is revoked.
pub async fn forget(Extension(peer): Extension<Peer>, headers: HeaderMap) -> impl IntoResponse {
    (StatusCode::NO_CONTENT, AppendHeaders(cookies("", 0, is_tls(peer, &headers))))
}

/// The cookie for each place where it counts.
fn cookies(ticket: &str, left_s: u64, is_tls: bool) -> [(HeaderName, HeaderValue); 2] {
    // Over plain HTTP a browser would drop a cookie for TLS only.
    let secure = if is_tls { "; Secure" } else { "" };
    PATHS.map(|path| {
        let text =
            format!("{COOKIE}={ticket}; Path={path}; Max-Age={left_s}; HttpOnly; SameSite=Strict{secure}");
        let value = HeaderValue::try_from(text).expect("tickets are letters, digits, -, _ and one dot");
        (header::SET_COOKIE, value)
    })
}

/// Who opens the stream.
pub enum Opener {
    /// Somebody who may read.
    Known(Identity),
    /// The ticket of a client that has been here before has expired: it is told, not refused, for a native
    /// `EventSource` gives up for ever on a refusal.
    Expired,
}

#[derive(Deserialize, IntoParams)]
pub struct InAddress {
    /// Where neither headers nor cookies can be sent.
    ticket: Option<String>,
    last_event_id: Option<String>,
}

impl FromRequestParts<Api> for Opener {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        if let Some(name) = token_in_url(parts.uri.query().unwrap_or_default()) {
            api.metrics.bad_input.count(BadInput::TokenInUrl);
            let message =
                format!("{name} does not belong into an address; send a header, or POST /api/events/ticket");
            return Err(ApiError::bad_request("token_in_url", message));
        }
        if api.auth.is_open() || key_of(&parts.headers).is_some() {
            let CanRead(identity) = CanRead::from_request_parts(parts, api).await?;
            return Ok(Self::Known(identity));
        }
        let Query(InAddress { ticket, last_event_id }) = Query::from_request_parts(parts, api)
            .await
            .map_err(|_| ApiError::bad_request("malformed_query", "the query cannot be read"))?;
        let ticket = match ticket {
            Some(ticket) => ticket,
            None => match cookie(&parts.headers)
                .inspect_err(|_| api.metrics.bad_input.count(BadInput::CookieWithoutOrigin))?
            {
                Some(ticket) => ticket,
                None => {
                    return Err(api
                        .auth
                        .identify_headers(&parts.headers)
                        .await
                        .err()
                        .unwrap_or_else(no_ticket));
                }
            },
        };
        let refused = |code| api.metrics.refused.with_label_values(&[code]).inc();
        let comes_back = parts.headers.contains_key("last-event-id") || last_event_id.is_some();
        match api.tickets.check(&ticket, SystemTime::now()) {
            Ok(identity) => {
                let is_revoked = |id| api.auth.revocations().is_revoked(id);
                if identity.revocation_id.as_deref().is_some_and(is_revoked) {
                    refused("token_revoked");
                    return Err(unauthorized("token_revoked", "the ticket's token or key is revoked"));
                }
                identity.require(Role::Read)?;
                Ok(Self::Known(identity))
            }
            Err(error) => {
                refused(error.code());
                if error == TicketError::Expired && comes_back {
                    return Ok(Self::Expired);
                }
                Err(unauthorized(error.code(), error.to_string()))
            }
        }
    }
}

fn unauthorized(code: &'static str, message: impl Into<std::borrow::Cow<'static, str>>) -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, code, message)
}

fn no_ticket() -> ApiError {
    unauthorized("missing_key", "send a key, a token or a ticket")
}

/// The ticket in the cookies. A page of another site could have the browser send them, so the request must say that it
/// is none: browsers name the origin, or that it is their own.
fn cookie(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = pairs.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let Some((_, ticket)) = pairs.find(|(name, _)| *name == COOKIE) else { return Ok(None) };
    // A foreign origin was refused before any endpoint.
    let is_named = headers.contains_key(header::ORIGIN);
    if is_named || text_of(headers, "sec-fetch-site") == Some("same-origin") {
        return Ok(Some(ticket.to_owned()));
    }
    let message = "a ticket in a cookie counts only from a browser that names the page's origin; use ?ticket= or a header";
    Err(ApiError::new(StatusCode::FORBIDDEN, "cookie_without_origin", message))
}

fn token_in_url(query: &str) -> Option<&str> {
    let names = query.split('&').filter_map(|pair| pair.split('=').next());
    names.into_iter().find(|name| {
        let letters = name.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase());
        TOKENS_IN_URL.iter().any(|known| letters.clone().eq(known.bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_counts_only_with_an_origin() {
        let mut headers = HeaderMap::new();
        assert_eq!(cookie(&headers).unwrap(), None);
        headers.insert(header::COOKIE, "a=b; bywash_ticket=t.1; c=d".parse().unwrap());
        assert_eq!(cookie(&headers).unwrap_err().code(), "cookie_without_origin");
        headers.insert("sec-fetch-site", "cross-site".parse().unwrap());
        assert_eq!(cookie(&headers).unwrap_err().code(), "cookie_without_origin");
        headers.insert("sec-fetch-site", "same-origin".parse().unwrap());
        assert_eq!(cookie(&headers).unwrap().as_deref(), Some("t.1"));
    }

    #[test]
    fn a_cookie_is_forgotten_where_it_was_set() {
        for ((_, set), (_, forgotten)) in cookies("t.1", 60, true).iter().zip(cookies("", 0, true)) {
            let (set, forgotten) = (set.to_str().unwrap(), forgotten.to_str().unwrap());
            assert_eq!(set.replace("=t.1;", "=;").replace("Max-Age=60", "Max-Age=0"), forgotten);
            assert!(set.ends_with("; HttpOnly; SameSite=Strict; Secure"), "{set}");
        }
    }

    #[test]
    fn a_token_in_the_address_is_seen() {
        for name in ["token", "access_token", "apiKey", "api-key", "JWT", "Authorization"] {
            assert_eq!(token_in_url(&format!("topics=a&{name}=x")), Some(name));
        }
        assert_eq!(token_in_url("topics=a&ticket=x&tokens=y"), None);
    }
}
