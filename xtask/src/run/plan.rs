//! What runs on one machine: programs, ports, environment, and the order in which they stop. Starts nothing.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::cli::GpuSource;
use crate::process::command;
use crate::project::Project;

/// Where the page is.
pub const CONSOLE_URL: &str = "http://localhost:8000/";

/// What the tasks write into the data directory; `clean-data` removes these.
pub const OWN_ENTRIES: [&str; 5] = ["knowledge-base", "logs", "nats", "nats.conf", "wordnet.progress.json"];

const NATS_PORT: u16 = 4222;

/// Pages that may call the APIs: the console, under both names of this machine.
const ALLOWED_ORIGINS: &str = "http://localhost:8000,http://127.0.0.1:8000";

/// Long enough for a local stop, short enough for someone who waits at a terminal.
const DRAIN_TIMEOUT_S: &str = "5";

/// One of the four services.
pub struct Service {
    /// As in the logs' names.
    pub name: &'static str,
    binary: &'static str,
    port: u16,
    stops: StopOrder,
}

/// When a child is stopped.
///
/// The gateway first: its clients are told to come back later while all it reads from is still there. Then whoever
/// publishes, so that the last changes still reach NATS. NATS last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum StopOrder {
    /// The push gateway.
    Gateway,
    /// The three services with an API.
    Publishers,
    /// The NATS server.
    Nats,
}

/// All services, in the order in which they start.
pub const SERVICES: [Service; 4] = [
    Service {
        name: "knowledge-base",
        binary: "bywash-knowledge-base",
        port: 5001,
        stops: StopOrder::Publishers,
    },
    Service { name: "governor", binary: "bywash-governor", port: 5002, stops: StopOrder::Publishers },
    Service { name: "gpu-monitor", binary: "bywash-gpu-monitor", port: 5003, stops: StopOrder::Publishers },
    Service { name: "push-gateway", binary: "bywash-push-gateway", port: 8000, stops: StopOrder::Gateway },
];

impl Service {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        loopback(self.port)
    }
}

/// Where NATS listens.
pub fn nats_address() -> SocketAddr {
    loopback(NATS_PORT)
}

/// Where facts are sent to.
pub fn knowledge_base_address() -> SocketAddr {
    SERVICES[0].address()
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// A program with what the supervisor needs to know about it.
pub struct Job {
    /// Name of its log.
    pub name: &'static str,
    /// Ready to be started.
    pub command: Command,
    /// When it is stopped.
    pub stops: StopOrder,
}

/// The settings of one run.
pub struct Plan<'a> {
    project: &'a Project,
    data_dir: PathBuf,
    gpu_source: GpuSource,
    keys_file: Option<OsString>,
}

impl<'a> Plan<'a> {
    /// Data goes below `data_dir`, which must be absolute.
    pub fn new(project: &'a Project, data_dir: &Path, gpu_source: GpuSource) -> Result<Self> {
        let data_dir = std::path::absolute(data_dir)?;
        Ok(Self { project, data_dir, gpu_source, keys_file: env::var_os("BYWASH_API_KEYS_FILE") })
    }

    /// The NATS server; writes its configuration.
    pub fn nats(&self) -> Result<Job> {
        let path = self.data_dir.join("nats.conf");
        let text = nats_configuration(&self.data_dir.join("nats"));
        fs::write(&path, text).with_context(|| format!("could not write {}", path.display()))?;
        let mut nats = command(self.project.tool("nats-server"), self.project.root());
        nats.arg("--config").arg(&path);
        Ok(Job { name: "nats-server", command: nats, stops: StopOrder::Nats })
    }

    /// The program that creates the streams and ends.
    pub fn setup(&self) -> Job {
        let mut setup = command(self.project.binary("bywash-setup"), self.project.root());
        setup.env("BYWASH_NATS_URL", nats_url());
        Job { name: "setup", command: setup, stops: StopOrder::Publishers }
    }

    /// One of [`SERVICES`]. Other settings of the user's environment (logs, tracing, keys) reach it unchanged.
    pub fn service(&self, service: &Service) -> Job {
        let mut command = command(self.project.binary(service.binary), self.project.root());
        command.envs(self.environment(service));
        Job { name: service.name, command, stops: service.stops }
    }

