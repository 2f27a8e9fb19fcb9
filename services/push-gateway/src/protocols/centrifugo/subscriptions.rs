//! Subscriptions: begun by the client or with the connection, ended by the client or by a gap.

use bytes::Bytes;
use proto_schemas::TopicPattern;

use super::channels::{CHANNELS_MAX, Side, Wanted, begun, epoch_text, is_recoverable};
use super::codes::{End, Refusal};
use super::connection::Connection;
use super::messages::{
    ChannelRequest, Empty, Error, FLAG_REJECT_UNRECOVERED, Push, Reply, Subscribe, SubscribeRequest,
    Unsubscribe,
};
use crate::codec::{Action, GapReason, Tell};
use crate::metrics::BadInput;
use crate::position::Position;

/// A position that no stream has: the subscription begins at the present, and the client is told that it was not
/// recovered.
const NOWHERE: Wanted = Wanted { epoch: None, offset: 0 };

/// A subscription whose beginning the hub is about to tell.
#[derive(Debug)]
pub struct Beginning {
    id: u32,
    topic: TopicPattern,
    side: Side,
    wanted: Option<Wanted>,
    /// The client wants an error where it cannot continue.
    rejects: bool,
}

impl Connection {
    /// The topic of that name, which this client may follow.
    pub(super) fn topic(&self, channel: &str) -> Result<TopicPattern, Error> {
        let topic: TopicPattern = channel.parse().map_err(|cause: proto_schemas::TopicError| {
            self.bad_input.count(BadInput::Topic);
            Refusal::of(cause.code()).because(cause.code())
        })?;
        match &self.identity {
            None => Err(Refusal::Unauthorized.error()),
            Some(identity) => identity
                .require_topic(&topic)
                .map(|()| topic)
                .map_err(|cause| Refusal::PermissionDenied.because(cause.code())),
        }
    }

    pub(super) fn subscribe(&mut self, id: u32, request: &SubscribeRequest, actions: &mut Vec<Action>) {
        let topic = match self.topic(&request.channel) {
            Ok(topic) => topic,
            Err(error) => return actions.push(self.refuse(id, error)),
        };
        let side = self.channels.side(&topic);
        if side == Some(Side::Client) && !self.channels.is_lost(&topic) {
            return actions.push(self.refuse(id, Refusal::AlreadySubscribed.error()));
        }
        if side.is_none() && self.channels.count() >= CHANNELS_MAX {
            self.bad_input.count(BadInput::Flood);
            let detail = format!("a connection follows at most {CHANNELS_MAX} channels");
            return actions.push(self.refuse(id, Refusal::LimitExceeded.because(&detail)));
        }
        let asked = Wanted::of(request, &topic);
        let may_continue = asked.is_some_and(|wanted| self.channels.may_continue(&topic, wanted));
        let rejects = request.flag & FLAG_REJECT_UNRECOVERED != 0;
        if rejects && asked.is_some() && !may_continue {
            return actions.push(self.refuse(id, Refusal::UnrecoverablePosition.error()));
        }
        // The hub still has the subscription that a gap ended, and where it stood: a client that cannot continue from its
        // own place goes on there, and loses nothing more. What is not kept begins at the present instead.
        if side == Some(Side::Client) && (may_continue || !is_recoverable(&topic)) {
            actions.push(Action::Unsubscribe { topics: vec![topic.clone()], reply: Bytes::new() });
        }
        self.yield_server_side(&topic, actions);
        self.channels.follow(topic.clone(), Side::Client);
        self.begin(
            id,
            topic,
            Side::Client,
            asked.map(|wanted| if may_continue { wanted } else { NOWHERE }),
            rejects,
            actions,
        );
    }

    /// An event goes to the first subscription that matches it, and the client's own ones come first: one of them within
    /// the server-side one ends that.
    fn yield_server_side(&mut self, topic: &TopicPattern, actions: &mut Vec<Action>) {
        if self.channels.server_side_over(topic).is_none() {
            return;
        }
        let Some(own) = self.channels.leave_server_side() else { return };
        // Where the client takes over the very channel, its subscription goes on.
        let reply = if own == *topic { Bytes::new() } else { self.ended(&own, End::Server) };
        actions.push(Action::Unsubscribe { topics: vec![own], reply });
    }

