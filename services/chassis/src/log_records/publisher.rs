//! The task that carries records from the queue to NATS. It says nothing in the log: that would be its next record.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use prometheus::{IntCounter, IntCounterVec};
use proto_schemas::v1::LogRecord;
use proto_schemas::{Event, event, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};
use tracing::Level;

use super::record::{Record, level_token};
use super::{Item, METRIC_LOG_DROPPED, METRIC_LOG_PUBLISHED, Reason, Shared};
use crate::{Metrics, Nats, Shutdown, time};

/// How often the metrics take over what was left out.
const COUNT_INTERVAL: Duration = Duration::from_secs(1);
/// Shortest time between two records that tell how many were left out.
const TELL_INTERVAL: Duration = Duration::from_secs(10);

/// What is left out and not yet told, by [`Reason`].
type Untold = [u64; Reason::ALL.len()];

pub struct Publisher {
    service: &'static str,
    instance: String,
    nats: Nats,
    shared: Arc<Shared>,
    published: IntCounter,
    dropped: IntCounterVec,
    untold: Untold,
    told_at: Option<Instant>,
}

impl Publisher {
    pub fn new(
        service: &'static str,
        instance: String,
        nats: Nats,
        shared: Arc<Shared>,
        metrics: &Metrics,
    ) -> Self {
        let dropped = metrics.counters(
            METRIC_LOG_DROPPED,
            "Log records that did not get to NATS: beyond the rate, no room in the queue, NATS away.",
            &["reason"],
        );
        for reason in Reason::ALL {
            // There from the start, so that the first one is seen to rise.
            dropped.with_label_values(&[reason.label()]).inc_by(0);
        }
        let published = metrics.counter(METRIC_LOG_PUBLISHED, "Log records given to NATS.");
        Self { service, instance, nats, shared, published, dropped, untold: [0; _], told_at: None }
    }

    /// Publishes until the queue is closed or finished. What is said before the first connection waits in the queue;
    /// what is said while NATS is away later is left out, since the process's own log has it.
    pub async fn run(mut self, mut queue: mpsc::Receiver<Item>, shutdown: Shutdown) {
        let mut count = tokio::time::interval(COUNT_INTERVAL);
        count.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let nats = self.nats.clone();
        let first_connection = nats.connected(&shutdown);
        tokio::pin!(first_connection);
        let mut begun = false;
        loop {
            tokio::select! {
                // At the stop as well: what waits must be let go then.
                _ = &mut first_connection, if !begun => begun = true,
                _ = count.tick() => self.count_and_tell(Some(TELL_INTERVAL)).await,
                item = queue.recv(), if begun => match item {
                    Some(Item::Record(record)) => self.publish_record(record).await,
                    Some(Item::Finish(done)) => {
                        self.count_and_tell(None).await;
                        if self.nats.is_connected() {
                            // An error means that the client is gone, and the records with it.
                            let _ = self.nats.client().flush().await;
                        }
                        // An error means that nobody waits any more.
                        let _ = done.send(());
                        return;
                    }
                    None => return,
                },
            }
        }
    }

    async fn publish_record(&mut self, record: Record) {
        let level = record.level();
        let message = record.message(self.service, &self.instance);
        if self.publish(level, &message).await {
            self.published.inc();
        } else {
            self.shared.drops.count(Reason::Nats);
        }
    }

    /// Without an acknowledgement: one a record would be as many messages again, and waiting for a stream that is away
    /// would hold up the records after it; what is lost so is in the process's own log.
    async fn publish(&self, level: Level, message: &LogRecord) -> bool {
        if !self.nats.is_connected() {
            return false;
        }
        let subject = event::logs(self.service, level_token(level));
        let id = format!("{:016x}", fastrand::u64(..));
        let headers = self.nats.headers(LogRecord::TYPE, &schema_of(message), &id, &message.timestamp, None);
        self.nats.client().publish_with_headers(subject, headers, json::to_vec(message).into()).await.is_ok()
    }

    /// Moves what was left out into the metrics, and tells followers how many, unless that was done less than
    /// `interval` ago.
    async fn count_and_tell(&mut self, interval: Option<Duration>) {
        for (untold, reason) in self.untold.iter_mut().zip(Reason::ALL) {
            let count = self.shared.drops.take(reason);
            self.dropped.with_label_values(&[reason.label()]).inc_by(count);
            *untold += count;
        }
        let told_lately = self.told_at.zip(interval).is_some_and(|(at, interval)| at.elapsed() < interval);
        if self.untold == Untold::default() || told_lately {
            return;
        }
        let message = left_out(&self.untold, self.service, &self.instance);
        if self.publish(Level::WARN, &message).await {
            self.untold = Untold::default();
            self.told_at = Some(Instant::now());
        }
    }
}

/// Full name of an event's message.
fn schema_of<E: Event>(_: &E) -> String {
    E::full_name()
}

/// The record that tells how many others were left out.
fn left_out(untold: &Untold, service: &str, instance: &str) -> LogRecord {
    let count: u64 = untold.iter().sum();
    let by_reason = Reason::ALL.iter().zip(untold).filter(|(_, count)| **count > 0);
    let mut fields: HashMap<_, _> =
        by_reason.map(|(reason, count)| (reason.label().to_owned(), count.to_string())).collect();
    fields.insert("suppressed".to_owned(), count.to_string());
    LogRecord {
        level: Level::WARN.as_str().to_owned(),
        message: format!("{count} log records were left out here"),
        timestamp: time::rfc3339(SystemTime::now()),
        logger: module_path!().to_owned(),
        filename: Some(file!().to_owned()),
        lineno: Some(line!()),
        service: service.to_owned(),
        instance: instance.to_owned(),
        fields,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_out_is_told_in_all_and_by_reason() {
        let record = left_out(&[7, 0, 2], "governor", "g-0");
        assert_eq!(
            (record.level.as_str(), record.logger.as_str()),
            ("WARN", module_path!().trim_end_matches("::tests"))
        );
        let expected = [("suppressed", "9"), ("rate", "7"), ("nats", "2")];
        assert_eq!(record.fields, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        assert!(record.message.starts_with("9 "), "{}", record.message);
    }
}
