//! A disk of a fixed size that can be filled to the last byte and freed again. Only for tests that run alone: the mount
//! ends with their namespace.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is written at once; the last bytes are written one by one.
const CHUNK_BYTES: usize = 64 * 1024;

/// See the module.
#[derive(Debug)]
pub struct Disk(PathBuf);

impl Disk {
    /// An empty one at `path`, a folder that is made where it is missing.
    pub fn new(path: &Path, size_bytes: usize) -> Self {
        fs::create_dir_all(path).expect("a scratch folder can be written");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size_bytes},mode=0777"), "tmpfs"]).arg(path);
        assert!(mount.status().expect("mount (util-linux) is installed").success());
        Self(path.to_owned())
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Takes all that is left.
    pub fn fill(&self) {
        let mut ballast =
            File::options().create(true).append(true).open(self.ballast()).expect("a name is left");
        let mut chunk = vec![0x5A; CHUNK_BYTES];
        while !chunk.is_empty() {
            match ballast.write(&chunk) {
                Ok(written) => chunk.truncate(if written < chunk.len() { 1 } else { chunk.len() }),
                Err(error) if error.kind() == ErrorKind::StorageFull => chunk.truncate(chunk.len() / 2),
                Err(error) => panic!("{}: {error}", self.ballast().display()),
            }
        }
    }

    /// Gives it back.
    pub fn free(&self) {
        fs::remove_file(self.ballast()).expect("it was filled");
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }
}
