//! The push gateway: holds every client connection of Bywash and pushes what NATS carries to them. It holds nothing
//! else: no business state, no database; any client may be served by any pod.
//!
//! `upstream` brings events in one order, `worker` threads own connections, `hub` and `cursor` decide what goes to
//! whom, `codec` and `protocols` say it in a protocol's words, `commands` asks services.

mod admission;
mod api;
mod budget;
mod codec;
mod commands;
mod config;
mod cursor;
mod event;
mod fleet;
mod hub;
mod metrics;
mod position;
mod profile;
mod protocols;
mod publish;
mod report;
mod session;
mod tickets;
mod upstream;
mod worker;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chassis::auth::Secret;
use chassis::http::Sockets;
use chassis::{Auth, Chassis, Shutdown, StartError};
use proto_schemas::Stream;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;

pub use config::Config;

use crate::admission::{Admission, AdmissionLimits};
use crate::api::{Console, Gateway, ServiceUrls};
use crate::budget::Budget;
use crate::fleet::Fleet;
use crate::metrics::GatewayMetrics;
use crate::tickets::Tickets;
use crate::upstream::intervals::MinIntervals;
use crate::upstream::room::Room;
use crate::upstream::sequencer::Known;
use crate::upstream::{history, ingest, sequencer};
use crate::worker::{Command, Limits, WorkerHandle};

/// The gateway's own port on loopback.
const DEFAULT_PORT: u16 = 8000;
/// The stream without which a pod is not ready. The others may come later, but what there is must be followed: a client
/// that begins now would miss what comes until then.
const NEEDED_STREAM: Stream = Stream::State;

/// Part of the drain's time within which all clients are sent away; the rest is for the slow ones.
const DRAIN_WAVES_SHARE: f64 = 0.6;

/// Runs the gateway until the stop.
pub async fn run(config: Config, shutdown: Shutdown) -> Result<(), StartError> {
    let chassis =
        Chassis::start("push-gateway", &config.common, DEFAULT_PORT, Sockets::Bounded, shutdown.clone())
            .await?;
    let metrics = GatewayMetrics::new(&chassis.metrics);
    let lifetime = Duration::from_secs(config.ticket_lifetime_s);
    let tickets = Tickets::new(config.ticket_key.as_ref().map(Secret::expose), lifetime)?;
    let otherwise = Duration::from_millis(config.state_interval_ms);
    let intervals = MinIntervals::parse(&config.min_intervals, otherwise).map_err(StartError::settings)?;
    let is_tls = config.common.tls_cert_file.is_some();
    let connections_max = admission::connections_allowed(config.max_connections, is_tls);
    let limits = Limits {
        ring_size_bytes: config.ring_bytes,
        stall_timeout: Duration::from_secs(config.stall_timeout_s),
        checkpoint_interval_s: config.checkpoint_interval_s,
        connections_max,
    };
    let count =
        config.workers.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).max(1);
    let (history_requests, history_queue) = mpsc::channel(history::QUEUE_REQUESTS_MAX);
    let (questions, question_queue) = mpsc::channel(commands::QUEUE_QUESTIONS_MAX);
    let (workers, threads) =
        start_workers(count, limits, &history_requests, &questions, &chassis.auth, &metrics)?;
    let budget = Budget::default();
    tokio::spawn(budget.clone().follow(
        config.memory_budget_bytes,
        workers.clone(),
        metrics.clone(),
        shutdown.clone(),
    ));
    follow_upstream(&chassis, &workers, &metrics, intervals, &budget);
    tokio::spawn(history::run(chassis.nats.clone(), history_queue, workers.clone()));
    let fleet = Fleet::new(chassis.nats.clone(), workers.clone());
    tokio::spawn(fleet.clone().serve(shutdown.clone()));
    tokio::spawn(commands::run(
        fleet.clone(),
        chassis.nats.clone(),
        metrics.bad_input.clone(),
        question_queue,
        workers.clone(),
    ));
    tokio::spawn(close_revoked(chassis.auth.clone(), workers.clone()));
    report::spawn(config.common.instance(), chassis.nats.clone(), metrics.clone(), shutdown.clone());

    let profile = config.profile.resolve();
    tracing::info!(profile = ?profile.profile, sse = profile.sse, websocket = profile.websocket,
        control_http = profile.control_http, workers = count, connections_max, "switches");
    let admission_limits = AdmissionLimits {
        connections: connections_max,
        per_user: (!chassis.auth.is_open() && config.max_connections_per_user > 0)
            .then_some(config.max_connections_per_user),
        per_address: Some(config.max_connections_per_address).filter(|max| *max > 0),
        per_second: Some(config.max_connects_per_second).filter(|max| *max > 0),
    };
    let routes = api::router(Arc::new(Gateway {
        auth: chassis.auth.clone(),
        nats: chassis.nats.clone(),
        fleet,
        tickets,
        admission: Admission::new(admission_limits, budget),
        workers: workers.clone(),
        limits,
        profile,
        ws_echo: config.ws_echo,
        services: ServiceUrls {
            knowledge_base: config.kb_url,
            governor: config.governor_url,
            gpu_monitor: config.gpu_monitor_url,
        },
        console: Console::load(&config.console_dir),
        metrics,
        next_worker: AtomicUsize::new(0),
    }));
    let common = config.common;
    let drained = async {
        shutdown.requested().await;
        tokio::time::sleep(common.drain_delay()).await;
        drain(&workers, threads, common.drain_timeout()).await;
    };
    tokio::join!(chassis.serve(routes), drained);
    Ok(())
}

