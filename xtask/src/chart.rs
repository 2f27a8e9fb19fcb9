//! The Helm chart: lint and the rendered manifests of `k8s/`.

use std::fs;

use anyhow::{Context, Result};

use crate::process::{capture, command, run};
use crate::project::Project;
use crate::tools;

const CHART: &str = "charts/bywash";
const RENDERED: &str = "k8s/bywash.yaml";
/// What the rendered manifests are made with: the chart asks for API keys, which its defaults cannot hold.
const RENDER_VALUES: &str = "charts/bywash/ci/k8s-values.yaml";
/// The sets of values that are linted.
const LINT_VALUES: [&str; 2] = [RENDER_VALUES, "charts/bywash/ci/everything-values.yaml"];

/// The `render` task: writes `k8s/bywash.yaml` from the chart with the values that lie beside it for this.
pub fn render(project: &Project) -> Result<()> {
    tools::ensure(project, tools::RENDER)?;
    let mut helm = command(project.tool("helm"), project.root());
    helm.args(["template", "bywash", CHART, "--namespace", "bywash", "--values", RENDER_VALUES]);
    let manifests = capture("helm template", &mut helm)?;
    let path = project.path(RENDERED);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&path, manifests).with_context(|| format!("could not write {}", path.display()))?;
    println!("wrote {RENDERED}");
    Ok(())
}

/// Lints the chart.
pub fn lint(project: &Project) -> Result<()> {
    for values in LINT_VALUES {
        let mut helm = command(project.tool("helm"), project.root());
        run("helm lint", helm.args(["lint", "--quiet", "--values", values, CHART]))?;
    }
    Ok(())
}
