//! What clients ask of services, over NATS request and reply. Workers hand questions over and never wait; each answer
//! comes back to the session that asked, within its deadline.

pub mod history;

use std::sync::Arc;
use std::time::Duration;

use chassis::commands::request;
use chassis::{Identity, Nats, Role};
use proto_schemas::command;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc};

use crate::fleet::Fleet;
use crate::metrics::BadInputs;
use crate::publish;
use crate::worker::{self, WorkerHandle};

/// Questions of all sessions that wait to be sent; beyond it a client is told to come again.
pub const QUEUE_QUESTIONS_MAX: usize = 1_024;
/// Questions under way at once: enough for a deadline's worth at some hundred a second.
const UNDER_WAY_MAX: usize = 512;
/// An answer comes within this time, or an error says that it did not.
const DEADLINE: Duration = Duration::from_secs(5);

/// What can be asked. Arguments are checked by the service that answers.
#[derive(Debug, Clone)]
pub enum Command {
    /// What the services say of themselves.
    Status,
    /// Publish a value below `app.`.
    Publish {
        /// Subject.
        topic: String,
        /// JSON.
        value: Box<RawValue>,
    },
    /// How many follow a topic, on all pods: `{num_clients, num_users}`.
    Presence {
        /// As subscribed.
        topic: String,
    },
    /// What a topic carried.
    History(history::Request),
    /// Put to a service on this subject, with this body.
    Service {
        /// Subject below `cmd.`.
        subject: String,
        /// JSON arguments.
        body: Value,
    },
}

/// Names that clients may use: a closed list, never a shell.
pub const NAMES: [&str; 8] = [
    "status",
    "search",
    "traverse",
    "governor.start",
    "governor.stop",
    "engine.start",
    "engine.stop",
    "user_message",
];

impl Command {
    /// The command `name` with `arguments` for a client that may do what `identity` may.
    ///
    /// # Errors
    /// `unknown_command`, `missing_role`, `malformed_arguments`.
    pub fn parse(name: &str, arguments: Value, identity: &Identity) -> Result<Self, CommandError> {
        let name = if name == "get_status" { "status" } else { name };
        let role = match name {
            "status" | "search" | "traverse" => Role::Read,
            "user_message" => Role::Write,
            "governor.start" | "governor.stop" | "engine.start" | "engine.stop" => Role::Control,
            _ => {
                let message = format!("there is no command {name:?}; there are {}", NAMES.join(", "));
                return Err(CommandError::new("unknown_command", message));
            }
        };
        identity.require(role).map_err(|error| CommandError::new(error.code(), error.message()))?;
        let mut body = match arguments {
            Value::Null => json!({}),
            Value::Object(_) => arguments,
            _ => return Err(CommandError::new("malformed_arguments", "arguments are a JSON object")),
        };
        let subject = match name {
            "status" => return Ok(Self::Status),
            "search" => command::KB_SEARCH,
            "traverse" => command::KB_TRAVERSE,
            "user_message" => command::AGENT_START,
            "governor.start" | "governor.stop" => {
                body = json!({"action": name.trim_start_matches("governor.")});
                command::GOVERNOR_CONTROL
            }
            _ => {
                body["action"] = json!(name.trim_start_matches("engine."));
                command::GOVERNOR_ENGINE
            }
        };
        Ok(Self::Service { subject: subject.to_owned(), body })
    }

    /// The page after `page`, from the instance that gave it; `None` where it was the last.
    pub fn next_page(page: &Value) -> Option<Self> {
        let cursor = page.get("next").filter(|next| !next.is_null())?;
        let subject = command::kb_next(page.get("instance")?.as_str()?);
        Some(Self::Service { subject, body: json!({"cursor": cursor}) })
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandError {
    /// Stable code, in lower case.
    pub code: String,
    /// For people.
    pub message: String,
}

impl CommandError {
    /// An error of the gateway's own.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into() }
    }
}

/// What a service said.
pub type Answer = Result<Value, CommandError>;

/// Which session asks, and who it is.
#[derive(Debug)]
pub struct Asker {
    /// Worker of the session.
    pub worker: usize,
    /// Its index there.
    pub session: usize,
    /// Tells sessions apart that had the same index one after the other.
    pub generation: u64,
    /// The codec's own number of the question.
    pub tag: u64,
    /// Who asks.
    pub identity: Identity,
}

/// A question on its way.
#[derive(Debug)]
pub struct Question {
    /// Where the answer goes.
    pub asker: Asker,
    /// What is asked.
    pub command: Command,
}

/// Puts questions to services until nobody asks any more.
pub async fn run(
    fleet: Fleet,
    nats: Nats,
    bad_input: BadInputs,
    mut questions: mpsc::Receiver<Question>,
    workers: Vec<WorkerHandle>,
) {
    let under_way = Arc::new(Semaphore::new(UNDER_WAY_MAX));
    while let Some(Question { asker, command }) = questions.recv().await {
        let Ok(turn) = Arc::clone(&under_way).acquire_owned().await else { return };
        let (fleet, nats, worker) = (fleet.clone(), nats.clone(), workers[asker.worker].clone());
        let bad_input = bad_input.clone();
        tokio::spawn(async move {
            let answer = ask(&fleet, &nats, &bad_input, &asker.identity, command).await;
            drop(turn);
            let Asker { session, generation, tag, .. } = asker;
            worker.send(worker::Command::Answer { session, generation, tag, answer }).await;
        });
    }
}

async fn ask(
    fleet: &Fleet,
    nats: &Nats,
    bad_input: &BadInputs,
    identity: &Identity,
    command: Command,
) -> Answer {
    match command {
        Command::Service { subject, body } => put(nats, identity, &subject, &body).await,
        Command::Publish { topic, value } => {
            let published = publish::publish(nats, bad_input, identity, &topic, &value, None).await;
            published
                .map(|published| json!(published))
                .map_err(|error| CommandError::new(error.code(), error.to_string()))
        }
        Command::History(request) => {
            match tokio::time::timeout(DEADLINE, history::read(nats, &request)).await {
                Ok(answer) => answer,
                Err(_) => Err(CommandError::new(
                    command::code::DEADLINE_EXCEEDED,
                    "the stream did not answer in time",
                )),
            }
        }
        Command::Presence { topic } => {
            let presence = fleet.presence(&topic).await;
            Ok(json!({"num_clients": presence.num_clients, "num_users": presence.users.len()}))
        }
        Command::Status => {
            let nothing = json!({});
            let (knowledge_base, governor) = tokio::join!(
                put(nats, identity, command::KB_STATUS, &nothing),
                put(nats, identity, command::GOVERNOR_STATUS, &nothing),
            );
            Ok(json!({"knowledge_base": told(knowledge_base), "governor": told(governor)}))
        }
    }
}

/// One service's part of a status: what it said, or why it said nothing.
fn told(answer: Answer) -> Value {
    answer.unwrap_or_else(|error| json!({"error": {"code": error.code, "message": error.message}}))
}

async fn put(nats: &Nats, identity: &Identity, subject: &str, body: &Value) -> Answer {
    request(nats, subject, body, identity, DEADLINE)
        .await
        .map_err(|error| CommandError { code: error.code().to_owned(), message: error.message().to_owned() })
}
