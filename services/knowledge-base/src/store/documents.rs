//! Documents and their collections as values that cannot be wrong. How they lie on disk is a backend's matter.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::model::{Revision, UnixMillis, entity_token};
use crate::embed::Vector;

/// Longest name of a collection, bytes.
pub const COLLECTION_NAME_BYTES_MAX: usize = 64;

/// Collections in a store. Each has an index of its own with files and threads' attention, so they are no way to keep
/// users apart; metadata is.
pub const COLLECTIONS_MAX: u64 = 256;

/// Longest id of a document, bytes: an address fits.
pub const DOCUMENT_KEY_BYTES_MAX: usize = 512;

/// Longest text of a document, bytes. It has one vector, which says little about a longer text: cut that into parts.
pub const DOCUMENT_BYTES_MAX: usize = 64 * 1024;

/// Longest metadata of a document, bytes of its JSON.
pub const METADATA_BYTES_MAX: usize = 8 * 1024;

/// The built-in collection: the facts themselves.
pub const FACTS: &str = "facts";

/// Name of a collection: a lower-case letter, then lower-case letters, digits, `_` and `-`; never [`FACTS`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CollectionName(Arc<str>);

impl CollectionName {
    /// `text` as a name, or `None` where it is none.
    pub fn new(text: &str) -> Option<Self> {
        let mut letters = text.bytes();
        let starts = letters.next().is_some_and(|letter| letter.is_ascii_lowercase());
        let goes_on = letters.all(|letter| {
            letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, b'_' | b'-')
        });
        let ok = starts && goes_on && text.len() <= COLLECTION_NAME_BYTES_MAX && text != FACTS;
        ok.then(|| Self(text.into()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CollectionName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Number of a collection in its store; no other ever gets it. 0 stands for the facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CollectionId(pub u64);

impl CollectionId {
    /// The facts.
    pub const FACTS: Self = Self(0);
}

/// Number of a document in its store, over all collections; no other ever gets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocumentId(pub u64);

/// The id that a client gives a document, unique in its collection: 1 to 512 bytes without control characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocumentKey(Box<str>);

impl DocumentKey {
    /// `text` as an id, or `None` where it is none.
    pub fn new(text: &str) -> Option<Self> {
        let ok = (1..=DOCUMENT_KEY_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
        ok.then(|| Self(text.into()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Who makes the vectors of a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmbedderKind {
    /// The table in this program.
    Static,
    /// The endpoint of the settings.
    OpenAi,
    /// The client, who sends them along.
    Caller,
}

impl EmbedderKind {
    /// As it is kept and told.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::OpenAi => "openai",
            Self::Caller => "caller",
        }
    }

    /// What [`Self::as_str`] gave.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Static, Self::OpenAi, Self::Caller].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A collection that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCollection {
    /// Its name.
    pub name: CollectionName,
    /// Who makes its vectors.
    pub embedder: EmbedderKind,
    /// The model's id: vectors of two models do not compare.
    pub model: String,
    /// Numbers in a vector, 1 to [`crate::embed::DIMENSION_MAX`].
    pub dimension: usize,
}

/// A collection as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collection {
    /// Its number.
    pub id: CollectionId,
    /// What it was made with; none of that ever changes.
    pub made_as: NewCollection,
    /// Documents in it.
    pub document_count: u64,
    /// When it was made.
    pub created_at: UnixMillis,
}

/// What a client knows of a document beside its text: a flat JSON object of at most [`METADATA_BYTES_MAX`] bytes whose
/// values are strings, numbers, booleans or lists of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata(Box<str>);

impl Metadata {
    /// `value` as metadata, or `None` where it is none. Nothing (`null`) is an empty object.
    pub fn new(value: &Value) -> Option<Self> {
        let object = match value {
            Value::Null => return Some(Self("{}".into())),
            Value::Object(object) => object,
            _ => return None,
        };
        let flat = object.values().all(|value| match value {
            Value::Array(values) => values.iter().all(is_scalar),
            value => is_scalar(value),
        });
        let text = value.to_string();
        (flat && text.len() <= METADATA_BYTES_MAX).then(|| Self(text.into()))
    }

    /// Metadata that was kept.
    pub fn kept(text: String) -> Self {
        Self(text.into())
    }

    /// Its JSON.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// One token for each pair of key and value, as [`MetadataFilter::tokens`] has them.
    pub fn tokens(&self) -> Vec<String> {
        // It was an object when it was made.
        let object: Map<String, Value> = serde_json::from_str(&self.0).unwrap_or_default();
        object
            .iter()
            .flat_map(|(key, value)| match value {
                Value::Array(values) => values.iter().map(|value| token(key, value)).collect::<Vec<_>>(),
                value => vec![token(key, value)],
            })
            .collect()
    }
}

/// Which documents are wanted: those that have all of these pairs. A list in a document's metadata has each of its
/// values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetadataFilter(Vec<String>);

/// Pairs in a filter; each is a look-up.
pub const FILTER_PAIRS_MAX: usize = 16;

impl MetadataFilter {
    /// `value` (an object of scalars, or nothing) as a filter, or `None` where it is none.
    pub fn new(value: &Value) -> Option<Self> {
        match value {
            Value::Null => Some(Self::default()),
            Value::Object(object) => {
                let ok = object.len() <= FILTER_PAIRS_MAX && object.values().all(is_scalar);
                ok.then(|| Self(object.iter().map(|(key, value)| token(key, value)).collect()))
            }
            _ => None,
        }
    }

    /// Whether it lets everything through.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tokens that a document must have.
    pub fn tokens(&self) -> &[String] {
        &self.0
    }
}

fn is_scalar(value: &Value) -> bool {
    matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_))
}

/// Stands for a pair in an index: a hash, so that one tokenizer fits all.
fn token(key: &str, value: &Value) -> String {
    entity_token(&format!("{key}\0{value}"))
}

/// A document ready to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct NewDocument {
    /// The client's id.
    pub key: DocumentKey,
    /// Its text, at most [`DOCUMENT_BYTES_MAX`] bytes; may be empty where the vector is the caller's.
    pub content: String,
    /// What else the client knows.
    pub metadata: Metadata,
    /// Its vector, of the collection's dimension; `None` where the text has no known word.
    pub vector: Option<Vector>,
}

/// A document as it is kept, without its vector.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredDocument {
    /// Its number.
    pub id: DocumentId,
    /// The client's id.
    pub key: String,
    /// Its text.
    pub content: String,
    /// JSON of an object.
    pub metadata: Metadata,
    /// When it was first written.
    pub created_at: UnixMillis,
    /// When it was last replaced.
    pub updated_at: Option<UnixMillis>,
    /// The change that wrote it last.
    pub revision: Revision,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_collection_has_a_plain_name_and_facts_is_taken() {
        for name in ["a", "papers", "wordnet-3_1"] {
            assert_eq!(CollectionName::new(name).unwrap().as_str(), name);
        }
        let long = "a".repeat(COLLECTION_NAME_BYTES_MAX + 1);
        for name in ["", "1a", "A", "a b", "a.b", "a/b", "ä", "facts", &long] {
            assert_eq!(CollectionName::new(name), None, "{name}");
        }
    }

    #[test]
    fn metadata_is_flat_and_a_filter_finds_its_pairs() {
        let metadata = Metadata::new(&json!({"lang": "en", "tags": ["a", 2], "year": 1999})).unwrap();
        let has = |filter: Value| {
            let filter = MetadataFilter::new(&filter).unwrap();
            let tokens = metadata.tokens();
            filter.tokens().iter().all(|token| tokens.contains(token))
        };
        assert!(has(json!({"lang": "en"})) && has(json!({"tags": "a", "year": 1999})) && has(json!(null)));
        assert!(!has(json!({"lang": "de"})) && !has(json!({"year": "1999"})) && !has(json!({"en": "lang"})));
        for bad in [json!([]), json!("x"), json!({"a": {}}), json!({"a": [[1]]}), json!({"a": null})] {
            assert_eq!(Metadata::new(&bad), None, "{bad}");
        }
        assert_eq!(MetadataFilter::new(&json!({"a": ["b"]})), None);
        assert_eq!(Metadata::new(&json!({"a": "x".repeat(METADATA_BYTES_MAX)})), None);
    }
}
