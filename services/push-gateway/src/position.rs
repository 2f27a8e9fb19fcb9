//! Where a client stands in the streams: positions, resume tokens and `since`.
//!
//! A token holds, for each resumable stream, the epoch, the sequence and a few bits of that message's time. The bits
//! tell a stream that lost its unsynced tail and wrote on from one that did not. It is the same for every protocol.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proto_schemas::Stream;

/// The streams whose topics can be resumed, in the order of a token's mask.
pub const RESUMABLE: [Stream; 3] = [Stream::Kb, Stream::Events, Stream::App];

/// Index of `stream` among [`RESUMABLE`].
pub fn resumable_index(stream: Stream) -> Option<usize> {
    RESUMABLE.iter().position(|one| *one == stream)
}

/// A few bits of a message's time; equal bits do not prove the same message, different bits prove another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimeBits(u16);

impl TimeBits {
    /// Nothing is known of the message's time.
    pub const UNKNOWN: Self = Self(0);

    /// The low 15 bits of the time in milliseconds.
    pub fn of_unix_ms(unix_ms: i128) -> Self {
        // Masked to 15 bits, so the conversion cannot fail.
        Self(u16::try_from(unix_ms & 0x7fff).unwrap_or_default() | 0x8000)
    }

    /// Whether both are known and differ.
    pub fn contradicts(self, other: Self) -> bool {
        self != Self::UNKNOWN && other != Self::UNKNOWN && self != other
    }
}

/// A place in one incarnation of a stream: everything up to `seq` was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// The stream's incarnation.
    pub epoch: u64,
    /// Last sequence seen.
    pub seq: u64,
    /// Of the message at `seq`.
    pub time: TimeBits,
}

/// Whether clients may continue in `stream` where they left off.
pub fn is_resumable(stream: Stream) -> bool {
    resumable_index(stream).is_some()
}

/// A place in each resumable stream; `None` where a client named none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Positions(pub [Option<Position>; RESUMABLE.len()]);

impl Positions {
    /// Of a pod that knows no stream yet: epoch 0 everywhere, which no stream has.
    pub fn unknown() -> Self {
        Self([Some(Position::default()); RESUMABLE.len()])
    }

    /// A place in one stream.
    pub fn of(stream: Stream, position: Position) -> Self {
        let mut positions = Self::default();
        positions.set(stream, Some(position));
        positions
    }

    /// The place in `stream`.
    pub fn get(&self, stream: Stream) -> Option<Position> {
        self.0[resumable_index(stream)?]
    }

    /// Sets the place in `stream`; streams that cannot be resumed are left out.
    pub fn set(&mut self, stream: Stream, position: Option<Position>) {
        if let Some(index) = resumable_index(stream) {
            self.0[index] = position;
        }
    }
}

/// Why a client's token or `since` is unusable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a resume token of this service")]
pub struct BadToken;

const TOKEN_VERSION: u8 = 1;
const TOKEN_SIZE_MAX: usize = 128;

/// The token: version, mask, then for each stream in the mask epoch (8 bytes), time bits (2), sequence (LEB128);
/// in base64url without padding.
impl fmt::Display for Positions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0_u8; 2 + RESUMABLE.len() * 20];
        let mut length = 2;
        bytes[0] = TOKEN_VERSION;
        for (index, position) in self.0.iter().enumerate() {
            let Some(position) = position else { continue };
            bytes[1] |= 1 << index;
            bytes[length..length + 8].copy_from_slice(&position.epoch.to_be_bytes());
            bytes[length + 8..length + 10].copy_from_slice(&position.time.0.to_be_bytes());
            length += 10;
            let mut rest = position.seq;
            loop {
                let [low, ..] = rest.to_le_bytes();
                rest >>= 7;
                bytes[length] = low & 0x7f | if rest == 0 { 0 } else { 0x80 };
                length += 1;
                if rest == 0 {
                    break;
                }
            }
        }
        let mut text = [0_u8; (2 + RESUMABLE.len() * 20) * 4 / 3 + 4];
        let written = URL_SAFE_NO_PAD.encode_slice(&bytes[..length], &mut text).map_err(|_| fmt::Error)?;
        f.write_str(std::str::from_utf8(&text[..written]).map_err(|_| fmt::Error)?)
    }
}

