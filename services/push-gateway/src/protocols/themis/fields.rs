//! The fields of a client's message, checked. `null` is as good as absent: older clients send it for what they leave
//! out.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

/// Why a message is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// Stable code.
    pub code: &'static str,
    /// For people.
    pub message: String,
}

impl Invalid {
    /// With a code and a sentence.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// A field that is not what it must be.
    pub fn field(name: &str, wanted: impl std::fmt::Display) -> Self {
        Self::new("invalid_field", format!("{name} must be {wanted}"))
    }
}

/// A client's message.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a>(pub &'a Map<String, Value>);

impl<'a> Fields<'a> {
    fn get(self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A string.
    pub fn text(self, name: &str) -> Result<Option<&'a str>, Invalid> {
        let read = |value: &'a Value| value.as_str().ok_or_else(|| Invalid::field(name, "a string"));
        self.get(name).map(read).transpose()
    }

    /// A string that says something.
    pub fn wanted_text(self, name: &str) -> Result<&'a str, Invalid> {
        let text = self.text(name)?.filter(|text| !text.trim().is_empty());
        text.ok_or_else(|| Invalid::field(name, "a string that is not empty"))
    }

    /// A whole number in a range, also written as `5.0`.
    pub fn whole(self, name: &str, range: RangeInclusive<u32>) -> Result<Option<u32>, Invalid> {
        let (first, last) = (*range.start(), *range.end());
        let read = |value: &Value| {
            let number = value.as_f64().filter(|number| number.fract() == 0.0)?;
            (f64::from(first)..=f64::from(last)).contains(&number).then(|| {
                #[allow(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "checked: whole and in a range of u32"
                )]
                let number = number as u32;
                number
            })
        };
        let wanted = || Invalid::field(name, format!("a whole number from {first} to {last}"));
        self.get(name).map(|value| read(value).ok_or_else(wanted)).transpose()
    }

    /// A number from 0 to 1.
    pub fn share(self, name: &str) -> Result<Option<f64>, Invalid> {
        let read = |value: &Value| value.as_f64().filter(|number| (0.0..=1.0).contains(number));
        let wanted = || Invalid::field(name, "a number from 0 to 1");
        self.get(name).map(|value| read(value).ok_or_else(wanted)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn absent_and_null_are_nothing_and_what_is_out_of_range_is_refused() {
        let Value::Object(map) = json!({
            "none": null, "text": "a", "blank": " ", "five": 5, "five_too": 5.0, "half": 0.5, "much": 11, "less": -1
        }) else {
            panic!("it is an object");
        };
        let fields = Fields(&map);
        for name in ["none", "absent"] {
            assert_eq!(fields.text(name), Ok(None));
            assert_eq!(fields.whole(name, 1..=10), Ok(None));
            assert_eq!(fields.share(name), Ok(None));
            assert!(fields.wanted_text(name).is_err());
        }
        assert_eq!((fields.text("text"), fields.wanted_text("text")), (Ok(Some("a")), Ok("a")));
        assert_eq!(
            fields.wanted_text("blank").unwrap_err().message,
            "blank must be a string that is not empty"
        );
        assert_eq!(fields.text("five").unwrap_err().code, "invalid_field");
        for name in ["five", "five_too"] {
            assert_eq!(fields.whole(name, 1..=10), Ok(Some(5)));
        }
        for name in ["half", "much", "less", "text"] {
            assert!(fields.whole(name, 1..=10).is_err(), "{name}");
        }
        assert_eq!(fields.share("half"), Ok(Some(0.5)));
        assert!(fields.share("five").is_err() && fields.share("less").is_err());
    }
}
