//! The Dockerfile as its stages say: enough of its grammar to compare it with the chart and the workspace.

use std::collections::BTreeMap;

use super::render::file;

/// One stage.
#[derive(Debug, Clone, Default)]
pub struct Stage {
    /// `FROM`: an image or an earlier stage.
    pub base: String,
    /// `ENTRYPOINT`, in its JSON form.
    pub entrypoint: Vec<String>,
    /// `EXPOSE`.
    pub ports: Vec<u16>,
    /// `USER`, taken over from the base stage.
    pub user: String,
    /// `ENV`, one `NAME=value` a line.
    pub environment: BTreeMap<String, String>,
    /// Sources of each `COPY`, and the stage they come from; `None`: the build context.
    pub copies: Vec<(Option<String>, Vec<String>)>,
    /// `RUN` commands.
    pub commands: Vec<String>,
}

/// The stages by name.
pub fn stages() -> BTreeMap<String, Stage> {
    let mut stages: BTreeMap<String, Stage> = BTreeMap::new();
    let mut current = String::new();
    for (instruction, rest) in instructions(&file("Dockerfile")) {
        if instruction == "FROM" {
            let (base, stage) = rest.split_once(" AS ").expect("every stage has a name");
            stage.clone_into(&mut current);
            let inherited = stages.get(base).cloned().unwrap_or_default();
            let new = Stage { base: base.to_owned(), copies: Vec::new(), commands: Vec::new(), ..inherited };
            assert!(stages.insert(current.clone(), new).is_none(), "stage {current} is there twice");
            continue;
        }
        let stage = stages.get_mut(&current).expect("FROM comes first");
        match instruction.as_str() {
            "ENTRYPOINT" => {
                stage.entrypoint = serde_json::from_str(&rest).expect("the entry point is a JSON list");
            }
            "EXPOSE" => stage.ports.push(rest.parse().expect("a port")),
            "USER" => stage.user = rest,
            "ENV" => {
                let (name, value) = rest.split_once('=').expect("NAME=value");
                stage.environment.insert(name.to_owned(), value.to_owned());
            }
            "COPY" => {
                let mut words: Vec<String> = rest.split_whitespace().map(str::to_owned).collect();
                let from = words[0].strip_prefix("--from=").map(str::to_owned);
                words.drain(..usize::from(from.is_some()));
                words.pop();
                stage.copies.push((from, words));
            }
            "RUN" => stage.commands.push(rest),
            "WORKDIR" => {}
            other => panic!("the Dockerfile came to use {other}: teach this test"),
        }
    }
    stages
}

/// Instructions with their continuation lines joined and without comments.
fn instructions(text: &str) -> Vec<(String, String)> {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.starts_with('#')).collect();
    lines
        .join("\n")
        .replace("\\\n", " ")
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(instruction, rest)| {
            (instruction.to_owned(), rest.split_whitespace().collect::<Vec<_>>().join(" "))
        })
        .collect()
}
