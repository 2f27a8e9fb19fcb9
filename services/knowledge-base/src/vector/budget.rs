//! Memory that is not mapped: vectors that wait for their graph, and graphs that are being built. Whoever wants more
//! than there is waits until others gave back; nobody fails.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Share of the budget for vectors that wait; the rest is for graphs being built, whose parts may be as large as that
/// allows.
const WAITING_SHARE: usize = 4;

/// What memory is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Vectors without a graph.
    Waiting,
    /// Graphs being built.
    Building,
}

#[derive(Debug, Default)]
struct Used {
    waiting_bytes: usize,
    building_bytes: usize,
    /// Those who found too little.
    waiters: usize,
}

impl Used {
    fn of(&mut self, purpose: Purpose) -> &mut usize {
        match purpose {
            Purpose::Waiting => &mut self.waiting_bytes,
            Purpose::Building => &mut self.building_bytes,
        }
    }
}

/// The bytes that all indexes of a process share.
#[derive(Debug)]
pub struct Budget {
    bytes_max: usize,
    /// Changed for the length of an addition.
    used: Mutex<Used>,
    given_back: Condvar,
    /// What was noted of the pressure last.
    pressed: AtomicBool,
}

impl Budget {
    /// Nothing is used.
    pub fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self {
            bytes_max,
            used: Mutex::default(),
            given_back: Condvar::new(),
            pressed: AtomicBool::new(false),
        })
    }

    /// Most bytes for a purpose.
    pub fn bytes_max(&self, purpose: Purpose) -> usize {
        let waiting = self.bytes_max / WAITING_SHARE;
        match purpose {
            Purpose::Waiting => waiting,
            Purpose::Building => self.bytes_max - waiting,
        }
    }

    /// Whether somebody waits for memory, or will soon: less than an eighth of that for vectors is left. Costs no lock.
    pub fn is_pressed(&self) -> bool {
        self.pressed.load(Ordering::Relaxed)
    }

    /// Called with the lock held, after each change.
    fn note_pressure(&self, used: &Used) {
        let is_short = used.waiting_bytes > self.bytes_max(Purpose::Waiting) / 8 * 7;
        self.pressed.store(is_short || used.waiters > 0, Ordering::Relaxed);
    }

    /// Takes `bytes` once they are there; alone, anyone may have more than the most, or nothing would go on.
    /// `None` = `stopped` was set before that. `full` is called each time before waiting.
    pub fn take(
        self: &Arc<Self>,
        purpose: Purpose,
        bytes: usize,
        stopped: &AtomicBool,
        full: impl Fn(),
    ) -> Option<Charge> {
        let most = self.bytes_max(purpose);
        loop {
            if let Some(charge) = self.try_take(purpose, bytes, most) {
                return Some(charge);
            }
            // Outside of the lock: it may end up here as well.
            full();
            let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
            used.waiters += 1;
            self.note_pressure(&used);
            let is_full =
                |used: &mut Used| *used.of(purpose) > 0 && used.of(purpose).saturating_add(bytes) > most;
            while is_full(&mut used) && !stopped.load(Ordering::Acquire) {
                used = self.given_back.wait(used).unwrap_or_else(PoisonError::into_inner);
            }
            used.waiters -= 1;
            self.note_pressure(&used);
            if is_full(&mut used) {
                return None;
            }
        }
    }

    fn try_take(self: &Arc<Self>, purpose: Purpose, bytes: usize, most: usize) -> Option<Charge> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let of = used.of(purpose);
        if *of > 0 && of.saturating_add(bytes) > most {
            return None;
        }
        *of += bytes;
        self.note_pressure(&used);
        Some(Charge { budget: self.clone(), purpose, bytes })
    }

    /// Takes `bytes` whether they are there or not: for what is in memory already.
    pub fn take_now(self: &Arc<Self>, purpose: Purpose, bytes: usize) -> Charge {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        *used.of(purpose) += bytes;
        self.note_pressure(&used);
        Charge { budget: self.clone(), purpose, bytes }
    }

    /// Lets those who wait look whether they were stopped.
    pub fn wake(&self) {
        // With the lock, or the call falls between a look and the wait that follows it.
        drop(self.used.lock().unwrap_or_else(PoisonError::into_inner));
        self.given_back.notify_all();
    }
}

/// Bytes of the budget; given back when dropped.
#[derive(Debug)]
pub struct Charge {
    budget: Arc<Budget>,
    purpose: Purpose,
    bytes: usize,
}

impl Charge {
    /// How many.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        let mut used = self.budget.used.lock().unwrap_or_else(PoisonError::into_inner);
        *used.of(self.purpose) -= self.bytes;
        self.budget.note_pressure(&used);
        drop(used);
        self.budget.given_back.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn who_finds_it_full_waits_until_others_gave_back() {
        let budget = Budget::new(400);
        let go_on = AtomicBool::new(false);
        let first = budget.take(Purpose::Waiting, 90, &go_on, || {}).unwrap();
        let (told, full) = channel();
        std::thread::scope(|scope| {
            let second =
                scope.spawn(|| budget.take(Purpose::Waiting, 20, &go_on, move || told.send(()).unwrap()));
            full.recv().unwrap();
            while !budget.is_pressed() {
                std::thread::yield_now();
            }
            drop(first);
            assert_eq!(second.join().unwrap().unwrap().bytes(), 20);
            assert!(!budget.is_pressed(), "nobody waits any more");
        });
        assert!(
            budget.take(Purpose::Waiting, 100, &go_on, || panic!("not all of it was given back")).is_some()
        );
    }

    #[test]
    fn alone_anyone_may_have_more_than_there_is() {
        let budget = Budget::new(400);
        assert!(
            budget.take(Purpose::Waiting, 1000, &AtomicBool::new(false), || panic!("it waits")).is_some()
        );
    }

    #[test]
    fn a_stop_ends_the_wait() {
        let budget = Budget::new(400);
        let stopped = AtomicBool::new(false);
        let _all = budget.take_now(Purpose::Building, 300);
        let (told, full) = channel();
        std::thread::scope(|scope| {
            let waiting =
                scope.spawn(|| budget.take(Purpose::Building, 1, &stopped, move || told.send(()).unwrap()));
            full.recv().unwrap();
            stopped.store(true, Ordering::Release);
            budget.wake();
            assert!(waiting.join().unwrap().is_none());
        });
    }
}
