//! WebSocket framing (RFC 6455): the handshake's answer, frames out, and an incremental reader of client frames.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{BufMut, Bytes, BytesMut};

use super::CloseReason;
use crate::metrics::{BadInput, BadInputs};

/// GUID of the opening handshake (RFC 6455, section 1.3).
const HANDSHAKE_GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Frame types (RFC 6455, section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// UTF-8 text.
    Text = 1,
    /// Bytes.
    Binary = 2,
    /// The connection ends.
    Close = 8,
    /// Are you there?
    Ping = 9,
    /// Yes.
    Pong = 10,
}

/// The value of `Sec-WebSocket-Accept` for a client's key.
pub fn accept_key(client_key: &str) -> String {
    let mut context = ring::digest::Context::new(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY);
    context.update(client_key.as_bytes());
    context.update(HANDSHAKE_GUID.as_bytes());
    STANDARD.encode(context.finish())
}

/// The answer that opens the connection; `admitted_in` is how long it took to let the client in.
pub fn handshake_head(client_key: &str, subprotocol: Option<&str>, admitted_in: Duration) -> Bytes {
    let mut head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: {}\r\n",
        accept_key(client_key)
    );
    head.push_str(&format!("server-timing: admit;dur={:.3}\r\n", admitted_in.as_secs_f64() * 1e3));
    if let Some(subprotocol) = subprotocol {
        head.push_str(&format!("sec-websocket-protocol: {subprotocol}\r\n"));
    }
    head.push_str("\r\n");
    head.into()
}

/// One whole, unmasked frame.
pub fn encode(opcode: Opcode, payload: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(payload.len() + 10);
    out.put_u8(0x80 | opcode as u8);
    match payload.len() {
        length @ 0..=125 => out.put_u8(u8::try_from(length).unwrap_or_default()),
        length => match u16::try_from(length) {
            Ok(length) => {
                out.put_u8(126);
                out.put_u16(length);
            }
            Err(_) => {
                out.put_u8(127);
                out.put_u64(length as u64);
            }
        },
    }
    out.put_slice(payload);
    out.freeze()
}

/// A close frame with a code and a short reason.
pub fn encode_close(code: u16, reason: &str) -> Bytes {
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend_from_slice(reason.as_bytes());
    encode(Opcode::Close, &payload)
}

/// What a client's frames come to for a protocol: control frames are answered already.
#[derive(Debug, PartialEq, Eq)]
pub enum Message {
    /// A whole text message.
    Text(String),
    /// A whole binary message.
    Binary(Vec<u8>),
    /// A message beyond the limit; its bytes are dropped.
    TooLarge,
    /// Send this, in its place among the answers.
    Answer(Bytes),
}

/// A message or a control frame from the client.
#[derive(Debug, PartialEq, Eq)]
enum Incoming {
    /// A whole text message.
    Text(String),
    /// A whole binary message.
    Binary(Vec<u8>),
    /// To be answered with the same payload.
    Ping(Vec<u8>),
    /// An answer to our ping.
    Pong,
    /// The client closes; the code, where it sent one.
    Close(Option<u16>),
    /// A message beyond the limit; its bytes are being dropped.
    TooLarge,
}

/// The client broke RFC 6455; the connection must fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum FrameError {
    /// Reserved bits or opcodes, unmasked frames, broken fragmentation, oversized control frames.
    #[error("the client broke the framing")]
    Protocol,
    /// Text or a close reason that is not UTF-8.
    #[error("text is not UTF-8")]
    Utf8,
}

/// Reads client frames from pieces of any size. Holds at most one message and one head. Counts what is wrong with them.
#[derive(Debug)]
pub struct Reader {
    message_size_max: usize,
    bad_input: BadInputs,
    /// Head of the frame being read; at most 14 bytes.
    head: Vec<u8>,
    frame: Option<Frame>,
    message: Option<Partial>,
    /// The message is over the limit: count on, keep nothing.
    dropping: bool,
}

/// A message being put together.
#[derive(Debug)]
struct Partial {
    opcode: Opcode,
    bytes: Vec<u8>,
    /// So many of them are known to be UTF-8, where it is text.
    checked: usize,
}

