//! The Pod Security Standard "restricted", written as a check of a pod's spec, and what we ask of our pods beyond it.
//!
//! The rules are those of the standard's public definition for Linux pods; nothing is read from a cluster.

use serde_json::Value;

use super::render::items;

/// Volume types that "restricted" allows.
const VOLUMES: [&str; 8] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

/// What of `spec` the standard forbids, each in words.
pub fn violations_of_restricted(spec: &Value) -> Vec<String> {
    let mut violations = Vec::new();
    let mut check = |holds: bool, text: String| {
        if !holds {
            violations.push(text);
        }
    };
    let pod = &spec["securityContext"];
    for field in ["hostNetwork", "hostPID", "hostIPC"] {
        check(spec[field] != true, format!("{field} is set"));
    }
    for volume in items(&spec["volumes"]) {
        let kinds =
            volume.as_object().into_iter().flat_map(|volume| volume.keys()).filter(|key| *key != "name");
        for kind in kinds {
            check(VOLUMES.contains(&kind.as_str()), format!("a volume of type {kind}"));
        }
    }
    check(items(&pod["sysctls"]).is_empty(), "sysctls are set".to_owned());
    let all = items(&spec["initContainers"])
        .iter()
        .chain(items(&spec["containers"]))
        .chain(items(&spec["ephemeralContainers"]));
    for container in all {
        let own = &container["securityContext"];
        let either = |field: &str| if own[field].is_null() { &pod[field] } else { &own[field] };
        check(own["privileged"] != true, "privileged".to_owned());
        check(own["allowPrivilegeEscalation"] == false, "allowPrivilegeEscalation is not false".to_owned());
        check(either("runAsNonRoot") == true, "runAsNonRoot is not true".to_owned());
        check(either("runAsUser") != 0, "runAsUser is 0".to_owned());
        let seccomp = &either("seccompProfile")["type"];
        check(seccomp == "RuntimeDefault" || seccomp == "Localhost", format!("seccomp profile {seccomp}"));
        let capabilities = &own["capabilities"];
        check(
            items(&capabilities["drop"]).contains(&Value::from("ALL")),
            "not all capabilities are dropped".to_owned(),
        );
        let added = items(&capabilities["add"]);
        check(added.iter().all(|one| one == "NET_BIND_SERVICE"), "capabilities are added".to_owned());
        check(own["procMount"].is_null() || own["procMount"] == "Default", "procMount is set".to_owned());
        for port in items(&container["ports"]) {
            check(port["hostPort"].is_null(), "a host port".to_owned());
        }
    }
    violations
}

/// What our own pods leave out of the habits of this chart, each in words.
pub fn missing_habits(spec: &Value, is_service: bool) -> Vec<String> {
    let mut missing = Vec::new();
    let mut check = |holds: bool, text: &str| {
        if !holds {
            missing.push(text.to_owned());
        }
    };
    check(spec["automountServiceAccountToken"] == false, "automountServiceAccountToken is not false");
    check(spec["enableServiceLinks"] == false, "enableServiceLinks is not false");
    check(spec["serviceAccountName"].is_string(), "no service account of its own");
    for container in items(&spec["containers"]) {
        check(
            container["securityContext"]["readOnlyRootFilesystem"] == true,
            "the root file system is writable",
        );
        let resources = &container["resources"];
        check(resources["requests"]["cpu"].is_string(), "no CPU request");
        check(resources["requests"]["memory"].is_string(), "no memory request");
        check(resources["limits"]["memory"].is_string(), "no memory limit");
        let image = container["image"].as_str().unwrap_or_default();
        let tag = image.rsplit('/').next().and_then(|last| last.split_once(':')).map_or("", |(_, tag)| tag);
        check(!tag.is_empty() && tag != "latest", "the image's tag is not pinned");
        if is_service {
            for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
                check(container[probe]["httpGet"]["path"].is_string(), "a probe is missing");
            }
        }
    }
    missing
}
