//! The codec between names of the world (nodes with dots, users with `@`) and one token of a NATS subject.
//!
//! Letters, digits, `_` and `-` stay; every other byte of the UTF-8 form becomes `=` and two upper-case hex digits,
//! as in quoted-printable. The empty name is `=`. The codec is a bijection between names and its own output.

/// Why a subject token is no encoded name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NameError {
    /// `=` without two upper-case hex digits, or the escape of a byte that needs none.
    #[error("malformed escape at byte {0}")]
    Escape(usize),
    /// A byte that is only legal escaped.
    #[error("byte {0} must be escaped")]
    Raw(usize),
    /// The decoded bytes are not UTF-8.
    #[error("not UTF-8 once decoded")]
    Utf8,
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// Encodes `name` as one token of a subject.
pub fn encode(name: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    if name.is_empty() {
        return "=".to_owned();
    }
    let mut token = String::with_capacity(name.len());
    for byte in name.bytes() {
        if is_plain(byte) {
            token.push(char::from(byte));
        } else {
            token.push('=');
            token.push(char::from(HEX[usize::from(byte >> 4)]));
            token.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    token
}

/// Decodes what [`encode`] made; anything else is an error.
pub fn decode(token: &str) -> Result<String, NameError> {
    if token == "=" {
        return Ok(String::new());
    }
    let hex = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    };
    let bytes = token.as_bytes();
    let mut name = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if is_plain(bytes[at]) {
            name.push(bytes[at]);
            at += 1;
        } else if bytes[at] == b'=' {
            let pair = bytes.get(at + 1..at + 3).ok_or(NameError::Escape(at))?;
            let value = hex(pair[0]).zip(hex(pair[1])).map(|(high, low)| high << 4 | low);
            let value = value.filter(|byte| !is_plain(*byte)).ok_or(NameError::Escape(at))?;
            name.push(value);
            at += 3;
        } else {
            return Err(NameError::Raw(at));
        }
    }
    if name.is_empty() {
        return Err(NameError::Escape(0));
    }
    String::from_utf8(name).map_err(|_| NameError::Utf8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nodes_and_users_become_one_token() {
        assert_eq!(encode("gpu-1.rack.example"), "gpu-1=2Erack=2Eexample");
        assert_eq!(encode("ada@example.org"), "ada=40example=2Eorg");
        assert_eq!(encode(""), "=");
    }

    #[test]
    fn what_the_codec_never_writes_is_refused() {
        assert_eq!(decode("a.b"), Err(NameError::Raw(1)));
        assert_eq!(decode("a=2"), Err(NameError::Escape(1)));
        assert_eq!(decode("=41"), Err(NameError::Escape(0)), "an A needs no escape");
        assert_eq!(decode("=2e"), Err(NameError::Escape(0)), "lower-case hex");
        assert_eq!(decode("=FF"), Err(NameError::Utf8));
        assert_eq!(decode(""), Err(NameError::Escape(0)));
    }

    proptest! {
        #[test]
        fn every_name_comes_back(name in any::<String>()) {
            let token = encode(&name);
            prop_assert!(token.bytes().all(|byte| is_plain(byte) || byte == b'='));
            prop_assert_eq!(decode(&token), Ok(name));
        }

        #[test]
        fn every_accepted_token_is_the_only_one_for_its_name(token in "[a-c=0-4A-F.]{0,8}") {
            if let Ok(name) = decode(&token) {
                prop_assert_eq!(encode(&name), token);
            }
        }
    }
}
