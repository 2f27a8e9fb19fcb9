//! The `run` task: everything on one machine, from a bare checkout to a page in the browser, until Ctrl-C.
//!
//! What is started is `plan.rs`'s business, how a child lives and dies `supervisor.rs`'s, where its output goes
//! `log.rs`'s.

mod log;
mod plan;
mod supervisor;

use std::fs::{self, File, TryLockError};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use self::plan::{Plan, SERVICES};
use self::supervisor::{Halt, STOP_TIMEOUT, Supervisor};
use crate::cli::RunArguments;
use crate::http::Request;
use crate::load::Loader;
use crate::project::{Project, shown};
use crate::{checks, dataset, machine, tools};

/// How long a service may take until it is ready: it may have to read what an earlier run stored.
const READY_TIMEOUT: Duration = Duration::from_secs(60);
/// How long one readiness answer may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// Prepares, starts, loads, waits, stops. Ctrl-C is the normal end.
pub fn run(project: &Project, arguments: &RunArguments) -> Result<()> {
    let began = Instant::now();
    machine::require("make run", machine::BUILD)?;
    let data_dir = project.path(&arguments.data_dir);
    let _lock = lock(&data_dir)?;
    plan::ports_are_free()?;
    tools::ensure(project, tools::RUN)?;
    let facts = if arguments.no_dataset { None } else { Some(dataset::ensure(project)?) };
    checks::build(project)?;
    // The build may have taken minutes, in which someone else may have come.
    plan::ports_are_free()?;

    let plan = Plan::new(project, &data_dir, arguments.gpu_source)?;
    let mut supervisor = Supervisor::new(data_dir.join("logs"), STOP_TIMEOUT)?;
    let outcome = start(&plan, &mut supervisor).and_then(|()| {
        let seconds = began.elapsed().as_secs_f64();
        eprintln!("everything is ready after {seconds:.1} s; the page is at {}", plan::CONSOLE_URL);
        if let Some(facts) = &facts {
            Loader::new(plan::knowledge_base_address(), plan.api_key()?, &data_dir)
                .load(facts, &mut supervisor)?;
        }
        println!("{}", welcome(&arguments.data_dir));
        supervisor.wait()
    });
    supervisor.stop();
    match outcome.map_err(anyhow::Error::downcast::<Halt>) {
        Err(Ok(Halt::Asked)) => {
            eprintln!("stopped; the data stays in {}", arguments.data_dir.display());
            Ok(())
        }
        Err(Ok(died)) => Err(died.into()),
        Err(Err(error)) => Err(error),
        Ok(()) => Ok(()),
    }
}

/// The `clean-data` task.
pub fn clean_data(project: &Project, data_dir: &Path) -> Result<()> {
    let folder = project.path(data_dir);
    if !folder.exists() {
        println!("{} is not there", data_dir.display());
        return Ok(());
    }
    let _lock = lock(&folder)?;
    // Only what `run` writes: the folder may be one that holds other things too.
    for name in plan::OWN_ENTRIES {
        let path = folder.join(name);
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        if let Err(error) = removed
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(error).with_context(|| format!("could not remove {}", path.display()));
        }
    }
    println!("removed the local data in {}", data_dir.display());
    Ok(())
}

/// Starts NATS, the streams and the services, and returns when all are ready.
fn start(plan: &Plan, supervisor: &mut Supervisor) -> Result<()> {
    supervisor.spawn(&plan.nats()?)?;
    supervisor
        .until("nats-server accepts connections", READY_TIMEOUT, || nats_answers(plan::nats_address()))?;
    supervisor.run_to_end(&plan.setup(), READY_TIMEOUT)?;
    for service in &SERVICES {
        supervisor.spawn(&plan.service(service))?;
    }
    for service in &SERVICES {
        let ready = || {
            let answer = Request::get("/readyz").send(service.address(), PROBE_TIMEOUT);
            answer.is_ok_and(|answer| answer.status == 200)
        };
        supervisor.until(&format!("{} is ready", service.name), READY_TIMEOUT, ready)?;
    }
    Ok(())
}

/// NATS greets each connection with its INFO line.
fn nats_answers(address: SocketAddr) -> bool {
    let greeting = || {
        let mut stream = TcpStream::connect_timeout(&address, PROBE_TIMEOUT)?;
        stream.set_read_timeout(Some(PROBE_TIMEOUT))?;
        let mut start = [0; 5];
        stream.read_exact(&mut start).map(|()| start)
    };
    greeting().is_ok_and(|start| &start == b"INFO ")
}

/// One runner a data directory. The lock goes with the process, however that ends.
fn lock(data_dir: &Path) -> Result<File> {
    fs::create_dir_all(data_dir).with_context(|| format!("could not create {}", data_dir.display()))?;
    let path: PathBuf = data_dir.join("run.lock");
    let open = File::options().read(true).write(true).create(true).truncate(false).open(&path);
    let mut file = open.with_context(|| format!("could not open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {
            file.set_len(0)?;
            write!(file, "{}", std::process::id())?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            file.read_to_string(&mut owner)?;
            bail!(
                "Bywash runs already in {} (process {owner}): stop it with Ctrl-C in its terminal",
                shown(data_dir)
            )
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("could not lock {}", path.display()))
        }
    }
}

fn welcome(data_dir: &Path) -> String {
    let (page, data_dir) = (plan::CONSOLE_URL, data_dir.display());
    format!(
        r#"
Bywash is running.

  open     {page}
  follow   curl -N localhost:8000/api/events/stream
  add      curl localhost:5001/api/facts -H 'Content-Type: application/json' \
             -d '{{"statement": "Likes(ada, \"tea\")."}}'
  logs     {data_dir}/logs/
  stop     Ctrl-C; the data stays, and the next start takes seconds
"#
    )
}
