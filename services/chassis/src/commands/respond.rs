//! Answering: takes commands off their subscriptions, runs a bounded number at once, and answers each within the time
//! for which its asker waits.
//!
//! There is no queue: a command is begun when it arrives or answered `overloaded` at once, because one that waited here
//! would take from the time that its asker has. The client's own buffer is emptied as fast as it fills.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_nats::{Message, Subscriber};
use futures_util::FutureExt;
use futures_util::stream::{SelectAll, StreamExt, select_all};
use prometheus::{HistogramVec, IntCounterVec};
use proto_schemas::command::{self, code};
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, timeout, timeout_at};
use tracing::field::Empty;
use tracing::{Instrument, Span};

use super::{Answer, Asked, Told, encode, read_headers};
use crate::metrics::{METRIC_COMMAND_DURATION, METRIC_COMMANDS, duration_buckets};
use crate::telemetry::TRACE_TARGET;
use crate::trace_context::continue_from;
use crate::{ApiError, Metrics, Nats, Shutdown, TraceParent};

/// Largest body of a command, bytes: the longest, a search, has a query of 1 KiB, which escapes make six times as long.
const BODY_SIZE_MAX: usize = 16 * 1024;
/// Pause before subscriptions that ended are made anew.
const RESUBSCRIBE_DELAY: Duration = Duration::from_secs(1);
/// How long a reply may take into the client's buffer, which is full only while NATS does not take anything.
const REPLY_TIMEOUT: Duration = Duration::from_secs(1);
/// How long NATS may take to hand out what it had sent before it knew of the stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);
/// What an overloaded service asks to wait, seconds.
const RETRY_AFTER_S: u32 = 1;

/// What answers the commands of a service.
pub trait Handler: Send + Sync + 'static {
    /// The answer to one command. It is dropped at the command's deadline.
    fn answer(&self, asked: Asked) -> impl Future<Output = Result<Answer, ApiError>> + Send;
}

/// What a service takes on at most.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Commands under way at once; more are answered `overloaded`.
    pub at_once: usize,
    /// Longest time for a command, however long its asker waits; also how long a stop waits for those under way.
    pub time_max: Duration,
}

/// One subscription.
#[derive(Debug, Clone)]
pub struct Served {
    /// A subject or a pattern of subjects.
    pub subject: String,
    /// With a group, one of its members gets each command; without, this process gets all.
    pub group: Option<&'static str>,
}

/// Metrics of answered commands. Cheap to clone.
#[derive(Debug, Clone)]
pub struct CommandMetrics {
    commands: IntCounterVec,
    seconds: HistogramVec,
}

impl CommandMetrics {
    /// Registers them; once a registry.
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            commands: metrics.counters(
                METRIC_COMMANDS,
                "Commands answered; the outcome is ok or the error's code.",
                &["command", "outcome"],
            ),
            seconds: metrics.histograms(
                METRIC_COMMAND_DURATION,
                "Time from a command's arrival to its reply.",
                &["command"],
                duration_buckets(),
            ),
        }
    }

    /// Both labels are bounded: names are the contract's, and codes are constants of the program.
    fn count(&self, command: &str, outcome: &str, elapsed: Duration) {
        self.commands.with_label_values(&[command, outcome]).inc();
        self.seconds.with_label_values(&[command]).observe(elapsed.as_secs_f64());
    }
}

/// Answers commands until the stop: then it takes no new ones, ends those under way, and sends their replies.
///
/// NATS may be away at start and at any time; its client subscribes again by itself.
pub async fn serve(
    nats: Nats,
    served: Vec<Served>,
    handler: impl Handler,
    limits: Limits,
    metrics: CommandMetrics,
    shutdown: Shutdown,
) {
    let responder = Responder { nats, handler: Arc::new(handler), limits, metrics };
    let mut under_way = JoinSet::new();
    while responder.nats.connected(&shutdown).await.is_some() {
        match subscribe(&responder.nats, &served).await {
            Ok(mut commands) => responder.take_all(&mut commands, &mut under_way, &shutdown).await,
            Err(error) => tracing::warn!(%error, "commands cannot be subscribed to"),
        }
        tokio::select! {
            () = shutdown.requested() => break,
            () = tokio::time::sleep(RESUBSCRIBE_DELAY) => tracing::warn!("subscribing to commands anew"),
        }
    }
    let all = async { while under_way.join_next().await.is_some() {} };
    if timeout(limits.time_max, all).await.is_err() {
        tracing::warn!("commands that are still under way are cut");
    }
    if responder.nats.is_connected() {
        // Replies leave the client's buffer before the process ends, or NATS does not take them anyway.
        let _ = timeout(REPLY_TIMEOUT, responder.nats.client().flush()).await;
    }
}

async fn subscribe(
    nats: &Nats,
    served: &[Served],
) -> Result<SelectAll<Subscriber>, async_nats::SubscribeError> {
    let mut subscribers = Vec::with_capacity(served.len());
    for Served { subject, group } in served {
        let subject = subject.clone();
        subscribers.push(match group {
            Some(group) => nats.client().queue_subscribe(subject, (*group).to_owned()).await?,
            None => nats.client().subscribe(subject).await?,
        });
    }
    Ok(select_all(subscribers))
}

/// What each command needs.
struct Responder<H> {
    nats: Nats,
    handler: Arc<H>,
    limits: Limits,
    metrics: CommandMetrics,
}

