//! Text to facts, one pass, with the position of the first error. The grammar is in `docs/fact-grammar.md`.

use std::borrow::Cow;

use unicode_normalization::char::is_combining_mark;

use super::{Argument, DEPTH_MAX, Fact, Number, STATEMENT_BYTES_MAX, Term, Word, normal};

/// Where a text stops being a statement, and what would have gone on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} at column {column}")]
pub struct ParseError {
    /// Offset in bytes of the offending character, or the length of the text where it ends too soon.
    pub byte_offset: usize,
    /// The same position in characters, counted from 1.
    pub column: usize,
    /// What the grammar allows there.
    pub expected: &'static str,
}

const EXPECTED_LENGTH: &str = "at most 8192 bytes";
const EXPECTED_DEPTH: &str = "at most 32 terms within one another";
const EXPECTED_ARGUMENT: &str = "a word, a number, a \"string\" or a term";
const EXPECTED_ESCAPE: &str =
    "an escape: one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t or \\u and four hex digits";

// The texts above name the limits; this fails to compile when one is changed without the other.
const _: () = assert!(STATEMENT_BYTES_MAX == 8192 && DEPTH_MAX == 32);

/// Reads one statement; white space around it and a missing closing dot are forgiven.
///
/// # Errors
/// [`ParseError`] at the first character that no statement continues with, or where a limit is passed.
pub fn parse(input: &str) -> Result<Fact, ParseError> {
    parse_in(input, normal)
}

/// As [`parse`], for a statement that a store keeps: one that was written when texts were kept as they came stays so,
/// and is found as it is.
///
/// # Errors
/// As [`parse`].
pub fn parse_kept(input: &str) -> Result<Fact, ParseError> {
    parse_in(input, |text| Cow::Borrowed(text))
}

fn parse_in(input: &str, form: Form) -> Result<Fact, ParseError> {
    let mut parser = Parser { input, at: 0, form };
    if input.len() > STATEMENT_BYTES_MAX {
        return Err(parser.error_at(input.floor_char_boundary(STATEMENT_BYTES_MAX), EXPECTED_LENGTH));
    }
    let fact = parser.fact()?;
    // Spaces after commas and the dot can make the printed form longer than what was sent.
    if printed_can_exceed_limit(input) && fact.to_string().len() > STATEMENT_BYTES_MAX {
        return Err(parser.error_at(input.len(), EXPECTED_LENGTH));
    }
    Ok(fact)
}

/// False when no spelling of `input` can print longer than the limit: each comma adds at most one space, and the normal
/// form of another character is at most three times as long.
fn printed_can_exceed_limit(input: &str) -> bool {
    input.len() * 3 + 1 > STATEMENT_BYTES_MAX
}

/// Offset in `word` of the first mark that is no part of a letter; of the word's end where there is none.
fn loose_mark(word: &str) -> usize {
    let mut letter_at = 0;
    for (at, letter) in word.char_indices().chain([(word.len(), 'a')]) {
        if is_combining_mark(letter) && !continues_word(letter) {
            continue;
        }
        let with_marks = &word[letter_at..at];
        if !normal(with_marks).chars().all(continues_word) {
            let mark = with_marks.find(|letter| !continues_word(letter));
            return letter_at + mark.unwrap_or(0);
        }
        letter_at = at;
    }
    word.len()
}

pub(super) fn starts_word(letter: char) -> bool {
    letter.is_alphabetic() || letter == '_'
}

pub(super) fn continues_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// `text` as one number with nothing around it.
pub(super) fn whole_number(text: &str) -> Option<Number> {
    let mut parser = Parser { input: text, at: 0, form: normal };
    parser.number().ok().filter(|_| parser.at == text.len())
}

/// How a text is brought to its one form.
type Form = fn(&str) -> Cow<'_, str>;

struct Parser<'a> {
    input: &'a str,
    /// Byte offset of the next character; always on a character's boundary.
    at: usize,
    form: Form,
}

