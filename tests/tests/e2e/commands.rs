//! Commands over NATS: what the services answer, and what an asker is told when one does not.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bywash_tests::collector::Collector;
use bywash_tests::nats::Nats as NatsServer;
use bywash_tests::platform::{Platform, answer};
use bywash_tests::service::Kind;
use bywash_tests::wait::{DEADLINE, eventually};
use chassis::commands::{
    Answer, Asked, CommandError, CommandMetrics, Handler, Limits, Served, request, serve,
};
use chassis::shutdown::Trigger;
use chassis::{ApiError, CommonConfig, Identity, Metrics, Nats, Role, Shutdown};
use clap::Parser;
use proto_schemas::command::{self, header};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

/// Far beyond what an answer takes: an error that comes sooner did not wait for it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Somebody who asks, as the gateway does.
struct Asker {
    nats: Nats,
    identity: Identity,
    _stop: Trigger,
}

#[derive(Parser)]
struct Settings {
    #[command(flatten)]
    common: CommonConfig,
}

/// A connection as a service has it.
async fn connect(server: &NatsServer) -> (Nats, Trigger) {
    let settings = Settings::parse_from(["test", "--nats-url", &server.url()]);
    let (stop, shutdown) = Shutdown::manual();
    let nats = Nats::connect("test", &settings.common, &Metrics::new(), &shutdown).await.unwrap();
    nats.connected(&shutdown).await.unwrap();
    (nats, stop)
}

impl Asker {
    async fn new(server: &NatsServer, roles: &[Role]) -> Self {
        let (nats, stop) = connect(server).await;
        let identity = Identity::new("ada@example.org".to_owned(), roles.iter().copied());
        Self { nats, identity, _stop: stop }
    }

    async fn ask(&self, subject: &str, body: &Value) -> Result<Value, CommandError> {
        request(&self.nats, subject, body, &self.identity, PATIENCE).await
    }

    async fn code(&self, subject: &str, body: &Value) -> String {
        self.ask(subject, body)
            .await
            .map_or_else(|error| error.code().to_owned(), |answer| answer.to_string())
    }

    /// The answer, once the service has subscribed: it is ready without NATS.
    async fn answered(&self, subject: &str, body: &Value) -> Value {
        let ask = || async { self.ask(subject, body).await.map_err(|error| format!("{error:?}")) };
        eventually(&format!("an answer to {subject}"), ask).await
    }
}

/// Publishes a request with these very headers and bytes, and gives the reply.
async fn raw(server: &NatsServer, subject: &str, headers: &[(&str, &str)], body: &[u8]) -> Value {
    let mut map = async_nats::HeaderMap::new();
    for (name, value) in headers {
        map.insert(*name, *value);
    }
    let client = server.client().await;
    let sent = client.request_with_headers(subject.to_owned(), map, body.to_vec().into());
    serde_json::from_slice(&sent.await.unwrap().payload).unwrap()
}

/// The value of a counter of commands.
async fn counted(platform: &Platform, kind: Kind, labels: &str) -> String {
    let text = platform.http.get(platform.url(kind, "/metrics")).send().await.unwrap().text().await.unwrap();
    let line = format!("bywash_commands_total{{{labels}}} ");
    text.lines().find_map(|found| found.strip_prefix(&line)).unwrap_or("absent").to_owned()
}

const READER: [(&str, &str); 2] = [(header::USER, "ada"), (header::ROLES, "read")];

