//! `bywash-proof`: measures that no request waits for fan-out; `make proof` runs it.

use std::process::ExitCode;

fn main() -> ExitCode {
    bywash_tests::proof::main()
}
