//! How each peer is started, and what a machine needs for it.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::servers::{Contestant, Held, START_TIMEOUT, Server};
use crate::process::Process;
use crate::scratch::{Scratch, project_root};
use crate::swarm::peers::Listening;

/// nginx with nchan, as Debian has them.
const NGINX: &str = "/usr/sbin/nginx";
const NCHAN: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";
/// Node's `ws`, as the project's tools have it, from the root.
const NODE_MODULES: &str = ".tools/published/node_modules";

/// Fails with one message that names every peer that is missing.
pub fn require_peers() -> Result<()> {
    let ws = project_root().join(NODE_MODULES).join("ws/package.json");
    let mut missing = Vec::new();
    for (name, path) in [("nginx", Path::new(NGINX)), ("nchan", Path::new(NCHAN)), ("node ws", &ws)] {
        if !path.exists() {
            missing.push(format!("{name} ({})", path.display()));
        }
    }
    let node = Command::new("node").arg("--version").output();
    if !node.is_ok_and(|output| output.status.success()) {
        missing.push("node".to_owned());
    }
    ensure!(
        missing.is_empty(),
        "a bench without its peers says nothing; missing: {}. `cargo xtask tools --bench` installs them",
        missing.join(", ")
    );
    Ok(())
}

/// A part of this program.
pub fn own(arguments: &[&str]) -> Result<Command> {
    let program = std::env::current_exe().context("the system does not tell where this program lies")?;
    let mut command = Command::new(program);
    command.args(arguments);
    Ok(command)
}

pub fn node_ws() -> Command {
    let mut command = Command::new("node");
    command
        .arg(project_root().join("tests/src/swarm/peers/node-ws.cjs"))
        .env("NODE_PATH", project_root().join(NODE_MODULES))
        .env("NODE_ENV", "production");
    command
}

/// Starts a peer that prints where it listens.
pub fn peer(contestant: Contestant, mut command: Command) -> Result<Server> {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("it cannot be started")?;
    let mut line = String::new();
    if let Some(output) = child.stdout.take() {
        BufReader::new(output).read_line(&mut line).context("it does not answer")?;
    }
    let listening: Listening = serde_json::from_str(&line).context("it ended")?;
    let (addr, events) = (listening.clients(), listening.events());
    Ok(Server { contestant, addr, events, held: Held::Child(child), cgroup: None, softirq_thread: None })
}

pub fn nchan() -> Result<Server> {
    let scratch = Scratch::new();
    // Free now; nothing else on this machine takes ports by chance from this range so soon.
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port")?.local_addr()?.port();
    let folder = scratch.path().display().to_string();
    let config = include_str!("../peers/nchan.conf")
        .replace("@MODULE@", NCHAN)
        .replace("@FOLDER@", &folder)
        .replace("@PORT@", &port.to_string());
    let file: PathBuf = scratch.path().join("nginx.conf");
    std::fs::write(&file, config).context("its configuration cannot be written")?;
    let mut command = Command::new(NGINX);
    command
        .arg("-c")
        .arg(&file)
        .arg("-p")
        .arg(scratch.path())
        .arg("-e")
        .arg(scratch.path().join("error.log"));
    let mut process = Process::spawn("nginx", &mut command, &scratch.path().join("nginx.log"));
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let start = Instant::now();
    while TcpStream::connect(addr).is_err() {
        if process.try_status().is_some() || start.elapsed() > START_TIMEOUT {
            bail!("nginx does not listen: {}", process.output_tail());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let contestant = Contestant::Nchan;
    Ok(Server {
        contestant,
        addr,
        events: addr,
        held: Held::Nginx(process, scratch),
        cgroup: None,
        softirq_thread: None,
    })
}
