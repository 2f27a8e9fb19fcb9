//! The endpoints behind everything that a request passes through.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use chassis::origin::AllowedOrigins;
use chassis::{Auth, Health, Metrics};
use http_body_util::BodyExt;
use proto_schemas::v1::Gpu;
use proto_schemas::{event, json};
use tower::ServiceExt;

use super::*;

struct Fixture {
    router: Router,
    gpu: watch::Sender<Option<Sample<GpuState>>>,
    system: watch::Sender<Option<Sample<SystemState>>>,
    nodes: watch::Sender<NodeTable>,
}

impl Fixture {
    fn new() -> Self {
        let (gpu, gpu_samples) = watch::channel(None);
        let (system, system_samples) = watch::channel(None);
        let (nodes, table) = watch::channel(NodeTable::new("own.node"));
        let api = Api { node: "own.node".into(), gpu: gpu_samples, system: system_samples, nodes: table };
        let router = chassis::http::router(
            routes(api),
            &Health::new("gpu-monitor"),
            &Metrics::new(),
            &Auth::open(),
            &AllowedOrigins::default(),
        );
        Self { router, gpu, system, nodes }
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }
}

fn taken<T>(value: T, age: Duration) -> Option<Sample<T>> {
    Some(Sample { value, taken_at: Instant::now().checked_sub(age).unwrap() })
}

#[tokio::test]
async fn the_last_sample_is_answered_with_its_age_and_without_what_is_not_known() {
    let fixture = Fixture::new();
    let (status, body) = fixture.get("/api/system/load").await;
    assert!(status == 503 && body.contains("no_sample_yet"), "{status} {body}");

    let state = SystemState {
        node: "own.node".to_owned(),
        memory_total_bytes: Some(4_294_967_296.0),
        load_1m: Some(0.0),
        ..SystemState::default()
    };
    fixture.system.send_replace(taken(state, Duration::from_secs(3_600)));
    let (status, body) = fixture.get("/api/system/load?node=own.node").await;
    assert_eq!(status, 200);
    let expected =
        r#"{"node":"own.node","load_1m":0,"memory_total_bytes":4294967296,"time":"","age_ms":3600"#;
    assert!(body.starts_with(expected), "{body}");
    assert_eq!(
        body.matches('.').count(),
        1,
        "only the name has a dot, whole numbers have no fraction: {body}"
    );
}

#[tokio::test]
async fn another_node_is_answered_for_once_it_was_heard() {
    let fixture = Fixture::new();
    let (status, body) = fixture.get("/api/system/gpu?node=far.node").await;
    assert!(status == 404 && body.contains("unknown_node") && body.contains("far.node"), "{status} {body}");

    let gpu = Gpu { index: 0, name: "x".to_owned(), utilization_percent: Some(50.0), ..Gpu::default() };
    let state = GpuState {
        node: "far.node".to_owned(),
        source: "simulator".to_owned(),
        gpus: vec![gpu],
        time: String::new(),
    };
    fixture.nodes.send_modify(|table| {
        table.hear(&event::state_gpu("far.node"), &json::to_vec(&state), Instant::now()).unwrap();
    });
    let (status, body) = fixture.get("/api/system/gpu?node=far.node").await;
    assert_eq!(status, 200, "{body}");
    assert!(body.contains(r#""gpus":[{"index":0,"name":"x","utilization_percent":50}]"#), "{body}");
    let (status, _) = fixture.get("/api/system/load?node=far.node").await;
    assert_eq!(status, 404, "its load was never told");
}

#[tokio::test]
async fn no_gpu_is_an_empty_list() {
    let fixture = Fixture::new();
    let state = GpuState { node: "own.node".to_owned(), source: "none".to_owned(), ..GpuState::default() };
    fixture.gpu.send_replace(taken(state, Duration::ZERO));
    let (status, body) = fixture.get("/api/system/gpu").await;
    assert!(status == 200 && body.starts_with(r#"{"node":"own.node","source":"none","gpus":[],"#), "{body}");
}
