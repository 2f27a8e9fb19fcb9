//! Pieces of JSON written straight into a frame.

use bytes::{BufMut, BytesMut};

/// `text` as a JSON string.
pub fn put_json_string(out: &mut BytesMut, text: &str) {
    serde_json::to_writer(out.writer(), text).expect("memory does not fail to write a string");
}
