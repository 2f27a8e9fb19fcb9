//! A child process: spawned with its output in a file, signalled, awaited, and ended for sure on drop.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::wait::{DEADLINE, eventually_within};

/// Lines of its output that a failed test prints.
const TAIL_LINES: usize = 40;

/// A running child.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    output: PathBuf,
}

impl Process {
    /// Starts `command` with standard output and error in the file `output`, which is added to.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn spawn(name: &str, command: &mut Command, output: &Path) -> Self {
        let open = || -> std::io::Result<File> { File::options().create(true).append(true).open(output) };
        let file = open().unwrap_or_else(|error| panic!("{} cannot be written: {error}", output.display()));
        let second = file.try_clone().expect("a file handle can be doubled");
        let child = command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(second)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        Self { name: name.to_owned(), child, output: output.to_owned() }
    }

    /// Its process id.
    ///
    /// # Panics
    /// Never: the system's process ids are positive.
    pub fn pid(&self) -> Pid {
        let id = i32::try_from(self.child.id()).expect("process ids fit 31 bits");
        Pid::from_raw(id).expect("process ids are positive")
    }

    /// Everything it printed, in this run and the ones before it with the same file.
    pub fn output(&self) -> String {
        std::fs::read(&self.output)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// The newest lines of it.
    pub fn output_tail(&self) -> String {
        let output = self.output();
        let lines: Vec<&str> = output.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// When it has ended already.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal)
            .unwrap_or_else(|error| panic!("{} cannot be signalled: {error}", self.name));
    }

    /// SIGSTOP: it stays, and does nothing. A thread that is at work stops a little later than the signal is sent, so this
    /// returns when all have.
    ///
    /// # Panics
    /// When one does not within the deadline.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
        let end = Instant::now() + DEADLINE;
        while !self.is_stopped() {
            assert!(Instant::now() < end, "{} does not stop", self.name);
            std::thread::yield_now();
        }
    }

    /// Whether every thread is stopped (state `T` in proc(5), after the name in brackets).
    fn is_stopped(&self) -> bool {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid().as_raw_pid()));
        tasks.into_iter().flatten().flatten().all(|task| {
            let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('T'))
        })
    }

    /// SIGCONT after [`Self::freeze`].
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Its exit status, if it has ended.
    pub fn try_status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be waited for")
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end within the deadline.
    pub async fn ended(&mut self) -> ExitStatus {
        self.ended_within(DEADLINE).await
    }

    /// As [`Self::ended`], for a process that takes its time.
    ///
    /// # Panics
    /// When it does not end within `limit`.
    pub async fn ended_within(&mut self, limit: Duration) -> ExitStatus {
        let (name, child) = (&self.name, &mut self.child);
        eventually_within(limit, &format!("the end of {name}"), || {
            let status = child.try_wait().expect("a child can be waited for");
            async move { status.ok_or_else(|| "it runs".to_owned()) }
        })
        .await
    }

    /// SIGTERM, and waits for its end.
    ///
    /// # Panics
    /// As [`Self::ended`].
    pub async fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.ended().await
    }

    /// SIGKILL, and waits for its end.
    pub fn kill(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- the newest output of {}:\n{}", self.name, self.output_tail());
        }
    }
}
