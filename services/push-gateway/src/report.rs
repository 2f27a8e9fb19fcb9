//! What this pod tells of itself on `state.gateway.<pod>`.

use std::time::Duration;

use chassis::{Nats, Shutdown, state, time};
use proto_schemas::event;
use proto_schemas::v1::GatewayState;
use tokio::sync::watch;

use crate::metrics::GatewayMetrics;

/// How often the figures are looked at; they are told when they changed.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Starts to tell until the stop.
pub fn spawn(pod: String, nats: Nats, metrics: GatewayMetrics, shutdown: Shutdown) {
    let subject = event::state_gateway(&pod);
    let (sender, states) = watch::channel(None);
    tokio::spawn(state::publish(nats, subject, states, is_same, shutdown));
    tokio::spawn(async move {
        // Ends when nobody publishes any more.
        while sender.send(Some(look(&pod, &metrics))).is_ok() {
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    });
}

fn is_same(before: &GatewayState, now: &GatewayState) -> bool {
    GatewayState { time: String::new(), ..before.clone() }
        == GatewayState { time: String::new(), ..now.clone() }
}

/// The figures now.
#[allow(clippy::cast_precision_loss, reason = "counts of this process are exact in a double")]
fn look(pod: &str, metrics: &GatewayMetrics) -> GatewayState {
    GatewayState {
        pod: pod.to_owned(),
        connections: metrics.open_connections() as f64,
        // Deliveries of this very state would change it each time; whole hundreds say enough.
        delivered: (metrics.delivered_events() / 100 * 100) as f64,
        behind: metrics.behind.get() as f64,
        time: time::now(),
    }
}