/// Decodes base64url without padding; `None` if it is not.
pub fn decode_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

fn decode_token(text: &str) -> Option<Positions> {
    if text.len() > TOKEN_SIZE_MAX {
        return None;
    }
    let bytes = decode_base64url(text)?;
    let (&[version, mask], mut rest) = bytes.split_first_chunk::<2>()?;
    if version != TOKEN_VERSION || mask >> RESUMABLE.len() != 0 {
        return None;
    }
    let mut positions = Positions::default();
    for (index, position) in positions.0.iter_mut().enumerate() {
        if mask >> index & 1 == 0 {
            continue;
        }
        let (epoch, after) = rest.split_first_chunk::<8>()?;
        let (time, after) = after.split_first_chunk::<2>()?;
        let (mut seq, mut shift, mut at) = (0_u64, 0_u32, 0);
        loop {
            let byte = *after.get(at)?;
            at += 1;
            seq |= u64::from(byte & 0x7f).checked_shl(shift)?;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        rest = &after[at..];
        let epoch = u64::from_be_bytes(*epoch);
        *position = Some(Position { epoch, seq, time: TimeBits(u16::from_be_bytes(*time)) });
    }
    rest.is_empty().then_some(positions)
}

impl FromStr for Positions {
    type Err = BadToken;

    fn from_str(text: &str) -> Result<Self, BadToken> {
        decode_token(text).ok_or(BadToken)
    }
}

/// Parses what a client sends as `since`: `<stream>:<epoch>:<sequence>` (such as `kb:<epoch>:<revision>`), or a token.
pub fn parse_since(text: &str) -> Result<Positions, BadToken> {
    if !text.contains(':') {
        return text.parse();
    }
    let mut parts = text.split(':');
    let (Some(name), Some(epoch), Some(seq), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(BadToken);
    };
    let stream = Stream::by_name(&name.to_ascii_uppercase()).ok_or(BadToken)?;
    resumable_index(stream).ok_or(BadToken)?;
    let position = Position {
        epoch: parse_epoch(epoch).ok_or(BadToken)?,
        seq: seq.parse().map_err(|_| BadToken)?,
        time: TimeBits::UNKNOWN,
    };
    let mut positions = Positions::default();
    positions.set(stream, Some(position));
    Ok(positions)
}

/// The epoch as streams carry it in their metadata: 16 hex digits.
pub fn parse_epoch(text: &str) -> Option<u64> {
    (text.len() == 16).then(|| u64::from_str_radix(text, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn position() -> impl Strategy<Value = Option<Position>> {
        proptest::option::of((any::<u64>(), any::<u64>(), any::<u16>()))
            .prop_map(|parts| parts.map(|(epoch, seq, time)| Position { epoch, seq, time: TimeBits(time) }))
    }

    proptest! {
        #[test]
        fn a_token_comes_back_and_is_short(a in position(), b in position(), c in position()) {
            let positions = Positions([a, b, c]);
            let token = positions.to_string();
            let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            prop_assert!(token.len() <= 88 && token.bytes().all(is_safe), "{}", token);
            prop_assert_eq!(token.parse(), Ok(positions));
        }

        #[test]
        fn no_text_breaks_the_parser(text in any::<String>()) {
            let _ = parse_since(&text);
        }
    }

    #[test]
    fn since_names_a_resumable_stream_its_epoch_and_a_sequence() {
        let positions = parse_since("kb:00000000000000ff:12").unwrap();
        assert_eq!(
            positions.get(Stream::Kb),
            Some(Position { epoch: 255, seq: 12, time: TimeBits::UNKNOWN })
        );
        for bad in
            ["kb:ff:12", "kb:00000000000000ff", "state:00000000000000ff:1", "kb:00000000000000ff:x", "", "AQ"]
        {
            assert!(bad == "AQ" || parse_since(bad).is_err(), "{bad}");
        }
        assert_eq!(parse_since("AQ"), Err(BadToken), "a version without a mask");
    }

    #[test]
    fn time_bits_contradict_only_when_both_are_known() {
        let (a, b) = (TimeBits::of_unix_ms(1), TimeBits::of_unix_ms(2));
        assert!(a.contradicts(b) && !a.contradicts(a) && !a.contradicts(TimeBits::UNKNOWN));
    }
}
