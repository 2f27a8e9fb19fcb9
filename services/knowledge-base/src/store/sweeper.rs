//! Frees what was deleted but is still there: bit by bit, so that writes come in between.

use std::time::Duration;

use tokio::sync::mpsc;

/// Pause between two steps, so that posts come in between.
const INTERVAL: Duration = Duration::from_millis(20);

/// The one task of a store that frees; it ends with this.
pub struct Sweeper(mpsc::Sender<()>);

impl Sweeper {
    /// Begins with what the last run left. `step` frees a bit and says whether there may be more; `None` where it failed,
    /// and then the rest waits for the next wake or start. Needs a Tokio runtime around it.
    pub fn start<Step>(step: impl Fn() -> Step + Send + 'static) -> Self
    where
        Step: Future<Output = Option<bool>> + Send,
    {
        let (wake, mut woken) = mpsc::channel(1);
        tokio::spawn(async move {
            loop {
                while step().await == Some(true) && !woken.is_closed() {
                    tokio::time::sleep(INTERVAL).await;
                }
                if woken.recv().await.is_none() {
                    return;
                }
            }
        });
        Self(wake)
    }

    /// There is more to free.
    pub fn wake(&self) {
        // One that is full will look anyway.
        let _ = self.0.try_send(());
    }
}
