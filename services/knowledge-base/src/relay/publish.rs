//! Publishes changes in order, many under way at once, each bound to its place by the expected sequence.

use std::collections::VecDeque;

use async_nats::HeaderMap;
use async_nats::header::{NATS_EXPECTED_LAST_SEQUENCE, NATS_MESSAGE_ID};
use async_nats::jetstream::context::PublishAckFuture;
use chassis::telemetry::TRACE_TARGET;
use chassis::time::rfc3339;
use chassis::trace_context::link;
use chassis::{Nats, TraceParent};
use proto_schemas::event::{self, EventType, header};
use tokio::sync::watch;
use tracing::Span;

use super::RelayError;
use super::status::Position;
use crate::fail_point::{self, FailPoint};
use crate::store::{Change, Epoch, Revision, Snapshot, Store};

/// Changes under way at once. Each is acknowledged in order, so the bound hides the round trip and no more.
const IN_FLIGHT_MAX: usize = 128;

/// Changes read at once, and the bytes of their bodies: the memory that the relay holds.
const READ_ROWS: usize = 128;
const READ_BYTES: usize = 1 << 20;

/// A change that is sent and not acknowledged.
struct Flight {
    revision: Revision,
    acknowledgement: PublishAckFuture,
    /// Ends when the change is acknowledged or given up.
    _span: Span,
}

/// One session of publishing.
pub struct Publisher<'a> {
    store: &'a Store,
    nats: &'a Nats,
    position: &'a watch::Sender<Position>,
    snapshot: watch::Receiver<Snapshot>,
    epoch: Epoch,
    /// The first change that is not read yet.
    unread: Revision,
    waiting: VecDeque<Change>,
    in_flight: VecDeque<Flight>,
    in_flight_max: usize,
    sent_any: bool,
}

impl<'a> Publisher<'a> {
    /// Begins with the change `next`.
    pub fn new(
        store: &'a Store,
        nats: &'a Nats,
        position: &'a watch::Sender<Position>,
        next: Revision,
    ) -> Self {
        let snapshot = store.watch();
        let epoch = snapshot.borrow().epoch.clone();
        // Between two rows is a place only where the one is acknowledged before the other is sent.
        let one_by_one = fail_point::is_armed(FailPoint::RelayBetweenRows);
        Self {
            store,
            nats,
            position,
            snapshot,
            epoch,
            unread: next,
            waiting: VecDeque::with_capacity(READ_ROWS),
            in_flight: VecDeque::with_capacity(IN_FLIGHT_MAX),
            in_flight_max: if one_by_one { 1 } else { IN_FLIGHT_MAX },
            sent_any: false,
        }
    }

    /// Publishes until the first failure.
    pub async fn run(mut self) -> RelayError {
        loop {
            if let Err(error) = self.step().await {
                return error;
            }
        }
    }

    async fn step(&mut self) -> Result<(), RelayError> {
        while self.in_flight.len() < self.in_flight_max {
            match self.next_change().await? {
                Some(change) => self.send(change).await?,
                None => break,
            }
        }
        match self.in_flight.pop_front() {
            Some(flight) => self.land(flight).await,
            None => {
                // An error means that the store is closing, and the stop is on its way here too.
                if self.snapshot.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
                Ok(())
            }
        }
    }

    async fn next_change(&mut self) -> Result<Option<Change>, RelayError> {
        if self.waiting.is_empty() {
            let committed = self.snapshot.borrow_and_update().revision;
            if self.unread > committed {
                return Ok(None);
            }
            let changes = self.store.changes(self.unread, READ_ROWS, READ_BYTES).await?;
            self.waiting.extend(changes);
            if let Some(last) = self.waiting.back() {
                self.unread = last.revision.next();
            }
        }
        Ok(self.waiting.pop_front())
    }

    async fn send(&mut self, change: Change) -> Result<(), RelayError> {
        let revision = change.revision;
        if self.sent_any {
            fail_point::reach(FailPoint::RelayBetweenRows);
        }
        fail_point::reach(FailPoint::RelayBeforePublish);
        let request = change.traceparent.as_deref().and_then(|text| text.parse::<TraceParent>().ok());
        let event = event::event_type(&change.event_type);
        let event = event
            .ok_or_else(|| RelayError::UnknownType { revision, event_type: change.event_type.clone() })?;
        let subject = event.subject;
        let span = publish_span(revision, subject, request);
        let headers = self.headers(&change, event, request);
        let sent = self.nats.jetstream().publish_with_headers(subject, headers, change.body.into()).await;
        let acknowledgement = sent.map_err(|source| RelayError::Publish { revision, source })?;
        self.sent_any = true;
        if fail_point::is_armed(FailPoint::RelayPublishedNoAck) {
            // The point promises that the message has left.
            let _ = self.nats.client().flush().await;
            fail_point::reach(FailPoint::RelayPublishedNoAck);
        }
        self.in_flight.push_back(Flight { revision, acknowledgement, _span: span });
        Ok(())
    }

    /// Waits for the acknowledgement of the oldest flight.
    async fn land(&mut self, flight: Flight) -> Result<(), RelayError> {
        let revision = flight.revision;
        let answer =
            flight.acknowledgement.await.map_err(|source| RelayError::Publish { revision, source })?;
        if answer.sequence != revision.0 {
            return Err(RelayError::Displaced { revision, sequence: answer.sequence });
        }
        self.position.send_modify(|position| position.published = revision);
        Ok(())
    }

    fn headers(&self, change: &Change, event: &EventType, request: Option<TraceParent>) -> HeaderMap {
        let id = format!("{}:{}", self.epoch, change.revision);
        let made_at = rfc3339(change.created_at.to_system());
        let mut headers = self.nats.headers(&change.event_type, &event.schema(), &id, &made_at, request);
        headers.insert(NATS_MESSAGE_ID, id.as_str());
        headers.insert(NATS_EXPECTED_LAST_SEQUENCE, (change.revision.0 - 1).to_string().as_str());
        headers.insert(header::DIGEST, change.digest.to_hex().as_str());
        headers
    }
}

/// A trace of its own that links to the request's: the request never waited for this.
fn publish_span(revision: Revision, subject: &'static str, request: Option<TraceParent>) -> Span {
    let span = tracing::info_span!(
        target: TRACE_TARGET,
        parent: None,
        "publish",
        otel.name = format!("publish {subject}"),
        otel.kind = "producer",
        messaging.system = "nats",
        messaging.operation.r#type = "send",
        messaging.destination.name = subject,
        bywash.revision = revision.0,
    );
    if let Some(request) = request {
        link(&span, request);
    }
    span
}
