//! The engines file: a JSON list, read and checked once at start. What it lists is all that can ever be started.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::{ENGINES_MAX, EngineName, EngineSpec};
use crate::error::GovernorError;

/// Longest run that may be asked for: a day.
const MAX_RUN_MAX_S: u64 = 86_400;
/// Longest grace, below the time that a stopping process has by default.
const STOP_GRACE_MAX_S: u64 = 15;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    command: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default = "default_max_run_s")]
    max_run_s: u64,
    #[serde(default = "default_stop_grace_s")]
    stop_grace_s: u64,
}

fn default_max_run_s() -> u64 {
    300
}

fn default_stop_grace_s() -> u64 {
    5
}

/// Reads and checks the file.
pub fn read(path: &Path) -> Result<Vec<EngineSpec>, GovernorError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| GovernorError::EnginesFile { path: path.to_owned(), source })?;
    parse(&text, is_program).map_err(|reason| GovernorError::Engines { path: path.to_owned(), reason })
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

fn parse(text: &str, is_program: impl Fn(&Path) -> bool) -> Result<Vec<EngineSpec>, String> {
    let entries: Vec<Entry> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if entries.len() > ENGINES_MAX {
        return Err(format!("{} engines are more than {ENGINES_MAX}", entries.len()));
    }
    let mut specs: Vec<EngineSpec> = Vec::with_capacity(entries.len());
    for entry in entries {
        let label = entry.name.clone();
        let spec = spec(entry, &is_program).map_err(|reason| format!("engine {label:?}: {reason}"))?;
        if specs.iter().any(|other| other.name == spec.name) {
            return Err(format!("engine {label:?} is listed twice"));
        }
        specs.push(spec);
    }
    Ok(specs)
}

fn spec(entry: Entry, is_program: impl Fn(&Path) -> bool) -> Result<EngineSpec, String> {
    let name =
        EngineName::parse(&entry.name).ok_or("a name is 1 to 63 lower-case letters, digits and hyphens")?;
    let mut command = entry.command.into_iter();
    let program = PathBuf::from(command.next().ok_or("the command is empty")?);
    if !program.is_absolute() {
        return Err(format!("the program {} is not an absolute path", program.display()));
    }
    if !is_program(&program) {
        return Err(format!("{} is no program that can be run", program.display()));
    }
    if !(1..=MAX_RUN_MAX_S).contains(&entry.max_run_s) {
        return Err(format!("max_run_s is not 1 to {MAX_RUN_MAX_S}"));
    }
    if entry.stop_grace_s > STOP_GRACE_MAX_S {
        return Err(format!("stop_grace_s is more than {STOP_GRACE_MAX_S}"));
    }
    let bad_variable = |(name, value): (&String, &String)| {
        name.is_empty() || name.contains(['=', '\0']) || value.contains('\0')
    };
    if entry.env.iter().any(bad_variable) {
        return Err("env has a name or a value that no environment can hold".to_owned());
    }
    Ok(EngineSpec {
        name,
        program,
        arguments: command.collect(),
        environment: entry.env,
        max_run: Duration::from_secs(entry.max_run_s),
        stop_grace: Duration::from_secs(entry.stop_grace_s),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_engines_is_read() {
        let text =
            r#"[{"name":"gap-finder","command":["/bin/x","-a","$HOME; rm"],"env":{"A":"b"},"max_run_s":9}]"#;
        let specs = parse(text, |_| true).unwrap();
        assert_eq!(specs[0].name.as_str(), "gap-finder");
        assert_eq!(specs[0].arguments, ["-a", "$HOME; rm"], "arguments stay as they are");
        assert_eq!((specs[0].max_run.as_secs(), specs[0].stop_grace.as_secs()), (9, 5));
        assert_eq!(parse("[]", |_| true).unwrap(), []);
    }

    #[test]
    fn what_could_not_be_started_as_written_is_refused_with_its_reason() {
        for (text, part) in [
            (r#"{"name":"a"}"#, "invalid type"),
            (r#"[{"name":"A","command":["/x"]}]"#, "lower-case"),
            (r#"[{"name":"a","command":[]}]"#, "empty"),
            (r#"[{"name":"a","command":["x"]}]"#, "absolute"),
            (r#"[{"name":"a","command":["/missing"]}]"#, "no program"),
            (r#"[{"name":"a","command":["/x"],"max_run_s":0}]"#, "max_run_s"),
            (r#"[{"name":"a","command":["/x"],"stop_grace_s":16}]"#, "stop_grace_s"),
            (r#"[{"name":"a","command":["/x"],"env":{"A=":"b"}}]"#, "env"),
            (r#"[{"name":"a","command":["/x"],"shell":true}]"#, "unknown field"),
            (r#"[{"name":"a","command":["/x"]},{"name":"a","command":["/x"]}]"#, "twice"),
        ] {
            let reason = parse(text, |path| path != Path::new("/missing")).unwrap_err();
            assert!(reason.contains(part), "{text}: {reason}");
        }
        let many = vec![r#"{"name":"a","command":["/x"]}"#; ENGINES_MAX + 1].join(",");
        assert!(parse(&format!("[{many}]"), |_| true).unwrap_err().contains("more than"));
    }

    #[test]
    fn a_folder_and_a_plain_file_are_no_programs() {
        assert!(is_program(Path::new("/bin/sh")));
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        assert!(!is_program(Path::new("/tmp")) && !is_program(&manifest));
    }
}
