//! A real service process of Bywash.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};

use serde_json::Value;

use crate::memory_group::MemoryGroup;
use crate::process::Process;
use crate::scratch::{Scratch, binary};
use crate::wait::eventually;

/// Which service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Facts.
    KnowledgeBase,
    /// Decisions.
    Governor,
    /// Samples of host and GPUs.
    GpuMonitor,
    /// Client connections.
    PushGateway,
}

impl Kind {
    /// Its program.
    pub fn program(self) -> &'static str {
        match self {
            Self::KnowledgeBase => "bywash-knowledge-base",
            Self::Governor => "bywash-governor",
            Self::GpuMonitor => "bywash-gpu-monitor",
            Self::PushGateway => "bywash-push-gateway",
        }
    }
}

/// A service, its settings and its files. It keeps its address over restarts.
#[derive(Debug)]
pub struct Service {
    kind: Kind,
    environment: BTreeMap<String, String>,
    process: Option<Process>,
    addr: Option<SocketAddr>,
    group: Option<PathBuf>,
    scratch: Scratch,
}

impl Service {
    /// A service that is not yet started, on a free loopback port, with its data in a folder of its own.
    pub fn new(kind: Kind, nats_url: &str) -> Self {
        Self::new_in(kind, nats_url, Scratch::new())
    }

    /// The same with its files in `scratch`.
    pub fn new_in(kind: Kind, nats_url: &str, scratch: Scratch) -> Self {
        let environment = BTreeMap::new();
        let mut service = Self { kind, environment, process: None, addr: None, group: None, scratch };
        service.set("BYWASH_NATS_URL", nats_url);
        service.set("BYWASH_HTTP_ADDR", "127.0.0.1:0");
        service.set("BYWASH_LOG_FORMAT", "json");
        service.set("BYWASH_INSTANCE", "test");
        if matches!(kind, Kind::KnowledgeBase | Kind::GpuMonitor) {
            let data = service.data().display().to_string();
            service.set("BYWASH_DATA_DIR", &data);
        }
        service
    }

    /// Sets a variable of its environment for the next start.
    pub fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Removes a variable for the next start.
    pub fn unset(&mut self, name: &str) -> &mut Self {
        self.environment.remove(name);
        self
    }

    /// It starts as a member of this control group.
    pub fn confine(&mut self, group: &MemoryGroup) -> &mut Self {
        self.group = Some(group.members_file());
        self
    }

    /// Where it keeps its data, if it keeps any.
    pub fn data(&self) -> PathBuf {
        self.scratch.path().join("data")
    }

    /// The running process.
    ///
    /// # Panics
    /// While it is not running.
    pub fn process(&self) -> &Process {
        self.process.as_ref().unwrap_or_else(|| panic!("{} is not running", self.kind.program()))
    }

    /// The running process, to signal or await it.
    ///
    /// # Panics
    /// While it is not running.
    pub fn process_mut(&mut self) -> &mut Process {
        self.process.as_mut().unwrap_or_else(|| panic!("{} is not running", self.kind.program()))
    }

    /// Starts the process and returns at once; it may end soon.
    pub fn spawn(&mut self) -> &mut Process {
        let program = binary(self.kind.program());
        let mut command = match &self.group {
            None => Command::new(program),
            Some(members_file) => {
                // The shell joins, and becomes the program.
                let mut shell = Command::new("/bin/sh");
                shell.args(["-euc", "echo $$ >\"$0\"; exec \"$@\""]).arg(members_file).arg(program);
                shell
            }
        };
        // What the tester's own shell has set must not decide how a test ends.
        command.env_clear().envs(&self.environment).current_dir(self.scratch.path());
        let log = self.scratch.path().join("service.log");
        // A run before this one must not be taken for it.
        let _ = std::fs::remove_file(&log);
        self.process.insert(Process::spawn(self.kind.program(), &mut command, &log))
    }

    /// Starts it and waits until it listens; it need not be ready.
    ///
    /// # Panics
    /// When it ends, or does not listen within the deadline.
    pub async fn listen(&mut self) {
        self.spawn();
        let process = self.process.as_mut().expect("it was just spawned");
        let addr = eventually(&format!("{} listens", self.kind.program()), || {
            let status = process.try_status();
            assert!(status.is_none(), "{} ended: {status:?}\n{}", self.kind.program(), process.output_tail());
            let addr = listening(&process.output()).ok_or_else(|| process.output_tail());
            async { addr }
        })
        .await;
        self.addr = Some(addr);
        self.set("BYWASH_HTTP_ADDR", &addr.to_string());
    }

    /// Starts it and waits until `/readyz` says so.
    ///
    /// # Panics
    /// As [`Self::listen`], and when it is not ready within the deadline.
    pub async fn start(&mut self) {
        self.listen().await;
        self.ready().await;
    }

    /// Waits until `/readyz` says so.
    ///
    /// # Panics
    /// When it is not ready within the deadline.
    pub async fn ready(&self) {
        let url = self.url("/readyz");
        let what = format!("{} is ready", self.kind.program());
        eventually(&what, || async {
            let answer = reqwest::get(&url).await.map_err(|error| error.to_string())?;
            if answer.status().is_success() {
                return Ok(());
            }
            Err(answer.text().await.unwrap_or_else(|error| error.to_string()))
        })
        .await;
    }

    /// The newest value of a series in `/metrics`, named with its labels; 0 while it is not there.
    ///
    /// # Panics
    /// When the service is not reachable.
    pub async fn metric(&self, series: &str) -> f64 {
        let answer = reqwest::get(self.url("/metrics")).await.expect("the service is reachable");
        let text = answer.text().await.expect("metrics are text");
        value_of(&text, series)
    }

    /// SIGKILL and gone.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// SIGTERM, and its exit status.
    ///
    /// # Panics
    /// When it does not end within the deadline.
    pub async fn terminate(&mut self) -> ExitStatus {
        let status = self.process_mut().terminate().await;
        self.process = None;
        status
    }

    /// Where it listens, or listened last.
    ///
    /// # Panics
    /// Before the first start.
    pub fn addr(&self) -> SocketAddr {
        self.addr.expect("the service has been started")
    }

    /// `path` on this service.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr())
    }
}

/// The value of a series in an exposition; 0 where it is not there.
pub fn value_of(exposition: &str, series: &str) -> f64 {
    let value = |line: &str| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok();
    exposition.lines().find_map(value).unwrap_or_default()
}

/// The address in the log line `listening`, in JSON or as people read it.
fn listening(output: &str) -> Option<SocketAddr> {
    output.lines().find_map(|line| match serde_json::from_str::<Value>(line) {
        Ok(line) if line["message"] == "listening" => line["addr"].as_str()?.parse().ok(),
        Ok(_) => None,
        Err(_) => line.split_once(" listening addr=")?.1.split(' ').next()?.parse().ok(),
    })
}
