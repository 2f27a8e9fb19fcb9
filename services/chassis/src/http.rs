//! The HTTP/1.1 server: bind, then run; drain at the end. A handler may take its connection over ([`Takeover`]): that
//! is how the gateway gets the sockets of event streams without a second HTTP parser.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, Request, StatusCode, header};
use axum::response::IntoResponse;
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;
use tower::ServiceExt;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutBody;

use crate::auth::Auth;
use crate::error::{ApiError, StartError};
use crate::health::Health;
use crate::linger::{self, Unread};
use crate::metrics::Metrics;
use crate::observe::{self, RequestMetrics};
use crate::origin::{self, AllowedOrigins};

/// Time for a request's head to arrive, and for the next one on an idle connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Largest head, bytes; hyper reads bodies in pieces of at most this.
const BUFFER_SIZE_MAX: usize = 64 * 1024;
/// Connections served by hyper at once; those taken over do not count. Beyond it new ones wait in the backlog.
const CONNECTIONS_MAX: usize = 8_192;
/// Largest body unless the route says otherwise.
const BODY_SIZE_MAX: usize = 256 * 1024;

/// A body must make progress at least this often.
const BODY_IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// What takes a connection over: its socket (non-blocking) and what was read beyond the request's head.
pub type Handover = Box<dyn FnOnce(std::net::TcpStream, Bytes) + Send>;

/// In the extensions of each request: lets its handler have the connection instead of answering.
#[derive(Clone)]
pub struct Takeover(Arc<Mutex<Option<oneshot::Sender<Handover>>>>);

impl Takeover {
    /// Gives the connection to `receiver` and never returns: the request ends here without an answer of ours.
    pub async fn hand_over(self, receiver: Handover) -> Infallible {
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(sender) = sender {
            // Fails only when the connection is gone; then there is nothing to hand over.
            let _ = sender.send(receiver);
        }
        std::future::pending().await
    }
}

/// The other end's address, in the extensions of each request.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// A bound listener with everything that each request passes through.
pub struct Server {
    listener: TcpListener,
    addr: SocketAddr,
}

impl Server {
    /// Listens on `addr` (port 0 = any). Refuses to be open beyond loopback unless told so.
    pub async fn bind(addr: SocketAddr, auth: &Auth, insecure_open: bool) -> Result<Self, StartError> {
        if auth.is_open() && !addr.ip().is_loopback() {
            if !insecure_open {
                return Err(StartError::OpenToAll(addr));
            }
            tracing::warn!(%addr, "INSECURE: no API keys; everybody who reaches this address may do everything");
        }
        let listener = TcpListener::bind(addr).await.map_err(|source| StartError::Bind { addr, source })?;
        let addr = listener.local_addr().map_err(|source| StartError::Bind { addr, source })?;
        Ok(Self { listener, addr })
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
            let router = router.clone();
            let mut closing = closing.subscribe();
            connections.spawn(async move {
                let _slot = slot;
                connection(socket, peer, router, async move {
                    let _ = closing.changed().await;
                })
                .await;
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
) -> std::io::Result<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.map_err(std::io::Error::other)?;
    let (socket, peer) = listener.accept().await?;
    socket.set_nodelay(true)?;
    Ok((socket, peer, slot))
}

async fn connection(socket: TcpStream, peer: SocketAddr, router: Router, closing: impl Future<Output = ()>) {
    let (sender, mut handover) = oneshot::channel();
    let takeover = Takeover(Arc::new(Mutex::new(Some(sender))));
    let unread = Unread::default();
    let followed = unread.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(takeover.clone());
        request.extensions_mut().insert(Peer(peer));
        let answer = router.clone().oneshot(request.map(|body| followed.follow(body)));
        let followed = followed.clone();
        // Boxed, because hyper gives the socket back only where the future can be moved.
        Box::pin(async move {
            let mut answer = answer.await?;
            if followed.is_left() {
                // Hyper closes after such an answer; a client that is not told may send its next request into the end.
                answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(answer)
        })
    });
    let mut serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(BUFFER_SIZE_MAX)
        .serve_connection(TokioIo::new(socket), service);
    tokio::pin!(closing);
    let mut told = false;
    let receiver = loop {
        tokio::select! {
            // Errors here are the client's: it went away or spoke no HTTP, and hyper has answered what it could.
            ended = poll_fn(|context| serving.poll_without_shutdown(context)) => {
                let spoke_no_http = ended.is_err_and(|error| error.is_parse());
                let mut socket = serving.into_parts().io.into_inner();
                if unread.is_left() || spoke_no_http {
                    linger::close_slowly(socket).await;
                } else {
                    // Fails only when the client is gone already.
                    let _ = socket.shutdown().await;
                }
                return;
            }
            Ok(receiver) = &mut handover => break receiver,
            () = &mut closing, if !told => {
                told = true;
                std::pin::Pin::new(&mut serving).graceful_shutdown();
            }
        }
    };
    let parts = serving.into_parts();
    match parts.io.into_inner().into_std() {
        Ok(socket) => receiver(socket, parts.read_buf),
        Err(error) => tracing::warn!(%error, "a connection could not be taken over"),
    }
}

/// Puts around `routes` what every service has: health, metrics, authentication, origin check, CORS, spans, limits,
/// JSON errors.
pub fn router(
    routes: Router,
    health: &Health,
    metrics: &Metrics,
    auth: &Auth,
    origins: &AllowedOrigins,
) -> Router {
    let observed = RequestMetrics::new(metrics);
    let api = routes
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
    health.router().merge(metrics.router()).method_not_allowed_fallback(method_not_allowed).merge(api)
}

async fn method_not_allowed() -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this endpoint has other methods")
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use http_body_util::BodyExt;
    use serde_json::Value;

    use super::*;

    async fn answer(request: Request<Body>) -> (u16, Value) {
        let routes = Router::new().route("/api/thing", get(async || "{}"));
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
