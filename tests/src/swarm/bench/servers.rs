//! The gateway and its peers, each started alone on the first core.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Child;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use serde::Serialize;

use super::contest::{Crowd, Lane};
use super::samples::Samples;
use super::start::{nchan, node_ws, own, peer};
use crate::nats::Nats;
use crate::platform::set_up;
use crate::process::Process;
use crate::proof::machine::pin_to;
use crate::scratch::Scratch;
use crate::service::{Kind, Service};
use crate::swarm::cost::{Cgroup, Cpu, Memory, softirq_thread, with_children};
use crate::swarm::driven::SwarmProcess;
use crate::swarm::protocol::{Protocol, Target};
use crate::swarm::publish::Entrance;
use crate::swarm::token::Credential;

/// How long a peer may take to listen.
pub const START_TIMEOUT: Duration = Duration::from_secs(10);
/// Longer than any measurement: a stalled client must stay to be measured.
const STALL_TIMEOUT_S: &str = "600";
/// Read buffer of the second axum peer.
const SMALL_READ_BUFFER: &str = "4096";
/// What gateways that ask for tokens check them with.
pub const SECRET: &str = "a secret of the bench, known to all";

/// Tokens for everybody, good for so long.
pub fn credential(lifetime_s: u64) -> Credential {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Credential::Signed {
        secret: SECRET.to_owned(),
        expires_unix_s: now + lifetime_s,
        name: "swarm".to_owned(),
    }
}

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Contestant {
    /// The push gateway.
    Bywash,
    /// The push gateway, spoken to in Centrifugo's protocol.
    BywashCentrifugo,
    /// One thread that only writes.
    Raw,
    /// The same at twice the cost: only to see that a verdict notices.
    RawTwice,
    /// axum and `tokio::sync::broadcast`.
    Axum,
    /// The same with a read buffer of 4 KiB.
    AxumSmallBuffer,
    /// nginx with nchan.
    Nchan,
    /// Node.js with `ws`.
    NodeWs,
}

/// Wire form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// WebSocket.
    Ws,
    /// Server-sent events.
    Sse,
}

impl fmt::Display for Contestant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bywash => "bywash",
            Self::BywashCentrifugo => "bywash_centrifugo",
            Self::Raw => "raw",
            Self::RawTwice => "raw_twice",
            Self::Axum => "axum",
            Self::AxumSmallBuffer => "axum_4k",
            Self::Nchan => "nchan",
            Self::NodeWs => "node_ws",
        })
    }
}

/// What all servers share: the cores, NATS, and one runtime for what is asynchronous at their start.
pub struct Ground {
    runtime: tokio::runtime::Runtime,
    /// Events for the gateway go through it.
    pub nats: Nats,
    server_core: usize,
    load_core: usize,
    softirq_thread: Option<u32>,
}

/// A running server.
pub struct Server {
    /// Who it is.
    pub contestant: Contestant,
    /// Where clients connect.
    pub addr: SocketAddr,
    pub(super) events: SocketAddr,
    pub(super) held: Held,
    pub(super) cgroup: Option<Cgroup>,
    pub(super) softirq_thread: Option<u32>,
}

/// What ends with a server.
pub enum Held {
    Service(Service),
    Child(Child),
    Nginx(Process, #[allow(dead_code, reason = "its files live as long as it does")] Scratch),
}

impl Ground {
    /// Starts NATS on the load's core and binds this thread to it.
    ///
    /// # Errors
    /// When a core cannot be used.
    pub fn start(server_core: usize, load_core: usize) -> Result<Self> {
        pin_to(load_core)?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
        let nats = runtime.block_on(async {
            let nats = Nats::start().await;
            set_up(&nats).await;
            nats
        });
        Ok(Self { runtime, nats, server_core, load_core, softirq_thread: softirq_thread(server_core) })
    }

    /// Starts a server on its core.
    ///
    /// # Errors
    /// When it does not start.
    pub fn server(&self, contestant: Contestant) -> Result<Server> {
        pin_to(self.server_core)?;
        let started = match contestant {
            Contestant::Bywash | Contestant::BywashCentrifugo => Ok(self.gateway(contestant, &[])),
            Contestant::Raw => peer(contestant, own(&["peer-raw"])?),
            Contestant::RawTwice => peer(contestant, own(&["peer-raw", "--cost", "2"])?),
            Contestant::Axum => peer(contestant, own(&["peer-axum"])?),
            Contestant::AxumSmallBuffer => {
                peer(contestant, own(&["peer-axum", "--read-buffer-size", SMALL_READ_BUFFER])?)
            }
            Contestant::NodeWs => peer(contestant, node_ws()),
            Contestant::Nchan => nchan(),
        };
        pin_to(self.load_core)?;
        let mut server = started.with_context(|| format!("{contestant} does not start"))?;
        server.softirq_thread = self.softirq_thread;
        server.cgroup = Cgroup::of(&with_children(server.root_pid())?);
        Ok(server)
    }

