//! What a kubelet would make of a rendered workload: one container's program, environment, volumes and probes.

use std::collections::BTreeMap;

use serde_json::Value;

use super::render::{items, name, of_kind};

/// Kinds that have a pod template.
pub const KINDS: [&str; 4] = ["StatefulSet", "Deployment", "DaemonSet", "Job"];

/// The node that all pods of a test run on: with dots, as real ones have.
const NODE: &str = "node-1.example.org";

/// What entries of Secrets hold that become environment.
pub const SECRET_TEXT: &str = "thirty-two-bytes-or-more-of-a-test";

/// A pod as its workload describes it. Every pod of the chart has one container.
#[derive(Debug, Clone)]
pub struct Pod {
    /// `StatefulSet`, `Deployment`, ...
    pub kind: String,
    /// The label `app.kubernetes.io/component`.
    pub component: String,
    /// Name of one pod of this workload.
    pub name: String,
    /// The pod's labels.
    pub labels: Value,
    /// The pod's annotations.
    pub annotations: Value,
    /// The pod's spec.
    pub spec: Value,
    /// The workload's volume claim templates.
    claims: Value,
}

/// A volume as the container sees it.
#[derive(Debug)]
pub struct Mount {
    /// Absolute path in the container.
    pub path: String,
    /// Whether the container may not write there.
    pub read_only: bool,
    /// Files that are there at start, with their access bits.
    pub files: Vec<(String, String, u32)>,
}

/// All pods of the rendered objects.
pub fn pods(objects: &[Value]) -> Vec<Pod> {
    objects
        .iter()
        .filter(|object| KINDS.contains(&object["kind"].as_str().unwrap_or_default()))
        .map(pod)
        .collect()
}

