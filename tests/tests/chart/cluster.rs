//! The chart's pods, running: which program belongs to a pod's image, the order of their start, requests to them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bywash_tests::scratch::binary;
use serde_json::Value;

use super::dockerfile::{Stage, stages};
use super::render::{K8S_VALUES, name, of_kind, render, root, tool};
use super::sandbox::{Image, Running, Sandbox, wait};
use super::workload::{Pod, pods};

/// A key with every role, from the Secret that the chart is told of.
pub const KEY: &str = "the-key-of-the-chart-test";

/// More than any part needs to start on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(60);

/// The components that answer HTTP.
pub const SERVICES: [&str; 4] = ["knowledge-base", "governor", "gpu-monitor", "push-gateway"];

/// The chart's pods, one of each workload.
pub struct Cluster {
    objects: Vec<Value>,
    pods: Vec<Pod>,
    stages: BTreeMap<String, Stage>,
    sandbox: Sandbox,
    runtime: tokio::runtime::Runtime,
    client: reqwest::Client,
}

impl Cluster {
    /// Nothing runs yet.
    pub fn new(test: &str) -> Self {
        let objects = render(K8S_VALUES);
        let names: Vec<String> = of_kind(&objects, "Service")
            .into_iter()
            .flat_map(|service| {
                ["", ".bywash", ".bywash.svc.cluster.local"]
                    .map(|domain| format!("{}{domain}", name(service)))
            })
            .collect();
        Self {
            pods: pods(&objects),
            stages: stages(),
            sandbox: Sandbox::new(test, &names),
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime starts"),
            client: reqwest::Client::new(),
            objects,
        }
    }

    /// Everything the chart has, ready.
    pub fn ready(test: &str) -> Self {
        let mut cluster = Self::new(test);
        for component in ["nats", "setup"].into_iter().chain(SERVICES) {
            cluster.start(component);
        }
        for component in SERVICES {
            cluster.wait_for(component, "readinessProbe");
        }
        cluster
    }

    /// The pod of a component, as rendered.
    pub fn pod(&self, component: &str) -> &Pod {
        let pod = self.pods.iter().find(|pod| pod.component == component);
        pod.unwrap_or_else(|| panic!("the chart has no {component}"))
    }

    /// Starts a component's pod.
    pub fn start(&mut self, component: &str) {
        let pod = self.pod(component).clone();
        let keys =
            serde_json::json!({"keys": [{"id": "ops", "key": KEY, "roles": ["read", "write", "control"]}]});
        let secrets =
            BTreeMap::from([("bywash-api-keys", BTreeMap::from([("keys.json", keys.to_string())]))]);
        self.sandbox.start(&pod, &self.image(component), &pod.mounts(&self.objects, &secrets));
    }

    fn image(&self, component: &str) -> Image {
        if component == "nats" {
            let entrypoint = "/nats-server".to_owned();
            return Image {
                program: tool("nats-server"),
                entrypoint,
                environment: BTreeMap::new(),
                folders: Vec::new(),
            };
        }
        let stage = &self.stages[component];
        let entrypoint = stage.entrypoint[0].clone();
        let console = root().join("services/push-gateway/console/dist");
        let console = stage
            .environment
            .get("BYWASH_CONSOLE_DIR")
            .filter(|_| console.is_dir())
            .map(|path| (console, path.clone()));
        Image {
            program: binary(entrypoint.rsplit('/').next().unwrap_or_default()),
            entrypoint,
            environment: stage.environment.clone(),
            folders: console.into_iter().collect(),
        }
    }

    /// Waits until a probe of the component's pod succeeds, as the kubelet would see it.
    pub fn wait_for(&mut self, component: &str, probe: &str) {
        let (port, path) =
            self.pod(component).probe(probe).unwrap_or_else(|| panic!("{component} has no {probe}"));
        let url = format!("http://127.0.0.1:{port}{path}");
        let mut last = String::from("no answer");
        let end = Instant::now() + LIMIT;
        loop {
            match self.runtime.block_on(answer(self.client.get(&url))) {
                Ok((status, _)) if (200..400).contains(&status) => return,
                Ok((status, body)) => last = format!("{status} {body}"),
                Err(_) => {}
            }
            let ended = self.running(component).ended();
            let late = ended.is_some() || Instant::now() > end;
            assert!(!late, "{component}: {probe} {url}: {last}, ended: {ended:?}\n{}", self.logs());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn running(&mut self, component: &str) -> &mut Running {
        let running = self.sandbox.pods().iter_mut().find(|one| one.pod.component == component);
        running.unwrap_or_else(|| panic!("{component} was not started"))
    }

    /// Waits until a component's program has ended, and says whether it did so with success.
    pub fn wait_for_end(&mut self, component: &str, limit: Duration) -> bool {
        let logs = self.sandbox.logs();
        let running = self.running(component);
        wait(limit, || running.ended(), || format!("the end of {component}\n{logs}")).success()
    }

    /// Tells a component's program to stop, as the kubelet does.
    pub fn terminate(&mut self, component: &str) {
        self.running(component).terminate();
    }

    /// Why a component does not run as its pod asks; empty if it does.
    pub fn privileges(&mut self, component: &str) -> Vec<String> {
        self.running(component).privileges()
    }

    /// What a component's program wrote.
    pub fn log(&mut self, component: &str) -> String {
        self.running(component).log()
    }

    /// What all pods have said.
    pub fn logs(&self) -> String {
        self.sandbox.logs()
    }

    /// The address of a component.
    pub fn address(&self, component: &str) -> String {
        let port = self.pod(component).port(&Value::from("http")).expect("services have a port called http");
        format!("127.0.0.1:{port}")
    }

    /// `GET`, with the key or without: status and body.
    pub fn get(&self, component: &str, path: &str, with_key: bool) -> (u16, String) {
        let mut request = self.client.get(format!("http://{}{path}", self.address(component)));
        if with_key {
            request = request.bearer_auth(KEY);
        }
        self.answer(request)
    }

    /// `POST` of JSON with the key: status and body.
    pub fn post(&self, component: &str, path: &str, body: &Value) -> (u16, String) {
        let url = format!("http://{}{path}", self.address(component));
        self.answer(self.client.post(url).bearer_auth(KEY).json(body))
    }

    fn answer(&self, request: reqwest::RequestBuilder) -> (u16, String) {
        self.runtime.block_on(answer(request)).unwrap_or_else(|error| panic!("{error}\n{}", self.logs()))
    }

    /// Runs the client's side of a conversation in the pods' network.
    pub fn block_on<T>(&self, conversation: impl Future<Output = T>) -> T {
        self.runtime.block_on(conversation)
    }
}

async fn answer(request: reqwest::RequestBuilder) -> reqwest::Result<(u16, String)> {
    let response = request.timeout(Duration::from_secs(10)).send().await?;
    Ok((response.status().as_u16(), response.text().await?))
}
