//! Clients that write without pause, repeat what was not acknowledged, and keep a record of what was.

use std::net::SocketAddr;
use std::time::Duration;

use bywash_tests::wait::DEADLINE;
use reqwest::{Client, Method, RequestBuilder, StatusCode, header};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Writers at once.
pub const WRITERS: u64 = 16;
/// Where their documents go; the vectors are theirs.
pub const COLLECTION: &str = "faults";
/// Numbers in a vector.
const DIMENSION: usize = 4;
/// Facts of an ordinary import.
const IMPORT_FACTS_MAX: u64 = 30;
/// Facts of one import in twenty: two batches, each a commit of its own.
const IMPORT_FACTS_MANY: u64 = 1_010;
/// Pause before a write is sent again: nobody says when the other end is back.
const RETRY_PAUSE: Duration = Duration::from_millis(10);

/// What is asked for. No two writes of all writers ask for the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    Add { statement: String },
    Change { id: u64, statement: String },
    Delete { id: u64 },
    Import { statements: Vec<String> },
    PutDocuments { keys: Vec<String>, content: String },
    DeleteDocuments { keys: Vec<String> },
}

/// A write that is known to be done.
#[derive(Debug, Clone)]
pub struct Acknowledged {
    pub write: Write,
    /// The change it made; `None` where its answer was lost, and a repetition told that it is there.
    pub revision: Option<u64>,
    /// The number of a fact that was added.
    pub id: Option<u64>,
}

/// The writers at work.
pub struct Writers {
    running: Vec<JoinHandle<Vec<Acknowledged>>>,
    counts: watch::Receiver<Counts>,
    stop: watch::Sender<bool>,
}

/// What all writers were answered so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    pub acknowledged: u64,
    /// For want of space.
    pub refused: u64,
}

impl Writers {
    /// They send to `targets` in turn.
    pub fn start(seed: u64, targets: &[SocketAddr]) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (counter, counts) = watch::channel(Counts::default());
        let client = Client::builder().timeout(DEADLINE).build().expect("a client without settings");
        let running = (0..WRITERS).map(|number| {
            let writer = Writer {
                number,
                rng: fastrand::Rng::with_seed(seed.wrapping_mul(WRITERS) + number),
                client: client.clone(),
                targets: targets.to_owned(),
                turn: usize::try_from(number).unwrap_or_default(),
                asked: 0,
                facts: Vec::new(),
                documents: Vec::new(),
                done: Vec::new(),
                counts: counter.clone(),
            };
            tokio::spawn(writer.run(stopped.clone()))
        });
        Self { running: running.collect(), counts, stop }
    }

    /// Waits until `more` writes are acknowledged.
    ///
    /// # Panics
    /// When they are not within the deadline, or a writer was answered what cannot be.
    pub async fn acknowledged(&mut self, more: u64) {
        let before = self.counts.borrow().acknowledged;
        self.until(|counts| counts.acknowledged >= before + more).await;
    }

    /// Waits until each writer was refused for want of space.
    ///
    /// # Panics
    /// As [`Self::acknowledged`].
    pub async fn refused(&mut self) {
        let before = self.counts.borrow().refused;
        self.until(|counts| counts.refused >= before + 2 * WRITERS).await;
    }

    async fn until(&mut self, reached: impl Fn(&Counts) -> bool) {
        let before = *self.counts.borrow();
        let waited = tokio::time::timeout(DEADLINE, self.counts.wait_for(reached)).await;
        let is_reached = waited.is_ok_and(|waited| waited.is_ok());
        let fallen: Vec<_> = self.running.extract_if(.., |writer| writer.is_finished()).collect();
        for writer in fallen {
            writer.await.expect("a writer was answered as it should be");
        }
        assert!(is_reached, "not within {DEADLINE:?}: {before:?} has become {:?}", *self.counts.borrow());
    }

    /// Lets each finish the write that it is at; what each was acknowledged, in order.
    pub async fn finish(self) -> Vec<Vec<Acknowledged>> {
        self.stop.send_replace(true);
        let mut all = Vec::new();
        for writer in self.running {
            all.push(writer.await.expect("a writer was answered as it should be"));
        }
        all
    }
}

