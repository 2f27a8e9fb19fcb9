//! Engines: which there are (`file`), and the processes they run as (`runner`).

mod file;
mod runner;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use self::file::read;
pub use self::runner::{Ended, EngineStatus, Engines, RunResult};

/// Most engines in a file: each is watched by a task and shown in every answer.
pub const ENGINES_MAX: usize = 32;

/// The name of a configured engine: 1 to 63 lower-case letters, digits and hyphens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EngineName(Arc<str>);

impl EngineName {
    /// The name as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parse(text: &str) -> Option<Self> {
        let well_formed = (1..=63).contains(&text.len())
            && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        well_formed.then(|| Self(text.into()))
    }
}

impl fmt::Display for EngineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
impl From<&str> for EngineName {
    fn from(text: &str) -> Self {
        Self::parse(text).expect("a name of a test")
    }
}

/// An engine as the file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineSpec {
    /// Its name.
    pub name: EngineName,
    /// The program, an absolute path.
    pub program: PathBuf,
    /// Its arguments, passed as they are: no shell reads them.
    pub arguments: Vec<String>,
    /// Its environment; of the governor's own it gets `PATH` only.
    pub environment: BTreeMap<String, String>,
    /// It is stopped when it runs for longer.
    pub max_run: Duration,
    /// Time between being asked to end and being killed.
    pub stop_grace: Duration,
}
