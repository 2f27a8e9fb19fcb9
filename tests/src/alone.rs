//! A test in namespaces of its own: its network, its mounts and its processes are nobody else's, and none outlives it.
//!
//! It takes Linux namespaces, as root or through user namespaces.

use std::process::Command;

/// Set for a test that already runs alone, to `root` or `user`.
const ALONE: &str = "BYWASH_TEST_ALONE";

/// Gives the new namespaces a loopback interface before the test begins.
const PREPARE: &str = r#"
mount -t sysfs sysfs /sys
{ echo 0x9 > /sys/class/net/lo/flags; } 2>/dev/null || ip link set lo up
exec "$@""#;

/// Runs `body`, the test called `test`, in network, mount and process namespaces of its own, so that ports
/// and mounts are free and nothing survives it.
///
/// Outside of them it starts this test program again for the one test.
///
/// # Panics
/// When the test does, and where namespaces are refused.
pub fn alone(test: &str, body: impl FnOnce()) {
    if std::env::var_os(ALONE).is_some() {
        return body();
    }
    let is_root = rustix::process::geteuid().is_root();
    let mut command = Command::new("unshare");
    if !is_root {
        command.args(["--user", "--map-root-user"]);
    }
    command.args([
        "--net",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child=KILL",
        "--mount-proc",
        "sh",
        "-euc",
        PREPARE,
        "sh",
    ]);
    command.arg(std::env::current_exe().expect("the kernel knows this program"));
    command
        .args([test, "--exact", "--nocapture"])
        .env("RUST_BACKTRACE", "0")
        .env(ALONE, if is_root { "root" } else { "user" });
    let output = command.output().expect("unshare (util-linux) is installed");
    let text =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    if output.status.success() && text.contains("1 passed") {
        return;
    }
    if text.contains("running 1 test") {
        panic!("{text}");
    }
    panic!(
        "{text}\nNamespaces were refused: run this test as root (in a container: with CAP_SYS_ADMIN), or allow \
         unprivileged user namespaces."
    );
}

/// Whether such a test is root outside as well, so that it may give files and processes to other users.
pub fn is_root() -> bool {
    std::env::var(ALONE).is_ok_and(|mode| mode == "root")
}
