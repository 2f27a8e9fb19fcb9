//! The set-up task: creates and changes every stream but `KB`, which is the knowledge base's own, and the buckets.

use async_nats::jetstream::context::{CreateStreamError, GetStreamError, UpdateStreamError};
use async_nats::jetstream::stream::{Config, Info};
use proto_schemas::STREAMS;
use proto_schemas::contract::{Owner, REVOKED};

use crate::streams::{bucket_config, config, epoch_of, info_by_name, new_epoch};
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

/// Brings all streams and buckets to the table's state; running it again changes nothing.
pub async fn run(nats: &Nats, replicas: usize, shutdown: &Shutdown) -> Result<(), SetupError> {
    nats.connected(shutdown).await.ok_or(SetupError::Stopped)?;
    for spec in STREAMS.iter().filter(|spec| spec.owner == Owner::SetUp) {
        let wanted = |found: Option<&Info>| {
            // A change keeps the incarnation: its messages are still the same.
            let epoch = found.map(epoch_of).filter(|epoch| !epoch.is_empty());
            config(spec, &epoch.map_or_else(new_epoch, str::to_owned), replicas)
        };
        bring_up(nats, spec.name, wanted).await?;
    }
    bring_up(nats, REVOKED.stream_name, |_| bucket_config(&REVOKED, replicas)).await
}

async fn bring_up(
    nats: &Nats,
    name: &'static str,
    wanted: impl FnOnce(Option<&Info>) -> Config,
) -> Result<(), SetupError> {
    let found = info_by_name(nats, name).await.map_err(|cause| SetupError::Read(name, cause))?;
    let config = wanted(found.as_ref());
    if found.is_none() {
        nats.jetstream().create_stream(config).await.map_err(|cause| SetupError::Create(name, cause))?;
        tracing::info!(stream = name, "created");
    } else {
        nats.jetstream().update_stream(&config).await.map_err(|cause| SetupError::Change(name, cause))?;
        tracing::info!(stream = name, "up to date");
    }
    Ok(())
}
