//! Counts of what goes through the sockets, kept by each worker for itself and handed to the process's metrics once a
//! second: a counter shared by all threads, looked up by its labels, costs as much as a frame.

use prometheus::local::{LocalHistogram, LocalIntCounter};

use crate::codec::Codec;
use crate::metrics::GatewayMetrics;

/// Index of a protocol's counts in its worker.
pub type TallyId = usize;

/// What one protocol's connections were sent and sent.
pub struct Tally {
    protocol: &'static str,
    endpoint: &'static str,
    /// Events that reached a socket's buffer.
    pub delivered: LocalIntCounter,
    /// The same, under the name that older dashboards know.
    pub messages_out: LocalIntCounter,
    /// What clients asked for.
    pub messages_in: LocalIntCounter,
}

/// All counts of a worker.
pub struct Tallies {
    by_protocol: Vec<Tally>,
    /// Bytes written.
    pub written_bytes: LocalIntCounter,
    /// From the pod getting an event to the write that took it, seconds.
    pub event_to_socket: LocalHistogram,
    /// From a session being put on the ready list to its turn, seconds.
    pub ready_wait: LocalHistogram,
    /// Time of one write, seconds.
    pub write_time: LocalHistogram,
}

impl Tallies {
    /// Nothing counted yet.
    pub fn new(metrics: &GatewayMetrics) -> Self {
        Self {
            by_protocol: Vec::new(),
            written_bytes: metrics.written_bytes.local(),
            event_to_socket: metrics.event_to_socket.local(),
            ready_wait: metrics.ready_wait.local(),
            write_time: metrics.write_time.local(),
        }
    }

    /// The counts of a connection's protocol. There are few protocols, and this is asked once a connection.
    pub fn of(&mut self, codec: &dyn Codec, metrics: &GatewayMetrics) -> TallyId {
        let (protocol, endpoint) = (codec.protocol(), codec.endpoint());
        let is_same = |tally: &Tally| tally.protocol == protocol && tally.endpoint == endpoint;
        self.by_protocol.iter().position(is_same).unwrap_or_else(|| {
            self.by_protocol.push(Tally {
                protocol,
                endpoint,
                delivered: metrics.delivered.with_label_values(&[protocol]).local(),
                messages_out: metrics.messages.with_label_values(&[endpoint, "out"]).local(),
                messages_in: metrics.messages.with_label_values(&[endpoint, "in"]).local(),
            });
            self.by_protocol.len() - 1
        })
    }

    /// The counts of that protocol.
    pub fn get(&self, id: TallyId) -> &Tally {
        &self.by_protocol[id]
    }

    /// Hands everything to the process's metrics.
    pub fn flush(&self) {
        for tally in &self.by_protocol {
            tally.delivered.flush();
            tally.messages_out.flush();
            tally.messages_in.flush();
        }
        self.written_bytes.flush();
        self.event_to_socket.flush();
        self.ready_wait.flush();
        self.write_time.flush();
    }
}
