//! Text into the pieces of words that the model knows, as BERT's uncased tokenizer does it.
//!
//! First words: without control characters and accents, in lower case, apart at white space; each punctuation mark and
//! each CJK ideograph is a word of its own. Then pieces: the longest one that the vocabulary has, again and again from
//! where the last ended; pieces inside a word begin with `##`. A word of which some part is no piece is unknown as a whole,
//! which is BERT's `[UNK]`. Names of BERT's own marks in a text, such as `[CLS]`, are ordinary text.
//!
//! After the description and code of google-research/bert, `tokenization.py`. The categories of characters are those of
//! the newest Unicode.

use std::borrow::Cow;
use std::collections::HashMap;

use foldhash::fast::FixedState;
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// Longest word in characters; a longer one is unknown. BERT's own limit.
const WORD_CHARS_MAX: usize = 100;

/// Number of a piece: its row in the table.
pub type PieceId = u32;

/// The pieces of a model.
#[derive(Debug)]
pub struct Vocabulary<'text> {
    /// Pieces that begin a word.
    first: HashMap<&'text str, PieceId, FixedState>,
    /// Pieces inside a word, without their `##`.
    inner: HashMap<&'text str, PieceId, FixedState>,
    /// Longest piece in bytes: no longer beginning of a word need be looked up.
    bytes_max: usize,
}

impl<'text> Vocabulary<'text> {
    /// The vocabulary whose pieces are `pieces`, numbered from 0.
    pub fn new(pieces: impl Iterator<Item = &'text str>) -> Self {
        let mut vocabulary = Self { first: HashMap::default(), inner: HashMap::default(), bytes_max: 0 };
        for (id, piece) in (0..).zip(pieces) {
            vocabulary.bytes_max = vocabulary.bytes_max.max(piece.len());
            match piece.strip_prefix("##").filter(|inner| !inner.is_empty()) {
                Some(inner) => vocabulary.inner.insert(inner, id),
                None => vocabulary.first.insert(piece, id),
            };
        }
        vocabulary
    }

    /// How many different pieces there are.
    pub fn len(&self) -> usize {
        self.first.len() + self.inner.len()
    }

    /// True without any piece.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The pieces of `text` in their order; `None` for a word of which some part is no piece.
    pub fn pieces(&self, text: &str) -> Vec<Option<PieceId>> {
        let clean = cleaned(text);
        let mut pieces = Vec::with_capacity(clean.len() / 4);
        for chunk in clean.split_whitespace() {
            let mut word_start = 0;
            for (at, letter) in chunk.char_indices().filter(|(_, letter)| is_own_word(*letter)) {
                self.word(&chunk[word_start..at], &mut pieces);
                word_start = at + letter.len_utf8();
                self.word(&chunk[at..word_start], &mut pieces);
            }
            self.word(&chunk[word_start..], &mut pieces);
        }
        pieces
    }

    fn word(&self, word: &str, pieces: &mut Vec<Option<PieceId>>) {
        let before = pieces.len();
        // Bytes are counted first: characters are never more.
        let short = word.len() <= WORD_CHARS_MAX || word.chars().count() <= WORD_CHARS_MAX;
        if !short || !self.split(word, pieces) {
            pieces.truncate(before);
            pieces.push(None);
        }
    }

    /// Adds the pieces of `word`, none for no word; false where some part of it is none.
    fn split(&self, word: &str, pieces: &mut Vec<Option<PieceId>>) -> bool {
        let mut map = &self.first;
        let mut rest = word;
        while !rest.is_empty() {
            let mut end = rest.floor_char_boundary(self.bytes_max);
            let id = loop {
                match map.get(&rest[..end]) {
                    Some(id) => break *id,
                    None if end == 0 => return false,
                    None => end = rest.floor_char_boundary(end - 1),
                }
            };
            pieces.push(Some(id));
            rest = &rest[end..];
            map = &self.inner;
        }
        true
    }
}

/// `text` in lower case, without accents and control characters.
fn cleaned(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        let plain = |byte: u8| byte == b' ' || byte.is_ascii_graphic() && !byte.is_ascii_uppercase();
        if text.bytes().all(plain) {
            return Cow::Borrowed(text);
        }
        let visible = text.chars().filter(|letter| !letter.is_ascii_control() || is_line_space(*letter));
        return Cow::Owned(visible.map(|letter| letter.to_ascii_lowercase()).collect());
    }
    let visible = text.chars().filter(|letter| !is_ignored(*letter));
    let bare = visible.nfd().filter(|letter| letter.general_category() != GeneralCategory::NonspacingMark);
    Cow::Owned(bare.flat_map(char::to_lowercase).collect())
}

