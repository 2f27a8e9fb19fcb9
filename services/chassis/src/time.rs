//! Time as the contract writes it: RFC 3339, UTC.

use std::time::{Duration, SystemTime};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// `at` in RFC 3339, UTC, with microseconds at most.
pub fn rfc3339(at: SystemTime) -> String {
    let moment = OffsetDateTime::from(at);
    let whole_microseconds = moment.nanosecond() / 1_000 * 1_000;
    moment
        .replace_nanosecond(whole_microseconds)
        .unwrap_or(moment)
        .format(&Rfc3339)
        .expect("years 1970 to 9999 have a form in RFC 3339")
}

/// This moment in RFC 3339, UTC.
pub fn now() -> String {
    rfc3339(SystemTime::now())
}

/// Parses RFC 3339; `None` if it is not.
pub fn parse(text: &str) -> Option<SystemTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok().map(SystemTime::from)
}

/// Time since `text` (RFC 3339); `None` if that is no time, zero if it lies ahead.
pub fn age(text: &str) -> Option<Duration> {
    Some(SystemTime::now().duration_since(parse(text)?).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_in_utc_and_comes_back() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_nanos(1_700_000_000_123_456_789);
        assert_eq!(rfc3339(at), "2023-11-14T22:13:20.123456Z");
        assert_eq!(parse("2023-11-14T22:13:20.123456Z"), Some(at - Duration::from_nanos(789)));
        assert_eq!(parse("yesterday"), None);
    }
}
