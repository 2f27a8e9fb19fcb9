//! Running other programs in the foreground and saying which one failed. Long-lived children: `run/supervisor.rs`.

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// A command without standard input, started in `folder`.
pub fn command(program: impl AsRef<std::ffi::OsStr>, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).stdin(Stdio::null());
    command
}

/// The cargo that runs this task, so that one toolchain serves both.
pub fn cargo(folder: &Path) -> Command {
    let mut cargo = command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), folder);
    // What cargo set for this task would make a build script or a test believe it is xtask.
    for (name, _) in env::vars_os() {
        if name
            .to_str()
            .is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
        {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// Runs a command whose output the user sees. `what` completes "… failed".
pub fn run(what: &str, command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("could not start {}", name_of(command)))?;
    if !status.success() {
        bail!("{what} failed ({status})");
    }
    Ok(())
}

/// Runs a command in silence and returns what it printed; a failure carries the end of its error output.
pub fn capture(what: &str, command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("could not start {}", name_of(command)))?;
    if !output.status.success() {
        let printed = String::from_utf8_lossy(&output.stderr);
        bail!("{what} failed ({}):\n{}", output.status, last_lines(&printed, 8));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The last `count` lines of a text, indented.
pub fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let end = lines[lines.len().saturating_sub(count)..].iter();
    end.map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

fn name_of(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_text_is_shown_and_no_more() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "    b\n    c");
        assert_eq!(last_lines("a", 2), "    a");
        assert_eq!(last_lines("", 2), "");
    }

    #[test]
    fn a_failure_says_what_failed_and_what_it_printed() {
        let error = capture(
            "the check",
            command("sh", Path::new("/")).args(["-c", "echo no such thing >&2; exit 3"]),
        )
        .expect_err("exit status 3 is a failure");
        let text = format!("{error:#}");
        assert!(
            text.contains("the check failed (exit status: 3)") && text.contains("no such thing"),
            "{text}"
        );
    }
}
