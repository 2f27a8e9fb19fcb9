//! Work that would hold up those who serve connections: on threads of its own, so much at once and no more.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::sync::{Semaphore, oneshot};

use crate::priority::Class;

/// Why work was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LaneError {
    /// Too much of it waits already.
    #[error("too many wait")]
    Full,
    /// It ended without a result, which is a fault and has been logged.
    #[error("the work failed")]
    Failed,
}

type Work = Box<dyn FnOnce() + Send>;

/// Threads for work of one kind, which end with the last clone. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Lane {
    work: Sender<Work>,
    /// Of what is under way and what waits.
    places: Arc<Semaphore>,
}

impl Lane {
    /// With `at_once` threads of that name and class, and room for `waiting` that wait for their turn.
    ///
    /// # Panics
    /// When the system has no thread to give.
    pub fn new(name: &str, class: Class, at_once: usize, waiting: usize) -> Self {
        let (work, queue) = mpsc::channel();
        // Protects the queue's end: the thread that holds it waits for the next work, the others wait for it.
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..at_once {
            let queue = Arc::clone(&queue);
            let started = thread::Builder::new().name(name.to_owned()).spawn(move || {
                class.enter();
                drain(&queue);
            });
            started.expect("the system starts a thread at start");
        }
        Self { work, places: Arc::new(Semaphore::new(at_once + waiting)) }
    }

    /// Does `work` when its turn comes; not at all where nobody waits for it any more by then.
    ///
    /// # Errors
    /// [`LaneError`]; [`LaneError::Full`] at once.
    pub async fn run<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, LaneError> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| LaneError::Full)?;
        let (reply, answer) = oneshot::channel();
        let work = move || {
            if reply.is_closed() {
                return;
            }
            let done = work();
            // Held until here, for who asked may be gone while the work goes on.
            drop(place);
            let _ = reply.send(done);
        };
        self.work.send(Box::new(work)).map_err(|_| LaneError::Failed)?;
        answer.await.map_err(|_| LaneError::Failed)
    }
}

fn drain(queue: &Mutex<Receiver<Work>>) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(work) = next else { return };
        // A panic has been logged, and the asker learns of it by its reply that is gone.
        let _ = catch_unwind(AssertUnwindSafe(work));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::sync_channel;

    #[tokio::test]
    async fn so_much_is_done_at_once_so_much_waits_and_the_rest_is_refused() {
        let lane = Lane::new("lane", Class::Serve, 1, 1);
        let (go, gate) = sync_channel::<()>(0);
        let first = tokio::spawn({
            let lane = lane.clone();
            async move { lane.run(move || gate.recv().is_ok()).await }
        });
        while lane.places.available_permits() == 2 {
            tokio::task::yield_now().await;
        }
        let second = tokio::spawn({
            let lane = lane.clone();
            async move { lane.run(|| 2).await }
        });
        while lane.places.available_permits() == 1 {
            tokio::task::yield_now().await;
        }
        assert_eq!(lane.run(|| 3).await, Err(LaneError::Full));
        go.send(()).unwrap();
        assert_eq!(first.await.unwrap(), Ok(true));
        assert_eq!(second.await.unwrap(), Ok(2));
    }

    #[tokio::test]
    async fn work_that_panics_fails_alone() {
        let lane = Lane::new("lane", Class::Serve, 1, 8);
        let failed: Result<(), _> = lane.run(|| panic!("on purpose")).await;
        assert_eq!(failed, Err(LaneError::Failed));
        assert_eq!(lane.run(|| 4).await, Ok(4));
        assert_eq!(lane.places.available_permits(), 9, "its place is free again");
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_is_not_begun() {
        let lane = Lane::new("lane", Class::Serve, 1, 8);
        let (go, gate) = sync_channel::<()>(0);
        let (told, done) = sync_channel(1);
        let first = tokio::spawn({
            let lane = lane.clone();
            async move { lane.run(move || gate.recv().is_ok()).await }
        });
        while lane.places.available_permits() == 9 {
            tokio::task::yield_now().await;
        }
        let mut left = Box::pin(lane.run(move || told.send(()).unwrap()));
        // Handed over, and then given up.
        assert!(futures_util::poll!(&mut left).is_pending());
        drop(left);
        go.send(()).unwrap();
        assert_eq!(first.await.unwrap(), Ok(true));
        assert_eq!(lane.run(|| 5).await, Ok(5));
        assert!(done.try_recv().is_err(), "it was not begun");
    }
}
