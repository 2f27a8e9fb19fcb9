//! The rendered objects, without starting anything.

use std::collections::BTreeSet;

use proto_schemas::STREAMS;
use serde_json::{Value, json};

use super::render::{
    EVERYTHING_VALUES, K8S_VALUES, file, helm_template, items, name, objects, of_kind, python_tool, render,
    root, run, tool,
};
use super::security::{missing_habits, violations_of_restricted};
use super::workload::{Pod, bytes, pods};

/// Both sets of values, with what they render.
fn renderings() -> [(&'static str, Vec<Value>); 2] {
    [K8S_VALUES, EVERYTHING_VALUES].map(|values| (values, render(values)))
}

#[test]
fn the_chart_lints() {
    for values in [K8S_VALUES, EVERYTHING_VALUES] {
        let linted = run(&tool("helm"), &["lint", "--strict", "charts/bywash", "--values", values]);
        linted.unwrap_or_else(|error| panic!("{values}: {error}"));
    }
}

#[test]
fn rendered_objects_satisfy_the_schemas_of_kubernetes() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    for (number, values) in [K8S_VALUES, EVERYTHING_VALUES].into_iter().enumerate() {
        let path = folder.join(format!("rendered-{number}.yaml"));
        std::fs::write(&path, helm_template(&["--values", values]).unwrap()).unwrap();
        let path = path.to_str().unwrap();
        let validated = run(&python_tool("kubernetes-validate"), &["--strict", path, "k8s/namespace.yaml"]);
        let text = validated.unwrap_or_else(|error| panic!("{values}: {error}"));
        let passed = text.lines().filter(|line| line.contains(" passed ")).count();
        assert_eq!(passed, render(values).len() + 1, "{values}: not every object was looked at:\n{text}");
    }
}

#[test]
fn the_schema_of_the_values_is_a_schema() {
    run(&python_tool("check-jsonschema"), &["--check-metaschema", "charts/bywash/values.schema.json"])
        .unwrap();
}

#[test]
fn the_plain_manifests_are_the_rendered_chart() {
    let rendered = helm_template(&["--values", K8S_VALUES]).unwrap();
    assert!(
        file("k8s/bywash.yaml") == rendered,
        "k8s/bywash.yaml is not the chart: run `cargo xtask render`"
    );
}

#[test]
fn without_keys_the_chart_says_what_is_missing() {
    let error = helm_template(&[]).unwrap_err();
    assert!(error.contains("API keys are missing") && error.contains("auth.existingSecret"), "{error}");
    let both = ["--set", "auth.existingSecret=keys", "--set", "auth.insecureOpen=true"];
    let error = helm_template(&both).unwrap_err();
    assert!(error.contains("exclude each other"), "{error}");
}

#[test]
fn values_that_do_not_exist_or_fit_are_refused() {
    for (value, problem) in [
        ("natz.replicas=3", "natz"),
        ("nats.replicas=2", "replicas"),
        ("gpuMonitor.source=nvml", "source"),
        ("pushGateway.replicas=0", "replicas"),
        ("telemetry.otlpEndpoint=collector:4317", "otlpEndpoint"),
        ("nats.enabled=false", "nats.externalUrl"),
        ("knowledgeBase.replicas=2", "knowledgeBase.postgres.url"),
        ("knowledgeBase.postgres.url=localhost:5432", "url"),
    ] {
        let error = helm_template(&["--set", "auth.insecureOpen=true", "--set", value]).unwrap_err();
        assert!(error.contains(problem), "{value}: {error}");
    }
}

#[test]
fn knowledge_bases_that_share_a_database_are_several_and_read_its_password_from_a_file() {
    let objects = render(EVERYTHING_VALUES);
    let sets = of_kind(&objects, "StatefulSet");
    let set = sets.iter().find(|set| name(set).ends_with("-knowledge-base")).unwrap();
    assert_eq!(set["spec"]["replicas"], 2);
    let pod = pods(&objects).into_iter().find(|pod| pod.component == "knowledge-base").unwrap();
    let environment = pod.environment();
    let setting = |name: &str| environment.get(name).map(String::as_str);
    assert_eq!(setting("BYWASH_STORE"), Some("postgres"));
    assert!(setting("BYWASH_POSTGRES_URL").is_some_and(|url| url.starts_with("postgres://")));
    for file in ["BYWASH_POSTGRES_PASSWORD_FILE", "BYWASH_POSTGRES_CA_FILE"] {
        assert!(setting(file).is_some_and(|path| path.starts_with("/etc/bywash/postgres/")), "{file}");
    }
    let mounts = pod.spec["containers"][0]["volumeMounts"].as_array().unwrap();
    assert!(mounts.iter().any(|mount| mount["mountPath"] == "/etc/bywash/postgres"), "{mounts:?}");
    let single = pods(&render(K8S_VALUES)).into_iter().find(|pod| pod.component == "knowledge-base").unwrap();
    assert_eq!(single.environment().get("BYWASH_STORE").map(String::as_str), Some("sqlite"));
}