fn start_workers(
    count: usize,
    limits: Limits,
    history: &mpsc::Sender<history::Request>,
    questions: &mpsc::Sender<commands::Question>,
    auth: &Auth,
    metrics: &GatewayMetrics,
) -> Result<(Vec<WorkerHandle>, Vec<JoinHandle<()>>), StartError> {
    let start = |index| {
        let revocations = auth.revocations().clone();
        worker::spawn(index, limits, history.clone(), questions.clone(), revocations, metrics.clone())
    };
    let started: Result<Vec<_>, _> = (0..count).map(start).collect();
    let started =
        started.map_err(|source| StartError::Io { what: "a worker cannot start".to_owned(), source })?;
    Ok(started.into_iter().unzip())
}

/// One consumer per stream, one sequencer, and the word of NATS coming and going.
fn follow_upstream(
    chassis: &Chassis,
    workers: &[WorkerHandle],
    metrics: &GatewayMetrics,
    intervals: MinIntervals,
    budget: &Budget,
) {
    let Chassis { nats, health, shutdown, .. } = chassis;
    let (sequencer, input) = mpsc::channel(sequencer::QUEUE_EVENTS_MAX);
    let room = Room::new(sequencer::QUEUE_SIZE_MAX);
    for stream in Stream::ALL {
        let (sequencer, room) = (sequencer.clone(), room.clone());
        tokio::spawn(ingest::run(stream, nats.clone(), sequencer, room, metrics.clone(), shutdown.clone()));
    }
    let mut connection = nats.watch();
    tokio::spawn(async move {
        while connection.changed().await.is_ok() {
            let now = *connection.borrow_and_update();
            let connected = sequencer::Upstream::Connected { up: now.up, generation: now.generation };
            if sequencer.send(connected).await.is_err() {
                return;
            }
        }
    });
    health.require("upstream", false);
    let health = health.clone();
    let mut awaited = Stream::ALL.to_vec();
    let on_known = move |stream, known| {
        if known != Known::Missing || stream != NEEDED_STREAM {
            awaited.retain(|one| *one != stream);
            health.require("upstream", awaited.is_empty());
        }
    };
    let (workers, budget, metrics) = (workers.to_vec(), budget.clone(), metrics.clone());
    tokio::spawn(sequencer::run(input, workers, intervals, budget, metrics, on_known));
}

/// Ends the connections of tokens and keys that are revoked.
async fn close_revoked(auth: Auth, workers: Vec<WorkerHandle>) {
    let mut changes = auth.revocations().changes();
    loop {
        let revoked = match changes.recv().await {
            Ok(id) => Some(id),
            // Too many at once to name each.
            Err(RecvError::Lagged(_)) => None,
            Err(RecvError::Closed) => return,
        };
        for worker in &workers {
            worker.send(Command::Revoked(revoked.clone())).await;
        }
    }
}

/// Tells every client to come back elsewhere, and ends within the limit.
async fn drain(workers: &[WorkerHandle], threads: Vec<JoinHandle<()>>, limit: Duration) {
    for worker in workers {
        worker.send(Command::Drain(limit.mul_f64(DRAIN_WAVES_SHARE))).await;
    }
    let deadline = Instant::now() + limit;
    while Instant::now() < deadline && threads.iter().any(|thread| !thread.is_finished()) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for worker in workers {
        worker.send(Command::Stop).await;
    }
    // A worker that panics ends the process, so there is nothing to learn from the results.
    let _ = tokio::task::spawn_blocking(move || threads.into_iter().try_for_each(JoinHandle::join)).await;
}
