//! The chart as `helm` renders it, and the project's files and tools that its tests compare it with.

use std::path::{Path, PathBuf};
use std::process::Command;

pub use bywash_tests::scratch::{project_root as root, tool};
use serde_json::Value;

/// Values of the plain manifests in `k8s/`.
pub const K8S_VALUES: &str = "charts/bywash/ci/k8s-values.yaml";
/// Values that turn every optional part on.
pub const EVERYTHING_VALUES: &str = "charts/bywash/ci/everything-values.yaml";

/// A file of the repository, as text.
pub fn file(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A Python program that `cargo xtask tools` installs.
pub fn python_tool(name: &str) -> PathBuf {
    let program = root().join(".tools/python/bin").join(name);
    assert!(program.is_file(), "{} is missing: run `cargo xtask tools python`", program.display());
    program
}

/// Runs `program` in the repository's root: its output, or what it complained about.
pub fn run(program: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    if output.status.success() {
        Ok(text(output.stdout))
    } else {
        Err(format!("{}{}", text(output.stdout), text(output.stderr)))
    }
}

/// `helm template` as the plain manifests are made, with more arguments.
pub fn helm_template(arguments: &[&str]) -> Result<String, String> {
    let mut all = vec!["template", "bywash", "charts/bywash", "--namespace", "bywash"];
    all.extend(arguments);
    run(&tool("helm"), &all)
}

/// The objects that the chart renders with a file of values.
pub fn render(values: &str) -> Vec<Value> {
    objects(&helm_template(&["--values", values]).unwrap_or_else(|error| panic!("{values}: {error}")))
}

/// The objects of a YAML stream.
pub fn objects(yaml: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(yaml).unwrap_or_else(|error| panic!("this YAML is not well-formed: {error}"))
}

/// The objects of one kind.
pub fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

/// An object's name.
pub fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().expect("every object has a name")
}

/// The items of a list that may be absent.
pub fn items(list: &Value) -> &[Value] {
    list.as_array().map_or(&[], Vec::as_slice)
}
