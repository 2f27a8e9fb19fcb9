//! Two thousand clients while all pods are replaced: each is told once, in its protocol's words, comes back once, and
//! misses nothing.

use std::ops::ControlFlow;
use std::time::Duration;

use async_nats::jetstream;
use bywash_tests::door::Door;
use bywash_tests::exact::Tally;
use bywash_tests::follower::{Client, Conversation, Follower, Kind, Line, Note, Source, Told};
use bywash_tests::nats::Nats;
use bywash_tests::platform::set_up;
use bywash_tests::service::{Kind as ServiceKind, Service};
use futures_util::future::join_all;
use proto_schemas::Stream;
use rustix::process::Signal;
use tokio::sync::{oneshot, watch};

const CLIENTS: usize = 2_000;
/// Subjects that events are published on; each client follows one, so each event goes to a hundred.
const SUBJECTS: usize = 20;
/// Clients that connect at once at the beginning.
const CONNECTING: usize = 100;
/// Time between two events: some for every subject while the pods are replaced.
const EVENT_INTERVAL: Duration = Duration::from_millis(20);

/// A pod that is ready.
async fn pod(nats: &Nats, name: &str) -> Service {
    let mut pod = Service::new(ServiceKind::PushGateway, &nats.url());
    pod.set("BYWASH_INSTANCE", name);
    pod.start().await;
    pod
}

fn subjects() -> Vec<String> {
    (0..SUBJECTS).map(|number| format!("app.rollout.{number}")).collect()
}

/// Publishes on one subject after the other until told to stop, then once on each.
async fn publish(mut source: Source, nats_url: String, mut stop: oneshot::Receiver<()>) -> Source {
    let jetstream = jetstream::new(async_nats::connect(nats_url).await.unwrap());
    let subjects = subjects();
    let mut pace = tokio::time::interval(EVENT_INTERVAL);
    for subject in subjects.iter().cycle() {
        let next = tokio::select! {
            _ = &mut stop => ControlFlow::Break(()),
            _ = pace.tick() => ControlFlow::Continue(()),
        };
        if next.is_break() {
            break;
        }
        source.publish(&jetstream, &[subject]).await;
    }
    source.publish(&jetstream, &subjects.iter().map(String::as_str).collect::<Vec<_>>()).await;
    source
}

/// What a client must have heard from the pod that it leaves.
fn is_sent_away(kind: Kind, words: &[&Told]) -> bool {
    match kind {
        Kind::Sse => matches!(words, [Told::Closing { retry_ms: Some(_) }]),
        Kind::Ws => matches!(words, [Told::Closing { retry_ms: Some(_) }, Told::Closed(1001)]),
        Kind::Centrifugo => matches!(words, [Told::Closed(3001)]),
    }
}

/// What is wrong with how a client was served.
fn judge(client: &Client, source: &Source) -> Result<Tally, String> {
    let notes = client.notes.all();
    let words: Vec<&Told> = notes
        .iter()
        .filter_map(|note| match note {
            Note::Told(told @ (Told::Closing { .. } | Told::Closed(_)), _) => Some(told),
            _ => None,
        })
        .collect();
    if !is_sent_away(client.kind, &words) {
        return Err(format!("{} was sent away with {words:?}", client.name()));
    }
    let came = notes.iter().filter(|note| **note == Note::Came).count();
    if came != 2 {
        return Err(format!("{} came {came} times", client.name()));
    }
    client.judge(|stream| source.truth(stream))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_pods_that_are_replaced_come_back_once_and_miss_nothing() {
    let nats = Nats::start().await;
    set_up(&nats).await;
    let mut old = [pod(&nats, "old-one").await, pod(&nats, "old-two").await];
    let door = Door::open(&old.each_ref().map(Service::addr)).await;
    let source = Source::new(0);
    let (_place, is_placed) = watch::channel(Some(door.addr()));
    let subjects = subjects();
    let mut clients = Vec::with_capacity(CLIENTS);
    for index in 0..CLIENTS {
        let conversation =
            Conversation::new(Kind::ALL[index % 3], vec![subjects[index % SUBJECTS].clone()], None);
        let follower = Follower::new(conversation, Line::default());
        clients.push(Client::run(follower, None, is_placed.clone(), &source.numbers));
        if clients.len() % CONNECTING == 0 {
            join_all(clients.iter().rev().take(CONNECTING).map(Client::ready)).await;
        }
    }
    let (stop, is_stopped) = oneshot::channel();
    let publishing = tokio::spawn(publish(source, nats.url(), is_stopped));

    let new = [pod(&nats, "new-one").await, pod(&nats, "new-two").await];
    door.lead_to(&new.each_ref().map(Service::addr));
    old.iter().for_each(|pod| pod.process().signal(Signal::TERM));
    for pod in &mut old {
        assert!(pod.process_mut().ended().await.success());
    }
    for client in &clients {
        let readies = |notes: &[Note]| {
            notes.iter().filter(|note| matches!(note, Note::Told(Told::Ready { .. }, _))).count()
        };
        let what = format!("{} is back", client.name());
        client.notes.wait(&what, |notes| (readies(notes) == 2).then_some(())).await;
    }
    stop.send(()).unwrap();
    let source = publishing.await.unwrap();

    let (mut wrong, mut events) = (Vec::new(), 0);
    for client in &clients {
        client.caught_up(|stream| source.truth(stream)).await;
        match judge(client, &source) {
            Ok(tally) if tally.gaps == 0 => events += tally.events,
            Ok(tally) => wrong.push(format!("{} was told {} gaps", client.name(), tally.gaps)),
            Err(error) => wrong.push(error),
        }
    }
    assert!(
        wrong.is_empty(),
        "{} clients were served wrong: {:#?}",
        wrong.len(),
        &wrong[..wrong.len().min(3)]
    );
    let published = source.truth(Stream::App).bounds().map_or(0, |(_, last)| last);
    assert!(events >= published * (CLIENTS / SUBJECTS) as u64, "{events} deliveries of {published} events");
}
