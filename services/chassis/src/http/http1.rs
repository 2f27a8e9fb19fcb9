//! One connection of HTTP/1.1, over TCP or TLS.

use std::convert::Infallible;
use std::error::Error;
use std::future::{poll_fn, ready};
use std::pin::{Pin, pin};
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, header};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, poll};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus::IntCounterVec;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::oneshot;
use tower::ServiceExt;

use super::early::{self, Reread};
use super::takeover::{Handover, Peer, Takeover};
use crate::linger::{self, Unread};
use crate::metrics::{METRIC_HTTP_BAD_HEADS, Metrics};

/// Time for a request's head to arrive, and for the next one on an idle connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// The least that is left for the rest of a head.
const HEAD_REST_MIN: Duration = Duration::from_secs(1);
/// Largest head, bytes; hyper reads bodies in pieces of at most this.
const BUFFER_SIZE_MAX: usize = 64 * 1024;

/// Counts heads that are refused before any handler sees them. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct BadHeads(IntCounterVec);

impl BadHeads {
    /// Registers them.
    pub(super) fn new(metrics: &Metrics) -> Self {
        let help = "Requests of which no head could be read, by reason.";
        Self(metrics.counters(METRIC_HTTP_BAD_HEADS, help, &["reason"]))
    }

    /// `has_begun`: whether a part of a head was there; without one a connection was only idle.
    fn count(&self, error: &hyper::Error, has_begun: bool) {
        let reason = match error {
            error if error.is_parse_too_large() => "too_large",
            error if error.is_parse() => "malformed",
            error if error.is_timeout() && has_begun => "slow",
            _ => return,
        };
        self.0.with_label_values(&[reason]).inc();
    }

    /// Of a connection of HTTP/2 that ended: only what spoils all of it is told here. What spoils one stream, as a
    /// field that is not allowed or a list that is too large, is answered below us and told to nobody.
    pub(super) fn count_http2(&self, error: &hyper::Error) {
        let found = error.source().and_then(|source| source.downcast_ref::<h2::Error>());
        // What the client says of us is none of these.
        let reason = match found.filter(|error| error.is_library()).and_then(h2::Error::reason) {
            Some(
                h2::Reason::PROTOCOL_ERROR | h2::Reason::COMPRESSION_ERROR | h2::Reason::FRAME_SIZE_ERROR,
            ) => "malformed",
            Some(h2::Reason::ENHANCE_YOUR_CALM) => "flood",
            _ => return,
        };
        self.0.with_label_values(&[reason]).inc();
    }
}

/// A connection that a handler took over.
pub(super) struct TakenOver<S> {
    /// Where its bytes come from.
    pub(super) io: S,
    /// What was read beyond the request's head.
    pub(super) leftover: Bytes,
    /// Who takes it.
    pub(super) receiver: Handover,
}

/// Serves requests until the connection ends (`None`) or is taken over; when `closing` resolves, the one under way is
/// the last.
pub(super) async fn serve<S>(
    mut io: S,
    peer: Peer,
    router: Router,
    bad_heads: &BadHeads,
    closing: impl Future<Output = ()>,
) -> Option<TakenOver<S>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut closing = pin!(closing);
    let opened_at = Instant::now();
    let read = tokio::select! {
        biased;
        read = early::read(&mut io, HEAD_TIMEOUT) => read,
        () = &mut closing => None,
    };
    let Some(read) = read else {
        // Fails only when the client is gone already.
        let _ = io.shutdown().await;
        return None;
    };
    let (takeover, mut handover) = Takeover::new();
    let requests = Requests { peer, router, takeover };
    let (mut begun, mut patience) = (None, HEAD_TIMEOUT);
    if let Some((request, size)) = early::request(&read) {
        let mut answer = requests.answer(request);
        // What takes the connection over mostly does so without waiting for anything.
        let answered = poll!(&mut answer);
        if let Ok(receiver) = handover.try_recv() {
            let leftover = if size == read.len() { Bytes::new() } else { read.slice(size..) };
            return Some(TakenOver { io, leftover, receiver });
        }
        begun = Some(match answered {
            Poll::Ready(answer) => ready(answer).boxed(),
            Poll::Pending => answer,
        });
    } else {
        // What a head may take in all; whoever took most of it for a byte has the rest for the others.
        patience = HEAD_TIMEOUT.saturating_sub(opened_at.elapsed()).max(HEAD_REST_MIN);
    }
    // Boxed, so that connections that never get here do not carry the room for it.
    let io = Reread::new(read, io);
    Box::pin(serve_rest(io, requests, begun, patience, handover, bad_heads, closing)).await
}

/// What the requests of a connection share.
struct Requests {
    peer: Peer,
    router: Router,
    takeover: Takeover,
}

type Answering = BoxFuture<'static, Result<Response<Body>, Infallible>>;

impl Requests {
    fn answer(&self, mut request: Request<Body>) -> Answering {
        request.extensions_mut().insert(self.takeover.clone());
        request.extensions_mut().insert(self.peer);
        self.router.clone().oneshot(request).boxed()
    }
}

/// Goes on with a server that waits `patience` for each head. Its first request is answered by `begun` where that is
/// there.
async fn serve_rest<S>(
    io: Reread<S>,
    requests: Requests,
    begun: Option<Answering>,
    patience: Duration,
    mut handover: oneshot::Receiver<Handover>,
    bad_heads: &BadHeads,
    mut closing: Pin<&mut impl Future<Output = ()>>,
) -> Option<TakenOver<S>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // Protects what is used once; held for a move.
    let begun = Mutex::new(begun);
    let unread = Unread::default();
    let followed = unread.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let begun = begun.lock().unwrap_or_else(PoisonError::into_inner).take();
        let answer =
            begun.unwrap_or_else(|| requests.answer(request.map(|body| Body::new(followed.follow(body)))));
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
        .header_read_timeout(patience)
        .max_buf_size(BUFFER_SIZE_MAX)
        .serve_connection(TokioIo::new(io), service);
    let mut told = false;
    let receiver = loop {
        tokio::select! {
            // In this order: a server that is told to close before it has looked at its connection answers nothing.
            biased;
            // Errors here are the client's: it went away or spoke no HTTP, and hyper has answered what it could.
            ended = poll_fn(|context| serving.poll_without_shutdown(context)) => {
                let spoke_no_http = ended.as_ref().is_err_and(hyper::Error::is_parse);
                let parts = serving.into_parts();
                if let Err(error) = &ended {
                    bad_heads.count(error, !parts.read_buf.is_empty());
                }
                let (_, mut io) = parts.io.into_inner().into_parts();
                if unread.is_left() || spoke_no_http {
                    linger::close_slowly(io).await;
                } else {
                    // Fails only when the client is gone already.
                    let _ = io.shutdown().await;
                }
                return None;
            }
            Ok(receiver) = &mut handover => break receiver,
            () = &mut closing, if !told => {
                told = true;
                Pin::new(&mut serving).graceful_shutdown();
            }
        }
    };
    let parts = serving.into_parts();
    let (unread, io) = parts.io.into_inner().into_parts();
    let leftover = if unread.is_empty() { parts.read_buf } else { [parts.read_buf, unread].concat().into() };
    Some(TakenOver { io, leftover, receiver })
}
