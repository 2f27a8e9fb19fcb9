//! The HTTP server: bind, then run; drain at the end. HTTP/1.1, and with TLS also HTTP/2. A handler may take its
//! connection over ([`Takeover`]).

mod http1;
mod http2;
mod pair;
mod takeover;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::http::{Request, StatusCode};
use axum::response::IntoResponse;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
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
/// Largest body unless the route says otherwise.
const BODY_SIZE_MAX: usize = 256 * 1024;

/// A body must make progress at least this often.
const BODY_IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Kernel buffer for what is on its way to a client of TLS; without a bound a stalled one hides megabytes.
const SEND_BUFFER_BYTES: usize = 64 * 1024;
/// The kernel asks for more only when less than this is unsent, so that what is sent is recent.
const UNSENT_LOW_BYTES: u32 = 16 * 1024;

/// A client of TLS that takes nothing for this long is cut off by the kernel: its receiver is long gone then, and the task
/// between them waits for a socket that never takes more.
const STALL_TIMEOUT: Duration = Duration::from_secs(120);

/// A bound listener with everything that each request passes through.
pub struct Server {
    listener: TcpListener,
    addr: SocketAddr,
    tls: Option<Tls>,
    bad_heads: BadHeads,
}

impl Server {
    /// Listens on `addr` (port 0 = any). Refuses to be open beyond loopback unless told so.
    pub async fn bind(
        addr: SocketAddr,
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
        let listener = TcpListener::bind(addr).await.map_err(|source| StartError::Bind { addr, source })?;
        let addr = listener.local_addr().map_err(|source| StartError::Bind { addr, source })?;
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
        let mut connections = JoinSet::new();
        tokio::pin!(stop);
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                Some(_) = connections.join_next() => continue,
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
            connections.spawn(async move {
                match tls {
                    None => plain(socket, peer, router, &bad_heads, slot, closing).await,
                    Some(tls) => secured(tls, socket, peer, router, &bad_heads, slot, closing).await,
                }
            });
        }
        drop(self.listener);
        drop(closing);
        let all_done = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(drain_timeout, all_done).await.is_err() {
            tracing::warn!(
                open = connections.len(),
                "requests still under way at the end of the drain are cut"
            );
        }
    }
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.map_err(std::io::Error::other)?;
    let (socket, peer) = listener.accept().await?;
    socket.set_nodelay(true)?;
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
    if let Err(error) = bound(&socket) {
        // The other end is gone already.
        return tracing::debug!(%error, "a connection cannot be configured");
    }
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

/// What the receiver of a connection sees to where it has the client's own socket: bounded buffers, and word of clients
/// that are gone without one.
fn bound(socket: &TcpStream) -> std::io::Result<()> {
    let socket = SockRef::from(socket);
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.set_tcp_notsent_lowat(UNSENT_LOW_BYTES)?;
    socket.set_tcp_user_timeout(Some(STALL_TIMEOUT))?;
    let keepalive =
        TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(20));
    socket.set_tcp_keepalive(&keepalive.with_retries(3))
}

/// Puts around `endpoints` what every service has: health, metrics, their description, authentication, origin check, CORS, spans, limits,
/// JSON errors.
pub fn router(
    endpoints: Endpoints,
    health: &Health,
    metrics: &Metrics,
    auth: &Auth,
    origins: &AllowedOrigins,
) -> Router {
    let observed = RequestMetrics::new(metrics);
    let probes = health.endpoints().merge(metrics.endpoints());
    let api = endpoints
        .with_document(health.service(), &probes)
        .into_router()
        .fallback(|| async { ApiError::not_found("not_found", "there is no such endpoint") })
        .method_not_allowed_fallback(method_not_allowed)
        .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| {
            ApiError::internal().into_response()
        }))
        .layer(axum::middleware::from_fn_with_state(origins.clone(), origin::check))
        .layer(origins.cors())
        .layer(axum::middleware::from_fn_with_state(observed, observe::observe))
        .layer(DefaultBodyLimit::max(BODY_SIZE_MAX))
        .layer(axum::middleware::map_request(async |request: Request<Body>| {
            request.map(|body| Body::new(TimeoutBody::new(BODY_IDLE_TIMEOUT, body)))
        }))
        .layer(axum::Extension(auth.clone()));
    // Without the checks above: probes and scrapers have no key and come by the address of a pod.
    probes.into_router().method_not_allowed_fallback(method_not_allowed).merge(api)
}

async fn method_not_allowed() -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this endpoint has other methods")
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use http_body_util::BodyExt;
    use serde_json::Value;
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
