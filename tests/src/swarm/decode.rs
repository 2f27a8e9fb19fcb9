//! What a server says, cut into messages: the head of its answer, WebSocket frames, server-sent events with or without
//! chunks. Pure.

use std::ops::Range;

use anyhow::{Result, bail, ensure};
use memchr::memmem;

/// Largest head of an answer, and largest part of a message that may wait for its rest.
const WAITING_SIZE_MAX: usize = 1024 * 1024;

/// One thing that a server said.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard<'a> {
    /// A text or binary message, or one whole server-sent event.
    Message(&'a [u8]),
    /// A WebSocket ping.
    Ping(&'a [u8]),
    /// An answer to our ping.
    Pong,
    /// The server closes, with this code.
    Close(u16),
}

/// The status of an answer whose head is whole, and where its body begins; whether the body comes in chunks.
#[derive(Debug, PartialEq, Eq)]
pub struct Head {
    /// HTTP status.
    pub status: u16,
    /// `Transfer-Encoding: chunked`.
    pub chunked: bool,
    /// Bytes of the head.
    pub size: usize,
}

/// Reads the head of an answer; `None` while it is not whole.
///
/// # Errors
/// When it is none.
pub fn head(bytes: &[u8]) -> Result<Option<Head>> {
    let Some(end) = memmem::find(bytes, b"\r\n\r\n") else {
        ensure!(bytes.len() < WAITING_SIZE_MAX, "the head of an answer does not end");
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let status = text.strip_prefix("http/1.1 ").and_then(|text| text.get(..3)?.parse().ok());
    let Some(status) = status else { bail!("not an answer of HTTP/1.1: {text:.80}") };
    Ok(Some(Head { status, chunked: text.contains("\r\ntransfer-encoding: chunked"), size: end + 4 }))
}

/// Cuts the bytes of one connection into messages.
#[derive(Debug)]
pub struct Decoder {
    kind: Kind,
    /// The beginning of what is not whole yet.
    waiting: Vec<u8>,
}

#[derive(Debug)]
enum Kind {
    WebSocket,
    Events,
    /// Events inside chunks: bytes of the chunk that are still to come (0: a chunk's head is next), and the events so far.
    ChunkedEvents {
        left: usize,
        body: Vec<u8>,
    },
}

impl Decoder {
    /// For the frames that follow an upgrade.
    pub fn websocket() -> Self {
        Self { kind: Kind::WebSocket, waiting: Vec::new() }
    }

    /// For a body of server-sent events.
    pub fn events(chunked: bool) -> Self {
        let kind = if chunked { Kind::ChunkedEvents { left: 0, body: Vec::new() } } else { Kind::Events };
        Self { kind, waiting: Vec::new() }
    }

    /// Takes what was read and tells everything that it completes.
    ///
    /// # Errors
    /// When the server broke the protocol, and what `tell` says.
    pub fn read(&mut self, bytes: &[u8], mut tell: impl FnMut(Heard<'_>) -> Result<()>) -> Result<()> {
        // Nothing waits after most reads: then nothing is copied.
        let joined;
        let all = if self.waiting.is_empty() {
            bytes
        } else {
            self.waiting.extend_from_slice(bytes);
            joined = std::mem::take(&mut self.waiting);
            joined.as_slice()
        };
        let used = match &mut self.kind {
            Kind::WebSocket => frames(all, &mut tell)?,
            Kind::Events => events(all, &mut tell)?,
            Kind::ChunkedEvents { left, body } => {
                let used = unchunk(all, left, body)?;
                let told = events(body, &mut tell)?;
                body.drain(..told);
                used
            }
        };
        let rest = &all[used..];
        ensure!(rest.len() < WAITING_SIZE_MAX, "a message does not end");
        self.waiting.extend_from_slice(rest);
        Ok(())
    }
}

/// Tells whole frames; returns how many bytes they have.
fn frames(bytes: &[u8], tell: &mut impl FnMut(Heard<'_>) -> Result<()>) -> Result<usize> {
    let mut at = 0;
    while let Some(Frame { opcode, payload }) = next_frame(&bytes[at..])? {
        let range = at + payload.start..at + payload.end;
        let payload = &bytes[range.clone()];
        tell(match opcode {
            1 | 2 => Heard::Message(payload),
            8 => Heard::Close(payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code))),
            9 => Heard::Ping(payload),
            10 => Heard::Pong,
            other => bail!("a frame of type {other}: no server here fragments"),
        })?;
        at = range.end;
    }
    Ok(at)
}

struct Frame {
    opcode: u8,
    payload: Range<usize>,
}

fn next_frame(bytes: &[u8]) -> Result<Option<Frame>> {
    let [first, second, ..] = *bytes else { return Ok(None) };
    ensure!(first & 0xf0 == 0x80 && second & 0x80 == 0, "a frame that is fragmented, masked or extended");
    let (start, length) = match second {
        126 => match bytes.get(2..4) {
            Some(length) => (4, usize::from(length[0]) << 8 | usize::from(length[1])),
            None => return Ok(None),
        },
        127 => match bytes.get(2..10) {
            Some(length) => (10, length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte))),
            None => return Ok(None),
        },
        length => (2, usize::from(length)),
    };
    let end = start + length;
    Ok((bytes.len() >= end).then_some(Frame { opcode: first & 0x0f, payload: start..end }))
}

