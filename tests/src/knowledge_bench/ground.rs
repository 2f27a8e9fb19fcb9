//! What is measured: knowledge bases of the release build with a NATS each, on stores that were filled once and are copied
//! for every figure, so that both sides begin with the same file.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use knowledge_base::store::{SqliteMaintenance, Verdict};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::Interrupt;
use super::client::{Caller, get, post};
use super::input::{Facts, bulk_body};
use crate::nats::Nats;
use crate::platform::set_up;
use crate::process::Process;
use crate::proof::machine::cpu_seconds;
use crate::scratch::{Scratch, copy_folder};
use crate::service::{Kind, Service};

/// Facts of a bulk request, as `make run` sends them.
pub const FACTS_PER_REQUEST: usize = 20_000;
/// The store's file in its data directory.
const DATABASE: &str = "facts.sqlite";
/// Until a service has nothing more to do: the graphs of all glosses take some 20 s.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(300);
/// A service has settled that used at most one of the kernel's ticks between so many looks in a row: builders have the
/// lowest priority, and may get nothing for a while on a machine that is not quiet.
const SETTLED_S: f64 = 0.015;
const SETTLED_LOOKS: usize = 3;
const SETTLE_INTERVAL: Duration = Duration::from_millis(400);
/// Between two looks whether vectors have caught up.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// Whether a service searches by meaning: without, nothing but facts and graph is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vectors {
    /// As it comes.
    On,
    /// `THEMIS_ENABLED=false`.
    Off,
}

/// A store that was filled and left, to be copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filled {
    /// All facts, no vectors.
    Everything,
    /// The glosses alone, with their vectors.
    Glosses,
}

/// What all figures share.
pub struct Ground {
    runtime: Arc<Runtime>,
    folder: Scratch,
    interrupt: Interrupt,
    /// What goes in.
    pub facts: Arc<Facts>,
    everything: OnceCell<PathBuf>,
    glosses: OnceCell<PathBuf>,
}

/// A knowledge base and its NATS; both end with it.
pub struct Server {
    runtime: Arc<Runtime>,
    nats: Nats,
    service: Service,
    vectors: Vectors,
    interrupt: Interrupt,
}

