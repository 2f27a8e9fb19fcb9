//! A store in a database of its own.

use std::sync::Arc;

use chassis::Metrics;

use super::super::conformance::Opener;
use super::super::{Store, StoreMetrics};
use super::server::Postgres;
use super::{PostgresOptions, PostgresStore, StoreTasks};
use crate::testing::Directory;

/// A database and the directory of a replica.
pub struct Database {
    /// The database.
    pub server: Postgres,
    /// The directory of the first replica.
    pub directory: Directory,
    tasks: Option<StoreTasks>,
}

impl Database {
    /// An empty one.
    pub fn new() -> Self {
        Self { server: Postgres::start(), directory: Directory::new(), tasks: None }
    }

    /// What a replica with its files in `directory` is opened with.
    pub fn options(&self, directory: &Directory) -> PostgresOptions {
        PostgresOptions {
            url: self.server.url().as_str().into(),
            password_file: None,
            ca_file: None,
            data_dir: directory.path().to_owned(),
        }
    }

    /// Another replica.
    pub async fn replica(&self, directory: &Directory) -> (Arc<PostgresStore>, StoreTasks) {
        let metrics = StoreMetrics::new(&Metrics::new());
        let (store, tasks) = PostgresStore::open(&self.options(directory), metrics).await.unwrap();
        (Arc::new(store), tasks)
    }
}

impl Opener for Database {
    async fn open(&mut self) -> Store {
        let (store, tasks) = self.replica(&self.directory).await;
        self.tasks = Some(tasks);
        store
    }

    async fn closed(&mut self) {
        self.tasks.take().unwrap().join().await;
    }
}