impl Parser<'_> {
    fn fact(&mut self) -> Result<Fact, ParseError> {
        self.skip_space();
        let negated = self.take(b'-');
        self.skip_space();
        let name = self.word(if negated { "a predicate" } else { "a predicate, or `-` and a predicate" })?;
        self.skip_space();
        if self.peek_byte() != Some(b'(') {
            return Err(self.error("`(`"));
        }
        let term = self.arguments_of(name, 1)?;
        self.skip_space();
        self.take(b'.');
        self.skip_space();
        if self.at < self.input.len() {
            Err(self.error("the end of the statement"))
        } else {
            Ok(Fact { negated, term })
        }
    }

    /// Reads `(argument, ...)`; the opening bracket has been seen.
    fn arguments_of(&mut self, name: Word, depth: usize) -> Result<Term, ParseError> {
        if depth > DEPTH_MAX {
            return Err(self.error(EXPECTED_DEPTH));
        }
        self.at += 1;
        let mut arguments = Vec::with_capacity(2);
        loop {
            self.skip_space();
            arguments.push(self.argument(depth)?);
            self.skip_space();
            if self.take(b')') {
                return Ok(Term { name, arguments });
            }
            if !self.take(b',') {
                return Err(self.error("`,` or `)`"));
            }
        }
    }

    fn argument(&mut self, depth: usize) -> Result<Argument, ParseError> {
        match self.peek_byte() {
            Some(b'"') => self.text().map(Argument::Text),
            Some(b'-' | b'0'..=b'9') => self.number().map(Argument::Number),
            _ => {
                let name = self.word(EXPECTED_ARGUMENT)?;
                let word_end = self.at;
                self.skip_space();
                if self.peek_byte() == Some(b'(') {
                    return self.arguments_of(name, depth + 1).map(Argument::Term);
                }
                self.at = word_end;
                Ok(Argument::Word(name))
            }
        }
    }

    fn word(&mut self, expected: &'static str) -> Result<Word, ParseError> {
        let rest = &self.input[self.at..];
        if !rest.starts_with(starts_word) {
            return Err(self.error(expected));
        }
        // Marks are part of a letter where Unicode has one for both, such as `é`.
        let is_part = |letter| continues_word(letter) || is_combining_mark(letter);
        let length = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
        let word = (self.form)(&rest[..length]);
        if !word.chars().all(continues_word) {
            self.at += loose_mark(&rest[..length]);
            return Err(self.error(expected));
        }
        self.at += length;
        Ok(Word(word.into()))
    }

    fn number(&mut self) -> Result<Number, ParseError> {
        let from = self.at;
        self.take(b'-');
        if self.take(b'0') {
            if matches!(self.peek_byte(), Some(b'0'..=b'9')) {
                return Err(self.error("a number without leading zeros"));
            }
        } else {
            self.digits()?;
        }
        // A dot that no digit follows is no part of the number; the caller says what it expected instead.
        if self.peek_byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        let mantissa = &self.input[from..self.at];
        if !self.take(b'e') && !self.take(b'E') {
            return Ok(Number(mantissa.into()));
        }
        let negative = self.take(b'-');
        if !negative {
            self.take(b'+');
        }
        let exponent = self.digits()?.trim_start_matches('0');
        let (sign, exponent) = match (negative, exponent) {
            (_, "") => ("", "0"),
            (true, exponent) => ("-", exponent),
            (false, exponent) => ("", exponent),
        };
        Ok(Number(format!("{mantissa}e{sign}{exponent}").into()))
    }

    fn digits(&mut self) -> Result<&str, ParseError> {
        let rest = &self.input.as_bytes()[self.at..];
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 {
            return Err(self.error("a digit"));
        }
        self.at += count;
        Ok(&self.input[self.at - count..self.at])
    }

    /// Reads a string; the opening quote has been seen.
    fn text(&mut self) -> Result<Box<str>, ParseError> {
        self.at += 1;
        let mut text = String::new();
        loop {
            let rest = &self.input[self.at..];
            let plain = rest
                .find(|letter: char| letter == '"' || letter == '\\' || letter.is_control())
                .unwrap_or(rest.len());
            self.at += plain;
            text.push_str(&rest[..plain]);
            match self.peek_byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok((self.form)(&text).into());
                }
                Some(b'\\') => text.push(self.escape()?),
                Some(_) => return Err(self.error("an escape for this control character")),
                None => return Err(self.error("the closing `\"`")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, ParseError> {
        self.at += 1;
        let plain = match self.peek_byte() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(),
            _ => return Err(self.error(EXPECTED_ESCAPE)),
        };
        self.at += 1;
        Ok(plain)
    }

    /// Reads `uXXXX`, or the pair of them that stands for one character beyond U+FFFF.
    fn unicode_escape(&mut self) -> Result<char, ParseError> {
        let from = self.at;
        let first = self.hex_unit()?;
        if let Some(letter) = char::from_u32(first) {
            return Ok(letter);
        }
        if first < 0xDC00 && self.input[self.at..].starts_with("\\u") {
            self.at += 1;
            let second = self.hex_unit()?;
            if (0xDC00..0xE000).contains(&second) {
                let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                return Ok(char::from_u32(code).expect("a surrogate pair is below U+110000"));
            }
        }
        Err(self.error_at(from, "a surrogate pair, not half of one"))
    }

    fn hex_unit(&mut self) -> Result<u32, ParseError> {
        self.at += 1;
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek_byte().and_then(|byte| char::from(byte).to_digit(16));
            unit = unit * 16 + digit.ok_or_else(|| self.error("four hex digits"))?;
            self.at += 1;
        }
        Ok(unit)
    }

    fn skip_space(&mut self) {
        let rest = &self.input.as_bytes()[self.at..];
        self.at += rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count();
    }

    fn peek_byte(&self) -> Option<u8> {
        self.input.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek_byte() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn error(&self, expected: &'static str) -> ParseError {
        self.error_at(self.at, expected)
    }

    fn error_at(&self, byte_offset: usize, expected: &'static str) -> ParseError {
        let column = self.input[..byte_offset].chars().count() + 1;
        ParseError { byte_offset, column, expected }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn fails(input: &str, column: usize, expected: &str) {
        let error = parse(input).expect_err(input);
        assert_eq!((error.column, error.expected), (column, expected), "input {input:?}");
    }

    #[test]
    fn an_error_names_its_column_in_characters_and_what_was_expected() {
        fails("", 1, "a predicate, or `-` and a predicate");
        fails("--P(a)", 2, "a predicate");
        fails("Ärzte", 6, "`(`");
        fails("P()", 3, EXPECTED_ARGUMENT);
        fails("P(é b)", 5, "`,` or `)`");
        fails("P(a", 4, "`,` or `)`");
        fails("P(a). x", 7, "the end of the statement");
        fails("P(5kg)", 4, "`,` or `)`");
        fails("P(+5)", 3, EXPECTED_ARGUMENT);
        fails("P(007)", 4, "a number without leading zeros");
        fails("P(1.)", 5, "a digit");
        fails("P(1e)", 5, "a digit");
        fails("P(\"a", 5, "the closing `\"`");
        fails("P(\"a\nb\")", 5, "an escape for this control character");
        fails(r#"P("\x")"#, 5, EXPECTED_ESCAPE);
        fails(r#"P("\u12g4")"#, 8, "four hex digits");
        fails(r#"P("\ud800")"#, 5, "a surrogate pair, not half of one");
        fails(r#"P("\udc00\ud800")"#, 5, "a surrogate pair, not half of one");
    }

    #[test]
    fn the_offset_counts_bytes_where_the_column_counts_characters() {
        let error = parse("Größe(é,)").unwrap_err();
        assert_eq!((error.byte_offset, error.column), (11, 9));
        assert_eq!(error.to_string(), format!("expected {EXPECTED_ARGUMENT} at column 9"));
    }

    #[test]
    fn an_accent_is_part_of_its_letter_and_a_loose_one_is_refused_where_it_stands() {
        let prints = |input: &str| parse(input).unwrap().to_string();
        assert_eq!(prints("Cafe\u{301}(e\u{301}t, \"e\u{301}\")"), "Café(ét, \"é\").");
        assert_eq!(
            prints("P(\"\\u0065\\u0301\", \u{212b})"),
            "P(\"é\", Å).",
            "by escapes, and the sign of a unit"
        );
        assert_eq!(prints("P(\u{1112}\u{1161}\u{11ab})"), "P(한).", "letters that join");
        assert_eq!(prints("P(\"ﬁ\")"), "P(\"ﬁ\").", "what only looks alike stays");
        // `q` has no form with an accent.
        fails("P(e\u{301}q\u{301}a)", 6, EXPECTED_ARGUMENT);
        fails("P(\u{301}a)", 3, EXPECTED_ARGUMENT);
        fails("P\u{301}q\u{301}(a)", 4, "a predicate, or `-` and a predicate");
    }

    #[test]
    fn nesting_is_allowed_to_the_limit_and_refused_beyond() {
        let nested = |depth: usize| format!("{}a{}", "P(".repeat(depth), ")".repeat(depth));
        assert!(parse(&nested(DEPTH_MAX)).is_ok());
        assert_eq!(parse(&nested(DEPTH_MAX + 1)).unwrap_err().expected, EXPECTED_DEPTH);
        assert!(parse(&"P(".repeat(STATEMENT_BYTES_MAX / 2)).is_err());
    }

    #[test]
    fn length_is_limited_as_sent_and_as_printed() {
        let padding = "é".repeat(STATEMENT_BYTES_MAX);
        let error = parse(&format!("P(\"a{padding}\")")).unwrap_err();
        assert_eq!((error.byte_offset, error.expected), (STATEMENT_BYTES_MAX, EXPECTED_LENGTH));

        let many = format!("P({}a)", "a,".repeat(STATEMENT_BYTES_MAX / 2 - 4));
        assert!(many.len() < STATEMENT_BYTES_MAX);
        assert_eq!(parse(&many).unwrap_err().expected, EXPECTED_LENGTH);
    }

    #[test]
    fn a_word_and_a_string_of_the_same_letters_are_two_arguments() {
        assert_ne!(parse("P(a)"), parse("P(\"a\")"));
        assert_ne!(parse("P(1)"), parse("P(1.0)"));
        assert_ne!(parse("P(a)"), parse("-P(a)"));
    }
}
