//! Vectors as the index keeps them: unit length, 16-bit floats. The kernels choose the processor's widest instructions
//! at run time, and are those that `usearch` uses, so a vector scores the same in every kind of part.

use numkong::{Dot, cast};

/// One component.
pub use numkong::f16 as Half;

/// Bytes of one component.
pub const HALF_BYTES: usize = size_of::<Half>();

/// Appends `vector`, rounded to the nearest.
pub fn append(vector: &[f32], to: &mut Vec<Half>) {
    let start = to.len();
    to.resize(start + vector.len(), Half::default());
    cast(vector, &mut to[start..]).expect("both have one length");
}

/// Writes `vector` to `to`, exactly. Both have one length.
pub fn widen(vector: &[Half], to: &mut [f32]) {
    cast(vector, to).expect("both have one length");
}

/// The inner product: the cosine, for vectors of unit length. Both have one length.
pub fn dot(left: &[Half], right: &[Half]) -> f32 {
    Half::dot(left, right).expect("both have one length")
}

/// A query in both widths: graphs take one, exact scans the other.
pub struct Query<'a> {
    /// As it came.
    pub full: &'a [f32],
    /// Rounded as the vectors are.
    pub half: Vec<Half>,
}

impl<'a> Query<'a> {
    /// Rounds it.
    pub fn new(full: &'a [f32]) -> Self {
        let mut half = Vec::with_capacity(full.len());
        append(full, &mut half);
        Self { full, half }
    }
}
