//! Folders that vanish with their test, and where the project's programs are.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A folder of its own, deleted on drop.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes a folder below the system's temporary folder.
    pub fn new() -> Self {
        Self::below(&std::env::temp_dir())
    }

    /// Makes a folder below `parent`.
    ///
    /// # Panics
    /// When the folder cannot be made.
    pub fn below(parent: &Path) -> Self {
        let refused = |path: &Path, error| panic!("{} cannot be made: {error}", path.display());
        std::fs::create_dir_all(parent).unwrap_or_else(|error| refused(parent, error));
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = parent.join(format!("bywash-test-{}-{number}", std::process::id()));
            match std::fs::create_dir(&path) {
                Ok(()) => return Self(path),
                // Of a test that was cut off, or that runs alone and has its own count of processes.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => refused(&path, error),
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be deleted stays in the system's temporary folder.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Copies a folder with all that is in it.
///
/// # Panics
/// When something in it cannot be read or written.
pub fn copy_folder(from: &Path, to: &Path) {
    let copy = || -> std::io::Result<()> {
        std::fs::create_dir_all(to)?;
        for entry in std::fs::read_dir(from)? {
            let entry = entry?;
            let target = to.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                copy_folder(&entry.path(), &target);
            } else {
                std::fs::copy(entry.path(), target)?;
            }
        }
        Ok(())
    };
    copy().unwrap_or_else(|error| panic!("{} cannot be copied to {}: {error}", from.display(), to.display()));
}

/// The root of the project.
pub fn project_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the project").to_owned()
}

/// A tool of the project, such as `nats-server`.
///
/// # Panics
/// When it is not installed.
pub fn tool(name: &str) -> PathBuf {
    let path = project_root().join(".tools/bin").join(name);
    assert!(path.exists(), "{} is missing; run `cargo xtask tools {name}`", path.display());
    path
}

/// The folder that cargo built this program into.
///
/// # Panics
/// When the operating system does not tell where this program lies.
pub fn binaries_folder() -> PathBuf {
    let program = std::env::current_exe().expect("the system tells where this program lies");
    let folder = program.parent().expect("a program lies in a folder");
    // Test programs lie one deeper.
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    folder.to_owned()
}

/// A program of the workspace, such as `bywash-push-gateway`.
///
/// # Panics
/// When it is not built.
pub fn binary(name: &str) -> PathBuf {
    let path = binaries_folder().join(name);
    assert!(path.exists(), "{} is missing; run `cargo build --workspace --bins`", path.display());
    path
}
