//! `bywash-knowledge-base`.

use std::process::ExitCode;

fn main() -> ExitCode {
    chassis::process::main(knowledge_base::run)
}
