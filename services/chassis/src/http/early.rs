//! The first request of a connection, begun before there is an HTTP server for it. Most connections of the gateway ask
//! once and are then taken over; a server would be made for them only to be taken apart again.
//!
//! Only requests that are beyond doubt begin here: a whole head at once, `GET`, no body. The server of all else reads the
//! same bytes again and goes on with the answer that was begun, so that errors, answers and what comes after are its
//! business alone.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Request, Uri, header};
use bytes::{Buf, Bytes, BytesMut};
use httparse::Status;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// Room for what comes first: a browser's handshake with a token and cookies has 1 to 3 KiB.
const READ_SIZE_BYTES: usize = 4 * 1024;
/// Header fields of a head; the HTTP server takes as many.
const FIELDS_MAX: usize = 100;

/// What the client sends first; `None` when it sends nothing in time, or is gone.
pub(super) async fn read(io: &mut (impl AsyncRead + Unpin), timeout: Duration) -> Option<Bytes> {
    let mut read = BytesMut::with_capacity(READ_SIZE_BYTES);
    match tokio::time::timeout(timeout, io.read_buf(&mut read)).await {
        Ok(Ok(1..)) => Some(read.freeze()),
        _ => None,
    }
}

/// The request whose head these bytes begin with, and the size of the head; `None` where there is any doubt.
pub(super) fn request(read: &Bytes) -> Option<(Request<Body>, usize)> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut head = httparse::Request::new(&mut fields);
    let Ok(Status::Complete(size)) = head.parse(read) else { return None };
    let target = head.path.filter(|target| target.starts_with('/'))?;
    if (head.method, head.version) != (Some("GET"), Some(1)) {
        return None;
    }
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = Uri::from_maybe_shared(read.slice_ref(target.as_bytes())).ok()?;
    for field in head.headers {
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        if [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::EXPECT].contains(&name) {
            return None;
        }
        let value = HeaderValue::from_maybe_shared(read.slice_ref(field.value)).ok()?;
        request.headers_mut().append(name, value);
    }
    Some((request, size))
}

/// A connection of which something was read already; that is read again first.
pub(super) struct Reread<S> {
    read: Bytes,
    io: S,
}

impl<S> Reread<S> {
    /// `read` is what comes first.
    pub(super) fn new(read: Bytes, io: S) -> Self {
        Self { read, io }
    }

    /// What has yet to be read again, and the connection.
    pub(super) fn into_parts(self) -> (Bytes, S) {
        (self.read, self.io)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Reread<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read.is_empty() {
            return Pin::new(&mut self.io).poll_read(context, buffer);
        }
        let size = self.read.len().min(buffer.remaining());
        buffer.put_slice(&self.read[..size]);
        self.read.advance(size);
        if self.read.is_empty() {
            // Its memory is not kept for as long as the connection lasts.
            self.read = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Reread<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "GET /ws?a=1 HTTP/1.1\r\nHost: h\r\nX-Two: a\r\nX-Two: b\r\n\r\n";

    #[test]
    fn a_whole_head_becomes_the_request_that_it_is() {
        let read = Bytes::from(format!("{PLAIN}next"));
        let (request, size) = request(&read).unwrap();
        assert_eq!(&read[size..], b"next");
        assert_eq!(request.uri(), "/ws?a=1");
        assert_eq!(request.headers()["host"], "h");
        assert_eq!(request.headers().get_all("x-two").iter().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn what_is_in_any_doubt_is_left_to_the_server() {
        let changed = |from: &str, to: &str| PLAIN.replace(from, to);
        let doubtful = [
            PLAIN[..PLAIN.len() - 2].to_owned(),
            changed("GET", "POST"),
            changed("HTTP/1.1", "HTTP/1.0"),
            changed("/ws", "http://h/ws"),
            changed("X-Two: a", "Content-Length: 0"),
            changed("X-Two: a", "Transfer-Encoding: chunked"),
            changed("X-Two: a", "Expect: 100-continue"),
            changed("X-Two: a", "X Two: a"),
            changed("X-Two: a", "X-Two: \0"),
            changed("X-Two: a\r\n", &"X: a\r\n".repeat(FIELDS_MAX)),
        ];
        for text in doubtful {
            assert!(request(&Bytes::from(text.clone())).is_none(), "{text}");
        }
    }
}
