//! A fact's statement as the words that it says: `-HasCapital(New_York, Albany).` says "not Has Capital New York Albany".
//!
//! Names are taken apart at `_`, at digits and where a small letter meets a capital one. They lose their digits, which
//! only number them, and with digits their single letters, which only say what is numbered: `dog_n_1` says "dog", and
//! `n02086723` nothing. Numbers that stand for themselves stay, and so does what strings say. This reads
//! canonical statements and does not check them: from any other text it makes some words too, and never fails.

/// Writes the words of `statement` to `out`, apart by spaces, in their order and their own case.
pub fn spell_out(statement: &str, out: &mut String) {
    let mut rest = statement;
    if let Some(negated) = rest.strip_prefix('-') {
        out.push_str("not ");
        rest = negated;
    }
    while let Some(first) = rest.chars().next() {
        rest = if first == '"' {
            string(&rest[1..], out)
        } else if first.is_alphabetic() || first == '_' {
            name(rest, out)
        } else if first.is_numeric() {
            number(rest, out)
        } else {
            &rest[first.len_utf8()..]
        };
    }
}

/// Copies what stands before the closing quote, escapes resolved; what comes after it.
fn string<'text>(text: &'text str, out: &mut String) -> &'text str {
    let mut rest = text;
    while let Some(at) = rest.find(['"', '\\']) {
        out.push_str(&rest[..at]);
        let escape = rest[at..].strip_prefix('\\');
        let Some(escaped) = escape.and_then(|escaped| escaped.chars().next()) else {
            out.push(' ');
            return &rest[at + 1..];
        };
        let mut taken = at + 1 + escaped.len_utf8();
        match escaped {
            '"' | '\\' | '/' => out.push(escaped),
            // Control characters, which have no meaning: the other escapes that canonical statements have.
            'u' => {
                out.push(' ');
                taken = (taken + 4).min(rest.len());
            }
            _ => out.push(' '),
        }
        rest = rest.get(taken..).unwrap_or_default();
    }
    out.push_str(rest);
    ""
}

/// Writes the words of the name that `text` begins with; what comes after it.
fn name<'text>(text: &'text str, out: &mut String) -> &'text str {
    let end = text.find(|letter: char| !(letter.is_alphanumeric() || letter == '_')).unwrap_or(text.len());
    let name = &text[..end];
    let is_numbered = name.contains(char::is_numeric);
    for part in name.split(|letter: char| !letter.is_alphabetic()) {
        let is_more_than_a_letter = part.chars().nth(1).is_some();
        if is_more_than_a_letter || !is_numbered {
            words(part, out);
        }
    }
    &text[end..]
}

/// Writes the words of `letters`: `HasCapital` has two, and so has `HTTPServer`, the second of which begins with the last
/// of the capital letters.
fn words(letters: &str, out: &mut String) {
    let mut letters = letters.chars().peekable();
    let mut before = ' ';
    while let Some(letter) = letters.next() {
        let next_is_small = letters.peek().is_some_and(|next| next.is_lowercase());
        if letter.is_uppercase() && (before.is_lowercase() || before.is_uppercase() && next_is_small) {
            out.push(' ');
        }
        out.push(letter);
        before = letter;
    }
    out.push(' ');
}

/// Copies the number that `text` begins with; what comes after it.
fn number<'text>(text: &'text str, out: &mut String) -> &'text str {
    let end = text.find(|letter: char| !(letter.is_numeric() || letter == '.')).unwrap_or(text.len());
    out.push_str(&text[..end]);
    out.push(' ');
    &text[end..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(statement: &str) -> String {
        let mut out = String::new();
        spell_out(statement, &mut out);
        out.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn names_are_taken_apart_and_lose_the_digits_that_number_them() {
        assert_eq!(said("Hypernym(dog_n_1, canine_n_1)."), "Hypernym dog canine");
        assert_eq!(said("HasCapital(New_York, Albany)."), "Has Capital New York Albany");
        assert_eq!(said("Runs(HTTPServer2, node17b)."), "Runs HTTP Server node");
        assert_eq!(said("Heißt(Größe, ÜberGroß)."), "Heißt Größe Über Groß");
        assert_eq!(said("Word(n02086723, \"dog\")."), "Word dog");
        assert_eq!(said("Likes(x, y)."), "Likes x y");
    }

    #[test]
    fn strings_say_what_they_say() {
        assert_eq!(
            said(r#"Gloss(x, "a \"dog\" that barks\nat night\u001f; C:\\x")."#),
            r#"Gloss x a "dog" that barks at night ; C:\x"#
        );
        assert_eq!(said(r#"P("iPhone 12", "New_York")."#), "P iPhone 12 New_York");
    }

    #[test]
    fn numbers_and_a_negation_are_words() {
        assert_eq!(said("-HasMass(Moon, Q(7.342, kg))."), "not Has Mass Moon Q 7.342 kg");
        assert_eq!(said("At(x, -12)."), "At x 12");
    }

    #[test]
    fn text_that_is_no_statement_becomes_words_too() {
        for text in ["", "-", "\"", "\"open", "\"\\", "\"\\u00", "\"\\ü", "\"\\uüüü", "((", "_", "9a"] {
            let mut out = String::new();
            spell_out(text, &mut out);
        }
        assert_eq!(said("\"open"), "open");
    }
}