impl Ground {
    /// With all data below `parent`.
    ///
    /// # Errors
    /// When the system gives no runtime.
    pub fn new(parent: &Path, facts: Facts, interrupt: Interrupt) -> Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
        let (everything, glosses) = (OnceCell::new(), OnceCell::new());
        let facts = Arc::new(facts);
        let folder = Scratch::below(parent);
        Ok(Self { runtime: Arc::new(runtime), folder, interrupt, facts, everything, glosses })
    }

    /// A service on an empty store; it listens, and is not waited for.
    ///
    /// # Errors
    /// When NATS or the service does not start.
    pub fn empty_server(&self, vectors: Vectors) -> Result<Server> {
        self.prepared(vectors, None)?.started()
    }

    /// A service on a copy of a filled store, ready, with its graph and its vectors.
    ///
    /// # Errors
    /// As [`Self::empty_server`].
    pub fn server_on(&self, filled: Filled, vectors: Vectors) -> Result<Server> {
        let mut server = self.stopped_server_on(filled, vectors)?;
        server.start()?;
        server.settle()?;
        // The copy is not to be written to disk while something is measured.
        rustix::fs::sync();
        Ok(server)
    }

    /// The same before its start.
    ///
    /// # Errors
    /// As [`Self::empty_server`].
    pub fn stopped_server_on(&self, filled: Filled, vectors: Vectors) -> Result<Server> {
        self.prepared(vectors, Some(self.filled(filled)?))
    }

    fn prepared(&self, vectors: Vectors, data: Option<&Path>) -> Result<Server> {
        let nats = self.runtime.block_on(async {
            let nats = Nats::start_in(Scratch::below(self.folder.path())).await;
            set_up(&nats).await;
            nats
        });
        let scratch = Scratch::below(self.folder.path());
        let mut service = Service::new_in(Kind::KnowledgeBase, &nats.url(), scratch);
        service.set("BYWASH_LOG", "warn,chassis=info");
        if vectors == Vectors::Off {
            service.set("THEMIS_ENABLED", "false");
        }
        if let Some(data) = data {
            copy_folder(data, &service.data());
        }
        let interrupt = self.interrupt.clone();
        Ok(Server { runtime: Arc::clone(&self.runtime), nats, service, vectors, interrupt })
    }

    /// The data directory of a filled store; filled by a service the first time.
    ///
    /// # Errors
    /// When it cannot be filled.
    pub fn filled(&self, filled: Filled) -> Result<&Path> {
        let (cell, name, vectors) = match filled {
            Filled::Everything => (&self.everything, "everything", Vectors::Off),
            Filled::Glosses => (&self.glosses, "glosses", Vectors::On),
        };
        if let Some(path) = cell.get() {
            return Ok(path);
        }
        let mut server = self.empty_server(vectors)?;
        let begun = Instant::now();
        let mut count = server.load(&self.facts.glosses)?;
        if filled == Filled::Everything {
            count += server.load(&self.facts.others)?;
        }
        let loaded_s = begun.elapsed().as_secs_f64();
        server.settle()?;
        let settled_s = begun.elapsed().as_secs_f64();
        eprintln!(
            "        {name}: {count} facts loaded in {loaded_s:.1} s, all indexes built after {settled_s:.1} s"
        );
        server.stop()?;
        let path = self.folder.path().join(name);
        std::fs::rename(server.service.data(), &path).context("the filled store cannot be moved")?;
        Ok(cell.get_or_init(|| path))
    }

    /// A copy of the file of a filled store, for SQLite called directly.
    ///
    /// # Errors
    /// When it cannot be filled.
    pub fn database(&self, filled: Filled) -> Result<(Scratch, PathBuf)> {
        let copy = Scratch::below(self.folder.path());
        let path = copy.path().join(DATABASE);
        std::fs::copy(self.filled(filled)?.join(DATABASE), &path).context("the store cannot be copied")?;
        rustix::fs::sync();
        Ok((copy, path))
    }

    /// An empty file as a service leaves it.
    ///
    /// # Errors
    /// When the service does not start.
    pub fn empty_database(&self) -> Result<(Scratch, PathBuf)> {
        let mut server = self.empty_server(Vectors::Off)?;
        server.stop()?;
        let copy = Scratch::below(self.folder.path());
        let path = copy.path().join(DATABASE);
        std::fs::rename(server.service.data().join(DATABASE), &path).context("the store cannot be moved")?;
        Ok((copy, path))
    }
}

/// Fails where the knowledge base would not have left a file in this state.
///
/// # Errors
/// What `verify` finds.
pub fn verify(database: &Path) -> Result<()> {
    let folder = database.parent().context("a file lies in a folder")?;
    let store = SqliteMaintenance::of(folder).context("there is no store")?;
    match store.verify().context("the store cannot be read")? {
        Verdict::Sound { .. } => Ok(()),
        Verdict::Damaged(why) => {
            anyhow::bail!("what SQLite wrote directly is not what the store writes: {why}")
        }
    }
}

impl Server {
    fn started(mut self) -> Result<Self> {
        self.start()?;
        Ok(self)
    }

    /// Starts the service and waits for `/readyz`.
    ///
    /// # Errors
    /// Never; it panics where a service does not start, as the tests do.
    pub fn start(&mut self) -> Result<()> {
        self.runtime.block_on(self.service.start());
        Ok(())
    }

    /// Stops it as an operator would.
    ///
    /// # Errors
    /// When it ends with a failure.
    pub fn stop(&mut self) -> Result<()> {
        let status = self.runtime.block_on(self.service.terminate());
        ensure!(status.success(), "the knowledge base ended with {status}");
        Ok(())
    }

    /// The service.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// Its process, to freeze it.
    pub fn process(&self) -> &Process {
        self.service.process()
    }