#[test]
fn an_open_installation_says_so_to_the_services_and_to_the_user() {
    let rendered = objects(&helm_template(&["--set", "auth.insecureOpen=true"]).unwrap());
    for pod in
        pods(&rendered).iter().filter(|pod| pod.probe("readinessProbe").is_some() && pod.component != "nats")
    {
        let environment = pod.environment();
        assert_eq!(environment.get("BYWASH_INSECURE_OPEN").map(String::as_str), Some("true"), "{}", pod.name);
        assert!(!environment.contains_key("BYWASH_API_KEYS_FILE"), "{}", pod.name);
    }
}

#[test]
fn every_pod_is_restricted() {
    for (values, objects) in renderings() {
        let pods = pods(&objects);
        assert_eq!(pods.len(), 6, "{values}: the four services, the set-up and NATS");
        for pod in pods {
            assert_eq!(violations_of_restricted(&pod.spec), [""; 0], "{values}: {}", pod.name);
            assert_eq!(missing_habits(&pod.spec, pod.kind != "Job"), [""; 0], "{values}: {}", pod.name);
        }
    }
}

#[test]
fn the_check_for_restricted_pods_sees_each_breach() {
    let pod = pods(&render(K8S_VALUES)).remove(0);
    for (pointer, value) in [
        ("/hostNetwork", json!(true)),
        ("/hostPID", json!(true)),
        ("/volumes/0", json!({"name": "host", "hostPath": {"path": "/"}})),
        ("/securityContext/runAsNonRoot", json!(false)),
        ("/securityContext/runAsUser", json!(0)),
        ("/securityContext/seccompProfile/type", json!("Unconfined")),
        ("/containers/0/securityContext/allowPrivilegeEscalation", Value::Null),
        ("/containers/0/securityContext/capabilities/drop", json!([])),
        ("/containers/0/securityContext/privileged", json!(true)),
        ("/containers/0/ports/0/hostPort", json!(80)),
    ] {
        let mut spec = pod.spec.clone();
        match spec.pointer_mut(pointer) {
            Some(place) => *place = value,
            None => {
                let (parent, key) = pointer.rsplit_once('/').unwrap();
                spec.pointer_mut(parent).unwrap()[key] = value;
            }
        }
        assert_eq!(violations_of_restricted(&spec).len(), 1, "{pointer}");
    }
}

#[test]
fn every_service_and_ingress_path_leads_to_a_pod() {
    for (values, objects) in renderings() {
        let pods = pods(&objects);
        for service in of_kind(&objects, "Service") {
            let selected = selected(&pods, &service["spec"]["selector"]);
            assert_eq!(selected.len(), 1, "{values}: {} selects one workload", name(service));
            for port in items(&service["spec"]["ports"]) {
                let target = selected[0].port(&port["targetPort"]);
                assert_eq!(target.map(u64::from), port["port"].as_u64(), "{values}: {}", name(service));
            }
        }
        for ingress in of_kind(&objects, "Ingress") {
            for path in items(&ingress["spec"]["rules"][0]["http"]["paths"]) {
                let backend = &path["backend"]["service"];
                let services = of_kind(&objects, "Service");
                let service = services.iter().find(|service| service["metadata"]["name"] == backend["name"]);
                let service = service.unwrap_or_else(|| panic!("{path} leads nowhere"));
                assert_eq!(service["spec"]["ports"][0]["port"], backend["port"]["number"], "{path}");
            }
        }
        for set in of_kind(&objects, "StatefulSet") {
            let governing = of_kind(&objects, "Service")
                .into_iter()
                .any(|one| one["metadata"]["name"] == set["spec"]["serviceName"]);
            assert!(governing, "{values}: {} has its service", name(set));
        }
        for pod in &pods {
            let accounts = of_kind(&objects, "ServiceAccount");
            let account =
                accounts.iter().find(|one| one["metadata"]["name"] == pod.spec["serviceAccountName"]);
            let account = account.unwrap_or_else(|| panic!("{values}: {} has its account", pod.name));
            assert_eq!(account["automountServiceAccountToken"], false);
        }
    }
}

