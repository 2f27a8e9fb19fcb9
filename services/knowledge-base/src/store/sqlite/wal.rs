//! Looks at a write-ahead log before SQLite does: whether it was damaged after it was written.
//!
//! SQLite takes a log up to the first frame that is not whole, because that is what a power cut leaves at its end. A frame
//! that was damaged in the middle looks the same, and everything behind it would be gone without a word. What tells the
//! two apart is that each commit is on the disk before the next one is begun: behind a frame that a power cut tore, no
//! transaction ends and another begins.
//!
//! The format is that of <https://www.sqlite.org/fileformat2.html#walformat>.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::Path;

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
/// How a log begins; the last bit says whether checksums are of big-endian words.
const MAGIC: u32 = 0x377f_0682;
/// The smallest and the largest page.
const PAGE_BYTES: std::ops::RangeInclusive<usize> = 512..=65_536;

/// What is wrong with the log `path`; `None` where nothing is, or where there is none.
pub fn damage(path: &Path) -> io::Result<Option<String>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let length = file.metadata()?.len();
    if length < (HEADER_BYTES + FRAME_HEADER_BYTES + PAGE_BYTES.start()) as u64 {
        // No frame was ever written whole.
        return Ok(None);
    }
    let mut log = BufReader::new(file);
    let mut header = [0; HEADER_BYTES];
    log.read_exact(&mut header)?;
    // It is flushed before the first frame is written.
    let Some(header) = Header::parse(&header) else {
        return Ok(Some("the head of its write-ahead log is damaged".to_owned()));
    };
    let broken = broken_frame(&mut log, &header)?;
    Ok(broken
        .map(|frame| format!("its write-ahead log is damaged in frame {frame}, and commits lie behind it")))
}

/// The first frame that is not whole although commits were made behind it, from 1.
fn broken_frame(log: &mut impl Read, header: &Header) -> io::Result<Option<u64>> {
    let mut frame = vec![0; FRAME_HEADER_BYTES + header.page_bytes];
    let (mut sum, mut broken, mut ended) = (header.sum, None, false);
    for number in 1.. {
        match log.read_exact(&mut frame) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => break,
            read => read?,
        }
        // Those of an earlier round through the file have another salt.
        let is_own = frame[8..16] == header.salt;
        if broken.is_none() {
            let page = &frame[FRAME_HEADER_BYTES..];
            let next = header.order.sum(header.order.sum(sum, &frame[..8]), page);
            if is_own && next == Sum::read(&frame[16..24]) {
                sum = next;
                continue;
            }
            broken = Some(number);
        }
        if is_own && ended {
            return Ok(broken);
        }
        let ends_transaction = frame[4..8] != [0; 4];
        ended |= is_own && ends_transaction;
    }
    Ok(None)
}

/// What the head of a log says.
struct Header {
    order: Order,
    page_bytes: usize,
    salt: [u8; 8],
    sum: Sum,
}

impl Header {
    /// `None` for one that SQLite would not take.
    fn parse(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        let word = |place: usize| u32::from_be_bytes(*bytes[place..].first_chunk().expect("it is that long"));
        let order = match word(0) {
            MAGIC => Order::Little,
            magic if magic == MAGIC | 1 => Order::Big,
            _ => return None,
        };
        let page_bytes = usize::try_from(word(8)).ok().filter(|size| PAGE_BYTES.contains(size))?;
        let sum = order.sum(Sum::default(), &bytes[..24]);
        let salt = *bytes[16..].first_chunk().expect("it is that long");
        (sum == Sum::read(&bytes[24..])).then_some(Self { order, page_bytes, salt, sum })
    }
}

/// Of the words that a checksum is of.
#[derive(Debug, Clone, Copy)]
enum Order {
    Little,
    Big,
}

/// A running checksum.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sum(u32, u32);

impl Sum {
    /// As it lies in the file, whatever the order of the words.
    fn read(bytes: &[u8]) -> Self {
        let (words, _) = bytes.as_chunks::<4>();
        Self(u32::from_be_bytes(words[0]), u32::from_be_bytes(words[1]))
    }
}

