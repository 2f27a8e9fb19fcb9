//! What the two kinds of part have in common: rows, sorted by key, that never change, and beside them the set of rows
//! that are dead.

use std::sync::Arc;

use super::half::Query;
use super::ranking::Ranking;

/// Number of a part in its index, never used again: its files are named after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct PartId(pub u64);

/// Which keys a search may answer with.
pub type Allowed<'a> = Option<&'a dyn Fn(u64) -> bool>;

/// Rows that never change.
pub trait Part: Send + Sync {
    /// Its number.
    fn id(&self) -> PartId;

    /// The keys, rising; a key's place is its row.
    fn keys(&self) -> &[u64];

    /// Writes the vector of `row`, which exists, to `to`.
    ///
    /// # Errors
    /// [`Unreadable`] when the library says so.
    fn read(&self, row: usize, to: &mut [f32]) -> Result<(), Unreadable>;

    /// Ranks every live and allowed row.
    fn rank_all(&self, query: &Query<'_>, dead: &Dead, allowed: Allowed<'_>, ranking: &mut Ranking);
}

/// A vector that could not be read back from a graph.
#[derive(Debug, thiserror::Error)]
#[error("a vector cannot be read back from a part: {0}")]
pub struct Unreadable(pub String);

/// The row of `key` among rising `keys`.
pub fn row_of(keys: &[u64], key: u64) -> Option<usize> {
    // Most parts are told by their ends: keys rise with time.
    if *keys.first()? > key || *keys.last()? < key {
        return None;
    }
    keys.binary_search(&key).ok()
}

/// The dead rows of one part: removed, or replaced by a row of a later part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dead {
    words: Vec<u64>,
    count: usize,
}

impl Dead {
    /// Nobody is dead among `rows`.
    pub fn none(rows: usize) -> Self {
        Self { words: vec![0; rows.div_ceil(64)], count: 0 }
    }

    /// From its words, as [`Dead::words`] gave them.
    pub fn from_words(words: Vec<u64>) -> Self {
        let count = words.iter().map(|word| word.count_ones() as usize).sum();
        Self { words, count }
    }

    /// A bit a row, the first row lowest.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether `row` is.
    pub fn contains(&self, row: usize) -> bool {
        self.words[row / 64] & (1 << (row % 64)) != 0
    }

    /// `row` dies; `false` when it was dead.
    pub fn insert(&mut self, row: usize) -> bool {
        let bit = 1 << (row % 64);
        let word = &mut self.words[row / 64];
        let fresh = *word & bit == 0;
        *word |= bit;
        self.count += usize::from(fresh);
        fresh
    }
}

/// A part as one state of the index has it.
#[derive(Debug)]
pub struct Held<P> {
    /// Shared with other states.
    pub part: Arc<P>,
    /// Shared until a row dies.
    pub dead: Arc<Dead>,
}

impl<P> Clone for Held<P> {
    fn clone(&self) -> Self {
        Self { part: self.part.clone(), dead: self.dead.clone() }
    }
}

impl<P: Part> Held<P> {
    /// A part without a dead row.
    pub fn new(part: P) -> Self {
        let dead = Arc::new(Dead::none(part.keys().len()));
        Self { part: Arc::new(part), dead }
    }

    /// Rows that are not dead.
    pub fn live(&self) -> usize {
        self.part.keys().len() - self.dead.count()
    }

    /// Lets the row of `key` die; `false` when there is no live one.
    pub fn kill(&mut self, key: u64) -> bool {
        match row_of(self.part.keys(), key) {
            Some(row) if !self.dead.contains(row) => Arc::make_mut(&mut self.dead).insert(row),
            _ => false,
        }
    }

    /// Whether `key` has a live row here.
    pub fn has(&self, key: u64) -> bool {
        row_of(self.part.keys(), key).is_some_and(|row| !self.dead.contains(row))
    }
}
