//! `bywash-swarm`: thousands of clients of the gateway on one core; `make bench` runs its bench.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// The knowledge base's, so that SQLite called directly has what it has in the service.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    bywash_tests::swarm::main()
}
