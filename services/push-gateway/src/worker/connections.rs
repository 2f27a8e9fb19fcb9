//! A connection's life in its worker: taken over, read from, acted on, closed.

use std::io::{self, Read};
use std::ops::Range;
use std::time::{Duration, Instant};

use mio::{Interest, Token};
use proto_schemas::TopicPattern;
use socket2::SockRef;

use super::Worker;
use crate::codec::{Action, CloseReason, Notice, Tell};
use crate::hub::Follower;
use crate::session::{NewSession, Session};

/// Bytes read from a socket at once.
const READ_SIZE: usize = 16 * 1024;
/// Reads from one socket before others get their turn.
const READS_PER_TURN: usize = 8;
/// A client has this long to prove who it is.
const AUTHENTICATION_TIMEOUT: Duration = Duration::from_secs(5);
/// A client that is sent away comes back after a time from this range, milliseconds, so that not all come at once.
const RETRY_MS: Range<u32> = 500..5_000;

impl Worker {
    /// Takes a connection over; gives its index and generation, `None` where it ended at once.
    pub(super) fn open(&mut self, new: NewSession) -> Option<(usize, u64)> {
        let generation = self.next_generation;
        self.next_generation += 1;
        let (session, actions, leftover) = Session::new(new, generation);
        let index = self.sessions.insert(session);
        let session = &mut self.sessions[index];
        let interest = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = self.poll.registry().register(&mut session.socket, Token(index), interest) {
            tracing::warn!(%error, "a connection cannot be polled");
            self.sessions.remove(index);
            return None;
        }
        session.tally = self.tallies.of(session.codec.as_ref(), &self.metrics);
        self.metrics.connections.with_label_values(&[session.codec.protocol()]).inc();
        self.metrics.opened.with_label_values(&[session.codec.endpoint()]).inc();
        if session.codec.awaits_authentication() {
            self.unauthenticated.push_back((Instant::now() + AUTHENTICATION_TIMEOUT, index, generation));
        }
        self.act(index, actions);
        if self.is_same(index, generation) && !leftover.is_empty() {
            self.receive(index, &leftover);
        }
        if self.is_same(index, generation) {
            if self.waves.is_some() {
                self.close_politely(index, CloseReason::Draining);
            } else {
                self.flush_answers(index);
            }
        }
        self.is_same(index, generation).then_some((index, generation))
    }

