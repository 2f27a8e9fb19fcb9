//! Cuts the body of a bulk request into records as it arrives: lines, or the elements of a JSON array. A pure machine
//! that holds at most one record.

/// Longest line or element, bytes: a statement of the greatest length with every character escaped, and its context.
pub const RECORD_BYTES_MAX: usize = 64 * 1024;

/// One record of a body.
#[derive(Debug, PartialEq, Eq)]
pub struct Record {
    /// Its line, or its place in the array; from 1.
    pub number: u64,
    /// Its bytes; `None` where there were more than [`RECORD_BYTES_MAX`].
    pub bytes: Option<Vec<u8>>,
}

/// The body as a whole is not what its type says; what came before is used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("after element {after}: {problem}")]
pub struct FramingError {
    /// Elements before it.
    pub after: u64,
    /// What is wrong.
    pub problem: &'static str,
}

/// How a body is cut.
#[derive(Debug)]
pub enum Framer {
    /// At line feeds; lines of white space are no records, but count as lines.
    Lines(Piece),
    /// At the commas of an array.
    Array(Piece, ArrayState),
}

/// The record that is under way.
#[derive(Debug, Default)]
pub struct Piece {
    number: u64,
    bytes: Vec<u8>,
    too_long: bool,
}

/// Where in the array the machine is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ArrayState {
    /// Before `[`.
    #[default]
    Before,
    /// Within the array.
    Within {
        /// Brackets open inside the element.
        depth: usize,
        /// Inside a string.
        string: bool,
        /// After a `\` in a string.
        escaped: bool,
        /// A comma has announced one more element.
        announced: bool,
    },
    /// After `]`.
    After,
}

const BETWEEN: ArrayState = ArrayState::Within { depth: 0, string: false, escaped: false, announced: false };

