//! Requests that a service sends to others by HTTP: one client, with TLS by rustls and the host's root certificates.
//!
//! Redirects are not followed: a setting says where the other side is. Time limits are the caller's.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::{Request, Response, Uri};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum OutboundSetupError {
    /// The host has no root certificates.
    #[error("the URL is https, and no root certificates are found; see SSL_CERT_FILE")]
    Roots(#[source] std::io::Error),
    /// The library refuses its own settings.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// No connection, or it ended before the answer began.
    #[error("the request failed")]
    Request(#[source] hyper_util::client::legacy::Error),
    /// The answer began and did not end well.
    #[error("the body broke off or has more than {size_max} bytes")]
    Body {
        /// Most bytes that were asked for.
        size_max: usize,
        /// What happened.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A client for requests to one place. Cheap to clone; the clones share their connections.
#[derive(Debug, Clone)]
pub struct Outbound {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Outbound {
    /// A client for `url`; keeps at most `idle_connections_max` open between requests.
    ///
    /// # Errors
    /// [`OutboundSetupError`] where `url` is https and the host cannot check certificates.
    pub fn new(url: &Uri, idle_connections_max: usize) -> Result<Self, OutboundSetupError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(OutboundSetupError::Tls)?;
        // The root certificates of the host matter only where they are used.
        let tls = if url.scheme_str() == Some("https") {
            tls.with_native_roots().map_err(OutboundSetupError::Roots)?
        } else {
            tls.with_root_certificates(rustls::RootCertStore::empty())
        };
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls.with_no_client_auth())
            .https_or_http()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(idle_connections_max)
            .build(connector);
        Ok(Self { client })
    }

    /// Sends a request and reads the whole answer, whatever its status, of at most `size_max` bytes.
    ///
    /// # Errors
    /// [`OutboundError`] where no whole answer came.
    pub async fn send(
        &self,
        request: Request<Bytes>,
        size_max: usize,
    ) -> Result<Response<Bytes>, OutboundError> {
        let response = self.client.request(request.map(Full::new)).await.map_err(OutboundError::Request)?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, size_max).collect().await;
        let body = body.map_err(|source| OutboundError::Body { size_max, source })?;
        Ok(Response::from_parts(head, body.to_bytes()))
    }
}

/// An http:// or https:// URL with a host and without a user and a password.
pub fn parse_url(text: &str) -> Option<Uri> {
    let url: Uri = text.parse().ok()?;
    let authority = url.authority()?;
    let known = matches!(url.scheme_str(), Some("http" | "https"));
    (known && !authority.host().is_empty() && !authority.as_str().contains('@')).then_some(url)
}

/// True where whoever is on the way can read and change what is sent.
pub fn is_open_to_others(url: &Uri) -> bool {
    url.scheme_str() == Some("http") && !url.host().is_some_and(is_loopback)
}

/// The URL for logs: without the query, where some providers want a key.
pub fn shown(url: &Uri) -> String {
    let authority = url.authority().map_or("", |authority| authority.as_str());
    format!("{}://{authority}{}", url.scheme_str().unwrap_or_default(), url.path())
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_https_url_uses_the_host_s_root_certificates_and_no_process_wide_provider() {
        let built = Outbound::new(&"https://127.0.0.1/keys".parse().unwrap(), 0);
        // A machine without root certificates says so at start.
        assert!(matches!(built, Ok(_) | Err(OutboundSetupError::Roots(_))), "{built:?}");
    }

    #[test]
    fn only_plain_http_beyond_this_machine_is_open_to_others() {
        let is_open = |url: &str| is_open_to_others(&parse_url(url).unwrap());
        assert!(is_open("http://models.example:8080/v1"));
        for url in [
            "https://models.example/v1",
            "http://localhost/v1",
            "http://127.0.0.7:1/",
            "http://[::1]:8080/v1",
        ] {
            assert!(!is_open(url), "{url}");
        }
    }
}
