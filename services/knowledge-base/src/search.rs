//! Searching: by words, by meaning, or both, through one of two adapters.
//!
//! The primary adapter uses the indexes. When it fails, or is being built, the fallback looks at everything instead
//! (`scan.rs`), and a circuit breaker (`breaker.rs`) keeps a broken one from being asked again and again. Every answer
//! names the adapter and the mode that were used. Nothing here knows HTTP or NATS.

mod adapters;
mod breaker;
pub mod fusion;
mod primary;
mod report;
mod scan;
mod vectors;

use std::time::Duration;

use crate::embed::Vector;
use crate::store::{
    Collection, CollectionId, Confidence, Epoch, MetadataFilter, ReadError, Revision, StoredDocument,
    StoredFact, TextQuery,
};

use crate::vector::Position;

pub use adapters::{Report, Searcher, Switches};
pub use report::{AdapterTeller, adapters_of, name_of};
pub use vectors::{Vectors, revision_of};

/// Searches by meaning at once; more wait. Each takes a core for a millisecond.
const VECTOR_SEARCHES_AT_ONCE: usize = 4;

/// Longest time for a scan of the fallback: half a million facts take about two seconds.
pub const FALLBACK_TIME_MAX: Duration = Duration::from_secs(10);

/// How things are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// By words (BM25).
    Text,
    /// By meaning (cosine of vectors).
    Vector,
    /// By both, ranks fused.
    Hybrid,
}

impl Mode {
    /// As clients say it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Vector => "vector",
            Self::Hybrid => "hybrid",
        }
    }

    /// What [`Self::as_str`] gave.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Text, Self::Vector, Self::Hybrid].into_iter().find(|mode| mode.as_str() == text)
    }
}

/// Which adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adapter {
    /// The indexes.
    Primary,
    /// The scan.
    Fallback,
}

impl Adapter {
    /// As clients are told.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Fallback => "fallback",
        }
    }
}

/// Where to search, and among what.
#[derive(Debug, Clone)]
pub enum Place {
    /// The facts of at least this confidence.
    Facts(Option<Confidence>),
    /// The documents of a collection that the filter lets through.
    Documents(Box<Collection>, MetadataFilter),
}

impl Place {
    /// The collection.
    pub fn collection(&self) -> CollectionId {
        match self {
            Self::Facts(_) => CollectionId::FACTS,
            Self::Documents(collection, _) => collection.id,
        }
    }
}

/// What is searched for.
#[derive(Debug, Clone)]
pub struct Question {
    /// Where.
    pub place: Place,
    /// The words; `None` where there are none, which is possible only with [`Mode::Vector`].
    pub words: Option<TextQuery>,
    /// What it means; `None` where no word is known.
    pub vector: Option<Vector>,
    /// How.
    pub mode: Mode,
    /// Most results.
    pub limit: usize,
    /// Lowest relevance of a result, 0 to 1.
    pub threshold: f64,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// A fact.
    Fact(StoredFact),
    /// A document.
    Document(StoredDocument),
}

impl Content {
    /// Its number among its kind.
    pub fn number(&self) -> u64 {
        match self {
            Self::Fact(fact) => fact.id.0,
            Self::Document(document) => document.id.0,
        }
    }

    /// Its text.
    pub fn text(&self) -> &str {
        match self {
            Self::Fact(fact) => &fact.statement,
            Self::Document(document) => &document.content,
        }
    }
}

/// One result.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// BM25, cosine, or fused ranks, by the mode; greater is better. It compares within one answer only.
    pub score: f64,
    /// 0 to 1: by meaning, the cosine; otherwise the share of the best result's score.
    pub relevance: f64,
    /// The part of the text that fits best; the beginning where no words were searched for.
    pub snippet: String,
    /// What was found.
    pub content: Content,
}

/// Results, best first, and how they came.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Best first.
    pub items: Vec<Item>,
    /// What searched.
    pub adapter: Adapter,
    /// How; not as asked for where the fallback cannot do that.
    pub mode: Mode,
    /// The revision that was searched, at least.
    pub revision: Revision,
    /// Its epoch.
    pub epoch: Epoch,
}

/// Why nothing was searched.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SearchError {
    /// The store could not answer.
    #[error("the store could not be searched")]
    Read(#[from] ReadError),
    /// Both adapters are switched off or broken.
    #[error("no search adapter is available")]
    NoAdapter,
    /// The fallback took longer than [`FALLBACK_TIME_MAX`].
    #[error("the search took too long")]
    TooSlow,
}

/// Why an index of vectors does not answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NearestError {
    /// It is not whole yet.
    #[error("the index is being built")]
    Building,
    /// It cannot be searched.
    #[error("the index failed: {0}")]
    Failed(String),
}

