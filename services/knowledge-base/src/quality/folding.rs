//! What a fact says, whatever it is spelled like: the same for facts that differ only in large and small letters, in
//! how Unicode writes a letter, in a word against a string, and in the figures of a number (`1.50` and `15e-1`).
//!
//! Two facts whose folded forms are equal say the same; the sign is not part of the form, so a fact and its negation
//! have one form as well. An index keeps 64 bits of it, and whoever tells of a finding compares the forms themselves.

use std::borrow::Cow;
use std::hash::BuildHasher;

use caseless::Caseless;
use foldhash::quality::RandomState;
use unicode_normalization::UnicodeNormalization;

use super::number::value_of;
use crate::grammar::{Argument, Fact, Term};

/// The predicate of facts that declare another one functional: `Functional(Capital).`
pub const FUNCTIONAL: &str = "Functional";

/// The folded form of a fact without its sign. Each part has its length before it, so that no two facts share one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folded {
    form: Vec<u8>,
    /// Where the last argument begins: what stands before it is what a functional predicate has one value for.
    subject_end: usize,
}

impl Folded {
    /// Of a fact.
    pub fn new(fact: &Fact) -> Self {
        let mut form = Vec::with_capacity(64);
        put(&mut form, b'P', &fold(fact.predicate()));
        let mut subject_end = form.len();
        for argument in fact.term.arguments() {
            subject_end = form.len();
            put_argument(&mut form, argument);
        }
        Self { form, subject_end }
    }

    /// The predicate and all arguments but the last.
    pub fn subject(&self) -> &[u8] {
        &self.form[..self.subject_end]
    }
}

fn put(form: &mut Vec<u8>, kind: u8, text: &str) {
    form.push(kind);
    form.extend_from_slice(&text.len().to_be_bytes());
    form.extend_from_slice(text.as_bytes());
}

fn put_argument(form: &mut Vec<u8>, argument: &Argument) {
    match argument {
        // One kind: a word and a string of the same letters are one entity elsewhere, too.
        Argument::Word(word) => put(form, b'E', &fold(word.as_str())),
        Argument::Text(text) => put(form, b'E', &fold(text)),
        Argument::Number(number) => put(form, b'N', &value_of(number.as_str())),
        Argument::Term(term) => put_term(form, term),
    }
}

fn put_term(form: &mut Vec<u8>, term: &Term) {
    put(form, b'T', &fold(term.name().as_str()));
    form.extend_from_slice(&term.arguments().len().to_be_bytes());
    for argument in term.arguments() {
        put_argument(form, argument);
    }
}

/// `text` without what only its writing has: Unicode's compatibility caseless matching (definition D146 of its chapter 3).
pub fn fold(text: &str) -> Cow<'_, str> {
    if !text.is_ascii() {
        let caseless = text.nfd().default_case_fold().nfkd().default_case_fold();
        Cow::Owned(caseless.nfkd().collect())
    } else if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Borrowed(text)
    }
}

/// A fact as the index takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// 64 bits of its folded form.
    pub form: u64,
    /// 64 bits of that without the last argument.
    pub subject: u64,
    /// With a leading `-`.
    pub negated: bool,
    /// Its predicate as it is spelled.
    pub predicate: Box<str>,
    /// The same, folded.
    pub folded_predicate: Box<str>,
    /// Its arguments.
    pub arity: usize,
    /// The folded predicate that it declares functional.
    pub declares: Option<Box<str>>,
}

/// Makes entries. Its hashes are its own: nobody can choose facts that share one. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Folder(RandomState);

impl Folder {
    /// Of a fact.
    pub fn entry(&self, fact: &Fact) -> Entry {
        let folded = Folded::new(fact);
        Entry {
            form: self.0.hash_one(&folded.form),
            subject: self.0.hash_one(folded.subject()),
            negated: fact.negated,
            predicate: fact.predicate().into(),
            folded_predicate: fold(fact.predicate()).into(),
            arity: fact.term.arguments().len(),
            declares: declared(fact).map(|name| fold(name).into()),
        }
    }
}

/// The predicate that a fact declares functional.
fn declared(fact: &Fact) -> Option<&str> {
    match fact.term.arguments() {
        [Argument::Word(word)] if !fact.negated && fact.predicate() == FUNCTIONAL => Some(word.as_str()),
        [Argument::Text(text)] if !fact.negated && fact.predicate() == FUNCTIONAL => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::parse;

    fn folded(text: &str) -> Folded {
        Folded::new(&parse(text).unwrap())
    }

    #[test]
    fn what_differs_in_its_writing_alone_is_the_same() {
        for (one, other) in [
            ("IsA(Cat, animal)", "isa(cat, Animal)"),
            ("IsA(cat, \"animal\")", "IsA(\"cat\", animal)"),
            ("Street(\"Große Straße\")", "Street(\"GROSSE STRASSE\")"),
            ("P(\"caf\u{e9}\")", "P(\"cafe\u{301}\")"),
            ("P(\"ﬁle ①\")", "P(\"FILE 1\")"),
            ("P(1.50, -0, Q(2e3, kg))", "P(1.5, 0, q(2000, KG))"),
            ("-P(a)", "P(a)"),
        ] {
            assert_eq!(folded(one), folded(other), "{one} {other}");
        }
    }

    #[test]
    fn what_says_something_else_is_not() {
        for (one, other) in [
            ("P(a, b)", "P(b, a)"),
            ("P(a)", "P(a, a)"),
            ("P(1)", "P(\"1\")"),
            ("P(1)", "P(10)"),
            ("P(\"a b\")", "P(\"a  b\")"),
            ("P(a_b)", "P(\"a b\")"),
            ("P(Q(a), b)", "P(Q(a, b))"),
            ("P(Q(a, b))", "P(Q(a), b)"),
            ("P(ab, c)", "P(a, bc)"),
            ("P(\"résumé\")", "P(resume)"),
        ] {
            assert_ne!(folded(one), folded(other), "{one} {other}");
        }
    }

    #[test]
    fn the_subject_is_everything_but_the_last_argument() {
        let subject = |text| folded(text).subject().to_vec();
        assert_eq!(subject("Capital(France, Paris)"), subject("capital(\"france\", Lyon)"));
        assert_ne!(subject("Capital(France, Paris)"), subject("Capital(Italy, Paris)"));
        assert_ne!(subject("P(a, b)"), subject("P(a, b, c)"));
        assert_eq!(subject("P(a)"), subject("P(b)"), "of one argument the predicate is the subject");
    }

    #[test]
    fn a_declaration_names_a_predicate_by_a_word_or_a_string() {
        let declares = |text| Folder::default().entry(&parse(text).unwrap()).declares;
        assert_eq!(declares("Functional(Capital)").as_deref(), Some("capital"));
        assert_eq!(declares("Functional(\"Capital\")").as_deref(), Some("capital"));
        for text in
            ["-Functional(P)", "functional(P)", "Functional(P, Q)", "Functional(1)", "Functional(P(a))"]
        {
            assert_eq!(declares(text), None, "{text}");
        }
    }
}
