//! The manifest: which files make up the persisted state, and which revision that is. Replaced as a whole.

use std::io::{self, Write};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::files::{self, Damage, FileRecord};
use super::part::{Dead, PartId};

/// Its name in the directory of the index.
pub const MANIFEST_FILE: &str = "manifest.json";

/// What this program reads and writes. Another version is rebuilt.
pub const MANIFEST_VERSION: u32 = 1;

/// The persisted state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Of the embedding model whose vectors these are.
    pub model: String,
    /// Components of each.
    pub dimension: usize,
    /// The store's epoch that the revision belongs to.
    pub epoch: String,
    /// The persisted state is exactly this one's.
    pub revision: u64,
    /// No part had this number yet.
    pub next_part: PartId,
    /// Parts with a graph.
    pub graphs: Vec<GraphRecord>,
    /// Parts without.
    pub flats: Vec<FlatRecord>,
}

/// A part with a graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GraphRecord {
    /// Its number.
    pub id: PartId,
    /// Vectors and graph, as `usearch` writes them; its keys are rows.
    pub graph: FileRecord,
    /// The key of each row.
    pub keys: FileRecord,
    /// Its dead rows: a bit each, 64-bit words with the low byte first, in base64.
    pub dead: String,
}

/// A part without a graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlatRecord {
    /// Its number.
    pub id: PartId,
    /// Keys, then vectors.
    pub rows: FileRecord,
    /// As in [`GraphRecord`].
    pub dead: String,
}

/// What lies in the file: the body's text is what the checksum is of.
#[derive(Serialize, Deserialize)]
struct Envelope {
    version: u32,
    crc32: u32,
    body: Box<RawValue>,
}

impl Manifest {
    /// Replaces the manifest, in one step.
    pub fn write(&self, directory: &Path) -> io::Result<()> {
        write_checked(directory, MANIFEST_FILE, self)
    }

    /// Reads it; `None` when there is none.
    ///
    /// # Errors
    /// The outer for the system's errors, the inner for a file that is none of ours.
    pub fn read(directory: &Path) -> io::Result<Result<Option<Self>, Damage>> {
        read_checked(directory, MANIFEST_FILE)
    }

    /// All files that it names, itself included.
    pub fn files(&self) -> Vec<&str> {
        let graphs = self.graphs.iter().flat_map(|part| [&part.graph, &part.keys]);
        let records = graphs.chain(self.flats.iter().map(|part| &part.rows));
        records.map(|record| record.name.as_str()).chain([MANIFEST_FILE]).collect()
    }
}

/// Replaces a file of JSON that knows its own checksum, in one step.
pub fn write_checked(directory: &Path, name: &str, body: &impl Serialize) -> io::Result<()> {
    let body = serde_json::value::to_raw_value(body)?;
    let crc32 = crc32fast::hash(body.get().as_bytes());
    let text = serde_json::to_vec(&Envelope { version: MANIFEST_VERSION, crc32, body })?;
    files::write(directory, name, |file| file.write_all(&text)).map(drop)
}

/// Reads what [`write_checked`] wrote; `None` when there is none.
///
/// # Errors
/// The outer for the system's errors, the inner for a file that is none of ours.
pub fn read_checked<T: DeserializeOwned>(
    directory: &Path,
    name: &str,
) -> io::Result<Result<Option<T>, Damage>> {
    let text = files::if_there(std::fs::read(directory.join(name)))?;
    Ok(text.map(|text| parse(name, &text)).transpose())
}

fn parse<T: DeserializeOwned>(name: &str, text: &[u8]) -> Result<T, Damage> {
    let unreadable =
        |error: serde_json::Error| Damage::Unreadable { name: name.to_owned(), reason: error.to_string() };
    let envelope: Envelope = serde_json::from_slice(text).map_err(unreadable)?;
    if envelope.version != MANIFEST_VERSION {
        return Err(Damage::Version {
            name: name.to_owned(),
            found: envelope.version,
            expected: MANIFEST_VERSION,
        });
    }
    if crc32fast::hash(envelope.body.get().as_bytes()) != envelope.crc32 {
        return Err(Damage::Checksum { name: name.to_owned() });
    }
    serde_json::from_str(envelope.body.get()).map_err(unreadable)
}

/// Dead rows as the manifest has them.
pub fn encode(dead: &Dead) -> String {
    let bytes: Vec<u8> = dead.words().iter().flat_map(|word| word.to_le_bytes()).collect();
    STANDARD_NO_PAD.encode(bytes)
}

/// Dead rows of a part of `rows`.
pub fn decode(text: &str, rows: usize) -> Option<Dead> {
    let bytes = STANDARD_NO_PAD.decode(text).ok()?;
    let (words, rest) = bytes.as_chunks::<8>();
    if words.len() != rows.div_ceil(64) || !rest.is_empty() {
        return None;
    }
    Some(Dead::from_words(words.iter().map(|word| u64::from_le_bytes(*word)).collect()))
}
