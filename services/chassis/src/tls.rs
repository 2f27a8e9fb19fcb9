//! TLS of the services' own port: certificate and key from files that are read anew as they change, and the handshake
//! of a connection within its time. rustls with ring; HTTP/2 and HTTP/1.1 by ALPN.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use prometheus::IntCounterVec;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::error::StartError;
use crate::linger;
use crate::metrics::{METRIC_TLS_HANDSHAKES, METRIC_TLS_RELOADS, Metrics};
use crate::process::with_causes;
use crate::{CommonConfig, Shutdown};

/// Time for a whole handshake: a few round trips of a bad line.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Handshakes at once: some 20 MiB. Beyond it connections wait for their turn, each with its slot of the server.
const HANDSHAKES_MAX: usize = 1_024;
/// First byte of every TLS connection: a record of the handshake (RFC 8446, section 5.1).
const HANDSHAKE_RECORD: u8 = 0x16;
/// Reads of the files until the key is of the same moment as the certificate.
const READS_MAX: usize = 3;

const ALPN_HTTP2: &[u8] = b"h2";
const ALPN_HTTP1: &[u8] = b"http/1.1";

const NOT_TLS: &str =
    r#"{"error":{"code":"tls_required","message":"this port speaks TLS; use https:// (or wss://)"}}"#;

/// Why the files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// One of two settings.
    #[error(
        "TLS needs both --tls-cert-file and --tls-key-file (or neither, for TLS at the ingress); {0} is missing"
    )]
    Half(&'static str),
    /// A file cannot be read.
    #[error("TLS file {path} cannot be read")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The kernel's word.
        source: io::Error,
    },
    /// A file is not PEM, or has nothing of its kind.
    #[error("TLS file {path} holds no {wanted} in PEM")]
    Pem {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        wanted: &'static str,
    },
    /// The two do not work together, or the key is of a kind that is not known.
    #[error("the TLS certificate in {certificate} and the key in {key} cannot be used together")]
    Pair {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// The library's word.
        source: rustls::Error,
    },
}

/// Where certificate and key are.
#[derive(Debug, Clone)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

/// What the files held.
#[derive(PartialEq, Eq)]
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// Does handshakes with the newest certificate. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Tls {
    config: watch::Receiver<Arc<ServerConfig>>,
    turns: Arc<Semaphore>,
    /// By outcome.
    handshakes: IntCounterVec,
}

/// How a connection goes on after its handshake.
pub(crate) enum Secured {
    /// HTTP/1.1, also where the client knows no ALPN.
    Http1(TlsStream<TcpStream>),
    /// HTTP/2.
    Http2(TlsStream<TcpStream>),
}

impl Tls {
    /// Reads the files, and follows their changes until the stop; `None` where no TLS is wanted.
    ///
    /// # Errors
    /// Settings or files that cannot work.
    pub fn from_config(
        config: &CommonConfig,
        metrics: &Metrics,
        shutdown: &Shutdown,
    ) -> Result<Option<Self>, StartError> {
        let files = match (&config.tls_cert_file, &config.tls_key_file) {
            (None, None) => return Ok(None),
            (Some(_), None) => return Err(StartError::settings(TlsError::Half("--tls-key-file"))),
            (None, Some(_)) => return Err(StartError::settings(TlsError::Half("--tls-cert-file"))),
            (Some(certificate), Some(key)) => Files { certificate: certificate.clone(), key: key.clone() },
        };
        let interval = Duration::from_secs(config.tls_reload_interval_s.max(1));
        Self::from_files(files, interval, metrics, shutdown).map(Some).map_err(StartError::settings)
    }

    fn from_files(
        files: Files,
        interval: Duration,
        metrics: &Metrics,
        shutdown: &Shutdown,
    ) -> Result<Self, TlsError> {
        let contents = files.read()?;
        let (sender, config) = watch::channel(files.server_config(&contents)?);
        let handshakes = metrics.counters(METRIC_TLS_HANDSHAKES, "TLS handshakes of clients.", &["outcome"]);
        let reloads =
            metrics.counters(METRIC_TLS_RELOADS, "Changed TLS files that were read anew.", &["outcome"]);
        let reload = Reload { files, contents, sender, reloads, failure: None };
        tokio::spawn(reload.run(interval, shutdown.clone()));
        Ok(Self { config, turns: Arc::new(Semaphore::new(HANDSHAKES_MAX)), handshakes })
    }