impl<H> Clone for Responder<H> {
    fn clone(&self) -> Self {
        Self {
            nats: self.nats.clone(),
            handler: Arc::clone(&self.handler),
            limits: self.limits,
            metrics: self.metrics.clone(),
        }
    }
}

impl<H: Handler> Responder<H> {
    /// Begins each command until the subscriptions end or the stop comes; then also those that NATS had sent by then.
    async fn take_all(
        &self,
        commands: &mut SelectAll<Subscriber>,
        under_way: &mut JoinSet<()>,
        shutdown: &Shutdown,
    ) {
        loop {
            tokio::select! {
                () = shutdown.requested() => break,
                Some(_) = under_way.join_next() => {}
                next = commands.next() => match next {
                    Some(message) => self.take(message, under_way).await,
                    None => return,
                },
            }
        }
        for subscriber in commands.iter_mut() {
            // An error means that the client is gone, and the subscription with it.
            let _ = subscriber.drain().await;
        }
        let rest = async {
            while let Some(message) = commands.next().await {
                self.take(message, under_way).await;
            }
        };
        // While NATS is away nothing tells the end; then nothing comes either.
        let _ = timeout(DRAIN_TIMEOUT, rest).await;
    }

    async fn take(&self, message: Message, under_way: &mut JoinSet<()>) {
        // Those that have ended make room.
        while under_way.try_join_next().is_some() {}
        let refusal = if under_way.len() >= self.limits.at_once {
            Some(ApiError::unavailable(code::OVERLOADED, "too many commands are under way", RETRY_AFTER_S))
        } else if message.payload.len() > BODY_SIZE_MAX {
            let text = format!("the body of a command is at most {BODY_SIZE_MAX} bytes");
            Some(ApiError::new(axum::http::StatusCode::PAYLOAD_TOO_LARGE, code::BODY_TOO_LARGE, text))
        } else {
            None
        };
        match refusal {
            None => {
                under_way.spawn(self.clone().answer(message));
            }
            Some(error) => {
                let name = command::name_of(&message.subject);
                self.metrics.count(name, error.code(), Duration::ZERO);
                self.reply(&message, Err(&error)).await;
            }
        }
    }

    async fn answer(self, message: Message) {
        let start = Instant::now();
        let name = command::name_of(&message.subject);
        let span = tracing::info_span!(
            target: TRACE_TARGET,
            parent: None,
            "command",
            otel.name = format!("answer {name}"),
            otel.kind = "server",
            otel.status_code = Empty,
            messaging.system = "nats",
            bywash.command = name,
            bywash.outcome = Empty,
        );
        let told = message.headers.as_ref().map_or_else(|| read_headers(&Default::default()), read_headers);
        let result = match told {
            Ok(told) => self.handle(&message, told, start, &span).await,
            Err(error) => Err(error),
        };
        let outcome = result.as_ref().map_or_else(ApiError::code, |_| "ok");
        span.record("bywash.outcome", outcome);
        if result.as_ref().is_err_and(|error| error.status().is_server_error()) {
            span.record("otel.status_code", "ERROR");
        }
        self.metrics.count(name, outcome, start.elapsed());
        self.reply(&message, result.as_ref()).await;
    }

    /// Runs the handler for as long as the asker waits.
    async fn handle(
        &self,
        message: &Message,
        told: Told,
        start: Instant,
        span: &Span,
    ) -> Result<Answer, ApiError> {
        if let Some(asker) = told.trace {
            continue_from(span, asker);
        }
        let time_left = told.time_left.unwrap_or(self.limits.time_max).min(self.limits.time_max);
        let late =
            || ApiError::unavailable(code::DEADLINE_EXCEEDED, "the command took too long", RETRY_AFTER_S);
        if time_left.is_zero() {
            return Err(late());
        }
        let deadline = start + time_left;
        let asked = Asked {
            subject: message.subject.to_string(),
            body: message.payload.clone(),
            by: told.by,
            deadline,
            trace: TraceParent::of(span).or(told.trace),
        };
        // Nothing of a handler that panicked is used again: what it shares with others is behind locks and channels of
        // its own, which know of panics.
        let work = AssertUnwindSafe(self.handler.answer(asked).instrument(span.clone())).catch_unwind();
        match timeout_at(deadline, work).await {
            Ok(Ok(Ok(Answer(bytes)))) if bytes.len() > self.nats.client().max_payload() => {
                Err(ApiError::new(
                    axum::http::StatusCode::INTERNAL_SERVER_ERROR,
                    code::ANSWER_TOO_LARGE,
                    "the answer does not fit a message; ask for less",
                ))
            }
            Ok(Ok(result)) => result,
            Ok(Err(_)) => {
                tracing::error!(subject = %message.subject, "the handler of a command panicked");
                Err(ApiError::internal())
            }
            Err(_) => Err(late()),
        }
    }

    async fn reply(&self, message: &Message, result: Result<&Answer, &ApiError>) {
        // Without an inbox nobody waits, and while NATS is away nobody can be told.
        let Some(inbox) = message.reply.clone() else { return };
        if !self.nats.is_connected() {
            return;
        }
        let publishing = self.nats.client().publish(inbox, encode(result));
        if !matches!(timeout(REPLY_TIMEOUT, publishing).await, Ok(Ok(()))) {
            tracing::debug!(subject = %message.subject, "a reply could not be sent");
        }
    }
}
