//! Settings of the embedder, and what is wrong with them.

use std::path::PathBuf;

use chassis::Metrics;
use chassis::outbound::{self, parse_url};
use clap::{Args, ValueEnum};

use super::metrics::EmbedderMetrics;
use super::openai::{Endpoint, OpenAiEmbedder, OpenAiSetupError};
use super::{Embedder, StaticTable};

const HEADING: &str = "Embeddings of documents";

/// What makes vectors of documents and of queries for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EmbedderChoice {
    /// The built-in table.
    Static,
    /// An endpoint that speaks OpenAI's protocol.
    Openai,
}

/// Which embedder there is.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = HEADING)]
pub struct EmbedderConfig {
    /// What makes vectors of documents: the built-in table, or an endpoint that speaks OpenAI's protocol
    ///
    /// Facts always use the built-in table.
    #[arg(long, env = "BYWASH_EMBEDDER", value_name = "KIND", default_value = "static")]
    pub embedder: EmbedderChoice,

    /// Where the endpoint is, without its /embeddings, such as https://api.openai.com/v1
    #[arg(long, env = "BYWASH_EMBEDDER_URL", value_name = "URL")]
    pub embedder_url: Option<String>,

    /// What the endpoint calls the model
    #[arg(long, env = "BYWASH_EMBEDDER_MODEL", value_name = "NAME")]
    pub embedder_model: Option<String>,

    /// File with the endpoint's key, which is sent as a bearer token; read at start
    #[arg(long, env = "BYWASH_EMBEDDER_KEY_FILE", value_name = "FILE")]
    pub embedder_key_file: Option<PathBuf>,
}

/// Why the settings cannot work.
#[derive(Debug, thiserror::Error)]
pub enum EmbedderConfigError {
    /// One that the endpoint needs.
    #[error("BYWASH_EMBEDDER=openai needs {0}")]
    Missing(&'static str),
    /// One that nothing reads.
    #[error("{0} is set, but BYWASH_EMBEDDER is not openai")]
    Unused(&'static str),
    /// No URL.
    #[error("BYWASH_EMBEDDER_URL is no http:// or https:// URL without a user, a password and a query")]
    Url,
    /// No key.
    #[error("BYWASH_EMBEDDER_KEY_FILE: {path} cannot be read")]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: std::io::Error,
    },
    /// No client.
    #[error("the embedder cannot be used")]
    Client(#[source] OpenAiSetupError),
}

impl EmbedderConfig {
    /// The embedder; an endpoint is not asked anything yet.
    ///
    /// # Errors
    /// [`EmbedderConfigError`] where the settings cannot work.
    pub fn embedder(&self, metrics: &Metrics) -> Result<Embedder, EmbedderConfigError> {
        let given = [
            ("BYWASH_EMBEDDER_URL", self.embedder_url.is_some()),
            ("BYWASH_EMBEDDER_MODEL", self.embedder_model.is_some()),
            ("BYWASH_EMBEDDER_KEY_FILE", self.embedder_key_file.is_some()),
        ];
        if self.embedder == EmbedderChoice::Static {
            let unused = given.into_iter().find(|(_, is_given)| *is_given);
            let table = Embedder::Static(StaticTable::built_in());
            return unused.map_or(Ok(table), |(name, _)| Err(EmbedderConfigError::Unused(name)));
        }
        let url = self.embedder_url.as_ref().ok_or(EmbedderConfigError::Missing("BYWASH_EMBEDDER_URL"))?;
        let url = parse_url(url).filter(|url| url.query().is_none()).ok_or(EmbedderConfigError::Url)?;
        let model =
            self.embedder_model.clone().ok_or(EmbedderConfigError::Missing("BYWASH_EMBEDDER_MODEL"))?;
        let key = self.key()?;
        if outbound::is_open_to_others(&url) {
            tracing::warn!("the embedder is asked by http: texts and its key can be read on the way");
        }
        let endpoint = Endpoint { url, model, key, dimension: None };
        let client = OpenAiEmbedder::new(endpoint, EmbedderMetrics::new(metrics));
        client.map(Embedder::OpenAi).map_err(EmbedderConfigError::Client)
    }

    fn key(&self) -> Result<Option<String>, EmbedderConfigError> {
        let Some(path) = &self.embedder_key_file else { return Ok(None) };
        let text = std::fs::read_to_string(path)
            .map_err(|source| EmbedderConfigError::KeyFile { path: path.clone(), source })?;
        Ok(Some(text.trim().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        config: EmbedderConfig,
    }

    fn embedder(flags: &[&str]) -> Result<Embedder, EmbedderConfigError> {
        let config = Program::parse_from(["test"].iter().chain(flags)).config;
        config.embedder(&Metrics::new())
    }

    #[test]
    fn the_built_in_table_is_what_nobody_asked_for() {
        assert!(matches!(embedder(&[]), Ok(Embedder::Static(_))));
    }

    #[test]
    fn an_endpoint_needs_a_url_and_a_model() {
        let url = ["--embedder", "openai", "--embedder-url", "http://127.0.0.1:9/v1/"];
        let made = embedder(&[&url[..], &["--embedder-model", "m"]].concat());
        assert_eq!(made.expect("both are there").model_id(), "m");
        assert!(matches!(embedder(&url), Err(EmbedderConfigError::Missing("BYWASH_EMBEDDER_MODEL"))));
        let neither = embedder(&["--embedder", "openai"]);
        assert!(matches!(neither, Err(EmbedderConfigError::Missing("BYWASH_EMBEDDER_URL"))));
    }

    #[test]
    fn settings_that_cannot_work_are_named() {
        for url in ["ftp://a/v1", "a", "http://user:pass@a/v1", "http://a/v1?key=1"] {
            let made = embedder(&["--embedder", "openai", "--embedder-url", url, "--embedder-model", "m"]);
            assert!(matches!(made, Err(EmbedderConfigError::Url)), "{url}");
        }
        let unused = embedder(&["--embedder-model", "m"]).expect_err("nothing reads it");
        assert_eq!(unused.to_string(), "BYWASH_EMBEDDER_MODEL is set, but BYWASH_EMBEDDER is not openai");
        let flags = ["--embedder", "openai", "--embedder-url", "http://a/v1", "--embedder-model", "m"];
        let no_file = embedder(&[&flags[..], &["--embedder-key-file", "/nowhere/key"]].concat());
        assert!(matches!(no_file, Err(EmbedderConfigError::KeyFile { .. })));
    }
}
