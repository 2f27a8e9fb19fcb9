//! A light client of the gateway that keeps its place: it speaks any of the three protocols that resume, comes back
//! with its token or position, and says what it was told. Thousands fit in one process. `words` is the conversation
//! without a socket, `client` one that runs by itself, `source` publishes what is followed; what is told is judged by
//! `crate::exact`.

mod client;
mod source;
mod words;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

pub use client::{Client, Note};
pub use source::{Numbers, Source};
pub use words::{Conversation, Kind, Told};

/// Bytes read at once.
const READ_SIZE: usize = 8 * 1024;
/// Receive buffer of a client that stalls: the smallest that the kernel grants.
const SMALL_RECEIVE_BUFFER_BYTES: u32 = 2304;
/// Largest segment of a client that stalls: loopback's own is 64 KiB, and one of those would hide the stall.
const SMALL_SEGMENT_BYTES: u32 = 1400;

/// How a client's socket is made.
#[derive(Debug, Clone, Copy, Default)]
pub struct Line {
    /// Where it comes from; `None`: as the system likes.
    pub source: Option<Ipv4Addr>,
    /// Its buffer holds next to nothing, so that the gateway notices at once when it does not read.
    pub narrow: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Follower {
    /// What it says and has heard.
    pub conversation: Conversation,
    line: Line,
    socket: Option<TcpStream>,
}

impl Follower {
    /// A client that is nowhere yet.
    pub fn new(conversation: Conversation, line: Line) -> Self {
        Self { conversation, line, socket: None }
    }

    /// Connects and asks to follow, from where it left off.
    ///
    /// # Errors
    /// When nobody listens there.
    pub async fn come(&mut self, addr: SocketAddr) -> io::Result<()> {
        self.leave();
        let socket = TcpSocket::new_v4()?;
        if self.line.narrow {
            socket.set_recv_buffer_size(SMALL_RECEIVE_BUFFER_BYTES)?;
            SockRef::from(&socket).set_tcp_mss(SMALL_SEGMENT_BYTES)?;
        }
        if let Some(source) = self.line.source {
            socket.bind(SocketAddr::from((source, 0)))?;
        }
        let mut socket = socket.connect(addr).await?;
        socket.set_nodelay(true)?;
        socket.write_all(&self.conversation.begin(addr)).await?;
        self.socket = Some(socket);
        Ok(())
    }

    /// Is gone without a word.
    pub fn leave(&mut self) {
        self.socket = None;
    }

    /// Whether it has a connection.
    pub fn is_connected(&self) -> bool {
        self.socket.is_some()
    }

    /// Reads once and adds what it is told. False when the connection ended; it has none then. Without a connection it
    /// waits for ever.
    ///
    /// May be dropped at any time: nothing that was read is lost.
    ///
    /// # Panics
    /// When the gateway says what no protocol of ours has.
    pub async fn hear(&mut self, told: &mut Vec<Told>) -> bool {
        let Some(socket) = &mut self.socket else { return std::future::pending().await };
        let mut buffer = [0; READ_SIZE];
        let count = socket.read(&mut buffer).await.unwrap_or(0);
        let mut answers = Vec::new();
        let heard = count > 0 && self.conversation.hear(&buffer[..count], told, &mut answers);
        // What a client answers is far smaller than any socket's buffer, so that this never waits.
        let is_open = heard && (answers.is_empty() || socket.try_write(&answers).is_ok());
        if !is_open {
            self.socket = None;
        }
        is_open
    }
}
