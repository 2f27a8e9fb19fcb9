//! The file of WordNet's facts, one a line: written once, counted, then read by every load.
//!
//! It is derived from WordNet 3.1, whose licence and notice lie beside it: `.tools/wordnet/LICENSE`.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::project::{Project, shown};
use crate::tools;
use crate::wordnet::{self, Counts};

/// The `dataset` task.
pub fn write(project: &Project, output: Option<&Path>) -> Result<()> {
    tools::ensure(project, &["wordnet"])?;
    let path = output.map_or_else(|| default_path(project), |path| project.path(path));
    let counts = write_facts(&project.wordnet_dictionary(), &path)?;
    println!(
        "{} facts in {}: {} glosses, {} words, {} relations",
        counts.total(),
        shown(&path),
        counts.glosses,
        counts.words,
        counts.relations
    );
    Ok(())
}

/// The path of the facts, which are written if they are not there. Needs the tool `wordnet`.
pub fn ensure(project: &Project) -> Result<PathBuf> {
    let path = default_path(project);
    if !path.exists() {
        write_facts(&project.wordnet_dictionary(), &path)?;
    }
    Ok(path)
}

/// Inside the tool's folder, so that another version of WordNet takes the old facts with it.
fn default_path(project: &Project) -> PathBuf {
    project.tools().join("wordnet/wordnet.facts")
}

/// Writes to a neighbour first, so that a file at `path` is complete and its counts are checked.
fn write_facts(dictionary: &Path, path: &Path) -> Result<Counts> {
    let partial = path.with_extension(format!("partial-{}", std::process::id()));
    let mut file = BufWriter::new(
        File::create(&partial).with_context(|| format!("could not write {}", partial.display()))?,
    );
    let mut counts = Counts::default();
    for (ending, letter) in wordnet::FILES {
        let source = dictionary.join(format!("data.{ending}"));
        let text =
            fs::read_to_string(&source).with_context(|| format!("could not read {}", source.display()))?;
        for synset in wordnet::synsets(letter, &text) {
            let synset = synset.with_context(|| source.display().to_string())?;
            counts.add(&synset);
            for fact in synset.facts() {
                writeln!(file, "{fact}")?;
            }
        }
    }
    wordnet::check(counts)?;
    file.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
    fs::rename(&partial, path)?;
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// Reads the real dictionary: `cargo xtask tools wordnet` installs it.
    #[test]
    fn wordnet_gives_560_733_distinct_facts() {
        let project = Project::locate().expect("tests run in a checkout");
        let path = std::env::temp_dir().join(format!("bywash-wordnet-{}.facts", std::process::id()));
        let counts = write_facts(&project.wordnet_dictionary(), &path).expect("the dictionary is installed");
        let text = fs::read_to_string(&path).expect("it was just written");
        fs::remove_file(&path).expect("it was just written");
        assert_eq!(counts.total(), 560_733);
        assert_eq!(text.lines().count(), 560_733);
        assert_eq!(text.lines().collect::<HashSet<_>>().len(), 560_733, "facts must be distinct");
    }
}