    /// Does the handshake; `None` when it failed, which is counted and the client's matter.
    pub(crate) async fn accept(&self, socket: TcpStream) -> Option<Secured> {
        let _turn = self.turns.acquire().await.ok()?;
        let (outcome, secured) = match tokio::time::timeout(HANDSHAKE_TIMEOUT, self.handshake(socket)).await {
            Err(_) => ("timeout", None),
            Ok(Handshake::NotTls(socket)) => {
                tracing::debug!("a client spoke plain HTTP to the TLS port");
                refuse_plain(socket).await;
                ("not_tls", None)
            }
            Ok(Handshake::Failed(error)) => {
                tracing::debug!(%error, "a TLS handshake failed");
                ("failed", None)
            }
            Ok(Handshake::Done(stream)) => {
                let is_http2 = stream.get_ref().1.alpn_protocol() == Some(ALPN_HTTP2);
                ("ok", Some(if is_http2 { Secured::Http2(*stream) } else { Secured::Http1(*stream) }))
            }
        };
        self.handshakes.with_label_values(&[outcome]).inc();
        secured
    }

    async fn handshake(&self, socket: TcpStream) -> Handshake {
        let mut first = [0; 1];
        match socket.peek(&mut first).await {
            Ok(0) => return Handshake::Failed(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) if first[0] != HANDSHAKE_RECORD => return Handshake::NotTls(socket),
            Ok(_) => {}
            Err(error) => return Handshake::Failed(error),
        }
        let config = Arc::clone(&self.config.borrow());
        match TlsAcceptor::from(config).accept(socket).await {
            Ok(stream) => Handshake::Done(Box::new(stream)),
            Err(error) => Handshake::Failed(error),
        }
    }
}

enum Handshake {
    Done(Box<TlsStream<TcpStream>>),
    NotTls(TcpStream),
    Failed(io::Error),
}

/// Somebody wrote `http://` for `https://`: an answer in their words says so.
async fn refuse_plain(mut socket: TcpStream) {
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{NOT_TLS}",
        NOT_TLS.len()
    );
    // Fails only when the client is gone already.
    if socket.write_all(answer.as_bytes()).await.is_ok() {
        linger::close_slowly(socket).await;
    }
}

impl Files {
    /// Reads both. Kubernetes changes both at once by turning a link; a certificate of before with a key of after is
    /// noticed and read again.
    fn read(&self) -> Result<Contents, TlsError> {
        let mut certificate = read(&self.certificate)?;
        for _ in 1..READS_MAX {
            let key = read(&self.key)?;
            let again = read(&self.certificate)?;
            if again == certificate {
                return Ok(Contents { certificate, key });
            }
            certificate = again;
        }
        Ok(Contents { certificate, key: read(&self.key)? })
    }

    fn server_config(&self, contents: &Contents) -> Result<Arc<ServerConfig>, TlsError> {
        let no = |path: &Path, wanted| TlsError::Pem { path: path.to_owned(), wanted };
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&contents.certificate)
            .collect::<Result<_, _>>()
            .ok()
            .filter(|chain: &Vec<_>| !chain.is_empty())
            .ok_or_else(|| no(&self.certificate, "certificate"))?;
        let key = PrivateKeyDer::from_pem_slice(&contents.key).map_err(|_| no(&self.key, "private key"))?;
        let pair =
            |source| TlsError::Pair { certificate: self.certificate.clone(), key: self.key.clone(), source };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(pair)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(pair)?;
        config.alpn_protocols = vec![ALPN_HTTP2.to_vec(), ALPN_HTTP1.to_vec()];
        Ok(Arc::new(config))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Unreadable { path: path.to_owned(), source })
}

/// Looks whether the files have changed.
struct Reload {
    files: Files,
    /// What was read last, whether it could be used or not.
    contents: Contents,
    sender: watch::Sender<Arc<ServerConfig>>,
    reloads: IntCounterVec,
    /// What was said last, so that it is said once.
    failure: Option<String>,
}

impl Reload {
    async fn run(mut self, interval: Duration, shutdown: Shutdown) {
        let mut interval = tokio::time::interval(interval);
        loop {
            tokio::select! {
                () = shutdown.requested() => return,
                _ = interval.tick() => {}
            }
            let files = self.files.clone();
            // An error means that the process ends.
            let Ok(read) = tokio::task::spawn_blocking(move || files.read()).await else { return };
            self.take(read);
        }
    }

    fn take(&mut self, read: Result<Contents, TlsError>) {
        let config = match read {
            Ok(contents) if contents == self.contents => return,
            Ok(contents) => {
                self.contents = contents;
                self.files.server_config(&self.contents)
            }
            Err(error) => Err(error),
        };
        match config {
            Ok(config) => {
                self.failure = None;
                self.sender.send_replace(config);
                self.reloads.with_label_values(&["ok"]).inc();
                tracing::info!(file = %self.files.certificate.display(), "new connections get the new TLS certificate");
            }
            Err(error) => {
                let error = with_causes(&error);
                if self.failure.as_ref() != Some(&error) {
                    self.reloads.with_label_values(&["failed"]).inc();
                    tracing::warn!(
                        error,
                        "the changed TLS files cannot be used; the certificate before them stays"
                    );
                    self.failure = Some(error);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
