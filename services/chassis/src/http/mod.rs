//! The HTTP server: bind, then run; drain at the end. HTTP/1.1, and with TLS also HTTP/2. A handler may take its
//! connection over ([`Takeover`]).

mod early;
mod http1;
mod http2;
mod pair;
mod takeover;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::DefaultBodyLimit;
use axum::http::{Request, StatusCode};
use axum::response::IntoResponse;
use socket2::{Domain, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutBody;

use crate::auth::Auth;
use crate::endpoints::Endpoints;
use crate::error::{ApiError, StartError};
use crate::health::Health;
use crate::metrics::Metrics;
use crate::observe::{self, RequestMetrics};
use crate::origin::{self, AllowedOrigins};
use crate::tls::{Secured, Tls};

use http1::BadHeads;
pub use takeover::{Handover, Peer, Takeover};

/// Connections served by hyper at once; those taken over do not count. Beyond it new ones wait in the backlog.
const CONNECTIONS_MAX: usize = 8_192;
/// Connections that wait to be accepted; the system may allow fewer.
const BACKLOG: i32 = 1_024;
/// Largest body unless the route says otherwise.
const BODY_SIZE_MAX: usize = 256 * 1024;

/// A body must make progress at least this often.
const BODY_IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Kernel buffer for what is on its way to a client of a stream; without a bound a stalled one hides megabytes.
const SEND_BUFFER_BYTES: usize = 64 * 1024;
/// The kernel asks for more only when less than this is unsent, so that what is sent is recent.
const UNSENT_LOW_BYTES: u32 = 16 * 1024;

/// A client of TLS that takes nothing for this long is cut off by the kernel: its receiver is long gone then, and the task
/// between them waits for a socket that never takes more.
const STALL_TIMEOUT: Duration = Duration::from_secs(120);

/// What the kernel is told of the sockets of a listener, once and before the first: they inherit it, also those that it has
/// accepted before anybody asks for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sockets {
    /// For requests.
    Usual,
    /// For connections that last: what the kernel holds of each is bounded, and clients that are gone without a word are
    /// found out.
    Bounded,
    /// For those that TLS is spoken on: bounded, and a client that takes nothing for long is cut off.
    BoundedWithTls,
}

/// Listens, and says where.
fn listen(addr: SocketAddr, sockets: Sockets) -> std::io::Result<(SocketAddr, TcpListener)> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    // Where connections of the process before are still being forgotten.
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(true)?;
    if sockets != Sockets::Usual {
        socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
        socket.set_tcp_notsent_lowat(UNSENT_LOW_BYTES)?;
        let keepalive =
            TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(20));
        socket.set_tcp_keepalive(&keepalive.with_retries(3))?;
    }
    if sockets == Sockets::BoundedWithTls {
        socket.set_tcp_user_timeout(Some(STALL_TIMEOUT))?;
    }
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    let listener = TcpListener::from_std(socket.into())?;
    Ok((listener.local_addr()?, listener))
}

/// A bound listener with everything that each request passes through.
pub struct Server {
    listener: TcpListener,
    addr: SocketAddr,
    tls: Option<Tls>,
    bad_heads: BadHeads,
}

impl Server {
    /// Listens on `addr` (port 0 = any). Refuses to be open beyond loopback unless told so.
    pub fn bind(
        addr: SocketAddr,
        sockets: Sockets,
        auth: &Auth,
        insecure_open: bool,
        metrics: &Metrics,
    ) -> Result<Self, StartError> {
        if auth.is_open() && !addr.ip().is_loopback() {
            if !insecure_open {
                return Err(StartError::OpenToAll(addr));
            }
            tracing::warn!(%addr, "INSECURE: no API keys; everybody who reaches this address may do everything");
        }
        let (addr, listener) = listen(addr, sockets).map_err(|source| StartError::Bind { addr, source })?;
        Ok(Self { listener, addr, tls: None, bad_heads: BadHeads::new(metrics) })
    }

