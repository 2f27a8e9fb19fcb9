use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsConnector;

use super::*;

/// A folder with a certificate and its key, which vanishes with its test.
struct Scratch {
    folder: PathBuf,
    certificate: CertificateDer<'static>,
}

impl Scratch {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("chassis-tls-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut scratch = Self { folder, certificate: CertificateDer::from(Vec::new()) };
        scratch.put_new();
        scratch
    }

    fn files(&self) -> Files {
        Files { certificate: self.folder.join("tls.crt"), key: self.folder.join("tls.key") }
    }

    /// Another certificate and its key in their places.
    fn put_new(&mut self) {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        self.certificate = cert.der().clone();
        self.put(&pem("CERTIFICATE", cert.der()), &pem("PRIVATE KEY", &signing_key.serialize_der()));
    }

    fn put(&self, certificate: &str, key: &str) {
        std::fs::write(self.files().certificate, certificate).unwrap();
        std::fs::write(self.files().key, key).unwrap();
    }

    fn tls(&self) -> Tls {
        Tls::from_files(self.files(), Duration::from_secs(3_600), &Metrics::new(), &Shutdown::manual().1)
            .unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be deleted stays in the system's temporary folder.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

/// Both ends of a TCP connection.
async fn connected() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (client, server) =
        tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    (client.unwrap(), server.unwrap().0)
}

/// A client's side of a handshake that offers these protocols.
async fn shake(
    socket: TcpStream,
    certificate: &CertificateDer<'static>,
    protocols: &[&[u8]],
) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), socket).await
}

fn outcome(tls: &Tls, outcome: &str) -> u64 {
    tls.handshakes.with_label_values(&[outcome]).get()
}

#[tokio::test]
async fn a_client_gets_the_newest_version_of_http_that_it_knows() {
    let scratch = Scratch::new();
    let tls = scratch.tls();
    for (offered, is_http2) in [
        (&[ALPN_HTTP2, ALPN_HTTP1][..], true),
        (&[ALPN_HTTP1, ALPN_HTTP2], true),
        (&[ALPN_HTTP2], true),
        (&[ALPN_HTTP1], false),
        (&[], false),
    ] {
        let (client, server) = connected().await;
        let (client, secured) =
            tokio::join!(shake(client, &scratch.certificate, offered), tls.accept(server));
        client.unwrap();
        assert_eq!(matches!(secured, Some(Secured::Http2(_))), is_http2, "{offered:?}");
        assert_eq!(matches!(secured, Some(Secured::Http1(_))), !is_http2, "{offered:?}");
    }
    assert_eq!(outcome(&tls, "ok"), 5);
}

#[tokio::test]
async fn a_handshake_that_does_not_end_in_its_time_is_cut_and_one_that_fails_is_counted() {
    let scratch = Scratch::new();
    let tls = scratch.tls();
    let (client, server) = connected().await;
    drop(client);
    assert!(tls.accept(server).await.is_none());
    let (client, server) = connected().await;
    let (client, secured) =
        tokio::join!(shake(client, &scratch.certificate, &[b"spdy/3"]), tls.accept(server));
    assert!(client.is_err() && secured.is_none(), "no protocol in common");
    assert_eq!(outcome(&tls, "failed"), 2);

    let (mut client, server) = connected().await;
    client.write_all(&[HANDSHAKE_RECORD, 3, 1, 2, 0]).await.unwrap();
    tokio::time::pause();
    let started = tokio::time::Instant::now();
    assert!(tls.accept(server).await.is_none());
    assert!(started.elapsed() >= HANDSHAKE_TIMEOUT);
    assert_eq!(outcome(&tls, "timeout"), 1);
}

#[tokio::test]
async fn a_client_without_tls_is_told_so_in_its_own_words() {
    let scratch = Scratch::new();
    let tls = scratch.tls();
    let (mut client, server) = connected().await;
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    client.shutdown().await.unwrap();
    let mut answer = String::new();
    let (secured, read) = tokio::join!(tls.accept(server), client.read_to_string(&mut answer));
    read.unwrap();
    assert!(
        secured.is_none() && answer.starts_with("HTTP/1.1 400 ") && answer.ends_with(NOT_TLS),
        "{answer}"
    );
    assert_eq!(outcome(&tls, "not_tls"), 1);
}

#[test]
fn files_that_cannot_work_are_told_apart() {
    let scratch = Scratch::new();
    let files = scratch.files();
    let [certificate, key] =
        [&files.certificate, &files.key].map(|path| std::fs::read_to_string(path).unwrap());
    let other = Scratch::new();
    let other_key = std::fs::read_to_string(other.files().key).unwrap();
    for (certificate, key, wanted) in [
        ("", key.as_str(), "holds no certificate"),
        ("no PEM at all", &key, "holds no certificate"),
        (&key, &key, "holds no certificate"),
        (&certificate, "", "holds no private key"),
        (&certificate, &certificate, "holds no private key"),
        (&certificate, &other_key, "cannot be used together"),
        (&pem("CERTIFICATE", b"no DER"), &key, "cannot be used together"),
    ] {
        scratch.put(certificate, key);
        let error = files.server_config(&files.read().unwrap()).unwrap_err().to_string();
        assert!(error.contains(wanted), "{wanted}: {error}");
    }
    std::fs::remove_file(&files.key).unwrap();
    let error = files.read().err().expect("a file is missing").to_string();
    assert!(error.contains("tls.key cannot be read"), "{error}");
}

#[test]
fn a_change_is_taken_once_and_a_broken_one_is_said_once_and_leaves_what_was() {
    let mut scratch = Scratch::new();
    let files = scratch.files();
    let contents = files.read().unwrap();
    let (sender, config) = watch::channel(files.server_config(&contents).unwrap());
    let reloads = Metrics::new().counters(METRIC_TLS_RELOADS, "Reloads.", &["outcome"]);
    let mut reload =
        Reload { files: files.clone(), contents, sender, reloads: reloads.clone(), failure: None };
    let first = Arc::clone(&config.borrow());
    let mut look = || reload.take(files.read());
    let is_first = || Arc::ptr_eq(&config.borrow(), &first);
    let counted = |outcome: &str| reloads.with_label_values(&[outcome]).get();

    look();
    assert!(is_first() && counted("ok") == 0, "nothing changed");
    scratch.put("broken", "broken");
    look();
    look();
    assert!(is_first() && counted("failed") == 1, "said once");
    std::fs::remove_file(&files.certificate).unwrap();
    look();
    look();
    assert!(is_first() && counted("failed") == 2, "another failure is said too");
    scratch.put_new();
    look();
    look();
    assert!(!is_first() && counted("ok") == 1, "a good one is taken after broken ones, once");
}
