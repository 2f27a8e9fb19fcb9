//! What the monitor answers over NATS: the last samples of its own node. For other nodes their own monitors are asked.

use std::time::{Duration, Instant};

use chassis::commands::{Answer, Asked, CommandMetrics, Handler, Limits, Served, serve, unknown_command};
use chassis::{ApiError, Chassis, Role};
use proto_schemas::command;
use proto_schemas::v1::GpuMonitorStatus;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::api::Api;
use crate::sampler::Sample;

/// An answer comes from memory and takes microseconds, so that more at once would mean that nothing runs at all.
const AT_ONCE_MAX: usize = 64;

/// Nothing here waits.
const TIME_MAX: Duration = Duration::from_secs(1);

/// Answers until the stop.
pub fn start(chassis: &Chassis, api: Api) -> JoinHandle<()> {
    let subject = command::gpu_status(&api.node);
    let served = vec![Served { subject: subject.clone(), group: None }];
    let limits = Limits { at_once: AT_ONCE_MAX, time_max: TIME_MAX };
    let metrics = CommandMetrics::new(&chassis.metrics);
    let (nats, shutdown) = (chassis.nats.clone(), chassis.shutdown.clone());
    tokio::spawn(serve(nats, served, Commands { subject, api }, limits, metrics, shutdown))
}

struct Commands {
    subject: String,
    api: Api,
}

impl Handler for Commands {
    async fn answer(&self, asked: Asked) -> Result<Answer, ApiError> {
        asked.by.require(Role::Read)?;
        if asked.subject != self.subject {
            return Err(unknown_command(&asked.subject));
        }
        Ok(Answer::of(&status(&self.api, Instant::now())))
    }
}

fn status(api: &Api, now: Instant) -> GpuMonitorStatus {
    let (gpu, gpu_age_ms) = last(&api.gpu, now);
    let (system, system_age_ms) = last(&api.system, now);
    GpuMonitorStatus { node: api.node.to_string(), gpu, gpu_age_ms, system, system_age_ms }
}

/// The last sample and its age.
fn last<T: Clone>(samples: &watch::Receiver<Option<Sample<T>>>, now: Instant) -> (Option<T>, Option<f64>) {
    samples.borrow().as_ref().map(|sample| (sample.value.clone(), sample.age_ms(now))).unzip()
}

#[cfg(test)]
mod tests {
    use proto_schemas::v1::GpuState;

    use super::*;
    use crate::nodes::NodeTable;

    #[test]
    fn a_sample_that_was_not_taken_yet_is_absent() {
        let now = Instant::now();
        let gpu = GpuState { node: "own".to_owned(), source: "none".to_owned(), ..GpuState::default() };
        let taken_at = now.checked_sub(Duration::from_millis(250)).unwrap();
        let (_gpu, gpus) = watch::channel(Some(Sample { value: gpu.clone(), taken_at }));
        let (_system, system) = watch::channel(None);
        let (_nodes, nodes) = watch::channel(NodeTable::new("own"));
        let told = status(&Api { node: "own".into(), gpu: gpus, system, nodes }, now);
        assert_eq!((told.gpu, told.gpu_age_ms), (Some(gpu), Some(250.0)));
        assert_eq!((told.system, told.system_age_ms), (None, None));
    }
}
