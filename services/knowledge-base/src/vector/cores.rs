//! The cores that builders may use: so many threads link rows at once, of all parts that are being built. Those of new vectors go
//! first, so that they never wait behind a long merge.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::builders::Task;

/// Between two looks whether an index was stopped, by a thread that waits for a core.
const STOP_LOOK_INTERVAL: Duration = Duration::from_millis(20);

#[derive(Debug)]
struct Places {
    free: usize,
    /// Threads that wait for a core to seal.
    seals: usize,
}

/// The cores.
#[derive(Debug)]
pub struct Cores {
    places: Mutex<Places>,
    given_back: Condvar,
}

impl Cores {
    /// All are free.
    pub fn new(count: usize) -> Self {
        Self { places: Mutex::new(Places { free: count, seals: 0 }), given_back: Condvar::new() }
    }

    /// Waits for one; `None` once `stopped` is set.
    pub fn take(&self, task: Task, stopped: &AtomicBool) -> Option<Core<'_>> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let seals = usize::from(task == Task::Seal);
        places.seals += seals;
        let goes_on = loop {
            if stopped.load(Ordering::Acquire) {
                break false;
            }
            if places.free > 0 && (task == Task::Seal || places.seals == 0) {
                break true;
            }
            let waited = self.given_back.wait_timeout(places, STOP_LOOK_INTERVAL);
            places = waited.unwrap_or_else(PoisonError::into_inner).0;
        };
        places.seals -= seals;
        places.free -= usize::from(goes_on);
        goes_on.then(|| Core(self))
    }
}

/// Given back when dropped.
#[derive(Debug)]
pub struct Core<'a>(&'a Cores);

impl Drop for Core<'_> {
    fn drop(&mut self) {
        self.0.places.lock().unwrap_or_else(PoisonError::into_inner).free += 1;
        self.0.given_back.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_seal_that_waits_goes_before_a_merge_that_goes_on() {
        let (cores, go_on) = (Cores::new(1), AtomicBool::new(false));
        let first = cores.take(Task::Merge, &go_on).unwrap();
        let (tell, order) = channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let core = cores.take(Task::Seal, &go_on);
                tell.send("seal").unwrap();
                drop(core);
            });
            while cores.places.lock().unwrap().seals == 0 {
                std::thread::yield_now();
            }
            drop(first);
            let again = cores.take(Task::Merge, &go_on);
            tell.send("merge").unwrap();
            drop(again);
        });
        assert_eq!([order.recv().unwrap(), order.recv().unwrap()], ["seal", "merge"]);
    }

    #[test]
    fn a_stop_ends_the_wait_while_another_index_keeps_the_core() {
        let (cores, go_on, stopped) = (Cores::new(1), AtomicBool::new(false), AtomicBool::new(false));
        let kept = cores.take(Task::Merge, &go_on).unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| cores.take(Task::Seal, &stopped).is_none());
            while cores.places.lock().unwrap().seals == 0 {
                std::thread::yield_now();
            }
            stopped.store(true, Ordering::Release);
            assert!(waiting.join().unwrap());
        });
        drop(kept);
        assert!(cores.take(Task::Merge, &go_on).is_some(), "who was stopped holds up nobody");
    }
}
