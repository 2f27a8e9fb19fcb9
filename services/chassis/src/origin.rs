//! Which pages may call: same origin always, others by setting. A page of another origin is refused, not only denied
//! the answer, because without keys a stranger's page could otherwise write to a service on the visitor's loopback.
//!
//! A stranger's name may resolve to loopback, and then its page is of the same origin (DNS rebinding). So a service
//! without keys answers only to names that nobody else can own.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::error::{ApiError, StartError};

/// The origins that a setting allows, and whether the service answers to any host name. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct AllowedOrigins {
    origins: Arc<Vec<HeaderValue>>,
    local_hosts_only: bool,
}

impl AllowedOrigins {
    /// Parses `scheme://host[:port]` each; no trailing slash, no path.
    pub fn parse(origins: &[String]) -> Result<Self, StartError> {
        let parse = |origin: &String| {
            let well_formed = origin
                .split_once("://")
                .is_some_and(|(scheme, host)| !scheme.is_empty() && !host.is_empty() && !host.contains('/'));
            let value = HeaderValue::from_str(origin).ok().filter(|_| well_formed);
            value.ok_or_else(|| StartError::Origin(origin.clone()))
        };
        let origins: Result<Vec<_>, _> =
            origins.iter().filter(|origin| !origin.is_empty()).map(parse).collect();
        Ok(Self { origins: Arc::new(origins?), local_hosts_only: false })
    }

    /// Answers only to names of this machine's loopback and to the hosts of the allowed origins.
    #[must_use]
    pub fn with_local_hosts_only(mut self) -> Self {
        self.local_hosts_only = true;
        self
    }

    /// Whether the service answers to the `Host` of these headers; one that is missing (HTTP/1.0) is no browser's.
    pub fn admits_host(&self, headers: &HeaderMap) -> bool {
        !self.local_hosts_only || headers.get_all(header::HOST).iter().all(|host| self.is_ours(host))
    }

    fn is_ours(&self, host: &HeaderValue) -> bool {
        let Some(host) = host.to_str().ok().and_then(host_of) else { return false };
        let allowed =
            || self.origins.iter().filter_map(|origin| host_of(origin.to_str().ok()?.split_once("://")?.1));
        is_loopback(&host) || allowed().any(|allowed| allowed == host)
    }

    /// Whether a request with these headers may pass: no `Origin`, the same origin, or one that is allowed.
    pub fn admits(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(header::ORIGIN) else { return true };
        if self.origins.contains(origin) {
            return true;
        }
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let origin_host = origin.to_str().ok().and_then(|origin| Some(origin.split_once("://")?.1));
        host.is_some() && host == origin_host
    }

    /// The answer to preflights and the headers that let allowed pages read answers.
    pub fn cors(&self) -> CorsLayer {
        CorsLayer::new()
            .allow_origin(AllowOrigin::list(self.origins.iter().cloned()))
            .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
            .allow_headers([
                header::CONTENT_TYPE,
                header::AUTHORIZATION,
                HeaderName::from_static("x-api-key"),
                HeaderName::from_static("last-event-id"),
                HeaderName::from_static("traceparent"),
            ])
            .expose_headers(["server-timing", "bywash-revision", "bywash-epoch"].map(HeaderName::from_static))
            .max_age(Duration::from_secs(600))
    }
}

/// The host of `host[:port]`, lower case; an IPv6 address keeps its brackets.
fn host_of(authority: &str) -> Option<String> {
    Some(authority.parse::<Authority>().ok()?.host().to_ascii_lowercase())
}

/// Whether no DNS server has a say in `host`: RFC 6761 keeps `localhost` and what is below it for loopback.
fn is_loopback(host: &str) -> bool {
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match bracketed {
        Some(address) => address.parse().is_ok_and(|address: Ipv6Addr| address.is_loopback()),
        None => {
            host == "localhost"
                || host.ends_with(".localhost")
                || host.parse().is_ok_and(|address: Ipv4Addr| address.is_loopback())
        }
    }
}

/// Middleware: 403 `host_not_allowed` or `origin_not_allowed`.
pub async fn check(State(origins): State<AllowedOrigins>, request: Request, next: Next) -> Response {
    if !origins.admits_host(request.headers()) {
        let message = "without API keys this service answers only to localhost and loopback addresses; call it by \
            one, add http://HOST to --allowed-origins, or give --api-keys-file";
        return ApiError::new(StatusCode::FORBIDDEN, "host_not_allowed", message).into_response();
    }
    if origins.admits(request.headers()) {
        return next.run(request).await;
    }
    let message = "pages of this origin may not call this service; see --allowed-origins";
    ApiError::new(StatusCode::FORBIDDEN, "origin_not_allowed", message).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_foreign_page_is_refused_and_ours_are_not() {
        let origins = AllowedOrigins::parse(&["http://localhost:8000".to_owned()]).unwrap();
        let admits =
            |origin| origins.admits(&headers(&[(header::HOST, "api:5001"), (header::ORIGIN, origin)]));
        assert!(admits("http://localhost:8000") && admits("http://api:5001") && admits("https://api:5001"));
        assert!(!admits("http://localhost:8001") && !admits("https://evil.example") && !admits("null"));
        assert!(origins.admits(&headers(&[(header::HOST, "api:5001")])), "curl sends no origin");
    }

    #[test]
    fn without_keys_a_name_that_a_stranger_can_own_is_refused_although_it_is_the_same_origin() {
        let origins = AllowedOrigins::parse(&["https://Desk.example:8443".to_owned()]).unwrap();
        assert!(
            origins.admits_host(&headers(&[(header::HOST, "evil.example:8000")])),
            "with keys any name goes"
        );
        let origins = origins.with_local_hosts_only();
        let admits = |host| origins.admits_host(&headers(&[(header::HOST, host)]));
        for ours in
            ["localhost", "LocalHost:8000", "kb.localhost:1", "127.0.0.1:8000", "127.9.9.9", "[::1]:8000"]
        {
            assert!(admits(ours), "{ours}");
        }
        assert!(admits("desk.example") && admits("desk.example:8000"), "the host of an allowed origin");
        for foreign in [
            "evil.example:8000",
            "localhost.evil.example",
            "evillocalhost",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "0.0.0.0:8000",
            "[::]:8000",
            "[fe80::1]",
            "::1",
            "",
        ] {
            assert!(!admits(foreign), "{foreign}");
        }
        assert!(origins.admits_host(&HeaderMap::new()), "HTTP/1.0");
        let two = [(header::HOST, "localhost"), (header::HOST, "evil.example")];
        let mut two_hosts = HeaderMap::new();
        two.into_iter().for_each(|(name, value)| {
            two_hosts.append(name, HeaderValue::from_static(value));
        });
        assert!(!origins.admits_host(&two_hosts), "the one that counts cannot be told");
    }

    #[test]
    fn a_malformed_origin_is_refused_at_start() {
        for bad in ["localhost:8000", "http://a/", "http://"] {
            assert!(AllowedOrigins::parse(&[bad.to_owned()]).is_err(), "{bad}");
        }
    }
}
