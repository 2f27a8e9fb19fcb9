//! NATS, the set-up task and the services a test asks for, each a real process.

use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::collector::Collector;
use crate::nats::Nats;
use crate::process::Process;
use crate::scratch::{Scratch, binary};
use crate::service::{Kind, Service};

/// Topic of facts.
pub const FACTS: &str = "kb.facts";

/// What is to be started, in which order, with which settings.
#[derive(Debug, Default)]
pub struct Builder {
    services: Vec<Kind>,
    settings: Vec<(Option<Kind>, String, String)>,
    keys: Option<Scratch>,
}

/// What runs. Everything ends when it is dropped.
#[derive(Debug)]
pub struct Platform {
    services: Vec<(Kind, Service)>,
    /// The server of all streams.
    pub nats: Nats,
    /// Answers and asks.
    pub http: reqwest::Client,
    _keys: Option<Scratch>,
}

impl Builder {
    /// One more service; they start in this order.
    #[must_use]
    pub fn with(mut self, kind: Kind) -> Self {
        self.services.push(kind);
        self
    }

    /// A variable for one service.
    #[must_use]
    pub fn set(mut self, kind: Kind, name: &str, value: &str) -> Self {
        self.settings.push((Some(kind), name.to_owned(), value.to_owned()));
        self
    }

    /// A variable for all services.
    #[must_use]
    pub fn set_all(mut self, name: &str, value: &str) -> Self {
        self.settings.push((None, name.to_owned(), value.to_owned()));
        self
    }

    /// All services ask for one of these keys: objects with `id`, `key` and `roles`.
    ///
    /// # Panics
    /// When their file cannot be written.
    #[must_use]
    pub fn keyed(mut self, keys: &Value) -> Self {
        let folder = Scratch::new();
        let file = folder.path().join("keys.json");
        std::fs::write(&file, json!({"keys": keys}).to_string()).expect("a new folder is writable");
        self.keys = Some(folder);
        self.set_all("BYWASH_API_KEYS_FILE", &file.display().to_string())
    }

    /// All services send their spans to `collector`, soon.
    #[must_use]
    pub fn traced(self, collector: &Collector) -> Self {
        self.set_all("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint())
            .set_all("OTEL_BSP_SCHEDULE_DELAY", "50")
    }

    /// Starts everything and waits until all are ready. A gateway finds the facts' stream there: one that does not is
    /// ready as well, and its clients stand in a stream that has no epoch yet.
    ///
    /// # Panics
    /// When something does not start.
    pub async fn start(self) -> Platform {
        let nats = Nats::start().await;
        set_up(&nats).await;
        let http = reqwest::Client::new();
        let mut platform = Platform { services: Vec::new(), nats, http, _keys: self.keys };
        for kind in self.services {
            let mut service = Service::new(kind, &platform.nats.url());
            for (_, name, value) in self.settings.iter().filter(|(of, ..)| of.is_none_or(|of| of == kind)) {
                service.set(name, value);
            }
            service.start().await;
            platform.services.push((kind, service));
            if kind == Kind::KnowledgeBase {
                platform.nats.has_stream("KB").await;
            }
        }
        platform
    }
}

impl Platform {
    /// Starts to describe a platform.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The knowledge base and the gateway: what most tests need.
    pub async fn facts_to_clients() -> Self {
        Self::builder().with(Kind::KnowledgeBase).with(Kind::PushGateway).start().await
    }

    /// A service of this platform.
    ///
    /// # Panics
    /// When the platform has none of that kind.
    pub fn service(&self, kind: Kind) -> &Service {
        let found = self.services.iter().find(|(has, _)| *has == kind);
        &found.unwrap_or_else(|| panic!("this platform has no {kind:?}")).1
    }

    /// A service of this platform, to change it.
    ///
    /// # Panics
    /// When the platform has none of that kind.
    pub fn service_mut(&mut self, kind: Kind) -> &mut Service {
        let found = self.services.iter_mut().find(|(has, _)| *has == kind);
        &mut found.unwrap_or_else(|| panic!("this platform has no {kind:?}")).1
    }

    /// `path` on a service.
    pub fn url(&self, kind: Kind, path: &str) -> String {
        self.service(kind).url(path)
    }

    /// The event stream with this query.
    pub fn stream_url(&self, query: &str) -> String {
        self.url(Kind::PushGateway, &format!("/api/events/stream?{query}"))
    }

    /// Posts a fact that nobody else posts, and gives what was answered.
    pub async fn add_fact(&self) -> AddedFact {
        self.add(&unique_statement()).await
    }

    /// Posts a fact.
    ///
    /// # Panics
    /// When the answer is not 201.
    pub async fn add(&self, statement: &str) -> AddedFact {
        let (status, body) =
            self.post(Kind::KnowledgeBase, "/api/facts", &json!({"statement": statement})).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
        AddedFact::of(&body)
    }

    /// Posts JSON and gives status and body.
    ///
    /// # Panics
    /// When the service is not reachable.
    pub async fn post(&self, kind: Kind, path: &str, body: &Value) -> (StatusCode, Value) {
        answer(self.http.post(self.url(kind, path)).json(body)).await
    }

    /// Gets JSON and its status.
    ///
    /// # Panics
    /// When the service is not reachable.
    pub async fn get(&self, kind: Kind, path: &str) -> (StatusCode, Value) {
        answer(self.http.get(self.url(kind, path))).await
    }
}

/// What `POST /api/facts` answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddedFact {
    /// Canonical form.
    pub statement: String,
    /// Revision of the write.
    pub revision: u64,
    /// Epoch of the revision.
    pub epoch: String,
}

impl AddedFact {
    /// Reads the answer.
    ///
    /// # Panics
    /// When a field is missing.
    pub fn of(body: &Value) -> Self {
        let text =
            |name: &str| body[name].as_str().unwrap_or_else(|| panic!("no {name} in {body}")).to_owned();
        let revision = body["revision"].as_u64().unwrap_or_else(|| panic!("no whole revision in {body}"));
        Self { statement: text("statement"), revision, epoch: text("epoch") }
    }
}

/// Sends a request; gives status and body, `null` where the body is no JSON.
///
/// # Panics
/// When the service is not reachable.
pub async fn answer(request: reqwest::RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.expect("the service is reachable");
    let status = response.status();
    let text = response.text().await.expect("the answer has a body");
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

/// A statement that no other call gives in this process.
pub fn unique_statement() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("Tells(test, n{}).", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Runs `bywash-setup` to its end.
///
/// # Panics
/// When it fails.
pub async fn set_up(nats: &Nats) {
    let scratch = Scratch::new();
    let mut command = Command::new(binary("bywash-setup"));
    command.env_clear().env("BYWASH_NATS_URL", nats.url());
    let mut process = Process::spawn("bywash-setup", &mut command, &scratch.path().join("setup.log"));
    let status = process.ended().await;
    assert!(status.success(), "bywash-setup ended with {status}: {}", process.output());
}
