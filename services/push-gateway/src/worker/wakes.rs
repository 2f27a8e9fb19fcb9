//! When protocols want to be asked again ([`Action::WakeAfter`](crate::codec::Action::WakeAfter)). Only sessions that
//! want it cost anything here; the poller's time-out comes from the earliest.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use super::{TICK, Worker};

/// Sessions (with their generation) and when they are due, earliest first. One entry a session that asks, and those of
/// sessions that ended until they are due.
#[derive(Debug, Default)]
pub struct Wakes(BinaryHeap<Reverse<(Instant, usize, u64)>>);

impl Wakes {
    fn push(&mut self, due: Instant, index: usize, generation: u64) {
        self.0.push(Reverse((due, index, generation)));
    }

    /// When the first is due.
    pub fn next_due(&self) -> Option<Instant> {
        self.0.peek().map(|Reverse((due, ..))| *due)
    }

    /// Takes the first one that is due.
    fn pop_due(&mut self, now: Instant) -> Option<(usize, u64)> {
        self.next_due().filter(|due| *due <= now)?;
        self.0.pop().map(|Reverse((_, index, generation))| (index, generation))
    }
}

impl Worker {
    /// Wakes the session's protocol after this time.
    pub(super) fn wake_after(&mut self, index: usize, delay: Duration) {
        self.wakes.push(Instant::now() + delay, index, self.sessions[index].generation);
    }

    /// Wakes the protocols that are due. One whose client takes nothing is put off: what it would say now would only
    /// wait, and be old when it is read.
    pub(super) fn wake_due(&mut self) {
        let now = Instant::now();
        while let Some((index, generation)) = self.wakes.pop_due(now) {
            if !self.is_same(index, generation) {
                continue;
            }
            let session = &mut self.sessions[index];
            if session.closing.is_some() {
                continue;
            }
            if session.blocked_since.is_some() {
                self.wakes.push(now + TICK, index, generation);
                continue;
            }
            let mut actions = Vec::new();
            session.codec.wake(&mut actions);
            self.act(index, actions);
            if self.is_same(index, generation) {
                self.enqueue(index);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_comes_first_and_none_before_its_time() {
        let (mut wakes, start) = (Wakes::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        for (due, index) in [(after(3), 1), (after(1), 2), (after(2), 3)] {
            wakes.push(due, index, 7);
        }
        assert_eq!(wakes.next_due(), Some(after(1)));
        assert_eq!(wakes.pop_due(start), None);
        assert_eq!(wakes.pop_due(after(2)), Some((2, 7)));
        assert_eq!(wakes.pop_due(after(2)), Some((3, 7)));
        assert_eq!((wakes.pop_due(after(2)), wakes.next_due()), (None, Some(after(3))));
    }
}
