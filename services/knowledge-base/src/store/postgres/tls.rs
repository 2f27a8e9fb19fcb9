//! TLS to the server: rustls with ring, as everywhere here.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client;

use super::connection::OptionError;

/// What connections are made with. Whether they use it is said by `sslmode` in the URL: `disable`, `prefer`, `require`.
/// A certificate is always checked.
#[derive(Clone)]
pub struct Tls(TlsConnector);

impl Tls {
    /// Trusts the authorities in `ca_file`, or those of the system.
    pub fn new(ca_file: Option<&Path>) -> Result<Self, OptionError> {
        let mut roots = RootCertStore::empty();
        match ca_file {
            Some(path) => {
                let unusable = |reason: String| OptionError::File { path: path.to_owned(), reason };
                let certificates =
                    CertificateDer::pem_file_iter(path).map_err(|error| unusable(error.to_string()))?;
                for certificate in certificates {
                    let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
                    roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
                }
                if roots.is_empty() {
                    return Err(unusable("there is no certificate in it".to_owned()));
                }
            }
            None => {
                // A machine without any is no fault where TLS is not used.
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has suites for TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> MakeTlsConnect<S> for Tls {
    type Stream = Stream<S>;
    type TlsConnect = Connect;
    type Error = io::Error;

    fn make_tls_connect(&mut self, host: &str) -> io::Result<Connect> {
        Ok(Connect { connector: self.0.clone(), host: host.to_owned() })
    }
}

/// TLS to one host.
pub struct Connect {
    connector: TlsConnector,
    host: String,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsConnect<S> for Connect {
    type Stream = Stream<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Stream<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move {
            let host = ServerName::try_from(self.host).map_err(io::Error::other)?;
            self.connector.connect(host, stream).await.map(Stream)
        })
    }
}

/// A connection under TLS.
pub struct Stream<S>(client::TlsStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Stream<S> {
    /// The certificate is checked, so the password goes to nobody else.
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use rustls::ServerConfig;
    use rustls::pki_types::PrivateKeyDer;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio_rustls::TlsAcceptor;

    use super::super::connection::{Connector, PostgresOptions, Session};
    use super::super::testing::Database;
    use super::*;
    use crate::testing::Directory;

    /// A door to `port` that ends TLS with the certificate of `localhost`, as a proxy before a server does.
    async fn door(port: u16, certificate: &rcgen::CertifiedKey<rcgen::KeyPair>) -> u16 {
        let key = PrivateKeyDer::try_from(certificate.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let mut request = [0; 8];
                    client.read_exact(&mut request).await.unwrap();
                    assert_eq!(request, [0, 0, 0, 8, 4, 210, 22, 47], "it asks for TLS first");
                    client.write_all(b"S").await.unwrap();
                    // Who does not trust the certificate goes away.
                    let Ok(mut client) = acceptor.accept(client).await else { return };
                    let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        address.port()
    }

    #[tokio::test]
    async fn a_server_is_used_only_with_a_certificate_that_is_trusted_and_its_own() {
        let database = Database::new();
        let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let port = door(database.server.port(), &certificate).await;
        let directory = Directory::new();
        std::fs::create_dir_all(directory.path()).unwrap();
        let ca_file = directory.path().join("ca.crt");
        let text = base64::prelude::BASE64_STANDARD.encode(certificate.cert.der());
        let pem = format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
        std::fs::write(&ca_file, pem).unwrap();
        let connect = async |host: &str, trusted: bool| {
            let url = format!("postgres://bywash@{host}:{port}/bywash?sslmode=require");
            let options = PostgresOptions {
                url: url.as_str().into(),
                ca_file: trusted.then(|| ca_file.clone()),
                ..database.options(&directory)
            };
            let session = Session { statement_time_max: std::time::Duration::from_secs(5), settings: "" };
            Connector::new(&options).unwrap().connect(session).await
        };
        connect("localhost", true).await.unwrap().run("SELECT 1").await.unwrap();
        assert!(connect("localhost", false).await.is_err(), "nobody known has signed it");
        assert!(connect("127.0.0.1", true).await.is_err(), "it is another's");

        std::fs::write(&ca_file, "no certificate").unwrap();
        let options = PostgresOptions { ca_file: Some(ca_file.clone()), ..database.options(&directory) };
        assert!(Connector::new(&options).err().unwrap().to_string().contains("ca.crt"));
    }
}
