//! What an operator does with a store in a file: back it up while it runs, put a backup back, look for damage.

use std::fs::File;
use std::path::{Path, PathBuf};

use chassis::StartError;
use clap::{Args, Subcommand};

use crate::config::StoreKind;
use crate::store::{SqliteMaintenance, Verdict};

/// Something to do instead of serving.
#[derive(Debug, Clone, Subcommand)]
pub enum Task {
    /// Copy the store to a file as it is at one moment; the service may run
    Backup(BackupArgs),
    /// Put a backup in the place of the store; the service must be stopped
    ///
    /// What was there is kept beside it. The store begins a new epoch, so clients that followed the other one are told.
    Restore(RestoreArgs),
    /// Look at everything in the store for damage; the service may run
    Verify,
}

/// What `backup` takes.
#[derive(Debug, Clone, Args)]
pub struct BackupArgs {
    /// File to write; there must be none of that name
    #[arg(long, value_name = "FILE")]
    pub to: PathBuf,
}

/// What `restore` takes.
#[derive(Debug, Clone, Args)]
pub struct RestoreArgs {
    /// A file that `backup` wrote
    #[arg(long, value_name = "FILE")]
    pub from: PathBuf,
}

/// Why a task was not done. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// There is no store.
    #[error("there is no store in {0}; name its directory with --data-dir")]
    NoStore(PathBuf),
    /// The store is elsewhere.
    #[error("the store is in PostgreSQL; use pg_dump and pg_restore, and amcheck for damage")]
    NotAFile,
    /// The backup's name is taken.
    #[error("{0} is there already; choose another name")]
    Exists(PathBuf),
    /// The system's word about a file.
    #[error("{path} cannot be used")]
    Io {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: std::io::Error,
    },
    /// The store's word.
    #[error("the store cannot be used")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// `verify` found something.
    #[error("the store is damaged: {0}; put back a backup")]
    Damaged(String),
}

impl TaskError {
    fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }

    fn store(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Store(Box::new(error))
    }
}

/// Does it and says what was done, on standard output. Blocks.
///
/// # Errors
/// [`StartError`] with a [`TaskError`].
pub fn run(task: &Task, store: StoreKind, data_dir: &Path) -> Result<(), StartError> {
    let done = match task {
        _ if store != StoreKind::Sqlite => Err(TaskError::NotAFile),
        Task::Backup(args) => backup(data_dir, &args.to),
        Task::Restore(args) => restore(data_dir, &args.from),
        Task::Verify => verify(data_dir),
    };
    println!("{}", done.map_err(StartError::service)?);
    Ok(())
}

fn store_in(data_dir: &Path) -> Result<SqliteMaintenance, TaskError> {
    SqliteMaintenance::of(data_dir).ok_or_else(|| TaskError::NoStore(data_dir.to_owned()))
}

fn backup(data_dir: &Path, to: &Path) -> Result<String, TaskError> {
    let store = store_in(data_dir)?;
    if to.exists() {
        return Err(TaskError::Exists(to.to_owned()));
    }
    // A backup that was cut off must not look like one.
    let unfinished = to.with_extension("unfinished");
    if unfinished.exists() {
        std::fs::remove_file(&unfinished).map_err(TaskError::io(&unfinished))?;
    }
    let at = store.copy_to(&unfinished).map_err(TaskError::store)?;
    File::open(&unfinished).and_then(|file| file.sync_all()).map_err(TaskError::io(&unfinished))?;
    std::fs::rename(&unfinished, to).map_err(TaskError::io(to))?;
    Ok(format!("{}: revision {} of epoch {}", to.display(), at.revision, at.epoch))
}

fn restore(data_dir: &Path, from: &Path) -> Result<String, TaskError> {
    if !from.is_file() {
        let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
        return Err(TaskError::io(from)(missing));
    }
    let restored = SqliteMaintenance::put_back(data_dir, from).map_err(TaskError::store)?;
    let vectors = data_dir.join(crate::VECTORS_DIRECTORY);
    if vectors.exists() {
        std::fs::remove_dir_all(&vectors).map_err(TaskError::io(&vectors))?;
    }
    let kept =
        restored.replaced.map_or_else(String::new, |path| format!("; what was there is {}", path.display()));
    Ok(format!("revision {} is back, as epoch {}{kept}", restored.revision, restored.epoch))
}

fn verify(data_dir: &Path) -> Result<String, TaskError> {
    match store_in(data_dir)?.verify().map_err(TaskError::store)? {
        Verdict::Sound { facts, documents, changes, revision } => {
            Ok(format!("sound: {facts} facts, {documents} documents, {changes} changes, revision {revision}"))
        }
        Verdict::Damaged(what) => Err(TaskError::Damaged(what)),
    }
}
