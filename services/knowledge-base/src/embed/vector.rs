//! The one type of vectors: finite numbers, length 1.

use std::ops::Deref;

/// Most numbers in a vector: the largest published embedding models have 4,096; 16 KiB in memory.
pub const DIMENSION_MAX: usize = 4096;

/// How far from 1 a length may be where the numbers came as a vector of length 1 and were rounded on the way.
const LENGTH_TOLERANCE: f64 = 1e-4;

/// Why numbers are not a vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VectorError {
    /// NaN or infinity.
    #[error("number {index} of the vector is not finite")]
    NotFinite {
        /// Its place, from 0.
        index: usize,
    },
    /// All zeros, or none at all: no direction.
    #[error("the vector has no direction: all its numbers are 0")]
    NoDirection,
    /// More than [`DIMENSION_MAX`] numbers.
    #[error("the vector has {found} numbers, more than {DIMENSION_MAX}")]
    TooLong {
        /// How many came.
        found: usize,
    },
    /// Another dimension than the model's.
    #[error("the vector has {found} numbers, not {expected}")]
    WrongDimension {
        /// What the model has.
        expected: usize,
        /// How many came.
        found: usize,
    },
}

impl VectorError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::WrongDimension { .. } => "wrong_dimension",
            Self::NotFinite { .. } | Self::NoDirection | Self::TooLong { .. } => "invalid_vector",
        }
    }
}

/// A direction: finite numbers whose squares add up to 1. The cosine of two is their dot product.
#[derive(Debug, Clone, PartialEq)]
pub struct Vector(Box<[f32]>);

impl Vector {
    /// The direction of `numbers`, which may have any length but 0.
    ///
    /// # Errors
    /// [`VectorError`] where they have no direction.
    pub fn new(mut numbers: Vec<f32>) -> Result<Self, VectorError> {
        if numbers.len() > DIMENSION_MAX {
            return Err(VectorError::TooLong { found: numbers.len() });
        }
        if let Some(index) = numbers.iter().position(|number| !number.is_finite()) {
            return Err(VectorError::NotFinite { index });
        }
        let length = length(&numbers);
        if length == 0.0 {
            return Err(VectorError::NoDirection);
        }
        // A vector that was made here and comes back keeps its very bits.
        if (length - 1.0).abs() > LENGTH_TOLERANCE {
            for number in &mut numbers {
                *number = narrowed(f64::from(*number) / length);
            }
        }
        Ok(Self(numbers.into()))
    }

    /// The same for `numbers` that must be as many as the model has.
    ///
    /// # Errors
    /// [`VectorError`] where they are not, or have no direction.
    pub fn of_dimension(numbers: Vec<f32>, dimension: usize) -> Result<Self, VectorError> {
        if numbers.len() != dimension {
            return Err(VectorError::WrongDimension { expected: dimension, found: numbers.len() });
        }
        Self::new(numbers)
    }

    /// How many numbers it has.
    pub fn dimension(&self) -> usize {
        self.0.len()
    }

    /// -1 (opposite) to 1 (same direction). Both must come from the same model: further numbers of the longer count
    /// for nothing.
    pub fn cosine(&self, other: &Self) -> f32 {
        self.iter().zip(other.iter()).map(|(a, b)| a * b).sum()
    }
}

impl Deref for Vector {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.0
    }
}

/// In `f64`, whose squares of `f32` neither overflow nor vanish.
fn length(numbers: &[f32]) -> f64 {
    numbers.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>().sqrt()
}

#[allow(clippy::cast_possible_truncation, reason = "the nearest f32 is what is wanted")]
fn narrowed(number: f64) -> f32 {
    number as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_length_but_zero_becomes_one() {
        for scale in [f32::MIN_POSITIVE, 1e-30, 0.5, 1.0, 7.0, f32::MAX / 8.0] {
            let vector = Vector::new(vec![3.0 * scale, 0.0, -4.0 * scale]).unwrap();
            assert!((length(&vector) - 1.0).abs() < 1e-6, "{scale}: {vector:?}");
            assert!((vector[0] - 0.6).abs() < 1e-6 && (vector[2] + 0.8).abs() < 1e-6, "{scale}: {vector:?}");
        }
    }

    #[test]
    fn a_vector_that_comes_back_keeps_its_bits() {
        let vector = Vector::new(vec![0.1, 0.2, 0.3, 1e-9]).unwrap();
        assert_eq!(Vector::of_dimension(vector.to_vec(), 4), Ok(vector));
    }

    #[test]
    fn what_has_no_direction_is_refused_with_a_code() {
        let cases = [
            (vec![1.0, f32::NAN], VectorError::NotFinite { index: 1 }),
            (vec![f32::NEG_INFINITY], VectorError::NotFinite { index: 0 }),
            (vec![0.0, -0.0], VectorError::NoDirection),
            (vec![], VectorError::NoDirection),
            (vec![1.0; DIMENSION_MAX + 1], VectorError::TooLong { found: DIMENSION_MAX + 1 }),
        ];
        for (numbers, expected) in cases {
            let error = Vector::new(numbers).expect_err("no direction");
            assert_eq!((error, error.code()), (expected, "invalid_vector"));
        }
    }

    #[test]
    fn another_dimension_is_refused_with_a_code() {
        let error = Vector::of_dimension(vec![1.0, 2.0], 3).expect_err("two are not three");
        assert_eq!(error, VectorError::WrongDimension { expected: 3, found: 2 });
        assert_eq!(error.code(), "wrong_dimension");
    }

    #[test]
    fn the_cosine_is_one_for_itself_and_minus_one_for_the_opposite() {
        let one = Vector::new(vec![1.0, 2.0, 2.0]).unwrap();
        let opposite = Vector::new(vec![-2.0, -4.0, -4.0]).unwrap();
        assert!((one.cosine(&one) - 1.0).abs() < 1e-6);
        assert!((one.cosine(&opposite) + 1.0).abs() < 1e-6);
    }
}
