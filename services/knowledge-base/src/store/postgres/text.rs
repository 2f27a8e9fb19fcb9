//! Texts as PostgreSQL takes them: all but U+0000, which it knows no way to keep.

use std::borrow::Cow;

/// Stands before what would be U+0000 or itself.
const ESCAPE: char = '\u{1}';

/// `text` as it is kept. Only what holds one of the two control characters is another text.
pub fn kept(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', ESCAPE]) {
        return Cow::Borrowed(text);
    }
    let mut kept = String::with_capacity(text.len() + 1);
    for letter in text.chars() {
        match letter {
            '\0' => kept.extend([ESCAPE, '0']),
            ESCAPE => kept.extend([ESCAPE, '1']),
            letter => kept.push(letter),
        }
    }
    Cow::Owned(kept)
}

/// What [`kept`] was given.
pub fn given(kept: String) -> String {
    if !kept.contains(ESCAPE) {
        return kept;
    }
    let (mut text, mut letters) = (String::with_capacity(kept.len()), kept.chars());
    while let Some(letter) = letters.next() {
        text.push(match letter {
            ESCAPE if letters.next() == Some('0') => '\0',
            letter => letter,
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back_and_none_holds_nul() {
        for text in ["", "plain", "a\0b", "\u{1}", "\u{1}0", "\0\0\u{1}\u{1}1", "1\u{1}"] {
            let kept = kept(text);
            assert!(!kept.contains('\0'), "{text:?}");
            assert_eq!(given(kept.into_owned()), text);
        }
    }
}
