//! `bywash-knowledge-base`.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// SQLite's memory as well. The system's allocator shares locks among threads: one that serves requests waited for milliseconds
/// where a thread behind it held one and had no core.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    chassis::process::main(knowledge_base::run)
}
