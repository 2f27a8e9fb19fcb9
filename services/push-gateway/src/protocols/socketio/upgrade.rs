//! From polling to WebSocket: the client opens a WebSocket beside its polls, probes it (`2probe`, `3probe`), lets its
//! polls and posts end, and says `5`. From then on the session's socket is that of the WebSocket: this task reads no
//! byte beyond the `5`, and the worker sends first, in frames, what was on its way by polling.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::PACKET_SIZE_MAX;
use super::packet::{EnginePacket, Transport};
use super::polling::{Polled, Sessions};
use crate::codec::frame::{Message, Reader};
use crate::metrics::BadInputs;
use crate::worker::Replacement;

/// A client has this long from its handshake to its `5`; until then its session goes on by polling.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Does all of it for the session `id`; `head` answers the handshake, `leftover` came after it.
pub async fn run(
    sessions: Arc<Sessions>,
    id: String,
    polled: Arc<Polled>,
    socket: std::net::TcpStream,
    head: Bytes,
    leftover: Bytes,
    bad_input: BadInputs,
) {
    let probed = match TcpStream::from_std(socket) {
        Ok(socket) => tokio::time::timeout(TIMEOUT, probe(&polled, socket, &head, leftover, bad_input)).await,
        Err(error) => Ok(Err(error)),
    };
    let Ok(Ok((socket, leftover))) = probed else {
        // The client goes on by polling, or is gone.
        return polled.end_upgrade();
    };
    sessions.remove(&id);
    let moved = async {
        let taken = polled.take().await?;
        let socket = socket.into_std()?;
        let old = std::os::unix::net::UnixStream::from(taken.pair);
        taken.session.replace(Replacement { socket, old, unread: taken.unread, leftover }).await;
        io::Result::Ok(())
    };
    // The poll that may still be there was told to end.
    if !matches!(tokio::time::timeout(TIMEOUT, moved).await, Ok(Ok(()))) {
        tracing::debug!("a session could not move to its WebSocket and ends");
    }
}

/// Reads up to the `5` and no further. Gives what came with it and is for the session.
async fn probe(
    polled: &Polled,
    mut socket: TcpStream,
    head: &[u8],
    leftover: Bytes,
    bad_input: BadInputs,
) -> io::Result<(TcpStream, Bytes)> {
    socket.write_all(head).await?;
    let mut reader = Reader::new(PACKET_SIZE_MAX, bad_input);
    let mut pending = leftover;
    let mut messages = Vec::new();
    loop {
        // A byte at a time, so that the reader holds nothing of the session when the `5` is whole.
        while !pending.is_empty() {
            let byte = pending.split_to(1);
            let end = reader.receive(&byte, &mut messages);
            for message in messages.drain(..) {
                match message {
                    Message::Text(text) => match EnginePacket::parse(&text) {
                        Some(EnginePacket::Ping(text)) => {
                            socket.write_all(&Transport::WebSocket.packet(&format!("3{text}"))).await?;
                            polled.release_polls();
                        }
                        Some(EnginePacket::Upgrade) => return Ok((socket, pending)),
                        _ => return Err(io::ErrorKind::InvalidData.into()),
                    },
                    Message::Answer(bytes) => socket.write_all(&bytes).await?,
                    Message::Binary(_) | Message::TooLarge => return Err(io::ErrorKind::InvalidData.into()),
                }
            }
            if end.is_some() {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
        }
        let mut buffer = bytes::BytesMut::with_capacity(1_024);
        if socket.read_buf(&mut buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        pending = buffer.freeze();
    }
}