    /// Speaks TLS, where there is some.
    #[must_use]
    pub fn with_tls(mut self, tls: Option<Tls>) -> Self {
        self.tls = tls;
        self
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves until `stop` resolves, then lets requests under way end within `drain_timeout`.
    pub async fn run(self, router: Router, stop: impl Future<Output = ()>, drain_timeout: Duration) {
        let (closing, _) = tokio::sync::watch::channel(());
        let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let connections = TaskTracker::new();
        let cut = CancellationToken::new();
        // Also where nobody waits for the end.
        let _cut = cut.clone().drop_guard();
        tokio::pin!(stop);
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                accepted = accept(&self.listener, &slots) => accepted,
            };
            let (socket, peer, slot) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors: waiting is all that helps.
                    tracing::warn!(%error, "cannot accept");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let (router, tls) = (router.clone(), self.tls.clone());
            let peer = Peer { addr: peer, is_tls: tls.is_some() };
            let bad_heads = self.bad_heads.clone();
            let mut closing = closing.subscribe();
            let closing = async move {
                let _ = closing.changed().await;
            };
            let cut = cut.clone();
            connections.spawn(cut.run_until_cancelled_owned(async move {
                match tls {
                    None => plain(socket, peer, router, &bad_heads, slot, closing).await,
                    Some(tls) => secured(tls, socket, peer, router, &bad_heads, slot, closing).await,
                }
            }));
        }
        drop(self.listener);
        drop(closing);
        connections.close();
        if tokio::time::timeout(drain_timeout, connections.wait()).await.is_err() {
            tracing::warn!(
                open = connections.len(),
                "requests still under way at the end of the drain are cut"
            );
            cut.cancel();
            connections.wait().await;
        }
    }
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.map_err(std::io::Error::other)?;
    let (socket, peer) = listener.accept().await?;
    Ok((socket, peer, slot))
}

async fn plain(
    socket: TcpStream,
    peer: Peer,
    router: Router,
    bad_heads: &BadHeads,
    _slot: OwnedSemaphorePermit,
    closing: impl Future<Output = ()>,
) {
    let Some(taken) = http1::serve(socket, peer, router, bad_heads, closing).await else { return };
    match taken.io.into_std() {
        Ok(socket) => (taken.receiver)(socket, taken.leftover),
        Err(error) => tracing::warn!(%error, "a connection could not be taken over"),
    }
}

async fn secured(
    tls: Tls,
    socket: TcpStream,
    peer: Peer,
    router: Router,
    bad_heads: &BadHeads,
    slot: OwnedSemaphorePermit,
    closing: impl Future<Output = ()>,
) {
    // Boxed, so that a connection that lasts keeps the memory of none of these.
    match Box::pin(tls.accept(socket)).await {
        None => {}
        Some(Secured::Http2(stream)) => {
            Box::pin(http2::serve(stream, peer, router, bad_heads, slot, closing)).await;
        }
        Some(Secured::Http1(stream)) => {
            let Some(taken) = Box::pin(http1::serve(stream, peer, router, bad_heads, closing)).await else {
                return;
            };
            // Its receiver counts it from here on.
            drop(slot);
            pair::carry(taken.io, taken.leftover, taken.receiver).await;
        }
    }
}

/// Puts around `endpoints` what every service has: health, metrics, their description, authentication, origin check,
/// CORS, spans, limits, JSON errors.
pub fn router(
    endpoints: Endpoints,
    health: &Health,
    metrics: &Metrics,
    auth: &Auth,
    origins: &AllowedOrigins,
) -> Router {
    let observed = RequestMetrics::new(metrics);
    let probes = health.endpoints().merge(metrics.endpoints());
    let auth = auth.clone();
    // One stack, so that a request passes one box and not one a layer.
    let around = ServiceBuilder::new()
        .map_request(move |mut request: Request<Body>| {
            request.extensions_mut().insert(auth.clone());
            request.map(in_pieces_that_come)
        })
        .layer(DefaultBodyLimit::max(BODY_SIZE_MAX))
        .layer(axum::middleware::from_fn_with_state(observed, observe::observe))
        .layer(origins.cors())
        .layer(axum::middleware::from_fn_with_state(origins.clone(), origin::check))
        .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| {
            ApiError::internal().into_response()
        }));
    let api = endpoints
        .with_document(health.service(), &probes)
        .into_router()
        .fallback(|| async { ApiError::not_found("not_found", "there is no such endpoint") })
        .method_not_allowed_fallback(method_not_allowed)
        .layer(around);
    // Without the checks above: probes and scrapers have no key and come by the address of a pod.
    probes.into_router().method_not_allowed_fallback(method_not_allowed).merge(api)
}

/// A body that fails when nothing comes for long.
fn in_pieces_that_come(body: Body) -> Body {
    if body.is_end_stream() { body } else { Body::new(TimeoutBody::new(BODY_IDLE_TIMEOUT, body)) }
}

