//! Why the governor does not start.

use std::path::PathBuf;

/// Why the governor does not start.
#[derive(Debug, thiserror::Error)]
pub enum GovernorError {
    /// The engines file cannot be read.
    #[error("engines file {path} cannot be read")]
    EnginesFile {
        /// The file.
        path: PathBuf,
        /// The kernel's word.
        source: std::io::Error,
    },
    /// The engines file does not describe engines.
    #[error("engines file {path}: {reason}")]
    Engines {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Thresholds that would start and stop at once.
    #[error("{name}: the start threshold {enter} must be 0 or more and below the stop threshold {exit}")]
    Band {
        /// Which pair.
        name: &'static str,
        /// Start at or below.
        enter: f64,
        /// Stop at or above.
        exit: f64,
    },
}
