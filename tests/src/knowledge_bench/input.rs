//! What goes in: WordNet as facts, and questions made of its words.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// WordNet's facts, one a line, as `cargo xtask dataset` writes them.
pub struct Facts {
    /// One a synset, with the sentence that explains it: the texts that searches look through.
    pub glosses: Vec<String>,
    /// Words and relations, in an order that chance has made: what is added while something is measured.
    pub others: Vec<String>,
}

impl Facts {
    /// All of the file, or about `limit` of them evenly.
    ///
    /// # Errors
    /// When the file is not there, or holds no facts.
    pub fn read(path: &Path, limit: Option<usize>) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("{} cannot be read; `cargo xtask dataset` writes it", path.display()))?;
        let all = text.lines().count();
        let step = limit.map_or(1, |limit| all / limit.max(1)).max(1);
        let lines = text.lines().step_by(step).map(str::to_owned);
        let (glosses, mut others): (Vec<_>, Vec<_>) = lines.partition(|line| line.starts_with("Gloss("));
        ensure!(!glosses.is_empty() && !others.is_empty(), "{} holds no facts of WordNet", path.display());
        // The same in every run, so that runs can be compared.
        fastrand::Rng::with_seed(SEED).shuffle(&mut others);
        Ok(Self { glosses, others })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.glosses.len() + self.others.len()
    }

    /// About so many, with as many glosses among them as in all.
    pub fn mixed(&self, count: usize) -> Vec<String> {
        let of = |part: &[String]| part[..(part.len() * count / self.len()).min(part.len())].to_vec();
        [of(&self.glosses), of(&self.others)].concat()
    }

    /// Synsets that have a gloss, by chance.
    ///
    /// # Errors
    /// Where a gloss is of none.
    pub fn synsets(&self, count: usize) -> Result<Vec<&str>> {
        let mut random = fastrand::Rng::with_seed(SEED);
        (0..count).map(|_| synset(&self.glosses[random.usize(..self.glosses.len())])).collect()
    }

    /// The synset that most relations lead to: walks from it reach everything.
    ///
    /// # Errors
    /// Where there are no relations.
    pub fn hub(&self) -> Result<String> {
        let mut led_to: HashMap<&str, usize> = HashMap::new();
        let targets = self.others.iter().filter_map(|fact| fact.split_once(", ")?.1.strip_suffix(")."));
        for target in targets.filter(|target| !target.starts_with('"')) {
            *led_to.entry(target).or_default() += 1;
        }
        // Of two with as many always the same.
        let hub = led_to.into_iter().max_by_key(|(target, count)| (*count, *target));
        Ok(hub.context("WordNet has relations")?.0.to_owned())
    }

    /// Questions as people ask them: two or three words that stand one after another in a gloss.
    pub fn questions(&self, count: usize) -> Vec<String> {
        let mut random = fastrand::Rng::with_seed(SEED);
        let mut question = || {
            loop {
                let gloss = &self.glosses[random.usize(..self.glosses.len())];
                let letters =
                    |word: &&str| word.len() > 3 && word.bytes().all(|byte| byte.is_ascii_lowercase());
                let words: Vec<&str> = gloss.split(' ').filter(letters).collect();
                let wanted = random.usize(2..=3);
                if words.len() >= wanted {
                    let first = random.usize(..=words.len() - wanted);
                    return words[first..first + wanted].join(" ");
                }
            }
        };
        (0..count).map(|_| question()).collect()
    }
}

fn synset(gloss: &str) -> Result<&str> {
    let name = gloss.strip_prefix("Gloss(").and_then(|rest| rest.split_once(','));
    Ok(name.context("a gloss is of a synset")?.0)
}

/// Of all chance in the bench.
pub const SEED: u64 = 5;

/// Facts as the body of a bulk request.
pub fn bulk_body(facts: &[String]) -> Vec<u8> {
    let mut body = Vec::with_capacity(facts.iter().map(|fact| fact.len() + 1).sum());
    for fact in facts {
        body.extend_from_slice(fact.as_bytes());
        body.push(b'\n');
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hub_is_where_most_relations_lead() {
        let fact = |text: &str| text.to_owned();
        let others = [
            "Hypernym(n2, n1).",
            "Word(n1, \"a\").",
            "Word(n2, \"a\").",
            "Hypernym(n3, n1).",
            "Part(n1, n2).",
        ];
        let facts = Facts { glosses: vec![fact("Gloss(n1, \"x\").")], others: others.map(fact).to_vec() };
        assert_eq!(facts.hub().unwrap(), "n1");
        assert_eq!(facts.synsets(2).unwrap(), ["n1", "n1"]);
        assert_eq!(facts.mixed(6).len(), 6);
    }

    #[test]
    fn questions_are_words_of_glosses_and_the_same_in_every_run() {
        let glosses = vec!["Gloss(n1, \"that which lives in deep water\").".to_owned()];
        let facts = Facts { glosses, others: Vec::new() };
        let questions = facts.questions(20);
        let words = ["that", "which", "lives", "deep", "water"];
        assert_eq!(questions, facts.questions(20));
        for question in questions {
            let asked: Vec<&str> = question.split(' ').collect();
            assert!(
                (2..=3).contains(&asked.len()) && asked.iter().all(|word| words.contains(word)),
                "{question}"
            );
        }
    }
}
