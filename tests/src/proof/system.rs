//! Everything that the proof runs, each part on its core, and the looks at it from outside.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command as Program, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::control::{self, Addresses};
use super::load;
use super::machine::{Cores, busy_seconds, cpu_seconds, pin_to};
use super::phases::Phase;
use super::swarm::{Command, Counts};
use crate::nats::Nats;
use crate::platform::set_up;
use crate::process::Process;
use crate::scratch::Scratch;
use crate::service::{Kind, Service};
use crate::swarm_process::SwarmProcess;

/// Longer than any phase: a stalled client must stay to be measured.
const STALL_TIMEOUT_S: &str = "600";
/// How long stalled clients may take until the server is seen blocked on each.
const BLOCKED_TIMEOUT: Duration = Duration::from_secs(20);
/// A socket that takes nothing for this long is blocked: one with room takes everything within a millisecond.
const BLOCKED_AFTER_S: f64 = 0.5;
/// After a phase the relay must have published everything within this.
pub const BACKLOG_TIMEOUT: Duration = Duration::from_secs(60);
/// Pause between two looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// The running system and its control.
pub struct System {
    nats: Nats,
    knowledge_base: Service,
    gateway: Service,
    control: Control,
    swarm: SwarmProcess<Command>,
    epoch: String,
}

/// CPU time of each process, seconds.
#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
pub struct CpuTimes {
    /// The knowledge base, or the control in its phases.
    pub api_s: f64,
    /// The gateway.
    pub gateway_s: f64,
    /// NATS.
    pub nats_s: f64,
    /// The clients.
    pub clients_s: f64,
    /// The measuring client.
    pub measuring_s: f64,
    /// Everything on this machine, the above included.
    pub all_s: f64,
}

impl CpuTimes {
    /// What was used since `before`.
    pub fn since(self, before: Self) -> Self {
        Self {
            api_s: self.api_s - before.api_s,
            gateway_s: self.gateway_s - before.gateway_s,
            nats_s: self.nats_s - before.nats_s,
            clients_s: self.clients_s - before.clients_s,
            measuring_s: self.measuring_s - before.measuring_s,
            all_s: self.all_s - before.all_s,
        }
    }

    /// What others on this machine used meanwhile: it disturbs the measurement.
    pub fn others_s(&self) -> f64 {
        let ours = self.api_s + self.gateway_s + self.nats_s + self.clients_s + self.measuring_s;
        (self.all_s - ours).max(0.0)
    }
}

struct Control {
    child: Child,
    addresses: Addresses,
    _data: Scratch,
}