async fn method_not_allowed() -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this endpoint has other methods")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::Extension;
    use axum::routing::get;
    use bytes::Bytes;
    use http_body_util::BodyExt;
    use serde_json::Value;
    use socket2::SockRef;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tower::ServiceExt;

    use super::*;
    use crate::endpoints::Operation;

    async fn answer(request: Request<Body>) -> (u16, Value) {
        let thing = Operation::get("A thing").gives_text(200, "application/json", "It");
        let routes = Endpoints::new().route("/api/thing", get(async || "{}"), [thing]);
        let origins = AllowedOrigins::default().with_local_hosts_only();
        let router = router(routes, &Health::new("x"), &Metrics::new(), &Auth::open(), &origins);
        let response = router.oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    /// A running server and a connection to it.
    async fn connected(router: Router) -> TcpStream {
        let addr = ([127, 0, 0, 1], 0).into();
        let server = Server::bind(addr, Sockets::Bounded, &Auth::open(), false, &Metrics::new()).unwrap();
        let client = TcpStream::connect(server.addr()).await.unwrap();
        tokio::spawn(server.run(router, std::future::pending(), Duration::ZERO));
        client
    }

    const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";

    #[tokio::test]
    async fn a_connection_that_is_taken_over_is_bounded_and_nothing_of_it_is_lost() {
        let (sender, mut taken) = tokio::sync::mpsc::channel(1);
        let take = async move |Extension(takeover): Extension<Takeover>| -> StatusCode {
            let receiver = move |socket, leftover| sender.try_send((socket, leftover)).unwrap();
            match takeover.hand_over(Box::new(receiver)).await {}
        };
        let mut client = connected(Router::new().route("/", get(take))).await;
        client.write_all(&[GET, b"more"].concat()).await.unwrap();
        let (socket, leftover): (std::net::TcpStream, Bytes) = taken.recv().await.unwrap();
        assert_eq!(leftover, "more");
        let socket = SockRef::from(&socket);
        // The kernel doubles what is asked for.
        assert_eq!(socket.send_buffer_size().unwrap(), 2 * SEND_BUFFER_BYTES);
        assert_eq!(socket.tcp_notsent_lowat().unwrap(), UNSENT_LOW_BYTES);
        assert!(socket.tcp_nodelay().unwrap() && socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 3);
    }

    #[tokio::test]
    async fn what_is_under_way_at_the_end_of_the_drain_is_gone_when_the_server_is() {
        let (begun, mut is_begun) = tokio::sync::mpsc::channel(1);
        let held = Arc::new(());
        let used = Arc::downgrade(&held);
        let never = async move || {
            let _held = Arc::clone(&held);
            begun.try_send(()).unwrap();
            std::future::pending::<()>().await;
        };
        let addr = ([127, 0, 0, 1], 0).into();
        let server = Server::bind(addr, Sockets::Usual, &Auth::open(), false, &Metrics::new()).unwrap();
        let mut client = TcpStream::connect(server.addr()).await.unwrap();
        client.write_all(GET).await.unwrap();
        let stop = async move {
            is_begun.recv().await;
        };
        server.run(Router::new().route("/", get(never)), stop, Duration::ZERO).await;
        assert!(used.upgrade().is_none(), "a request still holds what it needs");
    }

    #[tokio::test]
    async fn requests_of_one_connection_are_each_handled_once_and_answered_in_order() {
        let count = Arc::new(AtomicUsize::new(0));
        let handler = async move || {
            let number = count.fetch_add(1, Ordering::Relaxed);
            // Not all at once: a request may have to wait for something.
            tokio::time::sleep(Duration::from_millis(1)).await;
            number.to_string()
        };
        let mut client = connected(Router::new().route("/", get(handler))).await;
        for pieces in [vec![GET, GET], vec![&GET[..9], &GET[9..]], vec![GET]] {
            for piece in pieces {
                client.write_all(piece).await.unwrap();
            }
        }
        let (mut answers, mut text) = (Vec::new(), String::new());
        while answers.len() < 4 {
            let mut buffer = [0; 1024];
            let size = client.read(&mut buffer).await.unwrap();
            assert!(size > 0, "it closed after {text}");
            text.push_str(std::str::from_utf8(&buffer[..size]).unwrap());
            answers = text.split("\r\n\r\n").skip(1).filter_map(|body| body.get(..1)).collect();
        }
        assert_eq!(answers, ["0", "1", "2", "3"], "{text}");
    }

    #[tokio::test]
    async fn another_method_is_a_json_error_on_every_endpoint() {
        for path in ["/health", "/livez", "/readyz", "/metrics", "/api/thing"] {
            let (status, body) = answer(Request::post(path).body(Body::empty()).unwrap()).await;
            assert_eq!((status, &body["error"]["code"]), (405, &"method_not_allowed".into()), "{path}");
        }
    }

    #[tokio::test]
    async fn a_foreign_host_reaches_the_probes_and_nothing_else() {
        let get = |path, host| answer(Request::get(path).header("host", host).body(Body::empty()).unwrap());
        for path in ["/health", "/livez", "/readyz", "/metrics"] {
            assert_eq!(get(path, "10.0.0.7:8000").await.0, 200, "{path}");
        }
        assert_eq!(get("/api/thing", "localhost:8000").await.0, 200);
        for path in ["/api/thing", "/api/nothing"] {
            let (status, body) = get(path, "evil.example:8000").await;
            assert_eq!((status, &body["error"]["code"]), (403, &"host_not_allowed".into()), "{body}");
        }
    }
}
