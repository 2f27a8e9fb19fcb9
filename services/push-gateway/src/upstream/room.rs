//! How many bytes may wait in a queue between NATS and the workers. Events are of any size, so their number says little.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that may be under way at once. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Room {
    free: Arc<Semaphore>,
    size_max: u32,
}

/// Room for something that is under way; given back when it is dropped.
#[derive(Debug)]
pub struct Share {
    _permit: OwnedSemaphorePermit,
}

impl Room {
    /// Room for `size_max` bytes.
    pub fn new(size_max: u32) -> Self {
        Self { free: Arc::new(Semaphore::new(size_max as usize)), size_max }
    }

    /// Waits until there is room for `size_bytes`. What is larger than all of it takes all of it.
    pub async fn take(&self, size_bytes: usize) -> Share {
        let size = u32::try_from(size_bytes).unwrap_or(u32::MAX).min(self.size_max);
        let permit = Arc::clone(&self.free).acquire_many_owned(size).await;
        Share { _permit: permit.expect("the semaphore is never closed") }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn what_does_not_fit_waits_and_what_is_too_large_has_all_of_it() {
        let room = Room::new(100);
        let small = room.take(60).now_or_never().expect("there is room");
        assert!(room.take(41).now_or_never().is_none());
        assert!(room.take(1_000).now_or_never().is_none());
        drop(small);
        let large = room.take(1_000).now_or_never().expect("it is alone");
        assert!(room.take(1).now_or_never().is_none());
        drop(large);
        assert!(room.take(100).now_or_never().is_some());
    }
}
