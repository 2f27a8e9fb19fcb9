//! The set-up task: creates and changes every stream but `KB`, which is the knowledge base's own.

use async_nats::jetstream::context::{CreateStreamError, GetStreamError, UpdateStreamError};
use proto_schemas::contract::Owner;
use proto_schemas::{STREAMS, StreamSpec};

use crate::streams::{config, epoch_of, info, new_epoch};
use crate::{Nats, Shutdown};

/// Why the set-up did not finish.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The stop came while NATS was away.
    #[error("stopped before NATS was connected")]
    Stopped,
    /// A stream cannot be read.
    #[error("stream {0} cannot be read")]
    Read(&'static str, #[source] GetStreamError),
    /// A stream cannot be created.
    #[error("stream {0} cannot be created")]
    Create(&'static str, #[source] CreateStreamError),
    /// A stream cannot be changed.
    #[error("stream {0} cannot be changed")]
    Change(&'static str, #[source] UpdateStreamError),
}

/// Brings all streams to the table's state; running it again changes nothing.
pub async fn run(nats: &Nats, replicas: usize, shutdown: &Shutdown) -> Result<(), SetupError> {
    nats.connected(shutdown).await.ok_or(SetupError::Stopped)?;
    for spec in STREAMS.iter().filter(|spec| spec.owner == Owner::SetUp) {
        bring_up(nats, spec, replicas).await?;
    }
    Ok(())
}

async fn bring_up(nats: &Nats, spec: &'static StreamSpec, replicas: usize) -> Result<(), SetupError> {
    let found = info(nats, spec.stream).await.map_err(|cause| SetupError::Read(spec.name, cause))?;
    let Some(found) = found else {
        let wanted = config(spec, &new_epoch(), replicas);
        nats.jetstream().create_stream(wanted).await.map_err(|cause| SetupError::Create(spec.name, cause))?;
        tracing::info!(stream = spec.name, "created");
        return Ok(());
    };
    // A change keeps the incarnation: its messages are still the same.
    let epoch = if epoch_of(&found).is_empty() { new_epoch() } else { epoch_of(&found).to_owned() };
    let wanted = config(spec, &epoch, replicas);
    nats.jetstream().update_stream(&wanted).await.map_err(|cause| SetupError::Change(spec.name, cause))?;
    tracing::info!(stream = spec.name, "up to date");
    Ok(())
}
