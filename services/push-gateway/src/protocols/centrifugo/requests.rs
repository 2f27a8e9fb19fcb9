//! Commands that a service or the streams answer: publish, presence_stats, history and rpc.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::channels::epoch_text;
use super::codes::Refusal;
use super::connection::Connection;
use super::messages::{
    ChannelRequest, Empty, Error, HistoryRequest, HistoryResult, PresenceStatsResult, Publication,
    PublishRequest, Reply, RpcRequest, RpcResult,
};
use super::wire::tags;
use crate::codec::Action;
use crate::commands::history::{self, Page, Start};
use crate::commands::{Answer, Command, CommandError};
use crate::metrics::BadInput;
use crate::position::parse_epoch;

/// Histories that one connection may ask for before it has the first. They are read one after the other: an answer may
/// be as large as [`history::ANSWER_SIZE_MAX`].
const HISTORIES_WAITING_MAX: usize = 16;

/// A request without an answer.
#[derive(Debug)]
struct Asked {
    id: u32,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Publish,
    PresenceStats,
    History,
    Rpc,
}

/// What a connection waits for. The worker bounds how many there are.
#[derive(Debug, Default)]
pub struct Requests {
    asked: HashMap<u64, Asked>,
    next_tag: u64,
    /// Histories that wait for the one under way.
    histories: VecDeque<(u64, Command)>,
    is_reading: bool,
}

impl Requests {
    fn note(&mut self, id: u32, kind: Kind) -> u64 {
        self.next_tag += 1;
        self.asked.insert(self.next_tag, Asked { id, kind });
        self.next_tag
    }
}

/// Arguments of the rpc method `run_command`.
#[derive(Debug, Deserialize)]
struct RunCommand {
    command: String,
    #[serde(default)]
    arguments: Value,
}

impl Connection {
    fn ask(&mut self, id: u32, kind: Kind, command: Command) -> Action {
        Action::Ask(self.requests.note(id, kind), command)
    }

    pub(super) fn publish(&mut self, id: u32, request: &PublishRequest) -> Action {
        let topic = request.channel.clone();
        match serde_json::from_slice::<Box<RawValue>>(&request.data) {
            Ok(value) => self.ask(id, Kind::Publish, Command::Publish { topic, value }),
            Err(_) => self.not_json(id),
        }
    }

    fn not_json(&self, id: u32) -> Action {
        self.bad_input.count(BadInput::Message);
        self.refuse(id, Refusal::BadRequest.because("data must be one JSON value"))
    }

    pub(super) fn presence_stats(&mut self, id: u32, request: &ChannelRequest) -> Action {
        match self.topic(&request.channel) {
            Ok(topic) => {
                self.ask(id, Kind::PresenceStats, Command::Presence { topic: topic.as_str().to_owned() })
            }
            Err(error) => self.refuse(id, error),
        }
    }

    pub(super) fn history(&mut self, id: u32, request: &HistoryRequest, actions: &mut Vec<Action>) {
        let command = match self.history_command(request) {
            Ok(command) => command,
            Err(error) => return actions.push(self.refuse(id, error)),
        };
        if self.requests.histories.len() >= HISTORIES_WAITING_MAX {
            self.bad_input.count(BadInput::Flood);
            let detail = format!("{HISTORIES_WAITING_MAX} histories wait to be read");
            return actions.push(self.refuse(id, Refusal::TooManyRequests.because(&detail)));
        }
        let tag = self.requests.note(id, Kind::History);
        if self.requests.is_reading {
            self.requests.histories.push_back((tag, command));
        } else {
            self.requests.is_reading = true;
            actions.push(Action::Ask(tag, command));
        }
    }

    fn history_command(&self, request: &HistoryRequest) -> Result<Command, Error> {
        let topic = self.topic(&request.channel)?;
        let start = match &request.since {
            None => None,
            Some(since) => {
                let epoch = match since.epoch.as_str() {
                    "" => None,
                    text => Some(parse_epoch(text).ok_or_else(|| Refusal::UnrecoverablePosition.error())?),
                };
                Some(Start { epoch, seq: since.offset })
            }
        };
        let limit = usize::try_from(request.limit).unwrap_or(history::EVENTS_MAX).min(history::EVENTS_MAX);
        Ok(Command::History(history::Request { topic, start, limit, reverse: request.reverse }))
    }

    pub(super) fn rpc(&mut self, id: u32, request: &RpcRequest) -> Action {
        let data = match request.data.as_ref() {
            b"" => Ok(Value::Null),
            data => serde_json::from_slice::<Value>(data),
        };
        let Ok(data) = data else {
            return self.not_json(id);
        };
        let command = match request.method.as_str() {
            "run_command" => match serde_json::from_value::<RunCommand>(data) {
                Ok(RunCommand { command, arguments }) => self.named(&command, arguments),
                Err(_) => Err(CommandError::new("malformed_arguments", "data must be {command, arguments}")),
            },
            // An answer in pages: its `next` and `instance` lead to the following one.
            "next_page" => Command::next_page(&data)
                .ok_or_else(|| CommandError::new("malformed_arguments", "data must be {next, instance}")),
            method => self.named(method, data),
        };
        match command {
            Ok(command) => self.ask(id, Kind::Rpc, command),
            Err(cause) => self.refuse(id, refused(&cause)),
        }
    }

    fn named(&self, name: &str, arguments: Value) -> Result<Command, CommandError> {
        match &self.identity {
            Some(identity) => Command::parse(name, arguments, identity),
            None => Err(CommandError::new("unauthenticated", "connect first")),
        }
    }

    /// Sends what came back, and reads the next history once that is out.
    pub(super) fn answered(&mut self, tag: u64, answer: Answer, actions: &mut Vec<Action>) {
        let Some(Asked { id, kind }) = self.requests.asked.remove(&tag) else { return };
        actions.push(match answer.and_then(|value| result(kind, value)) {
            Ok(reply) => self.reply(id, reply),
            Err(cause) => self.refuse(id, refused(&cause)),
        });
        if kind == Kind::History {
            let next = self.requests.histories.pop_front();
            self.requests.is_reading = next.is_some();
            actions.extend(next.map(|(tag, command)| Action::AskWhenDrained(tag, command)));
        }
    }
}

fn refused(cause: &CommandError) -> Error {
    Refusal::of(&cause.code).because(&format!("{}: {}", cause.code, cause.message))
}

fn result(kind: Kind, value: Value) -> Result<Reply, CommandError> {
    let malformed = |cause: serde_json::Error| CommandError::new("malformed_answer", cause.to_string());
    let nothing = Reply::default();
    Ok(match kind {
        Kind::Publish => Reply { publish: Some(Empty {}), ..nothing },
        Kind::PresenceStats => {
            let stats: PresenceStatsResult = serde_json::from_value(value).map_err(malformed)?;
            Reply { presence_stats: Some(stats), ..nothing }
        }
        Kind::Rpc => Reply { rpc: Some(RpcResult { data: value.to_string().into() }), ..nothing },
        Kind::History => {
            let page: Page = serde_json::from_value(value).map_err(malformed)?;
            let publication = |event: history::Kept| Publication {
                data: Bytes::from(event.data),
                offset: event.seq,
                tags: tags(&event.topic, &event.event_type, &event.time, event.trace),
            };
            let publications = page.events.into_iter().map(publication).collect();
            let history = HistoryResult { publications, epoch: epoch_text(page.epoch), offset: page.end_seq };
            Reply { history: Some(history), ..nothing }
        }
    })
}

#[cfg(test)]
mod tests;
