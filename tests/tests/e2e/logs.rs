//! Log records of the services, as clients follow them on `logs.<service>.<level>`.

use bywash_tests::platform::Platform;
use bywash_tests::service::{Kind, Service};
use bywash_tests::sse::{Sse, SseEvent};
use bywash_tests::wait::eventually;
use serde_json::{Value, json};

const FOLLOW_ALL: &str = "topics=logs.%3E";
const KNOWLEDGE_BASE_WARNINGS: &str = "logs.knowledge-base.warn";

/// The first record on `topic` whose message begins so.
async fn record(sse: &Sse, topic: &str, begin: &str) -> Value {
    let wanted = |event: &SseEvent| {
        event.is_of(topic)
            && event.data["data"]["message"].as_str().is_some_and(|text| text.starts_with(begin))
    };
    let event = sse.events.first(&format!("a record {begin:?} on {topic}"), wanted).await;
    assert_eq!(event.data["type"], "log");
    event.data["data"].clone()
}

/// Records of a service that arrived so far.
fn count_of(sse: &Sse, service: &str) -> usize {
    sse.events.all().iter().filter(|event| event.data["data"]["service"] == service).count()
}

/// The value of a metric with these labels.
async fn metric(service: &Service, name: &str) -> Result<u64, String> {
    let text = reqwest::get(service.url("/metrics")).await.unwrap().text().await.unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
    value.ok_or_else(|| format!("no {name} in:\n{text}"))
}

