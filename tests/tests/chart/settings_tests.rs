//! Every setting of every program, as its `--help` lists it: what the chart sets exists, and what exists is documented.

use std::collections::BTreeSet;

use bywash_tests::scratch::binary;

use super::render::{EVERYTHING_VALUES, K8S_VALUES, file, render, run};
use super::workload::pods;

/// A component of the chart and its program.
const PROGRAMS: [(&str, &str); 5] = [
    ("knowledge-base", "bywash-knowledge-base"),
    ("governor", "bywash-governor"),
    ("gpu-monitor", "bywash-gpu-monitor"),
    ("push-gateway", "bywash-push-gateway"),
    ("setup", "bywash-setup"),
];

/// The variables that a program reads.
fn settings(program: &str) -> BTreeSet<String> {
    let help = run(&binary(program), &["--help"]).unwrap_or_else(|error| panic!("{program}: {error}"));
    // `[env: NAME=]` or, for secrets, `[env: NAME]`.
    let named = help.split("[env: ").skip(1).filter_map(|rest| rest.split([']', '=']).next());
    named.map(str::to_owned).collect()
}

#[test]
fn every_variable_of_a_pod_is_a_setting_of_its_program() {
    for values in [K8S_VALUES, EVERYTHING_VALUES] {
        for pod in pods(&render(values)) {
            let Some((_, program)) = PROGRAMS.iter().find(|(component, _)| *component == pod.component)
            else {
                continue;
            };
            let known = settings(program);
            for name in pod.environment().into_keys().filter(|name| name.starts_with("BYWASH_")) {
                assert!(known.contains(&name), "{values}: {program} has no setting {name}: {known:?}");
            }
        }
    }
}

#[test]
fn every_setting_is_in_the_readme() {
    let readme = file("README.md");
    let table = readme.split_once("## Settings").expect("there is such a chapter").1;
    let table = table.split_once("\n## ").map_or(table, |(chapter, _)| chapter);
    let all: BTreeSet<String> = PROGRAMS.iter().flat_map(|(_, program)| settings(program)).collect();
    assert!(all.len() > 40, "the help is not read: {all:?}");
    let missing: Vec<_> = all.iter().filter(|name| !table.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "not in the README's settings: {missing:?}");
    let words = table.split('`').filter(|word| word.starts_with("BYWASH_") && *word != "BYWASH_");
    let unknown: BTreeSet<_> = words.filter(|word| !all.contains(*word)).collect();
    assert!(unknown.is_empty(), "no program has {unknown:?}");
}
