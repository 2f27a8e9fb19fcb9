//! Children that live as long as the runner: started, watched, stopped in order.
//!
//! A child is its own process group, so that Ctrl-C in the terminal reaches only the runner, which then decides the
//! order. Should the runner be killed outright, the kernel tells each child (`setpriv --pdeathsig`, where the machine
//! has it): no safe call of the standard library can ask for that.

use std::fs;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child as Process, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::log;
use super::plan::{Job, StopOrder};
use crate::load::Watch;
use crate::process::last_lines;
use crate::project::shown;
use crate::tools::spinner;

/// Starts a program so that the kernel sends it SIGTERM when the runner is gone.
const TIE: &[&str] = &["setpriv", "--pdeathsig", "TERM"];
/// How often children and signals are looked at.
const WATCH_INTERVAL: Duration = Duration::from_millis(100);
/// How long the children of one step of [`StopOrder`] may take to end; their own drain limit is shorter.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// How much of a dead child's log is shown.
const TAIL_LINES: usize = 15;

/// Why the work ends before it is done.
#[derive(Debug)]
pub enum Halt {
    /// Ctrl-C, SIGTERM or a closed terminal.
    Asked,
    /// A child ended that should not.
    Died {
        /// Which.
        name: &'static str,
        /// How.
        status: ExitStatus,
        /// Its log.
        log: PathBuf,
        /// The end of its log.
        tail: String,
    },
}

impl std::fmt::Display for Halt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Asked => write!(f, "asked to stop"),
            Self::Died { name, status, log, tail } => {
                let how = match (status.code(), status.signal()) {
                    (Some(code), _) => format!("with exit code {code}"),
                    (None, Some(signal)) => format!("by signal {signal}"),
                    (None, None) => "for an unknown reason".to_owned(),
                };
                write!(f, "{name} ended {how}, the rest was stopped. The end of {}:\n{tail}", shown(log))
            }
        }
    }
}

impl std::error::Error for Halt {}

/// Owns all children.
pub struct Supervisor {
    logs: PathBuf,
    children: Vec<Child>,
    /// How many times the user asked to stop; the second time, nothing is waited for.
    asked: Arc<AtomicUsize>,
    /// Put before each program: what ties it to the runner's life.
    tie: &'static [&'static str],
    stop_timeout: Duration,
}

struct Child {
    name: &'static str,
    stops: StopOrder,
    process: Process,
    log: PathBuf,
    recorder: Option<JoinHandle<()>>,
}

impl Supervisor {
    /// Logs go into `logs`; `stop_timeout` is for each step of [`StopOrder`]. From here on, signals end the work in
    /// order instead of ending the process.
    pub fn new(logs: PathBuf, stop_timeout: Duration) -> Result<Self> {
        fs::create_dir_all(&logs).with_context(|| format!("could not create {}", logs.display()))?;
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("could not listen to signals")?;
        thread::spawn(move || {
            for _ in signals.forever() {
                counter.fetch_add(1, Ordering::Relaxed);
            }
        });
        let tied = Command::new(TIE[0]).args(&TIE[1..]).arg("true").stderr(Stdio::null()).status();
        let tie = if tied.is_ok_and(|status| status.success()) { TIE } else { &[] };
        Ok(Self { logs, children: Vec::new(), asked, tie, stop_timeout })
    }

    /// Starts a child that is to live until [`Self::stop`].
    pub fn spawn(&mut self, job: &Job) -> Result<()> {
        let child = self.start(job)?;
        self.children.push(child);
        Ok(())
    }

    /// Runs a child that is to end by itself, with success.
    pub fn run_to_end(&mut self, job: &Job, timeout: Duration) -> Result<()> {
        let mut child = self.start(job)?;
        let deadline = Instant::now() + timeout;
        let bar = spinner(child.name.to_owned());
        let outcome = loop {
            match child.process.try_wait()? {
                Some(status) if status.success() => break Ok(()),
                Some(status) => break Err(child.death(status).into()),
                None => {}
            }
            if let Err(halt) = self.check() {
                break Err(halt);
            }
            if Instant::now() >= deadline {
                break Err(anyhow!(
                    "{} did not end within {} s; see {}",
                    child.name,
                    timeout.as_secs(),
                    shown(&child.log)
                ));
            }
            thread::sleep(WATCH_INTERVAL);
        };
        bar.finish_and_clear();
        // Whatever the outcome, it goes with the others now.
        child.terminate();
        child.bury();
        outcome
    }

