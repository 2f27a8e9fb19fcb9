//! `bywash-knowledge-base`.

use std::process::ExitCode;

use knowledge_base::priority::Class;
use mimalloc::MiMalloc;

/// SQLite's memory as well. The system's allocator shares locks among threads: one that serves requests waited for milliseconds
/// where a thread behind it held one and had no core.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    // All threads but those that say otherwise. There is no log yet: the store's threads tell a refusal.
    Class::Serve.enter();
    chassis::process::main(knowledge_base::run)
}
