//! TLS in tests: certificates made on the spot, and a client that trusts exactly one of them.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response, StatusCode, body::Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::scratch::Scratch;
use crate::sse::Sse;

/// The name that all certificates are for.
const NAME: &str = "localhost";

/// HTTP/2, as a client names it in the handshake.
pub const HTTP2: &[&[u8]] = &[b"h2"];
/// HTTP/1.1.
pub const HTTP1: &[&[u8]] = &[b"http/1.1"];

/// A certificate for `localhost` and its key, signed by itself.
#[derive(Debug)]
pub struct Certificate {
    certificate_pem: String,
    key_pem: String,
    der: CertificateDer<'static>,
}

impl Certificate {
    /// Makes one.
    ///
    /// # Panics
    /// When the library cannot.
    pub fn new() -> Self {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed([NAME.to_owned()])
            .expect("a name and a fresh key make a certificate");
        Self {
            certificate_pem: pem("CERTIFICATE", cert.der()),
            key_pem: pem("PRIVATE KEY", &signing_key.serialize_der()),
            der: cert.der().clone(),
        }
    }

    /// As a handshake shows it.
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// A handshake with the server at `addr`, which must show this certificate.
    ///
    /// # Errors
    /// When it is refused or fails.
    ///
    /// # Panics
    /// When the server is not reachable.
    pub async fn connect(&self, addr: SocketAddr, protocols: &[&[u8]]) -> io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).expect("its own certificate can be read");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let mut config =
            config.expect("ring knows the versions").with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        let socket = TcpStream::connect(addr).await.expect("the service is reachable");
        let name = ServerName::try_from(NAME).expect("it is a name");
        TlsConnector::from(Arc::new(config)).connect(name, socket).await
    }

    /// A connection of HTTP/1.1.
    ///
    /// # Errors
    /// As [`Self::connect`].
    ///
    /// # Panics
    /// As [`Self::connect`].
    pub async fn http1(&self, addr: SocketAddr) -> io::Result<http1::SendRequest<Full<Bytes>>> {
        let io = TokioIo::new(self.connect(addr, HTTP1).await?);
        let (sender, connection) = http1::handshake(io).await.map_err(io::Error::other)?;
        // Ends with the sender, or with the other end.
        tokio::spawn(connection);
        Ok(sender)
    }

    /// A connection of HTTP/2.
    ///
    /// # Errors
    /// As [`Self::connect`].
    ///
    /// # Panics
    /// As [`Self::connect`].
    pub async fn http2(&self, addr: SocketAddr) -> io::Result<http2::SendRequest<Full<Bytes>>> {
        let io = TokioIo::new(self.connect(addr, HTTP2).await?);
        let handshake = http2::handshake(TokioExecutor::new(), io).await;
        let (sender, connection) = handshake.map_err(io::Error::other)?;
        tokio::spawn(connection);
        Ok(sender)
    }

    /// Status and body of one GET on a connection of its own.
    ///
    /// # Errors
    /// As [`Self::connect`].
    ///
    /// # Panics
    /// As [`Self::connect`].
    pub async fn get(&self, addr: SocketAddr, path: &str) -> io::Result<(StatusCode, String)> {
        let mut sender = self.http1(addr).await?;
        let answer = sender.send_request(get(path)).await.map_err(io::Error::other)?;
        text(answer).await
    }
}

/// DER as text (RFC 7468).
fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

impl Default for Certificate {
    fn default() -> Self {
        Self::new()
    }
}

/// A GET that either version sends.
///
/// # Panics
/// When the path is malformed.
pub fn get(path: &str) -> Request<Full<Bytes>> {
    let request = Request::get(format!("https://{NAME}{path}")).header("host", NAME);
    request.body(Full::default()).expect("tests ask for well-formed paths")
}

/// A POST of JSON.
///
/// # Panics
/// When the path is malformed.
pub fn post(path: &str, body: &Value) -> Request<Full<Bytes>> {
    let request = Request::post(format!("https://{NAME}{path}")).header("host", NAME);
    let request = request.header("content-type", "application/json");
    request.body(Full::from(body.to_string())).expect("tests ask for well-formed paths")
}

/// Status and body of an answer.
///
/// # Errors
/// When it breaks off.
pub async fn text(answer: Response<Incoming>) -> io::Result<(StatusCode, String)> {
    let status = answer.status();
    let body = answer.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

/// An answer as an event stream.
///
/// # Panics
/// When it is not a 200.
pub fn stream(answer: Response<Incoming>) -> Sse {
    assert_eq!(answer.status(), StatusCode::OK, "{answer:?}");
    let headers = answer.headers().clone();
    Sse::reading(headers, answer.into_body().into_data_stream())
}

/// Where a service finds its certificate.
#[derive(Debug)]
pub struct Files(Scratch);

impl Files {
    /// With this certificate.
    pub fn new(certificate: &Certificate) -> Self {
        let files = Self(Scratch::new());
        files.put(certificate);
        files
    }

    /// The file of the certificate.
    pub fn certificate(&self) -> PathBuf {
        self.0.path().join("tls.crt")
    }

    /// The file of the key.
    pub fn key(&self) -> PathBuf {
        self.0.path().join("tls.key")
    }

    /// Another certificate, with its key, in their places.
    ///
    /// # Panics
    /// When they cannot be written.
    pub fn put(&self, certificate: &Certificate) {
        self.put_text(&certificate.certificate_pem, &certificate.key_pem);
    }

    /// The certificate of one and the key of another.
    ///
    /// # Panics
    /// When they cannot be written.
    pub fn mix(&self, certificate: &Certificate, key: &Certificate) {
        self.put_text(&certificate.certificate_pem, &key.key_pem);
    }

    /// Any text.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn put_text(&self, certificate: &str, key: &str) {
        for (path, text) in [(self.certificate(), certificate), (self.key(), key)] {
            std::fs::write(&path, text)
                .unwrap_or_else(|error| panic!("{} cannot be written: {error}", path.display()));
        }
    }
}
