//! The tasks as a command line. What each does lives in its own module.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};

use crate::project::Project;
use crate::{chart, checks, dataset, run, tools};

/// Bywash's own tasks. `make` has a one-liner for each.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build everything, start NATS and the four services, load WordNet, and stay until Ctrl-C
    Run(RunArguments),
    /// Build everything and run all tests; further arguments go to `cargo nextest run`
    Test(PassedOn),
    /// Check formatting, clippy, the .proto files, the console's types and the chart
    Lint,
    /// Measure that no request waits for fan-out; further arguments go to the proof
    Proof(PassedOn),
    /// Measure the gateway beside raw system calls and other servers; further arguments go to `bywash-swarm bench`
    Bench(PassedOn),
    /// Measure the knowledge base beside SQLite and its own indexes called directly; further arguments go to
    /// `bywash-swarm bench-kb`
    BenchKb(PassedOn),
    /// Generate the Rust code of `proto-schemas` anew from its .proto files
    Codegen,
    /// Render the chart into `k8s/bywash.yaml`
    Render,
    /// Make the knowledge base's table of embeddings anew from the published model, 80 MB; the same bytes again
    EmbeddingTable,
    /// Install tools into `.tools/`: all that most tasks need, or those named
    Tools {
        /// Names from xtask/tools.json, such as nats-server or helm
        names: Vec<String>,
        /// What the bench needs, and nothing else: its peers nginx with nchan (by apt-get, as root) and node `ws`
        #[arg(long, conflicts_with = "names")]
        bench: bool,
    },
    /// Write WordNet as one fact a line
    Dataset {
        /// Where to; default: .tools/wordnet/wordnet.facts
        #[arg(long)]
        output: Option<PathBuf>,
    },
    /// Delete the local data (facts, streams, logs) that `run` keeps
    CleanData {
        /// The directory that was given to `run`
        #[arg(long, default_value = ".bywash")]
        data_dir: PathBuf,
    },
}

/// What `run` may be told.
#[derive(clap::Args)]
pub struct RunArguments {
    /// Where facts, streams, logs and the NATS configuration are kept, seen from the repository's root
    #[arg(long, default_value = ".bywash")]
    pub data_dir: PathBuf,
    /// Where GPU samples come from: nothing, or invented ones that say so
    #[arg(long, value_enum, default_value = "none")]
    pub gpu_source: GpuSource,
    /// Start with the facts that are there; do not load WordNet
    #[arg(long)]
    pub no_dataset: bool,
}

/// The sources that `gpu-monitor` has.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GpuSource {
    /// No GPUs: only the host's load is sampled.
    None,
    /// Simulated GPUs, labelled as such wherever they appear.
    Simulator,
}

#[derive(clap::Args)]
struct PassedOn {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Reads the command line and does the task.
pub fn dispatch() -> Result<()> {
    let task = Cli::parse().task;
    let project = Project::locate()?;
    match task {
        Task::Run(arguments) => run::run(&project, &arguments),
        Task::Test(passed_on) => checks::test(&project, &passed_on.arguments),
        Task::Lint => checks::lint(&project),
        Task::Proof(passed_on) => checks::proof(&project, &passed_on.arguments),
        Task::Bench(passed_on) => checks::bench(&project, &passed_on.arguments),
        Task::BenchKb(passed_on) => checks::bench_kb(&project, &passed_on.arguments),
        Task::Codegen => checks::codegen(&project),
        Task::Render => chart::render(&project),
        Task::EmbeddingTable => checks::embedding_table(&project),
        Task::Tools { bench: true, .. } => tools::install_for_bench(&project),
        Task::Tools { names, .. } => tools::install(&project, &names),
        Task::Dataset { output } => dataset::write(&project, output.as_deref()),
        Task::CleanData { data_dir } => run::clean_data(&project, &data_dir),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
