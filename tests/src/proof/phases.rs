//! The phases of the proof and their order.

/// A condition under which the same requests are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Nobody follows.
    NoClients,
    /// A thousand clients follow and read.
    Clients,
    /// The same, but 2 % of them have stopped to read.
    StalledClients,
    /// A thousand clients, and the gateway gets SIGSTOP.
    GatewayStopped,
    /// A thousand clients, and NATS gets SIGSTOP.
    NatsStopped,
    /// The negative control with a thousand clients that read.
    ControlClients,
    /// The negative control with 2 % of them stalled.
    ControlStalledClients,
}

impl Phase {
    /// All of them, as the table lists them.
    pub const ALL: [Self; 7] = [
        Self::NoClients,
        Self::Clients,
        Self::StalledClients,
        Self::GatewayStopped,
        Self::NatsStopped,
        Self::ControlClients,
        Self::ControlStalledClients,
    ];

    /// Its name in table and report.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoClients => "no_clients",
            Self::Clients => "clients",
            Self::StalledClients => "stalled_clients",
            Self::GatewayStopped => "gateway_stopped",
            Self::NatsStopped => "nats_stopped",
            Self::ControlClients => "control_clients",
            Self::ControlStalledClients => "control_stalled_clients",
        }
    }

    /// Whether it measures the negative control.
    pub fn is_control(self) -> bool {
        matches!(self, Self::ControlClients | Self::ControlStalledClients)
    }

    /// Whether some of its clients stall.
    pub fn has_stalled_clients(self) -> bool {
        matches!(self, Self::StalledClients | Self::ControlStalledClients)
    }

    /// Whether the old systems' own check runs at the end of it. With stalled clients the control answers no post.
    pub fn is_checked_sequentially(self) -> bool {
        matches!(self, Self::Clients | Self::StalledClients | Self::ControlClients)
    }

    /// The order of round `round`: each phase comes at another place in each round, so that a machine that slows down
    /// or speeds up over the run favours none.
    pub fn order(round: usize) -> [Self; 7] {
        let mut order = Self::ALL;
        // 3 has no factor in common with the number of phases, so places repeat only after that many rounds.
        order.rotate_left(round * 3 % Self::ALL.len());
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_round_has_every_phase_and_no_phase_keeps_its_place() {
        let mut places = std::collections::BTreeMap::<Phase, std::collections::BTreeSet<usize>>::new();
        for round in 0..5 {
            for (place, phase) in Phase::order(round).into_iter().enumerate() {
                places.entry(phase).or_default().insert(place);
            }
        }
        assert_eq!(places.len(), Phase::ALL.len());
        assert!(places.values().all(|places| places.len() == 5), "{places:?}");
    }
}
