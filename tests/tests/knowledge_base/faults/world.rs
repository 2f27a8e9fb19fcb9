//! Knowledge bases under load, what they need, and clients that follow: killed in any order, then judged.

use std::net::SocketAddr;
use std::time::Duration;

use bywash_tests::course::Course;
use bywash_tests::exact::{Tally, Truth};
use bywash_tests::follower::{Client, Conversation, Follower, Kind, Line, Numbers};
use bywash_tests::nats::Nats;
use bywash_tests::platform::set_up;
use bywash_tests::postgres::{Postgres, Setup};
use bywash_tests::service::{Kind as ServiceKind, Service};
use bywash_tests::wait::eventually;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::super::log::{Log, caught_up, get};
use super::disk::Disk;
use super::judge::{Stored, Told, judge, whole};
use super::writers::{COLLECTION, Writers, make_collection};

/// Writes between two faults, at most.
const WRITES_MAX: u64 = 150;
/// A fault comes at most this long after a write was acknowledged: some commits.
const MOMENT_MICROS_MAX: u64 = 20_000;
/// A process that dies while it starts does so within this time: about as long as a start takes.
const START_MILLIS_MAX: u64 = 400;
/// What clients follow.
const TOPICS: [&str; 2] = ["kb.facts", "kb.documents"];

/// A client, and who says where it is.
struct Placed {
    client: Client,
    place: watch::Sender<Option<SocketAddr>>,
}

/// See the module.
pub struct World<'a> {
    course: &'a mut Course,
    pub rng: fastrand::Rng,
    nats: Nats,
    postgres: Option<Postgres>,
    services: Vec<Service>,
    gateway: Service,
    clients: Vec<Placed>,
    writers: Writers,
}

impl<'a> World<'a> {
    /// One knowledge base with a store of its own.
    pub async fn alone(course: &'a mut Course) -> Self {
        let nats = Nats::start().await;
        let services = vec![Service::new(ServiceKind::KnowledgeBase, &nats.url())];
        Self::begin(course, nats, None, services).await
    }

    /// One with its store on a disk of its own.
    pub async fn on_disk(course: &'a mut Course, disk: &Disk) -> Self {
        let nats = Nats::start().await;
        let mut service = Service::new(ServiceKind::KnowledgeBase, &nats.url());
        service.set("BYWASH_DATA_DIR", &disk.path().join("data").display().to_string());
        Self::begin(course, nats, None, vec![service]).await
    }

    /// Two that share a PostgreSQL.
    pub async fn shared(course: &'a mut Course) -> Self {
        Self::shared_in(course, &Setup::default()).await
    }

    /// Two that share such a PostgreSQL.
    pub async fn shared_in(course: &'a mut Course, setup: &Setup<'_>) -> Self {
        let (nats, postgres) = (Nats::start().await, Postgres::start_as(setup));
        let service = |name: &str| {
            let mut service = Service::new(ServiceKind::KnowledgeBase, &nats.url());
            service.set("BYWASH_INSTANCE", name).set("BYWASH_STORE", "postgres");
            service.set("BYWASH_POSTGRES_URL", &postgres.url());
            service
        };
        let services = ["first", "second"].map(service).into();
        Self::begin(course, nats, Some(postgres), services).await
    }

    async fn begin(
        course: &'a mut Course,
        nats: Nats,
        postgres: Option<Postgres>,
        mut services: Vec<Service>,
    ) -> Self {
        set_up(&nats).await;
        for service in &mut services {
            service.start().await;
        }
        nats.has_stream("KB").await;
        let mut gateway = Service::new(ServiceKind::PushGateway, &nats.url());
        gateway.start().await;
        let clients: Vec<Placed> = Kind::ALL.map(|kind| follow(kind, gateway.addr())).into();
        for placed in &clients {
            placed.client.ready().await;
        }
        make_collection(services[0].addr()).await;
        let targets: Vec<SocketAddr> = services.iter().map(Service::addr).collect();
        let writers = Writers::start(course.seed, &targets);
        let rng = fastrand::Rng::with_seed(course.seed);
        Self { course, rng, nats, postgres, services, gateway, clients, writers }
    }

