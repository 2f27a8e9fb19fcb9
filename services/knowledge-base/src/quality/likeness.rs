//! How nearly two facts say the same: part by part, for the vector of a whole fact knows neither who does what to whom nor
//! which of several numbered things is meant. Pure.

use strsim::normalized_damerau_levenshtein;

use super::folding::fold;
use super::number::value_of;
use crate::embed::StaticTable;
use crate::grammar::{Argument, ENTITY_BYTES_MAX, Fact, Term};

/// Longest text that is compared letter by letter, bytes: the cost is the product of two lengths. Longer ones are prose
/// and are compared by meaning alone.
const SPELLED_BYTES_MAX: usize = ENTITY_BYTES_MAX;

/// How alike two facts are, 0 to 1, where that is at least `threshold`: as alike as the least alike of their parts, which
/// are compared place by place. Facts with different signs or numbers of arguments are not alike.
pub fn likeness(one: &Fact, other: &Fact, threshold: f64) -> Option<f64> {
    if one.negated != other.negated {
        return None;
    }
    of_terms(&one.term, &other.term, threshold)
}

fn of_terms(one: &Term, other: &Term, threshold: f64) -> Option<f64> {
    if one.arguments().len() != other.arguments().len() {
        return None;
    }
    let names = Text::Name(one.name().as_str()).likeness(&Text::Name(other.name().as_str()), threshold)?;
    let mut arguments = one.arguments().iter().zip(other.arguments());
    arguments.try_fold(names, |least, (one, other)| Some(least.min(of_arguments(one, other, threshold)?)))
}

fn of_arguments(one: &Argument, other: &Argument, threshold: f64) -> Option<f64> {
    match (one, other) {
        (Argument::Number(one), Argument::Number(other)) => {
            (value_of(one.as_str()) == value_of(other.as_str())).then_some(1.0)
        }
        (Argument::Term(one), Argument::Term(other)) => of_terms(one, other, threshold),
        _ => Text::of(one)?.likeness(&Text::of(other)?, threshold),
    }
}

/// A part that consists of letters.
enum Text<'a> {
    /// A word, which may be made of several: `New_York`.
    Name(&'a str),
    /// A string.
    Plain(&'a str),
}

impl<'a> Text<'a> {
    fn of(argument: &'a Argument) -> Option<Self> {
        match argument {
            Argument::Word(word) => Some(Self::Name(word.as_str())),
            Argument::Text(text) => Some(Self::Plain(text)),
            Argument::Number(_) | Argument::Term(_) => None,
        }
    }

    fn letters(&self) -> &'a str {
        match self {
            Self::Name(text) | Self::Plain(text) => text,
        }
    }

    fn likeness(&self, other: &Self, threshold: f64) -> Option<f64> {
        let (one_folded, other_folded) = (fold(self.letters()), fold(other.letters()));
        if one_folded == other_folded {
            return Some(1.0);
        }
        let is_name = matches!((self, other), (Self::Name(_), _) | (_, Self::Name(_)));
        if marks(&one_folded, is_name) != marks(&other_folded, is_name) {
            return None;
        }
        let is_short = one_folded.len().max(other_folded.len()) <= SPELLED_BYTES_MAX;
        let by_letters =
            if is_short { normalized_damerau_levenshtein(&one_folded, &other_folded) } else { 0.0 };
        let alike = if by_letters >= threshold { by_letters } else { self.meaning(other).max(by_letters) };
        (alike >= threshold).then_some(alike)
    }

    fn meaning(&self, other: &Self) -> f64 {
        let table = StaticTable::built_in();
        let vector = |text: &Self| match text {
            Self::Name(name) => table.embed_statement(name),
            Self::Plain(text) => table.embed_text(text),
        };
        match (vector(self), vector(other)) {
            (Some(one), Some(other)) => f64::from(one.cosine(&other)).clamp(0.0, 1.0),
            _ => 0.0,
        }
    }
}

/// What tells things of one kind apart: digits, and in names the words of a single letter. `dog_n_1` is not `dog_n_2`, and
/// `node_a` is not `node_b`, however alike they look.
fn marks(text: &str, is_name: bool) -> String {
    let mut marks: String = text.chars().filter(|letter| letter.is_numeric()).collect();
    if is_name {
        let words = text.split(|letter: char| !letter.is_alphabetic());
        marks.extend(words.filter(|word| word.chars().nth(1).is_none()));
    }
    marks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::parse;

    fn alike(one: &str, other: &str, threshold: f64) -> Option<f64> {
        likeness(&parse(one).unwrap(), &parse(other).unwrap(), threshold)
    }

    #[test]
    fn facts_with_a_slip_another_word_for_the_same_or_another_spelling_are_alike() {
        for (one, other) in [
            ("LivesIn(Ada_Lovelace, London)", "LivesIn(Ada_Lovelcae, London)"),
            ("Capital(Germany, \"Frankfurt am Main\")", "Capital(Germany, Frankfurt_am_Main)"),
            ("HasColour(sky, blue)", "HasColor(sky, blue)"),
            ("Weighs(elephant, Q(4000, kilogram))", "Weighs(elephants, Q(4e3, kilograms))"),
            ("Gloss(dog, \"a domestic animal that barks\")", "Gloss(dog, \"domestic animal which barks\")"),
        ] {
            let found = alike(one, other, 0.8);
            assert!(found.is_some_and(|found| (0.8..=1.0).contains(&found)), "{one} {other}: {found:?}");
            assert_eq!(found, alike(other, one, 0.8), "in either order");
        }
        assert_eq!(alike("P(a, 1.50)", "p(\"A\", 15e-1)", 1.0), Some(1.0));
    }

    #[test]
    fn what_says_something_else_is_not_alike_however_near_its_words_are() {
        for (one, other) in [
            ("Likes(Ada, Bob)", "-Likes(Ada, Bob)"),
            ("Parent(elephant, giraffe)", "Parent(giraffe, elephant)"),
            ("Hypernym(dog_n_1, canine_n_2)", "Hypernym(dog_n_2, canine_n_2)"),
            ("Runs(node_a, service)", "Runs(node_b, service)"),
            ("Weighs(cat, Q(4, kg))", "Weighs(cat, Q(5, kg))"),
            ("LivesIn(Ada, London)", "LivesIn(Ada, London, England)"),
            ("Born(Ada, 1815)", "Born(Ada, \"1815\")"),
            ("LivesIn(Ada, London)", "LivesIn(Ada, Q(London))"),
            ("IsA(whale, mammal)", "IsA(whale, senate)"),
        ] {
            assert_eq!(alike(one, other, 0.8), None, "{one} {other}");
        }
    }

    #[test]
    fn the_least_alike_part_decides() {
        let (close, far) = ("Capital(Germany, Berlinn)", "Capitals(Germanny, Berlinn)");
        let exact = "Capital(Germany, Berlin)";
        let (close, far) = (alike(exact, close, 0.5).unwrap(), alike(exact, far, 0.5).unwrap());
        assert!(far <= close && close < 1.0, "{far} {close}");
        assert_eq!(alike(exact, "Capital(Germany, Berlinn)", 0.99), None, "below the threshold");
    }
}
