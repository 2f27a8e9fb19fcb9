//! The swarm from the other side: starts its process and speaks with it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command as Program, Stdio};

use anyhow::{Context, Result, bail};

use super::swarm::{Command, Counts};

/// The process that holds the clients. It ends when this is dropped.
#[derive(Debug)]
pub struct SwarmProcess {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl SwarmProcess {
    /// Starts it on this thread's core.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start() -> Result<Self> {
        let program = std::env::current_exe().context("the system does not tell where this program lies")?;
        let mut child = Program::new(program)
            .arg("clients")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("the clients cannot be started")?;
        let (Some(commands), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("the clients have no pipes");
        };
        Ok(Self { child, commands, answers: BufReader::new(answers) })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a command and waits for its answer.
    ///
    /// # Errors
    /// What the clients say, or that they are gone.
    pub fn command(&mut self, command: &Command) -> Result<Counts> {
        let line = serde_json::to_string(command).context("commands have a form in JSON")?;
        writeln!(self.commands, "{line}").context("the clients are gone")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer).context("the clients are gone")?;
        let counts: Counts = serde_json::from_str(&answer).context("the clients are gone")?;
        if counts.error.is_empty() { Ok(counts) } else { bail!("the clients: {}", counts.error) }
    }
}

impl Drop for SwarmProcess {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
