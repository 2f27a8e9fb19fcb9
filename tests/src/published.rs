//! A published client, unmodified, in a process of its own: a driver in `tests/published` runs it under Node or Python,
//! takes commands as JSON lines and prints answers and events as JSON lines. What a command does is said in its driver.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};

use serde_json::{Value, json};

use crate::scratch::{Scratch, project_root};
use crate::wait::Inbox;

/// The event that stands for the driver's end.
const ENDED: &str = "driver_ended";

/// A running driver. It is ended when it is dropped.
#[derive(Debug)]
pub struct Published {
    /// Everything it printed: events `{event, ...}` and answers `{reply, result}` or `{reply, error}`.
    pub lines: Inbox<Value>,
    name: String,
    child: Child,
    commands: ChildStdin,
    errors: PathBuf,
    next_id: u64,
    // Holds the file of its standard error.
    _scratch: Scratch,
}

impl Published {
    /// Starts `driver`, a file of `tests/published`, with an address and further arguments.
    ///
    /// # Panics
    /// When the clients are not installed, or it cannot be started.
    pub fn start(driver: &str, url: &str, arguments: &[&str]) -> Self {
        let scratch = Scratch::new();
        let errors = scratch.path().join("errors.log");
        let error_file = std::fs::File::create(&errors)
            .unwrap_or_else(|error| panic!("{} cannot be written: {error}", errors.display()));
        let mut child = interpreter(driver)
            .arg(project_root().join("tests/published").join(driver))
            .arg(url)
            .args(arguments)
            .env_clear()
            // Without the tester's proxies and settings; PATH finds Node.
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(error_file)
            .spawn()
            .unwrap_or_else(|error| panic!("{driver} cannot be started: {error}"));
        let lines = Inbox::default();
        let (inbox, output) = (lines.clone(), child.stdout.take().expect("its output is a pipe"));
        // Ends with the driver's output, so with the driver.
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or_else(
                    |error| json!({"event": "not_json", "line": line, "error": error.to_string()}),
                );
                inbox.push(line);
            }
            inbox.push(json!({"event": ENDED}));
        });
        let commands = child.stdin.take().expect("its input is a pipe");
        let name = [driver, url].into_iter().chain(arguments.iter().copied()).collect::<Vec<_>>().join(" ");
        Self { lines, name, child, commands, errors, next_id: 1, _scratch: scratch }
    }

    /// What was started, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sends a command; `arguments` is an object. Gives its result, or what the client refused it with.
    ///
    /// # Errors
    /// `{code, message}` as the client tells it.
    ///
    /// # Panics
    /// When no answer comes within the deadline.
    pub async fn call(&mut self, command: &str, arguments: Value) -> Result<Value, Value> {
        let id = self.next_id;
        self.next_id += 1;
        let mut line = arguments;
        line["id"] = json!(id);
        line["command"] = json!(command);
        let sent = writeln!(self.commands, "{line}").and_then(|()| self.commands.flush());
        assert!(sent.is_ok(), "{} is gone: {sent:?}\n{}", self.name, self.errors());
        let answer = self.find(&format!("the answer to {line}"), 0, |line| line["reply"] == id).await;
        if answer["error"].is_null() { Ok(answer["result"].clone()) } else { Err(answer["error"].clone()) }
    }

    /// As [`Self::call`], for a command that cannot be refused.
    ///
    /// # Panics
    /// When it is refused all the same, or no answer comes.
    pub async fn run(&mut self, command: &str, arguments: Value) -> Value {
        let answer = self.call(command, arguments).await;
        answer.unwrap_or_else(|error| panic!("{}: {command} was refused: {error}", self.name))
    }

    /// As [`Self::call`], for a command that must be refused: what it is refused with.
    ///
    /// # Panics
    /// When it is carried out, or no answer comes.
    pub async fn refused(&mut self, command: &str, arguments: Value) -> Value {
        match self.call(command, arguments).await {
            Err(error) => error,
            Ok(result) => panic!("{}: {command} was carried out: {result}", self.name),
        }
    }

    /// The first event of this name.
    ///
    /// # Panics
    /// When it does not come within the deadline.
    pub async fn event(&self, name: &str) -> Value {
        self.first(&format!("the event {name}"), |line| line["event"] == name).await
    }

    /// The first line that `wanted` accepts.
    ///
    /// # Panics
    /// When it does not come within the deadline.
    pub async fn first(&self, what: &str, wanted: impl FnMut(&Value) -> bool) -> Value {
        self.find(what, 0, wanted).await
    }

    /// How many lines there are: where [`Self::first_since`] begins to look.
    pub fn mark(&self) -> usize {
        self.lines.len()
    }

    /// The first line after a mark that `wanted` accepts.
    ///
    /// # Panics
    /// When it does not come within the deadline.
    pub async fn first_since(&self, mark: usize, what: &str, wanted: impl FnMut(&Value) -> bool) -> Value {
        self.find(what, mark, wanted).await
    }

    /// All events of this name so far.
    pub fn events(&self, name: &str) -> Vec<Value> {
        self.lines.all().into_iter().filter(|line| line["event"] == name).collect()
    }

    /// Everything it said on standard error.
    pub fn errors(&self) -> String {
        std::fs::read_to_string(&self.errors).unwrap_or_default()
    }

    async fn find(&self, what: &str, mark: usize, mut wanted: impl FnMut(&Value) -> bool) -> Value {
        let found = self
            .lines
            .wait(&format!("{}: {what}", self.name), |all| {
                let line = all[mark..].iter().find(|line| wanted(line));
                let end = || all.last().filter(|line| line["event"] == ENDED);
                line.or_else(end).cloned()
            })
            .await;
        assert!(found["event"] != ENDED, "{} ended without {what}:\n{}", self.name, self.errors());
        found
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- what {} printed:", self.name);
            self.lines.all().iter().for_each(|line| eprintln!("{line}"));
            eprintln!("--- and on standard error:\n{}", self.errors());
        }
    }
}

/// Node or the project's Python, by the driver's ending.
fn interpreter(driver: &str) -> Command {
    let tools = project_root().join(".tools");
    let (program, installed, tool) = if driver.ends_with(".py") {
        let python = tools.join("python/bin/python");
        (python.clone(), python, "python")
    } else {
        (PathBuf::from("node"), tools.join("published/node_modules"), "published-clients")
    };
    assert!(installed.exists(), "{} is missing; run `cargo xtask tools {tool}`", installed.display());
    Command::new(program)
}
