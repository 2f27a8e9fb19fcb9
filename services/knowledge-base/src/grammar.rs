//! Facts as values: what a statement is, which limits it has, and the one way it is printed.
//!
//! The grammar is written down in `docs/fact-grammar.md`. Reading text is in `parser.rs`; nothing here knows about the
//! store or HTTP.

mod normal;
mod parser;
mod printer;

pub use normal::normal;
pub use parser::{ParseError, parse, parse_kept};

/// Longest statement in bytes, as sent and as printed. A dictionary gloss is below 600 bytes; documents have their own
/// home.
pub const STATEMENT_BYTES_MAX: usize = 8 * 1024;

/// Most terms within one another, the fact itself included. Bounds the parser's stack.
pub const DEPTH_MAX: usize = 32;

/// Longest word or string, in bytes, by which facts can be found with `?entity=`. Longer strings are prose, found by
/// search.
pub const ENTITY_BYTES_MAX: usize = 128;

/// One statement: a term that holds, or with `negated` does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fact {
    /// True for a fact with a leading `-`.
    pub negated: bool,
    /// The predicate and its arguments.
    pub term: Term,
}

/// A name applied to at least one argument.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Term {
    name: Word,
    arguments: Vec<Argument>,
}

/// What stands between the brackets of a term.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Argument {
    /// A name, such as `Socrates`.
    Word(Word),
    /// A number, such as `-1.50e3`.
    Number(Number),
    /// Any text in its normal form, printed in double quotes.
    Text(Box<str>),
    /// A nested term, such as the quantity `Q(1.5, kg)`.
    Term(Term),
}

/// A letter or `_`, followed by letters, digits and `_`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Word(Box<str>);

/// A decimal number that keeps its digits: `1.50` says more about a measurement than `1.5`, so the two differ.
///
/// Only the exponent has one form: `e`, no `+`, no leading zeros.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Number(Box<str>);

impl Fact {
    /// The name of the fact's own term.
    pub fn predicate(&self) -> &str {
        self.term.name.as_str()
    }

    /// The two entities that this fact connects: the arguments of a binary fact that is not negated, where both are
    /// entities.
    pub fn edge(&self) -> Option<(&str, &str)> {
        match self.term.arguments() {
            [from, to] if !self.negated => Some((from.entity()?, to.entity()?)),
            _ => None,
        }
    }

    /// Calls `visit` with each word and each string of at most [`ENTITY_BYTES_MAX`] bytes among the arguments, nested
    /// ones included, in order and with repetitions. The units of quantities are words too; names of terms are not.
    pub fn each_entity<'a>(&'a self, visit: &mut impl FnMut(&'a str)) {
        self.term.each_entity(visit);
    }
}

impl Term {
    /// A term, or `None` without arguments.
    pub fn new(name: Word, arguments: Vec<Argument>) -> Option<Self> {
        if arguments.is_empty() { None } else { Some(Self { name, arguments }) }
    }

    /// What stands before the bracket.
    pub fn name(&self) -> &Word {
        &self.name
    }

    /// What stands between the brackets; never empty.
    pub fn arguments(&self) -> &[Argument] {
        &self.arguments
    }

    fn each_entity<'a>(&'a self, visit: &mut impl FnMut(&'a str)) {
        for argument in &self.arguments {
            match argument {
                Argument::Term(term) => term.each_entity(visit),
                other => {
                    if let Some(entity) = other.entity() {
                        visit(entity);
                    }
                }
            }
        }
    }
}

impl Argument {
    /// The word or short string, where this is one.
    fn entity(&self) -> Option<&str> {
        let text = match self {
            Self::Word(word) => word.as_str(),
            Self::Text(text) => text,
            Self::Number(_) | Self::Term(_) => return None,
        };
        (text.len() <= ENTITY_BYTES_MAX).then_some(text)
    }
}

impl Word {
    /// `text` in its normal form as a word, or `None` where the grammar has no such word.
    pub fn new(text: &str) -> Option<Self> {
        let text = normal(text);
        let mut letters = text.chars();
        let starts = letters.next().is_some_and(parser::starts_word);
        (starts && letters.all(parser::continues_word)).then(|| Self(text.into()))
    }

    /// The word's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Number {
    /// `text` as a number, or `None` where the grammar has no such number.
    pub fn new(text: &str) -> Option<Self> {
        parser::whole_number(text)
    }

