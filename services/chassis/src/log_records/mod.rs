//! Log records on their way to NATS: what a service says in its log is told on `logs.<service>.<level>` as well.
//!
//! Saying something never waits for that. The layer takes a record within a rate, cuts it to size and leaves it in a
//! bounded queue; a task carries the queue to NATS. What finds no room is counted and told as a number. What becomes of
//! the log on stderr is `telemetry.rs`'s business.

mod publisher;
mod rate;
mod record;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber, dispatcher};
use tracing_subscriber::filter::{EnvFilter, FilterExt, filter_fn};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use crate::error::StartError;
use crate::telemetry::TRACE_TARGET;
use crate::{Metrics, Nats, Shutdown};

use publisher::Publisher;
use rate::Bucket;
use record::Record;

/// Counter: records given to NATS.
pub const METRIC_LOG_PUBLISHED: &str = "bywash_log_records_published_total";
/// Counter; label `reason`: `rate`, `queue` or `nats`.
pub const METRIC_LOG_DROPPED: &str = "bywash_log_records_dropped_total";

/// As many as the rate admits at once, so that a burst it lets through is not lost here. A record is at most some 8
/// KiB, which makes 8 MiB at worst; one beyond the bound is counted and left out.
const QUEUE_RECORDS_MAX: usize = rate::BURST_RECORDS as usize;

/// How long a process that ends waits for its last records to leave it.
const FINISH_TIMEOUT: Duration = Duration::from_millis(500);

/// Parts of the programs, as targets of records, by which records travel: one about a record would make the next. A
/// server that refuses what is published says so through `chassis::nats`. Spans that are there to be traced are no
/// records.
const LEFT_OUT: [&str; 11] = [
    "async_nats",
    "chassis::log_records",
    "chassis::nats",
    "push_gateway::codec",
    "push_gateway::cursor",
    "push_gateway::hub",
    "push_gateway::protocols",
    "push_gateway::session",
    "push_gateway::upstream",
    "push_gateway::worker",
    TRACE_TARGET,
];

/// Whether records of `target` may be pushed.
fn is_pushed(target: &str) -> bool {
    !LEFT_OUT.iter().any(|part| {
        target.strip_prefix(part).is_some_and(|below| below.is_empty() || below.starts_with("::"))
    })
}

/// Why a record does not get to NATS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// More were said than the rate admits.
    Rate,
    /// The publisher is behind.
    Queue,
    /// NATS is away.
    Nats,
}

impl Reason {
    const ALL: [Self; 3] = [Self::Rate, Self::Queue, Self::Nats];

    fn label(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Queue => "queue",
            Self::Nats => "nats",
        }
    }
}

/// Records that were left out and not yet told of, by [`Reason`].
#[derive(Debug, Default)]
struct Drops([AtomicU64; Reason::ALL.len()]);

impl Drops {
    fn count(&self, reason: Reason) {
        self.0[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Takes what was counted for `reason` since the last call.
    fn take(&self, reason: Reason) -> u64 {
        self.0[reason as usize].swap(0, Ordering::Relaxed)
    }
}

/// What stands in the queue.
#[derive(Debug)]
enum Item {
    Record(Record),
    /// All before it has been given to NATS when this is answered; the last one.
    Finish(oneshot::Sender<()>),
}

/// The layer that takes records, and the queue behind it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LogRecords {
    queue: mpsc::Sender<Item>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    start: Instant,
    bucket: Bucket,
    drops: Drops,
    // Protects the queue's other end until the publisher takes it; held for that moment.
    unread: Mutex<Option<mpsc::Receiver<Item>>>,
}

impl LogRecords {
    /// The layer and its filter, which `text` describes as `BYWASH_LOG` is described; `None` where it says `off`.
    pub(crate) fn from_filter(text: &str) -> Result<Option<(Self, EnvFilter)>, StartError> {
        let filter = EnvFilter::try_new(text)
            .map_err(|source| StartError::LogFilter { filter: text.to_owned(), source })?;
        Ok((filter.max_level_hint() != Some(LevelFilter::OFF)).then(|| (Self::new(), filter)))
    }

    fn new() -> Self {
        let (queue, unread) = mpsc::channel(QUEUE_RECORDS_MAX);
        let shared = Shared {
            start: Instant::now(),
            bucket: Bucket::default(),
            drops: Drops::default(),
            unread: Mutex::new(Some(unread)),
        };
        Self { queue, shared: Arc::new(shared) }
    }

    /// Takes what `filter` admits and is not of the push path itself.
    pub(crate) fn layer<S>(self, filter: EnvFilter) -> impl Layer<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let pushed =
            filter_fn(|metadata| is_pushed(metadata.target())).with_max_level_hint(LevelFilter::TRACE);
        self.with_filter(filter.and(pushed))
    }

    /// Gives the records that are still here to NATS, for at most [`FINISH_TIMEOUT`]. Records said later are left out.
    pub(crate) async fn finish(&self) {
        if self.shared.unread.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            // Nobody publishes.
            return;
        }
        let (done, is_done) = oneshot::channel();
        let finished = async {
            if self.queue.send(Item::Finish(done)).await.is_ok() {
                // An error means that the publisher is gone.
                let _ = is_done.await;
            }
        };
        // What is not out by now stays on stderr only.
        let _ = tokio::time::timeout(FINISH_TIMEOUT, finished).await;
    }
}