fn selected<'a>(pods: &'a [Pod], selector: &Value) -> Vec<&'a Pod> {
    let wanted = selector.as_object().expect("a service selects by labels");
    pods.iter().filter(|pod| wanted.iter().all(|(label, value)| pod.labels[label] == *value)).collect()
}

#[test]
fn workloads_select_their_own_pods_and_names_are_unique() {
    for (values, objects) in renderings() {
        let names: BTreeSet<_> = objects.iter().map(|one| (one["kind"].as_str(), name(one))).collect();
        assert_eq!(names.len(), objects.len(), "{values}: a name is there twice");
        assert!(
            objects.iter().all(|one| one["metadata"]["namespace"] == "bywash"),
            "{values}: every object says where"
        );
        let pods = pods(&objects);
        for object in &objects {
            let selector = &object["spec"]["selector"]["matchLabels"];
            if selector.is_object() {
                assert_eq!(selected(&pods, selector).len(), 1, "{values}: {}", name(object));
            }
        }
    }
}

#[test]
fn a_pod_has_longer_to_stop_than_its_service_takes() {
    for (values, objects) in renderings() {
        for pod in pods(&objects) {
            let environment = pod.environment();
            let seconds = |name: &str| environment.get(name).map_or(0, |text| text.parse::<u64>().unwrap());
            let drain = seconds("BYWASH_DRAIN_DELAY_S") + seconds("BYWASH_DRAIN_TIMEOUT_S");
            let grace = pod.spec["terminationGracePeriodSeconds"].as_u64().unwrap_or(30);
            assert!(
                grace > drain,
                "{values}: {} is killed after {grace} s while it drains for {drain} s",
                pod.name
            );
        }
    }
}

#[test]
fn the_set_up_changes_its_name_with_its_pod_only() {
    let job = |more: &[&str]| {
        let mut arguments = vec!["--values", K8S_VALUES];
        arguments.extend(more);
        let objects = objects(&helm_template(&arguments).unwrap());
        let jobs = of_kind(&objects, "Job");
        assert_eq!(jobs.len(), 1);
        assert!(
            jobs[0]["metadata"]["annotations"].is_null(),
            "a hook would keep `helm install --wait` from ending"
        );
        name(jobs[0]).to_owned()
    };
    assert_eq!(job(&[]), job(&["--set", "pushGateway.replicas=5"]));
    assert_ne!(job(&[]), job(&["--set", "image.tag=0.2.0"]));
}

#[test]
fn a_new_chart_version_restarts_no_pod() {
    for (values, objects) in renderings() {
        for pod in pods(&objects) {
            assert!(pod.labels["helm.sh/chart"].is_null(), "{values}: {}", pod.name);
            assert!(pod.labels["app.kubernetes.io/version"].is_null(), "{values}: {}", pod.name);
        }
    }
}

#[test]
fn the_dashboard_is_in_the_config_map_that_grafana_looks_for() {
    let objects = render(K8S_VALUES);
    let maps = of_kind(&objects, "ConfigMap");
    let map =
        maps.iter().find(|map| map["metadata"]["labels"]["grafana_dashboard"] == "1").expect("there is one");
    let shipped: Value =
        serde_json::from_str(map["data"]["bywash-requests-and-fanout.json"].as_str().unwrap()).unwrap();
    let source: Value =
        serde_json::from_str(&file("charts/bywash/dashboards/requests-and-fanout.json")).unwrap();
    assert_eq!(shipped, source);
}

/// Variables of the server with the passwords of its users.
const SERVER_PASSWORDS: [&str; 5] = [
    "PASSWORD_KNOWLEDGE_BASE",
    "PASSWORD_GOVERNOR",
    "PASSWORD_GPU_MONITOR",
    "PASSWORD_PUSH_GATEWAY",
    "PASSWORD_SETUP",
];

