//! A part in memory, searched exactly: what was applied lately and has no graph yet.

use super::budget::Charge;
use super::half::{self, HALF_BYTES, Half, Query};
use super::part::{Allowed, Dead, Held, Part, PartId, Unreadable};
use super::ranking::Ranking;

/// Vectors in one buffer, in the order of their keys.
#[derive(Debug)]
pub struct Flat {
    id: PartId,
    dimension: usize,
    keys: Vec<u64>,
    vectors: Vec<Half>,
    /// Its bytes, given back with it.
    charge: Charge,
}

impl Flat {
    /// What `rows` vectors take, in memory and in a file.
    pub fn bytes(rows: usize, dimension: usize) -> usize {
        rows * (dimension * HALF_BYTES + size_of::<u64>())
    }

    /// What this one takes.
    pub fn own_bytes(&self) -> usize {
        self.charge.bytes()
    }

    /// From rows whose keys rise; `vectors` holds `dimension` components for each.
    pub fn new(id: PartId, dimension: usize, keys: Vec<u64>, vectors: Vec<Half>, charge: Charge) -> Self {
        debug_assert!(keys.is_sorted_by(|left, right| left < right));
        debug_assert_eq!(vectors.len(), keys.len() * dimension);
        Self { id, dimension, keys, vectors, charge }
    }

    /// All components, row after row.
    pub fn vectors(&self) -> &[Half] {
        &self.vectors
    }

    fn vector(&self, row: usize) -> &[Half] {
        &self.vectors[row * self.dimension..][..self.dimension]
    }
}

impl Part for Flat {
    fn id(&self) -> PartId {
        self.id
    }

    fn keys(&self) -> &[u64] {
        &self.keys
    }

    fn read(&self, row: usize, to: &mut [f32]) -> Result<(), Unreadable> {
        half::widen(self.vector(row), to);
        Ok(())
    }

    fn rank_all(&self, query: &Query<'_>, dead: &Dead, allowed: Allowed<'_>, ranking: &mut Ranking) {
        for (row, &key) in self.keys.iter().enumerate() {
            if !dead.contains(row) && allowed.is_none_or(|allowed| allowed(key)) {
                ranking.push(key, half::dot(&query.half, self.vector(row)));
            }
        }
    }
}

/// The live rows of two flat parts that have no live key in common, in the order of their keys.
pub fn join(older: &Held<Flat>, newer: &Held<Flat>) -> (Vec<u64>, Vec<Half>) {
    let dimension = newer.part.dimension;
    let rows = older.live() + newer.live();
    let (mut keys, mut vectors) = (Vec::with_capacity(rows), Vec::with_capacity(rows * dimension));
    let (mut left, mut right) = (live_rows(older).peekable(), live_rows(newer).peekable());
    loop {
        let (key, flat, row) = match (left.peek(), right.peek()) {
            (Some(&(key, row)), Some(&(other, _))) if key < other => {
                left.next();
                (key, older, row)
            }
            (_, Some(&(key, row))) => {
                right.next();
                (key, newer, row)
            }
            (Some(&(key, row)), None) => {
                left.next();
                (key, older, row)
            }
            (None, None) => return (keys, vectors),
        };
        keys.push(key);
        vectors.extend_from_slice(flat.part.vector(row));
    }
}

fn live_rows(held: &Held<Flat>) -> impl Iterator<Item = (u64, usize)> {
    let keys = held.part.keys().iter().enumerate();
    keys.filter(|(row, _)| !held.dead.contains(*row)).map(|(row, &key)| (key, row))
}
