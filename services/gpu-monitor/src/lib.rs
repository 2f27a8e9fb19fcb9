//! The GPU monitor: samples the GPUs and the load of its node on its own schedule, publishes both as state, and
//! answers for any node that it has heard of. It owns no data: a restart loses nothing.

pub mod api;
mod commands;
pub mod config;
pub mod follow;
pub mod gpu;
pub mod host;
pub mod metrics;
pub mod nodes;
pub mod sampler;

use std::time::SystemTime;

use chassis::http::Sockets;
use chassis::{Chassis, Health, Shutdown, StartError, process::ServiceConfig, state};
use proto_schemas::event;
use proto_schemas::v1::{GpuState, SystemState};
use tokio::sync::watch;

use crate::api::Api;
use crate::config::{Config, DEFAULT_PORT};
use crate::host::HostSampler;
use crate::metrics::MonitorMetrics;
use crate::nodes::NodeTable;
use crate::sampler::Sampler;

/// Runs the monitor until the stop.
pub async fn run(config: Config, shutdown: Shutdown) -> Result<(), StartError> {
    let chassis =
        Chassis::start(Config::SERVICE, &config.common, DEFAULT_PORT, Sockets::Usual, shutdown.clone())
            .await?;
    let metrics = MonitorMetrics::new(&chassis.metrics);
    let node = config.node();
    tracing::info!(%node, gpu_source = ?config.gpu_source, interval = ?config.sample_interval(), "sampling");

    let system = sample_host(&config, &node, &metrics)?;
    let gpu = sample_gpus(&config, &node, &metrics)?;
    follow_samples(&chassis.health, &system, &gpu);

    let (table, nodes) = watch::channel(NodeTable::new(&node));
    tokio::spawn(follow::follow(chassis.nats.clone(), table, metrics, shutdown.clone()));
    tokio::spawn(state::publish(
        chassis.nats.clone(),
        event::state_gpu(&node),
        gpu.states.clone(),
        same_gpus,
        shutdown.clone(),
    ));
    tokio::spawn(state::publish(
        chassis.nats.clone(),
        event::state_system(&node),
        system.states.clone(),
        same_load,
        shutdown,
    ));

    let api = Api { node: node.into(), gpu: gpu.samples.clone(), system: system.samples.clone(), nodes };
    let commands = commands::start(&chassis, api.clone());
    chassis.serve(api::routes(api)).await;
    // It ends with the stop, in a bounded time.
    let _ = commands.await;
    Ok(())
}

fn sample_host(
    config: &Config,
    node: &str,
    metrics: &MonitorMetrics,
) -> Result<Sampler<SystemState>, StartError> {
    let mut host = HostSampler::new(node, &config.data_dir);
    let gauges = metrics.clone();
    let sample = move |_| {
        let state = host.sample(SystemTime::now());
        gauges.show(&state);
        Ok(state)
    };
    Sampler::spawn("host", config.sample_interval(), metrics, sample)
}

fn sample_gpus(
    config: &Config,
    node: &str,
    metrics: &MonitorMetrics,
) -> Result<Sampler<GpuState>, StartError> {
    let mut source = gpu::source(config);
    let (name, node) = (source.name(), node.to_owned());
    let sample = move |tick| {
        let gpus = source.sample(tick)?;
        Ok(GpuState { node: node.clone(), source: name.to_owned(), gpus, time: chassis::time::now() })
    };
    Sampler::spawn(name, config.sample_interval(), metrics, sample)
}

/// Ready once the host was sampled; a GPU driver that hangs from the start shows, and takes nothing else away.
fn follow_samples(health: &Health, system: &Sampler<SystemState>, gpu: &Sampler<GpuState>) {
    health.require("host_sample", false);
    health.tell("gpu_sample", false);
    let (mut samples, told) = (system.samples.clone(), health.clone());
    tokio::spawn(async move {
        let first = samples.wait_for(Option::is_some).await.is_ok();
        told.require("host_sample", first);
    });
    let (mut samples, told) = (gpu.samples.clone(), health.clone());
    tokio::spawn(async move {
        let first = samples.wait_for(Option::is_some).await.is_ok();
        told.tell("gpu_sample", first);
    });
}

fn same_gpus(a: &GpuState, b: &GpuState) -> bool {
    a.source == b.source && a.gpus == b.gpus
}

fn same_load(a: &SystemState, b: &SystemState) -> bool {
    SystemState { time: String::new(), ..a.clone() } == SystemState { time: String::new(), ..b.clone() }
}
