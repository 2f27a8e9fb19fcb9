//! Texts as vectors: what is near in meaning is near in direction.
//!
//! - `vector.rs`: the one type of vectors, always of length 1;
//! - `tokenizer.rs`: text into the pieces of words that the model knows;
//! - `statement.rs`: a fact's statement as the words that it says;
//! - `static_table.rs`: the built-in model, a committed table with a row for each piece; `table_file.rs` has its layout,
//!   and `cargo xtask embedding-table` makes it.
//!
//! A [`Vector`] does not know which model made it: whoever keeps vectors records the [`EmbeddingModel`] beside them and
//! compares. Nothing here knows about the store, the index or HTTP routes. Why a table, and how it was chosen:
//! `docs/decisions/015-a-table-instead-of-a-model.md`.

mod statement;
mod static_table;
pub mod table_file;
mod tokenizer;
mod vector;

use std::sync::Arc;

pub use static_table::StaticTable;
pub use table_file::TableError;
pub use tokenizer::{PieceId, Vocabulary, is_punctuation};
pub use vector::{DIMENSION_MAX, Vector, VectorError};

/// What made a vector. Vectors compare only where both are equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EmbeddingModel {
    /// Name and version, such as `minilm-l6-v2-static-1`.
    pub id: Arc<str>,
    /// Numbers in each vector.
    pub dimension: usize,
}
