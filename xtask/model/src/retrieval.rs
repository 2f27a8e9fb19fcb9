//! How well the knowledge base finds WordNet's definitions: by words, by meaning, and by both.
//!
//! By words is the knowledge base's own store and its search; by meaning is an exact search among all vectors; both are
//! fused by the knowledge base's own function. A query's score is 1/rank of the first right definition, 0 beyond the
//! tenth; their mean is MRR@10. How sure that is comes from resampling the queries (bootstrap).

mod corpus;
mod exact;
mod figures;
mod words;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;
use knowledge_base::embed::{StaticTable, Vector};
use knowledge_base::search::fusion::{self, Ranking, TEXT_WEIGHT, VECTOR_WEIGHT};

use crate::bert::Bert;
use crate::wheel;
use corpus::Corpus;
use exact::ExactIndex;
use figures::{Mrr, gain};
use words::WordIndex;

/// Where in a ranking an answer still counts.
const DEPTH: usize = 10;
/// How many places of each ranking are fused, as in the service.
const PLACES: usize = fusion::FUSED_PLACES_MIN;

/// What `retrieval` may be told.
#[derive(Args)]
pub struct Arguments {
    /// WordNet as facts, which `cargo xtask dataset` writes
    #[arg(long, value_name = "FILE", default_value = ".tools/wordnet/wordnet.facts")]
    facts: PathBuf,
    /// The full model's package, a wheel, to compare with; it takes minutes for 20,000 definitions
    #[arg(long, value_name = "FILE")]
    wheel: Option<PathBuf>,
    /// How many definitions, chosen at random; 0: all
    #[arg(long, default_value_t = 0)]
    documents: usize,
    /// How many queries of each kind, chosen at random
    #[arg(long, default_value_t = 2000)]
    queries: usize,
    /// Which random choice
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// A way from texts to vectors.
enum Way<'a> {
    /// The table, definitions as facts.
    TableOfFacts,
    /// The table, definitions as texts.
    TableOfTexts,
    /// The full model.
    Model(&'a Bert),
}

impl Way<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::TableOfFacts => "table, facts",
            Self::TableOfTexts => "table, texts",
            Self::Model(_) => "full model, texts",
        }
    }

    fn definitions(&self, corpus: &Corpus) -> Vec<Option<Vector>> {
        if matches!(self, Self::TableOfFacts) {
            let table = StaticTable::built_in();
            return corpus.definitions.iter().map(|one| table.embed_statement(&one.statement())).collect();
        }
        self.texts(&corpus.definitions.iter().map(|one| one.text.as_str()).collect::<Vec<_>>())
    }

    fn texts(&self, texts: &[&str]) -> Vec<Option<Vector>> {
        match self {
            Self::Model(bert) => bert.embed(texts).into_iter().map(Some).collect(),
            _ => texts.iter().map(|text| StaticTable::built_in().embed_text(text)).collect(),
        }
    }
}

/// The `retrieval` task: prints a table in Markdown.
pub fn run(arguments: &Arguments) -> Result<()> {
    let corpus = Corpus::read(&arguments.facts, arguments.documents, arguments.seed)?;
    ensure!(!corpus.definitions.is_empty(), "{} has no glosses", arguments.facts.display());
    let kinds = [
        ("words", corpus.word_queries(arguments.queries, arguments.seed)),
        ("examples", corpus.example_queries(arguments.queries, arguments.seed)),
        ("keywords", corpus.keyword_queries(arguments.queries, arguments.seed)),
    ];
    eprintln!("{} definitions; asking by words", corpus.definitions.len());
    let words = WordIndex::build(&corpus)?;
    let by_words =
        kinds.iter().map(|(_, queries)| words.rank(queries, PLACES)).collect::<Result<Vec<_>>>()?;
    drop(words);

    let bert = arguments.wheel.as_ref().map(|path| Bert::load(&wheel::read(path)?)).transpose()?;
    let mut ways = vec![Way::TableOfFacts, Way::TableOfTexts];
    ways.extend(bert.as_ref().map(Way::Model));

    println!("| definitions | queries | vectors | text | vector | hybrid | hybrid - text, 95 % |");
    println!("| ---: | --- | --- | ---: | ---: | ---: | ---: |");
    for way in &ways {
        eprintln!("embedding by the {}", way.name());
        let index = ExactIndex::build(&way.definitions(&corpus)).context("no definition has a vector")?;
        for ((kind, queries), by_words) in kinds.iter().zip(&by_words) {
            let asked: Vec<&str> = queries.iter().map(|query| query.text.as_str()).collect();
            let by_meaning = index.rank(&way.texts(&asked), PLACES);
            let text = Mrr::of(queries, by_words, DEPTH);
            let vector = Mrr::of(queries, &by_meaning, DEPTH);
            let hybrid = Mrr::of(queries, &fused(by_words, &by_meaning), DEPTH);
            let [low, high] = gain(&text, &hybrid, arguments.seed);
            println!(
                "| {} | {} {kind} | {} | {:.3} | {:.3} | {:.3} | {low:+.3} to {high:+.3} |",
                corpus.definitions.len(),
                queries.len(),
                way.name(),
                text.mean(),
                vector.mean(),
                hybrid.mean(),
            );
        }
    }
    Ok(())
}

/// Both rankings of each query as one.
fn fused(by_words: &[Vec<u32>], by_meaning: &[Vec<u32>]) -> Vec<Vec<u32>> {
    let fuse = |(words, meaning): (&Vec<u32>, &Vec<u32>)| {
        let rankings = [
            Ranking { best_first: words.as_slice(), weight: TEXT_WEIGHT },
            Ranking { best_first: meaning.as_slice(), weight: VECTOR_WEIGHT },
        ];
        fusion::fuse(&rankings, DEPTH).into_iter().map(|fused| fused.id).collect()
    };
    by_words.iter().zip(by_meaning).map(fuse).collect()
}
