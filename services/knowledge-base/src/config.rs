//! Settings of the knowledge base.

use std::path::PathBuf;

use chassis::CommonConfig;
use chassis::process::ServiceConfig;
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Parser, ValueEnum};

use crate::embed::EmbedderConfig;
use crate::maintenance::Task;
use crate::store::PostgresUrl;

/// Where facts are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StoreKind {
    /// In a file of this process.
    Sqlite,
    /// In a PostgreSQL that several processes share.
    Postgres,
}

/// Keeps facts, finds them, and tells every change to NATS.
#[derive(Debug, Clone, Parser)]
#[command(name = "bywash-knowledge-base", version)]
pub struct Config {
    /// Settings that every service has.
    #[command(flatten)]
    pub common: CommonConfig,

    /// Directory for the store, or for what is derived from one in PostgreSQL; one process at a time
    #[arg(
        long,
        env = "BYWASH_DATA_DIR",
        value_name = "DIR",
        default_value = ".bywash/knowledge-base",
        global = true
    )]
    pub data_dir: PathBuf,

    /// Where facts are kept
    #[arg(long, env = "BYWASH_STORE", value_name = "KIND", default_value = "sqlite")]
    pub store: StoreKind,

    /// PostgreSQL 15 or newer: postgres://user@host:port/database, also of several hosts; `?sslmode=require` for TLS
    #[arg(long, env = "BYWASH_POSTGRES_URL", value_name = "URL", hide_env_values = true)]
    pub postgres_url: Option<PostgresUrl>,

    /// File with the password for it
    #[arg(long, env = "BYWASH_POSTGRES_PASSWORD_FILE", value_name = "FILE")]
    pub postgres_password_file: Option<PathBuf>,

    /// PEM file with the authorities that its certificate may be signed by; default: those of the system
    #[arg(long, env = "BYWASH_POSTGRES_CA_FILE", value_name = "FILE")]
    pub postgres_ca_file: Option<PathBuf>,

    /// Whether the primary search adapter is on: full-text and vector indexes
    #[arg(long, env = "THEMIS_ENABLED", value_name = "BOOL", default_value_t = true, action = ArgAction::Set,
        value_parser = BoolishValueParser::new())]
    pub themis_enabled: bool,

    /// Whether the fallback search adapter is on: a scan of everything, where the primary cannot answer
    #[arg(long, env = "USE_UDS3_FALLBACK", value_name = "BOOL", default_value_t = true, action = ArgAction::Set,
        value_parser = BoolishValueParser::new())]
    pub use_uds3_fallback: bool,

    /// Copies of the stream KB; needs as many NATS servers
    #[arg(long, env = "BYWASH_STREAM_REPLICAS", value_name = "COUNT", default_value_t = 1)]
    pub stream_replicas: usize,

    /// What makes vectors of documents.
    #[command(flatten)]
    pub embedder: EmbedderConfig,

    /// Something to do instead of serving.
    #[command(subcommand)]
    pub task: Option<Task>,
}

impl ServiceConfig for Config {
    const SERVICE: &'static str = "knowledge-base";

    fn common(&self) -> &CommonConfig {
        &self.common
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_documented() {
        for argument in <Config as clap::CommandFactory>::command().get_arguments() {
            assert!(argument.get_help().is_some(), "{} has no help", argument.get_id());
        }
    }
}