#[test]
fn the_configuration_of_a_nats_cluster_is_valid() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    for (number, (values, objects)) in renderings().into_iter().enumerate() {
        let maps = of_kind(&objects, "ConfigMap");
        let config =
            maps.iter().find_map(|map| map["data"]["nats.conf"].as_str()).expect("NATS has a configuration");
        let replicas = of_kind(&objects, "StatefulSet")
            .into_iter()
            .find(|set| name(set).ends_with("-nats"))
            .unwrap()["spec"]["replicas"]
            .clone();
        assert_eq!(config.contains("sync_interval: always"), replicas == 1, "{values}");
        assert_eq!(
            config.matches("nats://").count() as u64,
            replicas.as_u64().filter(|count| *count > 1).unwrap_or(0),
            "{values}"
        );
        let path = folder.join(format!("nats-{number}.conf"));
        std::fs::write(&path, config).unwrap();
        let checked = std::process::Command::new(tool("nats-server"))
            .args(["-t", "-c"])
            .arg(&path)
            .env("POD_NAME", "bywash-nats-0")
            .envs(SERVER_PASSWORDS.map(|name| (name, "secret")))
            .current_dir(root())
            .output()
            .unwrap();
        assert!(checked.status.success(), "{values}: {}", String::from_utf8_lossy(&checked.stderr));
    }
}

#[test]
fn what_nats_may_store_holds_all_streams_and_fits_its_volume() {
    for (values, objects) in renderings() {
        let sets = of_kind(&objects, "StatefulSet");
        let set = sets.iter().find(|set| name(set).ends_with("-nats")).expect("NATS is a StatefulSet");
        let volume = set["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"]
            .as_str()
            .unwrap();
        let memory = set["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"]
            .as_str()
            .unwrap();
        let maps = of_kind(&objects, "ConfigMap");
        let config =
            maps.iter().find_map(|map| map["data"]["nats.conf"].as_str()).expect("NATS has a configuration");
        let setting = |name: &str| config.split_once(&format!("{name}: ")).unwrap().1.lines().next().unwrap();
        let sum: i64 = STREAMS.iter().map(|spec| spec.max_bytes).sum();
        assert!(sum <= bytes(setting("max_file_store")), "{values}: the streams do not fit");
        assert!(bytes(setting("max_file_store")) < bytes(volume), "{values}: the volume is too small");
        assert!(
            bytes(setting("max_memory_store")) < bytes(memory),
            "{values}: the memory limit is too small"
        );
    }
}

#[test]
fn the_rings_of_a_gateway_take_less_than_half_of_its_memory() {
    for (values, objects) in renderings() {
        let pods = pods(&objects);
        let pod = pods.iter().find(|pod| pod.component == "push-gateway").expect("there is a gateway");
        let environment = pod.environment();
        let number = |name: &str| environment[name].parse::<i64>().unwrap();
        let rings =
            number("BYWASH_WORKERS") * number("BYWASH_RING_BYTES") * i64::try_from(STREAMS.len()).unwrap();
        let limit = bytes(pod.container()["resources"]["limits"]["memory"].as_str().unwrap());
        assert!(rings * 2 < limit, "{values}: {rings} bytes of {limit}");
    }
}

#[test]
fn whoever_creates_a_stream_knows_how_many_copies_it_has() {
    for pod in pods(&render(EVERYTHING_VALUES)) {
        let expected = ["setup", "knowledge-base"].contains(&pod.component.as_str()).then_some("3");
        let replicas = pod.environment().get("BYWASH_STREAM_REPLICAS").cloned();
        assert_eq!(replicas.as_deref(), expected, "{}", pod.name);
    }
}

#[test]
fn a_gateway_keeps_to_the_memory_of_its_container() {
    for (values, objects) in renderings() {
        let pods = pods(&objects);
        let pod = pods.iter().find(|pod| pod.component == "push-gateway").expect("there is a gateway");
        let limit = bytes(pod.container()["resources"]["limits"]["memory"].as_str().unwrap());
        assert_eq!(pod.environment()["BYWASH_MEMORY_BUDGET_BYTES"], limit.to_string(), "{values}");
    }
}

/// The Secret and the entry that a variable of the gateway comes from.
fn secret_of(objects: &[Value], variable: &str) -> (String, String) {
    let pods = pods(objects);
    let pod = pods.iter().find(|pod| pod.component == "push-gateway").expect("there is a gateway");
    let environment = items(&pod.container()["env"]);
    let found = environment.iter().find(|one| one["name"] == variable).expect("the gateway has it");
    let from = &found["valueFrom"]["secretKeyRef"];
    let text = |field: &str| from[field].as_str().expect("it comes from a Secret").to_owned();
    (text("name"), text("key"))
}