/// Makes the collection that the writers use.
pub async fn make_collection(target: SocketAddr) {
    let body = json!({"name": COLLECTION, "embedder": "caller", "model": "test", "dimension": DIMENSION});
    let made = Client::new().post(format!("http://{target}/api/collections")).json(&body).send().await;
    let status = made.expect("the knowledge base is reachable").status();
    assert_eq!(status, StatusCode::CREATED);
}

struct Writer {
    number: u64,
    rng: fastrand::Rng,
    client: Client,
    targets: Vec<SocketAddr>,
    turn: usize,
    /// Writes asked for so far: what makes each its own.
    asked: u64,
    /// Facts of its own that are there and that it may change.
    facts: Vec<u64>,
    /// Documents of its own that are there.
    documents: Vec<String>,
    done: Vec<Acknowledged>,
    counts: watch::Sender<Counts>,
}

/// What came of one attempt.
enum Attempt {
    Answered(StatusCode, Value),
    /// It never left.
    Unsent,
    /// It left, and nothing came back.
    Unanswered,
}

impl Writer {
    async fn run(mut self, stopped: watch::Receiver<bool>) -> Vec<Acknowledged> {
        while !*stopped.borrow() {
            let write = self.choose();
            let done = self.until_done(write).await;
            self.remember(&done);
            self.done.push(done);
            self.counts.send_modify(|counts| counts.acknowledged += 1);
        }
        self.done
    }

    fn choose(&mut self) -> Write {
        self.asked += 1;
        let (writer, asked) = (self.number, self.asked);
        let fact = |kind: &str, nth: u64| format!("{kind}(writer{writer}, n{asked}, {nth}).");
        match self.rng.u8(0..20) {
            0..4 if !self.facts.is_empty() => {
                Write::Change { id: *self.rng.choice(&self.facts).expect("some"), statement: fact("Is", 1) }
            }
            4..7 if !self.facts.is_empty() => {
                let place = self.rng.usize(0..self.facts.len());
                Write::Delete { id: self.facts.swap_remove(place) }
            }
            7..10 => {
                let many = self.rng.u8(0..20) == 0;
                let facts = if many { IMPORT_FACTS_MANY } else { self.rng.u64(1..=IMPORT_FACTS_MAX) };
                Write::Import { statements: (0..facts).map(|nth| fact("Holds", nth)).collect() }
            }
            10..13 => {
                let mut keys = vec![format!("w{writer}-{asked}-a"), format!("w{writer}-{asked}-b")];
                keys.extend(self.rng.choice(&self.documents).cloned());
                Write::PutDocuments { keys, content: format!("what writer {writer} put as {asked}") }
            }
            13..15 if !self.documents.is_empty() => {
                let place = self.rng.usize(0..self.documents.len());
                Write::DeleteDocuments { keys: vec![self.documents.swap_remove(place)] }
            }
            _ => Write::Add { statement: fact("Is", 0) },
        }
    }

    fn remember(&mut self, done: &Acknowledged) {
        match &done.write {
            Write::Add { .. } => self.facts.extend(done.id),
            Write::PutDocuments { keys, .. } => self.documents.extend(keys.iter().take(2).cloned()),
            _ => {}
        }
    }

