//! Reads the stream's state and brings the stream into the state that the plan asks for.

use async_nats::jetstream::stream::{Config, Info, LastRawMessageErrorKind};
use chassis::{Nats, streams};
use proto_schemas::Stream;
use proto_schemas::event::header;

use super::RelayError;
use super::plan::{Plan, StoreView, StreamView, decide};
use crate::store::{Epoch, Revision, Store};

/// An epoch that the relay began and whose stream is not made yet.
#[derive(Debug)]
pub struct Begun {
    epoch: Epoch,
    first: Revision,
}

/// Makes the stream what it must be and returns the change to publish next. `begun` is kept from one call to the next.
pub async fn attach(
    store: &Store,
    nats: &Nats,
    replicas: usize,
    begun: &mut Option<Begun>,
) -> Result<Revision, RelayError> {
    let info = streams::info(nats, Stream::Kb).await.map_err(told)?;
    let snapshot = store.snapshot();
    let oldest = store.oldest_change(Revision(0)).await?.map(|(revision, _)| revision);
    let store_view = StoreView {
        epoch: snapshot.epoch.clone(),
        revision: snapshot.revision,
        oldest,
        stream_created: snapshot.stream_created,
        begun: begun.as_ref().filter(|begun| begun.epoch == snapshot.epoch).map(|begun| begun.first),
    };
    let stream_view = match &info {
        Some(info) => Some(view(store, nats, info).await?),
        None => None,
    };
    let next = match decide(&store_view, stream_view.as_ref()) {
        Plan::Follow(next) => {
            if let Some(info) = &info {
                bring_up_to_date(nats, info, replicas).await?;
            }
            next
        }
        Plan::Create(first) => {
            create(nats, snapshot.epoch.as_str(), first, replicas).await?;
            tracing::info!(first = first.0, epoch = %snapshot.epoch, "created stream KB");
            first
        }
        Plan::BeginEpoch(reason) => {
            let written = store.begin_epoch().await?;
            let (epoch, first) = (written.epoch, written.revision.next());
            *begun = Some(Begun { epoch: epoch.clone(), first });
            tracing::warn!(?reason, first = first.0, %epoch, "began a new epoch; making stream KB anew");
            replace(nats, info.is_some(), epoch.as_str(), first, replicas).await?;
            first
        }
        Plan::FinishEpoch(first) => {
            replace(nats, info.is_some(), snapshot.epoch.as_str(), first, replicas).await?;
            first
        }
    };
    *begun = None;
    if !snapshot.stream_created {
        store.note_stream_created().await?;
    }
    Ok(next)
}

async fn view(store: &Store, nats: &Nats, info: &Info) -> Result<StreamView, RelayError> {
    let last_sequence = Revision(info.state.last_sequence);
    let stream = nats.jetstream().get_stream_no_info(&info.config.name).await.map_err(told)?;
    let last_digest = if info.state.messages == 0 {
        None
    } else {
        match stream.get_raw_message(last_sequence.0).await {
            // A message without a digest is nobody's change.
            Ok(message) => {
                Some(message.headers.get(header::DIGEST).map_or_else(String::new, ToString::to_string))
            }
            Err(error) if matches!(error.kind(), LastRawMessageErrorKind::NoMessageFound) => None,
            Err(error) => return Err(told(error)),
        }
    };
    let store_digest = store.digest(last_sequence).await?;
    Ok(StreamView { epoch: streams::epoch_of(info).to_owned(), last_sequence, last_digest, store_digest })
}

/// Deletes the stream where it `exists` and makes that of `epoch`.
async fn replace(
    nats: &Nats,
    exists: bool,
    epoch: &str,
    first: Revision,
    replicas: usize,
) -> Result<(), RelayError> {
    if exists {
        nats.jetstream().delete_stream(Stream::Kb.spec().name).await.map_err(told)?;
    }
    create(nats, epoch, first, replicas).await?;
    tracing::info!(first = first.0, epoch, "made stream KB anew");
    Ok(())
}

async fn create(nats: &Nats, epoch: &str, first: Revision, replicas: usize) -> Result<(), RelayError> {
    let wanted =
        Config { first_sequence: Some(first.0), ..streams::config(Stream::Kb.spec(), epoch, replicas) };
    nats.jetstream().create_stream(wanted).await.map(drop).map_err(told)
}

/// Changes what the table or the settings say differently by now.
async fn bring_up_to_date(nats: &Nats, info: &Info, replicas: usize) -> Result<(), RelayError> {
    let wanted = streams::config(Stream::Kb.spec(), streams::epoch_of(info), replicas);
    let has = &info.config;
    let same = has.subjects == wanted.subjects
        && has.max_age == wanted.max_age
        && has.max_bytes == wanted.max_bytes
        && has.num_replicas == wanted.num_replicas;
    if same {
        return Ok(());
    }
    let changed = Config {
        subjects: wanted.subjects,
        max_age: wanted.max_age,
        max_bytes: wanted.max_bytes,
        num_replicas: wanted.num_replicas,
        ..has.clone()
    };
    nats.jetstream().update_stream(&changed).await.map_err(told)?;
    tracing::info!("changed stream KB");
    Ok(())
}

/// The errors of JetStream's administration differ in type and are only told.
fn told(error: impl std::fmt::Display) -> RelayError {
    RelayError::Stream(error.to_string())
}
