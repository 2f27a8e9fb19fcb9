//! The log of one child: its output goes through a pipe to a file that cannot grow for ever.

use std::fs::{self, File};
use std::io::{self, PipeReader, Read, Write};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

/// A log and the one before it are kept, so a child takes at most twice this.
const SIZE_LIMIT_BYTES: u64 = 8 * 1024 * 1024;

/// A file that becomes `NAME.log.1` when it is full.
struct RotatingLog {
    path: PathBuf,
    file: File,
    written_bytes: u64,
    limit_bytes: u64,
}

impl RotatingLog {
    /// Begins a new log; that of the run before stays as `.1`.
    fn begin(path: &Path, limit_bytes: u64) -> io::Result<Self> {
        if path.exists() {
            fs::rename(path, previous(path))?;
        }
        Ok(Self { path: path.to_path_buf(), file: File::create(path)?, written_bytes: 0, limit_bytes })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let length = bytes.len() as u64;
        if self.written_bytes > 0 && self.written_bytes + length > self.limit_bytes {
            *self = Self::begin(&self.path, self.limit_bytes)?;
        }
        self.file.write_all(bytes)?;
        self.written_bytes += length;
        Ok(())
    }
}

/// Copies what a child prints into its log until the child ends.
pub fn record(mut output: PipeReader, path: &Path) -> io::Result<JoinHandle<()>> {
    let mut log = RotatingLog::begin(path, SIZE_LIMIT_BYTES)?;
    Ok(thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        // A full disk must not stop the child: reading goes on, the text is lost.
        while let Ok(count @ 1..) = output.read(&mut buffer) {
            let _ = log.write(&buffer[..count]);
        }
    }))
}

fn previous(path: &Path) -> PathBuf {
    path.with_extension("log.1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_keeps_at_most_twice_its_limit() {
        let folder = std::env::temp_dir().join(format!("bywash-log-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("the temporary folder is writable");
        let path = folder.join("a.log");
        let mut log = RotatingLog::begin(&path, 10).expect("writable");
        for line in ["aaaa\n", "bbbb\n", "cccc\n"] {
            log.write(line.as_bytes()).expect("writable");
        }
        let now = fs::read_to_string(&path).expect("readable");
        let before = fs::read_to_string(previous(&path)).expect("readable");
        fs::remove_dir_all(&folder).expect("removable");
        assert_eq!((now.as_str(), before.as_str()), ("cccc\n", "aaaa\nbbbb\n"));
    }
}