    /// The number's text in its canonical form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn word() -> impl Strategy<Value = Word> {
        "[\\p{L}_][\\p{L}\\p{N}_]{0,8}".prop_filter_map("not alphabetic", |text| Word::new(&text))
    }

    fn number() -> impl Strategy<Value = Number> {
        "-?(0|[1-9][0-9]{0,6})(\\.[0-9]{1,4})?([eE][+-]?[0-9]{1,3})?"
            .prop_map(|text| Number::new(&text).expect("generated by the grammar"))
    }

    fn argument() -> impl Strategy<Value = Argument> {
        let leaf = prop_oneof![
            word().prop_map(Argument::Word),
            number().prop_map(Argument::Number),
            any::<String>().prop_map(|text| Argument::Text(normal(&text).into())),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            (word(), prop::collection::vec(inner, 1..4))
                .prop_map(|(name, arguments)| Argument::Term(Term::new(name, arguments).expect("not empty")))
        })
    }

    fn fact() -> impl Strategy<Value = Fact> {
        (any::<bool>(), word(), prop::collection::vec(argument(), 1..5)).prop_map(
            |(negated, name, arguments)| Fact {
                negated,
                term: Term::new(name, arguments).expect("not empty"),
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_to_the_same_fact(fact in fact()) {
            let printed = fact.to_string();
            prop_assume!(printed.len() <= STATEMENT_BYTES_MAX);
            prop_assert!(!printed.chars().any(char::is_control), "{printed:?}");
            prop_assert_eq!(parse(&printed), Ok(fact));
        }

        #[test]
        fn every_accepted_text_has_one_canonical_form(text in "[-PQa1.0eE+,() \"\\\\nu]{0,24}") {
            if let Ok(fact) = parse(&text) {
                let printed = fact.to_string();
                prop_assert_eq!(parse(&printed).map(|again| again.to_string()), Ok(printed));
            }
        }

        #[test]
        fn every_way_to_write_a_text_is_one_fact(text in "[\\p{L}\\p{M} ]{0,12}") {
            use unicode_normalization::UnicodeNormalization;
            let (composed, apart): (String, String) = (text.nfc().collect(), text.nfd().collect());
            let of = |text: &str| parse(&format!("P(\"{text}\")")).map(|fact| fact.to_string());
            prop_assert_eq!(of(&text), of(&composed));
            prop_assert_eq!(of(&text), of(&apart));
            let word = |text: &str| parse(&format!("P({text})")).map(|fact| fact.to_string()).ok();
            prop_assert_eq!(word(&composed), word(&apart));
        }

        #[test]
        fn no_text_panics_and_errors_point_into_it(text in any::<String>()) {
            if let Err(error) = parse(&text) {
                prop_assert!(text.is_char_boundary(error.byte_offset));
                prop_assert_eq!(error.column, text[..error.byte_offset].chars().count() + 1);
                prop_assert!(!error.expected.is_empty());
            }
        }

        #[test]
        fn a_damaged_fact_never_panics(fact in fact(), cut in any::<prop::sample::Index>(), put in any::<char>()) {
            let printed = fact.to_string();
            let mut at = cut.index(printed.len());
            while !printed.is_char_boundary(at) { at -= 1; }
            let damaged = format!("{}{put}{}", &printed[..at], &printed[at..]);
            if let Err(error) = parse(&damaged) {
                prop_assert!(damaged.is_char_boundary(error.byte_offset));
            }
        }
    }

    #[test]
    fn entities_are_words_and_short_strings_at_any_depth() {
        let long = "x".repeat(ENTITY_BYTES_MAX + 1);
        let fact = parse(&format!("P(Ada, 3, \"New York\", Q(1.5, kg), \"{long}\")")).unwrap();
        let mut seen = Vec::new();
        fact.each_entity(&mut |entity| seen.push(entity));
        assert_eq!(seen, ["Ada", "New York", "kg"]);
    }

    #[test]
    fn a_binary_fact_that_is_not_negated_connects_two_entities() {
        let edge =
            |text: &str| parse(text).unwrap().edge().map(|(from, to)| (from.to_owned(), to.to_owned()));
        let both = |from: &str, to: &str| Some((from.to_owned(), to.to_owned()));
        assert_eq!(edge("LivesIn(Ada, \"New York\")"), both("Ada", "New York"));
        assert_eq!(edge("Likes(Ada, \"Ada\")"), both("Ada", "Ada"), "a word and a string are one entity");
        let long = format!("Gloss(Ada, \"{}\")", "x".repeat(ENTITY_BYTES_MAX + 1));
        for no_edge in ["-Likes(Ada, Bob)", "P(Ada)", "P(a, b, c)", "P(a, 1)", "P(a, Q(1, kg))", &long] {
            assert_eq!(edge(no_edge), None, "{no_edge}");
        }
    }
}
