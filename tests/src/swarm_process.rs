//! Clients as a process of their own, from the other side: one command a line of JSON to its standard input, one answer a
//! line from its standard output.

use std::io::{BufRead, BufReader, Write};
use std::marker::PhantomData;
use std::process::{Child, ChildStdin, ChildStdout, Command as Program, Stdio};

use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What such a process is told.
pub trait SwarmCommand: Serialize {
    /// What this program is called with to be that process.
    const ROLE: &'static str;

    /// What it answers.
    type Counts: DeserializeOwned;

    /// Why the command failed; empty where it did not.
    fn error(counts: &Self::Counts) -> &str;
}

/// The process that holds the clients. It ends when this is dropped.
#[derive(Debug)]
pub struct SwarmProcess<C> {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    told: PhantomData<fn(&C)>,
}

impl<C: SwarmCommand> SwarmProcess<C> {
    /// Starts it on this thread's core.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start() -> Result<Self> {
        let program = std::env::current_exe().context("the system does not tell where this program lies")?;
        let mut child = Program::new(program)
            .arg(C::ROLE)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("the clients cannot be started")?;
        let (Some(commands), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("the clients have no pipes");
        };
        Ok(Self { child, commands, answers: BufReader::new(answers), told: PhantomData })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a command.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn tell(&mut self, command: &C) -> Result<()> {
        let line = serde_json::to_string(command).context("commands have a form in JSON")?;
        writeln!(self.commands, "{line}").context("the clients are gone")
    }

    /// Waits for the answer to the command before.
    ///
    /// # Errors
    /// What the clients say, or that they are gone.
    pub fn answer(&mut self) -> Result<C::Counts> {
        let mut answer = String::new();
        self.answers.read_line(&mut answer).context("the clients are gone")?;
        let counts: C::Counts = serde_json::from_str(&answer).context("the clients are gone")?;
        match C::error(&counts) {
            "" => Ok(counts),
            error => bail!("the clients: {error}"),
        }
    }

    /// Both.
    ///
    /// # Errors
    /// As both.
    pub fn ask(&mut self, command: &C) -> Result<C::Counts> {
        self.tell(command)?;
        self.answer()
    }
}

impl<C> Drop for SwarmProcess<C> {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
