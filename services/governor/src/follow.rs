//! Hears the states that decisions rest on. Plain subscriptions: each source repeats its state every few seconds, so
//! nothing needs to be replayed, and a subscription comes back by itself with the connection.

use chassis::{Nats, Shutdown};
use futures_util::StreamExt;
use proto_schemas::event::STATE_KB;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::heard::{GPU_PREFIX, Heard, SYSTEM_PREFIX};
use crate::metrics::GovernorMetrics;

/// Feeds `heard` until the stop.
pub async fn follow(nats: Nats, heard: watch::Sender<Heard>, metrics: GovernorMetrics, shutdown: Shutdown) {
    if nats.connected(&shutdown).await.is_none() {
        return;
    }
    let mut subscriptions = Vec::new();
    for subject in [format!("{SYSTEM_PREFIX}*"), format!("{GPU_PREFIX}*"), STATE_KB.to_owned()] {
        match nats.client().subscribe(subject).await {
            Ok(subscription) => subscriptions.push(subscription),
            Err(error) => {
                tracing::error!(%error, "inputs cannot be heard; every decision is inconclusive");
                return;
            }
        }
    }
    let mut messages = futures_util::stream::select_all(subscriptions);
    let mut told = false;
    loop {
        let message = tokio::select! {
            () = shutdown.requested() => return,
            message = messages.next() => match message {
                Some(message) => message,
                None => return,
            },
        };
        let mut result = Ok("");
        heard.send_modify(|heard| result = heard.hear(&message.subject, &message.payload, Instant::now()));
        match result {
            Ok(input) => metrics.heard(input),
            Err(reason) => {
                metrics.heard("refused");
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!(subject = %message.subject, %reason, "a state is not used; more are only counted");
                }
            }
        }
    }
}