    /// Takes what the client sent. `to_end`: until the socket says that nothing is left. Where only data were announced,
    /// a part of a buffer says so too: what comes later is announced anew.
    pub(super) fn read(&mut self, index: usize, to_end: bool) {
        let mut buffer = [0; READ_SIZE];
        for _ in 0..READS_PER_TURN {
            let Some(session) = self.sessions.get_mut(index) else { return };
            if session.is_flooding() {
                session.read_paused = true;
                return;
            }
            match session.socket.read(&mut buffer) {
                Ok(0) => {
                    let reason = session.closing.unwrap_or(CloseReason::ClientGone);
                    return self.close(index, reason);
                }
                Ok(length) => {
                    self.receive(index, &buffer[..length]);
                    if length < READ_SIZE && !to_end {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return self.close(index, CloseReason::ClientGone),
            }
        }
        // There may be more, and the poller will not say so again.
        if let Some(session) = self.sessions.get_mut(index) {
            session.read_paused = true;
            self.enqueue(index);
        }
    }

    pub(super) fn receive(&mut self, index: usize, bytes: &[u8]) {
        let session = &mut self.sessions[index];
        if session.closing.is_some() {
            return;
        }
        let mut actions = Vec::new();
        session.codec.receive(bytes, &mut actions);
        if actions.is_empty() {
            return;
        }
        self.tallies.get(session.tally).messages_in.inc_by(actions.len() as u64);
        let generation = session.generation;
        self.act(index, actions);
        if self.is_same(index, generation) && self.sessions[index].blocked_since.is_none() {
            self.flush_answers(index);
        }
    }

    pub(super) fn act(&mut self, index: usize, actions: Vec<Action>) {
        for action in actions {
            let session = &mut self.sessions[index];
            if session.closing.is_some() {
                return;
            }
            match action {
                Action::Reply(bytes) => session.push_control(bytes),
                Action::Ask(tag, command) => self.ask_service(index, tag, command),
                Action::AskWhenDrained(tag, command) => session.when_drained.push_back((tag, command)),
                Action::WakeAfter(delay) => self.wake_after(index, delay),
                Action::Authenticated(identity) => {
                    let id = identity.revocation_id.as_deref();
                    if id.is_some_and(|id| self.revocations.is_revoked(id)) {
                        // Between its check and now: the word of it went to the sessions that had an identity.
                        return self.close_politely(index, CloseReason::Revoked);
                    }
                    if let Err(refusal) = session.set_identity(identity) {
                        self.metrics.refused.with_label_values(&[refusal.code()]).inc();
                        return self.close_politely(index, CloseReason::TooManyOfUser);
                    }
                }
                Action::Subscribe { topics, since, tell } => {
                    let resumed = session.cursors.subscribe(index, &topics, since.as_ref(), &mut self.hub);
                    if since.is_some() {
                        self.metrics.resumed(resumed);
                        self.enqueue_to_catch_up(index);
                    }
                    if let Tell::Ready(id) = tell {
                        let session = &mut self.sessions[index];
                        let place = topics.first().and_then(|topic| session.cursors.place(topic, &self.hub));
                        let notice = Notice::Ready {
                            topics: &topics,
                            resumed,
                            correlation_id: id.as_deref(),
                            place: place.unwrap_or_default(),
                        };
                        let token = session.cursors.token(&self.hub);
                        if let Some(bytes) = session.codec.notice(&notice, token.as_ref()) {
                            session.push_control(bytes);
                        }
                    }
                }
                Action::Unsubscribe { topics, reply } => {
                    self.unsubscribe(index, &topics);
                    self.sessions[index].push_control(reply);
                }
                Action::Close(reason) => session.closing = Some(reason),
            }
        }
    }

    fn unsubscribe(&mut self, index: usize, topics: &[TopicPattern]) {
        let mut cursors = std::mem::take(&mut self.sessions[index].cursors);
        let mut moved = Vec::new();
        for topic in topics {
            cursors.unsubscribe(index, topic, &mut self.hub, |follower, slot| moved.push((follower, slot)));
            // Slots must be right before the next topic goes.
            self.note_moved(&mut moved);
        }
        self.sessions[index].cursors = cursors;
    }

    /// Others took the slots of a session that left their channels. It was there only once, so none of them is its own.
    fn note_moved(&mut self, moved: &mut Vec<(Follower, usize)>) {
        for (follower, slot) in moved.drain(..) {
            self.sessions[follower.session].cursors.set_slot(follower.subscription, slot);
        }
    }

    /// Tells the client why, and closes once that is out.
    pub(super) fn close_politely(&mut self, index: usize, reason: CloseReason) {
        let session = &mut self.sessions[index];
        if session.closing.is_some() {
            return;
        }
        let notice = Notice::Closing { reason, retry_ms: fastrand::u32(RETRY_MS) };
        if let Some(bytes) = session.codec.notice(&notice, None) {
            session.push_control(bytes);
        }
        session.closing = Some(reason);
        self.enqueue(index);
    }

    pub(super) fn close(&mut self, index: usize, reason: CloseReason) {
        let mut session = self.sessions.remove(index);
        let mut moved = Vec::new();
        session.cursors.clear(index, &mut self.hub, |follower, slot| moved.push((follower, slot)));
        self.note_moved(&mut moved);
        if matches!(reason, CloseReason::Stalled | CloseReason::Overloaded) && self.waves.is_none() {
            // Reset: else the kernel keeps what a client does not take, for minutes after its session. A pod that stops
            // gives everything back anyway, and who was only slow there may have the rest. Fails only when the client
            // has done the same.
            let _ = SockRef::from(&session.socket).set_linger(Some(Duration::ZERO));
        }
        // Fails only for a socket that was never registered.
        let _ = self.poll.registry().deregister(&mut session.socket);
        let (protocol, endpoint) = (session.codec.protocol(), session.codec.endpoint());
        self.metrics.connections.with_label_values(&[protocol]).dec();
        self.metrics
            .connection_duration
            .with_label_values(&[endpoint])
            .observe(session.opened_at.elapsed().as_secs_f64());
        self.metrics.closed(reason);
    }
}
