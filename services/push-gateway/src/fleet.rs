//! The other pods: questions that every gateway pod answers over NATS (`cmd.gateway.all`), each for its own
//! connections, and what they come to together.

use std::collections::BTreeSet;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use chassis::{Nats, Shutdown};
use futures_util::{Stream, StreamExt, future};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::session::ClientInfo;
use crate::worker::{Query, WorkerHandle};

/// Every pod hears this.
const SUBJECT: &str = "cmd.gateway.all";
/// How long the pods have to answer; who has not by then is not counted. All of it is waited: how many pods there are
/// is not known here, and one that answers late is one with many clients.
const DEADLINE: Duration = Duration::from_millis(500);
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
        for pod in self.ask::<Connections>(&Question::Connections { protocols }, |_| false).await {
            all.total += pod.total;
            all.clients.extend(pod.clients);
        }
        all.clients.truncate(CLIENTS_LISTED_MAX);
        all
    }

    /// Who follows `topic`, on all pods.
    pub async fn presence(&self, topic: &str) -> Presence {
        let mut all = Presence::default();
        let question = Question::Presence { topic: topic.to_owned() };
        for pod in self.ask::<Presence>(&question, |_| false).await {
            all.num_clients += pod.num_clients;
            all.users.extend(pod.users);
        }
        all
    }

    /// Ends a connection, wherever it is. Whether there was one.
    pub async fn close(&self, id: &str) -> bool {
        self.ask(&Question::Close { id: id.to_owned() }, |&found| found).await.contains(&true)
    }

    /// Every pod's answer, up to the one that is enough; this pod's own even without NATS.
    async fn ask<A: DeserializeOwned>(&self, question: &Question, is_enough: fn(&A) -> bool) -> Vec<A> {
        if self.nats.is_connected()
            && let Ok(replies) = self.scatter(question).await
        {
            let answers = gather(replies, is_enough).await;
            if !answers.is_empty() {
                return answers;
            }
        }
        serde_json::from_slice(&self.answer_here(question).await).into_iter().collect()
    }

    /// Asks all pods; what they reply.
    async fn scatter(&self, question: &Question) -> Result<impl Stream<Item = Bytes>, async_nats::Error> {
        let client = self.nats.client();
        let inbox = client.new_inbox();
        let replies = client.subscribe(inbox.clone()).await?;
        let text = serde_json::to_vec(question)?;
        client.publish_with_reply(SUBJECT, inbox, text.into()).await?;
        // A status is the server's word that nobody listens.
        Ok(replies.take_while(|reply| future::ready(reply.status.is_none())).map(|reply| reply.payload))
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

/// What arrives before the deadline, up to the answer that is enough. What cannot be read is of another version of pod.
async fn gather<A: DeserializeOwned>(
    replies: impl Stream<Item = Bytes>,
    is_enough: fn(&A) -> bool,
) -> Vec<A> {
    let end = tokio::time::Instant::now() + DEADLINE;
    let mut replies = pin!(replies);
    let mut answers = Vec::new();
    while let Ok(Some(reply)) = tokio::time::timeout_at(end, replies.next()).await {
        answers.extend(serde_json::from_slice::<A>(&reply));
        if answers.last().is_some_and(is_enough) {
            break;
        }
    }
    answers
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use tokio::time::Instant;

    use super::*;

    /// Answers and when they arrive, milliseconds from now.
    fn replies(answers: &'static [(u64, &'static str)]) -> impl Stream<Item = Bytes> {
        let begin = Instant::now();
        stream::iter(answers).then(move |&(after_ms, text)| async move {
            tokio::time::sleep_until(begin + Duration::from_millis(after_ms)).await;
            Bytes::from(text)
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_pod_that_answers_late_counts_until_the_deadline() {
        let begin = Instant::now();
        let answers = gather::<u32>(replies(&[(0, "1"), (1, "{}"), (499, "2"), (501, "4")]), |_| false).await;
        assert_eq!((answers, begin.elapsed()), (vec![1, 2], DEADLINE));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_more_than_the_answer_that_is_enough() {
        let begin = Instant::now();
        let answers =
            gather(replies(&[(0, "false"), (5, "true"), (9, "false")]), |&found: &bool| found).await;
        assert_eq!((answers, begin.elapsed()), (vec![false, true], Duration::from_millis(5)));
    }
}
