//! The value of a number as the grammar has it, in one form for all ways to write it.

use std::borrow::Cow;

/// `text`, a number of the grammar, as its figures without zeros at either end and the power of ten behind them:
/// `1.50` and `15e-1` are `15e-1`, and every zero is `0`.
///
/// An exponent that no `i64` holds stays as it is written; so such a number equals only itself.
pub fn value_of(text: &str) -> Cow<'_, str> {
    canonical(text).map_or(Cow::Borrowed(text), Cow::Owned)
}

fn canonical(text: &str) -> Option<String> {
    let (sign, unsigned) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (mantissa, exponent) = unsigned.split_once('e').unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let figures = [whole, fraction].concat();
    let without_tail = figures.trim_end_matches('0');
    let significant = without_tail.trim_start_matches('0');
    if significant.is_empty() {
        return Some("0".to_owned());
    }
    let exponent: i64 = exponent.parse().ok()?;
    let [places, tail] = [fraction.len(), figures.len() - without_tail.len()].map(i128::try_from);
    let power = i128::from(exponent) - places.ok()? + tail.ok()?;
    Some(format!("{sign}{significant}e{power}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::grammar::Number;

    fn value(text: &str) -> String {
        value_of(Number::new(text).unwrap().as_str()).into_owned()
    }

    #[test]
    fn all_ways_to_write_a_number_have_one_form() {
        for same in [
            &["1.50", "1.5", "15e-1", "0.15E+1", "150e-2"][..],
            &["0", "-0", "0.00", "0e9", "-0.0e-5"],
            &["-2000", "-2e3", "-0.02e5"],
            &["7.342e22", "73420000000000000000000"],
        ] {
            for text in same {
                assert_eq!(value(text), value(same[0]), "{text}");
            }
        }
        for (one, other) in [("1", "-1"), ("1", "10"), ("0.1", "0.01"), ("12", "1.2")] {
            assert_ne!(value(one), value(other));
        }
    }

    #[test]
    fn an_exponent_beyond_all_measure_equals_only_itself() {
        let huge = "1e99999999999999999999";
        assert_eq!(value(huge), huge);
        assert_eq!(value("0e99999999999999999999"), "0");
        assert_eq!(value("1.0e-9223372036854775808"), "1e-9223372036854775808");
        assert_eq!(value("1.1e-9223372036854775808"), "11e-9223372036854775809");
    }

    proptest! {
        #[test]
        fn numbers_are_the_same_exactly_where_their_values_are(
            one in "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,3})?(e-?[1-4])?",
            other in "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,3})?(e-?[1-4])?",
        ) {
            // Exact in ten-millionths: at most 4 figures before and 7 after the point, times 10^4.
            let scaled = |text: &str| (text.parse::<f64>().unwrap() * 1e7).round();
            prop_assert_eq!(value(&one) == value(&other), scaled(&one) == scaled(&other));
        }
    }
}
