//! The file of a static table: what its bytes mean, how they are checked, and how they are written.
//!
//! All numbers are little-endian. After a header of [`HEADER_BYTES`] come the pieces, each ended by a line feed; then
//! for each an `f32`, what its row is multiplied by; then the rows, an `i8` for each number.
//!
//! | offset | bytes | what |
//! | --- | --- | --- |
//! | 0 | 8 | [`MAGIC`] |
//! | 8 | 4 | [`VERSION`] |
//! | 12 | 4 | dimension |
//! | 16 | 4 | rows |
//! | 20 | 4 | bytes of all pieces with their line feeds |
//! | 24 | 32 | SHA-256 of the package that the table was made from |
//! | 56 | 32 | SHA-256 of everything after the header |
//! | 88 | 40 | the model's id, filled up with zeros |

use std::str;

use ring::digest::{SHA256, digest};

use super::vector::DIMENSION_MAX;

/// What the file begins with.
pub const MAGIC: &[u8; 8] = b"BYWASHVT";
/// Of the layout, and of what the numbers mean.
pub const VERSION: u32 = 1;
/// Where the pieces begin.
pub const HEADER_BYTES: usize = 128;
/// Longest id of a model, bytes.
pub const MODEL_ID_BYTES_MAX: usize = 40;
/// Most rows: the vocabularies of published models have below 300,000 pieces.
const ROWS_MAX: usize = 1 << 20;

/// Largest number in a row.
const LEVEL_MAX: f32 = 127.0;

/// Why bytes are not a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// It does not begin as one.
    #[error("these bytes are no table of embeddings")]
    NotATable,
    /// One of another version.
    #[error("the table has version {0}; this program reads version {VERSION}")]
    Version(u32),
    /// A number in the header that cannot be.
    #[error("the table's header holds a value that cannot be: {0}")]
    Header(&'static str),
    /// It is cut off, or goes on.
    #[error("the table has {found} bytes and should have {expected}")]
    Size {
        /// By its header.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// Another number of pieces than of rows, or one twice.
    #[error("the table has {found} different pieces and should have {expected}")]
    Vocabulary {
        /// By its header.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// Bytes were changed.
    #[error("the table's content is not what its header says: its digest differs")]
    Digest,
}

/// The parts of a file, checked.
#[derive(Debug)]
pub struct TableFile<'bytes> {
    /// What the model is recorded as.
    pub model_id: &'bytes str,
    /// Numbers in a row.
    pub dimension: usize,
    /// SHA-256 of the package that the table was made from.
    pub source_sha256: [u8; 32],
    /// What each row is multiplied by.
    pub scales: Vec<f32>,
    /// Row after row.
    pub rows: &'bytes [u8],
    pieces: &'bytes str,
}

impl<'bytes> TableFile<'bytes> {
    /// The pieces in the order of their rows.
    pub fn pieces(&self) -> impl Iterator<Item = &'bytes str> + use<'bytes> {
        self.pieces.lines()
    }
}

/// What a table to be written is.
#[derive(Debug, Clone, Copy)]
pub struct Contents<'a> {
    /// What the model is recorded as, at most [`MODEL_ID_BYTES_MAX`] bytes.
    pub model_id: &'a str,
    /// SHA-256 of the package that the table was made from.
    pub source_sha256: [u8; 32],
    /// The pieces, none of which holds a line feed.
    pub pieces: &'a [&'a str],
    /// A row for each piece, all of one dimension.
    pub rows: &'a [Vec<f32>],
}

/// Takes the bytes of a file apart.
///
/// # Errors
/// [`TableError`] where they are no whole table of this version.
pub fn read(bytes: &[u8]) -> Result<TableFile<'_>, TableError> {
    let (header, content) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(TableError::NotATable)?;
    if !header.starts_with(MAGIC) {
        return Err(TableError::NotATable);
    }
    let version = u32_at(header, 8);
    if version != VERSION {
        return Err(TableError::Version(version));
    }
    let [dimension, row_count, pieces_bytes] = [12, 16, 20].map(|offset| u32_at(header, offset) as usize);
    if !(1..=DIMENSION_MAX).contains(&dimension) {
        return Err(TableError::Header("dimension"));
    }
    if !(1..=ROWS_MAX).contains(&row_count) {
        return Err(TableError::Header("rows"));
    }
    let expected = pieces_bytes + row_count * size_of::<f32>() + row_count * dimension;
    if content.len() != expected {
        return Err(TableError::Size { expected: HEADER_BYTES + expected, found: bytes.len() });
    }
    if digest(&SHA256, content).as_ref() != &header[56..88] {
        return Err(TableError::Digest);
    }
    let (pieces, content) = content.split_at(pieces_bytes);
    let (scales, rows) = content.split_at(row_count * size_of::<f32>());
    let (scales, _) = scales.as_chunks::<4>();
    let id = header[88..].split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(TableFile {
        model_id: str::from_utf8(id).map_err(|_| TableError::Header("model id"))?,
        dimension,
        source_sha256: header[24..56].try_into().map_err(|_| TableError::Header("source"))?,
        scales: scales.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
        rows,
        pieces: str::from_utf8(pieces).map_err(|_| TableError::Header("pieces"))?,
    })
}

