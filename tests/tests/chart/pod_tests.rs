//! Every pod of the plain manifests, started as a kubelet would, and seen ready.

use std::time::{Duration, Instant};

use async_nats::ConnectOptions;
use bywash_tests::alone::alone;
use bywash_tests::dashboard::{empty_series, series};
use bywash_tests::sse::Sse;
use bywash_tests::wait::Inbox;
use bywash_tests::ws::Ws;
use serde_json::{Value, json};

use super::cluster::{Cluster, KEY, LIMIT, SERVICES};
use super::render::file;
use super::workload::SECRET_TEXT;

#[test]
fn every_pod_becomes_ready_in_any_order_and_stops_in_time() {
    alone("chart::pod_tests::every_pod_becomes_ready_in_any_order_and_stops_in_time", || {
        let mut cluster = Cluster::new("ready");
        // NATS last: the services and the set-up must wait for it, not fail.
        for component in SERVICES.into_iter().chain(["setup"]) {
            cluster.start(component);
        }
        for component in SERVICES {
            cluster.wait_for(component, "startupProbe");
            cluster.wait_for(component, "livenessProbe");
        }
        cluster.wait_for("knowledge-base", "readinessProbe");

        cluster.start("nats");
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            cluster.wait_for("nats", probe);
        }
        assert!(cluster.wait_for_end("setup", LIMIT), "{}", cluster.logs());
        for component in SERVICES {
            cluster.wait_for(component, "readinessProbe");
        }

        for component in SERVICES.into_iter().chain(["nats"]) {
            assert_eq!(cluster.privileges(component), [""; 0], "{component}");
        }
        assert_eq!(cluster.get("knowledge-base", "/api/status", false).0, 401, "{}", cluster.logs());
        assert_eq!(cluster.get("knowledge-base", "/api/status", true).0, 200, "{}", cluster.logs());

        for component in SERVICES.into_iter().chain(["setup"]) {
            for line in cluster.log(component).lines() {
                serde_json::from_str::<Value>(line)
                    .unwrap_or_else(|_| panic!("{component} logs JSON, not {line:?}"));
                assert!(!line.contains("unknown setting"), "{component}: {line}");
            }
        }

        for component in SERVICES {
            cluster.terminate(component);
        }
        for component in SERVICES {
            let grace = cluster.pod(component).spec["terminationGracePeriodSeconds"].as_u64().unwrap();
            assert!(
                cluster.wait_for_end(component, Duration::from_secs(grace)),
                "{component}\n{}",
                cluster.logs()
            );
        }
    });
}

#[test]
fn a_service_says_and_hears_on_nats_what_is_its_own_and_nothing_else() {
    alone("chart::pod_tests::a_service_says_and_hears_on_nats_what_is_its_own_and_nothing_else", || {
        let mut cluster = Cluster::ready("permissions");
        cluster.block_on(traffic(&cluster.address("knowledge-base"), &cluster.address("push-gateway")));
        let revoked = cluster.post("push-gateway", "/api/revocations", &json!({"id": "somebody"}));
        assert_eq!(revoked.0, 201, "{revoked:?}\n{}", cluster.logs());
        let published =
            cluster.post("push-gateway", "/api/publish", &json!({"topic": "app.room", "data": 1}));
        assert_eq!(published.0, 201, "{published:?}\n{}", cluster.logs());
        let controlled = cluster.post("governor", "/api/governor/stop", &json!({}));
        assert_eq!(controlled.0, 200, "{controlled:?}\n{}", cluster.logs());
        for component in SERVICES.into_iter().chain(["setup", "nats"]) {
            let log = cluster.log(component).to_lowercase();
            assert!(!log.contains("permissions violation"), "{component}\n{}", cluster.logs());
        }

        for (user, publish, subscribe) in [
            ("governor", "kb.facts", "kb.>"),
            ("gpu-monitor", "cmd.governor.control", "_INBOX_push-gateway.>"),
            ("knowledge-base", "$JS.API.STREAM.DELETE.APP", "cmd.governor.>"),
            ("push-gateway", "$JS.API.STREAM.DELETE.KB", "cmd.kb.>"),
            ("push-gateway", "governor.decisions", "$JS.>"),
        ] {
            let refused = cluster.block_on(refusals(user, publish, subscribe));
            assert_eq!(refused.len(), 2, "{user} may {publish} or {subscribe}: {refused:?}");
        }
        let stranger = ConnectOptions::new().connect(NATS);
        assert!(cluster.block_on(stranger).is_err(), "who has no password is not let in");
    });
}

/// NATS as the pods reach it.
const NATS: &str = "nats://127.0.0.1:4222";

/// A connection of a service's user.
fn nats_as(user: &str) -> ConnectOptions {
    ConnectOptions::with_user_and_password(user.to_owned(), SECRET_TEXT.to_owned())
}

