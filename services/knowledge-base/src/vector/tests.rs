//! What the index promises, over real files.

mod concurrent;
mod damage;
mod limits;
mod model;
mod recall;

use std::path::Path;
use std::sync::atomic::Ordering;

use super::*;
use crate::store::{Epoch, Revision};
use crate::testing::Directory;

/// Longer than any of these tests builds; one that gets there hangs.
const BUILT_WITHIN: Duration = Duration::from_secs(60);

/// They do not rest beside other tests.
fn builders() -> Builders {
    Builders::start(BuildersOptions { threads: 2, yields: false, ..BuildersOptions::default() }).unwrap()
}

/// Graphs from a handful of vectors on, so that a test sees all there is.
fn small(dimension: usize) -> Options {
    let tuning = Tuning { seal_rows: 8, ..Tuning::default() };
    Options { tuning, ..Options::new("test-model", dimension) }
}

fn at(revision: u64) -> Position {
    Position { epoch: Epoch::kept("e1"), revision: Revision(revision) }
}

/// A unit vector, the same for the same number.
fn vector(number: u64, dimension: usize) -> Vec<f32> {
    let mut random = fastrand::Rng::with_seed(number);
    unit((0..dimension).map(|_| random.f32() - 0.5).collect())
}

fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|component| component * component).sum::<f32>().sqrt();
    vector.iter_mut().for_each(|component| *component /= length);
    vector
}

/// Applies vectors numbered as their keys.
fn fill(index: &VectorIndex, keys: std::ops::Range<u64>, dimension: usize, revision: u64) {
    let vectors: Vec<_> = keys.map(|key| (key, vector(key, dimension))).collect();
    let upserts: Vec<(u64, &[f32])> = vectors.iter().map(|(key, vector)| (*key, vector.as_slice())).collect();
    index.apply(&upserts, &[], &at(revision)).unwrap();
}

fn keys(found: &[(u64, f32)]) -> Vec<u64> {
    found.iter().map(|(key, _)| *key).collect()
}