    /// Some writes are acknowledged, a client goes or comes, and time passes up to the next fault.
    pub async fn go_on(&mut self) {
        let writes = self.rng.u64(1..=WRITES_MAX);
        self.writers.acknowledged(writes).await;
        let (client, addr) = (self.rng.usize(0..self.clients.len()), self.gateway.addr());
        self.clients[client].place.send_modify(|place| *place = place.is_none().then_some(addr));
        let moment = Duration::from_micros(self.rng.u64(0..MOMENT_MICROS_MAX));
        self.course.note(format!("{writes} writes and {moment:?} later; client {client} goes or comes"));
        // It waits for nothing: the fault is to hit any moment of what the service does.
        tokio::time::sleep(moment).await;
    }

    /// Which knowledge base is the relay now, or was the last to be; any where that is not known.
    pub async fn relay(&self) -> usize {
        for (index, service) in self.services.iter().enumerate() {
            if get(service, "/api/status").await["relay"]["connected"] == true {
                return index;
            }
        }
        0
    }

    /// The disk is full until every writer has been told so; what is asked meanwhile is answered.
    pub async fn full(&mut self, disk: &Disk) {
        disk.fill();
        self.course.note("the disk is full");
        self.still_full().await;
    }

    /// A knowledge base that was started while the disk is full serves, and refuses.
    pub async fn still_full(&mut self) {
        self.writers.refused().await;
        answers_everything(&self.services[0]).await;
    }

    /// There is room again.
    pub fn room(&mut self, disk: &Disk) {
        disk.free();
        self.course.note("there is room again");
    }

    pub fn kill_knowledge_base(&mut self, index: usize) {
        self.course.note(format!("knowledge base {index} dies"));
        self.services[index].kill();
    }

    /// Starts it again; half of the time it dies in the middle of that once more.
    pub async fn start_knowledge_base(&mut self, index: usize) {
        if self.rng.bool() {
            let moment = Duration::from_millis(self.rng.u64(0..START_MILLIS_MAX));
            self.course.note(format!("knowledge base {index} starts and dies {moment:?} later"));
            self.services[index].spawn();
            // As in `go_on`.
            tokio::time::sleep(moment).await;
            self.services[index].kill();
        }
        self.services[index].start().await;
        self.course.note(format!("knowledge base {index} is back"));
    }

    pub fn kill_nats(&mut self) {
        self.course.note("NATS dies");
        self.nats.kill();
    }

    pub async fn start_nats(&mut self) {
        self.nats.restart().await;
        self.course.note("NATS is back");
    }

    /// PostgreSQL dies and is started again at once: it takes a moment to recover.
    pub fn restart_postgres(&mut self) {
        let postgres = self.postgres.as_mut().expect("this world has one");
        self.course.note("PostgreSQL dies");
        postgres.kill_hard();
        postgres.restart();
        self.course.note("PostgreSQL is back");
    }

