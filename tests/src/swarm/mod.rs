//! The load program `bywash-swarm`: thousands of clients on one core, and the bench that measures the gateway beside raw
//! system calls and other servers.
//!
//! `engine.rs` holds the clients (`client.rs`), which speak (`protocol.rs`), listen (`decode.rs`) and count (`tally.rs`);
//! `publish.rs` sends events in; `cost.rs` looks at the server from outside; `load.rs` is all that as a command,
//! `driven.rs` as a process that `bench/` drives; `peers/` are what the gateway is measured beside.

mod bench;
mod client;
mod cost;
pub(crate) mod decode;
mod driven;
mod engine;
mod event;
pub(crate) mod histogram;
mod load;
pub(crate) mod peers;
pub(crate) mod protocol;
mod publish;
mod tally;
mod token;

pub use token::signed;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::knowledge_bench;

/// Loads push servers with thousands of clients, and measures the gateway and the knowledge base beside others.
#[derive(Debug, Parser)]
#[command(name = "bywash-swarm", version)]
struct Arguments {
    #[command(subcommand)]
    part: Part,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// Open clients on a running server, publish, and tell what they received
    Load(load::LoadArguments),
    /// Measure the gateway beside raw system calls and other servers, each figure against its target
    Bench(bench::BenchArguments),
    /// Measure the knowledge base beside SQLite and its own indexes called directly, each figure against its target
    BenchKb(knowledge_bench::BenchArguments),
    /// A swarm that obeys the bench; commands come on standard input
    #[command(hide = true)]
    Driven,
    /// The raw writer
    #[command(hide = true)]
    PeerRaw {
        #[arg(long, default_value_t = 1.0)]
        cost: f64,
    },
    /// An answer made with axum, and no store
    #[command(hide = true)]
    PeerAnswer,
    /// The server made with axum
    #[command(hide = true)]
    PeerAxum {
        #[arg(long)]
        read_buffer_size: Option<usize>,
    },
}

/// Does what the command line says.
pub fn main() -> ExitCode {
    let result = match Arguments::parse().part {
        Part::Load(arguments) => load::main(&arguments).map(|()| true),
        Part::Bench(arguments) => bench::main(&arguments),
        Part::BenchKb(arguments) => knowledge_bench::main(&arguments),
        Part::Driven => driven::main().map(|()| true),
        Part::PeerRaw { cost } => peers::raw::main(cost).map(|()| true),
        Part::PeerAnswer => knowledge_bench::peer_main().map(|()| true),
        Part::PeerAxum { read_buffer_size } => peers::axum::main(read_buffer_size).map(|()| true),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bywash-swarm: {error:#}");
            ExitCode::FAILURE
        }
    }
}
