//! A connection whose bytes are not a plain socket's, given away as one: a pair of Unix sockets. The receiver (a worker
//! of the gateway) has one end and treats it like any socket. A task copies between the other end and TLS
//! ([`carry`]), or an HTTP/2 stream has it as its answer ([`answer`]).
//!
//! This costs what the plain way avoids: a task, a copy and a pair of sockets for each stream. It is accepted because
//! TLS usually ends at the ingress, and because the alternative is TLS and HTTP/2 inside the gateway's worker; decision
//! 008 has the figures. Nothing is buffered while nothing flows, and a client that does not read fills the pair, whose
//! bound is what the receiver notices.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use bytes::Bytes;
use hyper::body::Frame;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf, ReadHalf, WriteHalf};
use tokio::net::UnixStream;

use super::takeover::Handover;
use crate::ApiError;

/// Bytes copied at once: the largest record of TLS and the usual frame of HTTP/2.
pub(super) const CHUNK_SIZE_BYTES: usize = 16 * 1024;
/// Kernel buffer of the pair in each direction; the client's own buffer comes on top, so it is small beside that one.
const PAIR_BUFFER_BYTES: usize = 32 * 1024;
/// Largest head that a receiver may write.
const HEAD_SIZE_BYTES_MAX: usize = 16 * 1024;
/// Header fields that it may have.
const HEAD_FIELDS_MAX: usize = 32;
/// A worker writes the head at once; one that does not in this time is of no use to the client.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// When one direction has ended, the other may go on for this long.
const LINGER: Duration = Duration::from_secs(5);

/// Header fields that belong to a connection of HTTP/1.1 (RFC 9113, section 8.2.2).
const CONNECTION_FIELDS: [HeaderName; 3] =
    [header::CONNECTION, HeaderName::from_static("keep-alive"), HeaderName::from_static("proxy-connection")];

/// Two connected ends, both non-blocking and bounded.
fn pair() -> io::Result<(UnixStream, std::net::TcpStream)> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    for end in [&ours, &theirs] {
        end.set_nonblocking(true)?;
        SockRef::from(end).set_send_buffer_size(PAIR_BUFFER_BYTES)?;
    }
    // Reading, writing and shutting down are alike for all stream sockets.
    Ok((UnixStream::from_std(ours)?, std::net::TcpStream::from(OwnedFd::from(theirs))))
}

/// Reads what is there, up to a chunk; empty at the end. Not async: the buffer is on the stack and no part of what a
/// connection keeps.
fn poll_chunk(end: &UnixStream, context: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
    loop {
        ready!(end.poll_read_ready(context))?;
        let mut chunk = [0; CHUNK_SIZE_BYTES];
        match end.try_read(&mut chunk) {
            Ok(size_bytes) => return Poll::Ready(Ok(Bytes::copy_from_slice(&chunk[..size_bytes]))),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Poll::Ready(Err(error)),
        }
    }
}

/// Gives `receiver` a connection, and copies between it and `client` until either ends.
pub(super) async fn carry<S>(client: S, leftover: Bytes, receiver: Handover)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let ours = match pair() {
        Ok((ours, theirs)) => {
            receiver(theirs, leftover);
            ours
        }
        Err(error) => return tracing::warn!(%error, "a connection could not be taken over"),
    };
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let mut down = pin!(down(&ours, &mut to_client));
    let mut up = pin!(up(&mut from_client, &ours));
    // Errors are the client's end, or the receiver's; both mean that nothing is left to copy.
    let _ = tokio::select! {
        ended = &mut down => match ended {
            // The client reads our last words and closes; closing first could take them from it.
            Ok(()) => tokio::time::timeout(LINGER, up).await.unwrap_or(Ok(())),
            Err(error) => Err(error),
        },
        ended = &mut up => match ended {
            Ok(()) => tokio::time::timeout(LINGER, down).await.unwrap_or(Ok(())),
            Err(error) => Err(error),
        },
    };
}

async fn down<S: AsyncRead + AsyncWrite>(ours: &UnixStream, client: &mut WriteHalf<S>) -> io::Result<()> {
    loop {
        let chunk = poll_fn(|context| poll_chunk(ours, context)).await?;
        if chunk.is_empty() {
            return client.shutdown().await;
        }
        client.write_all(&chunk).await?;
        client.flush().await?;
    }
}