    pub(super) fn begin(
        &mut self,
        id: u32,
        topic: TopicPattern,
        side: Side,
        wanted: Option<Wanted>,
        rejects: bool,
        actions: &mut Vec<Action>,
    ) {
        let since = wanted.and_then(|wanted| wanted.since(topic.stream())).map(Ok);
        actions.push(Action::Subscribe {
            topics: vec![topic.clone()],
            since,
            tell: Tell::Ready(Some(id.to_string())),
        });
        self.beginning.push_back(Beginning { id, topic, side, wanted, rejects });
    }

    /// The hub says where a subscription begins.
    pub(super) fn begun(&mut self, resumed: bool, place: Position) -> Option<Bytes> {
        let Beginning { id, topic, side, wanted, rejects } = self.beginning.pop_front()?;
        let result = begun(&topic, wanted, resumed, place);
        if side == Side::Server {
            return Some(self.connected(id, Some((topic, result))));
        }
        if rejects && result.was_recovering && !result.recovered {
            // As after a gap: the hub follows it until the client comes with another position, or does not.
            self.channels.note_gap(&topic, None, GapReason::Reset);
            let error = Some(Refusal::UnrecoverablePosition.error());
            return Some(self.wire.frame(&Reply { id, error, ..Reply::default() }));
        }
        Some(self.wire.frame(&Reply { id, subscribe: Some(result), ..Reply::default() }))
    }

    pub(super) fn unsubscribe(&mut self, id: u32, request: &ChannelRequest) -> Action {
        let done = Reply { id, unsubscribe: Some(Empty {}), ..Reply::default() };
        match request.channel.parse() {
            Ok(topic) if self.channels.leave(&topic) => {
                Action::Unsubscribe { topics: vec![topic], reply: self.wire.frame(&done) }
            }
            // What is not followed is left already.
            _ => Action::Reply(self.wire.frame(&done)),
        }
    }

    /// Subscriptions have no end of their own.
    pub(super) fn sub_refresh(&self, id: u32, request: &ChannelRequest) -> Action {
        let topic = request.channel.parse::<TopicPattern>().ok();
        match topic.and_then(|topic| self.channels.side(&topic)) {
            Some(_) => self.reply(id, Reply { sub_refresh: Some(Empty {}), ..Reply::default() }),
            None => self.refuse(id, Refusal::PermissionDenied.because("the channel is not followed")),
        }
    }

    /// The push that ends a subscription.
    pub(super) fn ended(&self, topic: &TopicPattern, end: End) -> Bytes {
        let unsubscribe = Unsubscribe { code: end.code(), reason: end.reason().to_owned() };
        let channel = topic.as_str().to_owned();
        self.wire.push(Push { channel, unsubscribe: Some(unsubscribe), ..Push::default() })
    }

    /// Events of a channel are lost to this client. Telling it may be undone, so this may come twice.
    pub(super) fn gap(&mut self, topic: &TopicPattern, to: Option<u64>, reason: GapReason) -> Option<Bytes> {
        let side = self.channels.side(topic)?;
        self.channels.note_gap(topic, to, reason);
        let ended = self.ended(topic, End::InsufficientState);
        if side == Side::Client {
            return Some(ended);
        }
        // The clients do not ask for server-side subscriptions, so it begins anew at once.
        let end = self.channels.end(topic.stream()).unwrap_or_default();
        let is_kept = is_recoverable(topic);
        let begun = Subscribe {
            recoverable: is_kept,
            positioned: is_kept,
            epoch: epoch_text(end.epoch),
            offset: to.unwrap_or(end.seq),
        };
        let channel = topic.as_str().to_owned();
        let begun = self.wire.push(Push { channel, subscribe: Some(begun), ..Push::default() });
        Some([ended, begun].concat().into())
    }
}
