//! The fallback adapter: looks at everything, with no index but the rows themselves. Slow, and always right about what
//! there is.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};

use crate::embed::Vector;
use crate::store::{
    Collection, CollectionId, Confidence, DeltaAnswer, DocumentId, Epoch, MetadataFilter, ReadError,
    Revision, Store, StoredDocument, StoredFact, TextQuery,
};

/// Documents that are read at a time: some megabytes at most.
const PAGE_DOCUMENTS: usize = 100;

/// Vectors that are read at a time: as much.
const PAGE_VECTORS: usize = 500;

/// Something and how well it fits, kept by a heap of the best.
#[derive(Debug)]
struct Scored<T> {
    score: f64,
    /// Of equal ones the earlier comes first.
    number: u64,
    what: T,
}

impl<T> Ord for Scored<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then_with(|| other.number.cmp(&self.number))
    }
}

impl<T> PartialOrd for Scored<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Scored<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Scored<T> {}

/// The best of all that were offered: never more than `limit` in memory.
#[derive(Debug)]
struct Best<T> {
    limit: usize,
    worst_first: BinaryHeap<std::cmp::Reverse<Scored<T>>>,
}

impl<T> Best<T> {
    fn new(limit: usize) -> Self {
        Self { limit, worst_first: BinaryHeap::new() }
    }

    fn offer(&mut self, score: f64, number: u64, what: T) {
        self.worst_first.push(std::cmp::Reverse(Scored { score, number, what }));
        if self.worst_first.len() > self.limit {
            self.worst_first.pop();
        }
    }

    /// Best first.
    fn into_vec(self) -> Vec<(f64, T)> {
        let sorted = self.worst_first.into_sorted_vec();
        sorted.into_iter().map(|std::cmp::Reverse(scored)| (scored.score, scored.what)).collect()
    }
}

/// What a scan found, and the state it saw.
#[derive(Debug)]
pub struct Scan<T> {
    /// Best first.
    pub best: Vec<(f64, T)>,
    /// The revision that was read.
    pub revision: Revision,
    /// Its epoch.
    pub epoch: Epoch,
}

impl<T> Scan<T> {
    /// The same of something else.
    pub fn map<U>(self, into: impl Fn(T) -> U) -> Scan<U> {
        let best = self.best.into_iter().map(|(score, found)| (score, into(found))).collect();
        Scan { best, revision: self.revision, epoch: self.epoch }
    }
}

/// Words of a query as they are compared: in lower case, without what is neither letter nor digit.
#[derive(Debug)]
pub struct Words(Vec<String>);

impl Words {
    /// Of a query.
    pub fn of(query: &TextQuery) -> Self {
        let mut words: Vec<String> = query.words().iter().flat_map(|word| words_in(word)).collect();
        words.sort();
        words.dedup();
        Self(words)
    }

    /// How well `text` fits: how many of the words it has, and of texts that have as many the shorter more; `None`
    /// where it has none.
    fn score(&self, text: &str) -> Option<f64> {
        let (mut found, mut length) = (vec![false; self.0.len()], 0_u32);
        for word in words_in(text) {
            length += 1;
            if let Ok(index) = self.0.binary_search(&word) {
                found[index] = true;
            }
        }
        let count = u32::try_from(found.iter().filter(|found| **found).count()).unwrap_or(u32::MAX);
        (count > 0).then(|| f64::from(count) + 1.0 / (2.0 + f64::from(length)))
    }
}

