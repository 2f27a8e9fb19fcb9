//! Opens the store that the settings name, and says when it is closed.

use std::sync::Arc;

use chassis::StartError;
use futures_util::future::BoxFuture;

use crate::config::{Config, StoreKind};
use crate::store::{PostgresOptions, PostgresStore, SqliteOptions, SqliteStore, Store, StoreMetrics};

/// Ends when the store is dropped everywhere and its last commit is done.
pub type Closing = BoxFuture<'static, ()>;

/// Setting that a store needs and that is missing.
#[derive(Debug, thiserror::Error)]
#[error("BYWASH_STORE is postgres, so BYWASH_POSTGRES_URL must say where it is")]
struct NoUrl;

/// Opens the store.
pub async fn open(config: &Config, metrics: StoreMetrics) -> Result<(Store, Closing), StartError> {
    match config.store {
        StoreKind::Sqlite => {
            let options = SqliteOptions { data_dir: config.data_dir.clone(), size_bytes_max: None };
            // Opening may recover a log; that is the disk's time and nobody is served yet.
            let opened = tokio::task::spawn_blocking(move || SqliteStore::open(&options, metrics)).await;
            let (store, threads) = opened.map_err(StartError::service)??;
            let closing = async {
                // A thread that panicked has said so.
                let _ = tokio::task::spawn_blocking(move || threads.join()).await;
            };
            Ok((Arc::new(store), Box::pin(closing)))
        }
        StoreKind::Postgres => {
            let options = PostgresOptions {
                url: config.postgres_url.clone().ok_or_else(|| StartError::service(NoUrl))?,
                password_file: config.postgres_password_file.clone(),
                ca_file: config.postgres_ca_file.clone(),
                data_dir: config.data_dir.clone(),
            };
            let (store, tasks) = PostgresStore::open(&options, metrics).await?;
            Ok((Arc::new(store), Box::pin(tasks.join())))
        }
    }
}
