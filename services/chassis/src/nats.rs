//! NATS: a connection that may be absent at start and comes back for ever, and publishing with trace context.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::{Client, ConnectOptions, Event as ClientEvent, HeaderMap, ServerAddr};
use bytes::Bytes;
use prometheus::IntGauge;
use proto_schemas::event::header;
use proto_schemas::{Event, json};
use tokio::sync::watch;

use crate::config::CommonConfig;
use crate::error::StartError;
use crate::metrics::METRIC_NATS_CONNECTED;
use crate::{Metrics, Shutdown, TraceParent, time};

/// Longest pause between two tries to connect.
const RECONNECT_DELAY_MAX: Duration = Duration::from_secs(2);
/// A server that says nothing for this long is asked whether it is there; away is one that leaves three asked.
const PING_INTERVAL: Duration = Duration::from_secs(2);
/// How long an acknowledgement or a reply may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Whether NATS is connected, and how often it has been.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Connection {
    /// Connected now.
    pub up: bool,
    /// Rises with each connection; a consumer made under an older one must be made anew.
    pub generation: u64,
}

/// The connection. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Nats {
    // Before the client: when the client closes for want of users, nobody follows the connection any more.
    connection: watch::Receiver<Connection>,
    client: Client,
    context: jetstream::Context,
    source: Arc<str>,
}

impl Nats {
    /// Starts to connect and returns at once; a server that is away is no error. After the stop of `shutdown` a lost
    /// connection is not worth a warning.
    pub async fn connect(
        service: &str,
        config: &CommonConfig,
        metrics: &Metrics,
        shutdown: &Shutdown,
    ) -> Result<Self, StartError> {
        let connected: IntGauge = metrics.gauge(METRIC_NATS_CONNECTED, "1 while NATS is connected.");
        let (sender, connection) = watch::channel(Connection::default());
        let instance = config.instance();
        let shutdown = shutdown.clone();
        let mut options = ConnectOptions::new()
            .name(format!("bywash-{service}/{instance}"))
            // So that a server may let each service hear its own answers only.
            .custom_inbox_prefix(format!("_INBOX_{service}"))
            .retry_on_initial_connect()
            .max_reconnects(None)
            .reconnect_delay_callback(reconnect_delay)
            .request_timeout(Some(REQUEST_TIMEOUT))
            .ping_interval(PING_INTERVAL)
            .event_callback(move |event| {
                note(&event, &sender, &connected, &shutdown);
                async {}
            });
        if let Some(path) = &config.nats_credentials {
            options = options
                .credentials_file(path)
                .await
                .map_err(|error| StartError::Nats(format!("credentials {}: {error}", path.display())))?;
        }
        let unusable = |error: std::io::Error| StartError::Nats(format!("--nats-url: {error}"));
        let address: ServerAddr = config.nats_url.parse().map_err(unusable)?;
        // The client does not read them there.
        if let Some((user, password)) = address.username().zip(address.password()) {
            options = options.user_and_password(user.to_owned(), password.to_owned());
        }
        let client = options
            .connect(address)
            .await
            .map_err(|error| StartError::Nats(format!("--nats-url: {error}")))?;
        let mut context = jetstream::new(client.clone());
        context.set_timeout(REQUEST_TIMEOUT);
        Ok(Self { connection, client, context, source: format!("/{service}/{instance}").into() })
    }

    /// JetStream over this connection.
    pub fn jetstream(&self) -> &jetstream::Context {
        &self.context
    }

    /// Core NATS over this connection.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Whether NATS is connected now.
    pub fn is_connected(&self) -> bool {
        self.connection.borrow().up
    }

    /// Follows the connection.
    pub fn watch(&self) -> watch::Receiver<Connection> {
        self.connection.clone()
    }

    /// Waits for a connection and returns its generation; `None` when the stop comes first.
    pub async fn connected(&self, shutdown: &Shutdown) -> Option<u64> {
        let mut connection = self.connection.clone();
        tokio::select! {
            () = shutdown.requested() => None,
            state = connection.wait_for(|state| state.up) => state.ok().map(|state| state.generation),
        }
    }

    /// Resolves when the connection of `generation` is gone.
    pub async fn lost(&self, generation: u64) {
        let mut connection = self.connection.clone();
        // An error means that the client itself is gone.
        let _ = connection.wait_for(|state| !state.up || state.generation != generation).await;
    }

    /// Publishes an event into its stream and waits for the acknowledgement.
    pub async fn publish<E: Event>(
        &self,
        subject: impl Into<String>,
        event: &E,
        request: Option<TraceParent>,
    ) -> Result<(), PublishError> {
        let id = format!("{:016x}", fastrand::u64(..));
        let headers = self.headers(E::TYPE, &E::full_name(), &id, &time::now(), request);
        self.publish_bytes(subject.into(), headers, json::to_vec(event).into()).await
    }

