//! `bywash-setup`: creates and changes the streams, waits for NATS as long as it takes, then ends.

use std::process::ExitCode;

use chassis::process::{self, ServiceConfig};
use chassis::{CommonConfig, Metrics, Nats, Shutdown, StartError, setup};
use clap::Parser;

/// Creates and changes the streams of Bywash in NATS; running it again changes nothing.
#[derive(Debug, Parser)]
#[command(name = "bywash-setup", version)]
struct Config {
    #[command(flatten)]
    common: CommonConfig,

    /// Copies of each stream; needs as many NATS servers
    #[arg(long, env = "BYWASH_STREAM_REPLICAS", default_value_t = 1)]
    stream_replicas: usize,
}

impl ServiceConfig for Config {
    const SERVICE: &'static str = "setup";

    fn common(&self) -> &CommonConfig {
        &self.common
    }
}

async fn run(config: Config, shutdown: Shutdown) -> Result<(), StartError> {
    let nats = Nats::connect(Config::SERVICE, &config.common, &Metrics::new(), &shutdown).await?;
    setup::run(&nats, config.stream_replicas, &shutdown).await.map_err(StartError::service)
}

fn main() -> ExitCode {
    process::main(run)
}