impl Piece {
    fn extend(&mut self, bytes: &[u8]) {
        if self.too_long || self.bytes.len() + bytes.len() > RECORD_BYTES_MAX {
            self.too_long = true;
            self.bytes.clear();
        } else {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// Ends the record; `None` where it is only white space.
    fn end(&mut self) -> Option<Record> {
        self.number += 1;
        let bytes = std::mem::take(&mut self.bytes);
        if std::mem::take(&mut self.too_long) {
            return Some(Record { number: self.number, bytes: None });
        }
        if bytes.trim_ascii().is_empty() {
            return None;
        }
        Some(Record { number: self.number, bytes: Some(bytes) })
    }

    /// Asked for every blank of an array: looks at one byte there, for blanks never begin an element.
    fn is_blank(&self) -> bool {
        !self.too_long && self.bytes.iter().all(u8::is_ascii_whitespace)
    }

    fn error(&self, problem: &'static str) -> FramingError {
        FramingError { after: self.number, problem }
    }
}

impl Framer {
    /// Cuts at line feeds.
    pub fn lines() -> Self {
        Self::Lines(Piece::default())
    }

    /// Cuts a JSON array.
    pub fn array() -> Self {
        Self::Array(Piece::default(), ArrayState::Before)
    }

    /// Takes the next bytes and hands each record that they end to `each`.
    pub fn push(&mut self, bytes: &[u8], each: &mut impl FnMut(Record)) -> Result<(), FramingError> {
        match self {
            Self::Lines(piece) => {
                let mut lines = bytes.split(|byte| *byte == b'\n');
                // The first part continues the line under way; each further part begins one.
                piece.extend(lines.next().unwrap_or_default());
                for line in lines {
                    piece.end().map(&mut *each);
                    piece.extend(line);
                }
                Ok(())
            }
            Self::Array(piece, state) => {
                for (at, byte) in bytes.iter().enumerate() {
                    *state = state.step(piece, *byte, &bytes[at..=at], each)?;
                }
                Ok(())
            }
        }
    }

    /// The body has ended.
    pub fn finish(mut self, each: &mut impl FnMut(Record)) -> Result<(), FramingError> {
        match &mut self {
            Self::Lines(piece) => {
                if !piece.is_blank() {
                    piece.end().map(each);
                }
                Ok(())
            }
            Self::Array(_, ArrayState::After) => Ok(()),
            Self::Array(piece, ArrayState::Before) => Err(piece.error("the body is not a JSON array")),
            Self::Array(piece, _) => Err(piece.error("the array is not closed")),
        }
    }
}

impl ArrayState {
    fn step(
        self,
        piece: &mut Piece,
        byte: u8,
        as_slice: &[u8],
        each: &mut impl FnMut(Record),
    ) -> Result<Self, FramingError> {
        let blank = byte.is_ascii_whitespace();
        match self {
            Self::Before if blank => Ok(self),
            Self::Before if byte == b'[' => Ok(BETWEEN),
            Self::Before => Err(piece.error("the body is not a JSON array")),
            Self::After if blank => Ok(self),
            Self::After => Err(piece.error("something follows the array")),
            Self::Within { depth: 0, string: false, announced, .. } if byte == b',' || byte == b']' => {
                let closes = byte == b']';
                if piece.is_blank() && (!closes || announced) {
                    return Err(piece.error("an element is missing"));
                }
                if !piece.is_blank() {
                    piece.end().map(each);
                }
                piece.bytes.clear();
                let next = Self::Within { depth: 0, string: false, escaped: false, announced: true };
                Ok(if closes { Self::After } else { next })
            }
            Self::Within { depth, string: true, escaped, announced } => {
                piece.extend(as_slice);
                let string = escaped || byte != b'"';
                Ok(Self::Within { depth, string, escaped: !escaped && byte == b'\\', announced })
            }
            Self::Within { depth, announced, .. } => {
                if !(blank && piece.is_blank()) {
                    piece.extend(as_slice);
                }
                let depth = match byte {
                    b'{' | b'[' => depth + 1,
                    b'}' | b']' => depth.saturating_sub(1),
                    _ => depth,
                };
                Ok(Self::Within { depth, string: byte == b'"', escaped: false, announced })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Records of `body`, fed in pieces of `step` bytes.
    fn cut(
        mut framer: Framer,
        body: &[u8],
        step: usize,
    ) -> (Vec<(u64, Option<String>)>, Option<FramingError>) {
        let mut records = Vec::new();
        let mut each = |record: Record| {
            records.push((record.number, record.bytes.map(|bytes| String::from_utf8(bytes).unwrap())));
        };
        // As the endpoint does, the first error ends it.
        let pushed = body.chunks(step).try_for_each(|part| framer.push(part, &mut each));
        let error = pushed.and_then(|()| framer.finish(&mut each)).err();
        (records, error)
    }

    fn some(records: &[(u64, &str)]) -> Vec<(u64, Option<String>)> {
        records.iter().map(|(number, text)| (*number, Some((*text).to_owned()))).collect()
    }

    #[test]
    fn lines_keep_their_numbers_and_blank_ones_are_no_records() {
        for step in 1..8 {
            let (records, error) = cut(Framer::lines(), b"P(a)\r\n\n  \nP(b)", step);
            assert_eq!((records, error), (some(&[(1, "P(a)\r"), (4, "P(b)")]), None));
        }
        assert_eq!(cut(Framer::lines(), b"", 1).0, []);
    }

    #[test]
    fn elements_of_an_array_are_cut_outside_strings_and_brackets() {
        let body = br#" [ "a,]\"[" , {"b":[1,{"c":"}"}]},7 ] "#;
        for step in 1..8 {
            let (records, error) = cut(Framer::array(), body, step);
            let expected = some(&[(1, r#""a,]\"[" "#), (2, r#"{"b":[1,{"c":"}"}]}"#), (3, "7 ")]);
            assert_eq!((records, error), (expected, None));
        }
        assert_eq!(cut(Framer::array(), b"[]", 1), (vec![], None));
    }

    #[test]
    fn a_broken_array_is_told_with_the_elements_before_it() {
        let problem = |body: &[u8]| cut(Framer::array(), body, 3).1.map(|error| (error.after, error.problem));
        assert_eq!(problem(b""), Some((0, "the body is not a JSON array")));
        assert_eq!(problem(b"{}"), Some((0, "the body is not a JSON array")));
        assert_eq!(problem(b"[1,2"), Some((1, "the array is not closed")));
        assert_eq!(problem(b"[1,]"), Some((1, "an element is missing")));
        assert_eq!(problem(b"[,1]"), Some((0, "an element is missing")));
        assert_eq!(problem(b"[1] x"), Some((1, "something follows the array")));
    }

    #[test]
    fn a_record_that_is_too_long_is_dropped_and_the_next_is_not() {
        let long = "x".repeat(RECORD_BYTES_MAX + 1);
        let (records, _) = cut(Framer::lines(), format!("{long}\nP(a)\n").as_bytes(), 4096);
        assert_eq!(records, [(1, None), (2, Some("P(a)".into()))]);
        let (records, error) = cut(Framer::array(), format!("[\"{long}\",\"P(a)\"]").as_bytes(), 4096);
        assert_eq!((records, error), (vec![(1, None), (2, Some("\"P(a)\"".into()))], None));
    }

    #[test]
    fn blanks_inside_an_element_are_part_of_it_however_many() {
        let blanks = " ".repeat(60_000);
        let (records, error) = cut(Framer::array(), format!("[{{{blanks}}}{blanks}]").as_bytes(), 4096);
        // With the blanks behind it, the element is longer than an element may be.
        assert_eq!((records, error), (vec![(1, None)], None));
        let (records, error) = cut(Framer::array(), format!("[{blanks}{{{blanks}}}]").as_bytes(), 4096);
        assert_eq!((records, error), (some(&[(1, &format!("{{{blanks}}}"))]), None));
    }

    proptest! {
        #[test]
        fn pieces_do_not_change_what_is_cut(body in "[\\[\\]{},\"\\\\ \na1]{0,40}", step in 1_usize..9) {
            let whole = body.len().max(1);
            prop_assert_eq!(
                cut(Framer::array(), body.as_bytes(), step),
                cut(Framer::array(), body.as_bytes(), whole)
            );
            prop_assert_eq!(
                cut(Framer::lines(), body.as_bytes(), step),
                cut(Framer::lines(), body.as_bytes(), whole)
            );
        }
    }
}