    /// Publishes bytes with headers into a stream and waits for the acknowledgement.
    pub async fn publish_bytes(
        &self,
        subject: String,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<(), PublishError> {
        if !self.is_connected() {
            // The client would keep it and send it late; state would be old by then and decisions double.
            return Err(PublishError::with_source(PublishErrorKind::Other, "NATS is not connected"));
        }
        self.context.publish_with_headers(subject, headers, payload).await?.await?;
        Ok(())
    }

    /// The headers of an event.
    pub fn headers(
        &self,
        event_type: &str,
        schema: &str,
        id: &str,
        made_at: &str,
        request: Option<TraceParent>,
    ) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::SPEC_VERSION, "1.0");
        headers.insert(header::ID, id);
        headers.insert(header::TYPE, event_type);
        headers.insert(header::SOURCE, self.source.as_ref());
        headers.insert(header::TIME, made_at);
        headers.insert(header::DATA_SCHEMA, schema);
        if let Some(request) = request {
            headers.insert(header::TRACE_PARENT, request.to_string().as_str());
        }
        headers
    }
}

/// 50 ms doubling to the limit, plus up to half again so that many processes do not come at once.
fn reconnect_delay(attempt: usize) -> Duration {
    let exponent = u32::try_from(attempt.saturating_sub(1)).unwrap_or(u32::MAX).min(6);
    let base = (Duration::from_millis(50) * 2_u32.pow(exponent)).min(RECONNECT_DELAY_MAX);
    base.mul_f64(1.0 + fastrand::f64() / 2.0)
}

fn note(event: &ClientEvent, state: &watch::Sender<Connection>, gauge: &IntGauge, shutdown: &Shutdown) {
    match event {
        ClientEvent::Connected => {
            tracing::info!("NATS is connected");
            gauge.set(1);
            state.send_modify(|state| *state = Connection { up: true, generation: state.generation + 1 });
        }
        ClientEvent::Disconnected => {
            // The sockets of a process that ends close under the client, which cannot tell that from a loss.
            if shutdown.is_requested() || state.is_closed() {
                tracing::debug!("NATS is away; the process ends");
            } else {
                tracing::warn!("NATS is away; trying again");
            }
            gauge.set(0);
            state.send_modify(|state| state.up = false);
        }
        ClientEvent::SlowConsumer(subscription) => {
            tracing::error!(subscription, "NATS dropped messages: a subscription was not drained");
        }
        ClientEvent::ServerError(error) => tracing::warn!(%error, "NATS server error"),
        ClientEvent::ClientError(error) => tracing::debug!(%error, "NATS client error"),
        ClientEvent::LameDuckMode | ClientEvent::Draining | ClientEvent::Closed => {}
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::config::Example;

    async fn connect(url: &str) -> Nats {
        let config = Example::parse_from(["x", "--nats-url", url]).common;
        let (_trigger, shutdown) = Shutdown::manual();
        Nats::connect("x", &config, &Metrics::new(), &shutdown).await.unwrap()
    }

    #[tokio::test]
    async fn publishing_while_nats_is_away_says_so() {
        // No server listens on port 1.
        let nats = connect("nats://127.0.0.1:1").await;
        let error = nats.publish_bytes("a".to_owned(), HeaderMap::new(), Bytes::new()).await.unwrap_err();
        assert_eq!(error.to_string(), "publish failed: NATS is not connected");
    }

    #[tokio::test]
    async fn a_client_that_dies_of_what_it_reads_ends_the_watch() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let nats = connect(&format!("nats://{}", server.local_addr().unwrap())).await;
        let (mut socket, _) = server.accept().await.unwrap();
        socket.write_all(b"INFO {\"max_payload\":1024,\"headers\":true}\r\n").await.unwrap();
        // What it says first is CONNECT and PING in one go; none of it matters here.
        let _ = socket.read(&mut [0; 4096]).await.unwrap();
        socket.write_all(b"PONG\r\n").await.unwrap();
        let mut connection = nats.watch();
        connection.wait_for(|connection| connection.up).await.unwrap();
        // Lengths whose sum overflows.
        socket.write_all(b"HMSG a 1 18446744073709551615 18446744073709551615\r\n").await.unwrap();
        let watched = tokio::time::timeout(REQUEST_TIMEOUT, connection.wait_for(|_| false)).await;
        assert!(watched.expect("the watch ends").is_err());
    }
}
