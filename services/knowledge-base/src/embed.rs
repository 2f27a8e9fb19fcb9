//! Texts as vectors: what is near in meaning is near in direction.
//!
//! - `vector.rs`: the one type of vectors, always of length 1;
//! - `tokenizer.rs`: text into the pieces of words that the model knows;
//! - `statement.rs`: a fact's statement as the words that it says;
//! - `static_table.rs`: the built-in model, a committed table with a row for each piece; `table_file.rs` has its layout,
//!   and `cargo xtask embedding-table` makes it;
//! - `openai.rs`: an endpoint that speaks OpenAI's protocol instead.
//!
//! [`Embedder`] is whichever of the two the settings choose. Facts always go by the table: [`StaticTable::built_in`].
//!
//! A [`Vector`] does not know which model made it: whoever keeps vectors records the [`EmbeddingModel`] beside them and
//! compares. Nothing here knows about the store, the index or HTTP routes. Why a table, and how it was chosen:
//! `docs/decisions/015-a-table-instead-of-a-model.md`.

mod error;
pub mod metrics;
pub mod openai;
mod settings;
mod statement;
mod static_table;
pub mod table_file;
mod tokenizer;
mod vector;

use std::sync::Arc;

use tokio::time::Instant;

pub use error::EmbedError;
use openai::OpenAiEmbedder;
pub use settings::{EmbedderChoice, EmbedderConfig, EmbedderConfigError};
pub use static_table::StaticTable;
pub use table_file::TableError;
pub use tokenizer::{PieceId, Vocabulary, is_punctuation};
pub use vector::{DIMENSION_MAX, Vector, VectorError};

/// Bytes of texts that the table embeds in the caller's task, which takes below half a millisecond.
const INLINE_BYTES_MAX: usize = 16 * 1024;

/// What made a vector. Vectors compare only where both are equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EmbeddingModel {
    /// Name and version, such as `minilm-l6-v2-static-1`.
    pub id: Arc<str>,
    /// Numbers in each vector.
    pub dimension: usize,
}

/// What makes vectors of texts. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Embedder {
    /// The built-in table.
    Static(&'static StaticTable),
    /// An endpoint.
    OpenAi(OpenAiEmbedder),
}

impl Embedder {
    /// The id of the model, without asking anybody.
    pub fn model_id(&self) -> &str {
        match self {
            Self::Static(table) => &table.model().id,
            Self::OpenAi(endpoint) => endpoint.model_id(),
        }
    }

    /// What its vectors are recorded as. An endpoint may have to be asked for its dimension, once.
    ///
    /// # Errors
    /// [`EmbedError`] where it was asked and gave no vector.
    pub async fn model(&self, deadline: Instant) -> Result<EmbeddingModel, EmbedError> {
        match self {
            Self::Static(table) => Ok(table.model().clone()),
            Self::OpenAi(endpoint) => endpoint.model(deadline).await,
        }
    }

    /// The vectors of `texts`, in their order, each of the model's dimension; `None` for a text of which the model knows
    /// nothing.
    ///
    /// # Errors
    /// [`EmbedError`] where the endpoint gave no vectors until `deadline`; then none of the texts has one.
    pub async fn embed(
        &self,
        texts: Vec<String>,
        deadline: Instant,
    ) -> Result<Vec<Option<Vector>>, EmbedError> {
        let table = match self {
            Self::OpenAi(endpoint) => return endpoint.embed(texts, deadline).await,
            Self::Static(table) => *table,
        };
        let is_small = texts.iter().map(String::len).sum::<usize>() <= INLINE_BYTES_MAX;
        let all = move || texts.iter().map(|text| table.embed_text(text)).collect();
        if is_small {
            return Ok(all());
        }
        tokio::task::spawn_blocking(all).await.map_err(|_| EmbedError::Stopping)
    }
}