fn words_in(text: &str) -> impl Iterator<Item = String> {
    text.split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

/// The best facts by words.
///
/// # Errors
/// [`ReadError`] of the store.
pub async fn facts(
    store: &Store,
    words: Words,
    min_confidence: Option<Confidence>,
    limit: usize,
) -> Result<Scan<StoredFact>, ReadError> {
    let mut export = store.export().await?;
    let mut state = (Best::new(limit), words);
    while let Some(facts) = export.next().await? {
        state = aside(state, move |(best, words)| {
            for fact in facts {
                let sure = min_confidence.is_none_or(|least| fact.confidence >= least.get());
                if let Some(score) = words.score(&fact.statement).filter(|_| sure) {
                    best.offer(score, fact.id.0, fact);
                }
            }
        })
        .await?;
    }
    Ok(Scan { best: state.0.into_vec(), revision: export.revision, epoch: export.epoch })
}

/// The best documents of a collection by words.
///
/// # Errors
/// [`ReadError`] of the store.
pub async fn documents(
    store: &Store,
    collection: CollectionId,
    words: Words,
    filter: &MetadataFilter,
    limit: usize,
) -> Result<Scan<StoredDocument>, ReadError> {
    let (mut state, mut after) = ((Best::new(limit), words), DocumentId(0));
    // Later pages are newer; what is true of all of them is the first one's state.
    let mut first = None;
    loop {
        let page = store.list_documents(collection, filter.clone(), after, PAGE_DOCUMENTS).await?;
        let last = page.value.last().map(|document| document.id);
        let (revision, epoch) = first.get_or_insert((page.revision, page.epoch));
        let Some(last) = last else {
            return Ok(Scan { best: state.0.into_vec(), revision: *revision, epoch: epoch.clone() });
        };
        after = last;
        state = aside(state, move |(best, words)| {
            for document in page.value {
                if let Some(score) = words.score(&document.content) {
                    best.offer(score, document.id.0, document);
                }
            }
        })
        .await?;
    }
}

/// The documents of a collection whose vectors lie nearest: every vector is looked at.
///
/// # Errors
/// [`ReadError`] of the store.
pub async fn nearest(
    store: &Store,
    collection: &Collection,
    query: &Vector,
    filter: &MetadataFilter,
    limit: usize,
) -> Result<Scan<StoredDocument>, ReadError> {
    let wanted = collection.id;
    // Of those that lie nearest some may not pass the filter, so all are kept, by number alone. One that is replaced
    // meanwhile is told again.
    let mut state = (HashMap::new(), query.clone());
    let mut after = Revision(0);
    let (revision, epoch) = loop {
        let part = store.document_delta(after, PAGE_VECTORS).await?;
        let DeltaAnswer::Delta(delta) = part.value else { break (part.revision, part.epoch) };
        after = delta.upto;
        state = aside(state, move |(cosines, query)| {
            for row in delta.changed.into_iter().filter(|row| row.collection == wanted) {
                let cosine = row.vector.map(|vector| f64::from(query.cosine(&vector)));
                match cosine {
                    Some(cosine) => cosines.insert(row.id, cosine),
                    None => cosines.remove(&row.id),
                };
            }
            for id in delta.removed {
                cosines.remove(&id);
            }
        })
        .await?;
        if after >= part.revision {
            break (part.revision, part.epoch);
        }
    };
    let mut ranked: Vec<(DocumentId, f64)> = state.0.into_iter().collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let mut found = Vec::with_capacity(limit);
    for chunk in ranked.chunks(limit.max(1)) {
        let ids = chunk.iter().map(|(id, _)| *id).collect();
        let documents = store.documents(collection.id, ids, filter.clone()).await?.value;
        for (id, score) in chunk {
            found.extend(documents.iter().find(|one| one.id == *id).map(|one| (*score, one.clone())));
        }
        if found.len() >= limit {
            break;
        }
    }
    found.truncate(limit);
    Ok(Scan { best: found, revision, epoch })
}

/// Does a page's work on a thread that serves nobody.
async fn aside<T: Send + 'static>(
    mut state: T,
    work: impl FnOnce(&mut T) + Send + 'static,
) -> Result<T, ReadError> {
    let working = tokio::task::spawn_blocking(move || {
        work(&mut state);
        state
    });
    // It panicked, or the process stops.
    working.await.map_err(|_| ReadError::Closed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_of_the_words_come_first_and_then_the_shorter_text() {
        let words = Words::of(&TextQuery::parse("Water, MILL water").unwrap());
        let score = |text| words.score(text);
        assert_eq!(score("a barking dog"), None);
        assert!(score("Gloss(mill, \"a mill by the water\")") > score("water"));
        assert!(score("water") > score("much water in a river"));
        assert_eq!(score("watermill"), None, "a part of a word is another word");
    }

    #[test]
    fn the_best_are_kept_and_of_equal_ones_the_first() {
        let mut best = Best::new(3);
        for (number, score) in [(1, 0.5), (2, 0.9), (3, 0.5), (4, 0.1), (5, 0.5), (6, f64::MIN)] {
            best.offer(score, number, number);
        }
        let order: Vec<u64> = best.into_vec().into_iter().map(|(_, number)| number).collect();
        assert_eq!(order, [2, 1, 3]);
    }
}