    /// The writers stop, the clients come back and catch up, and everything is compared with everything.
    pub async fn end(self) {
        let Self { course, nats, services, gateway, clients, writers, .. } = self;
        let acknowledged = writers.finish().await;
        // Of several each follows the others a little later.
        let revisions = acknowledged.iter().flatten().filter_map(|done| done.revision);
        let mut newest = revisions.max().unwrap_or(0);
        for service in &services {
            let count = get(service, &format!("/api/facts/count?min_revision={newest}")).await;
            newest = newest.max(whole(&count["revision"]));
        }
        get(&services[0], &format!("/api/facts/count?min_revision={newest}")).await;
        let log = caught_up(&nats, &services[0]).await;
        let mut wrong = strange_headers(&log);
        let told = changes(&services[0]).await;
        wrong.extend(unlike_the_log(&log, &told));
        wrong.extend(judge(&acknowledged, &told, &stored(&services[0]).await));

        let mut truth = Truth::default();
        told.iter().for_each(|told| truth.append(told.revision, &told.topic, told.revision));
        for Placed { client, place } in &clients {
            place.send_if_modified(|place| place.is_none() && place.replace(gateway.addr()).is_none());
            client.caught_up(|_| &truth).await;
            let all = Tally { events: told.len() as u64, gaps: 0 };
            match client.judge(|_| &truth) {
                Ok(tally) if tally == all => {}
                other => wrong.push(format!("{}: {other:?} instead of {all:?}", client.name())),
            }
        }
        let writes: usize = acknowledged.iter().map(Vec::len).sum();
        let repeated = acknowledged.iter().flatten().filter(|done| done.revision.is_none()).count();
        course
            .note(format!("{writes} writes, {repeated} of which lost their answer, {} changes", told.len()));
        eprintln!(
            "seed {}: {writes} writes, {repeated} without an answer, {} changes",
            course.seed,
            told.len()
        );
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

/// All ways to read, once what is built anew at a start is there.
pub async fn answers_everything(service: &Service) {
    let http = reqwest::Client::new();
    let paths = [
        "/readyz",
        "/api/status",
        "/api/facts?limit=10",
        "/api/facts/count",
        "/api/facts/stats",
        "/api/facts/export?format=jsonl",
        "/api/kb/changes?limit=10",
        "/api/collections",
        "/api/predicates/top",
    ];
    let mut requests: Vec<_> = paths.iter().map(|path| (*path, http.get(service.url(path)))).collect();
    for mode in ["text", "vector", "hybrid"] {
        let body = json!({"query": "writer holds", "mode": mode, "limit": 5});
        requests.push((mode, http.post(service.url("/api/search")).json(&body)));
    }
    for (name, request) in requests {
        eventually(name, || async {
            let request = request.try_clone().expect("its body is in memory");
            let answer = request.send().await.expect("the knowledge base is reachable");
            let (status, text) = (answer.status(), answer.text().await.expect("an answer is whole"));
            if status.is_success() { Ok(()) } else { Err(format!("{status} {text}")) }
        })
        .await;
    }
}

fn follow(kind: Kind, gateway: SocketAddr) -> Placed {
    let conversation = Conversation::new(kind, TOPICS.map(str::to_owned).into(), None);
    let follower = Follower::new(conversation, Line::default());
    let (place, is_placed) = watch::channel(Some(gateway));
    Placed { client: Client::run(follower, None, is_placed, &Numbers::default()), place }
}

/// Messages of the stream that are not of its epoch or not at their own place.
fn strange_headers(log: &Log) -> Vec<String> {
    let is_strange = |message: &&super::super::log::Message| {
        message.header("Nats-Msg-Id") != format!("{}:{}", log.epoch, message.sequence)
    };
    log.messages.iter().filter(is_strange).map(|message| format!("{:?}", message.headers)).collect()
}

/// Where the stream and the log of changes differ.
fn unlike_the_log(log: &Log, told: &[Told]) -> Vec<String> {
    let stream =
        log.messages.iter().map(|message| (message.sequence, message.header("ce-type"), &message.body));
    let changes = told.iter().map(|told| (told.revision, told.event_type.as_str(), &told.body));
    let differs = stream.clone().zip(changes.clone()).find(|(left, right)| left != right);
    let mut wrong: Vec<String> =
        differs.map(|pair| format!("stream and log differ: {pair:?}")).into_iter().collect();
    if stream.len() != changes.len() {
        wrong.push(format!("the stream has {} changes, the log {}", stream.len(), changes.len()));
    }
    wrong
}

/// All changes, as the knowledge base tells them.
async fn changes(service: &Service) -> Vec<Told> {
    let (mut all, mut next) = (Vec::new(), 1);
    loop {
        let page = get(service, &format!("/api/kb/changes?limit=1000&from_revision={next}")).await;
        for change in page["changes"].as_array().expect("a list") {
            let text = |name: &str| change[name].as_str().expect("a text").to_owned();
            all.push(Told {
                revision: whole(&change["revision"]),
                topic: text("topic"),
                event_type: text("type"),
                body: change["data"].clone(),
            });
        }
        next = whole(&page["next_revision"]);
        if next > whole(&page["revision"]) {
            return all;
        }
    }
}

/// Everything that the store holds.
async fn stored(service: &Service) -> Stored {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let facts = pages(service, "/api/facts?limit=1000", "facts").await;
    let documents =
        pages(service, &format!("/api/documents?limit=100&collection={COLLECTION}"), "documents").await;
    Stored {
        facts: facts.iter().map(|fact| (whole(&fact["id"]), text(&fact["statement"]))).collect(),
        documents: documents
            .iter()
            .map(|document| (text(&document["id"]), text(&document["content"])))
            .collect(),
    }
}

async fn pages(service: &Service, path: &str, list: &str) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = get(service, &format!("{path}{cursor}")).await;
        all.extend(page[list].as_array().expect("a list").iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}
