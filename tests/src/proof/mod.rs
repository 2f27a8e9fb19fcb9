//! The proof: requests to the API do not wait for fan-out, measured beside an API that does.
//!
//! The API and the measuring client have one core; the gateway, NATS and a thousand clients have the other. The same
//! open-loop load runs under each condition, interleaved in rounds; see `phases.rs`. `verdict.rs` says what passes.

mod control;
mod control_process;
mod lag;
pub mod load;
pub(crate) mod machine;
pub mod phases;
mod plan;
mod report;
mod run;
pub mod statistics;
mod swarm;
mod system;
mod targets;
pub mod verdict;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

pub use swarm::open_stalled;

/// Proves that no request waits for fan-out.
#[derive(Debug, Parser)]
#[command(name = "bywash-proof", version)]
pub struct Arguments {
    #[command(flatten)]
    run: RunArguments,

    #[command(subcommand)]
    part: Option<Part>,
}

/// How much is measured.
#[derive(Debug, Clone, Args)]
pub struct RunArguments {
    /// Two short rounds with few clients: to see that everything works, not to prove anything
    #[arg(long)]
    quick: bool,

    /// Rounds; each has every phase once
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(5..))]
    rounds: u8,

    /// Clients that follow
    #[arg(long, default_value_t = 1000)]
    clients: usize,

    /// Where both sides keep their data; default: target/proof
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,

    /// Where the report goes; default: target/proof/report.json (quick-report.json with --quick)
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// Processes that the proof starts itself.
#[derive(Debug, Subcommand)]
enum Part {
    /// The clients; commands come on standard input
    #[command(hide = true)]
    Clients,
    /// The negative control
    #[command(hide = true)]
    Control {
        #[arg(long)]
        data_dir: PathBuf,
    },
}

/// Runs the proof, or the part of it that the command line names.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.part {
        None => run::main(&arguments.run),
        Some(Part::Clients) => swarm::main().map(|()| true),
        Some(Part::Control { data_dir }) => control_process::main(data_dir).map(|()| true),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bywash-proof: {error:#}");
            ExitCode::FAILURE
        }
    }
}