    /// One more connection to it.
    ///
    /// # Errors
    /// When it is refused.
    pub fn caller(&self) -> Result<Caller> {
        Caller::connect(self.service.addr())
    }

    /// Where its file lies.
    pub fn database(&self) -> PathBuf {
        self.service.data().join(DATABASE)
    }

    /// Loads facts as `make run` does; how many were added.
    ///
    /// # Errors
    /// When one is refused.
    pub fn load(&self, facts: &[String]) -> Result<usize> {
        let mut caller = self.caller()?;
        let mut added = 0;
        for part in facts.chunks(FACTS_PER_REQUEST) {
            self.interrupt.check()?;
            let answer = caller.ask(&post("/api/facts/bulk", "text/plain", &bulk_body(part)))?;
            let answer: Value = serde_json::from_slice(answer).context("the bulk answer is no JSON")?;
            added += usize::try_from(answer["added"].as_u64().unwrap_or(0))?;
        }
        ensure!(added == facts.len(), "{added} of {} facts were new", facts.len());
        Ok(added)
    }

    /// Waits until a search by meaning knows all facts that are there now.
    ///
    /// # Errors
    /// When it takes longer than any index takes.
    pub fn vectors_caught_up(&self) -> Result<()> {
        let mut caller = self.caller()?;
        let count: Value = serde_json::from_slice(caller.ask(&get("/api/facts/count"))?)?;
        let path = format!("/api/search?min_revision={}", count["revision"]);
        let search = post(&path, "application/json", br#"{"query":"water","mode":"vector"}"#);
        let start = Instant::now();
        loop {
            self.interrupt.check()?;
            let (status, body) = caller.try_ask(&search)?;
            let answer: Value = serde_json::from_slice(body)?;
            if status == 200 && answer["adapter"] == "primary" {
                return Ok(());
            }
            ensure!(start.elapsed() < SETTLE_TIMEOUT, "vectors have not caught up: {answer}");
            std::thread::sleep(LOOK_INTERVAL);
        }
    }

    /// The newest value of a metric.
    pub fn metric(&self, series: &str) -> f64 {
        self.runtime.block_on(self.service.metric(series))
    }

    /// Waits until the service has nothing to do: its indexes have caught up and are built.
    ///
    /// # Errors
    /// When it goes on for longer than any index takes.
    pub fn settle(&self) -> Result<()> {
        if self.vectors == Vectors::On {
            self.vectors_caught_up()?;
        }
        let start = Instant::now();
        let (mut before, mut idle_looks) = (self.cpu()?, 0);
        while idle_looks < SETTLED_LOOKS {
            self.interrupt.check()?;
            ensure!(start.elapsed() < SETTLE_TIMEOUT, "the knowledge base is busy after {SETTLE_TIMEOUT:?}");
            std::thread::sleep(SETTLE_INTERVAL);
            let now = self.cpu()?;
            idle_looks = if now - before < SETTLED_S { idle_looks + 1 } else { 0 };
            before = now;
        }
        Ok(())
    }

    /// CPU time of the service so far, seconds; threads that have ended included.
    ///
    /// # Errors
    /// When it is gone.
    pub fn cpu(&self) -> Result<f64> {
        cpu_seconds(pid(self.service.process()))
    }

    /// The same of its NATS.
    ///
    /// # Errors
    /// When it is gone.
    pub fn nats_cpu(&self) -> Result<f64> {
        cpu_seconds(pid(self.nats.process()))
    }

    /// Resident memory of the service, bytes: `VmRSS`, mapped files included.
    ///
    /// # Errors
    /// When it is gone.
    pub fn resident_bytes(&self) -> Result<f64> {
        let path = format!("/proc/{}/status", pid(self.service.process()));
        let text = std::fs::read_to_string(&path).with_context(|| format!("{path} cannot be read"))?;
        let kib = text.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
        let kib: f64 = kib.and_then(|kib| kib.trim().parse().ok()).context("no VmRSS")?;
        Ok(kib * 1024.0)
    }
}

fn pid(process: &Process) -> u32 {
    process.pid().as_raw_nonzero().get().unsigned_abs()
}
