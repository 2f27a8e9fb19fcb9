//! One connection of HTTP/2, which browsers speak over TLS only. Each request becomes what it would be over HTTP/1.1,
//! so that nothing behind it has two cases; a handler that takes its connection over gets a pair of sockets
//! ([`super::pair`]), whose other end is the body of the answer.
//!
//! WebSocket over HTTP/2 (RFC 8441) is not announced: browsers then open a connection of HTTP/1.1 for it.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, Uri, header};
use axum::response::IntoResponse;
use bytes::Bytes;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tower::ServiceExt;

use super::http1::BadHeads;
use super::pair;
use super::takeover::{Peer, Takeover};

/// Streams of one connection at once: the least that RFC 9113 recommends, and many times what a page opens.
const STREAMS_MAX: u32 = 100;
/// Largest list of header fields, bytes: twice the longest token and its cookies, and little beside a hundred streams.
const HEADER_LIST_SIZE_BYTES_MAX: u32 = 16 * 1024;
/// Streams that a client opened and reset before they were looked at; one more ends the connection ("rapid reset").
const RESETS_PENDING_MAX: usize = 20;
/// Streams that were reset because of a client's mistakes; one more ends the connection.
const RESETS_OF_OURS_MAX: usize = 128;
/// What a client may send of one body before it is read: as much as the largest body of most routes.
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;
/// What it may send on one connection before it is read.
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
/// What one stream's answer may have waiting in memory: two pieces, so that one is made while the other leaves.
const SEND_BUFFER_BYTES: usize = 2 * pair::CHUNK_SIZE_BYTES;
/// A client that says nothing to a ping is gone: asked this often, with this long for the answer.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// A connection on which nothing was asked for so long is closed, as with HTTP/1.1.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a client without a stream may take to follow a GOAWAY.
const GOAWAY_TIMEOUT: Duration = Duration::from_secs(2);

/// Serves requests until the connection ends; when `closing` resolves, those under way are the last. It keeps its `slot`
/// to the end, also where all its streams are taken over: they come and go, and it may ask for anything between.
pub(super) async fn serve<S>(
    io: S,
    peer: Peer,
    router: Router,
    bad_heads: &BadHeads,
    _slot: OwnedSemaphorePermit,
    closing: impl Future<Output = ()>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let activity = Arc::new(Activity::default());
    let requests = Requests { peer, router, activity: Arc::clone(&activity) };
    let service = service_fn(move |request| {
        let (requests, open) = (requests.clone(), Open::new(&requests.activity));
        async move {
            let answer = requests.answer(request).await;
            Ok::<_, Infallible>(answer.map(|body| Counted { body, _open: open }))
        }
    });
    let serving = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADER_LIST_SIZE_BYTES_MAX)
        .max_pending_accept_reset_streams(RESETS_PENDING_MAX)
        .max_local_error_reset_streams(RESETS_OF_OURS_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(SEND_BUFFER_BYTES)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .serve_connection(TokioIo::new(io), service);
    let mut serving = pin!(serving);
    let mut closing = pin!(closing);
    let mut look = pin!(tokio::time::sleep(IDLE_TIMEOUT));
    let (mut is_ending, mut begun_before) = (false, 0);
    loop {
        tokio::select! {
            ended = &mut serving => {
                if let Err(error) = ended {
                    bad_heads.count_http2(&error);
                    // The client's: it went away, or broke a rule of the protocol and was told which.
                    tracing::debug!(error = &error as &dyn std::error::Error, "an HTTP/2 connection broke off");
                }
                return;
            }
            () = &mut closing, if !is_ending => {
                is_ending = true;
                serving.as_mut().graceful_shutdown();
                look.as_mut().reset(Instant::now() + GOAWAY_TIMEOUT);
            }
            () = &mut look => {
                let begun = activity.begun.load(Ordering::Relaxed);
                if activity.open.load(Ordering::Relaxed) == 0 {
                    if is_ending {
                        // It does not even follow the GOAWAY.
                        return;
                    }
                    if begun == begun_before {
                        is_ending = true;
                        serving.as_mut().graceful_shutdown();
                    }
                }
                begun_before = begun;
                let pause = if is_ending { GOAWAY_TIMEOUT } else { IDLE_TIMEOUT };
                look.as_mut().reset(Instant::now() + pause);
            }
        }
    }
}

/// What the requests of a connection share.
#[derive(Clone)]
struct Requests {
    peer: Peer,
    router: Router,
    activity: Arc<Activity>,
}

impl Requests {
    async fn answer(self, request: Request<Incoming>) -> Response<Body> {
        let mut request = like_http1(request);
        let (takeover, handover) = Takeover::new();
        request.extensions_mut().insert(takeover);
        request.extensions_mut().insert(self.peer);
        let answering = self.router.oneshot(request);
        tokio::select! {
            answer = answering => answer.unwrap_or_else(|never| match never {}),
            Ok(receiver) = handover => pair::answer(receiver).await.unwrap_or_else(IntoResponse::into_response),
        }
    }
}

/// The request as it would have come over HTTP/1.1: the origin form of its target, `Host` from `:authority` (what a
/// name check reads), one `Cookie` field (RFC 9113, sections 8.3.1 and 8.2.3).
fn like_http1<B>(mut request: Request<B>) -> Request<B> {
    let authority = request.uri().authority().and_then(|name| HeaderValue::from_str(name.as_str()).ok());
    if let Some(authority) = authority {
        request.headers_mut().insert(header::HOST, authority);
    }
    if let Some(target) = request.uri().path_and_query().cloned() {
        *request.uri_mut() = Uri::from(target);
    }
    let cookies: Vec<&[u8]> =
        request.headers().get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if cookies.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&cookies.join(&b"; "[..]))
    {
        request.headers_mut().insert(header::COOKIE, joined);
    }
    request
}

/// How much a connection is used.
#[derive(Debug, Default)]
struct Activity {
    /// Requests whose answer has not left yet.
    open: AtomicUsize,
    /// Requests so far.
    begun: AtomicU64,
}

/// One open request.
struct Open(Arc<Activity>);

impl Open {
    fn new(activity: &Arc<Activity>) -> Self {
        activity.open.fetch_add(1, Ordering::Relaxed);
        activity.begun.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(activity))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A body that counts as open until it is dropped.
struct Counted {
    body: Body,
    _open: Open,
}

impl hyper::body::Body for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_looks_as_over_http1_so_that_host_checks_and_cookies_hold() {
        let request = Request::get("https://evil.example:8000/api/stream?topics=state")
            .header("host", "localhost")
            .header("cookie", "a=1")
            .header("cookie", "bywash_ticket=t")
            .body(())
            .unwrap();
        let request = like_http1(request);
        assert_eq!(request.uri(), "/api/stream?topics=state");
        let all = |name| request.headers().get_all(name).iter().collect::<Vec<_>>();
        assert_eq!(
            all("host"),
            ["evil.example:8000"],
            "what the client addresses, not what it says beside it"
        );
        assert_eq!(all("cookie"), ["a=1; bywash_ticket=t"]);
    }
}
