//! Settings that every service has: flags, and the environment with the prefix `BYWASH_`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::auth::JwtConfig;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Pretty,
}

/// Settings common to all services.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Common settings")]
pub struct CommonConfig {
    /// Address and port to listen on; each service has its own default port on loopback
    #[arg(long, env = "BYWASH_HTTP_ADDR", value_name = "ADDR:PORT")]
    pub http_addr: Option<SocketAddr>,

    /// Where NATS listens, also nats://user:password@host; it may be away at start and come back at any time
    #[arg(long, env = "BYWASH_NATS_URL", value_name = "URL", default_value = "nats://127.0.0.1:4222")]
    pub nats_url: String,

    /// File with NATS credentials
    #[arg(long, env = "BYWASH_NATS_CREDENTIALS", value_name = "FILE")]
    pub nats_credentials: Option<PathBuf>,

    /// JSON file of API keys: {"keys":[{"id","key","roles":["read","write","control"]}]}
    ///
    /// A key may also have "topics" (a list of topics and patterns: exactly those, beside the own agent topics) and
    /// "expires_at" (RFC 3339). Without this file and without a source of keys for tokens the service asks for nothing
    /// and binds to loopback only.
    #[arg(long, env = "BYWASH_API_KEYS_FILE", value_name = "FILE")]
    pub api_keys_file: Option<PathBuf>,

    /// What tokens are accepted.
    #[command(flatten)]
    pub jwt: JwtConfig,

    /// PEM file with the TLS certificate and its chain, leaf first; with it this port speaks HTTPS with HTTP/2
    ///
    /// Needs the key's file as well; without both TLS ends elsewhere, at the ingress. The files are read anew as they
    /// change; one that cannot be used is warned of, and the certificate before it stays.
    #[arg(long, env = "BYWASH_TLS_CERT_FILE", value_name = "FILE")]
    pub tls_cert_file: Option<PathBuf>,

    /// PEM file with the certificate's private key (PKCS#8, PKCS#1 or SEC1)
    #[arg(long, env = "BYWASH_TLS_KEY_FILE", value_name = "FILE")]
    pub tls_key_file: Option<PathBuf>,

    /// How often the TLS files are looked at for a change
    #[arg(long, env = "BYWASH_TLS_RELOAD_INTERVAL_S", value_name = "SECONDS", default_value_t = 30)]
    pub tls_reload_interval_s: u64,

    /// Serve beyond loopback although no keys are configured: everybody may do everything
    #[arg(long, env = "BYWASH_INSECURE_OPEN", action = clap::ArgAction::SetTrue, value_parser = clap::builder::FalseyValueParser::new())]
    pub insecure_open: bool,

    /// Origins (scheme://host:port, comma-separated) whose pages may call this service; same origin always may
    #[arg(long, env = "BYWASH_ALLOWED_ORIGINS", value_name = "ORIGINS", value_delimiter = ',')]
    pub allowed_origins: Vec<String>,

    /// What to log, such as `info` or `warn,push_gateway=debug`
    #[arg(long, env = "BYWASH_LOG", value_name = "FILTER", default_value = "info")]
    pub log: String,

    /// How log lines look
    #[arg(long, env = "BYWASH_LOG_FORMAT", value_name = "FORMAT", default_value = "pretty")]
    pub log_format: LogFormat,

    /// Which log records clients may follow on `logs.<service>.<level>`, as a filter; `off` pushes none
    #[arg(long, env = "BYWASH_LOG_PUSH", value_name = "FILTER", default_value = "info")]
    pub log_push: String,

    /// Name of this process among its kind; default: the host's name
    #[arg(long, env = "BYWASH_INSTANCE", value_name = "NAME")]
    pub instance: Option<String>,

    /// Stay reachable for this long after the stop signal, already unready, so that balancers take note
    #[arg(long, env = "BYWASH_DRAIN_DELAY_S", value_name = "SECONDS", default_value_t = 0)]
    pub drain_delay_s: u64,

    /// End at most this long after that, whatever is still under way
    #[arg(long, env = "BYWASH_DRAIN_TIMEOUT_S", value_name = "SECONDS", default_value_t = 20)]
    pub drain_timeout_s: u64,
}

impl CommonConfig {
    /// The name of this process among its kind.
    pub fn instance(&self) -> String {
        self.instance.clone().filter(|name| !name.is_empty()).unwrap_or_else(host_name)
    }

    /// Where to listen: as configured, or the service's own port on loopback.
    pub fn http_addr_or(&self, default_port: u16) -> SocketAddr {
        self.http_addr.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], default_port)))
    }

    /// How long to stay reachable while unready.
    pub fn drain_delay(&self) -> Duration {
        Duration::from_secs(self.drain_delay_s)
    }

    /// How long requests under way may take to end.
    pub fn drain_timeout(&self) -> Duration {
        Duration::from_secs(self.drain_timeout_s)
    }
}

/// The host's name, or `localhost` where the kernel does not tell.
pub fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().to_owned())
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "localhost".to_owned())
}

/// One warning for each `BYWASH_` variable of `environment` that `command` does not know, with the nearest known one.
pub fn unknown_variables(command: &clap::Command, environment: impl Iterator<Item = String>) -> Vec<String> {
    let known: Vec<String> = command
        .get_arguments()
        .filter_map(|argument| argument.get_env()?.to_str().map(str::to_owned))
        .chain(OTHER_VARIABLES.map(str::to_owned))
        .collect();
    environment
        .filter(|name| name.starts_with("BYWASH_") && !known.contains(name))
        .map(|name| {
            let nearest = known.iter().min_by_key(|candidate| edit_distance(&name, candidate));
            match nearest {
                Some(nearest) => format!("unknown setting {name} is ignored; did you mean {nearest}?"),
                None => format!("unknown setting {name} is ignored"),
            }
        })
        .collect()
}

/// Variables that are read elsewhere than by clap.
const OTHER_VARIABLES: [&str; 1] = ["BYWASH_FAIL_POINT"];

/// Levenshtein distance in bytes; both names are short.
fn edit_distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// A command line with nothing but the common settings, for tests of what takes them.
#[cfg(test)]
#[derive(clap::Parser)]
pub(crate) struct Example {
    #[command(flatten)]
    pub(crate) common: CommonConfig,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[test]
    fn an_unknown_setting_is_named_with_the_nearest_known_one() {
        let command = <Example as clap::CommandFactory>::command();
        let names = ["BYWASH_NATS_ULR", "BYWASH_LOG", "PATH"].map(str::to_owned);
        assert_eq!(
            unknown_variables(&command, names.into_iter()),
            ["unknown setting BYWASH_NATS_ULR is ignored; did you mean BYWASH_NATS_URL?"]
        );
    }

    #[test]
    fn every_setting_is_documented() {
        for argument in <Example as clap::CommandFactory>::command().get_arguments() {
            assert!(argument.get_help().is_some(), "{} has no help", argument.get_id());
        }
    }

    #[test]
    fn the_default_listens_on_loopback() {
        let example = Example::try_parse_from(["x"]).unwrap();
        assert!(example.common.http_addr_or(5001).ip().is_loopback());
    }
}
