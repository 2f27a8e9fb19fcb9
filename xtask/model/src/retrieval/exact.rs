//! Search by meaning that looks at every vector: what an approximate index is compared with.

use knowledge_base::embed::Vector;
use nalgebra::DMatrix;

/// Queries that are answered together, for one product of matrices: 117,791 definitions by so many are 60 MB.
const BATCH_QUERIES: usize = 128;

/// Vectors of definitions, a column each; zeros for one without.
pub struct ExactIndex(DMatrix<f32>);

impl ExactIndex {
    /// None where no definition has a vector.
    pub fn build(vectors: &[Option<Vector>]) -> Option<Self> {
        columns(vectors, vectors.iter().flatten().next()?.dimension()).map(Self)
    }

    /// For each query the places of the `count` nearest definitions, nearest first.
    pub fn rank(&self, queries: &[Option<Vector>], count: usize) -> Vec<Vec<u32>> {
        let ranked = queries.chunks(BATCH_QUERIES).flat_map(|batch| {
            let near = columns(batch, self.0.nrows()).map(|queries| self.0.tr_mul(&queries));
            let rank = |(column, query): (usize, &Option<Vector>)| match (&near, query) {
                (Some(near), Some(_)) => best(near.column(column).as_slice(), count),
                _ => Vec::new(),
            };
            batch.iter().enumerate().map(rank).collect::<Vec<_>>()
        });
        ranked.collect()
    }
}

fn columns(vectors: &[Option<Vector>], dimension: usize) -> Option<DMatrix<f32>> {
    let mut matrix = DMatrix::zeros(dimension, vectors.len());
    for (mut column, vector) in matrix.column_iter_mut().zip(vectors) {
        if let Some(vector) = vector {
            column.copy_from_slice(vector);
        }
    }
    (!vectors.is_empty()).then_some(matrix)
}

fn best(scores: &[f32], count: usize) -> Vec<u32> {
    let mut places: Vec<u32> = (0..).take(scores.len()).collect();
    let better = |a: &u32, b: &u32| scores[*b as usize].total_cmp(&scores[*a as usize]).then(a.cmp(b));
    if places.len() > count {
        places.select_nth_unstable_by(count, better);
        places.truncate(count);
    }
    places.sort_by(better);
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(numbers: &[f32]) -> Option<Vector> {
        Some(Vector::new(numbers.to_vec()).unwrap())
    }

    #[test]
    fn the_nearest_come_first_and_a_query_without_a_vector_finds_nothing() {
        let index = ExactIndex::build(&[vector(&[1.0, 0.0]), vector(&[0.0, 1.0]), None, vector(&[1.0, 1.0])])
            .unwrap();
        let found = index.rank(&[vector(&[2.0, 1.0]), None, vector(&[0.0, 3.0])], 3);
        assert_eq!(found, [vec![3, 0, 1], vec![], vec![1, 3, 0]]);
    }
}
