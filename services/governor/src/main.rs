//! `bywash-governor`: decides when engines run.

use std::process::ExitCode;

fn main() -> ExitCode {
    chassis::process::main(governor::run)
}
