//! The stop signal, as a value that tasks can wait for.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Cloneable; becomes requested once and stays so.
#[derive(Debug, Clone)]
pub struct Shutdown(watch::Receiver<bool>);

/// The end that requests the stop.
#[derive(Debug)]
pub struct Trigger(watch::Sender<bool>);

impl Shutdown {
    /// A pair; the stop is requested when [`Trigger::request`] is called or the trigger is dropped.
    pub fn manual() -> (Trigger, Self) {
        let (sender, receiver) = watch::channel(false);
        (Trigger(sender), Self(receiver))
    }

    /// Requested by SIGTERM or SIGINT. A second signal ends the process at once with status 130.
    pub fn on_signals() -> std::io::Result<Self> {
        let (trigger, shutdown) = Self::manual();
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::spawn(async move {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            tracing::info!("stop requested; a second signal ends the process at once");
            trigger.request();
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            std::process::exit(130);
        });
        Ok(shutdown)
    }

    /// Returns once the stop is requested.
    pub async fn requested(&self) {
        let mut receiver = self.0.clone();
        // An error means that the trigger is gone, which counts as a request.
        let _ = receiver.wait_for(|requested| *requested).await;
    }

    /// Whether the stop is requested already.
    pub fn is_requested(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }
}

impl Trigger {
    /// Requests the stop.
    pub fn request(&self) {
        self.0.send_replace(true);
    }
}
