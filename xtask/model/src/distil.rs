//! The model as a table: what it makes of each piece of a word alone, in fewer numbers, longer where a piece is rare.
//!
//! 1. Each piece goes through the whole model as a text of its own; the mean over its positions is its state.
//! 2. The states are turned to their principal axes, and the first [`DIMENSION`] are kept. Each axis is divided by the
//!    fourth root of its variance: half-way to equal variances, so that what all pieces have in common counts less.
//! 3. A row is multiplied by ln(1 + rank), where the vocabulary ranks pieces by how often they occur: Zipf's law makes
//!    that the information of a piece, but for a constant.
//!
//! The recipe follows static distillation as `model2vec` has it (MinishLab, 2024); the numbers in it were measured, see
//! `docs/decisions/015-a-table-instead-of-a-model.md`.

use anyhow::{Context, Result};
use knowledge_base::embed::{is_punctuation, table_file};
use nalgebra::{DMatrix, DVector, SymmetricEigen};

use crate::bert::{Bert, WIDTH, narrowed};
use crate::wheel::Package;

/// What vectors of the table are recorded as. Another table needs another id: vectors of both do not compare.
const MODEL_ID: &str = "minilm-l6-v2-static-1";
/// Numbers in a row.
const DIMENSION: usize = 256;
/// The most frequent word: the vocabulary has marks, punctuation and single letters before it, then goes by frequency.
const MOST_FREQUENT: &str = "the";

/// The file of the table.
pub fn table(package: &Package) -> Result<Vec<u8>> {
    let bert = Bert::load(package)?;
    let all: Vec<&str> = package.vocabulary.lines().collect();
    let first =
        all.iter().position(|piece| *piece == MOST_FREQUENT).context("a vocabulary without \"the\"")?;
    let kept: Vec<usize> = (0..all.len()).filter(|id| says_something(all[*id])).collect();
    let texts = kept.iter().map(|id| Ok(vec![u32::try_from(*id)?])).collect::<Result<Vec<_>>>()?;
    let mut rows = reduced(&bert.encode(&texts));
    for (row, id) in rows.iter_mut().zip(&kept) {
        let rank = id.saturating_sub(first) + 1;
        *row *= (1.0 + rank as f64).ln();
    }
    let pieces: Vec<&str> = kept.iter().map(|id| all[*id]).collect();
    let rows: Vec<Vec<f32>> =
        rows.iter().map(|row| row.iter().map(|number| narrowed(*number)).collect()).collect();
    let source_sha256 = package.sha256;
    Ok(table_file::write(&table_file::Contents {
        model_id: MODEL_ID,
        source_sha256,
        pieces: &pieces,
        rows: &rows,
    }))
}

/// Marks (`[CLS]`) cannot come out of a text, and punctuation says nothing that a sum of words could keep.
fn says_something(piece: &str) -> bool {
    let is_mark = piece.len() > 2 && piece.starts_with('[') && piece.ends_with(']');
    !is_mark && !piece.chars().all(is_punctuation)
}

/// The states on their principal axes.
fn reduced(states: &[DVector<f64>]) -> Vec<DVector<f64>> {
    let mut centred = DMatrix::from_columns(states);
    let mean = centred.column_mean();
    for mut state in centred.column_iter_mut() {
        state -= &mean;
    }
    let covariance = &centred * centred.transpose() / centred.ncols() as f64;
    let eigen = SymmetricEigen::new(covariance);
    let mut by_variance: Vec<usize> = (0..WIDTH).collect();
    by_variance.sort_by(|a, b| eigen.eigenvalues[*b].total_cmp(&eigen.eigenvalues[*a]));
    let axes = by_variance[..DIMENSION].iter().map(|index| {
        let axis = eigen.eigenvectors.column(*index);
        // Both directions of an axis are as good; one of them must be chosen.
        let sign = axis[axis.icamax()].signum();
        axis * (sign / eigen.eigenvalues[*index].sqrt().sqrt())
    });
    let axes = DMatrix::from_columns(&axes.collect::<Vec<_>>());
    centred.column_iter().map(|state| axes.tr_mul(&state)).collect()
}
