//! Carries the bucket `REVOKED` into the set of this process: all of it after each connection, then each change.

use std::time::{Duration, SystemTime};

use async_nats::header::NATS_MARKER_REASON;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::{HeaderMap, HeaderValue};
use futures_util::StreamExt;
use proto_schemas::contract::REVOKED;
use proto_schemas::names;

use super::revocations::{Entry, Revocations, Until};
use crate::{Health, Nats, Shutdown, time};

/// How often the bucket is looked for while it is missing or cannot be read.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);
/// Ids asked for at once: the client keeps at most these for us.
const PULL_MESSAGES: usize = 500;
/// How long one request for ids stands.
const PULL_EXPIRES: Duration = Duration::from_secs(30);
/// The server says this often that there is nothing new; two missed ones mean that it is gone.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// The server forgets our consumer after this long without us.
const CONSUMER_IDLE: Duration = Duration::from_secs(30);
/// How often ids whose time has come are taken out.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);
/// What `nats kv del` and `nats kv purge` write in place of a value.
const KV_OPERATION: &str = "KV-Operation";
/// Name of the condition in `/readyz`: whether all revocations are known.
const CONDITION: &str = "revocations";

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// Runs until the stop. The set is never emptied on the way: what is read again is put over what is known.
pub(super) async fn follow(revocations: Revocations, nats: Nats, health: Health, shutdown: Shutdown) {
    health.tell(CONDITION, false);
    let mut told = false;
    while let Some(generation) = nats.connected(&shutdown).await {
        let failed = tokio::select! {
            () = shutdown.requested() => return,
            () = nats.lost(generation) => None,
            error = read(&revocations, &nats, || {
                revocations.set_known();
                health.tell(CONDITION, true);
                told = false;
            }) => Some(error),
        };
        health.tell(CONDITION, false);
        if let Some(error) = failed.filter(|_| !told) {
            tracing::warn!(%error, "revocations cannot be followed; trying again, and those known stay");
            told = true;
        }
        tokio::select! {
            () = shutdown.requested() => return,
            () = tokio::time::sleep(RETRY_INTERVAL) => {}
        }
    }
}

/// Reads the bucket and follows it until that fails; calls `known` once all that it holds is in the set.
async fn read(revocations: &Revocations, nats: &Nats, known: impl FnMut()) -> AnyError {
    match try_read(revocations, nats, known).await {
        Ok(()) => "the consumer ended".into(),
        Err(error) => error,
    }
}

async fn try_read(revocations: &Revocations, nats: &Nats, mut known: impl FnMut()) -> Result<(), AnyError> {
    let stream = match nats.jetstream().get_stream(REVOKED.stream_name).await {
        Ok(stream) => stream,
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(reason) if reason.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                return Err(format!("KV bucket {} is missing; run bywash-setup", REVOKED.bucket).into());
            }
            _ => return Err(error.into()),
        },
    };
    let config = pull::Config {
        deliver_policy: DeliverPolicy::LastPerSubject,
        filter_subject: format!("{}>", REVOKED.subject_prefix),
        ack_policy: AckPolicy::None,
        inactive_threshold: CONSUMER_IDLE,
        memory_storage: true,
        num_replicas: 1,
        ..Default::default()
    };
    let consumer = stream.create_consumer(config).await?;
    if consumer.cached_info().num_pending == 0 {
        known();
    }
    let mut messages = consumer
        .stream()
        .max_messages_per_batch(PULL_MESSAGES)
        .expires(PULL_EXPIRES)
        .heartbeat(HEARTBEAT)
        .messages()
        .await?;
    let mut sweep = tokio::time::interval(SWEEP_INTERVAL);
    let mut expected = 1;
    loop {
        let message = tokio::select! {
            message = messages.next() => message,
            _ = sweep.tick() => {
                revocations.sweep(SystemTime::now());
                continue;
            }
        };
        let Some(message) = message.transpose()? else { return Ok(()) };
        let info = message.info()?;
        if info.consumer_sequence != expected {
            return Err("the consumer skipped a message".into());
        }
        expected += 1;
        match change(&message.subject, message.headers.as_ref(), &message.payload) {
            Some((id, Change::Revoked(until))) => revocations.note(&id, until),
            Some((id, Change::Ended)) => revocations.forget(&id),
            None => {
                tracing::warn!(subject = %message.subject.escape_debug(), "a key of the bucket REVOKED is no encoded id");
            }
        }
        if info.pending == 0 {
            known();
        }
    }
}

#[derive(Debug, PartialEq)]
enum Change {
    Revoked(Until),
    /// Its time has come, or somebody took it back.
    Ended,
}

/// What a message of the bucket says of which id. A value that cannot be read revokes for ever: somebody meant to.
fn change(subject: &str, headers: Option<&HeaderMap>, payload: &[u8]) -> Option<(String, Change)> {
    let id = names::decode(subject.strip_prefix(REVOKED.subject_prefix)?).ok()?;
    let header = |name: &str| headers.and_then(|headers| headers.get(name)).map(HeaderValue::as_str);
    let is_marker = header(NATS_MARKER_REASON.as_ref()).is_some()
        || header(KV_OPERATION).is_some_and(|operation| operation != "PUT");
    if is_marker {
        return Some((id, Change::Ended));
    }
    let entry: Option<Entry> = serde_json::from_slice(payload).ok();
    let until = entry.and_then(|entry| entry.until).and_then(|text| time::parse(&text));
    Some((id, Change::Revoked(until)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_the_bucket_revokes_or_ends() {
        let until = SystemTime::UNIX_EPOCH + Duration::from_secs(1_893_456_000);
        let plain = |key: &str, value: &str| change(&format!("$KV.REVOKED.{key}"), None, value.as_bytes());
        assert_eq!(
            plain("a=2Eb", r#"{"until":"2030-01-01T00:00:00Z"}"#),
            Some(("a.b".to_owned(), Change::Revoked(Some(until))))
        );
        for forever in [r#"{"until":null}"#, "{}", "", "revoked", r#"{"until":"soon"}"#] {
            assert_eq!(plain("a", forever), Some(("a".to_owned(), Change::Revoked(None))), "{forever}");
        }
        assert_eq!(plain("a=2e", "{}"), None, "no encoded name");
        for (name, value, ended) in [
            (KV_OPERATION, "DEL", true),
            (KV_OPERATION, "PURGE", true),
            (KV_OPERATION, "PUT", false),
            (NATS_MARKER_REASON.as_ref(), "MaxAge", true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, value);
            let (_, change) = change("$KV.REVOKED.a", Some(&headers), b"").unwrap();
            assert_eq!(change == Change::Ended, ended, "{name}: {value}");
        }
    }
}