    /// Waits for a condition while the children live.
    pub fn until(&mut self, what: &str, timeout: Duration, mut holds: impl FnMut() -> bool) -> Result<()> {
        let deadline = Instant::now() + timeout;
        let bar = spinner(format!("waiting until {what}"));
        while !holds() {
            self.check()?;
            if Instant::now() >= deadline {
                bail!("{} s have passed, but not: {what}; see {}", timeout.as_secs(), shown(&self.logs));
            }
            thread::sleep(WATCH_INTERVAL);
        }
        bar.finish_and_clear();
        Ok(())
    }

    /// Watches the children until one dies or the user asks to stop; never returns success.
    pub fn wait(&mut self) -> Result<()> {
        loop {
            self.check()?;
            thread::sleep(WATCH_INTERVAL);
        }
    }

    /// Fails with [`Halt`] if the user asked to stop or a child has died.
    pub fn check(&mut self) -> Result<()> {
        if self.asked.load(Ordering::Relaxed) > 0 {
            return Err(Halt::Asked.into());
        }
        for child in &mut self.children {
            if let Some(status) = child.process.try_wait()? {
                return Err(child.death(status).into());
            }
        }
        Ok(())
    }

    /// Ends all children, in the order of [`StopOrder`], each step within a limit.
    pub fn stop(&mut self) {
        let asked_before = self.asked.load(Ordering::Relaxed);
        let mut remaining = std::mem::take(&mut self.children);
        remaining.sort_by_key(|child| child.stops);
        while let Some(step) = remaining.first().map(|child| child.stops) {
            let (mut now, later) = remaining.into_iter().partition::<Vec<_>, _>(|child| child.stops == step);
            remaining = later;
            for child in &now {
                child.terminate();
            }
            let deadline = Instant::now() + self.stop_timeout;
            while now.iter_mut().any(Child::lives) {
                let impatient = self.asked.load(Ordering::Relaxed) > asked_before.max(1);
                if impatient || Instant::now() >= deadline {
                    break;
                }
                thread::sleep(Duration::from_millis(20));
            }
            for child in now {
                child.bury();
            }
        }
    }

    fn start(&self, job: &Job) -> Result<Child> {
        let log = self.logs.join(format!("{}.log", job.name));
        let mut command = self.tied(&job.command);
        let (output, input) = io::pipe()?;
        command.process_group(0).stdin(Stdio::null()).stdout(input.try_clone()?).stderr(input);
        let program = job.command.get_program().to_string_lossy().into_owned();
        let recorder =
            log::record(output, &log).with_context(|| format!("could not write {}", log.display()))?;
        let process = command.spawn().with_context(|| format!("could not start {program}"))?;
        // The pipe's writing end must live in the child alone, or the recorder would never see the end.
        drop(command);
        Ok(Child { name: job.name, stops: job.stops, process, log, recorder: Some(recorder) })
    }

    /// The same command, started through what ties it to the runner; it replaces itself, so the process id stays.
    fn tied(&self, plain: &Command) -> Command {
        let mut words =
            self.tie.iter().map(std::ffi::OsStr::new).chain([plain.get_program()]).chain(plain.get_args());
        let mut command = Command::new(words.next().unwrap_or(plain.get_program()));
        command.args(words);
        for (name, value) in plain.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(folder) = plain.get_current_dir() {
            command.current_dir(folder);
        }
        command
    }
}