    async fn until_done(&mut self, write: Write) -> Acknowledged {
        // Whether an earlier attempt may have been committed.
        let mut maybe = false;
        loop {
            match self.attempt(&write).await {
                Attempt::Answered(
                    status @ (StatusCode::SERVICE_UNAVAILABLE | StatusCode::INSUFFICIENT_STORAGE),
                    body,
                ) => {
                    let full = u64::from(status == StatusCode::INSUFFICIENT_STORAGE);
                    self.counts.send_modify(|counts| counts.refused += full);
                    let error = &body["error"];
                    // An import tells what of it is written already.
                    let begun = error["details"]["added"].as_u64().is_some_and(|added| added > 0);
                    maybe |= begun || error["code"] == "outcome_unknown";
                }
                Attempt::Answered(status, body) => {
                    let understood = understood(&write, status, &body, maybe);
                    let (revision, id) = understood
                        .unwrap_or_else(|| panic!("{write:?} (maybe there: {maybe}): {status} {body}"));
                    return Acknowledged { write, revision, id };
                }
                Attempt::Unsent => {}
                Attempt::Unanswered => maybe = true,
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }

    async fn attempt(&mut self, write: &Write) -> Attempt {
        self.turn += 1;
        match self.request(write, self.targets[self.turn % self.targets.len()]).send().await {
            Ok(answer) => {
                let status = answer.status();
                // An answer that breaks off is none.
                answer.json().await.map_or(Attempt::Unanswered, |body| Attempt::Answered(status, body))
            }
            Err(error) if error.is_timeout() => panic!("{write:?} is not answered within {DEADLINE:?}"),
            Err(error) if error.is_connect() => Attempt::Unsent,
            Err(_) => Attempt::Unanswered,
        }
    }

    fn request(&self, write: &Write, target: SocketAddr) -> RequestBuilder {
        let to = |method, path: &str| self.client.request(method, format!("http://{target}{path}"));
        match write {
            Write::Add { statement } => to(Method::POST, "/api/facts").json(&json!({"statement": statement})),
            Write::Change { id, statement } => {
                to(Method::PUT, &format!("/api/facts/{id}")).json(&json!({"statement": statement}))
            }
            Write::Delete { id } => to(Method::DELETE, &format!("/api/facts/{id}")),
            Write::Import { statements } => to(Method::POST, "/api/facts/bulk")
                .header(header::CONTENT_TYPE, "text/plain")
                .body(statements.join("\n")),
            Write::PutDocuments { keys, content } => {
                let documents: Vec<Value> = keys.iter().map(|key| document(key, content)).collect();
                let body = json!({"collection": COLLECTION, "documents": documents});
                to(Method::POST, "/api/documents").json(&body)
            }
            Write::DeleteDocuments { keys } => {
                let body = json!({"collection": COLLECTION, "ids": keys});
                to(Method::POST, "/api/documents/delete").json(&body)
            }
        }
    }
}

fn document(key: &str, content: &str) -> Value {
    // Any direction; bytes of text are never 0.
    let vector: Vec<f32> = key.bytes().rev().take(DIMENSION).map(f32::from).collect();
    json!({"id": key, "content": content, "vector": vector})
}

/// The revision and the fact's number that an answer tells; `None` where no such answer may come. Only where an earlier
/// attempt is `maybe` in the store may it say that there is nothing left to do.
fn understood(
    write: &Write,
    status: StatusCode,
    body: &Value,
    maybe: bool,
) -> Option<(Option<u64>, Option<u64>)> {
    let number = |name: &str| body[name].as_u64();
    let revision = number("revision");
    match (write, status.as_u16()) {
        (Write::Add { .. }, 201) => Some((Some(revision?), Some(number("id")?))),
        (Write::Add { .. }, 409) if maybe => Some((None, Some(body["error"]["details"]["id"].as_u64()?))),
        (Write::Change { .. }, 200) => Some((Some(number("changed_in")?), None)),
        (Write::Delete { .. }, 200) => Some((Some(revision?), None)),
        (Write::Delete { .. }, 404) if maybe => Some((None, None)),
        (Write::Import { statements }, 200) => {
            let (added, known) = (number("added")?, number("duplicate")?);
            let all = added + known == statements.len() as u64;
            // Where some were there already, the revision may be a later one than that of the rest.
            (all && (maybe || known == 0)).then_some((revision.filter(|_| known == 0), None))
        }
        (Write::PutDocuments { keys, .. }, 200) => {
            let (put, known) = (number("added")? + number("replaced")?, number("unchanged")?);
            let all = keys.len() as u64;
            match (put, known) {
                (put, 0) if put == all => Some((Some(revision?), None)),
                (0, known) if maybe && known == all => Some((None, None)),
                _ => None,
            }
        }
        (Write::DeleteDocuments { keys }, 200) => match number("deleted")? {
            deleted if deleted == keys.len() as u64 => Some((Some(revision?), None)),
            0 if maybe => Some((None, None)),
            _ => None,
        },
        _ => None,
    }
}
