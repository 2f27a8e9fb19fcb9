//! The built-in model: a row of numbers for each piece of a word. A text's vector is the direction of the sum of its
//! pieces' rows, so an embedding costs microseconds and needs no file, no network and no memory of its own but the
//! vocabulary's.
//!
//! The rows say already how much a piece matters: that of a rare one is longer. The table is committed and compiled in;
//! `cargo xtask embedding-table` makes it anew from the model, byte for byte.

use std::sync::{Arc, LazyLock};

use super::statement::spell_out;
use super::table_file::{self, TableError};
use super::tokenizer::{PieceId, Vocabulary};
use super::{EmbeddingModel, Vector};

static BUILT_IN: &[u8] = include_bytes!("minilm.table");

/// A table, ready for use.
#[derive(Debug)]
pub struct StaticTable {
    model: EmbeddingModel,
    source_sha256: [u8; 32],
    vocabulary: Vocabulary<'static>,
    /// What a row's numbers are multiplied by; by row.
    scales: Vec<f32>,
    /// Row after row, each number an `i8`.
    rows: &'static [u8],
}

impl StaticTable {
    /// The table that is compiled in. The first call reads its vocabulary, which takes some milliseconds.
    pub fn built_in() -> &'static Self {
        static TABLE: LazyLock<StaticTable> =
            LazyLock::new(|| StaticTable::read(BUILT_IN).expect("a test reads the committed table"));
        &TABLE
    }

    /// A table from the bytes of its file.
    ///
    /// # Errors
    /// [`TableError`] where the bytes are no whole table of this version.
    pub fn read(bytes: &'static [u8]) -> Result<Self, TableError> {
        let file = table_file::read(bytes)?;
        let vocabulary = Vocabulary::new(file.pieces());
        if vocabulary.len() != file.scales.len() {
            return Err(TableError::Vocabulary { expected: file.scales.len(), found: vocabulary.len() });
        }
        let model = EmbeddingModel { id: Arc::from(file.model_id), dimension: file.dimension };
        Ok(Self {
            model,
            source_sha256: file.source_sha256,
            vocabulary,
            scales: file.scales,
            rows: file.rows,
        })
    }

    /// What it is recorded as.
    pub fn model(&self) -> &EmbeddingModel {
        &self.model
    }

    /// SHA-256 of the package that the table was made from.
    pub fn source_sha256(&self) -> &[u8; 32] {
        &self.source_sha256
    }

    /// The vector of a text, or `None` where no piece of it is known.
    pub fn embed_text(&self, text: &str) -> Option<Vector> {
        let mut sum = vec![0.0; self.model.dimension];
        for piece in self.vocabulary.pieces(text).into_iter().flatten() {
            self.add_row(piece, &mut sum);
        }
        // No piece, or pieces that cancel each other out.
        Vector::new(sum).ok()
    }

    /// The vector of a fact: that of the words which its statement says, with names taken apart (`New_York`,
    /// `HasCapital`) and without what only numbers them (`dog_n_1`). `None` where none of them is known.
    pub fn embed_statement(&self, statement: &str) -> Option<Vector> {
        let mut words = String::with_capacity(statement.len() + statement.len() / 8);
        spell_out(statement, &mut words);
        self.embed_text(&words)
    }

    fn add_row(&self, piece: PieceId, sum: &mut [f32]) {
        let row = piece as usize;
        let scale = self.scales[row];
        let start = row * self.model.dimension;
        for (sum, number) in sum.iter_mut().zip(&self.rows[start..]) {
            *sum += scale * f32::from(number.cast_signed());
        }
    }
}

/// The committed file.
#[cfg(test)]
pub(super) fn built_in_file() -> table_file::TableFile<'static> {
    table_file::read(BUILT_IN).expect("the committed table is whole")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cosine(a: &str, b: &str) -> f32 {
        let [a, b] = [a, b].map(|text| StaticTable::built_in().embed_text(text).expect("known words"));
        a.cosine(&b)
    }

    #[test]
    fn the_committed_table_is_the_one_that_is_documented() {
        let table = StaticTable::built_in();
        assert_eq!(&*table.model.id, "minilm-l6-v2-static-1");
        assert_eq!((table.model.dimension, table.scales.len()), (256, 29_338));
        assert!(BUILT_IN.len() < 8_000_000, "{} bytes are committed", BUILT_IN.len());
    }

    #[test]
    fn the_table_was_made_from_the_package_that_is_pinned() {
        let sha256: String =
            StaticTable::built_in().source_sha256().iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(
            include_str!("../../../../xtask/tools.json").contains(&sha256),
            "tools.json does not pin {sha256}"
        );
    }

    #[test]
    fn the_nearest_text_is_the_one_with_the_same_meaning() {
        let texts = [
            "a domestic animal that barks and guards the house",
            "a large natural stream of water that flows into the sea",
            "money that a bank lends and that is paid back with interest",
            "a person who looks after the sick in a hospital",
            "a device that computes with numbers and runs programs",
            "an instrument with strings that is played with a bow",
        ];
        let queries = ["puppy", "river", "loan", "nurse", "computer", "violin"];
        for (expected, query) in texts.iter().zip(queries) {
            let nearest = texts.iter().max_by(|a, b| cosine(query, a).total_cmp(&cosine(query, b)));
            assert_eq!(nearest, Some(expected), "{query}");
        }
    }

    #[test]
    fn words_that_mean_nearly_the_same_are_near() {
        for (word, near, far) in [
            ("dog", "puppy", "senate"),
            ("car", "automobile", "poem"),
            ("king", "queen", "carrot"),
            ("Paris", "France", "oxygen"),
            ("begin", "start", "green"),
        ] {
            assert!(cosine(word, near) > 0.4, "{word} {near}: {}", cosine(word, near));
            assert!(cosine(word, far) < 0.2, "{word} {far}: {}", cosine(word, far));
        }
    }

    #[test]
    fn case_accents_and_punctuation_do_not_count() {
        assert!((cosine("Café, naïve!", "cafe naive") - 1.0).abs() < 1e-5);
    }

    #[test]
    fn a_rare_word_says_more_than_a_frequent_one() {
        assert!(cosine("the giraffe", "giraffe") > 0.95);
        assert!(cosine("the giraffe", "the") < 0.5);
    }

    #[test]
    fn a_fact_embeds_as_the_words_that_it_says() {
        let table = StaticTable::built_in();
        assert_eq!(
            table.embed_statement("HasCapital(New_York, Albany)."),
            table.embed_text("Has Capital New York Albany")
        );
        assert_eq!(
            table.embed_statement("Hypernym(dog_n_1, canine_n_2)."),
            table.embed_statement("Hypernym(dog_n_7, canine_n_8)."),
        );
    }

    #[test]
    fn a_text_without_a_known_word_has_no_vector() {
        for text in ["", " ", "...", "🦀", "\u{20000}", "\0"] {
            assert_eq!(StaticTable::built_in().embed_text(text), None, "{text:?}");
        }
        assert_eq!(StaticTable::built_in().embed_statement("(🦀)"), None);
    }
}
