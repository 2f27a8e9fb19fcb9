//! Hears the states of other nodes on NATS. A plain subscription: each monitor repeats its state every few seconds,
//! so nothing needs to be replayed, and a subscription comes back by itself with the connection.

use std::time::Instant;

use chassis::{Nats, Shutdown};
use futures_util::StreamExt;
use tokio::sync::watch;

use crate::metrics::MonitorMetrics;
use crate::nodes::{GPU_PREFIX, NodeTable, NotKept, SYSTEM_PREFIX};

/// Feeds `table` until the stop.
pub async fn follow(
    nats: Nats,
    table: watch::Sender<NodeTable>,
    metrics: MonitorMetrics,
    shutdown: Shutdown,
) {
    if nats.connected(&shutdown).await.is_none() {
        return;
    }
    let subscribe = async |prefix: &str| nats.client().subscribe(format!("{prefix}*")).await;
    let (gpus, hosts) = match (subscribe(GPU_PREFIX).await, subscribe(SYSTEM_PREFIX).await) {
        (Ok(gpus), Ok(hosts)) => (gpus, hosts),
        (Err(error), _) | (_, Err(error)) => {
            tracing::error!(%error, "other nodes cannot be heard");
            return;
        }
    };
    let mut messages = futures_util::stream::select(gpus, hosts);
    let mut told = false;
    loop {
        let message = tokio::select! {
            () = shutdown.requested() => return,
            message = messages.next() => match message {
                Some(message) => message,
                None => return,
            },
        };
        let mut result = Ok(());
        table.send_modify(|table| result = table.hear(&message.subject, &message.payload, Instant::now()));
        match result {
            Ok(()) => metrics.heard("kept"),
            Err(NotKept::Own) => {}
            Err(reason) => {
                metrics.heard(reason.label());
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!(subject = %message.subject, %reason, "a state is not kept; more are only counted");
                }
            }
        }
    }
}