    /// A key that may write, if the user's environment makes the services ask for keys.
    pub fn api_key(&self) -> Result<Option<String>> {
        let Some(file) = &self.keys_file else { return Ok(None) };
        let path = self.project.path(file);
        let text = fs::read_to_string(&path).with_context(|| format!("could not read {}", path.display()))?;
        let document: Value =
            serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))?;
        match writing_key(&document) {
            Some(key) => Ok(Some(key)),
            None => bail!("no key in {} has the role write, which loading facts needs", path.display()),
        }
    }

    fn environment(&self, service: &Service) -> Vec<(&'static str, OsString)> {
        let mut settings: Vec<(&str, OsString)> = vec![
            ("BYWASH_HTTP_ADDR", service.address().to_string().into()),
            ("BYWASH_NATS_URL", nats_url().into()),
            ("BYWASH_DRAIN_TIMEOUT_S", DRAIN_TIMEOUT_S.into()),
        ];
        match service.name {
            "push-gateway" => settings.extend([
                ("BYWASH_CONSOLE_DIR", self.project.console().join("dist").into()),
                ("BYWASH_KB_URL", local_url(&SERVICES[0]).into()),
                ("BYWASH_GOVERNOR_URL", local_url(&SERVICES[1]).into()),
                ("BYWASH_GPU_MONITOR_URL", local_url(&SERVICES[2]).into()),
            ]),
            "knowledge-base" => {
                settings.push(("BYWASH_DATA_DIR", self.data_dir.join("knowledge-base").into()));
            }
            "gpu-monitor" => {
                let source = if self.gpu_source == GpuSource::Simulator { "simulator" } else { "none" };
                settings.push(("BYWASH_GPU_SOURCE", source.into()));
                settings.push(("BYWASH_DATA_DIR", self.data_dir.clone().into()));
            }
            _ => {}
        }
        if service.stops == StopOrder::Publishers {
            settings.push(("BYWASH_ALLOWED_ORIGINS", ALLOWED_ORIGINS.into()));
        }
        settings
    }
}

/// Fails with one line that names every port in use.
pub fn ports_are_free() -> Result<()> {
    let mut wanted = vec![("nats-server", nats_address())];
    wanted.extend(SERVICES.iter().map(|service| (service.name, service.address())));
    let taken = |(name, address): &(&str, SocketAddr)| match TcpListener::bind(address) {
        Ok(_) => None,
        Err(_) => Some(format!("{} (for {name})", address.port())),
    };
    let taken: Vec<String> = wanted.iter().filter_map(taken).collect();
    if !taken.is_empty() {
        let first = taken[0].split(' ').next().unwrap_or_default();
        bail!(
            "in use on 127.0.0.1: port {}; see who listens with: ss -ltnp 'sport = :{first}'",
            taken.join(", port ")
        );
    }
    Ok(())
}

fn nats_url() -> String {
    format!("nats://{}", nats_address())
}

/// As the user's browser writes it.
fn local_url(service: &Service) -> String {
    format!("http://localhost:{}", service.port)
}

fn nats_configuration(store: &Path) -> String {
    // A JSON string is a valid string here.
    let store = Value::from(store.to_string_lossy());
    format!(
        r#"# Written by `cargo xtask run` at every start.
listen: "{}"
server_name: bywash-local
jetstream {{
  store_dir: {store}
  # Every acknowledged message is on disk: a single server has no replica to get it back from.
  sync_interval: always
  # The streams' own limits add up to less.
  max_file_store: 10GB
  max_memory_store: 512MB
}}
"#,
        nats_address()
    )
}

fn writing_key(document: &Value) -> Option<String> {
    let may_write =
        |key: &&Value| key["roles"].as_array().is_some_and(|roles| roles.iter().any(|role| role == "write"));
    document["keys"].as_array()?.iter().find(may_write)?["key"].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateway_stops_first_and_nats_last() {
        assert!(StopOrder::Gateway < StopOrder::Publishers && StopOrder::Publishers < StopOrder::Nats);
    }

    #[test]
    fn only_the_apis_allow_the_page_and_only_the_gateway_knows_their_addresses() {
        let project = Project::locate().expect("tests run in a checkout");
        let plan = Plan::new(&project, Path::new("/data"), GpuSource::None).expect("an absolute path");
        let names = |service: &Service| {
            plan.environment(service).into_iter().map(|(name, _)| name).collect::<Vec<_>>()
        };
        for service in &SERVICES {
            let names = names(service);
            assert_eq!(
                names.contains(&"BYWASH_ALLOWED_ORIGINS"),
                service.name != "push-gateway",
                "{}",
                service.name
            );
            assert_eq!(names.contains(&"BYWASH_KB_URL"), service.name == "push-gateway", "{}", service.name);
        }
    }

    #[test]
    fn a_path_with_a_quote_stays_one_string_in_the_configuration() {
        let text = nats_configuration(Path::new("/tmp/a \"b\"/nats"));
        assert!(text.contains(r#"store_dir: "/tmp/a \"b\"/nats""#), "{text}");
        assert!(text.contains("sync_interval: always"), "{text}");
    }

    #[test]
    fn facts_are_loaded_with_a_key_that_may_write() {
        let document = serde_json::json!({"keys": [
            {"id": "eyes", "key": "r", "roles": ["read"]},
            {"id": "ops", "key": "w", "roles": ["read", "write"]},
        ]});
        assert_eq!(writing_key(&document).as_deref(), Some("w"));
        assert_eq!(writing_key(&serde_json::json!({"keys": []})), None);
    }
}
