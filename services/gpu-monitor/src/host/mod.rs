//! The host's load: what the kernel tells (`reading`), and what two readings say together (`load`).

mod load;
mod reading;

use std::path::Path;
use std::time::{Instant, SystemTime};

use proto_schemas::v1::SystemState;

use self::reading::{HostFiles, Reading};

/// Samples the host; keeps the reading before, because shares and rates need two.
#[derive(Debug)]
pub struct HostSampler {
    node: String,
    files: HostFiles,
    previous: Option<(Reading, Instant)>,
}

impl HostSampler {
    /// A sampler of this host whose disk is the one that holds `data_dir`.
    pub fn new(node: &str, data_dir: &Path) -> Self {
        Self { node: node.to_owned(), files: HostFiles::new(Path::new("/proc"), data_dir), previous: None }
    }

    /// The load since the sample before. The first sample knows neither shares nor rates.
    pub fn sample(&mut self, now: SystemTime) -> SystemState {
        let (reading, read_at) = (self.files.read(), Instant::now());
        let since = self.previous.as_ref().map(|(before, at)| (before, read_at.duration_since(*at)));
        let state = load::load(&self.node, since, &reading, chassis::time::rfc3339(now));
        self.previous = Some((reading, read_at));
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_is_sampled_for_real() {
        let mut host = HostSampler::new("here", Path::new("/no/such/folder"));
        let first = host.sample(SystemTime::now());
        assert_eq!((first.cpu_percent, first.network_receive_bytes_per_second), (None, None));
        assert!(first.cpu_count >= Some(1), "{first:?}");
        assert!(first.memory_used_bytes.unwrap() < first.memory_total_bytes.unwrap(), "{first:?}");
        assert!(first.memory_total_bytes.unwrap() > 64.0 * 1024.0 * 1024.0, "{first:?}");
        assert!(first.disk_used_bytes.unwrap() <= first.disk_total_bytes.unwrap(), "{first:?}");
        assert!(first.load_1m.is_some(), "{first:?}");
        let second = host.sample(SystemTime::now());
        assert!(second.network_receive_bytes_per_second.is_some(), "{second:?}");
    }
}