impl Partial {
    fn new(opcode: Opcode) -> Self {
        Self { opcode, bytes: Vec::new(), checked: 0 }
    }

    /// Text that can no longer become UTF-8 is refused before its end, which a client may never send.
    fn check(&mut self) -> Result<(), FrameError> {
        if self.opcode == Opcode::Text {
            match std::str::from_utf8(&self.bytes[self.checked..]) {
                Ok(text) => self.checked += text.len(),
                Err(error) if error.error_len().is_none() => self.checked += error.valid_up_to(),
                Err(_) => return Err(FrameError::Utf8),
            }
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Frame {
    fin: bool,
    /// `None` for a continuation.
    opcode: Option<Opcode>,
    mask: [u8; 4],
    read: u64,
    length: u64,
    /// Payload of a control frame.
    control: Vec<u8>,
}

impl Frame {
    fn is_control(&self) -> bool {
        matches!(self.opcode, Some(Opcode::Close | Opcode::Ping | Opcode::Pong))
    }
}

impl Reader {
    /// Messages beyond `message_size_max` bytes are reported and dropped.
    pub fn new(message_size_max: usize, bad_input: BadInputs) -> Self {
        Self { message_size_max, bad_input, head: Vec::new(), frame: None, message: None, dropping: false }
    }

    /// Takes bytes from the socket and pushes what they complete. Returns why the connection must end, if it must.
    pub fn receive(&mut self, bytes: &[u8], messages: &mut Vec<Message>) -> Option<CloseReason> {
        let mut incoming = Vec::new();
        let result = self.read(bytes, &mut incoming);
        for one in incoming {
            messages.push(match one {
                Incoming::Text(text) => Message::Text(text),
                Incoming::Binary(bytes) => Message::Binary(bytes),
                Incoming::TooLarge => {
                    self.bad_input.count(BadInput::TooLarge);
                    Message::TooLarge
                }
                Incoming::Ping(payload) => Message::Answer(encode(Opcode::Pong, &payload)),
                Incoming::Pong => continue,
                Incoming::Close(code) => {
                    let echo = code.map_or_else(|| encode(Opcode::Close, b""), |code| encode_close(code, ""));
                    messages.push(Message::Answer(echo));
                    return Some(CloseReason::ClientGone);
                }
            });
        }
        let error = result.err()?;
        self.bad_input.count(BadInput::Framing);
        let code = if error == FrameError::Utf8 { 1007 } else { 1002 };
        messages.push(Message::Answer(encode_close(code, &error.to_string())));
        Some(CloseReason::ProtocolError)
    }

    /// Takes bytes from the socket and pushes what they complete.
    fn read(&mut self, mut bytes: &[u8], out: &mut Vec<Incoming>) -> Result<(), FrameError> {
        loop {
            if self.frame.is_none() {
                let Some(frame) = self.read_head(&mut bytes)? else { return Ok(()) };
                self.frame = Some(frame);
            }
            let Some(mut frame) = self.frame.take() else { return Ok(()) };
            let wanted = usize::try_from(frame.length - frame.read).unwrap_or(usize::MAX).min(bytes.len());
            let (piece, rest) = bytes.split_at(wanted);
            bytes = rest;
            self.take_piece(&mut frame, piece)?;
            if frame.read < frame.length {
                self.frame = Some(frame);
                return Ok(());
            }
            self.finish(frame, out)?;
        }
    }

    fn read_head(&mut self, bytes: &mut &[u8]) -> Result<Option<Frame>, FrameError> {
        loop {
            let needed = match self.head.get(1) {
                None => 2,
                Some(second) => {
                    6 + match second & 0x7f {
                        126 => 2,
                        127 => 8,
                        _ => 0,
                    }
                }
            };
            if self.head.len() == needed && needed > 2 {
                let frame = parse_head(&self.head)?;
                self.check_order(&frame)?;
                self.head.clear();
                return Ok(Some(frame));
            }
            let Some((first, rest)) = bytes.split_first() else { return Ok(None) };
            self.head.push(*first);
            *bytes = rest;
            if let [first, second] = self.head[..]
                && (first & 0x70 != 0 || second & 0x80 == 0)
            {
                return Err(FrameError::Protocol);
            }
        }
    }

    fn check_order(&mut self, frame: &Frame) -> Result<(), FrameError> {
        if frame.is_control() {
            let well_formed = frame.fin && frame.length <= 125;
            return if well_formed { Ok(()) } else { Err(FrameError::Protocol) };
        }
        match (frame.opcode, self.message.is_some()) {
            (Some(opcode), false) => self.message = Some(Partial::new(opcode)),
            (None, true) => {}
            _ => return Err(FrameError::Protocol),
        }
        Ok(())
    }

    fn take_piece(&mut self, frame: &mut Frame, piece: &[u8]) -> Result<(), FrameError> {
        let (offset, mask) = (frame.read, frame.mask);
        let unmasked = piece.iter().zip(offset..).map(|(byte, at)| byte ^ mask[(at % 4) as usize]);
        frame.read += piece.len() as u64;
        if frame.is_control() {
            frame.control.extend(unmasked);
            return Ok(());
        }
        let Some(message) = &mut self.message else { return Ok(()) };
        if self.dropping || message.bytes.len() + piece.len() > self.message_size_max {
            self.dropping = true;
            message.bytes.clear();
            return Ok(());
        }
        message.bytes.extend(unmasked);
        let is_whole = frame.fin && frame.read == frame.length;
        // A whole message is checked once, at its end.
        if is_whole { Ok(()) } else { message.check() }
    }

    fn finish(&mut self, frame: Frame, out: &mut Vec<Incoming>) -> Result<(), FrameError> {
        match frame.opcode {
            Some(Opcode::Ping) => out.push(Incoming::Ping(frame.control)),
            Some(Opcode::Pong) => out.push(Incoming::Pong),
            Some(Opcode::Close) => out.push(Incoming::Close(close_code(&frame.control)?)),
            _ if !frame.fin => {}
            _ => {
                let Some(Partial { opcode, bytes, .. }) = self.message.take() else {
                    return Err(FrameError::Protocol);
                };
                if std::mem::take(&mut self.dropping) {
                    out.push(Incoming::TooLarge);
                } else if opcode == Opcode::Text {
                    out.push(Incoming::Text(String::from_utf8(bytes).map_err(|_| FrameError::Utf8)?));
                } else {
                    out.push(Incoming::Binary(bytes));
                }
            }
        }
        Ok(())
    }
}

fn parse_head(head: &[u8]) -> Result<Frame, FrameError> {
    let (first, second) = (head[0], head[1]);
    let opcode = match first & 0x0f {
        0 => None,
        1 => Some(Opcode::Text),
        2 => Some(Opcode::Binary),
        8 => Some(Opcode::Close),
        9 => Some(Opcode::Ping),
        10 => Some(Opcode::Pong),
        _ => return Err(FrameError::Protocol),
    };
    let (length_bytes, mask) = head[2..].split_at(head.len() - 6);
    let length = match length_bytes.len() {
        0 => u64::from(second & 0x7f),
        _ => length_bytes.iter().fold(0, |length, byte| length << 8 | u64::from(*byte)),
    };
    if length >> 63 != 0 {
        return Err(FrameError::Protocol);
    }
    let mask = [mask[0], mask[1], mask[2], mask[3]];
    Ok(Frame { fin: first & 0x80 != 0, opcode, mask, read: 0, length, control: Vec::new() })
}

fn close_code(payload: &[u8]) -> Result<Option<u16>, FrameError> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() { Ok(None) } else { Err(FrameError::Protocol) };
    };
    std::str::from_utf8(reason).map_err(|_| FrameError::Utf8)?;
    match u16::from_be_bytes(*code) {
        code @ (1000..=1003 | 1007..=1014 | 3000..=4999) => Ok(Some(code)),
        _ => Err(FrameError::Protocol),
    }
}

#[cfg(test)]
mod tests;