    /// A gateway on its core that asks for tokens signed with [`SECRET`], and a swarm without clients.
    ///
    /// # Errors
    /// When a core cannot be used or the swarm does not start.
    pub fn lane_with_tokens(&self) -> Result<Lane> {
        pin_to(self.server_core)?;
        let settings = [
            ("BYWASH_JWT_SECRET", SECRET),
            ("BYWASH_JWT_LEEWAY_S", "0"),
            ("BYWASH_MAX_CONNECTIONS_PER_USER", "1000000"),
        ];
        let mut server = self.gateway(Contestant::Bywash, &settings);
        server.softirq_thread = self.softirq_thread;
        pin_to(self.load_core)?;
        Ok(Lane { server, swarm: SwarmProcess::start()? })
    }

    fn gateway(&self, contestant: Contestant, settings: &[(&str, &str)]) -> Server {
        let mut service = Service::new(Kind::PushGateway, &self.nats.url());
        service
            .set("BYWASH_STALL_TIMEOUT_S", STALL_TIMEOUT_S)
            // What it can do, not what it is told to take.
            .set("BYWASH_MAX_CONNECTS_PER_SECOND", "0")
            .set("BYWASH_LOG", "warn,chassis=info");
        for (name, value) in settings {
            service.set(name, value);
        }
        self.runtime.block_on(service.start());
        let (addr, events) = (service.addr(), self.nats_addr());
        Server { contestant, addr, events, held: Held::Service(service), cgroup: None, softirq_thread: None }
    }

    fn nats_addr(&self) -> SocketAddr {
        let url = self.nats.url();
        url.trim_start_matches("nats://").parse().unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 4222)))
    }
}

impl Server {
    /// Its first process.
    fn root_pid(&self) -> u32 {
        match &self.held {
            Held::Service(service) => service.process().pid().as_raw_nonzero().get().unsigned_abs(),
            Held::Nginx(process, _) => process.pid().as_raw_nonzero().get().unsigned_abs(),
            Held::Child(child) => child.id(),
        }
    }

    /// CPU time so far, with what the kernel did for it beside.
    ///
    /// # Errors
    /// When it is gone.
    pub fn cpu(&self) -> Result<Cpu> {
        let mut pids =
            with_children(self.root_pid()).with_context(|| format!("{} is gone", self.contestant))?;
        pids.extend(self.softirq_thread);
        Cpu::of(&pids)
    }

    /// Memory now.
    ///
    /// # Errors
    /// When it is gone.
    pub fn memory(&self) -> Result<Memory> {
        Memory::of(&with_children(self.root_pid())?, self.cgroup.as_ref())
    }

    /// Where and how clients connect.
    pub fn target(&self, form: Form) -> Target {
        let protocol = match (self.contestant, form) {
            (Contestant::Bywash, Form::Ws) => Protocol::Ws,
            (Contestant::Bywash, Form::Sse) => Protocol::Sse,
            (Contestant::BywashCentrifugo, _) => Protocol::Centrifugo,
            (_, Form::Ws) => Protocol::PlainWs,
            (_, Form::Sse) => Protocol::PlainSse,
        };
        Target { addr: self.addr, second_addr: None, protocol, credential: None }
    }

    /// How events get in for these clients.
    pub fn entrance(&self, crowd: &Crowd, samples: &Samples) -> Entrance {
        let (addr, prefix) = (self.events, crowd.prefix.to_owned());
        match self.contestant {
            Contestant::Bywash | Contestant::BywashCentrifugo => Entrance::Nats { addr, prefix },
            Contestant::Raw | Contestant::RawTwice => Entrance::Frames {
                addr,
                frame: samples.frame(crowd.form),
                topics_per_client: crowd.own_topics.then_some(crowd.topics_per_client),
            },
            _ => Entrance::Http {
                addr,
                path: "/publish".to_owned(),
                prefix,
                message: samples.message(crowd.form),
            },
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        match &mut self.held {
            // They end what they hold when they are dropped; nginx must end its worker itself.
            Held::Service(service) => service.kill(),
            Held::Nginx(process, _) => {
                process.signal(rustix::process::Signal::TERM);
                let end = Instant::now() + START_TIMEOUT;
                while process.try_status().is_none() && Instant::now() < end {
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
            Held::Child(child) => {
                // An error means that it has ended already.
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}
