//! WordNet's `data.*` files as facts of Bywash. Pure: a line of text in, facts out; files are `dataset.rs`'s business.
//!
//! The format is described in WordNet's manual page `wndb(5)`. A synset, a set of words with one meaning, is named by
//! the letter of its file and its byte offset there: `n00001740`. It becomes
//!
//! - `Gloss(n00001740, "that which ...").`, one a synset: 117,791;
//! - `Word(n00001740, "entity").`, one a word: 207,235. Underscores become spaces, the marker of an adjective's
//!   position such as `(p)` is cut off, and words that differ only by case (`ddC`, `DDC`: 37 of them) count once, in
//!   the first spelling, as WordNet's own index has them;
//! - one fact a relation to another synset: 235,707.
//!
//! **How the relations are counted.** WordNet's pointers connect synsets or single words of them. Here a relation is
//! (kind, source synset, target synset), whatever words it came from: 365,119 distinct ones. Eight kinds come with an
//! inverse, and the files hold both directions of each: hypernym/hyponym, instance, member, substance and part
//! holonym/meronym, and the three domains (topic, region, usage). These 2 x 129,412 relations are folded to the
//! direction that leads from the special to the general; the other can be derived by an inverse rule. What remains are
//! 129,412 and the 106,295 relations of kinds that are their own inverse (antonym, similar, verb group, ...) or have
//! none (entails, causes, ...): these stay as they stand, for WordNet does not hold both directions of all of them.

use anyhow::{Context, Result, bail, ensure};

/// The four dictionary files: ending of `data.`, and the letter that begins the names of their synsets.
pub const FILES: [(&str, char); 4] = [("noun", 'n'), ("verb", 'v'), ("adj", 'a'), ("adv", 'r')];

/// A synset as its line says it, reduced to what becomes a fact.
#[derive(Debug, PartialEq, Eq)]
pub struct Synset {
    id: String,
    gloss: String,
    words: Vec<String>,
    /// (predicate, target), each once.
    relations: Vec<(&'static str, String)>,
}

/// How many facts of each kind there are.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// `Gloss` facts, one a synset.
    pub glosses: usize,
    /// `Word` facts.
    pub words: usize,
    /// Facts of all relations.
    pub relations: usize,
}

impl Counts {
    /// What WordNet 3.1 holds.
    pub const WORDNET_3_1: Self = Self { glosses: 117_791, words: 207_235, relations: 235_707 };

    /// All facts together.
    pub const fn total(self) -> usize {
        self.glosses + self.words + self.relations
    }

    /// Adds the facts of one synset.
    pub fn add(&mut self, synset: &Synset) {
        self.glosses += 1;
        self.words += synset.words.len();
        self.relations += synset.relations.len();
    }
}

impl Synset {
    /// Reads a line of the file whose synsets begin with `letter`; none for a line of the licence at the file's head.
    pub fn parse(letter: char, line: &str) -> Result<Option<Self>> {
        if line.starts_with("  ") {
            return Ok(None);
        }
        let (head, gloss) = line.split_once('|').context("a synset without a gloss")?;
        let mut fields = Fields { rest: head.split_ascii_whitespace() };
        let id = format!("{letter}{}", fields.next("offset")?);
        fields.next("file number")?;
        fields.next("type")?;

        let word_count = usize::from_str_radix(fields.next("word count")?, 16)?;
        let mut words: Vec<String> = Vec::with_capacity(word_count);
        for _ in 0..word_count {
            let word = spelling(fields.next("word")?);
            fields.next("lexical id")?;
            if !words.iter().any(|known| known.eq_ignore_ascii_case(&word)) {
                words.push(word);
            }
        }

        let pointer_count: usize = fields.next("pointer count")?.parse()?;
        let mut relations = Vec::with_capacity(pointer_count);
        for _ in 0..pointer_count {
            let symbol = fields.next("pointer symbol")?;
            let offset = fields.next("pointer target")?;
            let letter = fields.next("pointer target's type")?;
            fields.next("pointer words")?;
            let Pointer::Relation(predicate) = Pointer::of(symbol)? else { continue };
            // A satellite adjective lies in the file of the adjectives.
            let relation = (predicate, format!("{}{offset}", if letter == "s" { "a" } else { letter }));
            if !relations.contains(&relation) {
                relations.push(relation);
            }
        }
        Ok(Some(Self { id, gloss: gloss.trim().to_owned(), words, relations }))
    }

    /// The synset's facts, each a line without its end.
    pub fn facts(&self) -> impl Iterator<Item = String> {
        let id = &self.id;
        let gloss = std::iter::once(format!("Gloss({id}, {}).", quoted(&self.gloss)));
        let words = self.words.iter().map(move |word| format!("Word({id}, {}).", quoted(word)));
        let relations =
            self.relations.iter().map(move |(predicate, target)| format!("{predicate}({id}, {target})."));
        gloss.chain(words).chain(relations)
    }
}

