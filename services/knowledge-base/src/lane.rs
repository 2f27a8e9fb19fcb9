//! Work on blocking threads, so much at once and no more: what would hold up those who serve connections.

use std::sync::Arc;

use tokio::sync::Semaphore;

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

/// Places for work. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Lane {
    at_once: Arc<Semaphore>,
    /// Of what is under way and what waits.
    places: Arc<Semaphore>,
}

impl Lane {
    /// With room for `at_once` under way, and `waiting` that wait for their turn.
    pub fn new(at_once: usize, waiting: usize) -> Self {
        Self {
            at_once: Arc::new(Semaphore::new(at_once)),
            places: Arc::new(Semaphore::new(at_once + waiting)),
        }
    }

    /// Does `work` on a blocking thread when its turn comes.
    ///
    /// # Errors
    /// [`LaneError`]; [`LaneError::Full`] at once.
    pub async fn run<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, LaneError> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| LaneError::Full)?;
        let turn = Arc::clone(&self.at_once).acquire_owned().await.map_err(|_| LaneError::Failed)?;
        let done = tokio::task::spawn_blocking(move || {
            // Held here: who asked may be gone while the work goes on.
            let _held = (place, turn);
            work()
        });
        done.await.map_err(|_| LaneError::Failed)
    }
}