/// White space, although its category is that of control characters.
fn is_line_space(letter: char) -> bool {
    matches!(letter, '\t' | '\n' | '\r')
}

fn is_ignored(letter: char) -> bool {
    let category = letter.general_category_group();
    letter == char::REPLACEMENT_CHARACTER || category == GeneralCategoryGroup::Other && !is_line_space(letter)
}

fn is_own_word(letter: char) -> bool {
    is_punctuation(letter) || !letter.is_ascii() && is_ideograph(letter)
}

/// What BERT takes for punctuation: of ASCII every mark, `$` and `+` too, else Unicode's categories.
pub fn is_punctuation(letter: char) -> bool {
    if letter.is_ascii() {
        return letter.is_ascii_punctuation();
    }
    letter.general_category_group() == GeneralCategoryGroup::Punctuation
}

/// The blocks of CJK ideographs that BERT takes apart. Hangul, Hiragana and Katakana are not among them: they are
/// written with spaces or have longer pieces.
fn is_ideograph(letter: char) -> bool {
    matches!(u32::from(letter),
        0x4E00..=0x9FFF
            | 0x3400..=0x4DBF
            | 0x20000..=0x2A6DF
            | 0x2A700..=0x2B73F
            | 0x2B740..=0x2B81F
            | 0x2B820..=0x2CEAF
            | 0xF900..=0xFAFF
            | 0x2F800..=0x2FA1F)
}

#[cfg(test)]
mod tests {
    use super::super::static_table::built_in_file;
    use super::*;

    /// The pieces of `text` as the built-in vocabulary has them, apart by spaces; `.` for what is no piece, which all
    /// punctuation is there.
    fn split(text: &str) -> String {
        let names: Vec<&str> = built_in_file().pieces().collect();
        let pieces = Vocabulary::new(names.iter().copied()).pieces(text);
        let named = pieces.iter().map(|piece| piece.map_or(".", |id| names[id as usize]));
        named.collect::<Vec<_>>().join(" ")
    }

    /// What the published tokenizer makes of the same texts.
    #[test]
    fn text_becomes_the_pieces_of_berts_uncased_tokenizer() {
        let cases = [
            ("the quick brown fox", "the quick brown fox"),
            ("Unbelievable, isn't it?", "unbelievable . isn . t it ."),
            ("naïve Café ÅNGSTRÖM", "naive cafe ang ##strom"),
            ("don't $5+2=7 <b> ^_^ `x|y~z`", "don . t . 5 . 2 . 7 . b . . . . . x . y . z ."),
            ("東京タワーへ行く", "東 京 タ ##ワ ##ー ##へ 行 く"),
            ("한국", "ᄒ ##ᅡ ##ᆫ ##ᄀ ##ᅮ ##ᆨ"),
            ("a\0b\u{fffd}c\u{200b}d\u{ad}e", "abc ##de"),
            (
                "tab\there\r\nand\u{a0}there\u{2003}wide\u{2028}line\u{85}next\u{b}vt",
                "tab here and there wide linen ##ex ##tv ##t",
            ),
            ("e\u{301} and é are one, A\u{30a}", "e and e are one . a"),
            ("İstanbul ǅ ﬁ ẞ", "istanbul . ﬁ ß"),
            ("«quoted» — dash… „low“", ". quoted . . dash . . low ."),
            ("🦀 crab 🦀", ". crab ."),
            ("supercalifragilistic", "super ##cal ##if ##rag ##ilis ##tic"),
            ("dog_n_1 02086723", "dog . n . 1 02 ##0 ##86 ##7 ##23"),
            ("½ m² °C", "½ m² °c"),
            ("##s s ## #", ". . s s . . ."),
            ("[CLS] [UNK] cls", ". cl ##s . . un ##k . cl ##s"),
            ("हिन्दी", "ह ##ि ##न ##द ##ी"),
            ("𠀀𠀁", ". ."),
            ("漢a字b", "漢 a . b"),
            ("", ""),
            (" \t\u{2003}", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(split(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_word_is_unknown_beyond_100_characters_however_many_bytes_they_have() {
        assert_eq!(
            split(&"x".repeat(100)),
            ["xx"].into_iter().chain(["##xx"; 49]).collect::<Vec<_>>().join(" ")
        );
        assert_eq!(split(&"x".repeat(101)), ".");
        assert_eq!(
            split(&"éa".repeat(50)),
            ["ea"].into_iter().chain(["##ea"; 49]).collect::<Vec<_>>().join(" ")
        );
        assert_eq!(split(&format!("dog {} dog", "é".repeat(101))), "dog . dog");
    }
}