fn pod(workload: &Value) -> Pod {
    let template = &workload["spec"]["template"];
    let kind = workload["kind"].as_str().unwrap_or_default().to_owned();
    let suffix = if kind == "StatefulSet" { "0" } else { "x7k2p" };
    Pod {
        component: template["metadata"]["labels"]["app.kubernetes.io/component"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        name: format!("{}-{suffix}", name(workload)),
        labels: template["metadata"]["labels"].clone(),
        annotations: template["metadata"]["annotations"].clone(),
        spec: template["spec"].clone(),
        claims: workload["spec"]["volumeClaimTemplates"].clone(),
        kind,
    }
}

impl Pod {
    /// The one container.
    pub fn container(&self) -> &Value {
        let containers = items(&self.spec["containers"]);
        assert_eq!(containers.len(), 1, "{} has one container", self.name);
        &containers[0]
    }

    /// The container's arguments.
    pub fn arguments(&self) -> Vec<String> {
        assert!(self.container()["command"].is_null(), "{} runs its image's entry point", self.name);
        items(&self.container()["args"])
            .iter()
            .map(|one| one.as_str().expect("arguments are text").to_owned())
            .collect()
    }

    /// The container's environment, with the downward API and `$(NAME)` resolved.
    pub fn environment(&self) -> BTreeMap<String, String> {
        let mut environment: BTreeMap<String, String> = BTreeMap::new();
        for variable in items(&self.container()["env"]) {
            let from = &variable["valueFrom"];
            let mut value = if let Some(field) = from["fieldRef"]["fieldPath"].as_str() {
                self.field(field)
            } else if let Some(resource) = from["resourceFieldRef"]["resource"].as_str() {
                assert_eq!(resource, "limits.memory", "this test knows no other resource");
                bytes(self.container()["resources"]["limits"]["memory"].as_str().unwrap_or_default())
                    .to_string()
            } else if from["secretKeyRef"]["key"].is_string() {
                SECRET_TEXT.to_owned()
            } else {
                assert!(from.is_null(), "this test cannot resolve {variable}");
                variable["value"].as_str().expect("values of variables are text").to_owned()
            };
            for (earlier, text) in &environment {
                value = value.replace(&format!("$({earlier})"), text);
            }
            environment.insert(name_of(variable), value);
        }
        environment
    }

    fn field(&self, path: &str) -> String {
        match path {
            "metadata.name" => self.name.clone(),
            "metadata.namespace" => "bywash".to_owned(),
            "spec.nodeName" => NODE.to_owned(),
            "status.podIP" => "127.0.0.1".to_owned(),
            other => panic!("this test does not know the field {other}"),
        }
    }

    /// The number of a port that a probe, a service or an annotation names.
    pub fn port(&self, port: &Value) -> Option<u16> {
        let ports = items(&self.container()["ports"]);
        let found = match port {
            Value::String(wanted) => ports.iter().find(|one| one["name"] == *wanted)?,
            number => ports.iter().find(|one| one["containerPort"] == *number)?,
        };
        found["containerPort"].as_u64().and_then(|number| u16::try_from(number).ok())
    }

    /// Port and path of a probe over HTTP.
    pub fn probe(&self, probe: &str) -> Option<(u16, String)> {
        let get = &self.container()[probe]["httpGet"];
        Some((self.port(&get["port"])?, get["path"].as_str()?.to_owned()))
    }

    /// The container's volumes; `secrets` holds the entries of the Secrets that exist beside the chart.
    pub fn mounts(&self, objects: &[Value], secrets: &BTreeMap<&str, BTreeMap<&str, String>>) -> Vec<Mount> {
        let mounts = items(&self.container()["volumeMounts"]).iter();
        mounts.map(|mount| self.mount(mount, objects, secrets)).collect()
    }

    fn mount(
        &self,
        mount: &Value,
        objects: &[Value],
        secrets: &BTreeMap<&str, BTreeMap<&str, String>>,
    ) -> Mount {
        let path = mount["mountPath"].as_str().expect("a mount has a path").to_owned();
        let by_name = |list: &Value| items(list).iter().find(|one| name_of(one) == name_of(mount)).cloned();
        let Some(volume) = by_name(&self.spec["volumes"]) else {
            let claimed = items(&self.claims).iter().any(|claim| name(claim) == name_of(mount));
            assert!(claimed, "{} mounts {} that no volume provides", self.name, name_of(mount));
            return Mount { path, read_only: mount["readOnly"] == true, files: Vec::new() };
        };
        if let Some(source) = volume.get("secret") {
            let secret = source["secretName"].as_str().expect("a secret volume names its Secret");
            let entries =
                secrets.get(secret).unwrap_or_else(|| panic!("{} needs the Secret {secret}", self.name));
            let entries = entries.iter().map(|(key, text)| ((*key).to_owned(), text.clone())).collect();
            return Mount { path, read_only: true, files: projected(source, &entries) };
        }
        if let Some(source) = volume.get("configMap") {
            let maps = of_kind(objects, "ConfigMap");
            let map = maps.iter().find(|map| map["metadata"]["name"] == source["name"]);
            let map = map.unwrap_or_else(|| panic!("{} needs the ConfigMap {}", self.name, source["name"]));
            let entries = map["data"].as_object().expect("a ConfigMap has data").iter();
            let entries = entries
                .map(|(key, text)| (key.clone(), text.as_str().unwrap_or_default().to_owned()))
                .collect();
            return Mount { path, read_only: true, files: projected(source, &entries) };
        }
        assert!(volume.get("emptyDir").is_some(), "this test does not know the volume {volume}");
        Mount { path, read_only: mount["readOnly"] == true, files: Vec::new() }
    }
}

/// The files that a Secret or ConfigMap volume shows: its `items`, or all entries.
fn projected(source: &Value, entries: &BTreeMap<String, String>) -> Vec<(String, String, u32)> {
    let mode = source["defaultMode"].as_u64().and_then(|mode| u32::try_from(mode).ok()).unwrap_or(0o644);
    if source["items"].is_null() {
        return entries.iter().map(|(key, text)| (key.clone(), text.clone(), mode)).collect();
    }
    let text = |key: &str| entries.get(key).unwrap_or_else(|| panic!("there is no entry {key}")).clone();
    items(&source["items"])
        .iter()
        .map(|item| {
            (
                item["path"].as_str().unwrap_or_default().to_owned(),
                text(item["key"].as_str().unwrap_or_default()),
                mode,
            )
        })
        .collect()
}

/// `10Gi` and `9GiB` in bytes.
pub fn bytes(quantity: &str) -> i64 {
    let digits = quantity.find(|c: char| !c.is_ascii_digit()).unwrap_or(quantity.len());
    let shift = match quantity[digits..].trim_end_matches('B') {
        "Mi" => 20,
        "Gi" => 30,
        other => panic!("the unit {other} is new to this test"),
    };
    quantity[..digits].parse::<i64>().expect("a quantity begins with digits") << shift
}

fn name_of(named: &Value) -> String {
    named["name"].as_str().unwrap_or_default().to_owned()
}
