//! Files of an index: written under another name, flushed, then renamed, so that a name never leads to half a file; and
//! read back only when length and checksum are those that were recorded.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Ends the name of a file that is being written.
const UNFINISHED: &str = ".unfinished";

/// Bytes read at once for a checksum: large enough that the reads cost nothing beside it.
const READ_BYTES: usize = 256 * 1024;

/// A finished file, as the manifest records it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Within the directory of the index.
    pub name: String,
    /// How long it is.
    pub length_bytes: u64,
    /// Of all of it.
    pub crc32: u32,
}

/// Why what lies in the directory cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Damage {
    /// A file that should be there is not.
    #[error("{name} is missing")]
    Missing {
        /// The file.
        name: String,
    },
    /// Longer or shorter than recorded.
    #[error("{name} has {found} bytes instead of {recorded}")]
    Length {
        /// The file.
        name: String,
        /// As recorded.
        recorded: u64,
        /// As found.
        found: u64,
    },
    /// Other bytes than recorded.
    #[error("{name} has another checksum than recorded")]
    Checksum {
        /// The file.
        name: String,
    },
    /// Whole, and yet not what this program writes.
    #[error("{name} cannot be read: {reason}")]
    Unreadable {
        /// The file.
        name: String,
        /// What does not fit.
        reason: String,
    },
    /// Written by another version of this program.
    #[error("{name} has version {found}, and this program writes {expected}")]
    Version {
        /// The file.
        name: String,
        /// As found.
        found: u32,
        /// What this program reads and writes.
        expected: u32,
    },
}

/// Where a file is written before it has its name.
pub fn unfinished(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{name}{UNFINISHED}"))
}

/// Gives the file that was written as [`unfinished`] its name, once it is on disk.
pub fn finish(directory: &Path, name: &str) -> io::Result<FileRecord> {
    let path = unfinished(directory, name);
    let mut file = File::open(&path)?;
    file.sync_all()?;
    let (length_bytes, crc32) = checksum(&mut file)?;
    fs::rename(&path, directory.join(name))?;
    // The name is on disk when the directory is.
    File::open(directory)?.sync_all()?;
    Ok(FileRecord { name: name.to_owned(), length_bytes, crc32 })
}

/// Writes a file that is there as a whole or not at all.
pub fn write(
    directory: &Path,
    name: &str,
    fill: impl FnOnce(&mut io::BufWriter<File>) -> io::Result<()>,
) -> io::Result<FileRecord> {
    let mut file = io::BufWriter::new(File::create(unfinished(directory, name))?);
    fill(&mut file)?;
    file.flush()?;
    drop(file);
    finish(directory, name)
}

/// Reads the file, if it is the recorded one.
///
/// # Errors
/// The outer for the system's errors, the inner for another file than recorded.
pub fn read(directory: &Path, record: &FileRecord) -> io::Result<Result<Vec<u8>, Damage>> {
    let Some(bytes) = if_there(fs::read(directory.join(&record.name)))? else {
        return Ok(Err(Damage::Missing { name: record.name.clone() }));
    };
    Ok(compare(record, bytes.len() as u64, crc32fast::hash(&bytes)).map(|()| bytes))
}

/// Whether the file is the recorded one, without keeping it in memory.
///
/// # Errors
/// As [`read`].
pub fn verify(directory: &Path, record: &FileRecord) -> io::Result<Result<(), Damage>> {
    let Some(mut file) = if_there(File::open(directory.join(&record.name)))? else {
        return Ok(Err(Damage::Missing { name: record.name.clone() }));
    };
    let found = file.metadata()?.len();
    if found != record.length_bytes {
        return Ok(compare(record, found, record.crc32));
    }
    let (length, crc32) = checksum(&mut file)?;
    Ok(compare(record, length, crc32))
}

/// A file that is not there is no error of the system here.
pub fn if_there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn compare(record: &FileRecord, length: u64, crc32: u32) -> Result<(), Damage> {
    if length != record.length_bytes {
        let (name, recorded) = (record.name.clone(), record.length_bytes);
        return Err(Damage::Length { name, recorded, found: length });
    }
    if crc32 != record.crc32 {
        return Err(Damage::Checksum { name: record.name.clone() });
    }
    Ok(())
}

fn checksum(file: &mut File) -> io::Result<(u64, u32)> {
    let mut hasher = crc32fast::Hasher::new();
    let mut length = 0;
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((length, hasher.finalize()));
        }
        hasher.update(&buffer[..read]);
        length += read as u64;
    }
}