#[test]
fn all_gateways_sign_tickets_with_the_key_of_one_secret() {
    let made = render(EVERYTHING_VALUES);
    let (name_of_secret, entry) = secret_of(&made, "BYWASH_TICKET_KEY");
    let secrets = of_kind(&made, "Secret");
    let secret = secrets.iter().find(|secret| name(secret) == name_of_secret).expect("the chart makes it");
    let encoded = secret["data"][&entry].as_str().unwrap();
    assert!(encoded.len() * 3 / 4 >= 32, "the gateway refuses a key of fewer than 32 bytes: {encoded}");

    let given = render(K8S_VALUES);
    assert_eq!(secret_of(&given, "BYWASH_TICKET_KEY").0, "bywash-tickets");
    assert!(of_kind(&given, "Secret").is_empty(), "what is given is not made");
}

#[test]
fn a_certificate_for_the_services_makes_probes_and_scrapes_speak_tls() {
    for (values, objects) in renderings() {
        let scheme = if values == EVERYTHING_VALUES { json!("HTTPS") } else { Value::Null };
        for pod in pods(&objects).iter().filter(|pod| pod.component != "nats" && pod.kind != "Job") {
            for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
                assert_eq!(pod.container()[probe]["httpGet"]["scheme"], scheme, "{values}: {}", pod.name);
            }
            let files = ["BYWASH_TLS_CERT_FILE", "BYWASH_TLS_KEY_FILE"];
            let environment = pod.environment();
            let mounts = items(&pod.container()["volumeMounts"]);
            for file in files.iter().filter_map(|name| environment.get(*name)) {
                let folder = file.rsplit_once('/').unwrap().0;
                assert!(mounts.iter().any(|mount| mount["mountPath"] == folder), "{values}: {file}");
            }
            let has_files = files.iter().all(|name| environment.contains_key(*name));
            assert_eq!(has_files, !scheme.is_null(), "{values}: {}", pod.name);
            let scraped = &pod.annotations["prometheus.io/scheme"];
            assert_eq!(scraped == "https", !scheme.is_null(), "{values}: {}", pod.name);
        }
    }
}

#[test]
fn keys_for_tokens_come_from_one_place_and_are_enough() {
    let open =
        ["--set", "auth.insecureOpen=true", "--set", "auth.jwt.jwksUrl=https://login.example.org/keys"];
    assert!(helm_template(&open).unwrap_err().contains("exclude each other"));
    let two =
        ["--set", "auth.jwt.existingSecret=keys", "--set", "auth.jwt.jwksUrl=https://login.example.org/keys"];
    assert!(helm_template(&two).unwrap_err().contains("exclude each other"));

    let tokens_only = ["--set", "auth.jwt.jwksUrl=https://login.example.org/keys"];
    for pod in pods(&objects(&helm_template(&tokens_only).unwrap())) {
        let environment = pod.environment();
        let asks = pod.kind != "Job" && pod.component != "nats";
        assert_eq!(environment.contains_key("BYWASH_JWT_JWKS_URL"), asks, "{}", pod.name);
        assert!(!environment.contains_key("BYWASH_API_KEYS_FILE"), "{}", pod.name);
    }
    let gateway = pods(&render(EVERYTHING_VALUES)).into_iter().find(|pod| pod.component == "push-gateway");
    let environment = gateway.expect("there is a gateway").environment();
    assert_eq!(environment["BYWASH_JWT_SECRET_FILE"], "/etc/bywash/jwt/key");
    assert_eq!(environment["BYWASH_JWT_AUDIENCE"], "bywash");
}

#[test]
fn polling_clients_stay_with_a_pod_where_that_is_asked_for() {
    for (more, expected) in
        [("ingress.cookieAffinity=true", json!("cookie")), ("ingress.enabled=true", Value::Null)]
    {
        let arguments = ["--values", K8S_VALUES, "--set", "ingress.enabled=true", "--set", more];
        let objects = objects(&helm_template(&arguments).unwrap());
        let ingresses = of_kind(&objects, "Ingress");
        let annotations = &ingresses[0]["metadata"]["annotations"];
        assert_eq!(annotations["nginx.ingress.kubernetes.io/affinity"], expected, "{more}");
        assert_eq!(annotations["nginx.ingress.kubernetes.io/proxy-buffering"], "off", "{more}");
    }
}