#[tokio::test]
async fn a_search_comes_in_pages_that_hold_every_result_once_and_in_order() {
    let instance = "kb-0.rack";
    let builder = Platform::builder().with(Kind::KnowledgeBase);
    let platform = builder.set(Kind::KnowledgeBase, "BYWASH_INSTANCE", instance).start().await;
    let asker = Asker::new(&platform.nats, &[Role::Read]).await;
    // Facts of different lengths have different ranks.
    let facts: String = (0..120).map(|n| format!("Tells(page, n{n}{}).\n", ", more".repeat(n % 7))).collect();
    let bulk = platform.http.post(platform.url(Kind::KnowledgeBase, "/api/facts/bulk"));
    let (_, report) = answer(bulk.header("content-type", "text/plain").body(facts)).await;
    assert_eq!(report["added"], 120, "{report}");

    let first = asker.answered(command::KB_SEARCH, &json!({"query": "page", "limit": 100})).await;
    assert_eq!((&first["instance"], &first["adapter"]), (&json!(instance), &json!("primary")));
    let mut items = first["items"].as_array().unwrap().clone();
    assert_eq!((items.len(), &first["total"]), (50, &json!(100)), "50 are a page");
    let cursor = json!({"cursor": first["next"]});
    let second = asker.ask(&command::kb_next(instance), &cursor).await.unwrap();
    assert_eq!(second.get("next"), None, "the last page: {second}");
    items.extend(second["items"].as_array().unwrap().iter().cloned());

    let (_, found) =
        platform.post(Kind::KnowledgeBase, "/api/search", &json!({"query": "page", "limit": 100})).await;
    let ids = |items: &[Value]| items.iter().map(|item| item["id"].as_u64().unwrap()).collect::<Vec<_>>();
    assert_eq!(ids(&items), ids(found["results"].as_array().unwrap()), "what HTTP finds, in its order");
    assert_eq!(ids(&items).into_iter().collect::<BTreeSet<_>>().len(), 100, "each once");
    let scores: Vec<f64> = items.iter().map(|item| item["score"].as_f64().unwrap()).collect();
    assert!(scores[0] == 1.0 && scores.is_sorted_by(|a, b| a >= b) && scores[99] > 0.0, "{scores:?}");
    assert_eq!(items[0]["content"], items[0]["statement"], "{}", items[0]);

    for cursor in [cursor, json!({"cursor": "x-50"})] {
        assert_eq!(asker.code(&command::kb_next(instance), &cursor).await, "cursor_expired", "{cursor}");
    }
    let elsewhere = asker.code(&command::kb_next("kb-1.rack"), &json!({"cursor": "x-50"})).await;
    assert_eq!(elsewhere, "not_available", "an instance that does not run");
    let next = counted(&platform, Kind::KnowledgeBase, r#"command="kb.next",outcome="ok""#).await;
    assert_eq!(next, "1");
}

#[tokio::test]
async fn a_walk_comes_in_pages_of_one_moment_and_says_where_it_was_cut() {
    let platform = Platform::builder().with(Kind::KnowledgeBase).start().await;
    let asker = Asker::new(&platform.nats, &[Role::Read]).await;
    let facts: String = (0..1_200).map(|n| format!("Knows(hub, n{n}).\n")).collect();
    let bulk = platform.http.post(platform.url(Kind::KnowledgeBase, "/api/facts/bulk"));
    let (_, report) = answer(bulk.header("content-type", "text/plain").body(facts)).await;
    let path = format!("/api/facts/stats?min_revision={}", report["revision"]);
    platform.get(Kind::KnowledgeBase, &path).await;

    let mut page = asker.answered(command::KB_TRAVERSE, &json!({"start_vertex": "hub"})).await;
    let next_subject = command::kb_next(page["instance"].as_str().unwrap());
    assert_eq!((&page["total_nodes"], &page["total_edges"]), (&json!(1_201), &json!(1_200)), "{page}");
    let (mut items, mut pages) = (page["items"].as_array().unwrap().clone(), 1);
    while let Some(cursor) = page.get("next") {
        platform.add(&format!("Knows(hub, late{pages}).")).await;
        page = asker.ask(&next_subject, &json!({"cursor": cursor})).await.unwrap();
        items.extend(page["items"].as_array().unwrap().iter().cloned());
        pages += 1;
    }
    assert_eq!((items.len(), pages), (2_401, 5), "500 are a page");
    assert_eq!(items[0], json!({"node": {"key": "hub", "label": "hub", "depth": 0}}));
    assert_eq!(items[1]["node"]["depth"], 1, "{}", items[1]);
    let edge = json!({"edge": {"from": "hub", "to": items[1]["node"]["key"], "type": "Knows", "fact_id": 1}});
    assert_eq!(items[2], edge);
    assert!(!items.iter().any(|item| item.to_string().contains("late")), "the pages are of one moment");

    let few = json!({"start_vertex": "hub", "limit": 3, "edge_collection": "Knows,Other"});
    let cut = asker.answered(command::KB_TRAVERSE, &few).await;
    assert_eq!((&cut["total_nodes"], &cut["truncated"]), (&json!(3), &json!("nodes")), "{cut}");
}

#[tokio::test]
async fn the_state_of_each_service_is_answered_without_what_is_not_known() {
    let platform = Platform::builder()
        .with(Kind::KnowledgeBase)
        .with(Kind::Governor)
        .with(Kind::GpuMonitor)
        .set(Kind::GpuMonitor, "BYWASH_NODE", "node.one")
        .start()
        .await;
    let asker = Asker::new(&platform.nats, &[Role::Read]).await;
    let added = platform.add_fact().await;
    let status = asker.answered(command::KB_STATUS, &json!({})).await;
    assert_eq!((&status["fact_count"], &status["epoch"]), (&json!(1), &json!(added.epoch)), "{status}");
    assert_eq!(status.get("relay_lag_seconds"), None, "{status}");
    let figures = || async {
        let status = asker.answered(command::KB_STATUS, &json!({})).await;
        let counted = status["unique_predicates"] == 1 && status["unique_entities"].as_f64() > Some(0.0);
        let kept = ["growth_rate", "connectivity", "entropy"].iter().all(|name| status[name].is_number());
        if counted && kept { Ok(()) } else { Err(status.to_string()) }
    };
    eventually("the graph's figures of one fact", figures).await;
    let status = asker.answered(command::GOVERNOR_STATUS, &json!({})).await;
    assert_eq!((&status["running"], &status["mode"]), (&json!(true), &json!("dry_run")), "{status}");
    let status = asker.answered(&command::gpu_status("node.one"), &json!({})).await;
    assert_eq!((&status["node"], &status["gpu"]["source"]), (&json!("node.one"), &json!("none")), "{status}");
    assert!(
        status["system"]["memory_total_bytes"].is_number() && status["system_age_ms"].is_number(),
        "{status}"
    );
}

#[tokio::test]
async fn a_command_that_makes_no_sense_is_answered_with_its_code() {
    let platform = Platform::builder().with(Kind::KnowledgeBase).start().await;
    let asker = Asker::new(&platform.nats, &[Role::Read]).await;
    asker.answered(command::KB_STATUS, &json!({})).await;
    let table: [(&str, Value, &str); 10] = [
        (command::KB_SEARCH, json!({"query": 7}), "invalid_body"),
        (command::KB_SEARCH, json!({}), "empty_query"),
        (command::KB_SEARCH, json!({"query": "a", "limit": 101}), "invalid_limit"),
        (command::KB_SEARCH, json!({"query": "a", "threshold": 2}), "invalid_threshold"),
        (command::KB_SEARCH, json!({"query": "a", "collection": "papers"}), "unknown_collection"),
        (command::KB_TRAVERSE, json!({}), "missing_entity"),
        (command::KB_TRAVERSE, json!({"start_vertex": "nobody"}), "unknown_entity"),
        (command::KB_TRAVERSE, json!({"start_vertex": "a", "direction": "up"}), "invalid_direction"),
        (command::KB_TRAVERSE, json!({"start_vertex": "a", "max_depth": 11}), "invalid_depth"),
        ("cmd.kb.drop", json!({}), "unknown_command"),
    ];
    for (subject, body, code) in table {
        assert_eq!(asker.code(subject, &body).await, code, "{subject} {body}");
    }
    let limit = asker.ask(command::KB_SEARCH, &json!({"query": "a", "limit": 0})).await.unwrap_err();
    assert_eq!(limit.details(), Some(&json!({"limit": 0, "max": 100})), "details pass through: {limit:?}");

    let large = vec![b' '; 17 * 1024];
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a [u8], &'a str);
    let table: [Case; 5] = [
        (&READER, b"{", "malformed_json"),
        (&READER, &large, "body_too_large"),
        (&[], b"{}", "invalid_header"),
        (&[(header::USER, "ada")], b"{}", "missing_role"),
        (&[READER[0], READER[1], (header::DEADLINE_MS, "0")], b"{}", "deadline_exceeded"),
    ];
    for (headers, body, code) in table {
        let reply = raw(&platform.nats, command::KB_SEARCH, headers, body).await;
        assert_eq!(reply["error"]["code"], code, "{headers:?}: {reply}");
    }
    let refused = counted(&platform, Kind::KnowledgeBase, r#"command="kb.search",outcome="missing_role""#);
    assert_eq!(refused.await, "1");
    let unknown = counted(&platform, Kind::KnowledgeBase, r#"command="unknown",outcome="unknown_command""#);
    assert_eq!(unknown.await, "1");
}

#[tokio::test]
async fn the_governor_is_controlled_only_by_who_has_the_role() {
    let engines = std::env::temp_dir().join(format!("bywash-command-engines-{}.json", std::process::id()));
    std::fs::write(&engines, r#"[{"name": "sleeper", "command": ["/bin/sleep", "600"]}]"#).unwrap();
    let platform = Platform::builder()
        .with(Kind::Governor)
        .set(Kind::Governor, "BYWASH_ENGINES_FILE", engines.to_str().unwrap())
        .set(Kind::Governor, "ENABLE_CONTROL_HTTP", "false")
        .start()
        .await;
    std::fs::remove_file(&engines).unwrap();
    let reader = Asker::new(&platform.nats, &[Role::Read, Role::Write]).await;
    let operator = Asker::new(&platform.nats, &[Role::Control]).await;
    reader.answered(command::GOVERNOR_STATUS, &json!({})).await;
    let enforce = json!({"action": "set_mode", "mode": "enforce"});
    let start = json!({"action": "start", "engine_id": "sleeper"});
    assert_eq!(reader.code(command::GOVERNOR_CONTROL, &enforce).await, "missing_role");
    assert_eq!(reader.code(command::GOVERNOR_ENGINE, &start).await, "missing_role");
    assert_eq!(reader.code(command::AGENT_START, &json!({})).await, "not_available");
    let (status, _) = platform.post(Kind::Governor, "/api/governor/control", &enforce).await;
    assert_eq!(status, 404, "control over HTTP is switched off, which commands do not mind");
    let (_, decisions) = platform.get(Kind::Governor, "/api/governor/decisions").await;
    assert_eq!(decisions["decisions_made"], 0, "{decisions}");

    let control = [
        (json!({"action": "dance"}), "unknown_action"),
        (json!({}), "unknown_action"),
        (json!({"action": "set_mode"}), "missing_mode"),
        (json!({"action": "start_engine", "engine": "x"}), "unknown_engine"),
    ];
    for (body, code) in control {
        assert_eq!(operator.code(command::GOVERNOR_CONTROL, &body).await, code, "{body}");
    }
    let engine = [
        (json!({"action": "dance", "engine_id": "sleeper"}), "unknown_action"),
        (json!({"action": "start"}), "missing_engine"),
        (start.clone(), "not_enforcing"),
    ];
    for (body, code) in engine {
        assert_eq!(operator.code(command::GOVERNOR_ENGINE, &body).await, code, "{body}");
    }
    let done = operator.ask(command::GOVERNOR_CONTROL, &enforce).await.unwrap();
    assert_eq!((&done["changed"], &done["status"]["mode"]), (&json!(true), &json!("enforce")), "{done}");
    let by = done["decisions"][0]["input"]["value"].as_str().unwrap();
    assert!(by.ends_with("by ada@example.org"), "{by}");
    let done = operator.ask(command::GOVERNOR_ENGINE, &start).await.unwrap();
    assert_eq!(done["status"]["engines"]["sleeper"]["running"], true, "{done}");
    let stop = json!({"action": "stop", "engine_id": "sleeper"});
    let done = operator.ask(command::GOVERNOR_ENGINE, &stop).await.unwrap();
    assert_eq!(done["decisions"][0]["action"], "stop_engine", "{done}");
}

#[tokio::test]
async fn who_asks_an_absent_service_is_told_at_once() {
    let mut server = NatsServer::start().await;
    let asker = Asker::new(&server, &[Role::Read]).await;
    let start = Instant::now();
    assert_eq!(asker.code(command::KB_STATUS, &json!({})).await, "not_available");
    assert!(start.elapsed() < PATIENCE / 2, "{:?}", start.elapsed());
    server.kill();
    let away = || async {
        let code = asker.code(command::KB_STATUS, &json!({})).await;
        if code == "not_available" && !asker.nats.is_connected() { Ok(()) } else { Err(code) }
    };
    eventually("NATS is away", away).await;
    let start = Instant::now();
    assert_eq!(asker.code(command::KB_STATUS, &json!({})).await, "not_available");
    assert!(start.elapsed() < PATIENCE / 2, "{:?}", start.elapsed());
}

#[tokio::test]
async fn who_asks_a_frozen_service_is_told_within_the_deadline() {
    let platform = Platform::builder().with(Kind::KnowledgeBase).start().await;
    let asker = Asker::new(&platform.nats, &[Role::Read]).await;
    asker.answered(command::KB_STATUS, &json!({})).await;
    platform.service(Kind::KnowledgeBase).process().freeze();
    let (start, deadline) = (Instant::now(), Duration::from_millis(300));
    let body = json!({});
    let asked = request::<Value>(&asker.nats, command::KB_STATUS, &body, &asker.identity, deadline).await;
    let error = asked.unwrap_err();
    assert_eq!(error.code(), "deadline_exceeded", "{error:?}");
    assert!((deadline..PATIENCE / 2).contains(&start.elapsed()), "{:?}", start.elapsed());
    platform.service(Kind::KnowledgeBase).process().thaw();
    asker.answered(command::KB_STATUS, &json!({})).await;
}

#[tokio::test]
async fn commands_are_answered_again_when_nats_is_back() {
    let mut platform = Platform::builder().with(Kind::KnowledgeBase).start().await;
    let asker = Asker::new(&platform.nats, &[Role::Read]).await;
    asker.answered(command::KB_STATUS, &json!({})).await;
    platform.nats.kill();
    platform.nats.restart().await;
    asker.answered(command::KB_STATUS, &json!({})).await;
}

#[tokio::test]
async fn a_command_is_part_of_its_asker_s_trace() {
    let collector = Collector::start().await;
    let platform = Platform::builder().with(Kind::KnowledgeBase).traced(&collector).start().await;
    let asker = Asker::new(&platform.nats, &[Role::Read]).await;
    asker.answered(command::KB_STATUS, &json!({})).await;
    let (trace, parent) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    let traceparent = format!("00-{trace}-{parent}-01");
    let headers = [READER[0], READER[1], ("traceparent", &traceparent)];
    raw(&platform.nats, command::KB_SEARCH, &headers, br#"{"query": "ada"}"#).await;
    let served = collector.span("the command's span", |span| span.parent_id == parent).await;
    assert_eq!((served.name.as_str(), served.trace_id.as_str()), ("answer kb.search", trace));
    assert_eq!(served.attribute("bywash.outcome"), Some("ok"));
    collector.span("the read within it", |span| span.parent_id == served.span_id).await;
}

/// Answers when the test lets it.
#[derive(Clone)]
struct Held {
    /// A permit for each command that said `hold` and is under way.
    holds: Arc<Semaphore>,
    /// A permit for each answer.
    answers: Arc<Semaphore>,
}

impl Handler for Held {
    async fn answer(&self, asked: Asked) -> Result<Answer, ApiError> {
        let said: String = asked.parse()?;
        assert_ne!(said, "panic", "as the test wants it");
        if said == "hold" {
            self.holds.add_permits(1);
        }
        self.answers.acquire().await.unwrap().forget();
        Ok(Answer::of(&json!({"said": said})))
    }
}

#[tokio::test]
async fn a_service_takes_no_more_than_its_limit_and_finishes_what_it_took() {
    let server = NatsServer::start().await;
    let asker = Arc::new(Asker::new(&server, &[Role::Read]).await);
    let (nats, _stop) = connect(&server).await;
    let (stop, shutdown) = Shutdown::manual();
    let held = Held { holds: Arc::new(Semaphore::new(0)), answers: Arc::new(Semaphore::new(0)) };
    let limits = Limits { at_once: 1, time_max: DEADLINE };
    let served = vec![Served { subject: "cmd.test.*".to_owned(), group: None }];
    let metrics = CommandMetrics::new(&Metrics::new());
    let serving = tokio::spawn(serve(nats, served, held.clone(), limits, metrics, shutdown));
    let is = async |wanted: &str, said: &str| {
        let code = asker.code("cmd.test.a", &json!(said)).await;
        if code == wanted { Ok(()) } else { Err(code) }
    };

    eventually("a panic is an answer too", || is("internal", "panic")).await;
    let soon = Duration::from_millis(100);
    let late = request::<Value>(&asker.nats, "cmd.test.a", &json!("late"), &asker.identity, soon).await;
    assert_eq!(late.unwrap_err().code(), "deadline_exceeded");

    // What was late makes room for the one that is held; the next is refused, and does not wait to be.
    let first = tokio::spawn({
        let asker = Arc::clone(&asker);
        async move { asker.answered("cmd.test.a", &json!("hold")).await }
    });
    tokio::time::timeout(DEADLINE, held.holds.acquire()).await.expect("it is under way").unwrap().forget();
    let start = Instant::now();
    assert_eq!(is("overloaded", "more").await, Ok(()));
    assert!(start.elapsed() < PATIENCE / 2, "{:?}", start.elapsed());

    stop.request();
    eventually("no new ones are taken", || is("not_available", "more")).await;
    assert!(!first.is_finished() && !serving.is_finished());
    held.answers.add_permits(1);
    assert_eq!(first.await.unwrap(), json!({"said": "hold"}), "what was under way is answered");
    serving.await.unwrap();
}
