//! Builds the console's page when its sources have changed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::process::{command, run};
use crate::project::Project;
use crate::tools::sha256;

/// Folders that npm and the build fill.
const DERIVED: [&str; 2] = ["node_modules", "dist"];

/// Builds `dist/` unless it belongs to the present sources.
pub fn build(project: &Project) -> Result<()> {
    let folder = project.console();
    let stamp = Stamp { path: project.target().join("xtask/console.built") };
    let _lock = stamp.lock()?;
    let sources = digest_of(&folder)?;
    if stamp.is(&sources) && folder.join("dist/index.html").is_file() {
        return Ok(());
    }
    install_packages_locked(project)?;
    eprintln!("building the console");
    let mut build = command("npm", &folder);
    run("the console's build", build.args(["run", "--silent", "build", "--", "--logLevel", "warn"]))?;
    stamp.write(&sources)
}

/// Installs the console's packages, for its lint, unless they belong to the present lock file.
pub fn install_packages(project: &Project) -> Result<()> {
    let stamp = Stamp { path: project.target().join("xtask/console.built") };
    let _lock = stamp.lock()?;
    install_packages_locked(project)
}

fn install_packages_locked(project: &Project) -> Result<()> {
    let folder = project.console();
    let stamp = Stamp { path: project.target().join("xtask/console.packages") };
    let lock_file = folder.join("package-lock.json");
    let wanted = fs::read(&lock_file).with_context(|| format!("could not read {}", lock_file.display()))?;
    let wanted = sha256(&wanted);
    if stamp.is(&wanted) && folder.join("node_modules").is_dir() {
        return Ok(());
    }
    eprintln!("installing the console's packages");
    let mut npm = command("npm", &folder);
    run("npm ci in the console", npm.args(["ci", "--no-audit", "--no-fund", "--loglevel", "error"]))?;
    stamp.write(&wanted)
}

/// A file that says what a result was made from.
struct Stamp {
    path: PathBuf,
}

impl Stamp {
    fn is(&self, digest: &str) -> bool {
        fs::read_to_string(&self.path).is_ok_and(|known| known == digest)
    }

    fn write(&self, digest: &str) -> Result<()> {
        fs::write(&self.path, digest).with_context(|| format!("could not write {}", self.path.display()))
    }

    /// Two tasks at once would build into one folder.
    fn lock(&self) -> Result<File> {
        let path = self.path.with_extension("lock");
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let file = File::create(&path).with_context(|| format!("could not create {}", path.display()))?;
        file.lock()?;
        Ok(file)
    }
}

/// One digest over the names and contents of all sources.
fn digest_of(folder: &Path) -> Result<String> {
    let mut files = BTreeMap::new();
    collect(folder, folder, &mut files)?;
    let listing: String =
        files.iter().map(|(name, digest)| format!("{digest} {}\n", name.display())).collect();
    Ok(sha256(listing.as_bytes()))
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<PathBuf, String>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("could not read {}", folder.display()))? {
        let entry = entry?;
        let path = entry.path();
        if folder == root && DERIVED.iter().any(|derived| entry.file_name() == *derived) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            collect(root, &path, files)?;
        } else {
            let content = fs::read(&path).with_context(|| format!("could not read {}", path.display()))?;
            files.insert(path.strip_prefix(root).unwrap_or(&path).to_path_buf(), sha256(&content));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_source_changes_the_digest_and_a_build_does_not() {
        let folder = std::env::temp_dir().join(format!("bywash-console-{}", std::process::id()));
        fs::create_dir_all(folder.join("src")).expect("the temporary folder is writable");
        fs::write(folder.join("src/main.ts"), "1").expect("writable");
        let before = digest_of(&folder).expect("readable");
        fs::create_dir_all(folder.join("dist")).expect("writable");
        fs::write(folder.join("dist/index.html"), "built").expect("writable");
        let built = digest_of(&folder).expect("readable");
        fs::write(folder.join("src/main.ts"), "2").expect("writable");
        let changed = digest_of(&folder).expect("readable");
        fs::remove_dir_all(&folder).expect("removable");
        assert_eq!(before, built);
        assert_ne!(before, changed);
    }
}