impl<S: Subscriber> Layer<S> for LogRecords {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if !self.shared.bucket.take(self.shared.start.elapsed()) {
            self.shared.drops.count(Reason::Rate);
            return;
        }
        // Room first: a record that finds none is not even made.
        match self.queue.try_reserve() {
            Ok(room) => room.send(Item::Record(Record::of(event, SystemTime::now()))),
            Err(_) => self.shared.drops.count(Reason::Queue),
        }
    }
}

/// Begins to publish what the process's log says. Where records are not pushed, or are published already, it does
/// nothing.
pub(crate) fn publish(
    service: &'static str,
    instance: String,
    nats: &Nats,
    metrics: &Metrics,
    shutdown: &Shutdown,
) {
    // The log of a process is there before its NATS is; the layer is found where it was installed.
    let records = dispatcher::get_default(|dispatch| dispatch.downcast_ref::<LogRecords>().cloned());
    let Some(records) = records else { return };
    let unread = records.shared.unread.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(unread) = unread else { return };
    let publisher = Publisher::new(service, instance, nats.clone(), records.shared, metrics);
    tokio::spawn(publisher.run(unread, shutdown.clone()));
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// Runs `say` under the layer with this filter and gives what it left in the queue.
    fn said(filter: &str, say: impl FnOnce()) -> (Vec<Record>, LogRecords) {
        let (records, filter) = LogRecords::from_filter(filter).unwrap().unwrap();
        let subscriber = tracing_subscriber::registry().with(records.clone().layer(filter));
        tracing::subscriber::with_default(subscriber, say);
        let mut unread = records.shared.unread.lock().unwrap().take().unwrap();
        let mut taken = Vec::new();
        while let Ok(Item::Record(record)) = unread.try_recv() {
            taken.push(record);
        }
        (taken, records)
    }

    fn messages(filter: &str, say: impl FnOnce()) -> Vec<String> {
        said(filter, say).0.into_iter().map(|record| record.message("s", "i").message).collect()
    }

    #[test]
    fn the_filter_decides_and_off_leaves_the_layer_out() {
        let say = || {
            tracing::debug!(target: "one", "a");
            tracing::warn!(target: "one", "b");
            tracing::debug!(target: "other", "c");
        };
        assert_eq!(messages("info", say), ["b"]);
        assert_eq!(messages("warn,other=debug", say), ["b", "c"]);
        assert!(LogRecords::from_filter("off").unwrap().is_none());
        assert!(matches!(LogRecords::from_filter("a=b=c"), Err(StartError::LogFilter { .. })));
    }

    #[test]
    fn what_the_push_path_says_is_never_pushed() {
        assert_eq!(
            messages("trace", || {
                tracing::error!(target: "async_nats", "no");
                tracing::error!(target: "async_nats::connector", "no");
                tracing::error!(target: "chassis::log_records::publisher", "no");
                tracing::error!(target: "chassis::nats", "no");
                tracing::error!(target: "push_gateway::worker::flush", "no");
                tracing::error!(target: "push_gateway::upstream", "no");
                tracing::error!(target: "push_gateway::codec::frame", "no");
                tracing::error!(target: "push_gateway::protocols::sse", "no");
                tracing::error!(target: TRACE_TARGET, "no");
                tracing::error!(target: "push_gateway::api", "yes");
                tracing::error!(target: "async_nats_of_another", "yes");
            }),
            ["yes", "yes"]
        );
        // These two are named after where they stand.
        assert!(!is_pushed(std::any::type_name::<Nats>()) && !is_pushed(std::any::type_name::<Publisher>()));
    }

    #[test]
    fn a_storm_is_cut_to_the_burst_and_the_rest_is_counted() {
        const SAID: u64 = 5_000;
        let begin = std::time::Instant::now();
        let (taken, records) =
            said("info", || (0..SAID).for_each(|number| tracing::info!(target: "test", number, "storm")));
        let admitted_max = rate::BURST_RECORDS + rate::RECORDS_PER_SECOND * (begin.elapsed().as_secs() + 1);
        let taken = taken.len() as u64;
        assert!(taken >= QUEUE_RECORDS_MAX as u64 && taken <= admitted_max, "{taken} records");
        let dropped: u64 = Reason::ALL.into_iter().map(|reason| records.shared.drops.take(reason)).sum();
        assert_eq!(taken + dropped, SAID, "each record is there or counted");
    }

    #[test]
    fn a_full_queue_leaves_records_out_and_waits_for_nobody() {
        let (records, filter) = LogRecords::from_filter("info").unwrap().unwrap();
        let _taken = records.queue.try_reserve_many(QUEUE_RECORDS_MAX).unwrap();
        let subscriber = tracing_subscriber::registry().with(records.clone().layer(filter));
        tracing::subscriber::with_default(subscriber, || tracing::info!(target: "test", "no room"));
        assert_eq!(records.shared.drops.take(Reason::Queue), 1);
        assert_eq!(records.shared.drops.take(Reason::Queue), 0, "what was taken is not counted again");
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_without_a_publisher_waits_for_nothing_and_one_that_hangs_is_left() {
        let (records, _) = LogRecords::from_filter("info").unwrap().unwrap();
        let begin = Instant::now();
        records.finish().await;
        assert_eq!(begin.elapsed(), Duration::ZERO);
        let _hangs = records.shared.unread.lock().unwrap().take();
        records.finish().await;
        assert_eq!(begin.elapsed(), FINISH_TIMEOUT);
    }
}
