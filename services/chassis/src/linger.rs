//! The end of a connection whose client still sends: closing a socket with unread data resets it, and a reset destroys
//! the answer on its way. So what still comes is read and dropped for a while.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

/// How long a client may take to notice its answer: a few round trips of a bad line, and short beside a drain.
const TIME_MAX: Duration = Duration::from_secs(2);
/// How much is read and dropped: many times the largest body of most routes, so that a client that reads only after it
/// has sent gets its answer too; what sends more is a flood and not worth the work.
const SIZE_BYTES_MAX: usize = 8 * 1024 * 1024;
const READ_SIZE_BYTES: usize = 16 * 1024;

/// Whether the last request's body came to its end. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Unread(Arc<AtomicBool>);

impl Unread {
    /// Follows how far `body` is read.
    pub(crate) fn follow(&self, body: Incoming) -> Followed {
        let followed = Followed { body, unread: self.clone() };
        followed.note(false);
        followed
    }

    /// Whether some of the body may be left.
    pub(crate) fn is_left(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A request's body that tells when it ended.
pub(crate) struct Followed {
    body: Incoming,
    unread: Unread,
}

impl Followed {
    fn note(&self, ended: bool) {
        self.unread.0.store(!ended && !self.body.is_end_stream(), Ordering::Relaxed);
    }
}

impl Body for Followed {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        self.note(matches!(polled, Poll::Ready(None)));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Tells the client that nothing more comes, then drops what it still sends until it ends or a limit is reached.
pub(crate) async fn close_slowly(mut client: impl AsyncRead + AsyncWrite + Unpin) {
    let drained = async {
        client.shutdown().await?;
        let mut left = SIZE_BYTES_MAX;
        while left > 0 {
            match poll_fn(|context| poll_discard(Pin::new(&mut client), context)).await? {
                0 => break,
                size => left = left.saturating_sub(size),
            }
        }
        Ok::<(), std::io::Error>(())
    };
    // The time is up, or the client is gone: either way nothing is left to do for it.
    let _ = tokio::time::timeout(TIME_MAX, drained).await;
}

/// Not async: the buffer is on the stack and no part of what a connection keeps.
fn poll_discard(client: Pin<&mut impl AsyncRead>, context: &mut Context<'_>) -> Poll<std::io::Result<usize>> {
    let mut dropped = [0; READ_SIZE_BYTES];
    let mut buffer = ReadBuf::new(&mut dropped);
    ready!(client.poll_read(context, &mut buffer))?;
    Poll::Ready(Ok(buffer.filled().len()))
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::{get, post};
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpStream;
    use tokio::sync::oneshot;
    use tokio::task::JoinHandle;
    use tokio::time::Instant;

    use super::*;
    use crate::auth::Auth;
    use crate::http::{Server, Sockets};
    use crate::metrics::Metrics;

    /// A server whose `POST /` takes bodies up to axum's 2 MiB; ends when the sender is used.
    async fn serve() -> (TcpStream, oneshot::Sender<()>, JoinHandle<()>) {
        let server =
            Server::bind(([127, 0, 0, 1], 0).into(), Sockets::Usual, &Auth::open(), false, &Metrics::new())
                .unwrap();
        let client = TcpStream::connect(server.addr()).await.unwrap();
        let (stop, stopped) = oneshot::channel();
        let router = Router::new().route("/", post(async |_: Bytes| ())).route("/", get(async || "here"));
        let stop_requested = async {
            let _ = stopped.await;
        };
        let running = tokio::spawn(server.run(router, stop_requested, Duration::from_secs(10)));
        (client, stop, running)
    }

    fn head(size_bytes: usize) -> Vec<u8> {
        format!("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: {size_bytes}\r\n\r\n").into_bytes()
    }

    #[tokio::test]
    async fn a_client_that_reads_only_after_it_has_sent_all_gets_its_answer() {
        for _ in 0..20 {
            let (mut client, _stop, _running) = serve().await;
            let size_bytes = SIZE_BYTES_MAX / 2;
            client.write_all(&head(size_bytes)).await.unwrap();
            client.write_all(&vec![b' '; size_bytes]).await.expect("all of it is taken");
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.expect("no reset");
            assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
            assert!(
                answer.contains("\r\nconnection: close\r\n"),
                "the next request goes elsewhere: {answer}"
            );
        }
    }

    #[tokio::test]
    async fn a_client_that_sends_without_end_is_cut() {
        let (mut client, _stop, _running) = serve().await;
        client.write_all(&head(usize::MAX / 4)).await.unwrap();
        let piece = vec![b' '; 64 * 1024];
        let started = Instant::now();
        while client.write_all(&piece).await.is_ok() {
            assert!(started.elapsed() < TIME_MAX * 5, "still taken");
        }
    }

    #[tokio::test]
    async fn a_connection_with_nothing_left_to_read_is_closed_at_once() {
        let (mut client, stop, running) = serve().await;
        client.write_all(&head(5)).await.unwrap();
        client.write_all(b"hello").await.unwrap();
        let mut answer = [0; 12];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
        let stopped_at = Instant::now();
        stop.send(()).unwrap();
        running.await.unwrap();
        assert!(stopped_at.elapsed() < TIME_MAX, "it waited for a client that was idle");
    }
}