/// What a pointer symbol means here.
enum Pointer {
    /// A fact with this predicate.
    Relation(&'static str),
    /// The direction that is left out: the target's line holds the other.
    Inverse,
}

impl Pointer {
    fn of(symbol: &str) -> Result<Self> {
        Ok(Self::Relation(match symbol {
            "@" => "Hypernym",
            "@i" => "InstanceOf",
            "#m" => "MemberOf",
            "#s" => "SubstanceOf",
            "#p" => "PartOf",
            ";c" => "InTopic",
            ";r" => "InRegion",
            ";u" => "InUsage",
            "~" | "~i" | "%m" | "%s" | "%p" | "-c" | "-r" | "-u" => return Ok(Self::Inverse),
            "!" => "Antonym",
            "&" => "SimilarTo",
            "$" => "VerbGroup",
            "+" => "DerivationallyRelated",
            "=" => "Attribute",
            "^" => "SeeAlso",
            "*" => "Entails",
            ">" => "Causes",
            "<" => "ParticipleOf",
            "\\" => "PertainsTo",
            unknown => bail!("unknown pointer symbol {unknown}"),
        }))
    }
}

/// The fields of a line, in order.
struct Fields<'line> {
    rest: std::str::SplitAsciiWhitespace<'line>,
}

impl<'line> Fields<'line> {
    fn next(&mut self, what: &str) -> Result<&'line str> {
        self.rest.next().with_context(|| format!("the line ends before its {what}"))
    }
}

/// A word as people write it: `galore(ip)` is `galore`, `living_thing` is `living thing`.
fn spelling(lemma: &str) -> String {
    let markers = ["(p)", "(a)", "(ip)"];
    let bare = markers.iter().find_map(|marker| lemma.strip_suffix(marker)).unwrap_or(lemma);
    bare.replace('_', " ")
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Turns the text of one dictionary file into synsets.
pub fn synsets(letter: char, text: &str) -> impl Iterator<Item = Result<Synset>> {
    text.lines().enumerate().filter_map(move |(index, line)| {
        let synset = Synset::parse(letter, line).with_context(|| format!("line {}", index + 1));
        synset.transpose()
    })
}

/// Fails unless these are the facts of WordNet 3.1, all of them.
pub fn check(counts: Counts) -> Result<()> {
    let expected = Counts::WORDNET_3_1;
    ensure!(counts == expected, "WordNet should give {expected:?}, but gave {counts:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOG: &str = "02086723 05 n 03 dog 0 domestic_dog 0 Canis_familiaris 0 004 @ 02085998 n 0000 #m 02086515 n 0000 ~ 01325095 n 0000 + 01089369 v 0101 | a member of the genus Canis; \"the dog barked all night\"  ";

    fn facts(letter: char, line: &str) -> Vec<String> {
        Synset::parse(letter, line).expect("valid").expect("a synset").facts().collect()
    }

    #[test]
    fn a_synset_becomes_its_gloss_its_words_and_one_direction_of_its_relations() {
        assert_eq!(
            facts('n', DOG),
            [
                r#"Gloss(n02086723, "a member of the genus Canis; \"the dog barked all night\"")."#,
                r#"Word(n02086723, "dog")."#,
                r#"Word(n02086723, "domestic dog")."#,
                r#"Word(n02086723, "Canis familiaris")."#,
                "Hypernym(n02086723, n02085998).",
                "MemberOf(n02086723, n02086515).",
                "DerivationallyRelated(n02086723, v01089369).",
            ]
        );
    }

    #[test]
    fn a_marker_is_cut_off_and_spellings_that_differ_by_case_count_once() {
        let words = facts('a', "00001740 00 s 04 galore(ip) 0 ddC 0 DDC 0 o'clock 0 000 | x");
        let expected =
            [r#"Word(a00001740, "galore")."#, r#"Word(a00001740, "ddC")."#, r#"Word(a00001740, "o'clock")."#];
        assert_eq!(words[1..], expected);
    }

    #[test]
    fn pointers_between_several_words_of_two_synsets_are_one_relation() {
        let line = "00001740 00 a 01 able 0 003 + 05207437 n 0101 + 05207437 n 0102 & 00002098 s 0000 | x";
        let expected = ["DerivationallyRelated(a00001740, n05207437).", "SimilarTo(a00001740, a00002098)."];
        assert_eq!(facts('a', line)[2..], expected);
    }

    #[test]
    fn the_licence_at_the_head_is_no_synset_and_a_cut_line_is_an_error() {
        assert_eq!(Synset::parse('n', "  1 This software and database").expect("valid"), None);
        let error = Synset::parse('n', "00001740 03 n 02 entity 0 | x").expect_err("a word is missing");
        assert!(error.to_string().contains("before its word"), "{error}");
        assert!(Synset::parse('n', "00001740 03 n 01 entity 0 001 ? 00001930 n 0000 | x").is_err());
    }
}
