//! The knowledge base: facts in a store, an HTTP API over it, and a relay that tells every change to NATS.
//!
//! A request waits for the store and for nothing else: it does not know whether NATS or any follower is there.

pub mod api;
mod by_fact;
mod commands;
pub mod config;
pub mod embed;
pub mod error;
pub mod fail_point;
mod following;
pub mod grammar;
pub mod graph;
mod lane;
mod maintenance;
mod opening;
pub mod priority;
pub mod quality;
pub mod relay;
pub mod search;
pub mod store;
#[cfg(test)]
mod testing;
pub mod vector;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chassis::health::Health;
use chassis::http::Sockets;
use chassis::process::{Chassis, ServiceConfig};
use chassis::{Metrics, Shutdown, StartError};
use tokio::task::JoinHandle;

pub use config::Config;

use api::{ApiState, Parts};
use graph::GraphIndex;
use quality::QualityIndex;
use relay::Relay;
use search::{AdapterTeller, Searcher, Switches, Vectors};
use store::{Store, StoreMetrics};

/// Port on loopback where nobody said.
pub const DEFAULT_PORT: u16 = 5001;

/// Where the vector indexes lie, below the data directory. They are derived: removed while the service is stopped, they
/// are built again.
const VECTORS_DIRECTORY: &str = "vectors";

/// How long a stop waits for the store's last commit and the move of its log.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Does what the settings say: serves until the stop, or a task of `maintenance.rs`.
///
/// # Errors
/// [`StartError`] when the port is taken, the settings cannot work, or the store cannot be opened.
pub async fn run(config: Config, shutdown: Shutdown) -> Result<(), StartError> {
    if let Some(task) = config.task {
        let work = move || maintenance::run(&task, config.store, &config.data_dir);
        let done = tokio::task::spawn_blocking(work).await;
        return done.map_err(StartError::service)?;
    }
    fail_point::arm_from_environment()?;
    let chassis =
        Chassis::start(Config::SERVICE, &config.common, DEFAULT_PORT, Sockets::Usual, shutdown).await?;
    let embedder = config.embedder.embedder(&chassis.metrics).map_err(StartError::settings)?;
    tracing::info!(model = embedder.model_id(), "embedder of documents");
    let metrics = StoreMetrics::new(&chassis.metrics);
    let (store, closed) = opening::open(&config, metrics).await?;
    let snapshot = store.snapshot();
    tracing::info!(facts = snapshot.fact_count, revision = snapshot.revision.0, epoch = %snapshot.epoch, "store open");

    let watching = watch_store(store.clone(), chassis.health.clone(), chassis.shutdown.clone());
    let (graph, graph_thread) = GraphIndex::start(&store, &chassis.metrics, chassis.shutdown.clone());
    let following = graph.clone();
    watch_index("graph", async move { following.failed().await }, &chassis.health, &chassis.shutdown);
    let (quality, quality_thread) = QualityIndex::start(&store, &chassis.metrics, chassis.shutdown.clone());
    let following = quality.clone();
    watch_index("quality", async move { following.failed().await }, &chassis.health, &chassis.shutdown);

    let instance = config.common.instance();
    let relay = Relay::start(&store, &chassis.nats, &chassis.metrics, &instance, config.stream_replicas);
    let switches = Switches { primary: config.themis_enabled, fallback: config.use_uds3_fallback };
    let vectors = follow_vectors(&store, &config.data_dir, switches, &chassis.metrics).await?;
    let searcher = Searcher::new(store.clone(), Arc::new(vectors.clone()), switches);
    let telling =
        AdapterTeller::start(searcher.clone(), relay.status(), &chassis.nats, &instance, &chassis.shutdown);
    let parts = Parts {
        store: store.clone(),
        graph,
        quality,
        vectors: vectors.clone(),
        searcher,
        embedder,
        relay: relay.status(),
        shutdown: chassis.shutdown.clone(),
    };
    let state = ApiState::new(parts, &instance);
    let commands = commands::start(&chassis, state.clone());
    let routes = api::router(state);
    chassis.serve(routes).await;

    // It holds the store and ends with the stop, in a bounded time.
    let _ = commands.await;
    let _ = telling.await;
    relay.finish().await;
    let followers = move || {
        graph_thread.join();
        quality_thread.join();
        vectors.finish();
    };
    let _ = tokio::task::spawn_blocking(followers).await;
    // It holds the store, whose threads end with the last who does.
    watching.abort();
    drop(store);
    if tokio::time::timeout(CLOSE_TIMEOUT, closed).await.is_err() {
        tracing::warn!("the store is still busy; its log is recovered at the next start");
    }
    Ok(())
}

/// Starts what keeps vectors, where the adapter that searches them is on.
async fn follow_vectors(
    store: &Store,
    data_dir: &Path,
    switches: Switches,
    metrics: &Metrics,
) -> Result<Vectors, StartError> {
    if !switches.primary {
        return Ok(Vectors::none());
    }
    let (store, directory, metrics) = (store.clone(), data_dir.join(VECTORS_DIRECTORY), metrics.clone());
    // It reads what was persisted.
    let started = tokio::task::spawn_blocking(move || Vectors::start(&store, &directory, &metrics)).await;
    started.map_err(StartError::service)?.map_err(StartError::service)
}

/// Makes the service unready when a thread of the store ends before the stop: nothing brings it back but a new start.
fn watch_store(store: Store, health: Health, shutdown: Shutdown) -> JoinHandle<()> {
    health.require("store", true);
    tokio::spawn(async move {
        tokio::select! {
            () = shutdown.requested() => {}
            () = store.failed() => {
                tracing::error!("a thread of the store has ended; restart the service");
                health.require("store", false);
            }
        }
    })
}

/// Makes the service unready when the thread that follows the store for an index ends before the stop: what that says
/// grows old.
fn watch_index(
    name: &'static str,
    failed: impl Future<Output = ()> + Send + 'static,
    health: &Health,
    shutdown: &Shutdown,
) {
    health.require(name, true);
    let (health, shutdown) = (health.clone(), shutdown.clone());
    tokio::spawn(async move {
        tokio::select! {
            () = shutdown.requested() => {}
            () = failed => {
                tracing::error!("the {name} does not follow the store any more; restart the service");
                health.require(name, false);
            }
        }
    });
}
