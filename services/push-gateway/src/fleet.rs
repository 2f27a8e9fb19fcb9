//! The other pods: questions that every gateway pod answers over NATS (`cmd.gateway.all`), each for its own
//! connections, and what they come to together.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use chassis::{Nats, Shutdown};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::session::ClientInfo;
use crate::worker::{Query, WorkerHandle};

/// Every pod hears this.
const SUBJECT: &str = "cmd.gateway.all";
/// How long the pods have to answer; who has not by then is not counted.
const DEADLINE: Duration = Duration::from_millis(500);
/// How long to wait for another answer once there is one: pods that are well answer within milliseconds.
const QUIET: Duration = Duration::from_millis(150);
/// Clients that a pod lists at most; the totals count all.
pub const CLIENTS_LISTED_MAX: usize = 1_000;
/// A pod without a connection to NATS subscribes again after this time.
const RETRY: Duration = Duration::from_secs(1);

/// What a pod is asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "ask")]
pub enum Question {
    /// Connections of these protocols; all where none is named.
    Connections {
        /// Names as in `/debug/clients`.
        protocols: Vec<String>,
    },
    /// Who follows a topic.
    Presence {
        /// As subscribed.
        topic: String,
    },
    /// End a connection.
    Close {
        /// Its id.
        id: String,
    },
}

/// Connections of one pod, or of all.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Connections {
    /// All that were asked for.
    pub total: usize,
    /// The first of them.
    pub clients: Vec<ClientInfo>,
}

/// Who follows a topic.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Presence {
    /// Connections.
    pub num_clients: usize,
    /// Their users, each once.
    pub users: BTreeSet<String>,
}

/// The pods, this one included. Cheap to clone.
#[derive(Clone)]
pub struct Fleet {
    nats: Nats,
    workers: Vec<WorkerHandle>,
}

impl Fleet {
    /// Of this pod's workers and all pods on the same NATS.
    pub fn new(nats: Nats, workers: Vec<WorkerHandle>) -> Self {
        Self { nats, workers }
    }

    /// Answers other pods' questions until the stop.
    pub async fn serve(self, shutdown: Shutdown) {
        loop {
            let subscribed = self.nats.client().subscribe(SUBJECT).await;
            let Ok(mut questions) = subscribed else {
                tokio::select! {
                    () = shutdown.requested() => return,
                    () = tokio::time::sleep(RETRY) => continue,
                }
            };
            loop {
                let message = tokio::select! {
                    () = shutdown.requested() => return,
                    message = questions.next() => message,
                };
                let Some(message) = message else { break };
                let Some(reply) = message.reply else { continue };
                let answer = match serde_json::from_slice(&message.payload) {
                    Ok(question) => self.answer_here(&question).await,
                    // Of a newer pod; it hears from those who understand it.
                    Err(_) => continue,
                };
                if let Err(error) = self.nats.client().publish(reply, answer).await {
                    tracing::warn!(%error, "a question of another pod could not be answered");
                }
            }
        }
    }

    /// Connections of all pods.
    pub async fn connections(&self, protocols: &[&str]) -> Connections {
        let protocols = protocols.iter().map(|name| (*name).to_owned()).collect();
        let mut all = Connections::default();
        for pod in self.ask::<Connections>(&Question::Connections { protocols }).await {
            all.total += pod.total;
            all.clients.extend(pod.clients);
        }
        all.clients.truncate(CLIENTS_LISTED_MAX);
        all
    }

    /// Who follows `topic`, on all pods.
    pub async fn presence(&self, topic: &str) -> Presence {
        let mut all = Presence::default();
        for pod in self.ask::<Presence>(&Question::Presence { topic: topic.to_owned() }).await {
            all.num_clients += pod.num_clients;
            all.users.extend(pod.users);
        }
        all
    }

    /// Ends a connection, wherever it is. Whether there was one.
    pub async fn close(&self, id: &str) -> bool {
        self.ask::<bool>(&Question::Close { id: id.to_owned() }).await.contains(&true)
    }

    /// Every pod's answer; this pod's own even without NATS.
    async fn ask<A: DeserializeOwned>(&self, question: &Question) -> Vec<A> {
        let read = |bytes: &Bytes| serde_json::from_slice(bytes).ok();
        if self.nats.is_connected()
            && let Ok(answers) = self.scatter(question).await
            && !answers.is_empty()
        {
            return answers.iter().filter_map(read).collect();
        }
        read(&self.answer_here(question).await).into_iter().collect()
    }

    async fn scatter(&self, question: &Question) -> Result<Vec<Bytes>, async_nats::Error> {
        let client = self.nats.client();
        let inbox = client.new_inbox();
        let mut replies = client.subscribe(inbox.clone()).await?;
        let text = serde_json::to_vec(question)?;
        client.publish_with_reply(SUBJECT, inbox, text.into()).await?;
        let mut answers = Vec::new();
        let end = tokio::time::Instant::now() + DEADLINE;
        loop {
            let quiet = if answers.is_empty() { DEADLINE } else { QUIET };
            let until = end.min(tokio::time::Instant::now() + quiet);
            match tokio::time::timeout_at(until, replies.next()).await {
                Ok(Some(message)) if message.status.is_none() => answers.push(message.payload),
                _ => return Ok(answers),
            }
        }
    }

    async fn answer_here(&self, question: &Question) -> Bytes {
        let bytes = match question {
            Question::Connections { protocols } => {
                serde_json::to_vec(&self.connections_here(protocols).await)
            }
            Question::Presence { topic } => serde_json::to_vec(&self.presence_here(topic).await),
            Question::Close { id } => serde_json::to_vec(&self.close_here(id).await),
        };
        bytes.unwrap_or_default().into()
    }

    async fn connections_here(&self, protocols: &[String]) -> Connections {
        let mut here = Connections::default();
        for worker in &self.workers {
            let all = worker.ask(|reply| Query::Clients { furthest_behind: usize::MAX, reply }).await;
            let asked = all.unwrap_or_default().clients.into_iter().filter(|client| {
                protocols.is_empty() || protocols.iter().any(|name| name == &client.protocol)
            });
            here.clients.extend(asked);
        }
        here.total = here.clients.len();
        here.clients.truncate(CLIENTS_LISTED_MAX);
        here
    }

    async fn presence_here(&self, topic: &str) -> Presence {
        let mut here = Presence::default();
        let Ok(topic) = topic.parse::<proto_schemas::TopicPattern>() else { return here };
        for worker in &self.workers {
            let users = worker.ask(|reply| Query::Presence { topic: topic.clone(), reply }).await;
            let users = users.unwrap_or_default();
            here.num_clients += users.len();
            here.users.extend(users);
        }
        here
    }

    async fn close_here(&self, id: &str) -> bool {
        for worker in &self.workers {
            if worker.ask(|reply| Query::Close { id: id.to_owned(), reply }).await.unwrap_or_default() {
                return true;
            }
        }
        false
    }
}
