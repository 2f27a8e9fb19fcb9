//! JSON of the contract: the proto's mapping with snake_case names, whole numbers without a fraction.

use std::io;

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};

/// The largest magnitude below which every whole `f64` is exact: 2^53.
const EXACT_WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// Writes `7.0` as `7`; everything else as serde_json does.
struct WholeNumbers;

impl Formatter for WholeNumbers {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        if value.fract() == 0.0 && value.abs() <= EXACT_WHOLE_MAX {
            // A whole number in this range converts exactly.
            #[allow(clippy::cast_possible_truncation, reason = "checked: whole and within 2^53")]
            return CompactFormatter.write_i64(writer, value as i64);
        }
        CompactFormatter.write_f64(writer, value)
    }
}

/// `value` as JSON bytes, whole numbers without a fraction.
///
/// Panics never for messages of this contract: their maps have string keys and their writers are memory.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(128);
    value
        .serialize(&mut Serializer::with_formatter(&mut bytes, WholeNumbers))
        .expect("messages of the contract have string keys and memory does not fail to write");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1::{FactAdded, Gpu, GpuState};

    #[test]
    fn whole_numbers_have_no_fraction_and_every_plain_field_is_written() {
        let fact =
            FactAdded { id: 7.0, confidence: 0.5, revision: 9_007_199_254_740_991.0, ..Default::default() };
        assert_eq!(
            String::from_utf8(to_vec(&fact)).unwrap(),
            r#"{"id":7,"statement":"","context":"","confidence":0.5,"created_at":"","revision":9007199254740991}"#
        );
    }

    #[test]
    fn what_is_not_known_is_absent_and_never_zero() {
        let gpu = Gpu { index: 0, name: "x".into(), utilization_percent: Some(0.0), ..Default::default() };
        let state =
            GpuState { node: "n".into(), source: "simulator".into(), gpus: vec![gpu], time: String::new() };
        assert_eq!(
            String::from_utf8(to_vec(&state)).unwrap(),
            r#"{"node":"n","source":"simulator","gpus":[{"index":0,"name":"x","utilization_percent":0}],"time":""}"#
        );
    }
}
