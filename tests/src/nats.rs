//! A real `nats-server` with a store of its own: killed, wiped, frozen and set back as a test wants.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::platform::answer;
use crate::process::Process;
use crate::scratch::{Scratch, copy_folder, tool};
use crate::wait::eventually;

/// How long the server's greeting may take once it listens.
const GREETING_TIMEOUT: Duration = Duration::from_millis(500);

/// The server. It keeps its port over restarts.
#[derive(Debug)]
pub struct Nats {
    process: Option<Process>,
    port: u16,
    scratch: Scratch,
}

impl Nats {
    /// Starts a server on a free port.
    pub async fn start() -> Self {
        Self::start_in(Scratch::new()).await
    }

    /// Starts a server on a free port with its files in `scratch`.
    ///
    /// # Panics
    /// When it does not start within the deadline.
    pub async fn start_in(scratch: Scratch) -> Self {
        let mut nats = Self { process: None, port: 0, scratch };
        nats.spawn();
        nats.port = nats.port_of("nats").await;
        nats.listening().await;
        nats
    }

    /// The port that the server chose for this service of its own.
    async fn port_of(&self, service: &str) -> u16 {
        let ports =
            self.scratch.path().join(format!("nats-server_{}.ports", self.process().pid().as_raw_nonzero()));
        eventually("the ports file of nats-server", || {
            let port = std::fs::read_to_string(&ports).map_err(|error| error.to_string()).and_then(|text| {
                let ports: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
                let port = ports[service][0].as_str().and_then(|url| url.rsplit(':').next()?.parse().ok());
                port.ok_or_else(|| format!("no port in {text}"))
            });
            async { port }
        })
        .await
    }

    /// How often the server dropped a client that did not read, since its start: its own count.
    ///
    /// # Panics
    /// When the server does not tell.
    pub async fn slow_consumers(&self) -> u64 {
        let url = format!("http://127.0.0.1:{}/varz", self.port_of("monitoring").await);
        let (_, figures) = answer(reqwest::Client::new().get(url)).await;
        figures["slow_consumers"].as_u64().unwrap_or_else(|| panic!("no slow_consumers in {figures}"))
    }

    /// Where clients connect.
    pub fn url(&self) -> String {
        format!("nats://{}", self.addr())
    }

    /// The same as an address.
    pub fn addr(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// The running server.
    ///
    /// # Panics
    /// While it is killed.
    pub fn process(&self) -> &Process {
        self.process.as_ref().expect("nats-server is running")
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it again on the same port after [`Self::kill`].
    pub async fn restart(&mut self) {
        self.spawn();
        self.listening().await;
    }

    /// Deletes its store. Kill it first.
    ///
    /// # Panics
    /// While it runs.
    pub fn wipe(&self) {
        assert!(self.process.is_none(), "the store of a running server is not touched");
        // A server that never stored anything has no folder.
        let _ = std::fs::remove_dir_all(self.store());
    }

    /// Copies its store aside. Kill it first.
    ///
    /// # Panics
    /// While it runs.
    pub fn snapshot(&self) -> Scratch {
        assert!(self.process.is_none(), "the store of a running server is not touched");
        let aside = Scratch::new();
        copy_folder(&self.store(), aside.path());
        aside
    }

    /// Sets its store back. Kill it first.
    ///
    /// # Panics
    /// While it runs.
    pub fn restore(&self, snapshot: &Scratch) {
        self.wipe();
        copy_folder(snapshot.path(), &self.store());
    }

    /// A client of its own, to look at streams behind the services' backs.
    ///
    /// # Panics
    /// When it cannot connect.
    pub async fn client(&self) -> async_nats::Client {
        async_nats::connect(self.url()).await.expect("a test reaches its own nats-server")
    }

    /// Waits until somebody has made this stream.
    pub async fn has_stream(&self, name: &str) {
        let jetstream = async_nats::jetstream::new(self.client().await);
        eventually("the stream", || async {
            jetstream.get_stream(name).await.map(drop).map_err(|error| error.to_string())
        })
        .await;
    }

    fn store(&self) -> PathBuf {
        self.scratch.path().join("store")
    }

    fn spawn(&mut self) {
        let folder = self.scratch.path();
        let port = if self.port == 0 { -1 } else { i32::from(self.port) };
        let config = format!(
            "host: 127.0.0.1\nport: {port}\nhttp_port: -1\nports_file_dir: {folder:?}\n\
             jetstream {{ store_dir: {store:?}, max_file_store: 10GB, max_memory_store: 256MB, sync_interval: always }}\n",
            store = self.store(),
        );
        let file = folder.join("nats.conf");
        std::fs::write(&file, config)
            .unwrap_or_else(|error| panic!("{} cannot be written: {error}", file.display()));
        let mut command = Command::new(tool("nats-server"));
        command.arg("-c").arg(&file);
        self.process = Some(Process::spawn("nats-server", &mut command, &folder.join("nats.log")));
    }

    /// Waits for the server's greeting: it comes after JetStream is up.
    async fn listening(&mut self) {
        let addr = self.addr();
        let process = self.process.as_mut().expect("nats-server was just spawned");
        eventually("nats-server listens", || {
            let greeted = if let Some(status) = process.try_status() {
                Err(format!("it ended with {status}:\n{}", process.output_tail()))
            } else {
                greeting(addr).map_err(|error| error.to_string())
            };
            async { greeted }
        })
        .await;
    }
}

fn greeting(addr: SocketAddr) -> std::io::Result<()> {
    let mut socket = TcpStream::connect_timeout(&addr, GREETING_TIMEOUT)?;
    socket.set_read_timeout(Some(GREETING_TIMEOUT))?;
    let mut start = [0; 4];
    socket.read_exact(&mut start)?;
    if &start == b"INFO" { Ok(()) } else { Err(std::io::Error::other("no greeting of NATS")) }
}
