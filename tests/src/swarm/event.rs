//! The event that the bench publishes and finds again: 512 bytes of JSON that carry a topic's number, a counter of that
//! topic and the time of sending. Pure, but for the clock.

use anyhow::{Context, Result, ensure};
use memchr::memmem;
use rustix::time::{ClockId, clock_gettime};

/// Size of an event's payload, bytes.
pub const PAYLOAD_SIZE: usize = 512;
/// What stands before the stamp. No wire form of any protocol here escapes it.
const MARKER: &[u8] = b"{\"bench\":\"";
/// Hexadecimal digits of topic, counter and time.
const TOPIC_DIGITS: usize = 8;
const COUNTER_DIGITS: usize = 16;
const SENT_DIGITS: usize = 16;
const STAMP_SIZE: usize = TOPIC_DIGITS + COUNTER_DIGITS + SENT_DIGITS;

/// What an event says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Number of the topic.
    pub topic: u32,
    /// Events of this topic so far, from 1.
    pub counter: u64,
    /// When it was sent or due, nanoseconds of [`now_ns`].
    pub sent_ns: u64,
}

/// Nanoseconds of a clock that all processes of this machine share.
pub fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let (seconds, nanos) = (now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs());
    seconds * 1_000_000_000 + nanos
}

/// Bytes around a stamp, such as a whole frame of the gateway: written once, then only its stamp changes.
#[derive(Debug, Clone)]
pub struct Template {
    bytes: Vec<u8>,
    stamp_at: usize,
}

impl Template {
    /// The bare payload.
    ///
    /// # Panics
    /// Never: the payload is made here.
    pub fn payload() -> Self {
        let zeros = "0".repeat(STAMP_SIZE);
        let head = format!("{}{zeros}\",\"pad\":\"", String::from_utf8_lossy(MARKER));
        let pad = "x".repeat(PAYLOAD_SIZE - head.len() - 2);
        Self::of(format!("{head}{pad}\"}}").into_bytes()).expect("the payload has a marker")
    }

    /// Bytes that hold a payload.
    ///
    /// # Errors
    /// When they hold none.
    pub fn of(bytes: Vec<u8>) -> Result<Self> {
        let at = memmem::find(&bytes, MARKER).context("no stamp in these bytes")? + MARKER.len();
        ensure!(bytes.len() >= at + STAMP_SIZE, "the stamp is cut off");
        Ok(Self { bytes, stamp_at: at })
    }

    /// The bytes with this stamp.
    pub fn stamped(&mut self, stamp: Stamp) -> &[u8] {
        let (topic, rest) = self.bytes[self.stamp_at..].split_at_mut(TOPIC_DIGITS);
        let (counter, rest) = rest.split_at_mut(COUNTER_DIGITS);
        put_hex(topic, u64::from(stamp.topic));
        put_hex(counter, stamp.counter);
        put_hex(&mut rest[..SENT_DIGITS], stamp.sent_ns);
        &self.bytes
    }
}

/// The stamp in a message. `hint` is where the last one began: frames of one stream look alike.
pub fn find(message: &[u8], hint: &mut usize) -> Option<Stamp> {
    let is_there = message.get(*hint..*hint + MARKER.len()).is_some_and(|bytes| bytes == MARKER);
    if !is_there {
        *hint = memmem::find(message, MARKER)?;
    }
    let stamp = message.get(*hint + MARKER.len()..*hint + MARKER.len() + STAMP_SIZE)?;
    let (topic, rest) = stamp.split_at(TOPIC_DIGITS);
    let (counter, sent) = rest.split_at(COUNTER_DIGITS);
    Some(Stamp { topic: u32::try_from(hex(topic)?).ok()?, counter: hex(counter)?, sent_ns: hex(sent)? })
}

fn put_hex(target: &mut [u8], mut value: u64) {
    for digit in target.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(value & 15) as usize];
        value >>= 4;
    }
}

fn hex(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |value: u64, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(value << 4 | u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_found_wherever_it_stands() {
        let stamp = Stamp { topic: 49_999, counter: 12, sent_ns: now_ns() };
        let payload = Template::payload().stamped(stamp).to_vec();
        assert_eq!(payload.len(), PAYLOAD_SIZE);
        let mut hint = 0;
        for before in ["", "data: {\"data\":", "{\"type\":\"x\",\"payload\":"] {
            let message = [before.as_bytes(), &payload].concat();
            assert_eq!(find(&message, &mut hint), Some(stamp), "{before}");
            assert_eq!(hint, before.len());
        }
        assert_eq!(find(b"{\"type\":\"checkpoint\"}", &mut hint), None);
        assert_eq!(find(&payload[..30], &mut hint), None);
    }
}
