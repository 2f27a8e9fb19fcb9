//! The end of a pod: its sessions are sent elsewhere in waves, so that the other pods are not met by all at once.

use std::time::{Duration, Instant};

use super::Worker;
use crate::codec::CloseReason;

/// Time between two waves.
const WAVE_INTERVAL: Duration = Duration::from_millis(100);
/// Sessions that a wave sends away unless time is short: what one other pod takes in easily meanwhile.
const WAVE_SESSIONS: usize = 50;

/// Who is still to be sent away, and when the next are.
#[derive(Debug)]
pub struct Waves {
    /// Sessions with their generation; the last come first.
    left: Vec<(usize, u64)>,
    per_wave: usize,
    next_at: Instant,
}

impl Waves {
    fn new(sessions: Vec<(usize, u64)>, within: Duration, now: Instant) -> Self {
        let waves =
            usize::try_from(within.as_millis() / WAVE_INTERVAL.as_millis()).unwrap_or(usize::MAX).max(1);
        let per_wave = sessions.len().div_ceil(waves).max(WAVE_SESSIONS);
        Self { left: sessions, per_wave, next_at: now }
    }

    fn take_due(&mut self, now: Instant) -> Vec<(usize, u64)> {
        if self.left.is_empty() || now < self.next_at {
            return Vec::new();
        }
        self.next_at = now + WAVE_INTERVAL;
        self.left.split_off(self.left.len().saturating_sub(self.per_wave))
    }

    /// When the next wave is due.
    pub fn next_due(&self) -> Option<Instant> {
        (!self.left.is_empty()).then_some(self.next_at)
    }
}

impl Worker {
    /// Sends all sessions elsewhere, the last of them after `within`. New ones are sent on at once.
    pub(super) fn drain(&mut self, within: Duration) {
        let mut all: Vec<(usize, u64)> =
            self.sessions.iter().map(|(index, session)| (index, session.generation)).collect();
        // Neighbours came together, often from one client or page; they shall not leave together.
        fastrand::shuffle(&mut all);
        self.waves = Some(Waves::new(all, within, Instant::now()));
        self.drain_due();
    }

    /// Sends the sessions of a wave that is due.
    pub(super) fn drain_due(&mut self) {
        let Some(waves) = &mut self.waves else { return };
        for (index, generation) in waves.take_due(Instant::now()) {
            if self.is_same(index, generation) {
                self.close_politely(index, CloseReason::Draining);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waves_are_paced_and_the_last_is_within_the_time() {
        let start = Instant::now();
        let sessions: Vec<_> = (0..1_000).map(|index| (index, 0)).collect();
        let mut waves = Waves::new(sessions, Duration::from_secs(1), start);
        let mut sizes = Vec::new();
        let mut now = start;
        while let Some(due) = waves.next_due() {
            assert!(
                waves.take_due(due.checked_sub(Duration::from_millis(1)).unwrap()).is_empty() || due == start
            );
            now = now.max(due);
            sizes.push(waves.take_due(now).len());
        }
        assert_eq!(sizes, [100; 10]);
        assert!(now <= start + Duration::from_secs(1));
    }

    #[test]
    fn a_few_sessions_leave_at_once() {
        let start = Instant::now();
        let mut waves = Waves::new(vec![(1, 0), (2, 0)], Duration::from_secs(10), start);
        assert_eq!(waves.take_due(start).len(), 2);
        assert_eq!(waves.next_due(), None);
    }
}
