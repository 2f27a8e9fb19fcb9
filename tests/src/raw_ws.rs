//! A WebSocket as bytes: for frames that no well-behaved client sends, and for what is answered to each.

use std::fmt;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::wait::DEADLINE;

/// Masks the frames of this client (RFC 6455, section 5.3): any four bytes do.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A frame of the server.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    /// Text is 1, binary 2, close 8, ping 9, pong 10.
    pub opcode: u8,
    /// All of it.
    pub payload: Vec<u8>,
}

impl Frame {
    /// With this payload.
    pub fn new(opcode: u8, payload: impl Into<Vec<u8>>) -> Self {
        Self { opcode, payload: payload.into() }
    }

    /// The code of a close frame; `None` where it is another frame, or has none.
    pub fn close_code(&self) -> Option<u16> {
        let code = self.payload.first_chunk::<2>()?;
        (self.opcode == 8).then(|| u16::from_be_bytes(*code))
    }

    /// Its payload as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.payload).into_owned()
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.payload[..self.payload.len().min(64)];
        write!(f, "{}:{}*\"{}\"", self.opcode, self.payload.len(), shown.escape_ascii())
    }
}

/// A client's frame: masked, with `first` as its first byte (FIN, reserved bits and opcode).
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..=125 => frame.push(0x80 | u8::try_from(length).expect("it is below 126")),
        length => match u16::try_from(length) {
            Ok(length) => {
                frame.push(0x80 | 126);
                frame.extend(length.to_be_bytes());
            }
            Err(_) => {
                frame.push(0x80 | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        },
    }
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// A whole text frame.
pub fn text(text: &str) -> Vec<u8> {
    masked(0x81, text.as_bytes())
}

/// A close frame.
pub fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    masked(0x88, &[&code.to_be_bytes(), reason].concat())
}

/// An open connection.
#[derive(Debug)]
pub struct RawWs {
    socket: TcpStream,
    read: Vec<u8>,
}

impl RawWs {
    /// Does the opening handshake at `path`, with further header lines (each with its line end).
    ///
    /// # Panics
    /// When the upgrade is refused.
    pub async fn open(addr: SocketAddr, path: &str, headers: &str) -> Self {
        let mut socket = TcpStream::connect(addr).await.expect("the gateway is reachable");
        socket.set_nodelay(true).expect("a new socket takes options");
        let head = format!(
            "GET {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
        );
        socket.write_all(head.as_bytes()).await.expect("the gateway reads");
        let mut client = Self { socket, read: Vec::new() };
        let end = loop {
            if let Some(end) = client.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            assert!(client.more().await, "{path}: the gateway closed: {}", client.read.escape_ascii());
        };
        let head: Vec<u8> = client.read.drain(..end).collect();
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{path}: {}", head.escape_ascii());
        client
    }

    /// Where this end is.
    ///
    /// # Panics
    /// Never: a connected socket has an address.
    pub fn local_addr(&self) -> SocketAddr {
        self.socket.local_addr().expect("a connected socket has an address")
    }

    /// Sends bytes. What a gateway that has closed does not take is no matter.
    pub async fn send(&mut self, bytes: &[u8]) {
        let _ = self.socket.write_all(bytes).await;
    }

    /// Sends `bytes` in pieces of this size, and reads meanwhile until the other end closes; all frames that came.
    ///
    /// # Panics
    /// When it does not close within the deadline.
    pub async fn exchange(mut self, bytes: &[u8], piece_size_bytes: usize) -> Vec<Frame> {
        let (mut from, mut to) = self.socket.split();
        let send = async {
            for piece in bytes.chunks(piece_size_bytes) {
                if to.write_all(piece).await.is_err() {
                    return;
                }
            }
        };
        let mut read = std::mem::take(&mut self.read);
        // A reset after the last frame is an end too.
        let receive = async {
            let _ = from.read_to_end(&mut read).await;
        };
        let both = async { tokio::join!(send, receive) };
        if tokio::time::timeout(DEADLINE, both).await.is_err() {
            panic!("the gateway did not close; it sent {:?}", frames(&mut read));
        }
        frames(&mut read)
    }

    /// The next frame; `None` at the end.
    ///
    /// # Panics
    /// When none comes within the deadline.
    pub async fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = take_frame(&mut self.read) {
                return Some(frame);
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// The next frame that `wanted` accepts.
    ///
    /// # Panics
    /// When the connection ends without one, or none comes within the deadline.
    pub async fn wanted(&mut self, what: &str, wanted: impl Fn(&Frame) -> bool) -> Frame {
        let mut others = Vec::new();
        while let Some(frame) = self.frame().await {
            if wanted(&frame) {
                return frame;
            }
            others.push(frame);
        }
        panic!("the gateway closed without {what}; it sent {others:?}")
    }

    /// Reads to the end; the code of the close frame, where one came.
    ///
    /// # Panics
    /// When it does not end within the deadline.
    pub async fn closed(&mut self) -> Option<u16> {
        let mut code = None;
        while let Some(frame) = self.frame().await {
            code = frame.close_code().or(code);
        }
        code
    }

    /// Reads once; false at the end.
    async fn more(&mut self) -> bool {
        let read = tokio::time::timeout(DEADLINE, self.socket.read_buf(&mut self.read)).await;
        // A reset after the last frame is an end too.
        read.expect("the gateway says something within the deadline").is_ok_and(|size_bytes| size_bytes > 0)
    }
}

/// All whole frames of what was read.
fn frames(read: &mut Vec<u8>) -> Vec<Frame> {
    std::iter::from_fn(|| take_frame(read)).collect()
}

/// Takes one frame off, if it is whole. Frames of a server are unmasked and, here, never fragmented.
fn take_frame(read: &mut Vec<u8>) -> Option<Frame> {
    let (first, short) = (*read.first()?, *read.get(1)?);
    assert!(first & 0xf0 == 0x80 && short & 0x80 == 0, "the gateway sent {first:#x} {short:#x}");
    let (head, length) = match short {
        126 => (4, u64::from(u16::from_be_bytes(*read.get(2..)?.first_chunk()?))),
        127 => (10, u64::from_be_bytes(*read.get(2..)?.first_chunk()?)),
        short => (2, u64::from(short)),
    };
    let end = head + usize::try_from(length).ok()?;
    if read.len() < end {
        return None;
    }
    let frame: Vec<u8> = read.drain(..end).collect();
    Some(Frame::new(first & 0x0f, &frame[head..]))
}
