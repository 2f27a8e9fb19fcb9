//! The project's own tasks: tools, run, test, lint, data sets, code generation, rendering.
//!
//! The map: `cli.rs` names the tasks; `run/` starts everything on one machine; `tools/` installs what the project
//! needs into `.tools/`; `wordnet.rs` and `dataset.rs` turn WordNet into facts, `load.rs` sends them. Nothing here is
//! part of a service.

mod chart;
mod checks;
mod cli;
mod console;
mod dataset;
mod http;
mod load;
mod machine;
mod process;
mod project;
mod run;
mod tools;
mod wordnet;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::dispatch() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}