/// What lies nearest.
#[derive(Debug, Clone)]
pub struct Near {
    /// Numbers, best first, each with its cosine.
    pub numbers: Vec<(u64, f32)>,
    /// The state that the index held, at least.
    pub position: Position,
}

/// The indexes of vectors, by collection.
pub trait Nearest: Send + Sync {
    /// The numbers whose vectors have the greatest cosines with `query`, best first, each with it; of those that are
    /// `allowed`, where that is said. Exactly `limit` where that many are there. Blocks for about a millisecond.
    ///
    /// # Errors
    /// [`NearestError`].
    fn nearest(
        &self,
        collection: CollectionId,
        query: &Vector,
        limit: usize,
        allowed: Option<&dyn Fn(u64) -> bool>,
    ) -> Result<Near, NearestError>;

    /// Whether the facts can be searched now.
    fn is_ready(&self) -> bool;
}

/// Bytes of a text that stand for it where no part fits best.
const SNIPPET_BYTES: usize = 200;

/// The beginning of a text.
fn beginning(text: &str) -> String {
    if text.len() <= SNIPPET_BYTES {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(SNIPPET_BYTES)])
}

/// Results with `score`, whose relevance is their share of the best.
fn with_shares(items: Vec<(f64, String, Content)>) -> Vec<Item> {
    let best = items.iter().map(|(score, ..)| *score).fold(0.0, f64::max);
    let share = |score: f64| if best > 0.0 { (score / best).clamp(0.0, 1.0) } else { 1.0 };
    items
        .into_iter()
        .map(|(score, snippet, content)| Item { score, relevance: share(score), snippet, content })
        .collect()
}

/// Results by cosine, which is their relevance where it is positive.
fn with_cosines(items: Vec<(f64, Content)>) -> Vec<Item> {
    items
        .into_iter()
        .map(|(score, content)| Item {
            score,
            relevance: score.clamp(0.0, 1.0),
            snippet: beginning(content.text()),
            content,
        })
        .collect()
}

/// Two rankings as one.
fn fused(text: Vec<Item>, vector: Vec<Item>, limit: usize) -> Vec<Item> {
    use fusion::{Ranking, TEXT_WEIGHT, VECTOR_WEIGHT, fuse};
    let numbers = |items: &[Item]| items.iter().map(|item| item.content.number()).collect::<Vec<_>>();
    let (by_text, by_vector) = (numbers(&text), numbers(&vector));
    let rankings = [
        Ranking { best_first: &by_text, weight: TEXT_WEIGHT },
        Ranking { best_first: &by_vector, weight: VECTOR_WEIGHT },
    ];
    let order = fuse(&rankings, limit);
    // Those found by words come last into the map, for they have the better snippet.
    let mut items: std::collections::HashMap<u64, Item> =
        vector.into_iter().chain(text).map(|item| (item.content.number(), item)).collect();
    let found = order
        .into_iter()
        .filter_map(|fused| items.remove(&fused.id).map(|item| (fused.score, item.snippet, item.content)));
    with_shares(found.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{FactId, UnixMillis};

    fn item(number: u64, score: f64, snippet: &str) -> Item {
        let fact = StoredFact {
            id: FactId(number),
            statement: format!("P({number})."),
            context: String::new(),
            confidence: 1.0,
            created_at: UnixMillis(0),
            updated_at: None,
            revision: Revision(1),
        };
        Item { score, relevance: score, snippet: snippet.to_owned(), content: Content::Fact(fact) }
    }

    #[test]
    fn shares_are_of_the_best_and_keep_the_order() {
        let items = |scores: &[f64]| {
            let items = scores.iter().map(|score| (*score, String::new(), item(1, 0.0, "").content));
            with_shares(items.collect()).into_iter().map(|item| item.relevance).collect::<Vec<_>>()
        };
        assert_eq!(items(&[8.0, 4.0, 1.0]), [1.0, 0.5, 0.125]);
        assert_eq!(items(&[0.0]), [1.0], "one word that every fact has");
        assert!(items(&[]).is_empty());
    }

    #[test]
    fn what_both_find_is_one_result_with_the_snippet_of_its_words() {
        let text = vec![item(1, 9.0, "words"), item(2, 8.0, "words")];
        let vector = vec![item(2, 0.9, "beginning"), item(3, 0.8, "beginning")];
        let both = fused(text, vector, 9);
        let seen: Vec<_> = both.iter().map(|item| (item.content.number(), item.snippet.as_str())).collect();
        assert_eq!(seen, [(2, "words"), (1, "words"), (3, "beginning")]);
        assert!((both[0].relevance - 1.0).abs() < 1e-9 && both[1].relevance < 1.0);
    }

    #[test]
    fn a_long_text_is_cut_between_letters() {
        assert_eq!(beginning("short"), "short");
        let cut = beginning(&"ä".repeat(150));
        assert!(cut.ends_with('…') && cut.len() <= SNIPPET_BYTES + 3);
    }
}
