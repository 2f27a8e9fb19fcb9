//! Who the sessions belong to, and what ends with that: tokens that expire or are revoked. And what they ask of
//! services, for which they are asked who they are.

use std::time::SystemTime;

use chassis::Identity;

use super::Worker;
use crate::codec::CloseReason;
use crate::commands::{Answer, Asker, Command, CommandError, Question};

/// Questions of one session that may be without an answer.
const ASKED_MAX: usize = 16;

impl Worker {
    /// Closes the sessions of a token or key, or of all that are revoked.
    pub(super) fn revoke(&mut self, id: Option<&str>) {
        let revocations = self.revocations.clone();
        self.close_where(CloseReason::Revoked, |identity| {
            identity.revocation_id.as_deref().is_some_and(|held| match id {
                Some(id) => held == id,
                None => revocations.is_revoked(held),
            })
        });
    }

    /// Closes the sessions whose token is past its end.
    pub(super) fn end_expired(&mut self) {
        let now = SystemTime::now();
        self.close_where(CloseReason::Expired, |identity| identity.expires_at.is_some_and(|at| at <= now));
    }

    fn close_where(&mut self, reason: CloseReason, is_over: impl Fn(&Identity) -> bool) {
        let over: Vec<usize> = self
            .sessions
            .iter()
            .filter(|(_, session)| session.identity.as_ref().is_some_and(&is_over))
            .map(|(index, _)| index)
            .collect();
        for index in over {
            self.close_politely(index, reason);
        }
    }

    /// Puts a session's question to a service; the answer comes back as a command.
    pub(super) fn ask_service(&mut self, index: usize, tag: u64, command: Command) {
        let session = &mut self.sessions[index];
        let refused = match session.identity.clone() {
            None => CommandError::new("unauthenticated", "say who you are first"),
            Some(_) if session.asked >= ASKED_MAX => CommandError::new(
                "too_many_requests",
                format!("{ASKED_MAX} requests wait for an answer; wait for one"),
            ),
            Some(identity) => {
                let generation = session.generation;
                let asker = Asker { worker: self.index, session: index, generation, tag, identity };
                if self.questions.try_send(Question { asker, command }).is_ok() {
                    session.asked += 1;
                    return;
                }
                CommandError::new("overloaded", "too many requests wait for services; come again")
            }
        };
        self.answer(index, tag, Err(refused));
    }

    /// A service answered.
    pub(super) fn take_answer(&mut self, index: usize, tag: u64, answer: Answer) {
        let session = &mut self.sessions[index];
        session.asked = session.asked.saturating_sub(1);
        self.answer(index, tag, answer);
    }

    fn answer(&mut self, index: usize, tag: u64, answer: Answer) {
        let session = &mut self.sessions[index];
        if session.closing.is_some() {
            return;
        }
        let mut actions = Vec::new();
        session.codec.answer(tag, answer, &mut actions);
        self.act(index, actions);
        if self.sessions.contains(index) {
            self.enqueue(index);
        }
    }
}
