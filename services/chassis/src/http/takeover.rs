//! How a handler gets its connection instead of answering: the gateway's way to the sockets of event streams without a
//! second HTTP parser.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::oneshot;

/// What takes a connection over: its socket (non-blocking) and what was read beyond the request's head.
///
/// Over plain HTTP/1.1 it is the client's TCP socket; with TLS or HTTP/2 it is one end of a pair of Unix sockets, which
/// reads, writes and shuts down alike and has none of TCP's options.
pub type Handover = Box<dyn FnOnce(std::net::TcpStream, Bytes) + Send>;

/// In the extensions of each request: lets its handler have the connection instead of answering.
#[derive(Clone)]
pub struct Takeover(
    // Protects what may be used once; held for a move.
    Arc<Mutex<Option<oneshot::Sender<Handover>>>>,
);

impl Takeover {
    /// One, and where the receiver of its connection arrives.
    pub(super) fn new() -> (Self, oneshot::Receiver<Handover>) {
        let (sender, handover) = oneshot::channel();
        (Self(Arc::new(Mutex::new(Some(sender)))), handover)
    }

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

/// The other end of the connection, in the extensions of each request.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// Its address.
    pub addr: SocketAddr,
    /// Whether it speaks TLS with us; what an ingress does before is not known here.
    pub is_tls: bool,
}
