//! What is told of the adapters: in answers, and on `state.adapter` to everybody who follows it.

use std::time::Duration;

use chassis::{Nats, Shutdown, state, time};
use proto_schemas::event::STATE_ADAPTER;
use proto_schemas::v1::{AdapterState, SearchAdapter, SearchAdapters};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::adapters::AdapterReport;
use super::{Adapter, Report, Searcher};
use crate::relay::RelayStatus;

/// Between two looks; a change is told that late at most.
const INTERVAL: Duration = Duration::from_secs(1);

/// The name of the adapter that would answer; `none` where none would.
pub fn name_of(current: Option<Adapter>) -> &'static str {
    current.map_or("none", Adapter::as_str)
}

/// A report as the contract has it.
pub fn adapters_of(report: &Report) -> SearchAdapters {
    SearchAdapters {
        primary: Some(adapter_of(&report.primary)),
        fallback: Some(adapter_of(&report.fallback)),
    }
}

#[allow(clippy::cast_precision_loss, reason = "exact below 2^53 searches")]
fn adapter_of(report: &AdapterReport) -> SearchAdapter {
    SearchAdapter {
        available: report.available,
        circuit: report.circuit.map_or("off", |circuit| circuit.as_str()).to_owned(),
        query_count: report.statistics.query_count as f64,
        avg_latency_ms: report.statistics.average.map(|average| average.as_secs_f64() * 1e3),
        success_rate: report.statistics.success_rate,
    }
}

/// The task that tells `state.adapter`, of the process that is the relay: the subject has one value, and several
/// processes would overwrite each other's.
pub struct AdapterTeller {
    searcher: Searcher,
    relay: RelayStatus,
    instance: String,
}

impl AdapterTeller {
    /// Starts it; it ends with the stop.
    pub fn start(
        searcher: Searcher,
        relay: RelayStatus,
        nats: &Nats,
        instance: &str,
        shutdown: &Shutdown,
    ) -> JoinHandle<()> {
        let teller = Self { searcher, relay, instance: instance.to_owned() };
        let (sender, states) = watch::channel(None);
        let subject = STATE_ADAPTER.to_owned();
        tokio::spawn(state::publish(nats.clone(), subject, states, is_same, shutdown.clone()));
        let shutdown = shutdown.clone();
        tokio::spawn(async move {
            loop {
                sender.send_replace(teller.relay.leads().then(|| teller.state()));
                tokio::select! {
                    () = shutdown.requested() => return,
                    () = tokio::time::sleep(INTERVAL) => {}
                }
            }
        })
    }

    fn state(&self) -> AdapterState {
        let report = self.searcher.report();
        AdapterState {
            instance: self.instance.clone(),
            current_adapter: name_of(report.current).to_owned(),
            adapters: Some(adapters_of(&report)),
            time: time::now(),
        }
    }
}

fn is_same(before: &AdapterState, now: &AdapterState) -> bool {
    AdapterState { time: now.time.clone(), ..before.clone() } == *now
}
