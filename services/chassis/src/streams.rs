//! Streams in JetStream, made from the one table of the contract.

use std::collections::HashMap;
use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy, Info, RetentionPolicy, StorageType};
use async_nats::jetstream::{self, ErrorCode};
use proto_schemas::contract::BucketSpec;
use proto_schemas::event::EPOCH_METADATA;
use proto_schemas::{Stream, StreamSpec};

use crate::{Nats, Shutdown};

/// How often a service looks again for a stream that is missing.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);

/// A stream's incarnation: 16 hex digits, chosen at random when it is created.
pub fn new_epoch() -> String {
    format!("{:016x}", fastrand::u64(..))
}

/// The configuration of a stream as the table has it, with `epoch` in its metadata.
pub fn config(spec: &StreamSpec, epoch: &str, replicas: usize) -> Config {
    Config {
        name: spec.name.to_owned(),
        subjects: spec.subjects.iter().map(|&subject| subject.to_owned()).collect(),
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::Old,
        max_age: spec.max_age,
        max_bytes: spec.max_bytes,
        max_messages_per_subject: spec.max_messages_per_subject.unwrap_or(-1),
        storage: StorageType::File,
        num_replicas: replicas,
        allow_direct: true,
        allow_message_ttl: spec.delete_marker_ttl.is_some(),
        subject_delete_marker_ttl: spec.delete_marker_ttl,
        allow_rollup: spec.delete_marker_ttl.is_some(),
        metadata: HashMap::from([(EPOCH_METADATA.to_owned(), epoch.to_owned())]),
        ..Config::default()
    }
}

/// The configuration of the stream behind a bucket, as NATS makes one, with limit markers. Full, it refuses keys.
pub fn bucket_config(spec: &BucketSpec, replicas: usize) -> Config {
    Config {
        name: spec.stream_name.to_owned(),
        subjects: vec![format!("{}>", spec.subject_prefix)],
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::New,
        max_bytes: spec.max_bytes,
        max_messages_per_subject: 1,
        storage: StorageType::File,
        num_replicas: replicas,
        allow_direct: true,
        allow_rollup: true,
        deny_delete: true,
        allow_message_ttl: true,
        subject_delete_marker_ttl: Some(spec.delete_marker_ttl),
        ..Config::default()
    }
}

/// The epoch in a stream's metadata; empty where another program created it.
pub fn epoch_of(info: &Info) -> &str {
    info.config.metadata.get(EPOCH_METADATA).map_or("", String::as_str)
}

/// What a service needs of the stream and does not find: `None` means it has at least that.
pub fn shortfall(info: &Info) -> Option<String> {
    let spec = Stream::by_name(&info.config.name)?.spec();
    let missing =
        spec.subjects.iter().find(|subject| !info.config.subjects.iter().any(|has| has == *subject));
    if let Some(subject) = missing {
        return Some(format!("stream {} does not take {subject}; run bywash-setup", spec.name));
    }
    epoch_of(info).is_empty().then(|| format!("stream {} has no epoch; run bywash-setup", spec.name))
}

/// The stream's info; `Ok(None)` where it does not exist.
pub async fn info(nats: &Nats, stream: Stream) -> Result<Option<Info>, jetstream::context::GetStreamError> {
    info_by_name(nats, stream.spec().name).await
}

/// As [`info`], also for the stream behind a bucket.
pub async fn info_by_name(
    nats: &Nats,
    name: &str,
) -> Result<Option<Info>, jetstream::context::GetStreamError> {
    match nats.jetstream().get_stream(name).await {
        Ok(stream) => Ok(Some(stream.cached_info().clone())),
        Err(error) => match error.kind() {
            jetstream::context::GetStreamErrorKind::JetStream(reason)
                if reason.error_code() == ErrorCode::STREAM_NOT_FOUND =>
            {
                Ok(None)
            }
            _ => Err(error),
        },
    }
}

/// Waits until the stream exists with at least what a service needs; `None` when the stop comes first.
pub async fn wait_for(nats: &Nats, stream: Stream, shutdown: &Shutdown) -> Option<Info> {
    let mut told = false;
    loop {
        nats.connected(shutdown).await?;
        let problem = match info(nats, stream).await {
            Ok(Some(info)) => match shortfall(&info) {
                None => return Some(info),
                Some(problem) => problem,
            },
            Ok(None) => format!("stream {} is missing; run bywash-setup", stream.spec().name),
            Err(error) => format!("stream {} cannot be read: {error}", stream.spec().name),
        };
        if !told {
            tracing::warn!("{problem}; waiting");
            told = true;
        }
        tokio::select! {
            () = shutdown.requested() => return None,
            () = tokio::time::sleep(RETRY_INTERVAL) => {}
        }
    }
}
