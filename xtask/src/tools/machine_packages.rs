//! What the bench needs of Debian's own packages. They belong to the machine and not into `.tools/`, so only the task
//! that says so installs them.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Result, bail};

use crate::process::{command, run};

/// nginx with nchan, a peer of the bench: files that their packages bring.
const NCHAN_FILES: [&str; 2] = ["/usr/sbin/nginx", "/usr/lib/nginx/modules/ngx_nchan_module.so"];
const NCHAN_PACKAGES: [&str; 2] = ["nginx", "libnginx-mod-nchan"];

/// Fails with what is missing and how to get it.
pub fn require_nchan() -> Result<()> {
    if has_nchan() {
        return Ok(());
    }
    bail!(
        "the bench measures the gateway beside nginx with nchan, and {} is missing: start `cargo xtask tools --bench` \
         as root, or on Debian apt-get install {}",
        NCHAN_FILES.join(" or "),
        NCHAN_PACKAGES.join(" ")
    )
}

/// Installs nginx with nchan where they are missing; nginx's service is not started.
pub fn install_nchan() -> Result<()> {
    if has_nchan() {
        return Ok(());
    }
    eprintln!("  installing {} with apt-get", NCHAN_PACKAGES.join(" and "));
    for arguments in [&["update", "--quiet"][..], &["install", "--yes", "--quiet", "--no-install-recommends"]]
    {
        let mut apt = command("apt-get", Path::new("/"));
        // A service that starts by itself would take port 80, and the bench starts its own.
        apt.args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("RUNLEVEL", "1")
            .stdout(Stdio::null());
        if arguments[0] == "install" {
            apt.args(NCHAN_PACKAGES);
        }
        run("apt-get (it needs root)", &mut apt)?;
    }
    require_nchan()
}

fn has_nchan() -> bool {
    NCHAN_FILES.iter().all(|file| Path::new(file).exists())
}