impl Control {
    fn start(folder: &Path) -> Result<Self> {
        let data = Scratch::below(folder);
        let program = std::env::current_exe().context("the system does not tell where this program lies")?;
        let mut child = Program::new(program)
            .arg("control")
            .arg("--data-dir")
            .arg(data.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("the control cannot be started")?;
        let mut line = String::new();
        if let Some(answers) = child.stdout.take() {
            BufReader::new(answers).read_line(&mut line).context("the control does not answer")?;
        }
        let addresses = serde_json::from_str(&line).context("the control did not start")?;
        Ok(Self { child, addresses, _data: data })
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl System {
    /// Starts all of it, with its data below `folder`. This thread, and so the measuring client, stays on the API's
    /// core.
    ///
    /// # Errors
    /// When a part does not start.
    pub async fn start(cores: Cores, folder: &Path) -> Result<Self> {
        pin_to(cores.fan_out)?;
        let nats = Nats::start_in(Scratch::below(folder)).await;
        set_up(&nats).await;
        let mut gateway = Service::new_in(Kind::PushGateway, &nats.url(), Scratch::below(folder));
        gateway.set("BYWASH_STALL_TIMEOUT_S", STALL_TIMEOUT_S).set("BYWASH_LOG", "warn,chassis=info");
        gateway.listen().await;
        let swarm = SwarmProcess::start()?;
        pin_to(cores.api)?;
        let mut knowledge_base = Service::new_in(Kind::KnowledgeBase, &nats.url(), Scratch::below(folder));
        knowledge_base.set("BYWASH_LOG", "warn,chassis=info");
        knowledge_base.start().await;
        let control = Control::start(folder)?;
        gateway.ready().await;
        let mut system = Self { nats, knowledge_base, gateway, control, swarm, epoch: String::new() };
        let status: Value = serde_json::from_str(&load::get(system.knowledge_base.addr(), "/api/status")?)?;
        status["epoch"].as_str().context("the status has an epoch")?.clone_into(&mut system.epoch);
        Ok(system)
    }

    /// Where the API of a phase listens.
    pub fn api(&self, phase: Phase) -> SocketAddr {
        if phase.is_control() { self.control.addresses.api } else { self.knowledge_base.addr() }
    }

    /// Brings about the clients of a phase.
    ///
    /// # Errors
    /// When they cannot connect.
    pub fn connect(&mut self, phase: Phase, reading: usize, stalled: usize) -> Result<()> {
        let facts = "/api/events/stream?topics=kb.facts";
        let command = match phase {
            Phase::NoClients => Command::Disconnect,
            _ if phase.is_control() => Command::Connect {
                addr: self.control.addresses.streams,
                path: control::STREAM_PATH.to_owned(),
                reading,
                stalled_path: control::BACKLOG_PATH.to_owned(),
                stalled,
            },
            _ => Command::Connect {
                addr: self.gateway.addr(),
                path: facts.to_owned(),
                reading,
                stalled_path: format!("{facts}&since=kb:{}:0", self.epoch),
                stalled,
            },
        };
        self.swarm.ask(&command).map(|_| ())
    }

    /// Closes all clients.
    ///
    /// # Errors
    /// When the process that holds them is gone.
    pub fn disconnect(&mut self) -> Result<()> {
        self.swarm.ask(&Command::Disconnect).map(|_| ())
    }

    /// What the clients have received since they connected.
    ///
    /// # Errors
    /// When the process that holds them is gone.
    pub fn received(&mut self) -> Result<Counts> {
        self.swarm.ask(&Command::Count)
    }

    /// Stops the process that the phase is about.
    pub fn freeze(&self, phase: Phase) {
        if let Some(process) = self.stopped_in(phase) {
            process.freeze();
        }
    }

    /// Lets it go on.
    pub fn thaw(&self, phase: Phase) {
        if let Some(process) = self.stopped_in(phase) {
            process.thaw();
        }
    }

    fn stopped_in(&self, phase: Phase) -> Option<&Process> {
        match phase {
            Phase::GatewayStopped => Some(self.gateway.process()),
            Phase::NatsStopped => Some(self.nats.process()),
            _ => None,
        }
    }

    /// Clients that the server of this phase is seen to be blocked on.
    ///
    /// # Errors
    /// When it does not tell.
    pub fn blocked(&self, phase: Phase) -> Result<usize> {
        if phase.is_control() {
            let text = load::get(self.control.addresses.streams, control::BLOCKED_PATH)?;
            return text.trim().parse().context("the control tells a number");
        }
        let text = load::get(self.gateway.addr(), "/debug/clients")?;
        let answer: Value = serde_json::from_str(&text).context("/debug/clients answers JSON")?;
        let clients = answer["clients"].as_array().context("/debug/clients lists clients")?;
        Ok(clients.iter().filter(|client| is_blocked(client)).count())
    }

    /// Waits until the server is seen blocked on `stalled` clients.
    ///
    /// # Errors
    /// When that does not happen in time.
    pub fn wait_until_blocked(&self, phase: Phase, stalled: usize) -> Result<()> {
        let start = Instant::now();
        loop {
            let blocked = self.blocked(phase)?;
            if blocked >= stalled {
                return Ok(());
            }
            if start.elapsed() > BLOCKED_TIMEOUT {
                bail!("{}: the server is blocked on {blocked} of {stalled} stalled clients", phase.name());
            }
            std::thread::sleep(LOOK_INTERVAL);
        }
    }

    /// Waits until the relay has published everything, and tells how long that took.
    ///
    /// # Errors
    /// When it does not within [`BACKLOG_TIMEOUT`].
    pub fn wait_for_relay(&self) -> Result<Duration> {
        let start = Instant::now();
        loop {
            let status: Value = serde_json::from_str(&load::get(self.knowledge_base.addr(), "/api/status")?)?;
            if status["relay"]["lag_changes"] == 0 && status["relay"]["connected"] == true {
                return Ok(start.elapsed());
            }
            if start.elapsed() > BACKLOG_TIMEOUT {
                bail!("the relay is still behind after {BACKLOG_TIMEOUT:?}: {}", status["relay"]);
            }
            std::thread::sleep(LOOK_INTERVAL);
        }
    }

    /// CPU time so far.
    ///
    /// # Errors
    /// When a process is gone.
    pub fn cpu(&self, phase: Phase) -> Result<CpuTimes> {
        let id = |process: &Process| process.pid().as_raw_nonzero().get().unsigned_abs();
        let api =
            if phase.is_control() { self.control.child.id() } else { id(self.knowledge_base.process()) };
        Ok(CpuTimes {
            api_s: cpu_seconds(api)?,
            gateway_s: cpu_seconds(id(self.gateway.process()))?,
            nats_s: cpu_seconds(id(self.nats.process()))?,
            clients_s: cpu_seconds(self.swarm.pid())?,
            measuring_s: cpu_seconds(std::process::id())?,
            all_s: busy_seconds()?,
        })
    }

    /// What a scrape of the API's metrics sees.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn scrape(&self, phase: Phase) -> Result<String> {
        load::get(self.api(phase), "/metrics").context("the API's metrics")
    }
}

/// Whether `/debug/clients` says that this client's socket has taken nothing for a while.
fn is_blocked(client: &Value) -> bool {
    client["state"] == "blocked"
        && client["blocked_s"].as_f64().is_some_and(|seconds| seconds >= BLOCKED_AFTER_S)
}