impl Watch for Supervisor {
    fn check(&mut self) -> Result<()> {
        Self::check(self)
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Child {
    fn lives(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    fn terminate(&self) {
        if let Some(pid) = Pid::from_raw(self.process.id().cast_signed()) {
            // It may have ended already.
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    /// Waits for the end, which is forced if it has not come yet.
    fn bury(mut self) {
        if self.lives() {
            eprintln!("{} did not stop in time and was killed", self.name);
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
        self.finish_log();
    }

    fn finish_log(&mut self) {
        if let Some(recorder) = self.recorder.take() {
            let _ = recorder.join();
        }
    }

    fn death(&mut self, status: ExitStatus) -> Halt {
        self.finish_log();
        Halt::Died { name: self.name, status, log: self.log.clone(), tail: tail_of(&self.log) }
    }
}

fn tail_of(log: &Path) -> String {
    let text = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    if text.trim().is_empty() { "    (it printed nothing)".to_owned() } else { last_lines(&text, TAIL_LINES) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::command;

    const LONG: Duration = Duration::from_secs(30);

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            Self(std::env::temp_dir().join(format!("bywash-supervisor-{name}-{}", std::process::id())))
        }

        fn supervisor(&self, stop_timeout: Duration) -> Supervisor {
            Supervisor::new(self.0.clone(), stop_timeout).expect("the temporary folder is writable")
        }

        fn text(&self, file: &str) -> String {
            fs::read_to_string(self.0.join(file)).unwrap_or_default()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn shell(name: &'static str, stops: StopOrder, script: &str) -> Job {
        let mut shell = command("sh", Path::new("/"));
        shell.args(["-c", script]);
        Job { name, command: shell, stops }
    }

    #[test]
    fn a_child_that_dies_is_named_with_the_end_of_its_log() {
        let folder = Folder::new("dies");
        let mut supervisor = folder.supervisor(LONG);
        let job = shell("governor", StopOrder::Publishers, "echo no luck today >&2; exit 7");
        supervisor.spawn(&job).expect("sh starts");
        let text = supervisor.wait().expect_err("the child ends").to_string();
        for part in ["governor ended with exit code 7", "governor.log", "no luck today"] {
            assert!(text.contains(part), "no {part:?} in {text}");
        }
    }

    #[test]
    fn children_stop_in_order_and_by_request() {
        let folder = Folder::new("order");
        let mut supervisor = folder.supervisor(LONG);
        let ended = folder.0.join("ended");
        for (name, stops) in
            [("nats", StopOrder::Nats), ("api", StopOrder::Publishers), ("gateway", StopOrder::Gateway)]
        {
            let ended = ended.display();
            let script =
                format!("trap 'echo {name} >>{ended}; exit 0' TERM; echo up; while :; do sleep 0.05; done");
            supervisor.spawn(&shell(name, stops, &script)).expect("sh starts");
            let log = format!("{name}.log");
            supervisor.until("it is up", LONG, || folder.text(&log).contains("up")).expect("it comes up");
        }
        supervisor.stop();
        assert_eq!(folder.text("ended"), "gateway\napi\nnats\n");
    }

    #[test]
    fn a_child_that_ignores_the_request_is_killed() {
        let folder = Folder::new("stubborn");
        let mut supervisor = folder.supervisor(Duration::from_millis(100));
        let job = shell("gateway", StopOrder::Gateway, "trap '' TERM; echo up; while :; do sleep 0.05; done");
        supervisor.spawn(&job).expect("sh starts");
        supervisor
            .until("it is up", LONG, || folder.text("gateway.log").contains("up"))
            .expect("it comes up");
        let began = Instant::now();
        supervisor.stop();
        assert!(began.elapsed() < LONG, "took {:?}", began.elapsed());
    }

    #[test]
    fn a_program_that_is_to_end_must_end_well() {
        let folder = Folder::new("end");
        let mut supervisor = folder.supervisor(LONG);
        supervisor.run_to_end(&shell("setup", StopOrder::Publishers, "exit 0"), LONG).expect("it ends well");
        let failing = shell("setup", StopOrder::Publishers, "echo no streams; exit 1");
        let error = supervisor.run_to_end(&failing, LONG).expect_err("it fails").to_string();
        assert!(error.contains("setup ended with exit code 1") && error.contains("no streams"), "{error}");
    }
}
