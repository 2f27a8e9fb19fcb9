//! What the machine itself must have, named in one message before any work begins. Nothing is installed from here.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

/// The Chromium that the page test starts.
const CHROMIUM: &str = "/usr/bin/chromium";

/// One thing that a task may need.
#[derive(Clone, Copy)]
pub enum Need {
    /// Python 3.11 or newer with pip: fetches tools.
    Python,
    /// Node 20.19 or newer with npm: builds the console.
    Node,
    /// A C and a C++ compiler: some crates contain C.
    Compilers,
    /// `tar`: unpacks tools.
    Tar,
    /// Chromium: the page test.
    Chromium,
    /// `unshare` and `setpriv` of util-linux: the tests that start each binary as its pod would.
    Namespaces,
}

/// What every task that builds and starts the services needs.
pub const BUILD: &[Need] = &[Need::Python, Need::Node, Need::Compilers, Need::Tar];

/// What the tests need.
pub const TEST: &[Need] =
    &[Need::Python, Need::Node, Need::Compilers, Need::Tar, Need::Chromium, Need::Namespaces];

/// Fails with one message that names everything that is missing and how to get it.
pub fn require(task: &str, needs: &[Need]) -> Result<()> {
    let mut problems: Vec<String> = platform_problem().into_iter().collect();
    problems.extend(needs.iter().flat_map(|need| problems_of(*need)));
    if problems.is_empty() {
        return Ok(());
    }
    bail!(
        "{task} needs what this machine does not have:\n  - {}\nThen start it again.",
        problems.join("\n  - ")
    );
}

fn platform_problem() -> Option<String> {
    let (system, processor) = (std::env::consts::OS, std::env::consts::ARCH);
    (system != "linux" || processor != "x86_64").then(|| {
        format!("Linux on x86_64 (this is {system} on {processor}): the pinned tools are built for it")
    })
}

fn problems_of(need: Need) -> Vec<String> {
    let mut problems = Vec::new();
    let mut check = |ok: bool, problem: &str| {
        if !ok {
            problems.push(problem.to_owned());
        }
    };
    match need {
        Need::Python => match answer("python3", &["--version"]) {
            None => {
                check(false, "Python 3.11 or newer with pip (Debian: apt-get install python3 python3-pip)");
            }
            Some(version) => {
                let found = format!("Python 3.11 or newer (found {version})");
                check(version_at_least(&version, (3, 11)), &found);
                check(
                    answer("python3", &["-m", "pip", "--version"]).is_some(),
                    "pip for python3 (Debian: apt-get install python3-pip)",
                );
            }
        },
        Need::Node => match answer("node", &["--version"]) {
            None => check(false, "Node.js 20.19 or newer with npm"),
            Some(version) => {
                check(
                    version_at_least(&version, (20, 19)),
                    &format!("Node.js 20.19 or newer (found {version})"),
                );
                check(answer("npm", &["--version"]).is_some(), "npm");
            }
        },
        Need::Compilers => {
            check(answer("cc", &["--version"]).is_some(), "a C compiler, cc (Debian: apt-get install gcc)");
            check(
                answer("c++", &["--version"]).is_some(),
                "a C++ compiler, c++ (Debian: apt-get install g++)",
            );
        }
        Need::Tar => check(answer("tar", &["--version"]).is_some(), "tar"),
        Need::Chromium => {
            check(
                Path::new(CHROMIUM).exists(),
                "Chromium at /usr/bin/chromium (Debian: apt-get install chromium)",
            );
        }
        Need::Namespaces => {
            for program in ["unshare", "setpriv"] {
                let problem = format!("{program} (Debian: apt-get install util-linux)");
                check(answer(program, &["--version"]).is_some(), &problem);
            }
        }
    }
    problems
}

/// The first line that a program prints, or none if it cannot be started or fails.
fn answer(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then(|| text.lines().next().unwrap_or_default().trim().to_owned())
}

/// Compares the first two numbers of a version text such as `v20.19.1` or `Python 3.11.7`.
fn version_at_least(text: &str, least: (u32, u32)) -> bool {
    let number = text.rsplit(' ').next().unwrap_or_default().trim_start_matches('v');
    let mut parts = number.split('.').map(|part| part.parse::<u32>().ok());
    match (parts.next().flatten(), parts.next().flatten()) {
        (Some(major), Some(minor)) => (major, minor) >= least,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number_and_not_by_text() {
        assert!(version_at_least("v20.19.0", (20, 19)));
        assert!(version_at_least("v22.1.0", (20, 19)));
        assert!(!version_at_least("v20.9.0", (20, 19)));
        assert!(version_at_least("Python 3.11.7", (3, 11)));
        assert!(!version_at_least("Python 3.9.2", (3, 11)));
        assert!(!version_at_least("unknown", (3, 11)));
    }
}
