//! What others want to know of a worker's sessions, and do to one of them.

use std::time::Instant;

use proto_schemas::TopicPattern;
use tokio::sync::oneshot;

use super::{Replacement, Worker};
use crate::codec::CloseReason;
use crate::session::{ClientInfo, NewSession};

/// A question to a worker, answered between two flushes.
pub enum Query {
    /// What its sessions do.
    Clients {
        /// Sessions described at most, those furthest behind first.
        furthest_behind: usize,
        /// Where the answer goes.
        reply: oneshot::Sender<Clients>,
    },
    /// Who follows a topic, a name a session.
    Presence {
        /// As subscribed.
        topic: TopicPattern,
        /// Where the answer goes.
        reply: oneshot::Sender<Vec<String>>,
    },
    /// End the session of this id.
    Close {
        /// As in `/debug/clients`.
        id: String,
        /// Whether it was here.
        reply: oneshot::Sender<bool>,
    },
    /// Take a session over and say which it is: index and generation.
    Open {
        /// The session.
        session: Box<NewSession>,
        /// Where the answer goes; `None` where it ended at once.
        reply: oneshot::Sender<Option<(usize, u64)>>,
    },
    /// A session goes on with another socket.
    Replace {
        /// Index of the session.
        index: usize,
        /// Of that session and no other with its index.
        generation: u64,
        /// With what.
        replacement: Box<Replacement>,
        /// Told once it is done.
        reply: oneshot::Sender<()>,
    },
}

/// What a worker's sessions do.
#[derive(Debug, Default)]
pub struct Clients {
    /// All sessions.
    pub total: usize,
    /// Those whose sockets take nothing.
    pub blocked: usize,
    /// Those that wait for history.
    pub reading_back: usize,
    /// Some, described.
    pub clients: Vec<ClientInfo>,
}

impl Worker {
    /// Answers; fails only when nobody waits for it any more.
    pub(super) fn take_query(&mut self, query: Query) {
        match query {
            Query::Clients { furthest_behind, reply } => {
                let _ = reply.send(self.clients(furthest_behind));
            }
            Query::Presence { topic, reply } => {
                let _ = reply.send(self.presence(&topic));
            }
            Query::Close { id, reply } => {
                let found =
                    self.sessions.iter().find(|(_, session)| session.id() == id).map(|(index, _)| index);
                if let Some(index) = found {
                    self.close_politely(index, CloseReason::Removed);
                }
                let _ = reply.send(found.is_some());
            }
            Query::Open { session, reply } => {
                let _ = reply.send(self.open(*session));
            }
            Query::Replace { index, generation, replacement, reply } => {
                self.replace(index, generation, *replacement);
                let _ = reply.send(());
            }
        }
    }

    fn clients(&self, furthest_behind: usize) -> Clients {
        let now = Instant::now();
        let mut order: Vec<(u128, u64, usize)> = self
            .sessions
            .iter()
            .map(|(index, session)| {
                let blocked = session.blocked_since.map_or(0, |since| now.duration_since(since).as_nanos());
                (blocked, session.cursors.lag_events(&self.hub), index)
            })
            .collect();
        if order.len() > furthest_behind {
            order.select_nth_unstable_by(furthest_behind, |a, b| b.cmp(a));
            order.truncate(furthest_behind);
        }
        let clients = order.into_iter().map(|(_, lag_events, index)| {
            let session = &self.sessions[index];
            let topics = session.cursors.topics(&self.hub).map(|topic| topic.as_str().to_owned()).collect();
            session.describe(lag_events, session.cursors.lag_seconds(&self.hub, now), topics, now)
        });
        let clients = clients.collect();
        let count = |is: &dyn Fn(&crate::session::Session) -> bool| {
            self.sessions.iter().filter(|(_, session)| is(session)).count()
        };
        Clients {
            total: self.sessions.len(),
            blocked: count(&|session| session.blocked_since.is_some()),
            reading_back: count(&|session| session.blocked_since.is_none() && session.waiting.is_some()),
            clients,
        }
    }

    /// Closes `count` of the sessions furthest behind: those that hold the most of the kernel's memory and their own.
    pub(super) fn shed(&mut self, count: usize) {
        let mut blocked: Vec<(Instant, usize)> = self
            .sessions
            .iter()
            .filter(|(_, session)| session.closing.is_none())
            .filter_map(|(index, session)| Some((session.blocked_since?, index)))
            .collect();
        blocked.sort_unstable();
        for (_, index) in blocked.into_iter().take(count) {
            // It takes nothing, so it cannot be told.
            self.close(index, CloseReason::Overloaded);
        }
    }

    fn presence(&self, topic: &TopicPattern) -> Vec<String> {
        let followers = self.hub.followers_of(topic);
        let names = followers.iter().filter_map(|follower| self.sessions[follower.session].identity.as_ref());
        names.map(|identity| identity.id.clone()).collect()
    }
}
