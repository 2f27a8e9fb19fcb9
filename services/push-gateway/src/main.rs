//! `bywash-push-gateway`.

use std::process::ExitCode;

fn main() -> ExitCode {
    chassis::process::main(push_gateway::run)
}
