//! Questions whose answers come in pages: each page is asked for once the one before has reached the socket.
//!
//! A connection's questions are answered one after the other, so that what is told needs no name of its question; a few
//! may wait for their turn, as they did in the socket of older servers.

use std::collections::VecDeque;

use bytes::Bytes;
use serde_json::Value;

use super::fields::Invalid;
use super::words;
use crate::codec::Action;
use crate::commands::{Answer, Command, CommandError};

/// Questions that may wait behind the one that is being answered; each holds less than a message.
const WAITING_MAX: usize = 8;

/// A question.
pub trait Question {
    /// What it asks.
    fn command(&self) -> Command;
    /// Told when its turn comes.
    fn started(&mut self) -> Bytes;
    /// One item of `page`.
    fn item(&mut self, item: Value, page: &Value) -> Bytes;
    /// Told after the last item, with the last page.
    fn complete(&self, page: &Value) -> Bytes;
}

/// A connection's questions.
#[derive(Debug)]
pub struct Questions<Q> {
    current: Option<Q>,
    waiting: VecDeque<Q>,
    /// Of what is asked now.
    tag: u64,
}

impl<Q> Default for Questions<Q> {
    fn default() -> Self {
        Self { current: None, waiting: VecDeque::new(), tag: 0 }
    }
}

impl<Q: Question> Questions<Q> {
    /// Asks, or waits for its turn.
    pub fn ask(&mut self, question: Q, actions: &mut Vec<Action>) -> Result<(), Invalid> {
        if self.current.is_none() {
            self.begin(question, actions);
        } else if self.waiting.len() < WAITING_MAX {
            self.waiting.push_back(question);
        } else {
            let message = format!("{WAITING_MAX} requests wait for their turn; wait for one");
            return Err(Invalid::new("too_many_requests", message));
        }
        Ok(())
    }

    /// Takes a page, or the reason why there is none.
    pub fn answer(&mut self, tag: u64, answer: Answer, actions: &mut Vec<Action>) {
        let Some(question) = self.current.as_mut().filter(|_| tag == self.tag) else { return };
        match answer.and_then(items) {
            Ok((items, page)) => {
                actions.extend(items.into_iter().map(|item| Action::Reply(question.item(item, &page))));
                if let Some(next) = Command::next_page(&page) {
                    self.tag += 1;
                    return actions.push(Action::AskWhenDrained(self.tag, next));
                }
                actions.push(Action::Reply(question.complete(&page)));
            }
            Err(error) => actions.push(Action::Reply(words::error(&error.code, &error.message))),
        }
        self.current = None;
        if let Some(next) = self.waiting.pop_front() {
            self.begin(next, actions);
        }
    }

    fn begin(&mut self, mut question: Q, actions: &mut Vec<Action>) {
        self.tag += 1;
        actions.push(Action::Reply(question.started()));
        actions.push(Action::Ask(self.tag, question.command()));
        self.current = Some(question);
    }
}

/// The items of a page, and the rest of it.
fn items(mut page: Value) -> Result<(Vec<Value>, Value), CommandError> {
    match page.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => Ok((items, page)),
        _ => Err(CommandError::new("bad_answer", "the service answered without items")),
    }
}
