//! A bounded number of searches at once. Who comes later waits for one to end, a few milliseconds.

use std::sync::{Condvar, Mutex, PoisonError};

/// So many may be held at once.
#[derive(Debug)]
pub struct Permits {
    free: Mutex<usize>,
    given_back: Condvar,
}

impl Permits {
    /// All are free.
    pub fn new(count: usize) -> Self {
        Self { free: Mutex::new(count), given_back: Condvar::new() }
    }

    /// Waits for one.
    pub fn take(&self) -> Permit<'_> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        while *free == 0 {
            free = self.given_back.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
        *free -= 1;
        Permit(self)
    }
}

/// Given back when dropped.
pub struct Permit<'a>(&'a Permits);

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.given_back.notify_one();
    }
}
