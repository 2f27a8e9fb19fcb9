//! The endpoints behind everything that a request passes through, with the real loop behind them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use axum::Router;
use axum::body::Body;
use axum::http::Request as HttpRequest;
use chassis::origin::AllowedOrigins;
use chassis::shutdown::Trigger;
use chassis::{Auth, Health, Metrics, Shutdown};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::decide::{Band, Policy};
use crate::engines::EngineSpec;
use crate::governor::{Governor, Wiring};
use crate::heard::Heard;
use crate::metrics::GovernorMetrics;
use crate::outbox::{self, Pending};

struct Fixture {
    router: Router,
    requests: mpsc::Sender<Request>,
    trigger: Trigger,
    _pending: Pending,
    _heard: watch::Sender<Heard>,
}

impl Fixture {
    fn new(auth: &Auth, control: bool) -> Self {
        Self::with_program("/bin/sleep", auth, control)
    }

    fn with_program(program: &str, auth: &Auth, control: bool) -> Self {
        let band = Band { enter: 50.0, exit: 90.0 };
        let policy = Policy {
            load: band,
            growth: band,
            cooldown: Duration::ZERO,
            starts_per_hour: 100,
            stale_after: Duration::from_secs(60),
        };
        let engine = EngineSpec {
            name: "sleeper".into(),
            program: PathBuf::from(program),
            arguments: vec!["600".to_owned()],
            environment: BTreeMap::new(),
            max_run: Duration::from_secs(600),
            stop_grace: Duration::from_secs(5),
        };
        let metrics = GovernorMetrics::new(&Metrics::new());
        let (heard, hears) = watch::channel(Heard::default());
        let (requests, incoming) = mpsc::channel(4);
        let (outbox, pending) = outbox::outbox(metrics.outbox.clone());
        let wiring = Wiring { heard: hears, requests: incoming, outbox, metrics };
        let (governor, snapshots, _) = Governor::new(policy, vec![engine], "here", wiring);
        let (trigger, shutdown) = Shutdown::manual();
        tokio::spawn(governor.run(Duration::from_millis(5), shutdown));
        let api = Api { snapshots, requests: requests.clone(), stale_after: Duration::from_secs(60) };
        let router = chassis::http::router(
            routes(api, control),
            &Health::new("governor"),
            &Metrics::new(),
            auth,
            &AllowedOrigins::default(),
        );
        Self { router, requests, trigger, _pending: pending, _heard: heard }
    }

    async fn send(&self, request: HttpRequest<Body>) -> (u16, Value) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&body).into_owned();
        (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("not JSON: {text}")))
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.send(HttpRequest::get(path).body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, body: &str) -> (u16, Value) {
        let request = HttpRequest::post(path).header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }
}

