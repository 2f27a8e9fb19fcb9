//! Fetches pinned packages with the registries' ordinary clients (pip, npm, cargo) and checks their digests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::manifest::PythonPackage;
use crate::process::{capture, cargo, command, run};

/// Downloads one wheel into `folder` and returns its path.
pub fn wheel(package: &str, version: &str, sha256: &str, folder: &Path) -> Result<PathBuf> {
    let requirements = folder.join("requirements.txt");
    fs::write(&requirements, format!("{package}=={version} --hash=sha256:{sha256}\n"))?;
    let mut pip = command("python3", folder);
    pip.args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes"]);
    pip.args(["--dest", ".", "--requirement"]).arg(&requirements);
    capture("pip download", &mut pip).with_context(|| offline_hint("pip", package))?;
    let path = only_file(folder, "whl")?;
    verify(&path, sha256)?;
    Ok(path)
}

/// Downloads one npm package into `folder` and returns its archive's path.
pub fn npm_package(package: &str, version: &str, sha256: &str, folder: &Path) -> Result<PathBuf> {
    let mut npm = command("npm", folder);
    npm.args(["pack", "--silent", &format!("{package}@{version}")]);
    capture("npm pack", &mut npm).with_context(|| offline_hint("npm", package))?;
    let path = only_file(folder, "tgz")?;
    verify(&path, sha256)?;
    Ok(path)
}

/// Installs what a lock file names below `folder`; npm checks the digests in it, and no package's script runs.
///
/// `from` is the folder of the lock file, which must have this digest.
pub fn locked_npm_packages(from: &Path, sha256: &str, folder: &Path) -> Result<()> {
    for name in ["package.json", "package-lock.json", ".npmrc"] {
        let path = from.join(name);
        fs::copy(&path, folder.join(name)).with_context(|| format!("could not copy {}", path.display()))?;
    }
    verify(&folder.join("package-lock.json"), sha256)?;
    let mut npm = command("npm", folder);
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"]);
    capture("npm ci", &mut npm).with_context(|| offline_hint("npm", "the packages of the lock file"))?;
    Ok(())
}

/// Makes a Python environment at `target` with exactly these packages. pip checks the digests.
///
/// It is built where it stays, since its scripts hold its path; the caller's stamp says when it is complete. It is made
/// without a pip of its own: Debian's Python can do that without a further package.
pub fn python_environment(packages: &[PythonPackage], workshop: &Path, target: &Path) -> Result<()> {
    super::remove_folder(target)?;
    capture(
        "python3 -m venv",
        command("python3", workshop).args(["-m", "venv", "--without-pip"]).arg(target),
    )?;
    let requirements = workshop.join("requirements.txt");
    let lines: Vec<String> = packages.iter().map(PythonPackage::requirement).collect();
    fs::write(&requirements, lines.join("\n"))?;
    let mut pip = command("python3", workshop);
    pip.args(["-m", "pip", "--python"]).arg(target.join("bin/python"));
    pip.args([
        "install",
        "--quiet",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--require-hashes",
        "--requirement",
    ]);
    capture("pip install", pip.arg(&requirements))
        .with_context(|| offline_hint("pip", "the Python packages"))?;
    Ok(())
}

/// Whether the machine has this cargo subcommand, of whatever version.
pub fn cargo_has(subcommand: &str) -> bool {
    let mut probe: Command = cargo(Path::new("."));
    probe.args([subcommand, "--version"]).output().is_ok_and(|output| output.status.success())
}

/// Builds and installs a cargo subcommand for the user. Takes minutes, so cargo's own progress is shown.
pub fn cargo_install(package: &str, version: &str) -> Result<()> {
    eprintln!("  {package} {version} is compiled from source, once: this takes some minutes");
    let mut install = cargo(Path::new("."));
    install.args(["install", "--locked", package, "--version", version]);
    run("cargo install", &mut install).with_context(|| offline_hint("cargo", package))
}

fn offline_hint(client: &str, package: &str) -> String {
    format!("{client} did not deliver {package}; check the network and {client}'s settings, then start again")
}

fn verify(path: &Path, expected: &str) -> Result<()> {
    let found = super::sha256(&fs::read(path)?);
    if found != expected {
        bail!("{} has the digest {found}, but xtask/tools.json pins {expected}", path.display());
    }
    Ok(())
}

fn only_file(folder: &Path, extension: &str) -> Result<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == extension) {
            found.push(path);
        }
    }
    match (found.pop(), found.is_empty()) {
        (Some(path), true) => Ok(path),
        _ => bail!("expected one .{extension} file in {}", folder.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_another_digest_is_refused() {
        let path = std::env::temp_dir().join(format!("bywash-verify-{}", std::process::id()));
        fs::write(&path, b"not what was pinned").expect("the temporary folder is writable");
        let error = verify(&path, &super::super::sha256(b"what was pinned")).expect_err("the digests differ");
        fs::remove_file(&path).expect("it was just written");
        assert!(error.to_string().contains("tools.json pins"), "{error}");
    }
}
