//! The Dockerfile: linted, and compared with the workspace and the chart. Building images needs an engine and base
//! images, so it is not done here.

use std::collections::BTreeSet;

use bywash_tests::scratch::binary;
use serde_json::Value;

use super::dockerfile::stages;
use super::render::{K8S_VALUES, file, items, of_kind, render, root, run, tool};
use super::sandbox::libraries;
use super::workload::pods;

/// Packages whose binaries the images hold.
const PACKAGES: [&str; 5] = ["chassis", "knowledge-base", "governor", "gpu-monitor", "push-gateway"];

#[test]
fn the_dockerfile_lints() {
    run(&tool("hadolint"), &["--no-color", "Dockerfile"]).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn every_pod_of_ours_has_a_target_that_fits_it() {
    let stages = stages();
    for pod in pods(&render(K8S_VALUES)).iter().filter(|pod| pod.component != "nats") {
        let image = pod.container()["image"].as_str().unwrap();
        let (repository, tag) = image.rsplit_once(':').unwrap();
        let target = repository.rsplit('/').next().unwrap();
        let stage =
            stages.get(target).unwrap_or_else(|| panic!("{image}: the Dockerfile has no target {target}"));
        assert_eq!(tag, env!("CARGO_PKG_VERSION"), "{image}");
        let ports: Vec<u64> = items(&pod.container()["ports"])
            .iter()
            .filter_map(|port| port["containerPort"].as_u64())
            .collect();
        assert_eq!(stage.ports.iter().copied().map(u64::from).collect::<Vec<_>>(), ports, "{target}");
        let security = &pod.spec["securityContext"];
        assert_eq!(stage.user, format!("{}:{}", security["runAsUser"], security["runAsGroup"]), "{target}");
        assert_eq!(stage.entrypoint.len(), 1, "{target}: settings are environment, not arguments");
    }
}

#[test]
fn every_entry_point_is_a_binary_that_the_build_makes() {
    let manifests: Vec<String> =
        PACKAGES.iter().map(|package| file(&format!("services/{package}/Cargo.toml"))).collect();
    let stages = stages();
    let build = stages["build"].commands.join(" ");
    for package in PACKAGES {
        assert!(build.contains(&format!("--package {package} ")), "{package} is not built");
    }
    for (target, stage) in stages.iter().filter(|(_, stage)| !stage.entrypoint.is_empty()) {
        let path = &stage.entrypoint[0];
        let binary = path.rsplit('/').next().unwrap();
        let declared = manifests.iter().any(|manifest| manifest.contains(&format!("name = \"{binary}\"")));
        assert!(declared, "{target}: no package has a binary {binary}");
        assert!(build.contains(&format!("target/release/{binary}")), "{target}: {binary} is not kept");
        let source = format!("/out/{binary}");
        assert!(
            stage.copies.contains(&(Some("build".to_owned()), vec![source])),
            "{target}: {binary} is not copied"
        );
    }
}

#[test]
fn every_source_that_is_copied_exists_and_reaches_the_build() {
    let ignored = file(".dockerignore");
    let allowed: BTreeSet<&str> = ignored.lines().filter_map(|line| line.strip_prefix('!')).collect();
    let stages = stages();
    for (name, stage) in &stages {
        for (from, sources) in &stage.copies {
            if let Some(from) = from {
                assert!(stages.contains_key(from), "{name} copies from {from}");
                continue;
            }
            for source in sources {
                assert!(root().join(source).exists(), "{name}: {source} does not exist");
                let first = source.split('/').next().unwrap();
                assert!(allowed.contains(first), "{name}: .dockerignore keeps {source} out");
            }
        }
    }
    let manifest = file("Cargo.toml");
    let members = manifest.split_once("members = [").unwrap().1.split_once(']').unwrap().0;
    for member in members.split('"').skip(1).step_by(2) {
        let copied = stages["build"].copies.iter().flat_map(|(_, sources)| sources);
        assert!(copied.clone().any(|source| member.starts_with(source.as_str())), "the build lacks {member}");
    }
}

#[test]
fn versions_are_those_that_the_tests_run_with() {
    let stages = stages();
    let toolchain = file("rust-toolchain.toml");
    let channel = toolchain.split_once("channel = \"").unwrap().1.split_once('"').unwrap().0;
    assert!(stages["build"].base.starts_with(&format!("rust:{channel}-")), "{}", stages["build"].base);
    let debian = |image: &str| image.contains("bookworm") || image.contains("debian12");
    for stage in ["build", "console", "runtime"] {
        assert!(debian(&stages[stage].base), "one Debian for all: {}", stages[stage].base);
    }
    let tools: Value = serde_json::from_str(&file("xtask/tools.json")).unwrap();
    let nats = items(&tools["tools"]).iter().find(|one| one["name"] == "nats-server").unwrap();
    let objects = render(K8S_VALUES);
    let sets = of_kind(&objects, "StatefulSet");
    let image = sets.iter().find_map(|set| {
        set["spec"]["template"]["spec"]["containers"][0]["image"]
            .as_str()
            .filter(|image| image.contains("nats"))
    });
    assert_eq!(image, Some(format!("nats:{}", nats["version"].as_str().unwrap()).as_str()));
}

/// The base image holds the C library and GCC's run-time libraries.
#[test]
fn binaries_need_no_library_beyond_the_base_image() {
    const BASE: [&str; 10] = [
        "ld-linux",
        "libc.so",
        "libdl.so",
        "libgcc_s.so",
        "libm.so",
        "libmvec.so",
        "libpthread.so",
        "librt.so",
        "libstdc++.so",
        "libgomp.so",
    ];
    for stage in stages().values().filter(|stage| !stage.entrypoint.is_empty()) {
        let name = stage.entrypoint[0].rsplit('/').next().unwrap();
        for library in libraries(&binary(name)) {
            let file = library.file_name().unwrap().to_string_lossy().into_owned();
            assert!(BASE.iter().any(|known| file.starts_with(known)), "{name} needs {file}");
        }
    }
}