#[tokio::test]
async fn a_command_that_makes_no_sense_says_why() {
    let fixture = Fixture::new(&Auth::open(), true);
    let table = [
        (r#"{"action":"dance"}"#, 422, "unknown_action"),
        (r#"{"action":"set_mode"}"#, 422, "missing_mode"),
        (r#"{"action":"set_mode","mode":"loud"}"#, 422, "unknown_mode"),
        (r#"{"action":"start_engine"}"#, 422, "missing_engine"),
        (r#"{"action":"start_engine","engine":"x"}"#, 404, "unknown_engine"),
        (r#"{"action":"start_engine","engine":"sleeper"}"#, 409, "not_enforcing"),
        (r#"{"action":"stop_engine","engine":"sleeper"}"#, 409, "engine_not_running"),
        (r#"{"engine":"sleeper"}"#, 422, "invalid_body"),
        ("{", 400, "malformed_json"),
    ];
    for (body, status, code) in table {
        let (seen, answer) = fixture.post("/api/governor/control", body).await;
        assert_eq!((seen, answer["error"]["code"].as_str()), (status, Some(code)), "{body}: {answer}");
    }
    let (status, answer) = fixture.get("/api/governor/decisions").await;
    assert_eq!((status, &answer["decisions_made"]), (200, &json!(0)), "none of them decided anything");
}

#[tokio::test]
async fn commands_are_followed_and_told_as_decisions_that_name_the_operator() {
    let fixture = Fixture::new(&Auth::open(), true);
    let control = "/api/governor/control";
    let (status, answer) = fixture.post(control, r#"{"action":"set_mode","mode":"enforce"}"#).await;
    assert_eq!((status, &answer["changed"]), (200, &json!(true)), "{answer}");
    let input = &answer["decisions"][0]["input"];
    assert_eq!((&input["name"], &input["value"]), (&json!("operator"), &json!("set_mode enforce by local")));
    assert_eq!(answer["status"]["mode"], "enforce");
    let (_, again) = fixture.post(control, r#"{"action":"set_mode","mode":"enforce"}"#).await;
    assert_eq!((&again["changed"], &again["decisions"]), (&json!(false), &json!([])));

    let (status, answer) = fixture.post("/api/engines/sleeper/start", "").await;
    assert_eq!(status, 200, "{answer}");
    let engine = &answer["status"]["engines"]["sleeper"];
    assert!(
        engine["running"] == json!(true) && engine["pid"].is_u64() && engine["runs"] == json!(1),
        "{engine}"
    );
    let (status, answer) = fixture.post("/api/engines/sleeper/start", "").await;
    assert_eq!((status, &answer["error"]["code"]), (409, &json!("engine_running")));
    let (status, answer) = fixture.post("/api/governor/stop", "").await;
    assert_eq!((status, &answer["decisions"][1]["action"]), (200, &json!("stop_engine")), "{answer}");

    let (_, answer) = fixture.get("/api/governor/decisions?limit=2").await;
    let actions: Vec<_> = answer["decisions"].as_array().unwrap().iter().map(|one| &one["action"]).collect();
    assert_eq!(actions, ["stop_engine", "set_mode"], "newest first");
    assert_eq!(answer["decisions_made"], 4);
    for bad in ["0", "257", "-1", "x"] {
        assert_eq!(fixture.get(&format!("/api/governor/decisions?limit={bad}")).await.0, 400, "{bad}");
    }
}

#[tokio::test]
async fn an_engine_that_cannot_start_is_no_success() {
    let fixture = Fixture::with_program("/no/such/program", &Auth::open(), true);
    fixture.post("/api/governor/control", r#"{"action":"set_mode","mode":"enforce"}"#).await;
    let (status, answer) = fixture.post("/api/engines/sleeper/start", "").await;
    assert_eq!((status, &answer["error"]["code"]), (500, &json!("engine_failed")), "{answer}");
    let (_, engine) = fixture.get("/api/engines/sleeper/status").await;
    assert_eq!((&engine["running"], &engine["runs"]), (&json!(false), &json!(1)), "{engine}");
}

#[tokio::test]
async fn a_governor_that_ended_says_so() {
    let fixture = Fixture::new(&Auth::open(), true);
    fixture.trigger.request();
    fixture.requests.closed().await;
    let (status, answer) = fixture.post("/api/governor/stop", "").await;
    assert_eq!((status, &answer["error"]["code"]), (503, &json!("stopping")), "{answer}");
}

#[tokio::test]
async fn status_has_no_value_for_what_was_not_heard() {
    let fixture = Fixture::new(&Auth::open(), true);
    let (status, answer) = fixture.get("/api/governor/status").await;
    assert_eq!((status, &answer["mode"], &answer["running"]), (200, &json!("dry_run"), &json!(true)));
    assert_eq!(answer["inputs"]["host_load"], json!({"stale": false}));
    assert_eq!(answer["engines"]["sleeper"], json!({"running": false, "runs": 0}));
    assert!(answer.get("last_decision").is_none(), "{answer}");
    let (status, answer) = fixture.get("/api/engines").await;
    assert_eq!((status, &answer["engines"][0]["name"]), (200, &json!("sleeper")), "{answer}");
    assert_eq!(fixture.get("/api/engines/x/status").await.0, 404);
}

#[tokio::test]
async fn control_can_be_switched_off_and_reads_stay() {
    let fixture = Fixture::new(&Auth::open(), false);
    for path in ["/api/governor/control", "/api/governor/stop", "/api/engines/sleeper/start"] {
        let (status, answer) = fixture.post(path, "{}").await;
        assert_eq!((status, answer["error"]["code"].as_str()), (404, Some("switched_off")), "{path}");
    }
    assert_eq!(fixture.get("/api/governor/status").await.0, 200);
}

#[tokio::test]
async fn a_key_that_may_read_may_not_control() {
    let path = std::env::temp_dir().join(format!("bywash-governor-keys-{}.json", std::process::id()));
    let keys = r#"{"keys":[{"id":"eyes","key":"0123456789abcdef","roles":["read"]}]}"#;
    std::fs::write(&path, keys).unwrap();
    let auth = Auth::from_file(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let fixture = Fixture::new(&auth, true);
    let send = async |request: axum::http::request::Builder, key: &str| {
        let request = request.header("x-api-key", key).header("content-type", "application/json");
        let (status, answer) = fixture.send(request.body(Body::from(r#"{"action":"stop"}"#)).unwrap()).await;
        (status, answer["error"]["code"].as_str().unwrap_or("").to_owned())
    };
    let (status_path, control) = ("/api/governor/status", "/api/governor/control");
    assert_eq!(send(HttpRequest::get(status_path), "0123456789abcdef").await.0, 200);
    assert_eq!(send(HttpRequest::get(status_path), "0123456789abcdeg").await, (401, "wrong_key".to_owned()));
    assert_eq!(send(HttpRequest::post(control), "0123456789abcdef").await, (403, "missing_role".to_owned()));
}
