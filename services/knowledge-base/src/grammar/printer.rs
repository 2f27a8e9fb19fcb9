//! The canonical form of a fact: `, ` between arguments, the closing dot, the shortest escapes.

use std::fmt::{self, Display, Formatter, Write};

use super::{Argument, Fact, Number, Term, Word};

impl Display for Fact {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        if self.negated {
            out.write_char('-')?;
        }
        write_term(&self.term, out)?;
        out.write_char('.')
    }
}

impl Display for Term {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write_term(self, out)
    }
}

impl Display for Argument {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(Word(text)) | Self::Number(Number(text)) => out.write_str(text),
            Self::Text(text) => write_text(text, out),
            Self::Term(term) => write_term(term, out),
        }
    }
}

fn write_term(term: &Term, out: &mut Formatter<'_>) -> fmt::Result {
    out.write_str(term.name.as_str())?;
    for (index, argument) in term.arguments.iter().enumerate() {
        out.write_str(if index == 0 { "(" } else { ", " })?;
        argument.fmt(out)?;
    }
    out.write_char(')')
}

/// Writes `text` as a JSON string in which every control character is escaped, those above U+007E too.
fn write_text(text: &str, out: &mut Formatter<'_>) -> fmt::Result {
    out.write_char('"')?;
    let mut plain_from = 0;
    for (at, letter) in text.char_indices() {
        if letter != '"' && letter != '\\' && !letter.is_control() {
            continue;
        }
        out.write_str(&text[plain_from..at])?;
        plain_from = at + letter.len_utf8();
        match letter {
            '"' | '\\' => {
                out.write_char('\\')?;
                out.write_char(letter)?;
            }
            '\n' => out.write_str("\\n")?,
            '\r' => out.write_str("\\r")?,
            '\t' => out.write_str("\\t")?,
            '\u{8}' => out.write_str("\\b")?,
            '\u{c}' => out.write_str("\\f")?,
            other => write!(out, "\\u{:04x}", u32::from(other))?,
        }
    }
    out.write_str(&text[plain_from..])?;
    out.write_char('"')
}

#[cfg(test)]
mod tests {
    use crate::grammar::parse;

    #[track_caller]
    fn prints(input: &str, canonical: &str) {
        assert_eq!(parse(input).map(|fact| fact.to_string()), Ok(canonical.to_owned()), "input {input:?}");
    }

    #[test]
    fn the_dot_and_the_spaces_have_one_form() {
        prints("P(a,b)", "P(a, b).");
        prints(" - P ( a ,\n\tb ) . ", "-P(a, b).");
        prints("HasMass(Moon,Q(7.342e+22,kg)).", "HasMass(Moon, Q(7.342e22, kg)).");
    }

    #[test]
    fn escapes_have_one_form() {
        prints(r#"P("a\/\u0062\u000A\u007f\"")"#, r#"P("a/b\n\u007f\"")."#);
        prints(r#"P("\ud83c\udf0a é")"#, "P(\"\u{1f30a} é\").");
    }

    #[test]
    fn numbers_keep_their_digits_and_lose_only_the_dress_of_the_exponent() {
        prints("P(1.50, -0, 1E+05, 2e-007, 3e0)", "P(1.50, -0, 1e5, 2e-7, 3e0).");
    }
}
