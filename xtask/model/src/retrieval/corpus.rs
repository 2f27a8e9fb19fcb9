//! Definitions to find, and queries of which the right answers are known, from WordNet's facts.
//!
//! A gloss is a definition and, often, example sentences in quotes. Only the definition is there to be found. Queries are
//! the words of the synsets (right: every synset of the word), the example sentences (right: the synset of the example),
//! and a few words out of a definition (right: that definition). The first two hardly share a word with what they look
//! for, the third does nothing else.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use knowledge_base::grammar::{self, Argument};

/// Fewest words of an example that is a query: shorter ones are parts of sentences.
const EXAMPLE_WORDS_MIN: usize = 4;

/// Words of a definition in a query, and how many letters each has at least: most of the words without meaning are short.
const KEYWORDS: usize = 3;
const KEYWORD_LETTERS_MIN: usize = 4;

/// What is there to be found.
pub struct Corpus {
    /// Each has the number of its place.
    pub definitions: Vec<Definition>,
}

/// A synset's definition.
#[derive(Debug, Default, Clone)]
pub struct Definition {
    /// The synset.
    id: String,
    /// Without its examples.
    pub text: String,
    words: Vec<String>,
    examples: Vec<String>,
}

/// A question with its right answers.
#[derive(Debug, PartialEq, Eq)]
pub struct Query {
    /// What is asked.
    pub text: String,
    /// Places of definitions.
    pub right: Vec<u32>,
}

impl Definition {
    /// As a fact of the knowledge base.
    pub fn statement(&self) -> String {
        format!("Gloss({}, {}).", self.id, serde_json::Value::from(self.text.as_str()))
    }
}

impl Corpus {
    /// `documents` synsets of the facts at `path`, chosen at random; all for 0.
    pub fn read(path: &Path, documents: usize, seed: u64) -> Result<Self> {
        let text = fs::read_to_string(path)
            .with_context(|| format!("could not read {}; cargo xtask dataset writes it", path.display()))?;
        let mut corpus = Self::parse(&text)?;
        if documents > 0 {
            fastrand::Rng::with_seed(seed).shuffle(&mut corpus.definitions);
            corpus.definitions.truncate(documents);
        }
        Ok(corpus)
    }

    fn parse(facts: &str) -> Result<Self> {
        let mut by_id: BTreeMap<String, Definition> = BTreeMap::new();
        for line in facts.lines().filter(|line| line.starts_with("Gloss(") || line.starts_with("Word(")) {
            let fact = grammar::parse(line).with_context(|| line.to_owned())?;
            let [Argument::Word(id), Argument::Text(text)] = fact.term.arguments() else { continue };
            let definition = by_id.entry(id.as_str().to_owned()).or_default();
            id.as_str().clone_into(&mut definition.id);
            if fact.predicate() == "Gloss" {
                (definition.text, definition.examples) = taken_apart(text);
            } else {
                definition.words.push(text.to_string());
            }
        }
        Ok(Self { definitions: by_id.into_values().filter(|one| !one.text.is_empty()).collect() })
    }

    /// At most `count` words, chosen at random; words that differ by case are one.
    pub fn word_queries(&self, count: usize, seed: u64) -> Vec<Query> {
        let mut right: HashMap<String, Vec<u32>> = HashMap::new();
        for (place, definition) in (0..).zip(&self.definitions) {
            for word in &definition.words {
                let places = right.entry(word.to_lowercase()).or_default();
                if places.last() != Some(&place) {
                    places.push(place);
                }
            }
        }
        chosen(right.into_iter().map(|(text, right)| Query { text, right }).collect(), count, seed)
    }

    /// At most `count` times [`KEYWORDS`] words out of a definition, in an order by chance.
    pub fn keyword_queries(&self, count: usize, seed: u64) -> Vec<Query> {
        let mut random = fastrand::Rng::with_seed(seed);
        let queries = (0..).zip(&self.definitions).filter_map(|(place, definition)| {
            let words = definition.text.split(|letter: char| !letter.is_alphanumeric());
            let mut words: Vec<&str> = words.filter(has_letters).collect();
            random.shuffle(&mut words);
            Some(Query { text: words.get(..KEYWORDS)?.join(" "), right: vec![place] })
        });
        chosen(queries.collect(), count, seed)
    }

    /// At most `count` examples, chosen at random, one a synset.
    pub fn example_queries(&self, count: usize, seed: u64) -> Vec<Query> {
        let is_long = |example: &&String| example.split_whitespace().count() >= EXAMPLE_WORDS_MIN;
        let queries = (0..).zip(&self.definitions).filter_map(|(place, definition)| {
            let example = definition.examples.iter().find(is_long)?;
            Some(Query { text: example.clone(), right: vec![place] })
        });
        chosen(queries.collect(), count, seed)
    }
}

fn has_letters(word: &&str) -> bool {
    word.chars().filter(|letter| letter.is_alphabetic()).count() >= KEYWORD_LETTERS_MIN
}

fn chosen(mut queries: Vec<Query>, count: usize, seed: u64) -> Vec<Query> {
    queries.sort_by(|a, b| a.text.cmp(&b.text));
    fastrand::Rng::with_seed(seed).shuffle(&mut queries);
    queries.truncate(count);
    queries
}

/// The definition of a gloss, and its examples.
fn taken_apart(gloss: &str) -> (String, Vec<String>) {
    let mut parts = gloss.split('"');
    let definition = parts.next().unwrap_or_default().trim_end_matches([' ', ';', ':', ',']);
    let examples = parts.step_by(2).map(str::to_owned).collect();
    (definition.to_owned(), examples)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACTS: &str = r#"Gloss(n2, "a tame animal; \"the dog barked all night\"; \"dog days\"").
Word(n2, "dog").
Word(n2, "domestic dog").
Gloss(v1, "go after").
Word(v1, "Dog").
Hypernym(n2, n3).
"#;

    #[test]
    fn a_gloss_is_a_definition_and_examples_that_are_not_found_with_it() {
        let corpus = Corpus::parse(FACTS).unwrap();
        let statements: Vec<_> = corpus.definitions.iter().map(Definition::statement).collect();
        assert_eq!(statements, [r#"Gloss(n2, "a tame animal")."#, r#"Gloss(v1, "go after")."#]);
        let examples = corpus.example_queries(9, 1);
        assert_eq!(examples, [Query { text: "the dog barked all night".into(), right: vec![0] }]);
    }

    #[test]
    fn a_word_is_answered_by_each_of_its_synsets() {
        let mut queries = Corpus::parse(FACTS).unwrap().word_queries(9, 1);
        queries.sort_by(|a, b| a.text.cmp(&b.text));
        let dog = Query { text: "dog".into(), right: vec![0, 1] };
        assert_eq!(queries, [dog, Query { text: "domestic dog".into(), right: vec![0] }]);
    }

    #[test]
    fn a_choice_is_the_same_each_time() {
        let corpus = Corpus::parse(FACTS).unwrap();
        assert_eq!(corpus.word_queries(1, 7), corpus.word_queries(1, 7));
    }
}
