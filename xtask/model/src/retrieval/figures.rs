//! MRR, and how sure a difference of two is.

use super::corpus::Query;

/// How often the queries are resampled.
const RESAMPLES: usize = 1000;

/// The reciprocal ranks of all queries.
pub struct Mrr(Vec<f64>);

impl Mrr {
    /// 1/rank of the first right answer to each query, 0 beyond `depth`.
    pub fn of(queries: &[Query], found: &[Vec<u32>], depth: usize) -> Self {
        let reciprocal = |(query, found): (&Query, &Vec<u32>)| {
            let place = found.iter().take(depth).position(|place| query.right.contains(place));
            place.map_or(0.0, |place| 1.0 / (place + 1) as f64)
        };
        Self(queries.iter().zip(found).map(reciprocal).collect())
    }

    /// Their mean.
    pub fn mean(&self) -> f64 {
        self.0.iter().sum::<f64>() / self.0.len() as f64
    }
}

/// What `new` gains over `old`, query by query: the middle 95 % of the means of resampled queries.
pub fn gain(old: &Mrr, new: &Mrr, seed: u64) -> [f64; 2] {
    let differences: Vec<f64> = old.0.iter().zip(&new.0).map(|(old, new)| new - old).collect();
    let mut random = fastrand::Rng::with_seed(seed);
    let mut mean = || {
        let sum: f64 = differences.iter().map(|_| differences[random.usize(..differences.len())]).sum();
        sum / differences.len() as f64
    };
    let mut means: Vec<f64> = (0..RESAMPLES).map(|_| mean()).collect();
    means.sort_by(f64::total_cmp);
    [means[RESAMPLES / 40], means[RESAMPLES - 1 - RESAMPLES / 40]]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(right: u32) -> Query {
        Query { text: String::new(), right: vec![right] }
    }

    #[test]
    fn the_first_right_answer_counts_by_its_place() {
        let queries = [query(1), query(2), query(3), query(4)];
        let found = [vec![1], vec![9, 2], vec![], vec![5, 6, 4]];
        assert!((Mrr::of(&queries, &found, 2).mean() - (1.0 + 0.5) / 4.0).abs() < 1e-12);
    }

    #[test]
    fn a_gain_on_every_query_is_sure_and_one_on_few_is_not() {
        let old = Mrr(vec![0.1; 100]);
        let [low, high] = gain(&old, &Mrr(vec![0.3; 100]), 1);
        assert!((low - 0.2).abs() < 1e-9 && (high - 0.2).abs() < 1e-9);
        let mut few = vec![0.1; 100];
        few[0] = 0.2;
        let [low, high] = gain(&old, &Mrr(few), 1);
        assert!(low <= 0.0 && high > 0.0, "{low} {high}");
    }
}
