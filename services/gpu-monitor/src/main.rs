//! `bywash-gpu-monitor`: the GPUs and the load of one node.

use std::process::ExitCode;

fn main() -> ExitCode {
    chassis::process::main(gpu_monitor::run)
}
