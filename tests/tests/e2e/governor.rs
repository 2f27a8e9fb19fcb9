//! The governor and the GPU monitor as clients see them.

use bywash_tests::platform::Platform;
use bywash_tests::service::Kind;
use bywash_tests::sse::Sse;
use bywash_tests::wait::eventually;
use serde_json::json;

#[tokio::test]
async fn a_decision_appears_because_an_input_made_it_and_names_that_input() {
    let platform = Platform::builder().with(Kind::Governor).with(Kind::PushGateway).start().await;
    let sse = Sse::open(&platform.stream_url("topics=governor.decisions,state.governor")).await;
    sse.named("ready").await;
    let (status, body) = platform
        .post(Kind::Governor, "/api/governor/control", &json!({"action": "set_mode", "mode": "off"}))
        .await;
    assert!(status.is_success(), "{status}: {body}");

    let decided = |event: &bywash_tests::sse::SseEvent| {
        event.is_of("governor.decisions") && event.data["data"]["action"] == "set_mode"
    };
    let event = sse.events.first("the decision", decided).await;
    assert_eq!(event.data["type"], "governor_decision");
    let decision = &event.data["data"];
    assert_eq!(decision["input"]["name"], "operator", "{decision}");
    assert!(decision["input"]["value"].to_string().contains("off"), "{decision}");
    assert!(decision["input"]["observed_at"].is_string() && decision["id"].is_string(), "{decision}");
    let told = |event: &bywash_tests::sse::SseEvent| {
        event.is_of("state.governor") && event.data["data"]["mode"] == "off"
    };
    let state = sse.events.first("the governor's new state", told).await;
    assert_eq!(state.data["data"]["last_decision"]["id"], decision["id"]);
    assert_eq!(state.data["data"]["engines"], json!([]));
    let summary = state.data["data"]["summary"].to_string();
    assert!(summary.contains("nothing to start"), "without engines it says so: {summary}");
    let (_, status) = platform.get(Kind::Governor, "/api/governor/status").await;
    assert_eq!(status["mode"], "off", "{status}");
}

#[tokio::test]
async fn simulated_gpus_say_that_they_are_simulated_wherever_they_appear() {
    let platform = Platform::builder()
        .with(Kind::GpuMonitor)
        .with(Kind::PushGateway)
        .set(Kind::GpuMonitor, "BYWASH_GPU_SOURCE", "simulator")
        .set(Kind::GpuMonitor, "BYWASH_NODE", "node.one")
        .set(Kind::GpuMonitor, "BYWASH_SAMPLE_INTERVAL_MS", "100")
        .start()
        .await;
    let sse = Sse::open(&platform.stream_url("topics=state.>")).await;
    let gpus = sse.events.first("GPUs", |event| event.data["type"] == "gpu_state").await;
    assert_eq!(gpus.data["data"]["source"], "simulator");
    assert_eq!(gpus.data["data"]["gpus"].as_array().map(Vec::len), Some(2), "{gpus:?}");
    assert_eq!(gpus.data["topic"], "state.gpu.node=2Eone", "a dot in a node's name stays one token");
    let load = sse.events.first("the host's load", |event| event.data["type"] == "system_state").await;
    assert_eq!(load.data["data"]["node"], "node.one");
    let answered = eventually("the monitor's own answer", || async {
        let (status, body) = platform.get(Kind::GpuMonitor, "/api/system/gpu").await;
        if status.is_success() { Ok(body) } else { Err(body.to_string()) }
    })
    .await;
    assert_eq!(answered["source"], "simulator", "{answered}");
}

#[tokio::test]
async fn a_monitor_without_a_source_invents_no_gpu() {
    let platform = Platform::builder().with(Kind::GpuMonitor).start().await;
    let (status, body) = platform.get(Kind::GpuMonitor, "/api/system/gpu").await;
    assert!(status.is_success(), "{body}");
    assert_eq!((&body["source"], &body["gpus"]), (&json!("none"), &json!([])), "{body}");
}