/// Tells whole events; returns how many bytes they have. Each ends with an empty line.
fn events(bytes: &[u8], tell: &mut impl FnMut(Heard<'_>) -> Result<()>) -> Result<usize> {
    let mut at = 0;
    while let Some((size, gap)) = event_end(&bytes[at..]) {
        tell(Heard::Message(&bytes[at..at + size]))?;
        at += size + gap;
    }
    Ok(at)
}

/// Bytes before an empty line, and those of the line ends around it. Some servers end lines with CRLF.
fn event_end(bytes: &[u8]) -> Option<(usize, usize)> {
    memchr::memchr_iter(b'\n', bytes).find_map(|at| match bytes[at + 1..] {
        [b'\n', ..] => Some((at + 1, 1)),
        [b'\r', b'\n', ..] => Some((at + 1, 2)),
        _ => None,
    })
}

/// Moves the content of chunks to `body`; returns how many bytes were used.
fn unchunk(bytes: &[u8], left: &mut usize, body: &mut Vec<u8>) -> Result<usize> {
    let mut at = 0;
    loop {
        if *left == 0 {
            let Some(line) = memmem::find(&bytes[at..], b"\r\n") else { return Ok(at) };
            // The line end after a chunk's content stands before the next chunk's size.
            if line > 0 {
                let size = std::str::from_utf8(&bytes[at..at + line]).unwrap_or_default();
                let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16);
                let Ok(size) = size else { bail!("a chunk without a size") };
                *left = size;
            }
            at += line + 2;
        } else {
            let piece = (bytes.len() - at).min(*left);
            if piece == 0 {
                return Ok(at);
            }
            body.extend_from_slice(&bytes[at..at + piece]);
            *left -= piece;
            at += piece;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(mut decoder: Decoder, bytes: &[u8], size: usize) -> Vec<String> {
        let mut told = Vec::new();
        for piece in bytes.chunks(size) {
            let tell = |heard: Heard<'_>| {
                told.push(match heard {
                    Heard::Message(text) => String::from_utf8_lossy(text).into_owned(),
                    other => format!("{other:?}"),
                });
                Ok(())
            };
            decoder.read(piece, tell).unwrap();
        }
        told
    }

    #[test]
    fn frames_are_the_same_however_they_are_cut() {
        let mut bytes = vec![0x81, 2, b'h', b'i', 0x8a, 0, 0x81, 126, 1, 0x2c];
        bytes.extend([b'x'; 300]);
        bytes.extend([0x88, 2, 0x0b, 0xb9]);
        let expected = ["hi".to_owned(), "Pong".to_owned(), "x".repeat(300), "Close(3001)".to_owned()];
        for size in 1..=bytes.len() {
            assert_eq!(heard(Decoder::websocket(), &bytes, size), expected, "pieces of {size}");
        }
    }

    #[test]
    fn events_are_the_same_with_and_without_chunks() {
        let text = "retry: 1\n\nid: a\ndata: {}\n\n";
        let chunked = "c\r\nretry: 1\n\nid\r\ne\r\n: a\ndata: {}\n\n\r\n0\r\n\r\n";
        for size in 1..=chunked.len() {
            let expected = ["retry: 1\n", "id: a\ndata: {}\n"];
            assert_eq!(heard(Decoder::events(false), text.as_bytes(), size), expected, "pieces of {size}");
            assert_eq!(heard(Decoder::events(true), chunked.as_bytes(), size), expected, "pieces of {size}");
        }
    }

    #[test]
    fn a_head_is_read_once_it_is_whole() {
        let text = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nc\r\n";
        let expected = Head { status: 200, chunked: true, size: text.len() - 3 };
        assert_eq!(head(text).unwrap(), Some(expected));
        assert_eq!(head(&text[..20]).unwrap(), None);
        assert!(head(b"SSH-2.0\r\n\r\n").is_err());
    }
}