impl Order {
    fn sum(self, before: Sum, bytes: &[u8]) -> Sum {
        let word = |bytes: [u8; 4]| match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        };
        let (pairs, _) = bytes.as_chunks::<8>();
        pairs.iter().fold(before, |Sum(first, second), pair| {
            let (left, right) = (pair.first_chunk().expect("half"), pair.last_chunk().expect("half"));
            let first = first.wrapping_add(word(*left)).wrapping_add(second);
            Sum(first, second.wrapping_add(word(*right)).wrapping_add(first))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use rusqlite::Connection;

    use super::*;
    use crate::testing::Directory;

    /// Commits in the log, of one frame each but for the first, which makes the table.
    const COMMITS: usize = 10;

    /// A database with its commits in its log, which is the second.
    fn filled(directory: &Directory) -> (Connection, PathBuf) {
        std::fs::create_dir_all(directory.path()).unwrap();
        let connection = Connection::open(directory.path().join("a.sqlite")).unwrap();
        connection.pragma_update(None, "journal_mode", "wal").unwrap();
        connection.execute_batch("PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (x)").unwrap();
        for number in 1..COMMITS {
            connection.execute("INSERT INTO t VALUES (?1)", [number]).unwrap();
        }
        (connection, directory.path().join("a.sqlite-wal"))
    }

    /// Where to put a log, one that a killed process left, and where its frames begin.
    fn killed(directory: &Directory) -> (PathBuf, Vec<u8>, Vec<usize>) {
        let (_connection, log) = filled(directory);
        let bytes = std::fs::read(log).unwrap();
        let frames = (HEADER_BYTES..bytes.len()).step_by(FRAME_HEADER_BYTES + 4096).collect();
        (directory.path().join("copy-wal"), bytes, frames)
    }

    fn found(path: &Path, bytes: &[u8]) -> Option<String> {
        std::fs::write(path, bytes).unwrap();
        damage(path).unwrap()
    }

    #[test]
    fn a_log_that_was_cut_off_anywhere_is_what_a_power_cut_leaves() {
        let directory = Directory::new();
        let (path, whole, _) = killed(&directory);
        assert_eq!(damage(&path).unwrap(), None, "there is none");
        for length in (0..whole.len()).step_by(501).chain([whole.len()]) {
            assert_eq!(found(&path, &whole[..length]), None, "{length} bytes");
        }
    }

    #[test]
    fn any_byte_that_differs_before_the_last_commits_is_damage() {
        let directory = Directory::new();
        let (path, whole, frames) = killed(&directory);
        // Of the last commit, and where the salt differs of the last two, nobody can say more than after a power cut.
        let end = frames[frames.len() - 3];
        let heads = frames.iter().flat_map(|frame| *frame..frame + FRAME_HEADER_BYTES);
        let places = (0..HEADER_BYTES).chain(heads).chain((0..end).step_by(97));
        for place in places.filter(|place| *place < end) {
            let mut bytes = whole.clone();
            bytes[place] ^= 0x10;
            assert!(found(&path, &bytes).is_some_and(|text| text.contains("damaged")), "byte {place}");
        }
        let mut torn = whole.clone();
        *torn.last_mut().unwrap() ^= 1;
        assert_eq!(found(&path, &torn), None, "the last commit may have been torn");
    }

    #[test]
    fn what_is_left_of_an_earlier_round_is_no_damage() {
        let directory = Directory::new();
        let (connection, log) = filled(&directory);
        connection.query_row("PRAGMA wal_checkpoint(RESTART)", (), |_| Ok(())).unwrap();
        connection.execute("INSERT INTO t VALUES (0)", ()).unwrap();
        let log = std::fs::read(log).unwrap();
        assert!(log.len() > HEADER_BYTES + 2 * (FRAME_HEADER_BYTES + 4096), "frames of before are behind it");
        assert_eq!(found(&directory.path().join("copy-wal"), &log), None);
    }
}
