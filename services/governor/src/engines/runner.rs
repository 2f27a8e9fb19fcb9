//! Engines as child processes: at most one of each, in a process group of its own, ended by SIGTERM and after the
//! grace by SIGKILL, both to the whole group.
//!
//! The process that was started is the engine: once it ended, whatever the reason, the rest of its group is killed at
//! once, so a wrapper must `exec` its program or wait for it. Processes that leave the group are not followed, and a
//! child whose governor is killed hard runs on; its own limits must end it.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::{ENGINES_MAX, EngineName, EngineSpec};
use crate::decide::{EngineView, Running};

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunResult {
    /// It ended by itself, with status 0.
    Success,
    /// It ended by itself in another way, said in words.
    Failure(String),
    /// It was stopped.
    Stopped,
}

/// The end of a run.
#[derive(Debug)]
pub struct Ended {
    name: EngineName,
    result: RunResult,
}

#[derive(Debug)]
struct Run {
    pid: u32,
    since: Instant,
    /// Taken when the stop is asked for.
    stop: Option<oneshot::Sender<()>>,
}

#[derive(Debug)]
struct Engine {
    spec: EngineSpec,
    run: Option<Run>,
    runs: u64,
    last_result: Option<RunResult>,
}

/// What is known of one engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineStatus {
    /// Its name.
    pub name: EngineName,
    /// Its process and since when it runs.
    pub running: Option<(u32, Instant)>,
    /// Starts so far.
    pub runs: u64,
    /// How the last run ended.
    pub last_result: Option<RunResult>,
    /// It is stopped when it runs for longer.
    pub max_run: Duration,
}

/// All engines. The governor's loop owns it and hands it what [`Ended`] says.
#[derive(Debug)]
pub struct Engines {
    engines: Vec<Engine>,
    ended: mpsc::Sender<Ended>,
}

impl Engines {
    /// Engines that do not run yet, and where their ends are told.
    pub fn new(specs: Vec<EngineSpec>) -> (Self, mpsc::Receiver<Ended>) {
        // At most one run of each engine, each with one end.
        let (sender, ended) = mpsc::channel(ENGINES_MAX);
        let engine = |spec| Engine { spec, run: None, runs: 0, last_result: None };
        (Self { engines: specs.into_iter().map(engine).collect(), ended: sender }, ended)
    }

    /// The engine of that name.
    pub fn find(&self, name: &str) -> Option<&EngineName> {
        self.engines.iter().map(|engine| &engine.spec.name).find(|known| known.as_str() == name)
    }

    /// All engines as a decision sees them.
    pub fn views(&self) -> Vec<EngineView> {
        let view = |engine: &Engine| EngineView {
            name: engine.spec.name.clone(),
            max_run: engine.spec.max_run,
            running: engine
                .run
                .as_ref()
                .map(|run| Running { since: run.since, stopping: run.stop.is_none() }),
        };
        self.engines.iter().map(view).collect()
    }

    /// All engines as people see them.
    pub fn statuses(&self) -> Vec<EngineStatus> {
        let status = |engine: &Engine| EngineStatus {
            name: engine.spec.name.clone(),
            running: engine.run.as_ref().map(|run| (run.pid, run.since)),
            runs: engine.runs,
            last_result: engine.last_result.clone(),
            max_run: engine.spec.max_run,
        };
        self.engines.iter().map(status).collect()
    }

    /// Whether any runs.
    pub fn any_runs(&self) -> bool {
        self.engines.iter().any(|engine| engine.run.is_some())
    }

    /// Starts an engine that does not run. A program that cannot be started counts as a run that failed.
    pub fn start(&mut self, name: &EngineName) -> std::io::Result<()> {
        let ended = self.ended.clone();
        let Some(engine) = self.engines.iter_mut().find(|engine| engine.spec.name == *name) else {
            return Ok(());
        };
        if engine.run.is_some() {
            return Ok(());
        }
        engine.runs += 1;
        let child = command(&engine.spec).spawn().inspect_err(|error| {
            engine.last_result = Some(RunResult::Failure(format!("cannot be started: {error}")));
        })?;
        let pid = child.id().unwrap_or_default();
        let (stop, stopped) = oneshot::channel();
        engine.run = Some(Run { pid, since: Instant::now(), stop: Some(stop) });
        let (name, grace) = (engine.spec.name.clone(), engine.spec.stop_grace);
        tokio::spawn(async move {
            let result = supervise(child, stopped, grace).await;
            // An error means that nobody wants to know any more.
            let _ = ended.send(Ended { name, result }).await;
        });
        Ok(())
    }

    /// Asks an engine to end, and kills it after its grace. Its end is told like any other.
    pub fn stop(&mut self, name: &EngineName) {
        let engine = self.engines.iter_mut().find(|engine| engine.spec.name == *name);
        let stop = engine.and_then(|engine| engine.run.as_mut()?.stop.take());
        if let Some(stop) = stop {
            // An error means that it has just ended.
            let _ = stop.send(());
        }
    }

    /// Notes the end of a run and returns the engine, how it ended and after what time.
    pub fn note(&mut self, ended: Ended) -> Option<(EngineName, RunResult, Duration)> {
        let engine = self.engines.iter_mut().find(|engine| engine.spec.name == ended.name)?;
        let run = engine.run.take()?;
        engine.last_result = Some(ended.result.clone());
        Some((ended.name, ended.result, run.since.elapsed()))
    }
}

fn command(spec: &EngineSpec) -> Command {
    let mut command = Command::new(&spec.program);
    command.args(&spec.arguments).env_clear().envs(&spec.environment);
    if let Some(path) = std::env::var_os("PATH").filter(|_| !spec.environment.contains_key("PATH")) {
        command.env("PATH", path);
    }
    // Its output goes where the governor's log goes: a pipe would need a reader and a bound.
    command.stdin(Stdio::null()).process_group(0).kill_on_drop(true);
    command
}

/// The process group of a child; killed when this is dropped, which must be before the child is reaped: until then no
/// other process can get its number.
struct Group(Pid);

impl Group {
    fn of(child: &Child) -> Option<Self> {
        child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)).map(Self)
    }

    fn signal(&self, signal: Signal) {
        // Fails only when all of the group has ended already.
        let _ = kill_process_group(self.0, signal);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// Waits for the end of a run; ends it when `stop` says so or is dropped. None of its group outlives the run.
async fn supervise(mut child: Child, stop: oneshot::Receiver<()>, grace: Duration) -> RunResult {
    let Some(group) = Group::of(&child) else { return result(child.wait().await) };
    let leader = group.0;
    // A thread for each engine that runs: `Child::wait` would reap the leader before its group is killed.
    let mut ended = tokio::task::spawn_blocking(move || {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        rustix::io::retry_on_intr(|| waitid(WaitId::Pid(leader), options)).map(drop)
    });
    // What cannot be watched is ended as well; its status then says that it was killed.
    let stopped = tokio::select! {
        _ = &mut ended => false,
        _ = stop => true,
    };
    if stopped {
        group.signal(Signal::TERM);
        // An error means that the grace is over.
        let _ = tokio::time::timeout(grace, &mut ended).await;
    }
    drop(group);
    let status = child.wait().await;
    if stopped { RunResult::Stopped } else { result(status) }
}

fn result(status: std::io::Result<ExitStatus>) -> RunResult {
    match status {
        Ok(status) if status.success() => RunResult::Success,
        Ok(status) => RunResult::Failure(status.to_string()),
        Err(error) => RunResult::Failure(format!("cannot be waited for: {error}")),
    }
}

#[cfg(test)]
mod tests;