/// What NATS says to `user` who publishes and subscribes so.
async fn refusals(user: &str, publish: &'static str, subscribe: &'static str) -> Vec<String> {
    let told: Inbox<String> = Inbox::default();
    let inbox = told.clone();
    let options = nats_as(user).event_callback(move |event| {
        if let async_nats::Event::ServerError(error) = event {
            inbox.push(error.to_string());
        }
        async {}
    });
    let client = options.connect(NATS).await.expect("the user is known");
    client.publish(publish, "{}".into()).await.expect("it is sent");
    let _subscription = client.subscribe(subscribe).await.expect("it is sent");
    told.wait(&format!("{user}: two refusals"), |all| (all.len() >= 2).then_some(())).await;
    told.all()
}

#[test]
fn the_dashboard_shows_something_after_traffic() {
    alone("chart::pod_tests::the_dashboard_shows_something_after_traffic", || {
        let cluster = Cluster::ready("dashboard");
        cluster.block_on(traffic(&cluster.address("knowledge-base"), &cluster.address("push-gateway")));
        let board = file("charts/bywash/dashboards/requests-and-fanout.json");
        let board: Value = serde_json::from_str(&board).unwrap();
        cluster.block_on(samples());
        // Samples of the services' own probes come a little later than the traffic.
        let end = Instant::now() + LIMIT;
        loop {
            let scraped: Vec<_> =
                SERVICES.iter().flat_map(|service| series(&scrape(&cluster, service))).collect();
            let empty = empty_series(&board, &scraped).unwrap();
            if empty.is_empty() {
                break;
            }
            assert!(Instant::now() < end, "{empty:#?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    });
}

/// A node whose samples come faster than they are told to clients.
async fn samples() {
    let client = nats_as("gpu-monitor").connect(NATS).await.expect("the user is known");
    for second in 10..60 {
        let time = format!("2026-01-01T00:00:{second}Z");
        let sample = json!({"node": "rack", "source": "simulator", "gpus": [], "time": time});
        client.publish("state.gpu.rack", sample.to_string().into()).await.expect("it is sent");
    }
    client.flush().await.expect("it is sent");
}

/// What people and programs do with the services: facts, searches, mistakes, streams that end and come back.
async fn traffic(knowledge_base: &str, gateway: &str) {
    let client = reqwest::Client::new();
    let stream =
        || client.get(format!("http://{gateway}/api/events/stream?topics=kb.facts,state.>")).bearer_auth(KEY);
    let first = Sse::send(stream()).await;
    first.named("ready").await;
    let address = gateway.parse().expect("an address");
    let authorization = format!("Bearer {KEY}");
    let mut socket =
        Ws::open_with(address, &[("authorization", &authorization)]).await.expect("the key is known");
    socket.send("subscribe", json!({"topics": ["kb.facts"]})).await;
    socket.send("ping", json!({})).await;
    socket.of_type("pong").await;
    for name in ["status", "search"] {
        socket.send("run_command", json!({"command": name, "arguments": {"query": "channel"}})).await;
        let carried_out =
            |message: &Value| message["type"] == "command_result" && message["payload"]["is_last"] == true;
        socket.json(name, carried_out).await;
    }

    let post = |path: &str, body: Value| {
        client.post(format!("http://{knowledge_base}{path}")).bearer_auth(KEY).json(&body).send()
    };
    let added = post("/api/facts", json!({"statement": "IsA(Bywash, Channel)."})).await.expect("it answers");
    assert_eq!(added.status(), 201);
    let revision = added.json::<Value>().await.expect("it is JSON")["revision"].as_u64().expect("a revision");
    let refused = post("/api/facts", json!({"statement": "IsA(Bywash"})).await.expect("it answers");
    assert_eq!(refused.status(), 422);
    post("/api/search", json!({"query": "channel"})).await.expect("it answers");
    first.with_sequence("kb.facts", revision).await;
    socket.json("the fact", |message| message.to_string().contains("IsA(Bywash, Channel)")).await;
    drop(socket);

    let token = first.token();
    drop(first);
    let resumed = Sse::send(stream().header("last-event-id", token)).await;
    assert_eq!(resumed.named("ready").await.data["resumed"], true);
    let no_ticket = client.get(format!("http://{gateway}/api/events/stream?ticket=of.another-installation"));
    assert_eq!(no_ticket.send().await.expect("it answers").status(), 401);
    let no_key = client.get(format!("http://{knowledge_base}/api/status")).send().await.expect("it answers");
    assert_eq!(no_key.status(), 401);
    let foreign = Sse::send(stream().header("last-event-id", "of-another-installation")).await;
    foreign.named("gap").await;
}

/// What Prometheus would get from a pod by the pod's annotations.
fn scrape(cluster: &Cluster, component: &str) -> String {
    let annotations = &cluster.pod(component).annotations;
    assert_eq!(annotations["prometheus.io/scrape"], "true");
    let address = cluster.address(component);
    assert!(
        annotations["prometheus.io/port"].as_str().is_some_and(|port| address.ends_with(&format!(":{port}")))
    );
    let path = annotations["prometheus.io/path"].as_str().expect("the path is annotated");
    let (status, text) = cluster.get(component, path, false);
    assert_eq!(status, 200, "{component}: {text}");
    text
}
