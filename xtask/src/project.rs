//! Where things lie in the checkout. Other code relies on the `.tools` paths: change none of them lightly.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

/// A checkout of the project.
pub struct Project {
    root: PathBuf,
}

impl Project {
    /// Finds the checkout that this task runs for.
    pub fn locate() -> Result<Self> {
        // Cargo sets the variable at run time; the compiled-in value serves a binary that is started directly.
        let manifest = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
        let root = manifest.parent().map_or_else(PathBuf::new, Path::to_path_buf);
        ensure!(
            root.join("Cargo.toml").is_file(),
            "no workspace at {}: start tasks with `cargo xtask`",
            root.display()
        );
        Ok(Self { root })
    }

    /// The repository's root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A path given by the user or by a table: relative ones count from the root.
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// `.tools`: everything that [`crate::tools`] installs.
    pub fn tools(&self) -> PathBuf {
        self.path(".tools")
    }

    /// An installed program, `.tools/bin/NAME`.
    pub fn tool(&self, name: &str) -> PathBuf {
        self.tools().join("bin").join(name)
    }

    /// WordNet's dictionary files, `.tools/wordnet/dict`.
    pub fn wordnet_dictionary(&self) -> PathBuf {
        self.tools().join("wordnet/dict")
    }

    /// The console's sources.
    pub fn console(&self) -> PathBuf {
        self.path("services/push-gateway/console")
    }

    /// Where cargo builds.
    pub fn target(&self) -> PathBuf {
        env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| self.path("target"), |folder| self.path(PathBuf::from(folder)))
    }

    /// A built program.
    pub fn binary(&self, name: &str) -> PathBuf {
        self.target().join("debug").join(name)
    }
}

/// A path as the user would write it: relative where it lies below the current folder.
pub fn shown(path: &Path) -> String {
    let here = env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}
