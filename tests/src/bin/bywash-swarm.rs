//! `bywash-swarm`: thousands of clients of the gateway on one core; `make bench` runs its bench.

use std::process::ExitCode;

fn main() -> ExitCode {
    bywash_tests::swarm::main()
}