async fn up<S: AsyncRead>(client: &mut ReadHalf<S>, ours: &UnixStream) -> io::Result<()> {
    loop {
        let mut chunk = poll_fn(|context| poll_client(client, context)).await?;
        if chunk.is_empty() {
            return SockRef::from(ours).shutdown(std::net::Shutdown::Write);
        }
        while !chunk.is_empty() {
            ours.writable().await?;
            match ours.try_write(&chunk) {
                Ok(size_bytes) => drop(chunk.split_to(size_bytes)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn poll_client<S: AsyncRead>(client: &mut ReadHalf<S>, context: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
    let mut chunk = [0; CHUNK_SIZE_BYTES];
    let mut buffer = ReadBuf::new(&mut chunk);
    ready!(Pin::new(client).poll_read(context, &mut buffer))?;
    Poll::Ready(Ok(Bytes::copy_from_slice(buffer.filled())))
}

/// Gives `receiver` a connection and makes what it writes, the head and then the bytes up to the end, an answer.
///
/// # Errors
/// What to answer when it writes no usable head.
pub(super) async fn answer(receiver: Handover) -> Result<Response<Body>, ApiError> {
    let (ours, theirs) = pair().map_err(|error| {
        tracing::warn!(%error, "a stream could not be taken over");
        unavailable()
    })?;
    receiver(theirs, Bytes::new());
    let read = tokio::time::timeout(HEAD_TIMEOUT, read_head(&ours)).await;
    match read.unwrap_or(Err(HeadError::Late)) {
        Ok((mut answer, first)) => {
            *answer.body_mut() = Body::new(Streamed { ours, first });
            Ok(answer)
        }
        Err(error @ (HeadError::Closed | HeadError::Late)) => {
            tracing::debug!(%error, "a stream was not begun");
            Err(unavailable())
        }
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a stream's answer cannot be passed on"
            );
            Err(ApiError::internal())
        }
    }
}

fn unavailable() -> ApiError {
    ApiError::unavailable("stream_unavailable", "the stream cannot be opened here; come back", 1)
}

#[derive(Debug, thiserror::Error)]
enum HeadError {
    #[error("the connection was closed before its head was out")]
    Closed,
    #[error("no head within {} s", HEAD_TIMEOUT.as_secs())]
    Late,
    #[error("the head is larger than {HEAD_SIZE_BYTES_MAX} bytes")]
    TooLarge,
    #[error("the head is malformed")]
    Malformed(#[from] httparse::Error),
    #[error("HTTP/2 has no word for this head: {0}")]
    NotForHttp2(&'static str),
    #[error("the connection cannot be read from")]
    Io(#[from] io::Error),
}

async fn read_head(ours: &UnixStream) -> Result<(Response<Body>, Bytes), HeadError> {
    let mut read = Vec::new();
    loop {
        let chunk = poll_fn(|context| poll_chunk(ours, context)).await?;
        if chunk.is_empty() {
            return Err(HeadError::Closed);
        }
        read.extend_from_slice(&chunk);
        if let Some((answer, size_bytes)) = parse_head(&read)? {
            return Ok((answer, Bytes::from(read).slice(size_bytes..)));
        }
        if read.len() > HEAD_SIZE_BYTES_MAX {
            return Err(HeadError::TooLarge);
        }
    }
}

/// The answer's head and its length, `None` while it is not complete.
fn parse_head(bytes: &[u8]) -> Result<Option<(Response<Body>, usize)>, HeadError> {
    let mut fields = [httparse::EMPTY_HEADER; HEAD_FIELDS_MAX];
    let mut head = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(size_bytes) = head.parse(bytes)? else { return Ok(None) };
    let status = head.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.filter(|status| !status.is_informational());
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = status.ok_or(HeadError::NotForHttp2("its status"))?;
    let mut headers = HeaderMap::with_capacity(head.headers.len());
    for field in head.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| httparse::Error::HeaderName)?;
        if name == header::TRANSFER_ENCODING {
            return Err(HeadError::NotForHttp2("transfer-encoding"));
        }
        if !CONNECTION_FIELDS.contains(&name) {
            let value = HeaderValue::from_bytes(field.value).map_err(|_| httparse::Error::HeaderValue)?;
            headers.append(name, value);
        }
    }
    *answer.headers_mut() = headers;
    Ok(Some((answer, size_bytes)))
}

/// A body that ends when the receiver's end does. Dropped when the client resets its stream: then the receiver reads
/// an end.
struct Streamed {
    ours: UnixStream,
    /// What came with the head.
    first: Bytes,
}

impl hyper::body::Body for Streamed {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if !self.first.is_empty() {
            let first = std::mem::take(&mut self.first);
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        let chunk = ready!(poll_chunk(&self.ours, context))?;
        Poll::Ready((!chunk.is_empty()).then(|| Ok(Frame::data(chunk))))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use http_body_util::BodyExt;
    use tokio::io::AsyncReadExt;
    use tokio::sync::oneshot;

    use super::*;

    /// Writes `text` into its end and closes it.
    fn writes(text: &'static [u8]) -> Handover {
        Box::new(move |mut theirs, _| theirs.write_all(text).unwrap())
    }

    #[tokio::test]
    async fn what_a_receiver_writes_becomes_the_answer_without_the_connection_s_own_fields() {
        let head =
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nconnection: close\r\n\r\nretry: 1\n\n";
        let answer = answer(writes(head)).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        assert!(!answer.headers().contains_key("connection"), "{:?}", answer.headers());
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "retry: 1\n\n");
    }

    #[tokio::test]
    async fn what_is_no_answer_for_http2_is_an_error_and_never_passed_on() {
        for (head, status) in [
            (&b""[..], 503),
            (b"HTTP/1.1 200 OK\r\n", 503),
            (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", 500),
            (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", 500),
            (b"hello\r\n\r\n", 500),
        ] {
            let error = answer(writes(head)).await.unwrap_err();
            assert_eq!(error.status().as_u16(), status, "{}", head.escape_ascii());
        }
        static LONG: [u8; HEAD_SIZE_BYTES_MAX + 2 * CHUNK_SIZE_BYTES] =
            [b'a'; HEAD_SIZE_BYTES_MAX + 2 * CHUNK_SIZE_BYTES];
        let receiver: Handover = Box::new(|mut theirs, _| {
            std::thread::spawn(move || {
                let _ = theirs.write_all(b"HTTP/1.1 200 OK\r\nx: ");
                // Non-blocking: what does not fit is not needed.
                for piece in LONG.chunks(1024) {
                    while theirs.write(piece).is_err_and(|error| error.kind() == ErrorKind::WouldBlock) {
                        std::thread::yield_now();
                    }
                }
            });
        });
        assert_eq!(answer(receiver).await.unwrap_err().code(), "internal");
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_fills_the_pair_and_no_memory() {
        let (given, taken) = oneshot::channel();
        let (client, _their_client) = tokio::io::duplex(1024);
        let carrying =
            tokio::spawn(carry(client, Bytes::new(), Box::new(|theirs, _| given.send(theirs).unwrap())));
        let mut theirs = taken.await.unwrap();
        let mut taken_bytes = 0;
        // Full twice in a row, with the task's turn between: nothing takes more.
        let mut full = 0;
        while full < 2 {
            match theirs.write(&[b' '; 4096]) {
                Ok(size_bytes) => (taken_bytes, full) = (taken_bytes + size_bytes, 0),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    full += 1;
                    for _ in 0..100 {
                        tokio::task::yield_now().await;
                    }
                }
                Err(error) => panic!("{error}"),
            }
            assert!(taken_bytes < 4 * PAIR_BUFFER_BYTES, "{taken_bytes} bytes are taken for nobody");
        }
        carrying.abort();
        let _ = carrying.await;
        let mut end = [0; 1];
        let read = theirs.read(&mut end);
        // A reset where the other end was closed with unread bytes.
        let is_end =
            read.as_ref().map_or_else(|error| error.kind() == ErrorKind::ConnectionReset, |&size| size == 0);
        assert!(is_end, "the receiver sees the end: {read:?}");
    }

    #[tokio::test]
    async fn the_last_words_reach_the_client_and_both_ends_close() {
        let (client, mut their_client) = tokio::io::duplex(64);
        let carrying = tokio::spawn(carry(client, Bytes::new(), writes(b"goodbye")));
        let mut read = String::new();
        their_client.read_to_string(&mut read).await.unwrap();
        assert_eq!(read, "goodbye");
        drop(their_client);
        tokio::time::timeout(LINGER, carrying).await.expect("it ends with the client").unwrap();
    }

    #[tokio::test]
    async fn what_the_client_sends_reaches_the_receiver_after_the_leftover() {
        let (given, taken) = oneshot::channel();
        let (client, mut their_client) = tokio::io::duplex(64);
        let receiver: Handover = Box::new(|theirs, leftover| given.send((theirs, leftover)).unwrap());
        let carrying = tokio::spawn(carry(client, Bytes::from_static(b"first"), receiver));
        let (theirs, leftover) = taken.await.unwrap();
        assert_eq!(leftover, "first");
        let mut theirs = tokio::net::TcpStream::from_std(theirs).unwrap();
        their_client.write_all(b"second").await.unwrap();
        let mut read = [0; 6];
        theirs.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"second");
        drop(their_client);
        assert_eq!(theirs.read(&mut read).await.unwrap(), 0, "the client's end is the receiver's");
        drop(theirs);
        carrying.await.unwrap();
    }
}
