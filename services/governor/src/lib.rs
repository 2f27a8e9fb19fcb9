//! The governor: decides when engines run, from what the monitors, the knowledge base and operators tell, and runs
//! them as child processes.
//!
//! Its state is in memory: a restart begins in dry run, with no decisions made, and its engines end with it. Nothing
//! elects a leader yet, so run one governor.

pub mod api;
mod commands;
pub mod config;
pub mod decide;
pub mod engines;
pub mod error;
pub mod follow;
pub mod governor;
pub mod heard;
pub mod metrics;
pub mod outbox;
pub mod snapshot;

use std::time::Duration;

use chassis::http::Sockets;
use chassis::{Chassis, Shutdown, StartError, process::ServiceConfig, state};
use proto_schemas::event::STATE_GOVERNOR;
use tokio::sync::{mpsc, watch};

use crate::api::Api;
use crate::config::{Config, DEFAULT_PORT};
use crate::governor::{Governor, Wiring};
use crate::heard::Heard;
use crate::metrics::GovernorMetrics;

/// Operators' requests that may wait: people and their scripts, so more than this is a flood, and answered 503.
const REQUESTS_MAX: usize = 64;
/// How long the last decisions may take into the stream when the process ends.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// Runs the governor until the stop.
pub async fn run(config: Config, shutdown: Shutdown) -> Result<(), StartError> {
    let policy = config.policy.policy().map_err(StartError::settings)?;
    let specs = match &config.engines_file {
        Some(path) => engines::read(path).map_err(StartError::settings)?,
        None => Vec::new(),
    };
    let chassis =
        Chassis::start(Config::SERVICE, &config.common, DEFAULT_PORT, Sockets::Usual, shutdown.clone())
            .await?;
    let metrics = GovernorMetrics::new(&chassis.metrics);
    let nats = chassis.nats.clone();
    tracing::info!(engines = specs.len(), control_http = config.enable_control_http, ?policy, "governing");

    let (heard_sender, heard) = watch::channel(Heard::default());
    tokio::spawn(follow::follow(nats.clone(), heard_sender, metrics.clone(), shutdown.clone()));
    let (outbox, pending) = outbox::outbox(metrics.outbox.clone());
    let publisher = tokio::spawn(outbox::publish(pending, nats.clone(), shutdown.clone()));
    let (requests, incoming) = mpsc::channel(REQUESTS_MAX);
    let wiring = Wiring { heard, requests: incoming, outbox, metrics: metrics.clone() };
    let (governor, snapshots, states) = Governor::new(policy, specs, &config.common.instance(), wiring);
    let stale_after = Duration::from_secs(config.policy.stale_after_s);
    let decisions = tokio::spawn(governor.run(config.decide_interval(), shutdown.clone()));
    tokio::spawn(state::publish(nats, STATE_GOVERNOR.to_owned(), states, snapshot::same_state, shutdown));

    let api = Api { snapshots, requests, stale_after };
    let commands = commands::start(&chassis, api.clone());
    chassis.serve(api::routes(api, config.enable_control_http)).await;
    // It ends with the stop, in a bounded time.
    let _ = commands.await;

    // The loop ends its engines within their grace, and with it the outbox closes.
    let _ = decisions.await;
    if tokio::time::timeout(FLUSH_TIMEOUT, publisher).await.is_err() {
        tracing::warn!(
            decisions = metrics.outbox.get(),
            "decisions are lost: NATS did not take them in time"
        );
    }
    Ok(())
}