#[tokio::test]
async fn a_warning_of_the_knowledge_base_reaches_who_follows_logs() {
    let platform = Platform::facts_to_clients().await;
    let sse = Sse::open(&platform.stream_url(FOLLOW_ALL)).await;
    sse.named("ready").await;
    platform.add_fact().await;
    let jetstream = async_nats::jetstream::new(platform.nats.client().await);

    jetstream.delete_stream("KB").await.unwrap();
    platform.add_fact().await;

    let record = record(&sse, KNOWLEDGE_BASE_WARNINGS, "began a new epoch").await;
    assert_eq!(
        (&record["level"], &record["logger"]),
        (&json!("WARN"), &json!("knowledge_base::relay::stream"))
    );
    assert_eq!((&record["service"], &record["instance"]), (&json!("knowledge-base"), &json!("test")));
    assert!(record["filename"].as_str().is_some_and(|file| file.ends_with("stream.rs")), "{record}");
    assert!(record["lineno"].as_u64().is_some_and(|line| line > 0), "{record}");
    assert!(record["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')), "{record}");
    let fields = &record["fields"];
    assert!(fields["reason"].is_string() && fields["first"].is_string(), "{record}");
    let (_, count) = platform.get(Kind::KnowledgeBase, "/api/facts/count").await;
    assert_eq!(fields["epoch"], count["epoch"]);
    let service = platform.service(Kind::KnowledgeBase);
    assert!(metric(service, "bywash_log_records_published_total").await.unwrap() > 0);
    assert_eq!(metric(service, r#"bywash_log_records_dropped_total{reason="rate"}"#).await, Ok(0));
}

#[tokio::test]
async fn what_is_said_at_the_start_and_at_the_end_is_told_whatever_characters_it_has() {
    const ODD: &str = "BYWASH_ODD\r\n\"quoted\"\\\u{1b}[31m";
    let platform = Platform::builder().with(Kind::PushGateway).start().await;
    let sse = Sse::open(&platform.stream_url(FOLLOW_ALL)).await;
    sse.named("ready").await;
    let mut governor = Service::new(Kind::Governor, &platform.nats.url());
    governor.set(ODD, "1").start().await;

    // It is said before the connection to NATS is begun.
    let warning = record(&sse, "logs.governor.warn", "unknown setting").await;
    assert!(warning["message"].as_str().unwrap().contains(ODD), "{warning}");
    assert!(governor.terminate().await.success());
    record(&sse, "logs.governor.info", "stopped").await;

    // Where records are not pushed, none comes before the witness that is published after them.
    governor.set("BYWASH_LOG_PUSH", "off").start().await;
    let before = count_of(&sse, "governor");
    assert!(governor.terminate().await.success());
    let witness = json!({"service": "witness"}).to_string();
    let jetstream = async_nats::jetstream::new(platform.nats.client().await);
    jetstream.publish("logs.witness.info", witness.into()).await.unwrap().await.unwrap();
    sse.events.first("the witness", |event| event.is_of("logs.witness.info")).await;
    assert_eq!(count_of(&sse, "governor"), before);
}

#[tokio::test]
async fn a_gateway_whose_own_records_are_followed_does_not_feed_itself() {
    const RECORDS: usize = 50;
    // A handful of words a second may be said by what runs on its own; each record that made another would make many.
    const SAID_MAX: usize = 25;
    let platform = Platform::builder()
        .with(Kind::PushGateway)
        .set_all("BYWASH_LOG_PUSH", "trace")
        .set(Kind::PushGateway, "BYWASH_CHECKPOINT_INTERVAL_S", "1")
        .start()
        .await;
    let sse = Sse::open(&platform.stream_url(FOLLOW_ALL)).await;
    sse.named("ready").await;
    let checkpoints = |all: &[SseEvent]| all.iter().filter(|event| event.is_named("checkpoint")).count();
    sse.events.wait("a checkpoint", |all| (checkpoints(all) >= 1).then_some(())).await;
    let before = count_of(&sse, "push-gateway");

    let client = platform.nats.client().await;
    for number in 0..RECORDS {
        let text = json!({"service": "witness", "message": number.to_string()}).to_string();
        client.publish("logs.witness.debug", text.into()).await.unwrap();
        // Of each of these the gateway says in its log that it is dropped.
        client.publish("logs.witness.trace", "no JSON".into()).await.unwrap();
    }
    sse.events
        .wait("every record", |all| {
            (all.iter().filter(|event| event.is_of("logs.witness.debug")).count() == RECORDS).then_some(())
        })
        .await;
    let seen = checkpoints(&sse.events.all());
    // Checkpoints are the clock: three seconds in which a loop would go round thousands of times.
    sse.events.wait("three more checkpoints", |all| (checkpoints(all) >= seen + 3).then_some(())).await;

    let gateway = platform.service(Kind::PushGateway);
    assert!(gateway.process().output().matches("logs.witness.trace").count() >= RECORDS);
    let said = count_of(&sse, "push-gateway") - before;
    assert!(said <= SAID_MAX, "{said} records of the gateway's own:\n{:#?}", sse.events.all());
}

#[tokio::test]
async fn records_are_left_out_and_counted_while_nats_is_away_and_followers_are_told_how_many() {
    let mut platform = Platform::builder().with(Kind::Governor).with(Kind::PushGateway).start().await;
    let sse = Sse::open(&platform.stream_url(FOLLOW_ALL)).await;
    sse.named("ready").await;

    platform.nats.kill();
    let dropped = eventually("records are left out", || async {
        // Each is a decision, and each decision a line in the log.
        let order = json!({"action": "set_mode", "mode": "off"});
        platform.post(Kind::Governor, "/api/governor/control", &order).await;
        let service = platform.service(Kind::Governor);
        match metric(service, r#"bywash_log_records_dropped_total{reason="nats"}"#).await? {
            0 => Err("none was left out".to_owned()),
            count => Ok(count),
        }
    })
    .await;
    platform.nats.restart().await;

    let told = sse
        .events
        .first("how many were left out", |event| {
            event.is_of("logs.governor.warn") && event.data["data"]["fields"]["suppressed"].is_string()
        })
        .await;
    let told = &told.data["data"];
    let counted: u64 = told["fields"]["suppressed"].as_str().unwrap().parse().unwrap();
    assert!(counted >= dropped, "{told}");
    assert_eq!(told["level"], "WARN");
}