/// The bytes of a file. Each row is rounded to 255 levels between its largest number and the opposite.
///
/// # Panics
/// When the pieces and rows are not equally many, or the id is too long.
pub fn write(table: &Contents<'_>) -> Vec<u8> {
    assert_eq!(table.pieces.len(), table.rows.len(), "a row for each piece");
    assert!(table.model_id.len() <= MODEL_ID_BYTES_MAX, "the model's id is too long");
    let dimension = table.rows.first().map_or(0, Vec::len);
    let mut content = Vec::with_capacity(table.rows.len() * (dimension + 16));
    for piece in table.pieces {
        content.extend_from_slice(piece.as_bytes());
        content.push(b'\n');
    }
    let pieces_bytes = content.len();
    let scales: Vec<f32> = table.rows.iter().map(|row| scale(row)).collect();
    content.extend(scales.iter().flat_map(|scale| scale.to_le_bytes()));
    for (row, scale) in table.rows.iter().zip(&scales) {
        assert_eq!(row.len(), dimension, "rows of one dimension");
        content.extend(row.iter().map(|number| level(number / scale).cast_unsigned()));
    }

    let mut bytes = Vec::with_capacity(HEADER_BYTES + content.len());
    bytes.extend_from_slice(MAGIC);
    for number in [VERSION as usize, dimension, table.rows.len(), pieces_bytes] {
        let number = u32::try_from(number).expect("a table that is compiled in is far below 4 GiB");
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes.extend_from_slice(&table.source_sha256);
    bytes.extend_from_slice(digest(&SHA256, &content).as_ref());
    bytes.extend_from_slice(table.model_id.as_bytes());
    bytes.resize(HEADER_BYTES, 0);
    bytes.extend_from_slice(&content);
    bytes
}

fn u32_at(header: &[u8; HEADER_BYTES], offset: usize) -> u32 {
    u32::from_le_bytes([header[offset], header[offset + 1], header[offset + 2], header[offset + 3]])
}

/// What the levels of `row` are multiplied by; 1 for a row of zeros.
fn scale(row: &[f32]) -> f32 {
    let largest = row.iter().fold(0.0_f32, |largest, number| largest.max(number.abs()));
    if largest > 0.0 { largest / LEVEL_MAX } else { 1.0 }
}

#[allow(clippy::cast_possible_truncation, reason = "it is rounded and within -127 to 127")]
fn level(number: f32) -> i8 {
    number.round().clamp(-LEVEL_MAX, LEVEL_MAX) as i8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Vec<u8> {
        write(&Contents {
            model_id: "test-1",
            source_sha256: [7; 32],
            pieces: &["a", "##b"],
            rows: &[vec![1.0, -2.0, 0.5], vec![0.0, 0.0, 0.0]],
        })
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = small();
        let file = read(&bytes).unwrap();
        assert_eq!((file.model_id, file.dimension, file.source_sha256), ("test-1", 3, [7; 32]));
        assert_eq!(file.pieces().collect::<Vec<_>>(), ["a", "##b"]);
        assert_eq!(file.scales, [2.0 / 127.0, 1.0]);
        let levels: Vec<i8> = file.rows.iter().map(|byte| byte.cast_signed()).collect();
        assert_eq!(levels, [64, -127, 32, 0, 0, 0]);
    }

    #[test]
    fn a_table_that_is_not_whole_is_refused() {
        let bytes = small();
        for cut in 0..bytes.len() {
            assert!(read(&bytes[..cut]).is_err(), "{cut} bytes");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        let (expected, found) = (bytes.len(), bytes.len() + 1);
        assert_eq!(read(&longer).unwrap_err(), TableError::Size { expected, found });
    }

    #[test]
    fn a_changed_byte_is_noticed() {
        for index in 0..small().len() {
            let mut bytes = small();
            bytes[index] ^= 0x20;
            let only_named = (24..56).contains(&index) || (88..HEADER_BYTES).contains(&index);
            assert_eq!(read(&bytes).is_ok(), only_named, "byte {index}");
        }
    }

    #[test]
    fn another_version_is_named() {
        let mut bytes = small();
        bytes[8] = 9;
        assert_eq!(read(&bytes).unwrap_err(), TableError::Version(9));
    }
}
